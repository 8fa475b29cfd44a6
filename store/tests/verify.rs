//! Every kind of damage, done on purpose, is named; what can be mended without a build is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use sx_derivation::{Derivation, Output, StorePath};
use sx_store::database::Said;
use sx_store::repair::Remedy;
use sx_store::verify::{Damage, Depth};
use sx_store::{Store, StoreError};

static GOES_ON: AtomicBool = AtomicBool::new(false);

/// A store with a tree, a text that refers to it, and a copy of both beside it.
struct Fixture {
    folder: tempfile::TempDir,
    tree: StorePath,
    text: StorePath,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        std::fs::create_dir_all(source.join("bin")).unwrap();
        std::fs::write(source.join("bin/tool"), "a tool").unwrap();
        std::fs::set_permissions(source.join("bin/tool"), Permissions::from_mode(0o755)).unwrap();
        std::fs::write(source.join("text"), "some text").unwrap();
        symlink("bin/tool", source.join("link")).unwrap();
        let add = |name: &str| {
            let store = Store::open(&folder.path().join(name)).unwrap();
            let tree = store.add_source(&source, "tree", None).unwrap();
            let text = store.add_text("text", tree.to_string().as_bytes(), BTreeSet::from([tree.clone()]));
            (tree, text.unwrap())
        };
        let (tree, text) = add("sx");
        assert_eq!(add("copy"), (tree.clone(), text.clone()));
        Self { folder, tree, text }
    }

    fn store(&self) -> Store {
        Store::open(&self.place()).unwrap()
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("sx")
    }

    /// Says in the database alone that a derivation was realised to the tree. Gives its path.
    fn realised(&self, store: &Store) -> StorePath {
        let derivation = Derivation {
            name: "made".into(),
            outputs: [("out".into(), Output::Floating)].into(),
            input_derivations: BTreeMap::new(),
            input_sources: BTreeSet::new(),
            system: "x".into(),
            builder: "/x".into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
        };
        let path = derivation.path().unwrap();
        let realisations = vec![(path.clone(), "out".to_owned(), self.tree.clone())];
        let derivations = vec![(path.clone(), derivation.encode())];
        let said = Said { realisations, derivations, ..Said::default() };
        store.database().register(&[], &said).unwrap();
        path
    }

    fn sql(&self, text: &str) {
        let connection = rusqlite::Connection::open(self.place().join("database")).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(text).unwrap();
    }
}

fn damage(store: &Store, depth: Depth) -> Vec<Damage> {
    store.verify(depth, 2, &GOES_ON).unwrap().damage
}

/// Changes a file of the store, whose folder and itself are read-only.
fn change(place: &Path, change: impl FnOnce(&Path)) {
    let folder = place.parent().unwrap();
    let modes: Vec<_> = [folder, place]
        .map(|place| (place, std::fs::metadata(place).map(|found| found.permissions().mode())))
        .into();
    for (place, mode) in &modes {
        std::fs::set_permissions(place, Permissions::from_mode(mode.as_ref().unwrap() | 0o200)).unwrap();
    }
    change(place);
    let is_ordinary = |place: &Path| place.is_file() || place.is_dir();
    for (place, mode) in modes.into_iter().filter(|(place, _)| is_ordinary(place)) {
        std::fs::set_permissions(place, Permissions::from_mode(mode.unwrap())).unwrap();
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    for place in [folder, place].into_iter().filter(|place| is_ordinary(place)) {
        File::open(place).unwrap().set_modified(time).unwrap();
    }
}

#[test]
fn a_whole_store_has_no_damage() {
    let fixture = Fixture::new();
    let found = fixture.store().verify(Depth::Contents, 2, &GOES_ON).unwrap();
    assert_eq!((found.objects, found.damage), (2, vec![]));
    assert_eq!(found.size_bytes, (6 + 9 + 8) + fixture.tree.to_string().len() as u64);
}

#[test]
fn damaged_files_are_named_and_mended_from_a_copy() {
    let flip: &dyn Fn(&Path) = &|place| {
        let file = File::options().write(true).open(place).unwrap();
        file.write_all_at(b"A", 0).unwrap();
    };
    let shorten: &dyn Fn(&Path) =
        &|place| File::options().write(true).open(place).unwrap().set_len(3).unwrap();
    let empty: &dyn Fn(&Path) = &|place| drop(File::create(place).unwrap());
    let delete: &dyn Fn(&Path) = &|place| std::fs::remove_file(place).unwrap();
    let add: &dyn Fn(&Path) = &|place| {
        let extra = place.with_file_name("extra");
        File::create(&extra).unwrap();
        std::fs::set_permissions(&extra, Permissions::from_mode(0o444)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        File::open(&extra).unwrap().set_modified(time).unwrap();
    };
    let pipe: &dyn Fn(&Path) = &|place| {
        std::fs::remove_file(place).unwrap();
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, place, kind, 0o444.into(), 0).unwrap();
    };
    for (name, hurt, without_reading) in [
        ("flip", flip, false),
        ("shorten", shorten, true),
        ("empty", empty, true),
        ("delete", delete, true),
        ("add", add, false),
        ("pipe", pipe, true),
    ] {
        let fixture = Fixture::new();
        let store = fixture.store();
        let file = store.location(&fixture.tree).join("bin/tool");
        change(&file, hurt);
        let found = damage(&store, Depth::Contents);
        assert!(found.iter().any(|damage| damage.lost() == Some(&fixture.tree)), "{name}: {found:?}");
        assert!(found.iter().all(|damage| damage.to_string().contains("-tree`")), "{name}: {found:?}");
        assert_eq!(!damage(&store, Depth::Metadata).is_empty(), without_reading, "{name}");
        store.repair(&found, None).unwrap();
        assert!(!damage(&store, Depth::Contents).is_empty(), "{name} is not mended from nothing");
        store.repair(&found, Some(&fixture.folder.path().join("copy"))).unwrap();
        assert_eq!(damage(&store, Depth::Contents), [], "{name}");
    }
}

#[test]
fn an_object_that_is_gone_is_named_and_comes_back_from_a_copy() {
    let fixture = Fixture::new();
    let store = fixture.store();
    sx_store::object::remove(&store.location(&fixture.tree)).unwrap();
    assert_eq!(damage(&store, Depth::Metadata), [Damage::Missing(fixture.tree.clone())]);
    let copy = fixture.folder.path().join("copy");
    store.repair(&[Damage::Missing(fixture.tree.clone())], Some(&copy)).unwrap();
    assert_eq!(damage(&store, Depth::Contents), []);
}

#[test]
fn a_deleted_folder_of_objects_is_named_made_and_filled() {
    let fixture = Fixture::new();
    drop(fixture.store());
    sx_store::object::remove(&fixture.place().join("store")).unwrap();
    let opened = Store::open(&fixture.place());
    assert!(matches!(opened, Err(StoreError::NoObjects { .. })), "{opened:?}");
    assert!(Store::recover_if_damaged(&fixture.place()).unwrap().is_none());
    let store = fixture.store();
    let found = damage(&store, Depth::Metadata);
    assert!(matches!(&found[..], [Damage::Missing(_), Damage::Missing(_)]), "{found:?}");
    store.repair(&found, Some(&fixture.folder.path().join("copy"))).unwrap();
    assert_eq!(damage(&store, Depth::Contents), []);
}

#[test]
fn a_copy_that_is_damaged_itself_mends_nothing() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let copy = fixture.folder.path().join("copy");
    let other = Store::open(&copy).unwrap();
    change(&other.location(&fixture.text), |place| std::fs::write(place, "forged").unwrap());
    sx_store::object::remove(&store.location(&fixture.text)).unwrap();
    store.repair(&damage(&store, Depth::Contents), Some(&copy)).unwrap();
    assert_eq!(damage(&store, Depth::Contents), [Damage::Missing(fixture.text.clone())]);
}

#[test]
fn changed_modes_and_times_are_named_by_file_and_set_right() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let tree = store.location(&fixture.tree);
    std::fs::set_permissions(tree.join("text"), Permissions::from_mode(0o4644)).unwrap();
    std::fs::set_permissions(&tree, Permissions::from_mode(0o755)).unwrap();
    File::open(tree.join("bin")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    let mut found = damage(&store, Depth::Metadata);
    found.sort_by_key(ToString::to_string);
    let path = || fixture.tree.clone();
    let expected = [
        Damage::Mode { path: path(), file: "".into(), mode: 0o755, expected: "0555" },
        Damage::Time { path: path(), file: "bin".into() },
        Damage::Mode { path: path(), file: "text".into(), mode: 0o4644, expected: "0444 or 0555" },
    ];
    assert_eq!(found, expected);
    store.repair(&found, None).unwrap();
    assert_eq!(damage(&store, Depth::Contents), []);
}

#[test]
fn what_was_changed_keeps_its_mode_and_time_until_its_contents_are_mended() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let file = store.location(&fixture.tree).join("text");
    // As an editor leaves it, with as many bytes as before.
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, "SOME text").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let time = Damage::Time { path: fixture.tree.clone(), file: "text".into() };
    let found = damage(&store, Depth::Metadata);
    assert!(matches!(&found[..], [_, Damage::Contents { .. }]) && found[0] == time, "{found:?}");
    store.repair(&found, None).unwrap();
    store.repair(std::slice::from_ref(&time), None).unwrap();
    assert_eq!(damage(&store, Depth::Metadata), found);
    std::fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    store.repair(&damage(&store, Depth::Contents), None).unwrap();
    let is_mode = |damage: &Damage| matches!(damage, Damage::Mode { .. });
    assert!(damage(&store, Depth::Metadata).iter().any(is_mode));
    store.repair(&found, Some(&fixture.folder.path().join("copy"))).unwrap();
    assert_eq!(damage(&store, Depth::Contents), []);
}

#[test]
fn a_size_that_a_row_tells_wrongly_is_named_as_such_and_needs_no_other_files() {
    for size in [99, -23] {
        let fixture = Fixture::new();
        fixture.sql(&format!("update object set size = {size} where path like '%-tree'"));
        let (store, path) = (fixture.store(), fixture.tree.clone());
        let found = damage(&store, Depth::Metadata);
        assert_eq!(found, [Damage::Size { path, row: size, found: 23 }]);
        assert_eq!(store.remedies(&found, None), [Remedy::InPlace]);
        store.repair(&found, None).unwrap();
        assert_eq!(damage(&store, Depth::Contents), []);
    }
}

#[test]
fn what_would_be_done_about_a_damage_is_told() {
    let fixture = Fixture::new();
    let (store, copy) = (fixture.store(), fixture.folder.path().join("copy"));
    sx_store::object::remove(&store.location(&fixture.tree)).unwrap();
    File::create(store.folder().join("store/foreign")).unwrap();
    let text = store.location(&fixture.text);
    std::fs::set_permissions(text, Permissions::from_mode(0o644)).unwrap();
    let of = |copy: Option<&Path>| {
        let found = damage(&store, Depth::Metadata);
        let told = found.iter().map(Damage::kind).zip(store.remedies(&found, copy));
        told.collect::<BTreeMap<_, _>>()
    };
    let expected =
        |lost| BTreeMap::from([("missing", lost), ("mode", Remedy::InPlace), ("foreign", Remedy::Foreign)]);
    assert_eq!(of(None), expected(Remedy::Unmade));
    assert_eq!(of(Some(&copy)), expected(Remedy::Copy));
    let mut expected = expected(Remedy::Build(fixture.realised(&store)));
    expected.insert("record", Remedy::InPlace);
    assert_eq!(of(None), expected);
}

#[test]
fn what_was_lost_comes_back_when_it_is_added_again() {
    let fixture = Fixture::new();
    let store = fixture.store();
    for path in [&fixture.tree, &fixture.text] {
        sx_store::object::remove(&store.location(path)).unwrap();
    }
    assert_eq!(damage(&store, Depth::Metadata).len(), 2);
    let source = fixture.folder.path().join("source");
    assert_eq!(store.add_source(&source, "tree", None).unwrap(), fixture.tree);
    let references = BTreeSet::from([fixture.tree.clone()]);
    let text = fixture.tree.to_string();
    assert_eq!(store.add_text("text", text.as_bytes(), references).unwrap(), fixture.text);
    assert_eq!(damage(&store, Depth::Contents), []);
}

#[test]
fn attributes_that_somebody_gave_are_named_and_taken() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let tool = store.location(&fixture.tree).join("bin/tool");
    let set = |name: &str, value: &[u8]| {
        change(&tool, |tool| {
            rustix::fs::lsetxattr(tool, name, value, rustix::fs::XattrFlags::empty()).unwrap();
        });
    };
    let of = |name: &str| Damage::Attribute {
        path: fixture.tree.clone(),
        file: "bin/tool".into(),
        name: name.into(),
    };
    set("user.note", b"mine");
    let mut expected = vec![of("user.note")];
    if rustix::process::geteuid().is_root() {
        // Version 2: cap_setuid, permitted and effective.
        let capability = [1, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        set("security.capability", &capability);
        expected.push(of("security.capability"));
    }
    let mut found = damage(&store, Depth::Metadata);
    found.sort_by_key(|damage| std::cmp::Reverse(damage.to_string()));
    assert_eq!(found, expected);
    store.repair(&found, None).unwrap();
    assert_eq!(damage(&store, Depth::Contents), []);
}

#[test]
fn what_belongs_to_another_user_is_named_and_given_back() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else can give files away.
        return;
    }
    let fixture = Fixture::new();
    let (store, place) = (fixture.store(), fixture.place());
    let tree = store.location(&fixture.tree);
    for place in [&tree.join("text"), &tree, &place.join("links")] {
        std::os::unix::fs::lchown(place, Some(12345), Some(54321)).unwrap();
    }
    let mut found = damage(&store, Depth::Metadata);
    found.sort_by_key(ToString::to_string);
    let of = |file: &str| Damage::Owner {
        path: fixture.tree.clone(),
        file: file.into(),
        user: 12345,
        expected: 0,
    };
    let expected =
        [of(""), of("text"), Damage::PlaceOwner { place: place.join("links"), user: 12345, expected: 0 }];
    assert_eq!(found, expected);
    store.repair(&found, None).unwrap();
    assert_eq!(damage(&store, Depth::Contents), []);
    // In a store of an ordinary user what is his is right, and what is another's is not.
    let give = |user| std::os::unix::fs::lchown(&tree, Some(user), None).unwrap();
    for name in
        ["", "store", "builds", "logs", "locks", "downloads", "roots", "processes", "links", "database"]
    {
        std::os::unix::fs::lchown(place.join(name), Some(12345), None).unwrap();
    }
    give(12345);
    assert_eq!(damage(&store, Depth::Metadata), []);
    give(12346);
    let found = damage(&store, Depth::Metadata);
    assert!(matches!(&found[..], [Damage::Owner { user: 12346, expected: 12345, .. }]), "{found:?}");
    store.repair(&found, None).unwrap();
    assert_eq!(tree.metadata().unwrap().uid(), 12345);
}

#[test]
fn folders_that_others_may_write_to_or_that_are_gone_are_named_and_set_right() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let place = |name: &str| fixture.place().join(name);
    let mode = |name: &str| place(name).metadata().unwrap().mode() & 0o7777;
    let names = ["builds", "links", "roots/results", "realisations", "database", "logs"];
    File::create(place("realisations")).unwrap();
    for name in names {
        std::fs::set_permissions(place(name), Permissions::from_mode(0o777)).unwrap();
    }
    std::fs::remove_dir(place("locks")).unwrap();
    let found = damage(&store, Depth::Metadata);
    for name in names {
        let is_it = |damage: &Damage| matches!(damage, Damage::PlaceMode { place: found, .. } if *found == place(name));
        assert!(found.iter().any(is_it), "{name}: {found:?}");
    }
    assert!(found.contains(&Damage::NoPlace(place("locks"))), "{found:?}");
    assert_eq!(found.len(), names.len() + 1, "{found:?}");
    store.repair(&found, None).unwrap();
    assert_eq!(damage(&store, Depth::Metadata), []);
    assert_eq!((mode("builds"), mode("logs"), mode("database")), (0o700, 0o755, 0o664));
}

#[test]
fn a_second_record_that_lacks_something_is_named_and_written_anew() {
    let flip: &dyn Fn(&Path) = &|file| {
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replacen("-made", "-mada", 1)).unwrap();
    };
    let shorten: &dyn Fn(&Path) = &|file| {
        let file = File::options().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() - 10).unwrap();
    };
    let delete: &dyn Fn(&Path) = &|file| std::fs::remove_file(file).unwrap();
    for (name, hurt) in [("flip", flip), ("shorten", shorten), ("delete", delete)] {
        let fixture = Fixture::new();
        let store = fixture.store();
        fixture.realised(&store);
        // As yet the record knows nothing of it.
        let expected = [Damage::Record { lacking: 1, all: 1 }];
        assert_eq!(damage(&store, Depth::Metadata), expected);
        store.repair(&expected, None).unwrap();
        assert_eq!(damage(&store, Depth::Metadata), [], "{name}");
        hurt(&fixture.place().join("realisations"));
        assert_eq!(damage(&store, Depth::Metadata), expected, "{name}");
        store.repair(&expected, None).unwrap();
        assert_eq!(damage(&store, Depth::Metadata), [], "{name}");
    }
}

#[test]
fn a_second_record_that_says_otherwise_is_named_and_neither_is_believed() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let derivation = fixture.realised(&store);
    store.repair(&damage(&store, Depth::Metadata), None).unwrap();
    fixture.sql("update realisation set path = (select path from object where path like '%-text')");
    let found = damage(&store, Depth::Metadata);
    let contradiction = Damage::Contradiction {
        derivation: derivation.clone(),
        output: "out".into(),
        row: fixture.text.clone(),
        record: fixture.tree.clone(),
    };
    assert_eq!(found, [contradiction]);
    store.repair(&found, None).unwrap();
    assert_eq!(damage(&store, Depth::Metadata), []);
    assert_eq!(store.database().realisation(&derivation, "out").unwrap(), None);
    drop(store);
    let (store, ..) = Store::recover(&fixture.place()).unwrap();
    assert_eq!(store.database().realisation(&derivation, "out").unwrap(), None);
}

#[test]
fn an_object_without_a_row_is_told_of_and_is_no_damage() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let place = store.location(&fixture.text).with_extension("bak");
    File::create(&place).unwrap();
    let found = store.verify(Depth::Contents, 2, &GOES_ON).unwrap();
    assert_eq!((found.unregistered, found.damage), (vec![place.clone()], vec![]));
    store.repair(&[], None).unwrap();
    assert!(place.exists());
    store.collect(&sx_store::collect::Collection::default(), &GOES_ON).unwrap();
    assert!(!place.exists(), "what the collector takes was told of before");
}

#[test]
fn rows_that_lie_are_named_and_written_anew_from_files() {
    for lie in [
        "update object set tree = zeroblob(32) where path like '%-tree'",
        "update object set tree = x'00' where path like '%-tree'",
        "update object set refers_to_itself = 1 where path like '%-tree'",
        "delete from reference",
        "delete from object where path like '%-tree'",
        "insert into object select replace(path, '/sx', '/xs'), tree, size, 0 from object where path like '%-tree'",
        "insert into derivation values ('/sx/store/' || printf('%052d', 0) || '-x.drv', x'00')",
        "insert into realisation (derivation, output, path) values ('x', 'out', '/sx/store/' || printf('%052d', 0) || '-gone')",
        "insert into object values ('/sx/store/' || printf('%052d', 0) || '-never', zeroblob(32), 0, 0)",
    ] {
        let fixture = Fixture::new();
        fixture.sql(lie);
        let store = fixture.store();
        let found = damage(&store, Depth::Metadata);
        assert!(!found.is_empty(), "{lie}");
        store.repair(&found, None).unwrap();
        assert_eq!(damage(&store, Depth::Contents), [], "{lie}");
        assert_eq!(store.closure([&fixture.text]).unwrap().len(), 2, "{lie}");
    }
}

#[test]
fn what_sx_did_not_put_there_is_named_and_left_alone() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff foreign");
    let place = store.folder().join("store").join(name);
    File::create(&place).unwrap();
    let found = damage(&store, Depth::Metadata);
    assert_eq!(found, [Damage::Foreign(place.clone())]);
    store.repair(&found, None).unwrap();
    assert!(place.exists());
}

#[test]
fn what_looks_like_a_root_and_keeps_nothing_is_named() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let roots = store.folder().join("roots");
    store.add_root("whole", &fixture.text).unwrap();
    assert_eq!(damage(&store, Depth::Metadata), []);
    let gone = fixture.tree.to_string().replace("-tree", "-gone");
    symlink("/nowhere", roots.join("a")).unwrap();
    symlink(&gone, roots.join("b")).unwrap();
    std::fs::write(roots.join("c"), fixture.tree.to_string()).unwrap();
    let places = ["a", "b", "c"].map(|name| roots.join(name));
    assert_eq!(damage(&store, Depth::Metadata), places.clone().map(Damage::IdleRoot));
    store.repair(&damage(&store, Depth::Metadata), None).unwrap();
    assert!(places.iter().all(|place| place.symlink_metadata().is_ok()), "they are not ours to delete");
}

#[test]
fn a_database_that_cannot_be_read_is_made_anew_from_the_objects() {
    let zeroes: &dyn Fn(&Path) = &|file| {
        let length = std::fs::metadata(file).unwrap().len();
        std::fs::write(file, vec![0; length as usize]).unwrap();
    };
    let half: &dyn Fn(&Path) = &|file| {
        let file = File::options().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    };
    let noise: &dyn Fn(&Path) = &|file| {
        let file = File::options().write(true).open(file).unwrap();
        for page in 1..file.metadata().unwrap().len() / 4096 {
            file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
        }
    };
    let empty: &dyn Fn(&Path) = &|file| std::fs::write(file, "").unwrap();
    let gone: &dyn Fn(&Path) = &|file| std::fs::remove_file(file).unwrap();
    let without_tables: &dyn Fn(&Path) = &|file| {
        std::fs::remove_file(file).unwrap();
        let other = rusqlite::Connection::open(file).unwrap();
        other.execute_batch("create table x (y); drop table x").unwrap();
    };
    let without_a_table: &dyn Fn(&Path) = &|file| {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.execute_batch("drop table derivation").unwrap();
    };
    for (name, hurt) in [
        ("zeroes", zeroes),
        ("half", half),
        ("noise", noise),
        ("empty", empty),
        ("gone", gone),
        ("without tables", without_tables),
        ("without a table", without_a_table),
    ] {
        let fixture = Fixture::new();
        let file = fixture.place().join("database");
        hurt(&file);
        let was_there = file.exists();
        // Left by one who was killed while he made a new one.
        std::fs::write(fixture.place().join("database.new"), "half").unwrap();
        let is_seen = match Store::open(&fixture.place()) {
            Err(StoreError::Database(error)) => error.is_damage(),
            Err(_) => false,
            Ok(store) => matches!(damage(&store, Depth::Metadata).first(), Some(Damage::Database(_))),
        };
        assert!(is_seen, "{name}");
        let (store, count, aside) = Store::recover(&fixture.place()).unwrap();
        assert_eq!(count, 2, "{name}");
        assert_eq!(aside.is_some_and(|aside| aside.exists()), was_there, "{name}");
        assert_eq!(damage(&store, Depth::Contents), [], "{name}");
        assert_eq!(store.closure([&fixture.text]).unwrap().len(), 2);
        let new = fixture.place().join("database.new");
        assert!(!new.exists(), "{name}");
    }
}

#[test]
fn a_database_in_use_is_not_taken_away() {
    let fixture = Fixture::new();
    let store = fixture.store();
    assert!(store.hold(&fixture.tree).unwrap());
    assert!(matches!(Store::recover(&fixture.place()), Err(StoreError::InUse { .. })));
}

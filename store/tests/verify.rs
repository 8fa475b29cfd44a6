//! Every kind of damage, done on purpose, is named; what can be mended without a build is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use sx_derivation::StorePath;
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
        Damage::Mode { path: path(), file: "".into(), mode: 0o755 },
        Damage::Time { path: path(), file: "bin".into() },
        Damage::Mode { path: path(), file: "text".into(), mode: 0o4644 },
    ];
    assert_eq!(found, expected);
    store.repair(&found, None).unwrap();
    assert_eq!(damage(&store, Depth::Contents), []);
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

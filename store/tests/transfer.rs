//! Trees to archives and back, and objects from one store to another.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use sx_derivation::{Derivation, Digest, Output, StorePath};
use sx_store::archive::{ArchiveError, Input, Nothing, dump, read, restore, restore_alone, write_string};
use sx_store::database::Said;
use sx_store::object::{self, NEVER};
use sx_store::scan::Wanted;
use sx_store::store::{Store, StoreError};
use sx_store::transfer::{ExportError, ImportError, Realisations, Taken};
use sx_store::verify::Depth;

static GOES_ON: AtomicBool = AtomicBool::new(false);

/// Strings one after the other, as archives have them.
fn strings(list: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    list.iter().for_each(|text| write_string(&mut bytes, text).unwrap());
    bytes
}

fn words(text: &str) -> Vec<u8> {
    let list: Vec<&[u8]> =
        text.split(' ').map(|word| if word == "''" { b"" } else { word.as_bytes() }).collect();
    strings(&list)
}

fn archive_of(place: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    dump(place, &mut bytes).unwrap();
    bytes
}

fn check(bytes: &[u8]) -> Result<(), ArchiveError> {
    let mut input = Input::new(bytes);
    read(&mut input, &mut Nothing)?;
    input.end()
}

#[test]
fn golden_archive() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("tree");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("a"), "text").unwrap();
    std::fs::write(place.join("b"), "").unwrap();
    std::fs::set_permissions(place.join("b"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("a", place.join("c")).unwrap();
    let expected = "nix-archive-1 ( type directory \
        entry ( name a node ( type regular contents text ) ) \
        entry ( name b node ( type regular executable '' contents '' ) ) \
        entry ( name c node ( type symlink target a ) ) )";
    assert_eq!(archive_of(&place), words(expected));
    let again = folder.path().join("again");
    restore(&mut Input::new(&*words(expected)), &again).unwrap();
    assert_eq!(archive_of(&again), words(expected));
    assert_eq!(&words("text")[..], b"\x04\0\0\0\0\0\0\0text\0\0\0\0");
    // What is there already is neither followed nor replaced.
    let there = folder.path().join("there");
    symlink(folder.path().join("elsewhere"), &there).unwrap();
    assert!(restore(&mut Input::new(&*words(expected)), &there).is_err());
    assert!(!folder.path().join("elsewhere").exists());
}

#[test]
fn what_is_no_archive_is_refused() {
    let file = "( type regular contents x )";
    let folder = |entries: &str| words(&format!("nix-archive-1 ( type directory {entries} )"));
    let entry = |name: &str| format!("entry ( name {name} node {file} )");
    check(&folder(&entry("a"))).unwrap();
    for name in ["''", ".", "..", "a/b", "/"] {
        assert!(matches!(check(&folder(&entry(name))), Err(ArchiveError::Name(_))), "{name}");
    }
    for names in [["a", "a"], ["b", "a"]] {
        let entries = names.map(entry).join(" ");
        assert!(matches!(check(&folder(&entries)), Err(ArchiveError::Order { .. })));
    }
    let long = "x".repeat(256);
    assert!(matches!(
        check(&folder(&entry(&long))),
        Err(ArchiveError::TooLong { length: 256, limit: 255, .. })
    ));
    for text in [
        "nix-archive-2 ( type regular contents x )",
        "nix-archive-1 ( type device )",
        "nix-archive-1 ( type regular executable x contents x )",
        "nix-archive-1 ( type regular contents x contents",
        "nix-archive-1 ( type directory entry ( node ) )",
    ] {
        let found = check(&words(text));
        assert!(matches!(found, Err(ArchiveError::Expected { .. })), "{text}: {found:?}");
    }
    for target in ["''", "a\0b"] {
        let found = check(&words(&format!("nix-archive-1 ( type symlink target {target} )")));
        assert!(matches!(found, Err(ArchiveError::Target(_))));
    }
    let deep = "( type directory entry ( name a node ".repeat(100_000);
    assert!(matches!(check(&words(&format!("nix-archive-1 {deep}("))), Err(ArchiveError::TooDeep(_))));
    let mut padded = folder(&entry("a"));
    let place = padded.len() - 1;
    padded[place] = 1;
    assert!(matches!(check(&padded), Err(ArchiveError::Padding(_))));
    let mut whole = folder(&entry("a"));
    for length in 0..whole.len() {
        assert!(matches!(check(&whole[..length]), Err(ArchiveError::Truncated { .. })), "cut at {length}");
    }
    whole.push(0);
    assert!(matches!(check(&whole), Err(ArchiveError::Trailing(_))));
    // A length that nobody has sent yet takes no memory.
    let mut endless = words("nix-archive-1 ( type regular contents");
    endless.extend(u64::MAX.to_le_bytes());
    assert!(matches!(check(&endless), Err(ArchiveError::Truncated { .. })));
}

struct Stores {
    folder: tempfile::TempDir,
    from: Store,
    to: Store,
}

impl Stores {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Store::open(&folder.path().join(name)).unwrap();
        Self { from: open("from"), to: open("to"), folder }
    }

    /// Two objects, of which the second refers to the first, and a derivation that was realised to it.
    fn fill(&self) -> (StorePath, StorePath, StorePath) {
        let first = self.from.add_text("first", b"1", BTreeSet::new()).unwrap();
        let text = format!("see {first}");
        let second = self.from.add_text("second", text.as_bytes(), BTreeSet::from([first.clone()])).unwrap();
        let derivation = Derivation {
            name: "second".into(),
            outputs: [("out".into(), Output::Floating)].into(),
            input_derivations: Default::default(),
            input_sources: Default::default(),
            system: "x86_64-linux".into(),
            builder: "/builder".into(),
            arguments: Vec::new(),
            environment: Default::default(),
        };
        let path = derivation.path().unwrap();
        let said = Said {
            realisations: vec![(path.clone(), "out".to_owned(), second.clone())],
            derivations: vec![(path.clone(), derivation.encode())],
            ..Said::default()
        };
        self.from.database().register(&[], &said).unwrap();
        (first, second, path)
    }

    fn exported(&self, path: &StorePath) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.from.export_closure(std::slice::from_ref(path), &mut bytes, &|_| {}).unwrap();
        bytes
    }

    fn import(&self, bytes: &[u8], trust: Realisations) -> Result<Taken, ImportError> {
        self.to.import_closure(bytes, trust, &GOES_ON, &|_| {})
    }

    fn is_sound(&self) -> bool {
        self.to.verify(Depth::Contents, 1, &GOES_ON).unwrap().damage.is_empty()
    }
}

#[test]
fn a_closure_comes_over_and_its_realisations_if_they_are_trusted() {
    let stores = Stores::new();
    let (first, second, derivation) = stores.fill();
    let bytes = stores.exported(&second);
    let taken = stores.import(&bytes, Realisations::Ignored).unwrap();
    assert_eq!((taken.new, taken.ignored), (vec![first.clone(), second.clone()], 1));
    assert!(stores.is_sound());
    assert_eq!(stores.to.database().references(&second).unwrap(), BTreeSet::from([first.clone()]));
    assert_eq!(stores.to.database().realisation(&derivation, "out").unwrap(), None);
    let taken = stores.import(&bytes, Realisations::Trusted).unwrap();
    assert_eq!((taken.new.len(), taken.present.len(), taken.realisations), (0, 2, 1));
    assert_eq!(stores.to.database().realisation(&derivation, "out").unwrap(), Some(second.clone()));
    assert!(stores.to.database().derivation(&derivation).unwrap().is_some());
    assert!(stores.to.database().is_substituted(&derivation, "out").unwrap(), "a word isn't a build");
    // What this store knows itself stays.
    let realisations = vec![(derivation.clone(), "out".into(), first.clone())];
    stores.to.database().register(&[], &Said { realisations, ..Said::default() }).unwrap();
    let taken = stores.import(&bytes, Realisations::Trusted).unwrap();
    assert_eq!(taken.contradicted, [(derivation.clone(), "out".into(), second)]);
    assert_eq!(stores.to.database().realisation(&derivation, "out").unwrap(), Some(first));
}

#[test]
fn of_what_is_damaged_the_stream_has_no_end() {
    let stores = Stores::new();
    let (first, second, _) = stores.fill();
    let place = stores.from.location(&first);
    std::fs::remove_file(&place).unwrap();
    std::fs::write(&place, "2").unwrap();
    let mut bytes = Vec::new();
    let exported = stores.from.export_closure(&[second], &mut bytes, &|_| {});
    let damaged = |error: &ExportError| matches!(error, ExportError::Store(StoreError::Damaged { path, .. }) if *path == first);
    assert!(exported.as_ref().is_err_and(damaged), "{exported:?}");
    assert!(!bytes.ends_with(b"end\0\0\0\0\0"));
}

#[test]
fn what_is_not_what_its_path_says_is_refused_by_name() {
    let stores = Stores::new();
    let (first, second, _) = stores.fill();
    let bytes = stores.exported(&second);
    let digest = second.digest().to_string();
    let changed = |from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let place = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
        [&bytes[..place], to, &bytes[place + from.len()..]].concat()
    };
    let error = stores.import(&changed(b"see ", b"saw "), Realisations::Trusted).unwrap_err();
    assert!(matches!(&error, ImportError::Contents { path, .. } if *path == second), "{error:?}");
    assert!(error.to_string().contains(&digest));
    // The object before it was whole; nothing is said of the other.
    assert!(stores.to.hold(&first).unwrap() && !stores.to.hold(&second).unwrap() && stores.is_sound());
    let error = stores.import(&changed(b"/builder", b"/gilderb"), Realisations::Trusted).unwrap_err();
    assert!(matches!(error, ImportError::Derivation { source: None, .. }), "{error:?}");
    for length in (0..bytes.len()).rev().step_by(5) {
        stores.import(&bytes[..length], Realisations::Trusted).unwrap_err();
    }
    let more = [&bytes[..], b"x"].concat();
    let error = stores.import(&more, Realisations::Trusted).unwrap_err();
    assert!(matches!(error, ImportError::Archive(ArchiveError::Trailing(_))));
    assert!(stores.to.database().makers(&second).unwrap().is_empty());
}

/// A stream of one object: a file with this text, and these references.
fn stream_of(path: &StorePath, references: &[&StorePath], text: &[u8]) -> Vec<u8> {
    let path = path.to_string();
    let mut bytes = strings(&[b"sx-closure-1", b"object", path.as_bytes()]);
    bytes.extend((references.len() as u64).to_le_bytes());
    references.iter().for_each(|reference| bytes.extend(strings(&[reference.to_string().as_bytes()])));
    bytes.extend(words("nix-archive-1 ( type regular contents"));
    bytes.extend(strings(&[text, b")", b"end"]));
    bytes
}

#[test]
fn an_object_that_mentions_itself_comes_over() {
    let stores = Stores::new();
    let scratch = Digest::of(b"scratch").to_string();
    let file = stores.folder.path().join("file");
    std::fs::write(&file, format!("I am /sx/store/{scratch}-own")).unwrap();
    let own = Some(scratch.into_bytes().try_into().unwrap());
    let contents = object::read(&file, &Wanted { own, ..Wanted::default() }, None, NEVER).unwrap();
    let path = contents.store_path("own", &BTreeSet::new()).unwrap();
    let text = format!("I am {path}");
    let taken = stores.import(&stream_of(&path, &[], text.as_bytes()), Realisations::Ignored).unwrap();
    assert_eq!(taken.new, std::slice::from_ref(&path));
    assert!(stores.to.database().object(&path).unwrap().unwrap().refers_to_itself && stores.is_sound());
}

#[test]
fn references_are_checked() {
    let stores = Stores::new();
    let (first, second, _) = stores.fill();
    let text = format!("see {first}");
    let import = |references: &[&StorePath]| {
        stores.import(&stream_of(&second, references, text.as_bytes()), Realisations::Ignored).unwrap_err()
    };
    assert!(matches!(import(&[&first]), ImportError::Dangling { reference, .. } if reference == first));
    stores.to.add_text("first", b"1", BTreeSet::new()).unwrap();
    // One left out is another path's content; one twice, or itself, is no list.
    assert!(matches!(import(&[]), ImportError::Contents { .. }));
    assert!(matches!(import(&[&first, &first]), ImportError::References { .. }));
    assert!(matches!(import(&[&second]), ImportError::References { .. }));
    let mut many = strings(&[b"sx-closure-1", b"object", second.to_string().as_bytes()]);
    many.extend(u64::MAX.to_le_bytes());
    let error = stores.import(&many, Realisations::Ignored).unwrap_err();
    assert!(matches!(error, ImportError::Archive(ArchiveError::TooLong { .. })));
}

#[test]
fn only_what_is_missing_is_copied() {
    let stores = Stores::new();
    let (first, second, derivation) = stores.fill();
    stores.to.add_text("first", b"1", BTreeSet::new()).unwrap();
    let missing = stores.from.missing_in(&stores.to, std::slice::from_ref(&second)).unwrap();
    assert_eq!(missing, [(second.clone(), 4 + first.to_string().len() as u64)]);
    let steps = Cell::new(0);
    let copy = || {
        let progress = |_: sx_store::transfer::Progress<'_>| steps.set(steps.get() + 1);
        let paths = std::slice::from_ref(&second);
        stores.from.copy_closure(&stores.to, paths, Realisations::Trusted, &GOES_ON, &progress)
    };
    let taken = copy().unwrap();
    assert_eq!((taken.new, taken.present, steps.get()), (vec![second.clone()], vec![first], 1));
    assert_eq!(stores.to.database().realisation(&derivation, "out").unwrap(), Some(second.clone()));
    assert!(stores.is_sound() && copy().unwrap().new.is_empty());
    // A damaged original doesn't spread.
    let damaged = Stores::new();
    let (_, second, _) = damaged.fill();
    let file = damaged.from.location(&second);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(&file, "other").unwrap();
    let paths = std::slice::from_ref(&second);
    let error = damaged.from.copy_closure(&damaged.to, paths, Realisations::Trusted, &GOES_ON, &|_| {});
    assert!(matches!(error.unwrap_err(), ImportError::Contents { path, .. } if path == second));
}

#[test]
fn nothing_is_left_of_an_archive_after_which_more_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (source, place) = (folder.path().join("source"), folder.path().join("place"));
    std::fs::create_dir_all(source.join("a/b")).unwrap();
    std::fs::write(source.join("a/b/c"), "text").unwrap();
    let mut archive = Vec::new();
    dump(&source, &mut archive).unwrap();
    restore_alone(Input::new(&*archive), &place).unwrap();
    assert!(restore_alone(Input::new(&*archive), &place).is_err());
    assert!(place.join("a/b/c").exists(), "what was there before stays");
    std::fs::remove_dir_all(&place).unwrap();
    for archive in [&archive[..archive.len() - 8], &[&archive[..], b"more"].concat()] {
        assert!(restore_alone(Input::new(archive), &place).is_err());
        assert!(!place.exists());
    }
}

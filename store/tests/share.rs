//! Files with equal bytes are one file, and what that could do harm to.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use sx_derivation::StorePath;
use sx_store::Store;
use sx_store::collect::Collection;
use sx_store::verify::{Damage, Depth};

static GOES_ON: AtomicBool = AtomicBool::new(false);

struct Fixture {
    folder: tempfile::TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sx")).unwrap();
        Self { folder, store }
    }

    /// Adds a folder with these files: name, text, whether it is executable.
    fn add(&self, name: &str, files: &[(&str, &str, bool)]) -> StorePath {
        let source = self.folder.path().join(name);
        std::fs::create_dir(&source).unwrap();
        for (file, text, executable) in files {
            std::fs::write(source.join(file), text).unwrap();
            let mode = if *executable { 0o755 } else { 0o644 };
            std::fs::set_permissions(source.join(file), PermissionsExt::from_mode(mode)).unwrap();
        }
        self.store.add_source(&source, name, None).unwrap()
    }

    fn file(&self, path: &StorePath, file: &str) -> PathBuf {
        self.store.location(path).join(file)
    }

    fn inode(&self, path: &StorePath, file: &str) -> u64 {
        self.file(path, file).metadata().unwrap().ino()
    }

    fn links(&self) -> Vec<PathBuf> {
        let links = std::fs::read_dir(self.store.folder().join("links")).unwrap();
        links.map(|entry| entry.unwrap().path()).collect()
    }

    fn damage(&self) -> Vec<Damage> {
        self.store.verify(Depth::Contents, 1, &GOES_ON).unwrap().damage
    }
}

/// Changes a byte of a file in place, and nothing else of it.
fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[0] ^= 1;
    let before = file.metadata().unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(file, bytes).unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(before.mode())).unwrap();
    let opened = std::fs::File::open(file).unwrap();
    opened.set_modified(before.modified().unwrap()).unwrap();
}

#[test]
fn equal_files_of_several_objects_are_one_file() {
    let fixture = Fixture::new();
    let one = fixture.add("one", &[("a", "text", false), ("b", "text", false), ("x", "text", true)]);
    let two = fixture.add("two", &[("c", "text", false), ("d", "other", false), ("empty", "", false)]);
    assert_eq!(fixture.inode(&one, "a"), fixture.inode(&two, "c"));
    assert_ne!(fixture.inode(&one, "a"), fixture.inode(&one, "b"), "two names of one file in one object");
    assert_ne!(fixture.inode(&one, "a"), fixture.inode(&one, "x"), "their modes differ");
    assert_eq!(fixture.file(&one, "x").metadata().unwrap().mode() & 0o7777, 0o555);
    assert_eq!(fixture.links().len(), 3, "two texts, one of them executable too; nothing for the empty file");
    // An object that is a file itself.
    let file = fixture.store.add_text("file", b"other", BTreeSet::new()).unwrap();
    assert_eq!(fixture.store.location(&file).metadata().unwrap().ino(), fixture.inode(&two, "d"));
    assert_eq!(fixture.damage(), []);
}

#[test]
fn what_is_collected_takes_nothing_from_what_stays() {
    let fixture = Fixture::new();
    let one = fixture.add("one", &[("a", "text", false), ("own", "of one", false)]);
    let two = fixture.add("two", &[("a", "text", false)]);
    fixture.store.add_root("two", &two).unwrap();
    let folder = fixture.store.folder().to_owned();
    drop(fixture.store);
    let store = Store::open(&folder).unwrap();
    store.collect(&Collection::default(), &GOES_ON).unwrap();
    let fixture = Fixture { folder: fixture.folder, store };
    assert!(!fixture.store.location(&one).exists());
    assert_eq!(std::fs::read(fixture.file(&two, "a")).unwrap(), b"text");
    assert_eq!(fixture.links().len(), 1, "what only one had is gone");
    assert_eq!(fixture.damage(), []);
    std::fs::remove_file(folder.join("roots/two")).unwrap();
    // What a crash left.
    std::fs::write(folder.join("links/.new-1-0123456789abcdef-0"), "passing").unwrap();
    drop(fixture.store);
    let store = Store::open(&folder).unwrap();
    store.collect(&Collection::default(), &GOES_ON).unwrap();
    assert_eq!(std::fs::read_dir(folder.join("links")).unwrap().count(), 0);
}

#[test]
fn damage_is_not_taken_over_and_is_mended_in_each_object() {
    let fixture = Fixture::new();
    let one = fixture.add("one", &[("a", "text", false)]);
    let two = fixture.add("two", &[("b", "text", false)]);
    flip(&fixture.file(&one, "a"));
    let lost = |damage: &[Damage]| damage.iter().filter_map(Damage::lost).cloned().collect::<BTreeSet<_>>();
    assert_eq!(lost(&fixture.damage()), BTreeSet::from([one.clone(), two.clone()]), "each is named");
    let three = fixture.add("three", &[("c", "text", false)]);
    let four = fixture.add("four", &[("d", "text", false)]);
    assert_eq!(std::fs::read(fixture.file(&three, "c")).unwrap(), b"text");
    assert_eq!(
        fixture.inode(&three, "c"),
        fixture.inode(&four, "d"),
        "the whole one took the damaged one's place"
    );
    let copy = Fixture::new();
    copy.add("one", &[("a", "text", false)]);
    copy.add("two", &[("b", "text", false)]);
    fixture.store.repair(&fixture.damage(), Some(copy.store.folder())).unwrap();
    assert_eq!(fixture.damage(), []);
    assert_eq!(fixture.inode(&one, "a"), fixture.inode(&three, "c"));
}

#[test]
fn a_file_with_as_many_names_as_it_may_have_is_followed_by_another() {
    let fixture = Fixture::new();
    let one = fixture.add("one", &[("a", "text", false)]);
    let [entry] = &fixture.links()[..] else { panic!("one file, one link") };
    let names = fixture.folder.path().join("names");
    std::fs::create_dir(&names).unwrap();
    // Some file systems set no limit, or one that is too far away.
    let is_full =
        (0..66_000).any(|number| std::fs::hard_link(entry, names.join(number.to_string())).is_err());
    let two = fixture.add("two", &[("a", "text", false)]);
    let three = fixture.add("three", &[("b", "text", false)]);
    assert_eq!(fixture.inode(&one, "a") != fixture.inode(&two, "a"), is_full);
    assert_eq!(fixture.inode(&two, "a"), fixture.inode(&three, "b"));
    assert_eq!(fixture.damage(), []);
}

#[test]
fn without_the_folder_of_links_all_else_works() {
    let fixture = Fixture::new();
    std::fs::remove_dir(fixture.store.folder().join("links")).unwrap();
    let one = fixture.add("one", &[("a", "text", false)]);
    assert_eq!(std::fs::read(fixture.file(&one, "a")).unwrap(), b"text");
    fixture.store.collect(&Collection::default(), &GOES_ON).unwrap();
    let found = fixture.damage();
    assert!(matches!(&found[..], [Damage::NoPlace(place)] if place.ends_with("links")), "{found:?}");
}

//! Objects that others copied: each proves its own path, or nothing is taken in.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use sx_derivation::StorePath;
use sx_store::object::{self, Destination, NEVER};
use sx_store::{ImportError, ProvedCopies, Store};

/// A store with an object that refers to another, and copies of both in a folder.
fn copies(folder: &Path) -> (Store, BTreeSet<StorePath>, [StorePath; 2]) {
    let store = Store::open(&folder.join("from")).unwrap();
    let inner = store.add_text("inner", b"text", BTreeSet::new()).unwrap();
    let outer = store.add_text("outer", format!("see {inner}").as_bytes(), [inner.clone()].into()).unwrap();
    fs::create_dir(folder.join("copies")).unwrap();
    for path in [&inner, &outer] {
        let copy = folder.join("copies").join(path.base_name());
        fs::write(copy, fs::read(store.location(path)).unwrap()).unwrap();
    }
    (store, [inner.clone(), outer.clone()].into(), [inner, outer])
}

#[test]
fn copies_come_in_with_their_references_and_the_roots_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (from, paths, [inner, outer]) = copies(folder.path());
    let to = Store::open(&folder.path().join("to")).unwrap();
    // The second time they are there.
    for _ in 0..2 {
        let place = folder.path().join("copies");
        let copies = ProvedCopies::read(&place, &paths).unwrap();
        assert_eq!(copies.roots(), [outer.clone()].into());
        to.import(&copies).unwrap();
    }
    for path in [&inner, &outer] {
        assert_eq!(to.database().object(path).unwrap(), from.database().object(path).unwrap());
        assert_eq!(fs::read(to.location(path)).unwrap(), fs::read(from.location(path)).unwrap());
    }
}

#[test]
fn an_object_that_mentions_itself_comes_in() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("copies");
    fs::create_dir(&place).unwrap();
    let placeholder = "0".repeat(52);
    let wanted = sx_store::scan::Wanted {
        own: Some(placeholder.clone().into_bytes().try_into().unwrap()),
        ..sx_store::scan::Wanted::default()
    };
    let built = folder.path().join("built");
    fs::write(&built, format!("I am {placeholder}")).unwrap();
    let new = Destination { place: &place.join("new"), sharing: None };
    let copied = object::copy(&built, new, &wanted, None, NEVER).unwrap();
    let path = copied.contents.store_path("own", &BTreeSet::new()).unwrap();
    copied.fill_in(&path).unwrap();
    fs::rename(place.join("new"), place.join(path.base_name())).unwrap();
    let to = Store::open(&folder.path().join("to")).unwrap();
    to.import(&ProvedCopies::read(&place, &[path.clone()].into()).unwrap()).unwrap();
    assert!(to.database().object(&path).unwrap().unwrap().refers_to_itself);
}

#[test]
fn if_one_is_another_none_comes_in() {
    let folder = tempfile::tempdir().unwrap();
    let (_, paths, [inner, outer]) = copies(folder.path());
    let copies = folder.path().join("copies");
    let to = Store::open(&folder.path().join("to")).unwrap();
    let refused = |paths: &BTreeSet<StorePath>, expected: &StorePath| {
        match ProvedCopies::read(&copies, paths).map(drop).unwrap_err() {
            ImportError::Other { path, .. } => assert_eq!(path, *expected),
            error => panic!("{error}"),
        }
        assert!(to.database().paths().unwrap().is_empty());
    };
    // Without what it refers to.
    refused(&[outer.clone()].into(), &outer);
    // Executable, which its path is a hash of too.
    let copy = copies.join(inner.base_name());
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    refused(&paths, &inner);
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    // Another byte.
    fs::write(&copy, "Text").unwrap();
    refused(&paths, &inner);
    // Another kind, and nothing at all.
    fs::remove_file(&copy).unwrap();
    std::os::unix::fs::symlink("text", &copy).unwrap();
    refused(&paths, &inner);
    fs::remove_file(&copy).unwrap();
    assert!(matches!(ProvedCopies::read(&copies, &paths), Err(ImportError::Store(_))));
    assert!(to.database().paths().unwrap().is_empty());
}

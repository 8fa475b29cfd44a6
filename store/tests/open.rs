//! A folder becomes a store only if nothing is lost by that, and a store stays one whatever happens while it is made.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use sx_store::collect::{Collection, Mode};
use sx_store::database::DatabaseError;
use sx_store::verify::Depth;
use sx_store::{Store, StoreError};

/// All files below, with their contents, and folders.
fn everything(folder: &Path) -> BTreeSet<(PathBuf, Option<Vec<u8>>)> {
    let (mut found, mut open) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(place) = open.pop() {
        for entry in std::fs::read_dir(place).unwrap() {
            let place = entry.unwrap().path();
            found.insert((place.clone(), std::fs::read(&place).ok()));
            if place.is_dir() {
                open.push(place);
            }
        }
    }
    found
}

#[test]
fn a_folder_with_files_of_others_is_no_store_and_stays_as_it_is() {
    let database: &dyn Fn(&Path) = &|folder| {
        let connection = rusqlite::Connection::open(folder.join("database")).unwrap();
        connection.execute_batch("create table song (name text); pragma user_version = 7").unwrap();
    };
    let text: &dyn Fn(&Path) = &|folder| std::fs::write(folder.join("database"), "a list of names").unwrap();
    let downloads: &dyn Fn(&Path) = &|folder| {
        std::fs::create_dir(folder.join("downloads")).unwrap();
        std::fs::write(folder.join("downloads/photo"), "x").unwrap();
    };
    let empty_database: &dyn Fn(&Path) = &|folder| {
        std::fs::write(folder.join("database"), "").unwrap();
        std::fs::write(folder.join("notes"), "x").unwrap();
    };
    for (fill, expected) in [
        (downloads, "downloads/photo"),
        (database, "database"),
        (text, "database"),
        (empty_database, "notes"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        let before = everything(folder.path());
        match Store::open(folder.path()) {
            Err(StoreError::NotAStore { holds, .. }) => assert_eq!(holds, Path::new(expected)),
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(everything(folder.path()), before, "{expected}");
    }
}

#[test]
fn a_store_is_one_whatever_else_lies_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = Store::open(folder.path()).unwrap().add_text("x", b"x", BTreeSet::new()).unwrap();
    std::fs::write(folder.path().join("notes"), "x").unwrap();
    let is_valid = || Store::open(folder.path()).unwrap().database().is_valid(&path).unwrap();
    assert!(is_valid());
    // As one was made before databases had an ID, and one made by another program.
    let set = |id: i64| {
        let connection = rusqlite::Connection::open(folder.path().join("database")).unwrap();
        connection.pragma_update(None, "application_id", id).unwrap();
    };
    let get = || -> i64 {
        let connection = rusqlite::Connection::open(folder.path().join("database")).unwrap();
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap()
    };
    let own = get();
    assert_ne!(own, 0);
    set(0);
    assert!(is_valid());
    assert_eq!(get(), own);
    set(own + 1);
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Database(error)) if error.is_damage()));
}

#[test]
fn a_store_that_has_to_be_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("sx");
    for _ in 0..2 {
        assert!(matches!(Store::open_existing(&place), Err(StoreError::Missing { .. })));
        assert!(matches!(Store::recover_if_damaged(&place), Ok(None)));
        if !place.exists() {
            // As a disk that isn't mounted.
            std::fs::create_dir(&place).unwrap();
        }
        assert_eq!(everything(&place).len(), 0);
    }
    drop(Store::open(&place).unwrap());
    drop(Store::open_existing(&place).unwrap());
    // The making was interrupted at its last step.
    std::fs::write(place.join("database"), "").unwrap();
    drop(Store::open_existing(&place).unwrap());
}

#[test]
fn what_can_be_no_store_is_told_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("file"), "x").unwrap();
    std::os::unix::fs::symlink("nowhere", place("link")).unwrap();
    for (name, expected) in
        [("file", "is a file"), ("file/sx", "lies below a file"), ("link", "is a link to nothing")]
    {
        match Store::open(&place(name)) {
            Err(StoreError::NotAFolder { found, .. }) => assert_eq!(found, expected),
            other => panic!("{name}: {other:?}"),
        }
    }
    // With the path of the database as long as it may be, and one byte longer.
    let long = std::fs::canonicalize(folder.path()).unwrap();
    let rest = 504 - long.as_os_str().len() - "/database".len();
    let below: String = (0..rest).map(|at| if at % 100 == 0 { '/' } else { 'a' }).collect();
    let long = PathBuf::from(format!("{}{below}", long.display()));
    drop(Store::open(&long).unwrap());
    let longer = PathBuf::from(format!("{}a", long.display()));
    let error = DatabaseError::LongPath { path: longer.join("database"), found: 505 };
    assert_eq!(Store::open(&longer).unwrap_err().to_string(), error.to_string());
    // A folder in the database's place.
    drop(Store::open(&place("sx")).unwrap());
    std::fs::remove_file(place("sx/database")).unwrap();
    std::fs::create_dir(place("sx/database")).unwrap();
    std::fs::write(place("sx/logs/some"), "x").unwrap();
    assert!(matches!(Store::open(&place("sx")), Err(StoreError::Database(error)) if error.is_damage()));
}

#[test]
fn room_is_kept_for_a_collector() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let reserved = || std::fs::metadata(folder.path().join("reserved"));
    assert!(reserved().unwrap().blocks() * 512 >= 512 << 10);
    let damage = store.verify(Depth::Contents, 1, &AtomicBool::new(false)).unwrap().damage;
    assert!(damage.is_empty(), "{damage:?}");
    std::fs::remove_file(folder.path().join("reserved")).unwrap();
    store
        .collect(&Collection { mode: Mode::DryRun, ..Collection::default() }, &AtomicBool::new(false))
        .unwrap();
    assert!(reserved().is_err());
    store.collect(&Collection::default(), &AtomicBool::new(false)).unwrap();
    assert!(reserved().is_ok());
}

/// Each thread is a process of its own to a store.
#[test]
fn many_make_one_store_at_once() {
    for _ in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("sx");
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (place, barrier) = (&place, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let store = Store::open(place).unwrap();
                    let path = store.add_text(&format!("x-{number}"), b"x", BTreeSet::new()).unwrap();
                    assert!(Store::open(place).unwrap().database().is_valid(&path).unwrap());
                });
            }
        });
        assert_eq!(Store::open(&place).unwrap().database().paths().unwrap().len(), 4);
    }
}

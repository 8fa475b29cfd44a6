//! What lies in a folder where a store is to be opened that has no database to tell.

use crate::root::entries;
use crate::store::StoreError;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use sx_derivation::StorePath;

/// A store's folders with their modes. `links` stands last: it is there when all are.
pub(crate) const FOLDERS: [(&str, u32); 9] = [
    ("store", 0o755),
    ("builds", 0o700),
    ("logs", 0o755),
    ("locks", 0o755),
    ("downloads", 0o755),
    ("roots", 0o755),
    ("roots/results", 0o755),
    ("processes", 0o755),
    ("links", 0o700),
];

/// Other names that the making of a store leaves when it is interrupted, or that a new disk has.
const LEFT: [&str; 7] =
    ["database", "database-wal", "database-shm", "database-journal", "gate", "reserved", "lost+found"];

/// What lies there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing, or a few empty folders that an interrupted making left.
    Nothing,
    /// All folders of a store, and nothing in them.
    Begun,
    /// Objects, or all folders of a store with something in them: it is one, and has lost its database.
    Store,
    /// Something that is nobody's business here. Its place below the folder.
    Foreign(PathBuf),
}

impl Content {
    pub(crate) fn of(folder: &Path) -> Result<Self, StoreError> {
        let is_object = |place: &PathBuf| {
            let name = place.file_name().and_then(OsStr::to_str);
            name.is_some_and(|name| StorePath::parse_base_name(name).is_ok())
        };
        if entries(&folder.join("store"))?.iter().any(is_object) {
            return Ok(Self::Store);
        }
        let has_all = FOLDERS.iter().all(|(name, _)| folder.join(name).is_dir());
        let foreign = foreign(folder)?;
        Ok(match foreign {
            None if has_all => Self::Begun,
            None => Self::Nothing,
            Some(_) if has_all => Self::Store,
            Some(place) => Self::Foreign(place),
        })
    }
}

/// The first thing, by its name, that the making of a store doesn't leave.
fn foreign(folder: &Path) -> Result<Option<PathBuf>, StoreError> {
    let mut folders = vec![PathBuf::new()];
    while let Some(parent) = folders.pop() {
        for place in entries(&folder.join(&parent))? {
            let below = parent.join(place.file_name().unwrap_or_default());
            if FOLDERS.iter().any(|(name, _)| below == Path::new(name)) && place.is_dir() {
                folders.push(below);
            } else if !LEFT.iter().any(|name| below == Path::new(name)) {
                return Ok(Some(below));
            }
        }
    }
    Ok(None)
}

/// Fails if something is there that is no folder.
pub(crate) fn require_folder(folder: &Path) -> Result<(), StoreError> {
    let found = match std::fs::metadata(folder) {
        Ok(found) if !found.is_dir() => "is a file",
        Err(error) if error.kind() == ErrorKind::NotADirectory => "lies below a file",
        Err(error) if error.kind() == ErrorKind::NotFound && folder.is_symlink() => "is a link to nothing",
        _ => return Ok(()),
    };
    Err(StoreError::NotAFolder { folder: folder.into(), found })
}

/// Makes the folders that aren't there.
pub(crate) fn make_folders(folder: &Path) -> Result<(), StoreError> {
    for (name, mode) in FOLDERS {
        let path = folder.join(name);
        let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
        made.map_err(StoreError::io("make the store's folder", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sx_derivation::Digest;

    #[test]
    fn what_an_interrupted_making_leaves_is_nothing_and_other_files_are_foreign() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let content = || Content::of(folder).unwrap();
        let write = |name: &str| std::fs::write(folder.join(name), "x").unwrap();
        let remove = |name: &str| std::fs::remove_file(folder.join(name)).unwrap();
        assert_eq!(Content::of(&folder.join("gone")).unwrap(), Content::Nothing);
        for (name, _) in FOLDERS {
            assert_eq!(content(), Content::Nothing, "before `{name}`");
            if name != "roots/results" {
                write("downloads.txt");
                assert_eq!(content(), Content::Foreign("downloads.txt".into()));
                remove("downloads.txt");
            }
            std::fs::create_dir(folder.join(name)).unwrap();
            if name != "links" {
                let place = format!("{name}/mine");
                write(&place);
                assert_eq!(content(), Content::Foreign(place.clone().into()));
                remove(&place);
            }
        }
        for name in LEFT {
            assert_eq!(content(), Content::Begun, "before `{name}`");
            write(name);
        }
        write("logs/some");
        assert_eq!(content(), Content::Store);
        remove("logs/some");
        std::fs::remove_dir(folder.join("links")).unwrap();
        assert_eq!(content(), Content::Nothing);
        let object = StorePath::new(Digest::of(b""), "x").unwrap();
        write(&format!("store/{}", object.base_name()));
        assert_eq!(content(), Content::Store);
    }
}

//! What lies in a folder where a store is to be opened that has no database to tell.

use crate::store::StoreError;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use sx_derivation::StorePath;

/// A store's folders with their modes. `links` stands last: it is there when all are.
const FOLDERS: [(&str, u32); 9] = [
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

/// What lies there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// No object.
    Nothing,
    /// Objects: it is a store, which has lost its database.
    Store,
}

impl Content {
    pub(crate) fn of(folder: &Path) -> Result<Self, StoreError> {
        let objects = folder.join("store");
        let failed = |error| StoreError::io("read", &objects)(error);
        let entries = match std::fs::read_dir(&objects) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Nothing),
            opened => opened.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            if name.to_str().is_some_and(|name| StorePath::parse_base_name(name).is_ok()) {
                return Ok(Self::Store);
            }
        }
        Ok(Self::Nothing)
    }
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

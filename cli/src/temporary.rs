//! Passing files in the store's folder.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use sx_store::{Store, StoreError};

/// A place for a file or folder, nothing there yet, that goes when this is dropped.
pub struct Temporary(PathBuf);

impl Temporary {
    pub fn new(store: &Store) -> Result<Self, StoreError> {
        store.new_build_folder().map(Self)
    }
}

impl Deref for Temporary {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What can't be deleted now is deleted with the store's garbage.
        let _ = sx_store::object::remove(&self.0);
    }
}

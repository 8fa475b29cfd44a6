//! Takes in objects from a folder of copies, whoever made them: a store path is the hash of its content, so each copy proves
//! itself, or is refused.

use crate::object;
use crate::scan::Wanted;
use crate::store::{Store, StoreError, digest_texts};
use crate::substitute::{Copies, CopyError, TakeError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use sx_derivation::StorePath;

/// Why copies are refused.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Other bytes, another name, or a reference that isn't among the copies.
    #[error(
        "the copy of `{path}` isn't that object: with what it refers to among the copies it would be `{found}`"
    )]
    Other {
        /// What the copy is called.
        path: StorePath,
        /// What it is.
        found: StorePath,
    },
    /// It was proved, and is another by now.
    #[error(transparent)]
    Copy(Box<CopyError>),
    /// It can't be read or taken in.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies that are what their paths say, each with what it refers to among them.
pub struct ProvedCopies<'a> {
    folder: &'a Path,
    references: BTreeMap<StorePath, BTreeSet<StorePath>>,
}

impl<'a> ProvedCopies<'a> {
    /// Reads the copies of `paths` in `folder`, where each lies under its base name. What they refer to has to be among them.
    pub fn read(folder: &'a Path, paths: &BTreeSet<StorePath>) -> Result<Self, ImportError> {
        let texts = digest_texts(paths);
        let known = Arc::new(texts.keys().copied().collect());
        let mut references = BTreeMap::new();
        for path in paths {
            let contents =
                object::read(&folder.join(path.base_name()), &Wanted::of(path, &known), None, object::NEVER);
            let contents = contents.map_err(StoreError::from)?;
            let found: BTreeSet<StorePath> =
                contents.references.keys().map(|text| texts[text].clone()).collect();
            let proved = contents.store_path(path.name(), &found).map_err(StoreError::from)?;
            if proved != *path {
                return Err(ImportError::Other { path: path.clone(), found: proved });
            }
            references.insert(path.clone(), found);
        }
        Ok(Self { folder, references })
    }

    /// Those that none of the others refers to.
    pub fn roots(&self) -> BTreeSet<StorePath> {
        let referred: BTreeSet<&StorePath> = self.references.values().flatten().collect();
        self.references.keys().filter(|path| !referred.contains(path)).cloned().collect()
    }
}

impl Store {
    /// Makes copies valid. They are held.
    pub fn import(&self, copies: &ProvedCopies<'_>) -> Result<(), ImportError> {
        let mut places = Copies::default();
        places.promise(copies.folder, copies.references.keys().cloned());
        // They bring all others: hashes of hashes make no circle.
        for root in copies.roots() {
            self.take(&root, &places, &AtomicBool::new(false))?;
        }
        Ok(())
    }
}

impl From<TakeError> for ImportError {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Copy(error) => Self::Copy(error),
            TakeError::Store(error) => Self::Store(error),
        }
    }
}

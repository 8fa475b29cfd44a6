//! Takes in objects from a folder of copies, whoever made them: a store path is the hash of its content, so each copy proves
//! itself, or is refused.

use crate::object;
use crate::scan::Wanted;
use crate::store::{Store, StoreError, digest_texts};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
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
    /// It can't be read or taken in.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Makes `paths` valid from their copies in `folder`, where each lies under its base name. What they refer to has to be
    /// among them. If one isn't what its path says, none is taken in. They are held.
    ///
    /// Gives those that none of the others refers to.
    pub fn import(
        &self,
        folder: &Path,
        paths: &BTreeSet<StorePath>,
    ) -> Result<BTreeSet<StorePath>, ImportError> {
        let texts = digest_texts(paths);
        let mut references = BTreeMap::new();
        for path in paths {
            let contents =
                object::read(&folder.join(path.base_name()), &Wanted::of(path, texts.keys().copied()), None);
            let contents = contents.map_err(StoreError::from)?;
            let found: BTreeSet<StorePath> =
                contents.references.keys().map(|text| texts[text].clone()).collect();
            let proved = contents.store_path(path.name(), &found).map_err(StoreError::from)?;
            if proved != *path {
                return Err(ImportError::Other { path: path.clone(), found: proved });
            }
            references.insert(path.clone(), found);
        }
        let referred: BTreeSet<&StorePath> = references.values().flatten().collect();
        let roots = paths.iter().filter(|path| !referred.contains(path)).cloned().collect();
        // References first, so that what is valid has all that it refers to. Hashes of hashes make no circle.
        let mut open: Vec<&StorePath> = paths.iter().collect();
        let mut done = BTreeSet::new();
        while let Some(path) = open.pop() {
            let missing: Vec<_> = references[path].iter().filter(|path| !done.contains(*path)).collect();
            if done.contains(path) {
                continue;
            }
            if !missing.is_empty() {
                open.push(path);
                open.extend(missing);
                continue;
            }
            if !self.hold(path)? {
                let new = self.copy_in(
                    &folder.join(path.base_name()),
                    &Wanted::of(path, texts.keys().copied()),
                    None,
                )?;
                let found = self.commit(new, path.name(), references[path].clone(), &[], &[], None)?;
                if found != *path {
                    return Err(ImportError::Other { path: path.clone(), found });
                }
            }
            done.insert(path);
        }
        Ok(roots)
    }
}

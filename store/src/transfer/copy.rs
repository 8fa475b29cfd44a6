//! A closure from one store's folder to another's.

use super::import::ImportError;
use super::{Progress, Realisations, Sayings, Taken};
use crate::scan::Wanted;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use sx_derivation::StorePath;

impl Store {
    /// What a copy of all that `paths` reach would bring to `to`: objects that it lacks, each after what it refers to, with their
    /// sizes in bytes.
    pub fn missing_in(&self, to: &Self, paths: &[StorePath]) -> Result<Vec<(StorePath, u64)>, StoreError> {
        let mut missing = Vec::new();
        for path in self.closure_in_order(paths)? {
            if !to.hold(&path)? {
                let object = self.database().object(&path)?;
                missing.push((path, object.map_or(0, |object| object.size_bytes)));
            }
        }
        Ok(missing)
    }

    /// Copies all that `paths` reach to another store, as far as it isn't there. Every object is verified on its way.
    pub fn copy_closure(
        &self,
        to: &Self,
        paths: &[StorePath],
        trust: Realisations,
        cancelled: &AtomicBool,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Taken, ImportError> {
        let closure = self.closure_in_order(paths)?;
        let mut taken = Taken::default();
        for path in &closure {
            if cancelled.load(Ordering::Relaxed) {
                return Err(ImportError::Interrupted);
            }
            let missing = || {
                StoreError::from(crate::database::DatabaseError::Damaged {
                    found: path.to_string(),
                    expected: "valid object",
                })
            };
            if !self.hold(path)? {
                return Err(missing().into());
            }
            if to.hold(path)? {
                taken.present.push(path.clone());
                continue;
            }
            let object = self.database().object(path).map_err(StoreError::from)?.ok_or_else(missing)?;
            let wanted = Wanted::of(path, &Arc::default());
            let new =
                to.copy_in(&self.location(path), &wanted, None, &|| cancelled.load(Ordering::Relaxed))?;
            let found = new.contents().store_path(path.name(), &object.references)?;
            if found != *path {
                return Err(ImportError::Contents { path: path.clone(), found });
            }
            to.commit(new, path.name(), object.references)?;
            progress(Progress { path, size_bytes: object.size_bytes });
            taken.new.push(path.clone());
        }
        let sayings = Sayings::of(self, &closure).map_err(StoreError::from)?;
        sayings.enter(to, trust, &mut taken)?;
        Ok(taken)
    }
}

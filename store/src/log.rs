//! What builders printed, also those that failed.
//!
//! A log is named by its derivation with the contents of its inputs in it: what came out the same was built once. So who asks for
//! the log of a derivation that isn't realised has to know what its inputs were realised to.

use crate::realise::{Failure, resolve};
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use sx_derivation::{Derivation, StorePath};

impl Store {
    /// Where the log of the builder of the derivation at `path` lies.
    pub fn log(&self, path: &StorePath) -> PathBuf {
        self.folder().join("logs").join(path.digest().to_string())
    }

    /// The log of the last build of a derivation, whatever that ended with. `None` if there is none, or if its inputs aren't
    /// realised, so that it can't have been built from them.
    pub fn log_of(&self, derivation: &Derivation) -> Result<Option<PathBuf>, Failure> {
        let mut realised: BTreeMap<StorePath, BTreeMap<String, StorePath>> = BTreeMap::new();
        for (input, outputs) in &derivation.input_derivations {
            for output in outputs {
                let found = self.database().realisation(input, output).map_err(StoreError::from)?;
                let Some(path) = found else { return Ok(None) };
                realised.entry(input.clone()).or_default().insert(output.clone(), path);
            }
        }
        let log = self.log(&resolve(derivation, &realised)?.path()?);
        Ok(log.is_file().then_some(log))
    }
}

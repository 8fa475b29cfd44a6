//! A closure to a stream.

use super::{MAGIC, Progress, Sayings};
use crate::archive::{self, DumpError, write_string};
use crate::store::{Store, StoreError};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use sx_derivation::StorePath;

/// Why a closure can't be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// An object isn't valid.
    #[error("`{0}` is not in the store")]
    NotValid(StorePath),
    /// An object can't be read or the stream not be written.
    #[error("cannot export `{path}`")]
    Object {
        /// The object.
        path: StorePath,
        /// Why.
        #[source]
        source: DumpError,
    },
    /// The stream can't be written.
    #[error("cannot write the stream")]
    Write(#[source] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes all that `paths` reach by references as a stream, with what derivations were realised to it. Of what is damaged the
    /// stream stays without an end.
    pub fn export_closure(
        &self,
        paths: &[StorePath],
        output: &mut impl Write,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<(), ExportError> {
        let closure = self.closure_in_order(paths)?;
        for path in &closure {
            if !self.hold(path)? {
                return Err(ExportError::NotValid(path.clone()));
            }
        }
        let is_given_up = AtomicBool::new(false);
        let called_off = || is_given_up.load(Ordering::Relaxed);
        std::thread::scope(|scope| {
            // Beside the writing, which mostly waits for whoever takes it.
            let proof = scope.spawn(|| closure.iter().try_for_each(|path| self.prove(path, &called_off)));
            let written = self.write_objects(&closure, output, progress);
            is_given_up.store(written.is_err(), Ordering::Relaxed);
            written?;
            Ok::<_, ExportError>(proof.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?)
        })?;
        let sayings = Sayings::of(self, &closure).map_err(StoreError::from)?;
        let mut strings = |list: &[&[u8]]| {
            list.iter().try_for_each(|text| write_string(output, text)).map_err(ExportError::Write)
        };
        for (path, text) in &sayings.derivations {
            strings(&[b"derivation", path.to_string().as_bytes(), text])?;
        }
        for (derivation, name, path) in &sayings.realisations {
            let (derivation, path) = (derivation.to_string(), path.to_string());
            strings(&[b"realisation", derivation.as_bytes(), name.as_bytes(), path.as_bytes()])?;
        }
        strings(&[b"end"])?;
        output.flush().map_err(ExportError::Write)
    }

    fn write_objects(
        &self,
        closure: &[StorePath],
        output: &mut impl Write,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<(), ExportError> {
        write_string(output, MAGIC.as_bytes()).map_err(ExportError::Write)?;
        for path in closure {
            let object = self.database().object(path).map_err(StoreError::from)?;
            let object = object.ok_or_else(|| ExportError::NotValid(path.clone()))?;
            let mut string = |text: &[u8]| write_string(output, text).map_err(ExportError::Write);
            string(b"object")?;
            string(path.to_string().as_bytes())?;
            let count = object.references.len() as u64;
            output.write_all(&count.to_le_bytes()).map_err(ExportError::Write)?;
            for reference in &object.references {
                write_string(output, reference.to_string().as_bytes()).map_err(ExportError::Write)?;
            }
            archive::dump(&self.location(path), output)
                .map_err(|source| ExportError::Object { path: path.clone(), source })?;
            progress(Progress { path, size_bytes: object.size_bytes });
        }
        Ok(())
    }
}

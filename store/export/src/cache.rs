//! Layers that were made before: `<key>` is a record in JSON, `<digits>` the blob that it speaks of.
//!
//! | enters the key, context `sx layer v1` | |
//! |---|---|
//! | packing | format, library and version, level, length of pieces |
//! | part | layout, store paths; in a merged root also the name of a program that is an object by itself |
//!
//! Store paths are hashes of content, so the key names the layer's bytes. What a record says of its blob is
//! checked each time; whatever is wrong counts as not there and is made again.

use crate::digest::{Hashing, Sha256Digest};
use crate::error::ExportError;
use crate::layer::Layer;
use crate::pieces::Packing;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use sx_derivation::Digest;
use tempfile::NamedTempFile;

/// A folder of layers. Processes may share it.
pub(crate) struct Cache<'a> {
    folder: &'a Path,
}

/// Longest record that is read, in bytes.
const RECORD_BYTES: u64 = 4096;

impl<'a> Cache<'a> {
    pub(crate) const fn new(folder: &'a Path) -> Self {
        Self { folder }
    }

    /// A layer and its blob, verified.
    pub(crate) fn find(&self, packing: Packing, key: &str) -> Option<(Layer, File)> {
        let record = self.record(packing, key);
        if std::fs::symlink_metadata(&record).ok()?.len() > RECORD_BYTES {
            return None;
        }
        let layer: Layer = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
        let mut blob = File::open(self.blob(layer.digest)).ok()?;
        let mut hashing = Hashing::new(io::sink());
        copy(&mut blob, &mut hashing).ok()?;
        let (_, digest, size_bytes) = hashing.finish();
        blob.rewind().ok()?;
        (digest == layer.digest && size_bytes == layer.size_bytes).then_some((layer, blob))
    }

    /// A file in which a blob can be made.
    pub(crate) fn begin(&self) -> Result<NamedTempFile, ExportError> {
        let file = tempfile::Builder::new().prefix(".new-").tempfile_in(self.folder);
        file.map_err(|error| ExportError::write(self.folder, error))
    }

    /// Keeps a blob, and then the record of it. Gives the blob, to be read from its beginning.
    pub(crate) fn keep(
        &self,
        packing: Packing,
        key: &str,
        layer: &Layer,
        blob: NamedTempFile,
    ) -> Result<File, ExportError> {
        let failed = |error: io::Error| ExportError::write(self.folder, error);
        let mut blob = blob.persist(self.blob(layer.digest)).map_err(|error| failed(error.error))?;
        let record = serde_json::to_vec(layer).expect("this holds because records have only text keys");
        let file = self.begin()?;
        std::fs::write(file.path(), record).map_err(failed)?;
        file.persist(self.record(packing, key)).map_err(|error| failed(error.error))?;
        blob.rewind().map_err(failed)?;
        Ok(blob)
    }

    fn record(&self, packing: Packing, key: &str) -> PathBuf {
        let key = Digest::in_context("sx layer v1", format!("{} {key}", packing.label()).as_bytes());
        self.folder.join(key.to_string())
    }

    fn blob(&self, digest: Sha256Digest) -> PathBuf {
        self.folder.join(digest.digits())
    }
}

/// [`io::copy`] with a larger buffer where bytes pass through this process.
fn copy(from: &mut File, to: &mut impl io::Write) -> io::Result<u64> {
    let mut buffered = io::BufReader::with_capacity(1 << 18, from);
    io::copy(&mut buffered, to)
}

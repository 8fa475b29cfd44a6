//! Layers that were made before: `<owner>-<key>.json` is a record, `<owner>-<key>.layer` the blob that it speaks of.
//!
//! `<owner>` is the digest in the store path of the layer's first object: a collector deletes what belongs to objects that
//! nobody needs. New files begin with `.new-` and are locked (`flock`) while someone makes them.
//!
//! | enters the key, context `sx layer v1` | |
//! |---|---|
//! | packing | format, library and version, level, length of pieces |
//! | part | layout, store paths; in a merged root also the name of a program that is an object by itself |
//!
//! Store paths are hashes of content, so the key names the layer's bytes. What a record says of its blob is
//! checked each time; whatever is wrong counts as not there and is made again.

use crate::error::ExportError;
use crate::layer::Layer;
use crate::pieces::Packing;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use sx_derivation::Digest;
use tempfile::NamedTempFile;

/// What names a layer's bytes, if they are made of objects alone.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// The digest in the store path of its first object.
    pub(crate) owner: String,
    /// Layout and store paths.
    pub(crate) text: String,
}

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

    /// A layer and its blob, whose bytes are still to be compared with what the layer says of them.
    pub(crate) fn find(&self, packing: Packing, key: &Key) -> Option<(Layer, File)> {
        let record = self.place(packing, key, "json");
        if std::fs::symlink_metadata(&record).ok()?.len() > RECORD_BYTES {
            return None;
        }
        let layer: Layer = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
        let blob = File::open(self.place(packing, key, "layer")).ok()?;
        (blob.metadata().ok()?.len() == layer.size_bytes).then_some((layer, blob))
    }

    /// A file in which a blob can be made.
    pub(crate) fn begin(&self) -> Result<NamedTempFile, ExportError> {
        let file = tempfile::Builder::new().prefix(".new-").tempfile_in(self.folder);
        let file = file.map_err(|error| ExportError::write(self.folder, error))?;
        // Where files can't be locked a collector may take it away, which is noticed below.
        let _ = rustix::fs::flock(file.as_file(), FlockOperation::NonBlockingLockExclusive);
        Ok(file)
    }

    /// Keeps a blob, and then the record of it.
    pub(crate) fn keep(
        &self,
        packing: Packing,
        key: &Key,
        layer: &Layer,
        blob: NamedTempFile,
    ) -> Result<(), ExportError> {
        let failed = |error: io::Error| ExportError::write(self.folder, error);
        // Held open, so that it stays locked until the record is there.
        let _locked = blob.persist(self.place(packing, key, "layer")).map_err(|error| failed(error.error))?;
        let record = serde_json::to_vec(layer).expect("this holds because records have only text keys");
        let file = self.begin()?;
        std::fs::write(file.path(), record).map_err(failed)?;
        file.persist(self.place(packing, key, "json")).map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn place(&self, packing: Packing, key: &Key, ending: &str) -> PathBuf {
        let text = format!("{} {}", packing.label(), key.text);
        let digest = Digest::in_context("sx layer v1", text.as_bytes());
        self.folder.join(format!("{}-{digest}.{ending}", key.owner))
    }
}

//! One layer: tar, hashed, packed, hashed again, in one pass.

use crate::content::Content;
use crate::digest::{Hashing, Sha256Digest};
use crate::error::ExportError;
use crate::pieces::Workers;
use crate::tree::TreeWriter;
use serde::{Deserialize, Serialize};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A layer that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Layer {
    /// Digest of the tar: what image ids are made from.
    pub(crate) diff_id: Sha256Digest,
    /// Length of the tar in bytes.
    pub(crate) unpacked_bytes: u64,
    /// Digest of the blob.
    pub(crate) digest: Sha256Digest,
    /// Length of the blob in bytes.
    pub(crate) size_bytes: u64,
}

/// Writes the layer that holds `content`; errors of writing name `destination`.
pub(crate) fn write(
    content: &Content,
    workers: &Workers,
    output: &mut dyn Write,
    destination: &Path,
) -> Result<Layer, ExportError> {
    let failed = |error: io::Error| ExportError::write(destination, error);
    if workers.packs_nothing() {
        // The blob is the tar: hashed once.
        let mut tar = BufWriter::with_capacity(1 << 18, Hashing::new(output));
        TreeWriter::new(&mut tar, destination).write(content)?;
        let tar = tar.into_inner().map_err(|error| failed(error.into_error()))?;
        let (_, digest, size_bytes) = tar.finish();
        return Ok(Layer { diff_id: digest, unpacked_bytes: size_bytes, digest, size_bytes });
    }
    // Headers are small: without the buffer each would be hashed by itself.
    let blob = Hashing::new(output);
    let mut tar = BufWriter::with_capacity(1 << 16, Hashing::new(workers.pack(blob)));
    TreeWriter::new(&mut tar, destination).write(content)?;
    let tar = tar.into_inner().map_err(|error| failed(error.into_error()))?;
    let (pieces, diff_id, unpacked_bytes) = tar.finish();
    let (_, digest, size_bytes) = pieces.finish().map_err(failed)?.finish();
    Ok(Layer { diff_id, unpacked_bytes, digest, size_bytes })
}

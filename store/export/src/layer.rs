//! One layer: tar, hashed, packed, hashed again, in one pass.

use crate::content::Content;
use crate::digest::{Hashing, Sha256Digest};
use crate::error::ExportError;
use crate::pieces::Workers;
use crate::tree::TreeWriter;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
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
        let mut tar = workers.pack(output);
        TreeWriter::new(&mut tar, destination).write(content)?;
        let (_, digest, size_bytes) = tar.finish().map_err(failed)?;
        return Ok(Layer { diff_id: digest, unpacked_bytes: size_bytes, digest, size_bytes });
    }
    let mut tar = workers.pack(Hashing::new(output));
    TreeWriter::new(&mut tar, destination).write(content)?;
    let (blob, diff_id, unpacked_bytes) = tar.finish().map_err(failed)?;
    let (_, digest, size_bytes) = blob.finish();
    Ok(Layer { diff_id, unpacked_bytes, digest, size_bytes })
}

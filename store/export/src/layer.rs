//! One layer: tar, hashed, compressed, hashed again, in one pass.

use crate::digest::{Hashing, Sha256Digest};
use crate::error::ExportError;
use crate::export::{Compression, Object};
use crate::gzip::Gzip;
use crate::tree::TreeWriter;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A layer that was written.
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

/// Writes the layer of `objects`, which are sorted by the text of their paths; errors of writing name `destination`.
pub(crate) fn write(
    objects: &[Object],
    compression: Compression,
    output: &mut dyn Write,
    destination: &Path,
) -> Result<Layer, ExportError> {
    let blob = Hashing::new(output);
    let compressor = match compression {
        Compression::Gzip => Compressor::Gzip(Gzip::new(blob)),
        Compression::None => Compressor::None(blob),
    };
    // Headers are small: without the buffer each would be hashed by itself.
    let mut tar = BufWriter::with_capacity(1 << 16, Hashing::new(compressor));
    let mut writer = TreeWriter::new(&mut tar, destination)?;
    for object in objects {
        writer.object(&object.path, &object.location)?;
    }
    writer.finish()?;
    let failed = |error: io::Error| ExportError::write(destination, error);
    let tar = tar.into_inner().map_err(|error| failed(error.into_error()))?;
    let (compressor, diff_id, unpacked_bytes) = tar.finish();
    let blob = match compressor {
        Compressor::Gzip(gzip) => gzip.finish().map_err(failed)?,
        Compressor::None(blob) => blob,
    };
    let (_, digest, size_bytes) = blob.finish();
    Ok(Layer { diff_id, unpacked_bytes, digest, size_bytes })
}

enum Compressor<W> {
    Gzip(Gzip<W>),
    None(W),
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(gzip) => gzip.write(bytes),
            Self::None(inner) => inner.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(gzip) => gzip.flush(),
            Self::None(inner) => inner.flush(),
        }
    }
}

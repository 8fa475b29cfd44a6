//! Where an image's blobs and documents go.

use crate::archive::Archive;
use crate::digest::Sha256Digest;
use crate::error::ExportError;
use crate::export::Format;
use crate::folder::Folder;
use std::io::{self, Write};
use std::path::Path;

/// An image that is being written, out of sight until [`Output::finish`].
///
/// A blob is begun, written, and only then named, since its digest is known last.
pub(crate) enum Output {
    Archive(Archive),
    Folder(Folder),
}

impl Output {
    pub(crate) fn new(format: Format, destination: &Path) -> Result<Self, ExportError> {
        Ok(match format {
            Format::Archive => Self::Archive(Archive::new(destination)?),
            Format::Layout => Self::Folder(Folder::new(destination)?),
        })
    }

    pub(crate) fn begin_blob(&mut self) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.begin_blob(),
            Self::Folder(folder) => folder.begin_blob(),
        }
    }

    pub(crate) fn end_blob(&mut self, digest: Sha256Digest, size_bytes: u64) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.end_blob(digest, size_bytes),
            Self::Folder(folder) => folder.end_blob(digest),
        }
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.begin_blob()?;
        self.write_all(bytes)?;
        self.end_blob(Sha256Digest::of(bytes), bytes.len() as u64)
    }

    pub(crate) fn document(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.document(name, bytes),
            Self::Folder(folder) => folder.document(name, bytes),
        }
    }

    /// Makes everything durable and puts it at the destination. Returns the length of all files in bytes.
    pub(crate) fn finish(self) -> Result<u64, ExportError> {
        match self {
            Self::Archive(archive) => archive.finish(),
            Self::Folder(folder) => folder.finish(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Archive(archive) => archive.file.write(bytes),
            Self::Folder(folder) => folder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.file.flush(),
            Self::Folder(folder) => folder.flush(),
        }
    }
}

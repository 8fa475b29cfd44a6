//! Where an image's blobs and documents go.

use crate::archive::{Archive, Names};
use crate::digest::Sha256Digest;
use crate::error::ExportError;
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

/// What a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blob {
    Layer,
    Document,
}

impl Output {
    pub(crate) fn archive(destination: &Path, names: Names) -> Result<Self, ExportError> {
        Archive::new(destination, names).map(Self::Archive)
    }

    pub(crate) fn folder(destination: &Path) -> Result<Self, ExportError> {
        Folder::new(destination).map(Self::Folder)
    }

    pub(crate) fn begin_blob(&mut self) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.begin_blob(),
            Self::Folder(folder) => folder.begin_blob(),
        }
    }

    /// Takes back what was written of the blob that was begun.
    pub(crate) fn again(&mut self) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.again(),
            Self::Folder(folder) => folder.again(),
        }
    }

    pub(crate) fn end_blob(&mut self, blob: Blob, digest: Sha256Digest, size_bytes: u64) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.end_blob(blob, digest, size_bytes),
            Self::Folder(folder) => folder.end_blob(digest),
        }
    }

    /// A whole document, named by its digest.
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.begin_blob()?;
        self.write_all(bytes)?;
        self.end_blob(Blob::Document, Sha256Digest::of(bytes), bytes.len() as u64)
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
            Self::Archive(archive) => archive.staged.file.write(bytes),
            Self::Folder(folder) => folder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Archive(archive) => archive.staged.file.flush(),
            Self::Folder(folder) => folder.flush(),
        }
    }
}

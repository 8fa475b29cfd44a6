//! A file that comes to its destination whole, by a rename, or not at all.

use crate::error::ExportError;
use rustix::fs::Advice;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How much is written before the disk is told, in bytes.
const EARLY: u64 = 8 << 20;

/// A file whose content goes to the disk while it is written, so that there is less to wait for at its end.
pub(crate) struct Early<F> {
    file: F,
    /// Where the part begins that the disk wasn't told of.
    begun: u64,
    position: u64,
}

impl<F> Early<F> {
    /// For a file that nothing was written to.
    pub(crate) const fn new(file: F) -> Self {
        Self { file, begun: 0, position: 0 }
    }

    pub(crate) fn into_inner(self) -> F {
        self.file
    }

    pub(crate) const fn get_ref(&self) -> &F {
        &self.file
    }
}

impl<F: Write + AsFd> Write for Early<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.position += written as u64;
        if let Some(length) =
            NonZeroU64::new(self.position - self.begun).filter(|length| length.get() >= EARLY)
        {
            // Linux begins to write these pages, and keeps them, since they aren't clean yet. Elsewhere nothing is lost.
            let _ = rustix::fs::fadvise(&self.file, self.begun, Some(length), Advice::DontNeed);
            self.begun = self.position;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<F: Seek> Seek for Early<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        self.begun = self.position;
        Ok(self.position)
    }
}

pub(crate) struct Staged {
    pub(crate) file: BufWriter<Early<NamedTempFile>>,
    destination: PathBuf,
}

impl Staged {
    pub(crate) fn new(destination: &Path) -> Result<Self, ExportError> {
        // A link leads to the file that is to be replaced; without it there is none.
        let place = fs::canonicalize(destination).unwrap_or_else(|_| destination.into());
        if fs::symlink_metadata(&place).is_ok_and(|found| !found.is_file()) {
            let (path, found) = (destination.into(), "no file");
            return Err(ExportError::Occupied { path, found, expected: "a file, which is replaced" });
        }
        // What other programs create: the process's mask applies.
        let permissions = Permissions::from_mode(0o666);
        let file = tempfile::Builder::new()
            .prefix(".sx-export-")
            .permissions(permissions)
            .tempfile_in(parent(&place))
            .map_err(|error| ExportError::write(destination, error))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 17, Early::new(file)), destination: place })
    }

    /// [`Staged::finish`], unless the last write failed.
    pub(crate) fn ended(self, written: io::Result<()>) -> Result<u64, ExportError> {
        written.map_err(|error| ExportError::write(&self.destination, error))?;
        self.finish()
    }

    /// Makes it durable and puts it at the destination. Gives its length in bytes.
    pub(crate) fn finish(self) -> Result<u64, ExportError> {
        let failed = |error: io::Error| ExportError::write(&self.destination, error);
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?.into_inner();
        file.as_file().sync_all().map_err(failed)?;
        let size_bytes = file.as_file().metadata().map_err(failed)?.len();
        file.persist(&self.destination).map_err(|error| failed(error.error))?;
        sync_folder(parent(&self.destination)).map_err(failed)?;
        Ok(size_bytes)
    }
}

/// The folder that `path` is an entry of.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a folder's entries durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

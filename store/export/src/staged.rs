//! A file that comes to its destination whole, by a rename, or not at all.

use crate::error::ExportError;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

pub(crate) struct Staged {
    pub(crate) file: BufWriter<NamedTempFile>,
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
        Ok(Self { file: BufWriter::with_capacity(1 << 17, file), destination: place })
    }

    /// [`Staged::finish`], unless the last write failed.
    pub(crate) fn ended(self, written: io::Result<()>) -> Result<u64, ExportError> {
        written.map_err(|error| ExportError::write(&self.destination, error))?;
        self.finish()
    }

    /// Makes it durable and puts it at the destination. Gives its length in bytes.
    pub(crate) fn finish(self) -> Result<u64, ExportError> {
        let failed = |error: io::Error| ExportError::write(&self.destination, error);
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
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

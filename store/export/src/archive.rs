//! The archive: one tar file that is an OCI archive and a docker archive.
//!
//! | order | entry | mode |
//! |---|---|---|
//! | 1 | `blobs/`, `blobs/sha256/` | 0755 |
//! | 2 | `blobs/sha256/<digits>` of each layer, in the image's order | 0444 |
//! | 3 | … of the configuration, then of the manifest | 0444 |
//! | 4 | `index.json`, `manifest.json` (docker's), `oci-layout` | 0444 |
//!
//! Layers come first, and their headers are filled in after them, so that no layer is kept anywhere else.

use crate::digest::Sha256Digest;
use crate::error::ExportError;
use crate::header::{self, BLOCK, Entry};
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const FILE_MODE: u16 = 0o444;

pub(crate) struct Archive {
    pub(crate) file: BufWriter<NamedTempFile>,
    destination: PathBuf,
    /// Where the header of the blob that is being written stands.
    header: u64,
}

impl Archive {
    pub(crate) fn new(destination: &Path) -> Result<Self, ExportError> {
        let failed = |error: io::Error| ExportError::write(destination, error);
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
            .map_err(failed)?;
        let mut file = BufWriter::with_capacity(1 << 17, file);
        for folder in ["blobs", "blobs/sha256"] {
            header::write(&mut file, folder.as_bytes(), Entry::Directory { mode: 0o755 }).map_err(failed)?;
        }
        Ok(Self { file, destination: place, header: 0 })
    }

    pub(crate) fn begin_blob(&mut self) -> io::Result<()> {
        self.header = self.file.stream_position()?;
        self.file.write_all(&[0; BLOCK])
    }

    pub(crate) fn end_blob(&mut self, digest: Sha256Digest, size_bytes: u64) -> io::Result<()> {
        header::pad(&mut self.file, size_bytes)?;
        self.file.seek(SeekFrom::Start(self.header))?;
        let name = format!("blobs/sha256/{}", digest.digits());
        let entry = Entry::File { mode: FILE_MODE, size_bytes };
        header::write(&mut self.file, name.as_bytes(), entry)?;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    pub(crate) fn document(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let size_bytes = bytes.len() as u64;
        header::write(&mut self.file, name.as_bytes(), Entry::File { mode: FILE_MODE, size_bytes })?;
        self.file.write_all(bytes)?;
        header::pad(&mut self.file, size_bytes)
    }

    pub(crate) fn finish(mut self) -> Result<u64, ExportError> {
        let failed = |error: io::Error| ExportError::write(&self.destination, error);
        header::end(&mut self.file).map_err(failed)?;
        let size_bytes = self.file.stream_position().map_err(failed)?;
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
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

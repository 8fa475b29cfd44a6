//! The OCI layout: a folder with the files that [`crate::archive`] packs, without docker's `manifest.json`.

use crate::digest::Sha256Digest;
use crate::error::ExportError;
use crate::staged::{Early, parent, sync_folder};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) struct Folder {
    folder: TempDir,
    destination: PathBuf,
    /// The blob that is being written.
    blob: Option<Early<File>>,
    size_bytes: u64,
}

impl Folder {
    pub(crate) fn new(destination: &Path) -> Result<Self, ExportError> {
        let failed = |error: io::Error| ExportError::write(destination, error);
        if fs::symlink_metadata(destination).is_ok() && !is_empty_folder(destination) {
            let (path, found) = (destination.into(), "no empty folder");
            return Err(ExportError::Occupied { path, found, expected: "an empty folder" });
        }
        let folder = tempfile::Builder::new()
            .prefix(".sx-export-")
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(parent(destination))
            .map_err(failed)?;
        fs::create_dir_all(folder.path().join("blobs/sha256")).map_err(failed)?;
        Ok(Self { folder, destination: destination.into(), blob: None, size_bytes: 0 })
    }

    pub(crate) fn begin_blob(&mut self) -> io::Result<()> {
        self.blob = Some(Early::new(File::create_new(self.partial())?));
        Ok(())
    }

    pub(crate) fn again(&mut self) -> io::Result<()> {
        let partial = self.partial();
        self.size_bytes -= fs::metadata(&partial)?.len();
        self.blob = Some(Early::new(File::create(partial)?));
        Ok(())
    }

    pub(crate) fn end_blob(&mut self, digest: Sha256Digest) -> io::Result<()> {
        if let Some(blob) = self.blob.take() {
            blob.into_inner().sync_all()?;
        }
        fs::rename(self.partial(), self.blobs().join(digest.digits()))
    }

    pub(crate) fn document(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(self.folder.path().join(name))?;
        file.write_all(bytes)?;
        self.size_bytes += bytes.len() as u64;
        file.sync_all()
    }

    pub(crate) fn finish(self) -> Result<u64, ExportError> {
        let failed = |error: io::Error| ExportError::write(&self.destination, error);
        let blobs = self.blobs();
        for folder in [&*blobs, parent(&blobs), self.folder.path()] {
            sync_folder(folder).map_err(failed)?;
        }
        // Fails if something has come there meanwhile; only an empty folder is replaced.
        fs::rename(self.folder.path(), &self.destination).map_err(failed)?;
        let _ = self.folder.keep();
        sync_folder(parent(&self.destination)).map_err(failed)?;
        Ok(self.size_bytes)
    }

    fn blobs(&self) -> PathBuf {
        self.folder.path().join("blobs/sha256")
    }

    fn partial(&self) -> PathBuf {
        self.folder.path().join("blobs/partial")
    }
}

impl Write for Folder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let blob =
            self.blob.as_mut().expect("this holds because bytes are written only to a blob that was begun");
        let written = blob.write(bytes)?;
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blob.as_mut().map_or(Ok(()), Write::flush)
    }
}

fn is_empty_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
        && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

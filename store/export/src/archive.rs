//! The archive: one tar file that is an OCI archive and a docker archive, or a docker archive alone.
//!
//! | order | entry of both | of a docker archive alone | mode |
//! |---|---|---|---|
//! | 1 | `blobs/`, `blobs/sha256/` | | 0755 |
//! | 2 | `blobs/sha256/<digits>` of each layer, in the image's order | `<digits>.tar` | 0444 |
//! | 3 | … of the configuration | `<digits>.json` | 0444 |
//! | 4 | … of the manifest | | 0444 |
//! | 5 | `index.json`, `manifest.json` (docker's), `oci-layout` | `manifest.json` | 0444 |
//!
//! Layers come first, and their headers are filled in after them, so that no layer is kept anywhere else.

use crate::digest::Sha256Digest;
use crate::error::ExportError;
use crate::header::{self, Attributes, BLOCK, Entry};
use crate::output::Blob;
use crate::staged::Staged;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const FILE: Attributes = Attributes::new(0o444);

/// Which formats the archive is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Both,
    Docker,
}

impl Names {
    /// What a blob is called in the archive.
    pub(crate) fn of(self, blob: Blob, digest: Sha256Digest) -> String {
        let digits = digest.digits();
        match (self, blob) {
            (Self::Both, _) => format!("blobs/sha256/{digits}"),
            (Self::Docker, Blob::Layer) => format!("{digits}.tar"),
            (Self::Docker, Blob::Document) => format!("{digits}.json"),
        }
    }
}

pub(crate) struct Archive {
    pub(crate) staged: Staged,
    names: Names,
    /// Where the header of the blob that is being written stands.
    header: u64,
}

impl Archive {
    pub(crate) fn new(destination: &Path, names: Names) -> Result<Self, ExportError> {
        let failed = |error: io::Error| ExportError::write(destination, error);
        let mut staged = Staged::new(destination)?;
        let folders: &[&str] = match names {
            Names::Both => &["blobs", "blobs/sha256"],
            Names::Docker => &[],
        };
        for folder in folders {
            let entry = Entry::Directory(Attributes::new(0o755));
            header::write(&mut staged.file, folder.as_bytes(), entry).map_err(failed)?;
        }
        Ok(Self { staged, names, header: 0 })
    }

    pub(crate) fn begin_blob(&mut self) -> io::Result<()> {
        self.header = self.staged.file.stream_position()?;
        self.staged.file.write_all(&[0; BLOCK])
    }

    pub(crate) fn again(&mut self) -> io::Result<()> {
        let file = &mut self.staged.file;
        let begin = file.seek(SeekFrom::Start(self.header + BLOCK as u64))?;
        file.get_ref().get_ref().as_file().set_len(begin)
    }

    pub(crate) fn end_blob(&mut self, blob: Blob, digest: Sha256Digest, size_bytes: u64) -> io::Result<()> {
        let file = &mut self.staged.file;
        header::pad(file, size_bytes)?;
        file.seek(SeekFrom::Start(self.header))?;
        let name = self.names.of(blob, digest);
        header::write(file, name.as_bytes(), Entry::File { attributes: FILE, size_bytes })?;
        file.seek(SeekFrom::End(0)).map(drop)
    }

    pub(crate) fn document(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let size_bytes = bytes.len() as u64;
        let file = &mut self.staged.file;
        header::write(file, name.as_bytes(), Entry::File { attributes: FILE, size_bytes })?;
        file.write_all(bytes)?;
        header::pad(file, size_bytes)
    }

    pub(crate) fn finish(mut self) -> Result<u64, ExportError> {
        let ended = header::end(&mut self.staged.file);
        self.staged.ended(ended)
    }
}

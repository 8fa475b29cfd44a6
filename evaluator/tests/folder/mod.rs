//! A host that shows one folder as `/language`, and keeps nothing.
#![expect(clippy::disallowed_methods, reason = "this is a host")]

use bstr::{BStr, ByteSlice};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use sx_derivation::{Digest, Instantiated, StorePath};
use sx_evaluator::{AddPath, FileType, Host, HostError};

/// A folder shown as `/language`.
pub struct Folder {
    /// Where it really lies.
    pub root: PathBuf,
}

impl Folder {
    fn real(&self, path: &BStr) -> Result<PathBuf, HostError> {
        let below = path.strip_prefix(b"/language").ok_or(HostError::Forbidden)?;
        Ok(self.root.join(below.strip_prefix(b"/").unwrap_or(below).to_path_lossy()))
    }
}

fn failed(error: std::io::Error) -> HostError {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => HostError::NotFound,
        _ => HostError::Failed(Box::new(error)),
    }
}

fn kind(kind: fs::FileType) -> FileType {
    if kind.is_dir() {
        FileType::Directory
    } else if kind.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Regular
    }
}

fn stored(bytes: &[u8], name: &str) -> Result<StorePath, HostError> {
    StorePath::new(Digest::of(bytes), name).map_err(|error| HostError::Failed(Box::new(error)))
}

impl Host for Folder {
    fn read_file(&self, path: &BStr) -> Result<Vec<u8>, HostError> {
        fs::read(self.real(path)?).map_err(failed)
    }

    fn read_directory(&self, path: &BStr) -> Result<Vec<(Vec<u8>, FileType)>, HostError> {
        let entries = fs::read_dir(self.real(path)?).map_err(failed)?;
        entries
            .map(|entry| {
                let entry = entry.map_err(failed)?;
                Ok((entry.file_name().into_encoded_bytes(), kind(entry.file_type().map_err(failed)?)))
            })
            .collect()
    }

    fn file_type(&self, path: &BStr) -> Result<FileType, HostError> {
        Ok(kind(fs::symlink_metadata(self.real(path)?).map_err(failed)?.file_type()))
    }

    fn add_path(&self, request: AddPath<'_, '_>) -> Result<StorePath, HostError> {
        let mut seen = request.path.to_vec();
        if let Some(filter) = request.filter {
            for (name, kind) in self.read_directory(request.path)? {
                let path = [request.path.as_bytes(), b"/", &name].concat();
                if filter(path.as_bstr(), kind)? {
                    seen.extend(name);
                }
            }
        }
        stored(&seen, request.name)
    }

    fn add_text(&self, name: &str, text: &[u8], _: &BTreeSet<StorePath>) -> Result<StorePath, HostError> {
        stored(text, name)
    }

    fn add_derivation(&self, _: Instantiated) -> Result<(), HostError> {
        Ok(())
    }

    fn trace(&self, _: &BStr) {}
}

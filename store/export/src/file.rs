//! Files that an image's expression gives, beside what packages bring.

use crate::content::Content;
use crate::error::ExportError;
use crate::header::{Attributes, MAX_ID};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use sx_derivation::store_path::STORE_FOLDER;

/// Longest path of a given file, as Linux takes it.
const MAX_PATH_LENGTH: usize = 4095;
/// Longest file that is copied, since it is held in memory: certificates and time zones are far below.
const MAX_COPY_BYTES: u64 = 1 << 24;

/// One file, link or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it stands in the image: absolute, without `.`, `..` and empty components.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Permissions, at most `0o7777`; `0o644` for files and `0o755` for directories if left out. Links have none.
    pub mode: Option<u16>,
    /// The owner, at most 2097151 (what a tar header holds).
    pub uid: u32,
    /// The owner's group, at most 2097151.
    pub gid: u32,
}

/// What a given file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file with this content.
    Text(String),
    /// A copy of the file that lies there.
    Copy(PathBuf),
    /// A symbolic link to this.
    Link(String),
    /// A directory, which may hold others of the image's files.
    Directory,
}

impl ImageFile {
    /// Checks it and gives it as what a layer holds, wrapped into its directories.
    pub(crate) fn content(&self) -> Result<Content, ExportError> {
        let bad = |expected| Err(ExportError::BadFile { path: self.path.clone(), expected });
        if !is_plain(&self.path) {
            return bad("an absolute path of at most 4095 bytes without `.`, `..`, empty components and NUL");
        }
        if self.path == "/sx" || self.path.starts_with("/sx/") {
            return bad("a path outside `/sx`, where the store is");
        }
        if self.mode.is_some_and(|mode| mode > 0o7777) {
            return bad("a mode of at most 07777");
        }
        if self.uid > MAX_ID || self.gid > MAX_ID {
            return bad("owner and group of at most 2097151");
        }
        let attributes = |mode| Attributes { mode: self.mode.unwrap_or(mode), uid: self.uid, gid: self.gid };
        let content = match &self.kind {
            FileKind::Text(text) => {
                Content::File { attributes: attributes(0o644), bytes: text.clone().into_bytes() }
            }
            FileKind::Copy(location) => {
                let bytes = read(location)?;
                if bytes.len() as u64 > MAX_COPY_BYTES {
                    return bad("a copy of a file of at most 16 MiB");
                }
                let mark = STORE_FOLDER.as_bytes();
                if bytes.windows(mark.len()).any(|window| window == mark) {
                    // Its own object isn't in the image, so nothing would be there.
                    let (holder, reference) = (self.path.clone(), STORE_FOLDER.into());
                    return Err(ExportError::StoreReference { holder, reference });
                }
                Content::File { attributes: attributes(0o644), bytes }
            }
            FileKind::Link(target) if target.is_empty() || target.contains('\0') => {
                return bad("a link to something");
            }
            FileKind::Link(target) => Content::Symlink { target: target.clone().into_bytes() },
            FileKind::Directory => {
                Content::Directory { attributes: attributes(0o755), entries: Default::default() }
            }
        };
        Ok(content.at(self.path.as_bytes()))
    }
}

/// At most one byte more than is allowed.
fn read(location: &Path) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    let opened = File::open(location);
    let read = opened.and_then(|file| file.take(MAX_COPY_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| ExportError::read(location, error))?;
    Ok(bytes)
}

fn is_plain(path: &str) -> bool {
    let components = path.strip_prefix('/').into_iter().flat_map(|rest| rest.split('/'));
    path.len() <= MAX_PATH_LENGTH
        && path.starts_with('/')
        && !path.contains('\0')
        && components.clone().count() <= crate::tree::MAX_DEPTH
        && components.into_iter().all(|component| !matches!(component, "" | "." | ".."))
}

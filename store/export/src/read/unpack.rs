//! Writes the store paths that an image holds into a folder, from where a store can take them in.
//!
//! Only what layers have below `sx/store/` is written: each file anew, beneath that one folder, through no link. What is there
//! already is an error, but for directories. So nothing leads elsewhere, and what was written is what the layers say; whether it
//! is what its names say is for the store to find out, since a store path is the hash of its content.

use super::tar::{Entry, Kind, TarError, shown};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use sx_derivation::StorePath;
use sx_derivation::store_path::STORE_FOLDER;

/// Where entries of layers go.
pub(crate) struct Unpacking {
    folder: OwnedFd,
    paths: BTreeSet<StorePath>,
}

/// A file that is being written.
pub(crate) struct Unpacked {
    file: File,
    path: String,
}

impl Unpacking {
    /// Into a folder that is empty and nobody else's.
    pub(crate) fn new(folder: &Path) -> std::io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
        let folder = rustix::fs::openat(CWD, folder, flags, Mode::empty())?;
        Ok(Self { folder, paths: BTreeSet::new() })
    }

    /// The store paths of which something was written.
    pub(crate) fn into_paths(self) -> BTreeSet<StorePath> {
        self.paths
    }

    /// Makes an entry, if it belongs to a store path. Gives what a file's content is to be written to.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<Option<Unpacked>, TarError> {
        let store = STORE_FOLDER.as_bytes().strip_prefix(b"/").unwrap_or_default();
        let below = entry.path.strip_prefix(store).and_then(|rest| rest.strip_prefix(b"/"));
        let Some(below) = below else { return Ok(None) };
        let base = below.split(|&byte| byte == b'/').next().unwrap_or_default();
        let base = std::str::from_utf8(base).ok().and_then(|base| StorePath::parse_base_name(base).ok());
        let path = || shown(&entry.path);
        let reason = "a name in the store that is no store path's";
        self.paths.insert(base.ok_or_else(|| TarError::Name { path: path(), reason })?);
        let failed = |error: Errno| TarError::Write { path: path(), source: error.into() };
        let place = Path::new(OsStr::from_bytes(below));
        let (parent, name) = (place.parent().unwrap_or(Path::new("")), place.file_name().unwrap_or_default());
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
        let parent =
            rustix::fs::openat2(&self.folder, parent, flags, Mode::empty(), resolve).map_err(failed)?;
        match &entry.kind {
            // A directory that another layer has too becomes one.
            Kind::Directory => match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
                Err(Errno::EXIST) => {
                    let flags = flags | OFlags::NOFOLLOW;
                    rustix::fs::openat(&parent, name, flags, Mode::empty()).map_err(failed)?;
                    Ok(None)
                }
                made => made.map(|()| None).map_err(failed),
            },
            Kind::File => {
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
                // Of permissions a store keeps who may execute.
                let mode = if entry.mode & 0o111 == 0 { Mode::RUSR | Mode::WUSR } else { Mode::RWXU };
                let file = rustix::fs::openat(&parent, name, flags, mode).map_err(failed)?;
                Ok(Some(Unpacked { file: file.into(), path: path() }))
            }
            Kind::Symlink(target) => {
                rustix::fs::symlinkat(OsStr::from_bytes(target), &parent, name).map_err(failed)?;
                Ok(None)
            }
            Kind::HardLink(_) => Err(TarError::Kind { path: path(), kind: "a hard link in the store" }),
        }
    }
}

impl Unpacked {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), TarError> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| TarError::Write { path: self.path.clone(), source })
    }
}

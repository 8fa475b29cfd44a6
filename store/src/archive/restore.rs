//! An archive to its tree.

use super::read::{ArchiveError, Entries, Input, Kind, read};
use crate::object;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a tree can't be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file can't be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Makes the tree of one archive at `place`, where nothing may be. What was made before a failure stays.
pub fn restore<R: Read>(input: &mut Input<R>, place: &Path) -> Result<(), RestoreError> {
    read(input, &mut Restoring::new(place))
}

/// The same of an archive after which nothing may come. After a failure nothing is left of it.
pub fn restore_alone<R: Read>(mut input: Input<R>, place: &Path) -> Result<(), RestoreError> {
    let mut restoring = Restoring::new(place);
    let restored = read(&mut input, &mut restoring).and_then(|()| Ok(input.end()?));
    if restored.is_err() && restoring.has_begun {
        // What can't be deleted stays: it is the failure before that has to be told.
        let _ = object::remove(place);
    }
    restored
}

/// Writes through descriptors of folders that it made, and follows no link.
struct Restoring<'a> {
    place: &'a Path,
    /// Where it is, to be told.
    path: PathBuf,
    open: Vec<OwnedFd>,
    file: Option<File>,
    /// Whether what lies at the place was made here.
    has_begun: bool,
}

impl<'a> Restoring<'a> {
    fn new(place: &'a Path) -> Self {
        Self { place, path: place.to_owned(), open: Vec::new(), file: None, has_begun: false }
    }
}

impl Restoring<'_> {
    /// The folder and the name in it of the entry `name`, which becomes the current one.
    fn go_to(&mut self, name: &[u8]) {
        if !self.open.is_empty() {
            self.path.push(OsStr::from_bytes(name));
        }
    }

    fn go_back(&mut self) {
        if !self.open.is_empty() {
            self.path.pop();
        }
    }

    fn within<T>(
        &mut self,
        name: &[u8],
        make: impl FnOnce(BorrowedFd<'_>, &Path) -> Result<T, Errno>,
    ) -> Result<T, RestoreError> {
        let made = match self.open.last() {
            Some(folder) => make(folder.as_fd(), Path::new(OsStr::from_bytes(name))),
            None => make(CWD, self.place).inspect(|_| self.has_begun = true),
        };
        made.map_err(|error| self.unwritten(error.into()))
    }

    fn unwritten(&self, source: std::io::Error) -> RestoreError {
        RestoreError::Write { path: self.path.clone(), source }
    }
}

impl Entries for Restoring<'_> {
    type Error = RestoreError;

    fn enter(&mut self, name: &[u8]) -> Result<(), RestoreError> {
        self.go_to(name);
        let folder = self.within(name, |folder, name| {
            rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o777))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(folder, name, flags, Mode::empty())
        })?;
        self.open.push(folder);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), RestoreError> {
        self.open.pop();
        self.go_back();
        Ok(())
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), RestoreError> {
        self.go_to(name);
        let target = Path::new(OsStr::from_bytes(target));
        self.within(name, |folder, name| rustix::fs::symlinkat(target, folder, name))?;
        self.go_back();
        Ok(())
    }

    fn file(&mut self, name: &[u8], kind: Kind, _length: u64) -> Result<(), RestoreError> {
        self.go_to(name);
        let mode = Mode::from_raw_mode(if kind == Kind::Executable { 0o777 } else { 0o666 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.within(name, |folder, name| rustix::fs::openat(folder, name, flags, mode))?;
        self.file = Some(file.into());
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes));
        written.map_err(|source| self.unwritten(source))
    }

    fn end_file(&mut self) -> Result<(), RestoreError> {
        self.file = None;
        self.go_back();
        Ok(())
    }
}

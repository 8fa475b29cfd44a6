//! The entries of a layer: for an object of the store `sx/`, `sx/store/`, then its tree.
//!
//! | kind | mode in the store | in a merged root | content |
//! |---|---|---|---|
//! | `sx/`, `sx/store/` and such | 0755 | 0755 | |
//! | directory | 0555 | 0755 | its entries follow it, sorted by the bytes of their names, each with all below it |
//! | file, executable by anyone | 0555 | 0755 | the file's bytes |
//! | other file | 0444 | 0644 | the file's bytes |
//! | symbolic link | 0777 | 0777 | the target, as it is |
//! | given file | as given | as given | the bytes given |
//!
//! Nothing else about a file enters: no owner, time, extended attribute or hard link. So a layer's bytes depend
//! only on store paths and contents. Everything is read through directory descriptors without following a link.

use crate::content::{Content, Modes};
use crate::error::ExportError;
use crate::header::{self, Entry};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Deepest nesting of directories in an object, as in the store; each level holds one descriptor.
pub(crate) const MAX_DEPTH: usize = 200;

/// Bytes of a file that are read at once.
const BUFFER: usize = 1 << 17;

/// Writes one layer's tar; errors of writing name `destination`.
pub(crate) struct TreeWriter<'a> {
    output: &'a mut dyn Write,
    destination: &'a Path,
    modes: Modes,
    buffer: Vec<u8>,
}

/// A directory entry: where it is opened, what an error says, what the archive says.
struct Place<'a> {
    folder: BorrowedFd<'a>,
    name: &'a CStr,
    location: PathBuf,
    path: Vec<u8>,
}

impl<'a> TreeWriter<'a> {
    pub(crate) fn new(output: &'a mut dyn Write, destination: &'a Path) -> Self {
        Self { output, destination, modes: Modes::Store, buffer: vec![0; BUFFER] }
    }

    /// Writes all entries of the directory `root`, which has no entry itself, and ends the archive.
    pub(crate) fn write(mut self, root: &Content) -> Result<(), ExportError> {
        self.content(b"", root, 0)?;
        header::end(self.output).map_err(|error| ExportError::write(self.destination, error))
    }

    fn content(&mut self, path: &[u8], content: &Content, depth: usize) -> Result<(), ExportError> {
        match content {
            Content::Directory { attributes, entries } => {
                if depth > 0 {
                    self.header(path, Entry::Directory(*attributes))?;
                }
                for (name, below) in entries {
                    let path = if depth > 0 { [path, name].join(&b'/') } else { name.clone() };
                    self.content(&path, below, depth + 1)?;
                }
                Ok(())
            }
            Content::Tree { location, modes } => {
                self.modes = *modes;
                self.tree(path, location)
            }
            Content::File { attributes, bytes } => {
                let size_bytes = bytes.len() as u64;
                self.header(path, Entry::File { attributes: *attributes, size_bytes })?;
                let written =
                    self.output.write_all(bytes).and_then(|()| header::pad(self.output, size_bytes));
                written.map_err(|error| ExportError::write(self.destination, error))
            }
            Content::Symlink { target } => self.header(path, Entry::Symlink { target }),
        }
    }

    /// Writes what lies at `location` as `path`.
    fn tree(&mut self, path: &[u8], location: &Path) -> Result<(), ExportError> {
        let unread = |error: Errno| ExportError::read(location, error);
        let name = location.file_name().ok_or_else(|| unread(Errno::NOENT))?;
        let name = CString::new(name.as_bytes()).map_err(|_| unread(Errno::NOENT))?;
        let parent = crate::staged::parent(location);
        let folder = rustix::fs::open(parent, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let folder = folder.map_err(|error| ExportError::read(parent, error))?;
        let place =
            Place { folder: folder.as_fd(), name: &name, location: location.into(), path: path.into() };
        self.node(&place, 0)
    }

    fn node(&mut self, place: &Place<'_>, depth: usize) -> Result<(), ExportError> {
        let stat = rustix::fs::statat(place.folder, place.name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| place.unread(error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.directory(place, depth),
            FileType::RegularFile => self.file(place),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(place.folder, place.name, Vec::new())
                    .map_err(|error| place.unread(error))?;
                self.header(&place.path, Entry::Symlink { target: target.as_bytes() })
            }
            kind => Err(place.bad_kind(kind)),
        }
    }

    fn directory(&mut self, place: &Place<'_>, depth: usize) -> Result<(), ExportError> {
        if depth >= MAX_DEPTH {
            return Err(ExportError::TooDeep { path: place.location.clone() });
        }
        let folder = place.open(OFlags::DIRECTORY).map_err(|error| place.unread(error))?;
        self.header(&place.path, Entry::Directory(self.modes.directory()))?;
        let mut names = BTreeSet::new();
        for entry in Dir::read_from(&folder).map_err(|error| place.unread(error))? {
            let name = entry.map_err(|error| place.unread(error))?.file_name().to_owned();
            if name.as_bytes() != b"." && name.as_bytes() != b".." {
                names.insert(name);
            }
        }
        for name in names {
            let location = place.location.join(OsStr::from_bytes(name.as_bytes()));
            let path = [&place.path[..], name.as_bytes()].join(&b'/');
            self.node(&Place { folder: folder.as_fd(), name: &name, location, path }, depth + 1)?;
        }
        Ok(())
    }

    fn file(&mut self, place: &Place<'_>) -> Result<(), ExportError> {
        // Should a FIFO have taken the file's place, opening it must not wait for a writer.
        let mut file = File::from(place.open(OFlags::NONBLOCK).map_err(|error| place.unread(error))?);
        let stat = rustix::fs::fstat(&file).map_err(|error| place.unread(error))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::RegularFile {
            return Err(place.bad_kind(kind));
        }
        let size_bytes =
            u64::try_from(stat.st_size).expect("this holds because a regular file's size is never negative");
        let attributes = self.modes.file(stat.st_mode & 0o111 != 0);
        self.header(&place.path, Entry::File { attributes, size_bytes })?;
        let changed = || ExportError::Changed { path: place.location.clone(), expected: size_bytes };
        let mut left = size_bytes;
        loop {
            let read = match file.read(&mut self.buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| ExportError::read(&place.location, error))?,
            };
            if read == 0 {
                break;
            }
            left = left.checked_sub(read as u64).ok_or_else(changed)?;
            let written = self.output.write_all(&self.buffer[..read]);
            written.map_err(|error| ExportError::write(self.destination, error))?;
        }
        if left > 0 {
            return Err(changed());
        }
        header::pad(self.output, size_bytes).map_err(|error| ExportError::write(self.destination, error))
    }

    fn header(&mut self, path: &[u8], entry: Entry<'_>) -> Result<(), ExportError> {
        header::write(self.output, path, entry).map_err(|error| ExportError::write(self.destination, error))
    }
}

impl Place<'_> {
    fn open(&self, flags: OFlags) -> Result<rustix::fd::OwnedFd, Errno> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(self.folder, self.name, flags, Mode::empty())
    }

    fn unread(&self, error: Errno) -> ExportError {
        ExportError::read(&self.location, error)
    }

    fn bad_kind(&self, kind: FileType) -> ExportError {
        let kind = match kind {
            FileType::Fifo => "FIFO",
            FileType::Socket => "socket",
            FileType::CharacterDevice => "character device",
            FileType::BlockDevice => "block device",
            // Only if it was replaced between looking and opening.
            FileType::Directory | FileType::RegularFile | FileType::Symlink | FileType::Unknown => {
                "file of changing kind"
            }
        };
        ExportError::BadKind { path: self.location.clone(), kind }
    }
}

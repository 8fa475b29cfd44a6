//! The entries of a layer: `sx/`, `sx/store/`, then each object's tree.
//!
//! | kind | mode | content |
//! |---|---|---|
//! | `sx/`, `sx/store/` | 0755 | |
//! | directory | 0555 | its entries follow it, sorted by the bytes of their names, each with all below it |
//! | file, executable by anyone | 0555 | the file's bytes |
//! | other file | 0444 | the file's bytes |
//! | symbolic link | 0777 | the target, as it is |
//!
//! Nothing else about a file enters: no owner, time, extended attribute or hard link. So a layer's bytes depend
//! only on store paths and contents. Everything is read through directory descriptors without following a link.

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
use sx_derivation::StorePath;
use sx_derivation::store_path::STORE_FOLDER;

/// Deepest nesting of directories in an object, as in the store; each level holds one descriptor.
pub(crate) const MAX_DEPTH: usize = 200;

/// Bytes of a file that are read at once.
const BUFFER: usize = 1 << 17;

/// Writes one layer's tar; errors of writing name `destination`.
pub(crate) struct TreeWriter<'a> {
    output: &'a mut dyn Write,
    destination: &'a Path,
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
    /// Writes the folders that the objects lie in.
    pub(crate) fn new(output: &'a mut dyn Write, destination: &'a Path) -> Result<Self, ExportError> {
        let mut writer = Self { output, destination, buffer: vec![0; BUFFER] };
        let folder = STORE_FOLDER.trim_start_matches('/').as_bytes();
        let ends = (0..folder.len()).filter(|&at| folder[at] == b'/').chain([folder.len()]);
        for end in ends {
            writer.header(&folder[..end], Entry::Directory { mode: 0o755 })?;
        }
        Ok(writer)
    }

    /// Writes the tree of the object `path`, which lies at `location`. Objects must come sorted by their paths' text.
    pub(crate) fn object(&mut self, path: &StorePath, location: &Path) -> Result<(), ExportError> {
        let missing = || ExportError::MissingObject { path: path.clone(), location: location.into() };
        let name = location.file_name().ok_or_else(missing)?;
        let name = CString::new(name.as_bytes()).map_err(|_| missing())?;
        let parent = match location.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = match rustix::fs::open(parent, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Err(missing()),
            opened => opened.map_err(|error| ExportError::read(parent, error))?,
        };
        if let Err(Errno::NOENT) = rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            return Err(missing());
        }
        let path = path.to_string().trim_start_matches('/').into();
        self.node(&Place { folder: folder.as_fd(), name: &name, location: location.into(), path }, 0)
    }

    /// Ends the archive.
    pub(crate) fn finish(self) -> Result<(), ExportError> {
        header::end(self.output).map_err(|error| ExportError::write(self.destination, error))
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
        self.header(&place.path, Entry::Directory { mode: 0o555 })?;
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
        let mode = if stat.st_mode & 0o111 == 0 { 0o444 } else { 0o555 };
        self.header(&place.path, Entry::File { mode, size_bytes })?;
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

//! Where an image's files are: a folder, or one tar whose members are found once and read where they lie.

use super::error::ReadError;
use super::tar::{Entries, Kind, TarError, TarLimits};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Most members of an archive: far more than an image has layers.
const MAX_MEMBERS: u64 = 10_000;

pub(crate) enum Source {
    Folder { folder: File, path: PathBuf },
    Archive { file: File, path: PathBuf, members: BTreeMap<Vec<u8>, (u64, u64)> },
}

/// A file's content, and its length in bytes.
type Opened<'a> = (Box<dyn Read + 'a>, u64);

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let failed = |source| ReadError::File { path: path.into(), source };
        let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty());
        let file = File::from(file.map_err(|error| failed(error.into()))?);
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Ok(Self::Folder { folder: file, path: path.into() });
        }
        if !metadata.is_file() {
            return Err(ReadError::NoImage(path.into()));
        }
        let members = match members(&file, metadata.len()) {
            Ok(members) => members,
            Err(TarError::Header { offset: 0, .. } | TarError::Truncated(0..512)) => {
                return Err(ReadError::NoImage(path.into()));
            }
            Err(source) => return Err(ReadError::Archive { path: path.into(), source }),
        };
        Ok(Self::Archive { file, path: path.into(), members })
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Folder { path, .. } | Self::Archive { path, .. } => path,
        }
    }

    /// A file's content and length in bytes; `None` if it isn't there. A link is no file, wherever it leads.
    pub(crate) fn file(&self, name: &str) -> Result<Option<Opened<'_>>, ReadError> {
        match self {
            Self::Folder { folder, path } => {
                let failed = |source: io::Error| ReadError::File { path: path.join(name), source };
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
                let file = match rustix::fs::openat2(folder, name, flags, Mode::empty(), resolve) {
                    Ok(file) => File::from(file),
                    Err(rustix::io::Errno::NOENT) => return Ok(None),
                    Err(error) => return Err(failed(error.into())),
                };
                let metadata = file.metadata().map_err(failed)?;
                if !metadata.is_file() {
                    return Ok(None);
                }
                Ok(Some((Box::new(file), metadata.len())))
            }
            Self::Archive { file, members, .. } => {
                let Some(&(offset, size)) = members.get(name.as_bytes()) else { return Ok(None) };
                Ok(Some((Box::new(Section { file, offset, left: size }), size)))
            }
        }
    }

    /// A whole document of at most `most` bytes; `None` if it isn't there.
    pub(crate) fn document(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some((reader, size)) = self.file(name)? else { return Ok(None) };
        if size > most {
            return Err(ReadError::Long { name: name.into(), most });
        }
        let mut bytes = Vec::new();
        let read = reader.take(most).read_to_end(&mut bytes);
        read.map_err(|source| ReadError::File { path: self.path().join(name), source })?;
        Ok(Some(bytes))
    }
}

fn members(file: &File, length: u64) -> Result<BTreeMap<Vec<u8>, (u64, u64)>, TarError> {
    let limits = TarLimits { entries: MAX_MEMBERS, ..TarLimits::default() };
    let mut entries = Entries::new(BufReader::new(file), limits);
    let mut members = BTreeMap::new();
    while let Some(entry) = entries.next_entry()? {
        let place = (entries.offset(), entry.size_bytes);
        entries.leap()?;
        if entries.offset() > length {
            return Err(TarError::Truncated(length));
        }
        // Links of docker's older archives only repeat what other members are.
        let is_file = entry.kind == Kind::File;
        let name = entry.path.clone();
        if is_file && members.insert(entry.path, place).is_some() {
            return Err(TarError::Duplicate { path: super::tar::shown(&name) });
        }
    }
    Ok(members)
}

/// A part of a file.
struct Section<'a> {
    file: &'a File,
    offset: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..most], self.offset)?;
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

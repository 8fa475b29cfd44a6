//! The entries of a tar, one after another, with every check that needs no file system.

use super::decode::{Decoder, Format};
use super::header::{BLOCK_BYTES, Block, Header, is_zero};
use super::name::{Names, Occupant, normalise};
use super::pax::{self, Extension};
use super::{Limits, Shown, UnpackError};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of an extended header. Longer ones carry attributes of other systems, or an attack.
const EXTENSION_BYTES: u64 = 1 << 20;

/// An archive that is being read.
pub struct Archive<'a> {
    decoder: Decoder<'a>,
    cancel: &'a AtomicBool,
    limits: Limits,
    names: Names,
    /// Bytes of the current entry's data that were not taken yet, and of the padding behind.
    content: u64,
    padding: u64,
    /// Bytes of the tar so far, up to the last header.
    offset: u64,
    entries: u64,
    ended: bool,
}

/// Something in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative, of normal components joined by `/`. Empty for the archive's root directory.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file; its content follows in the archive.
    File {
        /// Bytes of the content.
        size: u64,
        /// Whether the owner may run it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link, or a hard link to one.
    Symlink {
        /// Where it points: not empty, no NUL, otherwise anything.
        target: Vec<u8>,
    },
    /// A further name of an earlier file.
    HardLink {
        /// That file's path.
        target: Vec<u8>,
    },
}

impl<'a> Archive<'a> {
    /// Looks at an archive's first bytes. `cancel` is looked at again and again until the end.
    ///
    /// # Errors
    /// When it is empty, unreadable, or of no known format.
    pub fn new(
        reader: &'a mut dyn Read,
        limits: &Limits,
        cancel: &'a AtomicBool,
    ) -> Result<Self, UnpackError> {
        let limits = limits.clone();
        let decoder = Decoder::new(reader, &limits, cancel)?;
        let names = Names::default();
        Ok(Self {
            decoder,
            cancel,
            limits,
            names,
            content: 0,
            padding: 0,
            offset: 0,
            entries: 0,
            ended: false,
        })
    }

    /// How it is compressed.
    pub fn format(&self) -> Format {
        self.decoder.format()
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Decompressed bytes so far, with those that hard links are copied to.
    pub fn bytes(&self) -> u64 {
        self.decoder.bytes()
    }

    /// Goes to the next entry, past content that was not taken. `None` once, at the end, after everything up to the
    /// last byte was looked at.
    ///
    /// # Errors
    /// See [`UnpackError`]. Nothing more comes after an error.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, UnpackError> {
        if self.ended {
            return Ok(None);
        }
        let entry = self.read_entry();
        self.ended = !matches!(entry, Ok(Some(_)));
        entry
    }

    /// Gives the current file's content to `write`, in pieces.
    ///
    /// # Errors
    /// When the archive is broken, or `write`'s own.
    pub fn copy_content(
        &mut self,
        write: &mut dyn FnMut(&[u8]) -> Result<(), UnpackError>,
    ) -> Result<(), UnpackError> {
        let mut buffer = [0; 64 << 10];
        while self.content > 0 {
            let wanted =
                usize::try_from(self.content).map_or(buffer.len(), |content| content.min(buffer.len()));
            let count = self.decoder.read(&mut buffer[..wanted])?;
            if count == 0 {
                return Err(self.truncated());
            }
            self.content -= count as u64;
            write(&buffer[..count])?;
        }
        Ok(())
    }

    fn read_entry(&mut self) -> Result<Option<Entry>, UnpackError> {
        let mut extension = Extension::default();
        let mut long_name = None;
        let mut long_link = None;
        loop {
            self.skip_content()?;
            let Some(header) = self.read_header()? else {
                if !extension.is_empty() || long_name.is_some() || long_link.is_some() {
                    return Err(self.bad_header("an extended header stands before the end"));
                }
                return Ok(None);
            };
            match header.kind {
                b'x' if extension.is_empty() => extension = self.read_pax(header.size)?,
                b'x' => return Err(self.bad_header("two pax headers stand before one entry")),
                b'g' => {
                    if !self.read_pax(header.size)?.is_empty() {
                        return Err(self.bad_header("a global pax header sets a path or a size"));
                    }
                }
                b'L' => self.read_long(&mut long_name, header.size)?,
                b'K' => self.read_long(&mut long_link, header.size)?,
                _ => return self.entry(header, extension, long_name, long_link).map(Some),
            }
        }
    }

    /// Puts an entry together from its headers.
    fn entry(
        &mut self,
        mut header: Header,
        extension: Extension,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, UnpackError> {
        let both = |a: &Option<_>, b: &Option<_>| a.is_some() && b.is_some();
        if both(&extension.path, &long_name) || both(&extension.link, &long_link) {
            return Err(self.bad_header("a pax header and a GNU header both give a name"));
        }
        header.name = extension.path.or(long_name).unwrap_or(header.name);
        header.link = extension.link.or(long_link).unwrap_or(header.link);
        if let Some(size) = extension.size {
            // The field holds 0 or the same, unless the size is too big for it.
            if size != header.size && header.size != 0 && size < 1 << 33 {
                return Err(self.bad_header("the pax header has another size"));
            }
            header.size = size;
        }
        if extension.sparse {
            return Err(UnpackError::Kind { name: Shown::new(&header.name), kind: "sparse file" });
        }
        let (path, kind) = self.place(&header)?;
        let entry = Entry { path, kind };
        self.entries += 1;
        self.remember(&entry)?;
        if let Kind::File { size, .. } = entry.kind {
            self.content = size;
            self.padding = padding(size);
        }
        Ok(entry)
    }

    /// Finds what an entry is and where it goes, and refuses what no source needs.
    fn place(&self, header: &Header) -> Result<(Vec<u8>, Kind), UnpackError> {
        let refuse = |kind| Err(UnpackError::Kind { name: Shown::new(&header.name), kind });
        // The oldest tars mark a directory by the slash alone.
        let is_directory = match header.kind {
            b'5' => true,
            0 | b'0' => header.name.ends_with(b"/"),
            b'1' | b'2' | b'7' => false,
            b'3' => return refuse("character device"),
            b'4' => return refuse("block device"),
            b'6' => return refuse("FIFO"),
            b'S' => return refuse("sparse file"),
            b'M' => return refuse("part of a multi-volume archive"),
            b'D' | b'V' | b'N' => return refuse("record of incremental GNU backups"),
            _ => return refuse("thing of unknown kind"),
        };
        let path = normalise(&header.name, is_directory, &self.limits)?;
        let kind = match header.kind {
            _ if is_directory => Kind::Directory,
            b'1' => self.hard_link(header)?,
            b'2' => Kind::Symlink { target: self.link_target(header)? },
            _ => Kind::File { size: header.size, executable: header.executable },
        };
        if header.size != 0 && !matches!(kind, Kind::File { .. }) {
            return Err(self.bad_header("a link or a directory has a size"));
        }
        Ok((path, kind))
    }

    fn link_target(&self, header: &Header) -> Result<Vec<u8>, UnpackError> {
        if header.link.is_empty() || header.link.contains(&0) {
            let problem = "is a symbolic link whose target is empty or has a NUL in it";
            return Err(UnpackError::Name { name: Shown::new(&header.name), problem });
        }
        if header.link.len() > self.limits.path_bytes {
            return Err(UnpackError::Limit { what: "bytes of a path", limit: self.limits.path_bytes as u64 });
        }
        Ok(header.link.clone())
    }

    fn hard_link(&self, header: &Header) -> Result<Kind, UnpackError> {
        let target = normalise(&header.link, false, &self.limits)?;
        match self.names.get(&target) {
            Some(Occupant::File { .. }) => Ok(Kind::HardLink { target }),
            Some(Occupant::Symlink { target }) => Ok(Kind::Symlink { target: target.clone() }),
            _ => Err(UnpackError::HardLink {
                name: Shown::new(&header.name),
                target: Shown::new(&header.link),
            }),
        }
    }

    /// Notes an entry's name, and counts the copy that a hard link becomes.
    fn remember(&mut self, entry: &Entry) -> Result<(), UnpackError> {
        if self.entries > self.limits.entries {
            return Err(UnpackError::Limit { what: "entries", limit: self.limits.entries });
        }
        let occupant = match &entry.kind {
            Kind::Directory => Occupant::Directory,
            Kind::Symlink { target } => Occupant::Symlink { target: target.clone() },
            Kind::File { size, .. } => Occupant::File { size: *size },
            Kind::HardLink { target } => {
                let Some(Occupant::File { size }) = self.names.get(target).cloned() else {
                    return Err(UnpackError::HardLink {
                        name: Shown::new(&entry.path),
                        target: Shown::new(target),
                    });
                };
                self.decoder.count(size)?;
                Occupant::File { size }
            }
        };
        self.names.add(&entry.path, occupant, &self.limits)
    }

    /// The next header. `None` at the end of the archive.
    fn read_header(&mut self) -> Result<Option<Header>, UnpackError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(UnpackError::Cancelled);
        }
        self.offset = self.decoder.bytes();
        let mut block: Block = [0; BLOCK_BYTES];
        let count = self.decoder.read_full(&mut block)?;
        if count == BLOCK_BYTES && !is_zero(&block) {
            let header = Header::parse(&block);
            return match header {
                Ok(header) => Ok(Some(header)),
                Err(_) if self.offset == 0 => Err(self.not_an_archive()),
                Err(problem) => Err(self.bad_header(problem)),
            };
        }
        if count < BLOCK_BYTES {
            return Err(match self.offset {
                0 if count == 0 => UnpackError::Empty,
                0 => self.not_an_archive(),
                _ => self.truncated(),
            });
        }
        if self.decoder.read_full(&mut block)? < BLOCK_BYTES {
            return Err(self.truncated());
        }
        if !is_zero(&block) {
            return Err(self.bad_header("a single block of zeros stands before more entries"));
        }
        self.read_tail(&mut block)?;
        if self.names.is_empty() {
            return Err(UnpackError::Empty);
        }
        Ok(None)
    }

    /// After the end there is nothing but zeros, up to a tape's record size. Reading them lets the decoder see its
    /// own end, and its checksum.
    fn read_tail(&mut self, block: &mut Block) -> Result<(), UnpackError> {
        loop {
            let count = self.decoder.read_full(block)?;
            if block[..count].iter().any(|byte| *byte != 0) {
                return Err(UnpackError::TrailingGarbage);
            }
            if count < block.len() {
                return Ok(());
            }
        }
    }

    fn read_pax(&mut self, size: u64) -> Result<Extension, UnpackError> {
        let data = self.read_extension(size)?;
        pax::parse(&data).map_err(|problem| self.bad_header(problem))
    }

    /// GNU's long names: the name is the data, with a NUL at its end.
    fn read_long(&mut self, place: &mut Option<Vec<u8>>, size: u64) -> Result<(), UnpackError> {
        let mut data = self.read_extension(size)?;
        if data.last() == Some(&0) {
            data.pop();
        }
        match place.replace(data) {
            None => Ok(()),
            Some(_) => Err(self.bad_header("two GNU headers give the same name")),
        }
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>, UnpackError> {
        if size > EXTENSION_BYTES {
            return Err(UnpackError::Limit { what: "bytes of an extended header", limit: EXTENSION_BYTES });
        }
        (self.content, self.padding) = (size, padding(size));
        let mut data = Vec::new();
        self.copy_content(&mut |piece| {
            data.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(data)
    }

    fn skip_content(&mut self) -> Result<(), UnpackError> {
        self.copy_content(&mut |_| Ok(()))?;
        self.content = std::mem::take(&mut self.padding);
        self.copy_content(&mut |_| Ok(()))
    }

    fn not_an_archive(&self) -> UnpackError {
        match self.decoder.format() {
            Format::Tar => self.bad_header("the checksum is wrong"),
            format => UnpackError::NotAnArchive(format),
        }
    }

    fn truncated(&self) -> UnpackError {
        UnpackError::Truncated { bytes: self.decoder.bytes() }
    }

    fn bad_header(&self, problem: &'static str) -> UnpackError {
        UnpackError::Header { offset: self.offset, problem }
    }
}

/// Bytes from the end of data to the next block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK_BYTES as u64
}

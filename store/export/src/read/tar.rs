//! Entries of a tar that a stranger made, one after the other.
//!
//! Understood are ustar, pax records `path`, `linkpath` and `size`, and GNU's long names; other pax records are left
//! alone, but for those that change what is read (sparse files), which are refused. A name is relative, after a leading
//! `./`, and without `.`, `..`, empty components and NUL, so that it is one place only. Nothing here recurses.

use std::io::{self, Read, Seek, SeekFrom};

const BLOCK: usize = 512;
/// Longest pax header or GNU name, in bytes.
const MAX_RECORDS_BYTES: u64 = 1 << 20;

/// How much a tar may ask for.
#[derive(Clone, Copy, Debug)]
pub struct TarLimits {
    /// Number of entries.
    pub entries: u64,
    /// Components of a name.
    pub depth: usize,
    /// Bytes of a name, and of a link's target.
    pub path_bytes: usize,
    /// Bytes of all names together, as they are remembered.
    pub all_paths_bytes: u64,
}

impl Default for TarLimits {
    /// Ample for every image known.
    fn default() -> Self {
        Self { entries: 2_000_000, depth: 256, path_bytes: 4096, all_paths_bytes: 256 << 20 }
    }
}

/// Why a tar is refused.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// It can't be read or unpacked.
    #[error("its bytes can't be read")]
    Read(#[source] io::Error),
    /// The end is missing.
    #[error("it ends before its time, at byte {0}")]
    Truncated(u64),
    /// No header where one should be.
    #[error("the header at byte {offset} is wrong: {reason}")]
    Header {
        /// Offset in the tar.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Something after the end.
    #[error("there is something after its end")]
    Trailing,
    /// A name that could lead elsewhere, or nowhere.
    #[error("the entry `{path}` has {reason}")]
    Name {
        /// As it is in the tar.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A device, FIFO, sparse file or something unknown.
    #[error("the entry `{path}` is {kind}; expected a file, directory or link")]
    Kind {
        /// The entry.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// The same place twice.
    #[error("the entry `{path}` is there twice")]
    Duplicate {
        /// The place.
        path: String,
    },
    /// An entry below something that is no directory.
    #[error("the entry `{path}` lies below `{parent}`, which is {found}; expected a directory")]
    Parent {
        /// The entry.
        path: String,
        /// What it lies below.
        parent: String,
        /// What that is.
        found: &'static str,
    },
    /// A hard link to what the image doesn't have.
    #[error("the entry `{path}` is a hard link to `{target}`, which is no file of the image")]
    HardLink {
        /// The entry.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// The disk is full, or another layer has something there.
    #[error("the entry `{path}` can't be written")]
    Write {
        /// The entry.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More than is allowed.
    #[error("it has more than {most} {what}")]
    Limit {
        /// The limit.
        most: u64,
        /// Of what.
        what: &'static str,
    },
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> Self {
        // What refused the bytes on their way says why itself.
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::Read(error),
        }
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file; its content follows.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to this.
    Symlink(Vec<u8>),
    /// Another name of an earlier file: its name, as names of entries are.
    HardLink(Vec<u8>),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative, without a trailing slash; empty for the root directory.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Owner's group.
    pub gid: u64,
    /// Length of the content in bytes; 0 for all but files.
    pub size_bytes: u64,
}

/// Reads a tar from its beginning.
pub struct Entries<R> {
    reader: R,
    limits: TarLimits,
    offset: u64,
    /// Of the current entry's content.
    left: u64,
    padding: u64,
    count: u64,
    names: u64,
    is_over: bool,
}

/// What extended headers say about the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> Entries<R> {
    /// Prepares to read; reads nothing yet.
    pub const fn new(reader: R, limits: TarLimits) -> Self {
        Self { reader, limits, offset: 0, left: 0, padding: 0, count: 0, names: 0, is_over: false }
    }

    /// The next entry; `None` at the end, after which only zeros may follow. Skips content that wasn't read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        if self.is_over {
            return Ok(None);
        }
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let offset = self.offset;
            let mut block = [0; BLOCK];
            self.fill(&mut block)?;
            if block.iter().all(|&byte| byte == 0) {
                self.is_over = true;
                return self.end().map(|()| None);
            }
            let header = |reason| TarError::Header { offset, reason };
            if !has_checksum(&block) {
                return Err(header("its checksum is not that of its bytes"));
            }
            let size = number(&block[124..136]).ok_or_else(|| header("its size is no number"))?;
            self.count += 1;
            if self.count > self.limits.entries {
                return Err(TarError::Limit { most: self.limits.entries, what: "entries" });
            }
            match block[156] {
                b'x' => self.pax(size, offset, &mut extended)?,
                // One for all that follow: what `git archive` and some others write; nothing in it may count.
                b'g' => {
                    let mut ignored = Extended::default();
                    self.pax(size, offset, &mut ignored)?;
                    if ignored.path.is_some() || ignored.target.is_some() || ignored.size.is_some() {
                        return Err(header("it names all entries that follow"));
                    }
                }
                b'L' => extended.path = Some(self.long_name(size, offset)?),
                b'K' => extended.target = Some(self.long_name(size, offset)?),
                kind => return self.entry(&block, kind, size, offset, extended).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        block: &[u8; BLOCK],
        kind: u8,
        size: u64,
        offset: u64,
        extended: Extended,
    ) -> Result<Entry, TarError> {
        let raw = extended.path.unwrap_or_else(|| {
            let (name, prefix) = (text(&block[..100]), text(&block[345..500]));
            // GNU tar's own form has other things there.
            let has_prefix = block[257..263] == *b"ustar\0" && !prefix.is_empty();
            if has_prefix { [prefix, name].join(&b'/') } else { name.to_vec() }
        });
        let target = extended.target.unwrap_or_else(|| text(&block[157..257]).to_vec());
        let size = extended.size.unwrap_or(size);
        let shown = shown(&raw);
        let refused = |kind| TarError::Kind { path: shown.clone(), kind };
        let (kind, size_bytes) = match kind {
            b'0' | 0 | b'7' if raw.ends_with(b"/") => (Kind::Directory, 0),
            b'0' | 0 | b'7' => (Kind::File, size),
            b'1' => (Kind::HardLink(self.name(&target)?), 0),
            b'2' => {
                if target.is_empty() || target.contains(&0) || target.len() > self.limits.path_bytes {
                    return Err(TarError::Name { path: shown, reason: "a link to nothing that could be" });
                }
                (Kind::Symlink(target), 0)
            }
            b'5' => (Kind::Directory, 0),
            b'3' => return Err(refused("a character device")),
            b'4' => return Err(refused("a block device")),
            b'6' => return Err(refused("a FIFO")),
            b'S' => return Err(refused("a sparse file")),
            _ => return Err(refused("of an unknown kind")),
        };
        let header = |reason| TarError::Header { offset, reason };
        if !matches!(kind, Kind::File) && size != 0 {
            return Err(header("something without content has a size"));
        }
        let path = self.name(&raw)?;
        if path.is_empty() && kind != Kind::Directory {
            return Err(TarError::Name { path: shown, reason: "no name" });
        }
        let field =
            |range: std::ops::Range<usize>, reason| number(&block[range]).ok_or_else(|| header(reason));
        let mode = u32::try_from(field(100..108, "its mode is no number")? & 0o7777).unwrap_or_default();
        let (uid, gid) =
            (field(108..116, "its owner is no number")?, field(116..124, "its group is no number")?);
        self.names += path.len() as u64;
        if self.names > self.limits.all_paths_bytes {
            return Err(TarError::Limit { most: self.limits.all_paths_bytes, what: "bytes of names" });
        }
        self.expect(size_bytes)?;
        Ok(Entry { path, kind, mode, uid, gid, size_bytes })
    }

    /// A name as one place: relative, `./` and a trailing slash taken away.
    fn name(&self, raw: &[u8]) -> Result<Vec<u8>, TarError> {
        let bad = |reason| Err(TarError::Name { path: shown(raw), reason });
        let mut name = raw;
        if name == b"." || name == b"./" {
            return Ok(Vec::new());
        }
        name = name.strip_prefix(b"./").unwrap_or(name);
        name = name.strip_suffix(b"/").unwrap_or(name);
        if raw.starts_with(b"/") {
            return bad("an absolute name");
        }
        if raw.len() > self.limits.path_bytes {
            return bad("a name longer than any path");
        }
        if name.contains(&0) {
            return bad("a NUL in its name");
        }
        let mut depth = 0;
        for component in name.split(|&byte| byte == b'/') {
            depth += 1;
            match component {
                b"" => return bad("an empty component in its name"),
                b"." => return bad("`.` in its name"),
                b".." => return bad("`..` in its name"),
                _ if component.len() > 255 => return bad("a component that is longer than any file's name"),
                _ => {}
            }
        }
        if depth > self.limits.depth {
            return bad("more components than are allowed");
        }
        Ok(name.to_vec())
    }

    fn pax(&mut self, size: u64, offset: u64, extended: &mut Extended) -> Result<(), TarError> {
        let bytes = self.records(size)?;
        let bad = |reason| TarError::Header { offset, reason };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let form = || bad("a pax record has no length, name or value");
            let space = rest.iter().take(20).position(|&byte| byte == b' ').ok_or_else(form)?;
            let length = std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.parse::<usize>().ok());
            let length =
                length.filter(|length| (space + 3..=rest.len()).contains(length)).ok_or_else(form)?;
            let record = &rest[space + 1..length];
            rest = &rest[length..];
            let record = record.strip_suffix(b"\n").ok_or_else(form)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(form)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            let twice = || bad("a pax record is there twice");
            match key {
                b"path" => extended.path.replace(value.to_vec()).map_or(Ok(()), |_| Err(twice()))?,
                b"linkpath" => extended.target.replace(value.to_vec()).map_or(Ok(()), |_| Err(twice()))?,
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    let size = size.ok_or_else(|| bad("a pax record's size is no number"))?;
                    extended.size.replace(size).map_or(Ok(()), |_| Err(twice()))?;
                }
                _ if key.starts_with(b"GNU.sparse") => return Err(bad("it is of a sparse file")),
                _ => {}
            }
        }
        Ok(())
    }

    fn long_name(&mut self, size: u64, offset: u64) -> Result<Vec<u8>, TarError> {
        let bytes = self.records(size)?;
        match bytes.split_last() {
            Some((0, name)) => Ok(name.to_vec()),
            _ => Err(TarError::Header { offset, reason: "a long name has no end" }),
        }
    }

    fn records(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > MAX_RECORDS_BYTES {
            return Err(TarError::Limit { most: MAX_RECORDS_BYTES, what: "bytes of an extended header" });
        }
        self.expect(size)?;
        let mut bytes = Vec::new();
        (&mut *self).take(size).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// So much content follows.
    fn expect(&mut self, size: u64) -> Result<(), TarError> {
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        // So that no sum below overflows.
        if size > u64::MAX / 4 {
            return Err(TarError::Limit { most: u64::MAX / 4, what: "bytes in a file" });
        }
        (self.left, self.padding) = (size, padding);
        Ok(())
    }

    fn skip(&mut self) -> Result<(), TarError> {
        io::copy(self, &mut io::sink())?;
        let mut block = [0; BLOCK];
        let padding = std::mem::take(&mut self.padding) as usize;
        self.fill(&mut block[..padding])
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), TarError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.reader.read(&mut bytes[filled..]) {
                Ok(0) => return Err(TarError::Truncated(self.offset + filled as u64)),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Reads to the end, where nothing but zeros may be.
    fn end(&mut self) -> Result<(), TarError> {
        let mut buffer = [0; 8 * BLOCK];
        loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) if buffer[..read].iter().any(|&byte| byte != 0) => return Err(TarError::Trailing),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Where the content of the current entry begins, in bytes from the tar's beginning.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// What was read from.
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: Read + Seek> Entries<R> {
    /// Leaves the current entry's content out without reading it.
    pub fn leap(&mut self) -> Result<(), TarError> {
        let end = self.offset + std::mem::take(&mut self.left);
        self.reader.seek(SeekFrom::Start(end))?;
        self.offset = end;
        Ok(())
    }
}

/// The content of the current entry.
impl<R: Read> Read for Entries<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::Error::other(TarError::Truncated(self.offset)));
        }
        self.left -= read as u64;
        self.offset += read as u64;
        Ok(read)
    }
}

/// A name for people.
pub(crate) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

fn has_checksum(block: &[u8; BLOCK]) -> bool {
    let sum = |value: fn(u8) -> i64| -> i64 {
        let bytes = block.iter().enumerate();
        bytes.map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { value(byte) }).sum()
    };
    // Old programs added the bytes as signed ones.
    let said = number(&block[148..156]).and_then(|said| i64::try_from(said).ok());
    said.is_some_and(|said| said == sum(i64::from) || said == sum(|byte| i64::from(byte.cast_signed())))
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Octal digits with spaces and NULs around; or, after a set highest bit, bytes.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        if field[0] != 0x80 {
            return None;
        }
        let (high, low) = field[1..].split_at(field.len() - 1 - 8.min(field.len() - 1));
        return high
            .iter()
            .all(|&byte| byte == 0)
            .then(|| low.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    }
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    let digits = field[..end].trim_ascii();
    digits.iter().try_fold(0_u64, |sum, &digit| {
        matches!(digit, b'0'..=b'7').then(|| sum << 3 | u64::from(digit - b'0'))
    })
}

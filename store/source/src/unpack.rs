//! Unpacking of archives into a fresh directory.
//!
//! An archive is a tar (ustar, GNU or pax), plain or compressed with gzip, bzip2, xz or zstd, told apart by its
//! first bytes. Whoever made it may be hostile, so:
//!
//! | in the archive | here |
//! |---|---|
//! | `..`, `.` inside a name, absolute, empty, NUL, doubled `/` | refused, by name |
//! | the same name twice | refused: which of the two holds is what attacks are made of |
//! | a name below a symbolic link or a file | refused; every step down is an open that follows no link |
//! | symbolic link | kept as it is, wherever it points, absolute too: nothing here or in the store follows it |
//! | hard link to an earlier file of the archive | a copy, counted against [`Limits::total_bytes`] |
//! | hard link to anything else | refused |
//! | device, FIFO, sparse file, multi-volume, unknown kinds | refused, by name |
//! | owner, times, mode bits other than the owner's `x` | dropped |
//! | header fields that could be read in two ways | refused |
//! | more than [`Limits`] allow, bombs | refused, with the limit's name |
//! | truncated or with something after its end | refused |
//!
//! Leading `./` is taken off. If everything lies in exactly one directory, that directory's content is the result.
//! The result's files have mode 0644 or 0755, directories 0755. The work is done in a directory beside the
//! destination that only we may enter, and renamed last: the destination is whole or absent. Nothing is made
//! durable here; whoever moves the result into the store does that for many files at once.

mod decode;
mod folder;
mod header;
mod input;
mod name;
mod pax;
mod tar;

pub use decode::Format;
pub use tar::{Archive, Entry, Kind};

use folder::Folder;
use rustix::fd::BorrowedFd;
use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

/// How much an archive may ask for. Each has its error.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Number of entries, and of directories that entries imply.
    pub entries: u64,
    /// Components of a path.
    pub depth: usize,
    /// Bytes of a path inside the archive, and of a link's target.
    pub path_bytes: usize,
    /// Bytes of all paths together, as they are remembered to find duplicates.
    pub all_paths_bytes: u64,
    /// Bytes of all decompressed data: contents, headers, padding; and of copies that hard links become.
    pub total_bytes: u64,
    /// Decompressed bytes for each compressed one, beyond the first MiB.
    pub ratio: u64,
    /// Bytes that a decoder may hold (xz dictionary, zstd window).
    pub decoder_bytes: u64,
}

impl Default for Limits {
    /// Ample for every source archive known: Linux and GCC have about 100,000 entries and 1.5 GB.
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            depth: 64,
            path_bytes: 4000,
            all_paths_bytes: 256 << 20,
            total_bytes: 32 << 30,
            ratio: 1000,
            decoder_bytes: 128 << 20,
        }
    }
}

/// What came out of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// How the archive was compressed.
    pub format: Format,
    /// Entries of the archive.
    pub entries: u64,
    /// Bytes of decompressed tar, and of copies made for hard links.
    pub bytes: u64,
    /// The only top-level directory, if there was one: it is taken off.
    pub top_directory: Option<Vec<u8>>,
}

/// Why an archive was not unpacked. Names are shown lossily and quoted.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Neither a compressed archive nor a tar.
    #[error(
        "this is no archive that sx knows: expected tar, plain or in gzip, bzip2, xz or zstd; it begins with {0:02x?}"
    )]
    UnknownFormat(Vec<u8>),
    /// Decompressed well, but what is inside is no tar.
    #[error("this is a single file in {0}, not an archive: expected a tar inside")]
    NotAnArchive(Format),
    /// There are no entries.
    #[error("the archive is empty")]
    Empty,
    /// The archive ends too early.
    #[error("the archive is cut off after {bytes} bytes of decompressed data")]
    Truncated {
        /// Decompressed bytes before the cut.
        bytes: u64,
    },
    /// The compressed data is broken.
    #[error("the {format} data of the archive is corrupt")]
    Corrupt {
        /// The compression.
        format: Format,
        /// What the decoder says.
        source: io::Error,
    },
    /// A tar header is broken.
    #[error("the archive has a bad header at byte {offset} of the tar: {problem}")]
    Header {
        /// Where, in decompressed bytes.
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something follows the end.
    #[error("the archive goes on after its end")]
    TrailingGarbage,
    /// A name that is refused.
    #[error("the archive has an entry named `{name}`, which {problem}")]
    Name {
        /// The name as it stands in the archive.
        name: Shown,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two entries have the same name.
    #[error("the archive has two entries named `{0}`")]
    Duplicate(Shown),
    /// An entry lies below something that isn't a directory.
    #[error("the archive's entry `{0}` lies below something that is not a directory")]
    NotInDirectory(Shown),
    /// An entry is neither file, directory nor link.
    #[error("the archive's entry `{name}` is a {kind}, which is refused")]
    Kind {
        /// The entry.
        name: Shown,
        /// What it is.
        kind: &'static str,
    },
    /// A hard link to something that isn't an earlier file of the archive.
    #[error("the archive's hard link `{name}` points to `{target}`, which is no earlier file of the archive")]
    HardLink {
        /// The link.
        name: Shown,
        /// Where it points.
        target: Shown,
    },
    /// A limit of [`Limits`] was met.
    #[error("the archive goes over the limit of {limit} {what}")]
    Limit {
        /// The unit and thing, in words.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// The destination is there already.
    #[error("`{0}` is there already, expected to create it")]
    DestinationExists(Shown),
    /// The caller's flag was set.
    #[error("unpacking was cancelled")]
    Cancelled,
    /// The archive could not be read.
    #[error("the archive could not be read")]
    Read(#[source] io::Error),
    /// The result could not be written.
    #[error("`{name}` could not be written while unpacking")]
    Write {
        /// What was being written.
        name: Shown,
        /// What the system says.
        source: io::Error,
    },
}

/// Bytes of a name, shown in messages with everything unusual escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(Vec<u8>);

impl Shown {
    fn new(name: &[u8]) -> Self {
        // Long enough for a person, short enough for a terminal.
        Self(name[..name.len().min(300)].to_vec())
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    c if c.is_control() => write!(formatter, "{}", c.escape_default())?,
                    c => write!(formatter, "{c}")?,
                }
            }
            write!(formatter, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

/// Unpacks `archive` into the directory `name`, which is created in `parent` and must not exist yet.
///
/// While it works, `.NAME.unpacking` in `parent` is used; it is removed whatever happens, except a kill, after
/// which the next try removes it. So two processes must not unpack to the same name at once: hold a lock.
///
/// # Errors
/// See [`UnpackError`]. Then `name` does not exist.
pub fn unpack(
    archive: &mut dyn Read,
    parent: BorrowedFd<'_>,
    name: &str,
    limits: &Limits,
    cancel: &AtomicBool,
) -> Result<Unpacked, UnpackError> {
    let mut archive = Archive::new(archive, limits, cancel)?;
    let mut folder = Folder::create(parent, name)?;
    let filled = fill(&mut archive, &mut folder);
    let finished = filled.and_then(|()| folder.finish());
    if finished.is_err() {
        // The first error is the one to tell; what is left behind is removed by the next try.
        let _ = folder.discard();
    }
    Ok(Unpacked {
        format: archive.format(),
        entries: archive.entries(),
        bytes: archive.bytes(),
        top_directory: finished?,
    })
}

fn fill(archive: &mut Archive<'_>, folder: &mut Folder<'_>) -> Result<(), UnpackError> {
    while let Some(entry) = archive.next_entry()? {
        match &entry.kind {
            Kind::Directory => folder.directory(&entry.path)?,
            Kind::Symlink { target } => folder.symlink(&entry.path, target)?,
            Kind::HardLink { target } => folder.copy(&entry.path, target)?,
            Kind::File { executable, .. } => folder.file(&entry.path, *executable, archive)?,
        }
    }
    Ok(())
}

/// Reads an archive through, with every check but those that need a file system, and lists it: an entry point
/// for fuzzers, and for showing what is inside.
///
/// # Errors
/// See [`UnpackError`].
pub fn list(archive: &mut dyn Read, limits: &Limits, cancel: &AtomicBool) -> Result<Vec<Entry>, UnpackError> {
    let mut archive = Archive::new(archive, limits, cancel)?;
    let mut entries = Vec::new();
    while let Some(entry) = archive.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}

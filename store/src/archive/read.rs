//! An archive's strings and entries, from whoever sent it: bounded, and without recursion.

use super::{MAGIC, MAX_NAME_LENGTH, MAX_TARGET_LENGTH};
use crate::object::MAX_DEPTH;
use bstr::{BString, ByteSlice};
use std::io::Read;

/// Why bytes are no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// They end too early.
    #[error("the archive ends at byte {offset}, in the middle of {what}")]
    Truncated {
        /// Of what.
        what: &'static str,
        /// Offset in bytes.
        offset: u64,
    },
    /// Another word was expected.
    #[error("the archive has `{found}` before byte {offset}, expected `{expected}`")]
    Expected {
        /// What stands there, or its beginning.
        found: BString,
        /// What should stand there.
        expected: &'static str,
        /// Offset in bytes.
        offset: u64,
    },
    /// A string is longer than any of its kind.
    #[error("the archive has {what} of {length} bytes before byte {offset}, at most {limit} are allowed")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
        /// Offset in bytes.
        offset: u64,
    },
    /// A string is filled up with something else than zero bytes.
    #[error("the archive has something else than zero bytes between strings, before byte {0}")]
    Padding(u64),
    /// Not the name of a file in a folder.
    #[error("the archive has the name `{0}`, which leads elsewhere or nowhere")]
    Name(BString),
    /// Twice the same name, or in another order: another archive of the same tree.
    #[error("the archive has the name `{name}` after `{before}`, but names ascend")]
    Order {
        /// The name.
        name: BString,
        /// The one before.
        before: BString,
    },
    /// The target of a link is empty or has a zero byte.
    #[error("the archive's link `{0}` has a target that no link can have")]
    Target(BString),
    /// Nested deeper than objects may be.
    #[error("the archive is nested deeper than {MAX_DEPTH} directories, at `{0}`")]
    TooDeep(BString),
    /// It goes on after its end.
    #[error("something follows the archive's end at byte {0}")]
    Trailing(u64),
    /// It can't be read.
    #[error("cannot read the archive")]
    Read(#[source] std::io::Error),
}

/// Strings as they stream by.
#[derive(Debug)]
pub struct Input<R> {
    source: R,
    offset: u64,
}

impl<R: Read> Input<R> {
    /// Begins at the source's beginning.
    pub const fn new(source: R) -> Self {
        Self { source, offset: 0 }
    }

    /// Where it is, in bytes.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    fn fill(&mut self, buffer: &mut [u8], what: &'static str) -> Result<(), ArchiveError> {
        match self.source.read_exact(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(ArchiveError::Truncated { what, offset: self.offset })
            }
            Err(error) => Err(ArchiveError::Read(error)),
            Ok(()) => {
                self.offset += buffer.len() as u64;
                Ok(())
            }
        }
    }

    /// Reads a number.
    pub fn number(&mut self, what: &'static str) -> Result<u64, ArchiveError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes, what)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads a string of at most `limit` bytes.
    pub fn string(&mut self, what: &'static str, limit: u64) -> Result<BString, ArchiveError> {
        let length = self.number(what)?;
        if length > limit {
            return Err(ArchiveError::TooLong { what, length, limit, offset: self.offset });
        }
        let mut bytes = Vec::new();
        self.pieces(length, what, |piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), ArchiveError>(())
        })?;
        Ok(bytes.into())
    }

    /// Reads a word of the format.
    pub fn word(&mut self) -> Result<BString, ArchiveError> {
        self.string("a word", 32)
    }

    /// Reads exactly this word.
    pub fn expect(&mut self, expected: &'static str) -> Result<(), ArchiveError> {
        let found = self.word()?;
        if found == expected { Ok(()) } else { Err(self.unexpected(found, expected)) }
    }

    fn unexpected(&self, found: BString, expected: &'static str) -> ArchiveError {
        ArchiveError::Expected { found, expected, offset: self.offset }
    }

    /// Passes on the bytes of a string whose length was read. Memory grows with what is there, not with what was announced.
    pub(super) fn pieces<E: From<ArchiveError>>(
        &mut self,
        length: u64,
        what: &'static str,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffer = [0; 16 * 1024];
        let mut left = length;
        while left > 0 {
            let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.fill(&mut buffer[..count], what)?;
            take(&buffer[..count])?;
            left -= count as u64;
        }
        let padding = &mut [0; 7][..(length.wrapping_neg() % 8) as usize];
        self.fill(padding, what)?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(ArchiveError::Padding(self.offset).into());
        }
        Ok(())
    }

    /// Makes sure that nothing follows.
    pub fn end(&mut self) -> Result<(), ArchiveError> {
        match self.fill(&mut [0], "") {
            Err(ArchiveError::Truncated { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(ArchiveError::Trailing(self.offset - 1)),
        }
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Data.
    Plain,
    /// A program.
    Executable,
}

/// Takes what an archive has, in its order. The root's name is empty; others are one component of a path.
pub trait Entries {
    /// Why it can't go on.
    type Error: From<ArchiveError>;

    /// A folder begins.
    fn enter(&mut self, name: &[u8]) -> Result<(), Self::Error>;

    /// It ends.
    fn leave(&mut self) -> Result<(), Self::Error>;

    /// A link.
    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), Self::Error>;

    /// A file begins, of so many bytes.
    fn file(&mut self, name: &[u8], kind: Kind, length: u64) -> Result<(), Self::Error>;

    /// Bytes of that file.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// It ends.
    fn end_file(&mut self) -> Result<(), Self::Error>;
}

/// Takes everything and keeps nothing: what is left is whether it is an archive.
#[derive(Debug)]
pub struct Nothing;

impl Entries for Nothing {
    type Error = ArchiveError;

    fn enter(&mut self, _: &[u8]) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn leave(&mut self) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn link(&mut self, _: &[u8], _: &[u8]) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn file(&mut self, _: &[u8], _: Kind, _: u64) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), ArchiveError> {
        Ok(())
    }
}

/// Reads one archive and gives `entries` what is in it. What follows in the input is left there.
pub fn read<R: Read, E: Entries>(input: &mut Input<R>, entries: &mut E) -> Result<(), E::Error> {
    let magic = input.string("the archive's first word", 32)?;
    if magic != MAGIC {
        return Err(input.unexpected(magic, "nix-archive-1").into());
    }
    // The last name seen in each folder that is open.
    let mut open: Vec<BString> = Vec::new();
    let mut name = BString::default();
    loop {
        input.expect("(")?;
        input.expect("type")?;
        let kind = input.word()?;
        match kind.as_slice() {
            b"directory" => {
                if open.len() >= MAX_DEPTH {
                    return Err(ArchiveError::TooDeep(name).into());
                }
                entries.enter(&name)?;
                open.push(BString::default());
            }
            b"symlink" => {
                input.expect("target")?;
                let target = input.string("a link's target", MAX_TARGET_LENGTH)?;
                if target.is_empty() || target.contains(&0) {
                    return Err(ArchiveError::Target(name).into());
                }
                entries.link(&name, &target)?;
                end_of_node(input, open.len())?;
            }
            b"regular" => {
                read_file(input, entries, &name)?;
                end_of_node(input, open.len())?;
            }
            _ => return Err(input.unexpected(kind, "regular, symlink or directory").into()),
        }
        // To the next node, past the ends of folders.
        loop {
            let Some(before) = open.last_mut() else { return Ok(()) };
            let word = input.word()?;
            match word.as_slice() {
                b"entry" => {
                    name = next_name(input, before)?;
                    break;
                }
                b")" => {
                    entries.leave()?;
                    open.pop();
                    if !open.is_empty() {
                        input.expect(")")?;
                    }
                }
                _ => return Err(input.unexpected(word, "entry or )").into()),
            }
        }
    }
}

/// The end of a node, and of the entry that it is in a folder.
fn end_of_node<R: Read>(input: &mut Input<R>, depth: usize) -> Result<(), ArchiveError> {
    input.expect(")")?;
    if depth > 0 { input.expect(")") } else { Ok(()) }
}

fn next_name<R: Read>(input: &mut Input<R>, before: &mut BString) -> Result<BString, ArchiveError> {
    input.expect("(")?;
    input.expect("name")?;
    let name = input.string("a name", MAX_NAME_LENGTH)?;
    let leads_elsewhere = matches!(name.as_slice(), b"" | b"." | b"..");
    if leads_elsewhere || name.find_byteset(b"/\0").is_some() {
        return Err(ArchiveError::Name(name));
    }
    if *before >= name {
        return Err(ArchiveError::Order { name, before: before.clone() });
    }
    before.clone_from(&name);
    input.expect("node")?;
    Ok(name)
}

fn read_file<R: Read, E: Entries>(
    input: &mut Input<R>,
    entries: &mut E,
    name: &[u8],
) -> Result<(), E::Error> {
    let mut word = input.word()?;
    let mut kind = Kind::Plain;
    if word == "executable" {
        input.expect("")?;
        kind = Kind::Executable;
        word = input.word()?;
    }
    if word != "contents" {
        return Err(input.unexpected(word, "contents").into());
    }
    let length = input.number("a file's length")?;
    entries.file(name, kind, length)?;
    input.pieces(length, "a file", |piece| entries.bytes(piece))?;
    entries.end_file()
}

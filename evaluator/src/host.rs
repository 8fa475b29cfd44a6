//! The evaluator's only way to the world.

use bstr::BStr;
use std::collections::BTreeSet;
use sx_derivation::{Hash, Instantiated, StorePath};

/// What an evaluation may ask of the world. Paths are absolute and in normal form; the host decides what lies there: a
/// real folder, or what a binary carries. Questions about the same path must always have the same answer.
pub trait Host: Sync {
    /// The bytes of a file.
    fn read_file(&self, path: &BStr) -> Result<Vec<u8>, HostError>;

    /// The names in a folder, in any order, and what they are.
    fn read_directory(&self, path: &BStr) -> Result<Vec<(Vec<u8>, FileType)>, HostError>;

    /// What lies there, links not followed.
    fn file_type(&self, path: &BStr) -> Result<FileType, HostError>;

    /// Adds a file or folder to the store.
    fn add_path(&self, request: AddPath<'_, '_>) -> Result<StorePath, HostError>;

    /// Adds a file with this text, which mentions `references`, to the store.
    fn add_text(
        &self,
        name: &str,
        text: &[u8],
        references: &BTreeSet<StorePath>,
    ) -> Result<StorePath, HostError>;

    /// Keeps a derivation.
    fn add_derivation(&self, derivation: Instantiated) -> Result<(), HostError>;

    /// Shows a message of `builtins.trace` to the user.
    fn trace(&self, message: &BStr);

    /// Shows a message of `builtins.warn` to the user.
    fn warn(&self, message: &BStr) {
        self.trace(format!("warning: {message}").as_bytes().into());
    }
}

/// A world with nothing in it, for tests: it reads and adds no file, and takes every derivation.
pub struct Nowhere;

impl Host for Nowhere {
    fn read_file(&self, _: &BStr) -> Result<Vec<u8>, HostError> {
        Err(HostError::NotFound)
    }

    fn read_directory(&self, _: &BStr) -> Result<Vec<(Vec<u8>, FileType)>, HostError> {
        Err(HostError::NotFound)
    }

    fn file_type(&self, _: &BStr) -> Result<FileType, HostError> {
        Err(HostError::NotFound)
    }

    fn add_path(&self, _: AddPath<'_, '_>) -> Result<StorePath, HostError> {
        Err(HostError::NotFound)
    }

    fn add_text(&self, _: &str, _: &[u8], _: &BTreeSet<StorePath>) -> Result<StorePath, HostError> {
        Err(HostError::Forbidden)
    }

    fn add_derivation(&self, _: Instantiated) -> Result<(), HostError> {
        Ok(())
    }

    fn trace(&self, _: &BStr) {}
}

/// What shall be added to the store.
pub struct AddPath<'p, 'f> {
    /// Where it lies.
    pub path: &'p BStr,
    /// What it shall be called.
    pub name: &'p str,
    /// Whether to take what lies at a path below; everything if there is none.
    pub filter: Option<&'f mut Filter<'f>>,
    /// What its hash should be: of the tree, or of a flat file.
    pub expected: Option<&'p (Hash, Method)>,
}

/// Answers for a path below the one that is added, and its type, whether it is taken; fails when the language's function fails.
pub type Filter<'f> = dyn FnMut(&BStr, FileType) -> Result<bool, FilterFailed> + 'f;

/// How a path is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The bytes of one file.
    Flat,
    /// The tree.
    Tree,
}

/// The filter function failed; the evaluator knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filter function failed")]
pub struct FilterFailed;

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A file.
    Regular,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, a socket, a pipe.
    Unknown,
}

impl FileType {
    /// `builtins.readFileType`'s answer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Unknown => "unknown",
        }
    }
}

/// Why the host could not answer.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Nothing lies there.
    #[error("nothing is there")]
    NotFound,
    /// The path lies outside of what this evaluation may see.
    #[error(
        "it is outside of what this evaluation may read; pure evaluation reads only the flake's own tree"
    )]
    Forbidden,
    /// The path lies in an output that would have to be built first.
    #[error("it belongs to an output that is not built; sx never builds during evaluation")]
    NotBuilt,
    /// The file has more bytes than the evaluation may use.
    #[error("it is larger than the evaluation's memory limit of {most_mebibytes} MiB")]
    TooLarge {
        /// The limit.
        most_mebibytes: u64,
    },
    /// What lies there has no content of its own.
    #[error("it is a pipe, a socket or a device, expected a regular file")]
    Special,
    /// The filter failed.
    #[error(transparent)]
    Filter(#[from] FilterFailed),
    /// Anything else.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

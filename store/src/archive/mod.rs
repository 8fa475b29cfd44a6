//! One tree of files as bytes, in the only way that there is: Nix's archive format, which other tools read and write too.
//!
//! ```text
//! archive    "nix-archive-1" node
//! node       "(" "type" kind ")"
//! kind       "regular" ["executable" ""] "contents" bytes
//!          | "symlink" "target" bytes
//!          | "directory" { "entry" "(" "name" bytes "node" node ")" }    names ascend, as bytes
//! ```
//!
//! Every word and all bytes are a string: its length, 8 bytes, little-endian; itself; zero bytes up to a multiple of 8.
//! A tree has one archive, and an archive that is accepted has one tree. Of a file only the bytes and one executable bit are in it, as
//! in the [digest of a tree](sx_derivation::tree), which is made from the same facts.
//!
//! Source: figure 5.2 of E. Dolstra, "The Purely Functional Software Deployment Model", 2006.

mod read;
mod restore;
mod write;

pub use read::{ArchiveError, Entries, Input, Kind, Nothing, read};
pub use restore::{RestoreError, restore, restore_alone};
pub use write::{DumpError, dump, write_string};

/// First string of an archive.
const MAGIC: &[u8] = b"nix-archive-1";

/// Longest name of a file, in bytes; what Linux allows.
const MAX_NAME_LENGTH: u64 = 255;

/// Longest target of a link, in bytes; what Linux allows.
const MAX_TARGET_LENGTH: u64 = 4095;

//! What a thing is: digests, store paths, trees and derivations, and the bytes that they are hashed from.
//!
//! The principal type is [`Derivation`]: a build step named by the hash of everything that goes into it.
//! This crate is plain data. It refuses to touch the file system, the network, a database or the clock, so
//! that the evaluator, which needs nothing else of the store, builds in seconds.
//!
//! Each kind of hashed bytes is made in one file:
//!
//! | hashed thing | file | BLAKE3 context |
//! |---|---|---|
//! | directory, and file with self-references | [`tree`] | `sx directory v1`, `sx file with self-references v1` |
//! | store path of an object | [`store_path`] | `sx object v1` |
//! | store path of a derivation | [`store_path`] | `sx derivation v1` |
//! | placeholder of an output | [`store_path`] | `sx output v1`, `sx own output v1` |
//!
//! A file's own content is hashed without a context, so `b3sum` gives the same digest.

pub mod derivation;
pub mod derivations;
pub mod digest;
pub mod hash;
pub mod in_toto;
pub mod store_path;
pub mod tree;

pub use derivation::{Derivation, Output};
pub use derivations::{Derivations, Instantiated};
pub use digest::Digest;
pub use hash::{Algorithm, Hash};
pub use store_path::StorePath;

//! How sources come in: pinned files are fetched, archives are unpacked.
//!
//! A build never has network, so sx itself brings every source. The principal types are [`Fetcher`], which tries
//! a source's [`Address`]es in order until a file has the pinned hash, and [`unpack()`], which turns an archive
//! into a fresh directory. Both read bytes that a stranger may have made.
//!
//! This crate reads no environment and prints nothing: proxies, mirrors and folders are given by the caller,
//! progress goes to a callback. The host's apt configuration is read only by [`apt::read_host`], when asked. It
//! refuses weak hashes, archives that reach outside their directory, and everything that isn't a file, a
//! directory or a link.

pub mod address;
pub mod apt;
pub mod crates;
pub mod fetch;
pub mod unpack;

mod hasher;

pub use address::Address;
pub use fetch::{FetchError, FetchOptions, Fetched, Fetcher, Progress};
pub use unpack::{Limits, UnpackError, Unpacked, unpack};

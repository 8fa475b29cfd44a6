//! Images to registries and back, over the OCI distribution protocol.
//!
//! The principal type is [`Client`], for one repository of one registry: [`Client::push`] sends an image that lies in
//! an OCI layout, [`Client::pull`] makes such a layout. Both skip what is there already. [`Client::attach`] adds documents
//! about an image that is there, [`Client::attached`] finds them.
//!
//! Whatever a registry answers is bounded in length and in time, and nothing counts as received before its length and
//! SHA-256 are what the manifest, or the caller, says. Plain HTTP is for loopback, or for who asks for it by name.
//! This crate reads no environment, and credential files only where the caller says that they lie.

mod address;
mod attachment;
mod authorisation;
mod client;
mod credentials;
mod error;
mod pull;
mod push;

pub use address::{Address, Insecure};
pub use attachment::Piece;
pub use client::{Client, Event, Options};
pub use credentials::{CredentialFiles, Credentials};
pub use error::RegistryError;
pub use pull::Pulled;
pub use push::{Pushed, Tagged};

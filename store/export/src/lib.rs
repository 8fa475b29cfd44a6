//! Closures of the store as OCI images: the same closure gives the same bytes, on every machine, in every run.
//!
//! The principal type is [`Export`]: objects of the store in a given order, a [`Reference`] and an
//! [`ImageConfig`]; [`Export::write`] makes one file, or a folder, and returns a [`Report`]. Nothing is built or
//! run for it: layers are computed from the objects alone.
//!
//! | bytes | fixed in |
//! |---|---|
//! | where an image has what | `layout` |
//! | which objects share a layer | [`plan`] |
//! | tar headers, of layers and of the archive itself | `header` |
//! | order and modes of a layer's entries | `tree` |
//! | gzip, zstd | `gzip`, `zstd` |
//! | manifest, configuration and index | `document` |
//! | bills of materials, provenance | `cyclonedx`, `spdx`, `provenance` |
//! | order of the archive's entries | `archive` |
//!
//! This crate knows no database: the caller says which objects there are and where they lie. It refuses
//! everything in an object that is neither file, directory nor symbolic link, it reads no clock, and it leaves
//! nothing at the destination unless all of it is there.

pub mod bill;
pub mod config;
pub mod manifest;
pub mod plan;
pub mod read;
pub mod reference;
pub mod report;
pub mod spec;

mod archive;
mod attachment;
mod cache;
mod content;
mod cyclonedx;
mod digest;
mod document;
mod error;
mod export;
mod file;
mod folder;
mod gzip;
mod header;
mod layer;
mod layout;
mod output;
mod pieces;
mod provenance;
mod spdx;
mod staged;
mod tree;
mod zstd;

pub use attachment::Document;
pub use bill::Bill;
pub use config::{ConfigError, ImageConfig};
pub use digest::{DigestError, Sha256Digest};
pub use error::ExportError;
pub use export::{Compression, Export, Format, Layout, Object, Proof, Root};
pub use file::{FileKind, ImageFile};
pub use reference::{Reference, ReferenceError};
pub use report::{LayerReport, Report};
pub use spec::{ImageSpec, SpecError};

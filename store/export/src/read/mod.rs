//! Images as anyone may have made them, read without believing anything.
//!
//! The principal type is [`Image`]: an OCI layout, an OCI archive or a docker archive, opened; [`Image::tree`] reads all
//! layers and gives the file system that a container would see. Documents and blobs are bounded in length and compared
//! with their digests; tars are read by one iterative parser that refuses what could lead outside the image or be
//! understood in two ways. Nothing is unpacked but, by [`Image::unpack_store`], store paths, which prove themselves.

mod error;
mod image;
mod layer;
mod source;
mod tar;
mod tree;
mod unpack;

pub use error::ReadError;
pub use image::{Attachment, Image, Layer};
pub use layer::{LayerLimits, Packing, read_layer};
pub use tar::{Entries, Entry, Kind, TarError, TarLimits};
pub use tree::{Node, NodeKind, Tree};

//! zstd, made so that the bytes depend on nothing but the content, the level and the library's version.
//!
//! The content is cut every [`PIECE`] bytes and each piece becomes a frame of its own (RFC 8878, 3.1) that says its
//! content's length and checksum.

use crate::pieces::Packer;
use std::io;
use std::ops::RangeInclusive;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// What packs; changes with the pinned version, so that kept layers of another are not used.
pub(crate) const LIBRARY: &str = "zstd 0.14.4";
/// Bytes of content in a frame: the window of the default level. Changing it changes every larger layer's blob.
pub(crate) const PIECE: usize = 1 << 21;
/// The default level. Changing it changes every blob packed with zstd.
pub(crate) const LEVEL: i32 = 3;
/// The levels that there are, without those that need a large window.
pub(crate) const LEVELS: RangeInclusive<i32> = 1..=19;

pub(crate) struct Zstd(Compressor<'static>);

impl Zstd {
    /// At one of [`LEVELS`].
    pub(crate) fn new(level: i32) -> Self {
        let made = Compressor::new(level).and_then(|mut compressor| {
            compressor.set_parameter(CParameter::ChecksumFlag(true))?;
            Ok(compressor)
        });
        Self(made.expect("this holds because the library has the level and the parameter"))
    }
}

impl Packer for Zstd {
    fn pack(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        self.0.compress(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::pieces::{Packing, packed, sample};

    /// If this fails after an update of the library, blobs packed with zstd change (image ids don't).
    #[test]
    fn golden_bytes_notice_another_library() {
        let sizes = [1, 1000, PIECE, 2 * PIECE + 12345];
        let packing = Packing::Zstd { level: LEVEL };
        let digests = sizes.map(|size| Sha256Digest::of(&packed(packing, &sample(size), 1, 777)).digits());
        assert_eq!(
            digests,
            [
                "f74740457ccaaa3fe5cfe236c2fe963dc6061610621138e98b382cf01c7c9362",
                "0ebbc2764c6d146d309cfcb385d64add66501e1495ccffa9ffc4e5f51772bf0e",
                "dc251c95ffcc81cc6badcb90d4fe6a4d2db73170390ac3a096876936ea8624ec",
                "66aac92439c918acf67402c0f226f89e894ef36fe278315c3068e28f5805cfa3",
            ]
        );
    }

    #[test]
    fn frames_unpack_to_the_content() {
        let content = sample(2 * PIECE + 5);
        let bytes = packed(Packing::Zstd { level: 1 }, &content, 2, 8192);
        assert!(zstd::decode_all(&bytes[..]).unwrap() == content);
    }
}

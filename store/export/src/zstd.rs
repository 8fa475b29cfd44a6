//! zstd, made so that the bytes depend on nothing but the content, the level and the library's version.
//!
//! The content is cut every [`PIECE`] bytes and each piece becomes a frame of its own (RFC 8878, 3.1) that says its
//! content's length and checksum.

use crate::pieces::{Packer, SMALL};
use std::io;
use std::ops::RangeInclusive;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// What packs; changes with the pinned version, so that kept layers of another are not used.
pub(crate) const LIBRARY: &str = "zstd 0.14.4";
/// Bytes of content in a frame: four times the window of the default level. Changing it changes every larger layer's blob.
pub(crate) const PIECE: usize = 1 << 22;
/// The default level: with hashing on top it takes no longer than other tools at level 3. Up to [`SMALL`] bytes it is the
/// highest. Changing it changes every blob packed with zstd.
pub(crate) const LEVEL: i32 = 2;
/// The levels that there are, without those that need a large window.
pub(crate) const LEVELS: RangeInclusive<i32> = 1..=19;

pub(crate) struct Zstd {
    level: i32,
    compressor: Compressor<'static>,
}

impl Zstd {
    /// At one of [`LEVELS`].
    pub(crate) fn new(level: i32) -> Self {
        Self { level, compressor: compressor(level) }
    }
}

fn compressor(level: i32) -> Compressor<'static> {
    let made = Compressor::new(level).and_then(|mut compressor| {
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(compressor)
    });
    made.expect("this holds because the library has the level and the parameter")
}

impl Packer for Zstd {
    fn pack(&mut self, _number: u64, piece: &[u8]) -> io::Result<Vec<u8>> {
        if self.level == LEVEL && piece.len() <= SMALL {
            return compressor(*LEVELS.end()).compress(piece);
        }
        self.compressor.compress(piece)
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
                "379b47a10b01cf0e3c3d7110196d90b43e8ba87fb9c66c97e8d0e5fb0d350c7a",
                "7b231c02d41c2310eb01eb6cbd0dc8822f5d510732de9ca57472f229f36203e0",
                "a99533301c01e08325d02f1231f76ca0c2b943dcd90a8db2806ea6c479792a12",
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

//! gzip, made so that the bytes depend on nothing but the content, the level and the library's version.
//!
//! The content is cut every [`PIECE`] bytes and each piece becomes a gzip member of its own; readers take a
//! sequence of members for one content (RFC 1952, 2.2). A member is:
//!
//! | bytes | value |
//! |---|---|
//! | 10 | `1f 8b 08 00`, no time, no extra flags, system 255 (unknown) |
//! | … | the piece, deflated by libdeflate, by default at level [`LEVEL`], up to [`SMALL`] bytes at its highest, each [`LIGHTER_EVERY`]th at the lowest |
//! | 4 | CRC-32 of the piece, little-endian |
//! | 4 | length of the piece, little-endian |

use crate::pieces::{Packer, SMALL};
use libdeflater::{CompressionLvl, Compressor, Crc};
use std::io;
use std::ops::RangeInclusive;

/// What packs; changes with the pinned version, so that kept layers of another are not used.
pub(crate) const LIBRARY: &str = "libdeflater 1.26.1";
/// Bytes of content in a member. Changing it changes every larger layer's blob.
pub(crate) const PIECE: usize = 1 << 21;
/// libdeflate's level. Level 6 takes half as long again for five percent. Changing it changes every blob.
pub(crate) const LEVEL: i32 = 2;
/// At the default level each piece of so many is packed at the lowest one: a twentieth less time for a hundredth more bytes. With
/// that gzip takes less than half the time of what other tools do at their usual level, and packs still better. (Level 1 alone
/// would take a quarter less, and pack worse.) Layers of less than that many pieces don't have it. Changing it changes the blobs of
/// all others.
pub(crate) const LIGHTER_EVERY: u64 = 4;
/// The levels that libdeflate has.
pub(crate) const LEVELS: RangeInclusive<i32> = 1..=12;

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// CRC and length.
const TRAILER_LENGTH: usize = 8;

pub(crate) struct Gzip {
    level: i32,
    compressor: Compressor,
    lighter: Compressor,
    /// Where members are made: as long as one may be, which most are far from.
    scratch: Vec<u8>,
}

impl Gzip {
    /// At one of [`LEVELS`].
    pub(crate) fn new(level: i32) -> Self {
        let lighter = compressor(*LEVELS.start());
        Self { level, compressor: compressor(level), lighter, scratch: Vec::new() }
    }
}

fn compressor(level: i32) -> Compressor {
    Compressor::new(CompressionLvl::new(level).expect("this holds because libdeflate has the level"))
}

impl Packer for Gzip {
    fn pack(&mut self, number: u64, piece: &[u8]) -> io::Result<Vec<u8>> {
        // Made only here, since it takes megabytes.
        let mut best = (self.level == LEVEL && piece.len() <= SMALL).then(|| compressor(*LEVELS.end()));
        let is_lighter = self.level == LEVEL && number % LIGHTER_EVERY == LIGHTER_EVERY - 1;
        let usual = if is_lighter { &mut self.lighter } else { &mut self.compressor };
        let compressor = best.as_mut().unwrap_or(usual);
        let bound = compressor.deflate_compress_bound(piece.len());
        if self.scratch.len() < bound {
            self.scratch.resize(bound, 0);
        }
        let length = compressor
            .deflate_compress(piece, &mut self.scratch)
            .expect("this holds because the buffer is as long as the library's bound");
        let mut member = Vec::with_capacity(HEADER.len() + length + TRAILER_LENGTH);
        member.extend(HEADER);
        member.extend_from_slice(&self.scratch[..length]);
        let mut crc = Crc::new();
        crc.update(piece);
        member.extend(crc.sum().to_le_bytes());
        member.extend((piece.len() as u32).to_le_bytes());
        Ok(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::pieces::{Packing, packed, sample};

    fn compressed(content: &[u8], step: usize) -> Vec<u8> {
        packed(Packing::Gzip { level: LEVEL }, content, 1, step)
    }

    /// If this fails after an update of libdeflate, blobs and manifest digests change (image ids don't):
    /// nobody's earlier signature of an image fits any more.
    #[test]
    fn golden_bytes_notice_another_library() {
        let sizes = [1, 1000, PIECE, 2 * PIECE + 12345, 5 * PIECE];
        let digests = sizes.map(|size| Sha256Digest::of(&compressed(&sample(size), 777)).digits());
        assert_eq!(
            digests,
            [
                "fdd5e674bf3cefd72891c916e5f6873e2864647d0faf1fd14328f6157373f4db",
                "dfd7aa573652684ede186c45c33b42871538953c2f09b5f5954748e45b2cae65",
                "3c130c164888078d9cc182fa859f770d4347639c0585923164305f9cfc5021dd",
                "c21e19dae744606e7049d2feb9f31caae7f480f0c0ae0ab83226652325e43973",
                "7423c255c24ef2217725f4443c5e354e529139c742320b29b73c0c93b68d893e",
            ]
        );
    }

    #[test]
    fn every_member_has_the_fixed_header_and_unpacks_to_the_content() {
        let content = sample(2 * PIECE + 5);
        let bytes = compressed(&content, 8192);
        let (mut rest, mut unpacked) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            assert_eq!(rest[..10], HEADER);
            let mut piece = vec![0; PIECE];
            let mut decompressor = libdeflater::Decompressor::new();
            // The member's end isn't known: the next header, or the end, is searched.
            let ends = (18..=rest.len()).filter(|&at| at == rest.len() || rest[at..].starts_with(&HEADER));
            let (end, length) = ends
                .filter_map(|at| Some((at, decompressor.gzip_decompress(&rest[..at], &mut piece).ok()?)))
                .next()
                .unwrap();
            unpacked.extend_from_slice(&piece[..length]);
            rest = &rest[end..];
        }
        assert!(unpacked == content);
    }
}

//! gzip, made so that the bytes depend on nothing but the content and the library's version.
//!
//! The content is cut every [`MEMBER`] bytes and each piece becomes a gzip member of its own; readers take a
//! sequence of members for one content (RFC 1952, 2.2). So memory is bounded, and members could be made
//! by any number of threads with the same outcome. A member is:
//!
//! | bytes | value |
//! |---|---|
//! | 10 | `1f 8b 08 00`, no time, no extra flags, system 255 (unknown) |
//! | … | the piece, deflated by libdeflate at level [`LEVEL`] |
//! | 4 | CRC-32 of the piece, little-endian |
//! | 4 | length of the piece, little-endian |

use libdeflater::{CompressionLvl, Compressor, Crc};
use std::io::{self, Write};

/// Bytes of content in a member. Changing it changes every larger layer's blob.
const MEMBER: usize = 1 << 20;
/// libdeflate's level: beyond it time doubles for less than one percent. Changing it changes every blob.
const LEVEL: i32 = 6;
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses what is written to it; call [`Gzip::finish`] at the end.
pub(crate) struct Gzip<W> {
    inner: W,
    compressor: Compressor,
    piece: Vec<u8>,
    member: Vec<u8>,
}

impl<W: Write> Gzip<W> {
    pub(crate) fn new(inner: W) -> Self {
        let level = CompressionLvl::new(LEVEL).expect("this holds because libdeflate has levels 0 to 12");
        let mut compressor = Compressor::new(level);
        let member = vec![0; compressor.deflate_compress_bound(MEMBER)];
        Self { inner, compressor, piece: Vec::with_capacity(MEMBER), member }
    }

    /// Writes the last member. (A layer is never empty, so there is always one.)
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.piece.is_empty() {
            self.write_member()?;
        }
        Ok(self.inner)
    }

    fn write_member(&mut self) -> io::Result<()> {
        let length = self
            .compressor
            .deflate_compress(&self.piece, &mut self.member)
            .expect("this holds because the buffer is as long as the library's bound");
        let mut crc = Crc::new();
        crc.update(&self.piece);
        self.inner.write_all(&HEADER)?;
        self.inner.write_all(&self.member[..length])?;
        self.inner.write_all(&crc.sum().to_le_bytes())?;
        self.inner.write_all(&(self.piece.len() as u32).to_le_bytes())?;
        self.piece.clear();
        Ok(())
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(MEMBER - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == MEMBER {
            self.write_member()?;
        }
        Ok(taken)
    }

    /// Leaves the unfinished member alone: where members end must not depend on the writer.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    fn compressed(content: &[u8], step: usize) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new());
        for part in content.chunks(step) {
            gzip.write_all(part).unwrap();
        }
        gzip.finish().unwrap()
    }

    /// Text-like, so that matches, literals and block boundaries all matter.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        let mut bytes = Vec::with_capacity(length + 16);
        while bytes.len() < length {
            let word = next() % 64;
            bytes.extend(format!("word{} {} ", word, next() % 7).bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// If this fails after an update of libdeflate, blobs and manifest digests change (image ids don't):
    /// nobody's earlier signature of an image fits any more.
    #[test]
    fn golden_bytes_notice_another_library() {
        let sizes = [1, 1000, MEMBER, 2 * MEMBER + 12345];
        let digests = sizes.map(|size| Sha256Digest::of(&compressed(&sample(size), 777)).digits());
        assert_eq!(
            digests,
            [
                "fdd5e674bf3cefd72891c916e5f6873e2864647d0faf1fd14328f6157373f4db",
                "07cd5a23d3cbba1c40577b763f3c32f09d41ff779648c108b2529388fd8521e3",
                "667b4396c29e727fc94716f5d891c5454c895bdb4a15cbafe7cc8c3aa0b33658",
                "f40a7c7fd943b2c6189bb57261075bf51f6357f8527bcf0ec9d94878f31c40af",
            ]
        );
    }

    #[test]
    fn bytes_do_not_depend_on_how_they_were_written() {
        let content = sample(MEMBER + 4321);
        assert_eq!(compressed(&content, 1000), compressed(&content, usize::MAX));
    }

    #[test]
    fn every_member_has_the_fixed_header_and_unpacks_to_the_content() {
        let content = sample(2 * MEMBER + 5);
        let bytes = compressed(&content, 8192);
        let (mut rest, mut unpacked) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            assert_eq!(rest[..10], HEADER);
            let mut piece = vec![0; MEMBER];
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

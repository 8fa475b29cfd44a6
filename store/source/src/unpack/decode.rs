//! Decompression: which format it is, members one after another, and the limits that stop bombs.

use super::input::{Input, Watch};
use super::{Limits, UnpackError};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::fmt;
use std::io::{self, BufRead, Read};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

/// Bytes that may come out whatever went in, before the ratio counts.
const RATIO_GRACE_BYTES: u64 = 1 << 20;

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Not at all.
    Tar,
    /// gzip, one member or several.
    Gzip,
    /// bzip2, one stream or several.
    Bzip2,
    /// xz, one stream or several, with padding between.
    Xz,
    /// Zstandard, one frame or several, skippable ones too; without dictionaries.
    Zstd,
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tar => "tar",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

/// The decompressed bytes of an archive.
pub(super) struct Decoder<'a> {
    format: Format,
    member: Member<'a>,
    watch: Rc<Watch>,
    bytes: u64,
    limits: Limits,
}

/// The part of the archive that is being decompressed. Each decoder takes no byte beyond its part's end.
enum Member<'a> {
    Plain(Input<'a>),
    Gzip(Box<flate2::bufread::GzDecoder<Input<'a>>>),
    Bzip2(Box<bzip2::bufread::BzDecoder<Input<'a>>>),
    Xz(Box<lzma_rust2::XzReader<Input<'a>>>),
    Zstd(Box<StreamingDecoder<Input<'a>, FrameDecoder>>),
    /// Nothing more, or broken.
    Over,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(
        reader: &'a mut dyn Read,
        limits: &Limits,
        cancel: &'a AtomicBool,
    ) -> Result<Self, UnpackError> {
        let (mut input, watch) = Input::new(reader, cancel);
        let first = match input.peek(512) {
            Ok(first) => first,
            Err(error) => return Err(explain(&watch, Format::Tar, 0, error)),
        };
        let format = match first {
            [] => return Err(UnpackError::Empty),
            _ if has_tar_magic(first) => Format::Tar,
            _ => match format_by_magic(first) {
                Some(format) => format,
                // The oldest tar has no magic: its checksum, or an end of zeros, shows it.
                None if super::header::is_plausible(first) => Format::Tar,
                None => return Err(UnpackError::UnknownFormat(first[..first.len().min(8)].to_vec())),
            },
        };
        let mut decoder = Self { format, member: Member::Over, watch, bytes: 0, limits: limits.clone() };
        if format == Format::Tar {
            decoder.member = Member::Plain(input);
        } else {
            decoder.begin(input)?;
        }
        Ok(decoder)
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Decompressed bytes so far, and those that [`count`](Self::count) added.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts bytes against the limit of all bytes.
    pub(super) fn count(&mut self, bytes: u64) -> Result<(), UnpackError> {
        self.bytes = self.bytes.saturating_add(bytes);
        let limit = self.limits.total_bytes;
        if self.bytes > limit {
            return Err(UnpackError::Limit { what: "decompressed bytes", limit });
        }
        Ok(())
    }

    /// Fills `into`, or as much of it as there is until the end.
    pub(super) fn read_full(&mut self, into: &mut [u8]) -> Result<usize, UnpackError> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read(&mut into[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Reads some bytes; none only at the end of the whole archive.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, UnpackError> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let read = match &mut self.member {
                Member::Plain(input) => input.read(into),
                Member::Gzip(decoder) => decoder.read(into),
                Member::Bzip2(decoder) => decoder.read(into),
                Member::Xz(decoder) => decoder.read(into),
                Member::Zstd(decoder) => decoder.read(into),
                Member::Over => return Ok(0),
            };
            let count = read.map_err(|error| self.explain(error))?;
            if count > 0 {
                self.count(count as u64)?;
                if self.format != Format::Tar {
                    self.check_ratio()?;
                }
                return Ok(count);
            }
            self.end_member()?;
        }
    }

    fn check_ratio(&self) -> Result<(), UnpackError> {
        let allowed = self.watch.consumed.get().saturating_mul(self.limits.ratio);
        if self.bytes > allowed.saturating_add(RATIO_GRACE_BYTES) {
            return Err(UnpackError::Limit {
                what: "decompressed bytes for each byte",
                limit: self.limits.ratio,
            });
        }
        Ok(())
    }

    /// Goes from a member's end to the next one, or to the end of the archive.
    fn end_member(&mut self) -> Result<(), UnpackError> {
        let mut input = match std::mem::replace(&mut self.member, Member::Over) {
            Member::Over | Member::Plain(_) => return Ok(()),
            Member::Gzip(decoder) => decoder.into_inner(),
            Member::Bzip2(decoder) => decoder.into_inner(),
            Member::Xz(decoder) => decoder.into_inner(),
            Member::Zstd(decoder) => {
                let checksums =
                    (decoder.decoder.get_checksum_from_data(), decoder.decoder.get_calculated_checksum());
                if let (Some(written), Some(computed)) = checksums
                    && written != computed
                {
                    return Err(self.corrupt("the checksum of a frame is wrong"));
                }
                decoder.into_inner()
            }
        };
        if self.format == Format::Xz {
            self.skip_xz_padding(&mut input)?;
        }
        let next = input.peek(6).map_err(|error| self.explain(error))?;
        match next {
            [] => Ok(()),
            _ if format_by_magic(next) == Some(self.format) => self.begin(input),
            _ => Err(UnpackError::TrailingGarbage),
        }
    }

    /// Starts on the member at the front of `input`.
    fn begin(&mut self, mut input: Input<'a>) -> Result<(), UnpackError> {
        self.member = match self.format {
            Format::Tar => Member::Plain(input),
            Format::Gzip => Member::Gzip(Box::new(flate2::bufread::GzDecoder::new(input))),
            Format::Bzip2 => Member::Bzip2(Box::new(bzip2::bufread::BzDecoder::new(input))),
            Format::Xz => {
                let limit_kib = u32::try_from(self.limits.decoder_bytes >> 10).unwrap_or(u32::MAX);
                Member::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(input, false, limit_kib)))
            }
            Format::Zstd => {
                if !self.skip_skippable_frames(&mut input)? {
                    return Ok(());
                }
                let mut decoder = FrameDecoder::new();
                decoder.set_max_window_size(self.limits.decoder_bytes);
                match StreamingDecoder::new_with_decoder(input, decoder) {
                    Ok(decoder) => Member::Zstd(Box::new(decoder)),
                    Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(self.decoder_limit()),
                    Err(error) => return Err(self.explain(io::Error::other(error))),
                }
            }
        };
        Ok(())
    }

    /// Zeros in fours may stand between xz streams and after the last.
    fn skip_xz_padding(&self, input: &mut Input<'_>) -> Result<(), UnpackError> {
        loop {
            let four = input.peek(4).map_err(|error| self.explain(error))?;
            if four != [0; 4] {
                return Ok(());
            }
            input.consume(4);
        }
    }

    /// Skips zstd's frames of other people's data. False at the end of the archive.
    fn skip_skippable_frames(&self, input: &mut Input<'_>) -> Result<bool, UnpackError> {
        loop {
            let header = input.peek(8).map_err(|error| self.explain(error))?;
            let &[low, 0x2a, 0x4d, 0x18, a, b, c, d] = header else {
                return match header {
                    [] => Ok(false),
                    _ if format_by_magic(header) != Some(Format::Zstd) => Err(UnpackError::TrailingGarbage),
                    // Too short for a skippable frame, and for any other: the decoder will say so.
                    _ => Ok(true),
                };
            };
            if low & 0xf0 != 0x50 {
                return Err(UnpackError::TrailingGarbage);
            }
            input.consume(8);
            let length = u64::from(u32::from_le_bytes([a, b, c, d]));
            let skipped = io::copy(&mut (&mut *input).take(length), &mut io::sink());
            if skipped.map_err(|error| self.explain(error))? < length {
                return Err(UnpackError::Truncated { bytes: self.bytes });
            }
        }
    }

    fn corrupt(&self, problem: &'static str) -> UnpackError {
        UnpackError::Corrupt { format: self.format, source: io::Error::other(problem) }
    }

    fn decoder_limit(&self) -> UnpackError {
        UnpackError::Limit { what: "bytes that a decoder may hold", limit: self.limits.decoder_bytes }
    }

    fn explain(&self, error: io::Error) -> UnpackError {
        if error.kind() == io::ErrorKind::OutOfMemory {
            return self.decoder_limit();
        }
        explain(&self.watch, self.format, self.bytes, error)
    }
}

/// Finds what is behind a decoder's error: often not the decoder.
fn explain(watch: &Watch, format: Format, bytes: u64, error: io::Error) -> UnpackError {
    if watch.cancelled.get() {
        UnpackError::Cancelled
    } else if let Some(failure) = watch.failure.borrow_mut().take() {
        UnpackError::Read(failure)
    } else if watch.ended.get() {
        UnpackError::Truncated { bytes }
    } else {
        UnpackError::Corrupt { format, source: error }
    }
}

fn has_tar_magic(first: &[u8]) -> bool {
    first.get(257..262) == Some(b"ustar")
}

fn format_by_magic(first: &[u8]) -> Option<Format> {
    Some(match first {
        [0x1f, 0x8b, ..] => Format::Gzip,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Format::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Format::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Format::Zstd,
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Format::Zstd,
        _ => return None,
    })
}

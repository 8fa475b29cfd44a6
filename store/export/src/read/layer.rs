//! One layer: blob, unpacked, hashed on both sides, its entries added to a tree.

use super::tar::{Entries, Kind, TarError, TarLimits};
use super::tree::Tree;
use super::unpack::Unpacking;
use crate::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, BufReader, Read};

/// How a layer's blob is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Plain tar.
    None,
    /// gzip, of one or more members.
    Gzip,
    /// zstd, of one or more frames.
    Zstd,
}

impl Packing {
    /// From the type that a manifest names.
    pub(crate) fn of_media_type(media_type: &str) -> Self {
        if media_type.ends_with("gzip") {
            Self::Gzip
        } else if media_type.ends_with("zstd") {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

/// How much a layer may ask for.
#[derive(Clone, Copy, Debug)]
pub struct LayerLimits {
    /// Of its tar.
    pub tar: TarLimits,
    /// Bytes of its tar.
    pub unpacked_bytes: u64,
    /// Bytes of its tar for each byte of the blob, beyond the first 64 MiB. gzip never has more than 1032.
    pub ratio: u64,
}

impl Default for LayerLimits {
    fn default() -> Self {
        Self { tar: TarLimits::default(), unpacked_bytes: 64 << 30, ratio: 1100 }
    }
}

/// Largest window of zstd that is unpacked, as a power of two: 128 MiB, as in other readers.
const ZSTD_WINDOW: u32 = 27;
/// Bytes of a file that are read at once.
const BUFFER: usize = 1 << 16;
/// What the ratio doesn't count.
const FREE_BYTES: u64 = 64 << 20;

/// What a layer was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) digest: Sha256Digest,
    pub(crate) size_bytes: u64,
    pub(crate) diff_id: Sha256Digest,
    pub(crate) unpacked_bytes: u64,
    pub(crate) files: u64,
}

/// What becomes of a layer's entries.
pub(crate) struct Sink<'a> {
    /// They are added here, as those of layer `number`.
    pub(crate) tree: &'a mut Tree,
    pub(crate) number: usize,
    /// Store paths are written there.
    pub(crate) unpacking: Option<&'a mut Unpacking>,
}

/// Hashes and counts what is read, and refuses more than is allowed.
struct Metered<R> {
    inner: R,
    hasher: Sha256,
    length: u64,
    most: u64,
}

impl<R> Metered<R> {
    fn new(inner: R, most: u64) -> Self {
        Self { inner, hasher: Sha256::new(), length: 0, most }
    }

    fn digest(self) -> Sha256Digest {
        Sha256Digest::from_bytes(self.hasher.finalize().into())
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.length += read as u64;
        if self.length > self.most {
            return Err(io::Error::other(TarError::Limit { most: self.most, what: "bytes" }));
        }
        Ok(read)
    }
}

/// Reads a layer's tar, plain or packed, of at most `size_bytes`, and adds its entries to `tree` as those of layer `number`.
pub fn read_layer(
    blob: impl Read,
    size_bytes: u64,
    packing: Packing,
    limits: &LayerLimits,
    tree: &mut Tree,
    number: usize,
) -> Result<(), TarError> {
    read(blob, size_bytes, packing, limits, Sink { tree, number, unpacking: None }).map(drop)
}

pub(crate) fn read(
    blob: impl Read,
    size_bytes: u64,
    packing: Packing,
    limits: &LayerLimits,
    sink: Sink<'_>,
) -> Result<Found, TarError> {
    let most =
        (size_bytes.saturating_mul(limits.ratio).saturating_add(FREE_BYTES)).min(limits.unpacked_bytes);
    let mut packed = BufReader::with_capacity(1 << 16, Metered::new(blob, size_bytes));
    let (diff_id, unpacked_bytes, files) = match packing {
        Packing::None => entries(&mut packed, most, limits.tar, sink)?,
        Packing::Gzip => entries(flate2::bufread::MultiGzDecoder::new(&mut packed), most, limits.tar, sink)?,
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&mut packed)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            entries(decoder, most, limits.tar, sink)?
        }
    };
    // A decoder may leave what it doesn't understand.
    if packed.read(&mut [0])? > 0 {
        return Err(TarError::Trailing);
    }
    let packed = packed.into_inner();
    let size_bytes = packed.length;
    Ok(Found { digest: packed.digest(), size_bytes, diff_id, unpacked_bytes, files })
}

fn entries(
    unpacked: impl Read,
    most: u64,
    limits: TarLimits,
    sink: Sink<'_>,
) -> Result<(Sha256Digest, u64, u64), TarError> {
    let Sink { tree, number, mut unpacking } = sink;
    let mut entries = Entries::new(BufReader::with_capacity(1 << 17, Metered::new(unpacked, most)), limits);
    tree.begin();
    let (mut files, mut buffer) = (0, vec![0; BUFFER]);
    while let Some(entry) = entries.next_entry()? {
        let mut unpacked = match unpacking.as_deref_mut() {
            Some(unpacking) => unpacking.add(&entry)?,
            None => None,
        };
        let digest = match entry.kind {
            Kind::File => {
                let mut hasher = Sha256::new();
                loop {
                    let read = entries.read(&mut buffer)?;
                    if read == 0 {
                        break;
                    }
                    hasher.update(&buffer[..read]);
                    if let Some(unpacked) = &mut unpacked {
                        unpacked.write(&buffer[..read])?;
                    }
                }
                files += 1;
                Some(Sha256Digest::from_bytes(hasher.finalize().into()))
            }
            _ => None,
        };
        tree.add(entry, digest, number)?;
    }
    let unpacked = entries.into_inner().into_inner();
    let length = unpacked.length;
    Ok((unpacked.digest(), length, files))
}

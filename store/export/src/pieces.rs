//! Compression with several threads whose bytes don't depend on how many there are.
//!
//! The content is cut every so many bytes, and each piece is packed by itself: as a gzip member or a zstd frame.
//! Readers of both formats take a sequence of them for one content. Workers pack pieces in any order; they are
//! written in the content's. Meanwhile one more thread hashes the content, since that takes as long as reading and writing it.

use crate::digest::Sha256Digest;
use crate::error::ExportError;
use crate::export::Compression;
use crate::{gzip, zstd};
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Scope};

/// Bytes of the pieces that are packed at a time, so that memory doesn't grow with the number of processors. Hashing, which
/// one thread does, would keep no more workers busy.
const IN_WORK: usize = 20 << 20;
/// Content up to so many bytes is packed as well as the format can, unless a level is asked for: it costs next to nothing,
/// and many layers are small. Changing it changes the blobs of such layers.
pub(crate) const SMALL: usize = 1 << 16;
/// Bytes of content that isn't packed that are hashed and written at a time.
const PLAIN_PIECE: usize = 1 << 20;
/// Pieces that wait to be hashed: enough that reading need not wait for a short pause of it.
const MAX_UNHASHED: usize = 4;
/// Pieces beside those that are being packed, waiting for it or for their turn to be written: so no worker waits for reading, or
/// for another's piece that takes longer.
const AHEAD: usize = 4;

/// Packs pieces by themselves.
pub(crate) trait Packer: Send {
    /// The content of one piece as bytes that can be put after those of another. `number` is its place in the content, from 0.
    fn pack(&mut self, number: u64, piece: &[u8]) -> io::Result<Vec<u8>>;
}

/// How content is cut and packed. The bytes of layers follow from this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip { level: i32 },
    Zstd { level: i32 },
    None,
}

impl Packing {
    /// Refuses a level that the format doesn't have.
    pub(crate) fn new(compression: Compression, level: Option<i32>) -> Result<Self, ExportError> {
        let (levels, packing) = match compression {
            Compression::Gzip => (gzip::LEVELS, Self::Gzip { level: level.unwrap_or(gzip::LEVEL) }),
            Compression::Zstd => (zstd::LEVELS, Self::Zstd { level: level.unwrap_or(zstd::LEVEL) }),
            Compression::None => (0..=0, Self::None),
        };
        match level.filter(|level| !levels.contains(level)) {
            Some(found) => {
                Err(ExportError::BadLevel { found, lowest: *levels.start(), highest: *levels.end() })
            }
            None => Ok(packing),
        }
    }

    /// Everything that decides about packed bytes, for names of kept layers.
    pub(crate) fn label(self) -> String {
        let length = self.piece_bytes();
        match self {
            Self::Gzip { level } => format!("{} {level} {length} {}", gzip::LIBRARY, gzip::LIGHTER_EVERY),
            Self::Zstd { level } => format!("{} {level} {length}", zstd::LIBRARY),
            Self::None => "none".into(),
        }
    }

    const fn piece_bytes(self) -> usize {
        match self {
            Self::Gzip { .. } => gzip::PIECE,
            Self::Zstd { .. } => zstd::PIECE,
            Self::None => PLAIN_PIECE,
        }
    }

    fn packer(self) -> Option<Box<dyn Packer>> {
        match self {
            Self::Gzip { level } => Some(Box::new(gzip::Gzip::new(level))),
            Self::Zstd { level } => Some(Box::new(zstd::Zstd::new(level))),
            Self::None => None,
        }
    }
}

/// A part of the content, which is packed and hashed at the same time.
struct Piece {
    bytes: Vec<u8>,
    /// Where its memory goes when nobody reads it any more.
    spare: Sender<Vec<u8>>,
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut memory = std::mem::take(&mut self.bytes);
        memory.clear();
        // Whoever fills pieces may have ended.
        let _ = self.spare.send(memory);
    }
}

struct Job {
    number: u64,
    piece: Arc<Piece>,
    done: SyncSender<io::Result<Vec<u8>>>,
}

/// Threads that pack pieces until this is dropped.
pub(crate) struct Workers {
    packing: Packing,
    jobs: SyncSender<Job>,
    count: usize,
}

impl Workers {
    pub(crate) fn new<'scope>(
        scope: &'scope Scope<'scope, '_>,
        packing: Packing,
        threads: NonZeroUsize,
    ) -> Self {
        let most = if packing == Packing::None { 0 } else { IN_WORK / packing.piece_bytes() };
        let count = threads.get().min(most);
        let (jobs, received) = sync_channel::<Job>(AHEAD);
        let received = Arc::new(Mutex::new(received));
        for _ in 0..count {
            let received = Arc::clone(&received);
            scope.spawn(move || {
                let Some(mut packer) = packing.packer() else { return };
                // Ends when nobody can send a job any more.
                while let Ok(Job { number, piece, done }) = next(&received) {
                    let packed = packer.pack(number, &piece.bytes);
                    drop(piece);
                    // Whoever asked may have failed meanwhile, and then doesn't want it.
                    let _ = done.send(packed);
                }
            });
        }
        Self { packing, jobs, count }
    }

    /// Whether layers are plain.
    pub(crate) fn packs_nothing(&self) -> bool {
        self.packing == Packing::None
    }

    /// What packs and hashes the content that is written to it, and writes the outcome to `inner`.
    pub(crate) fn pack<W: Write>(&self, inner: W) -> Pieces<'_, W> {
        let (unhashed, received) = sync_channel::<Arc<Piece>>(MAX_UNHASHED);
        let hasher = std::thread::spawn(move || {
            let mut hasher = Sha256::new();
            for piece in received {
                hasher.update(&piece.bytes);
            }
            Sha256Digest::from_bytes(hasher.finalize().into())
        });
        let (piece, packed, length) = (Vec::new(), VecDeque::new(), 0);
        Pieces { inner, workers: self, piece, packed, spare: channel(), unhashed, hasher, length }
    }
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Result<Job, std::sync::mpsc::RecvError> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv()
}

/// Packs and hashes what is written to it; call [`Pieces::finish`] at the end.
pub(crate) struct Pieces<'a, W> {
    inner: W,
    workers: &'a Workers,
    piece: Vec<u8>,
    /// Pieces on their way, in order.
    packed: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    spare: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
    unhashed: SyncSender<Arc<Piece>>,
    hasher: JoinHandle<Sha256Digest>,
    /// Of what was cut off so far.
    length: u64,
}

impl<W: Write> Pieces<'_, W> {
    /// Writes what is left. (A layer is never empty, so there is always a piece.) Gives what was written to, and the content's
    /// digest and length in bytes.
    pub(crate) fn finish(mut self) -> io::Result<(W, Sha256Digest, u64)> {
        if !self.piece.is_empty() {
            self.send()?;
        }
        while !self.packed.is_empty() {
            self.receive()?;
        }
        drop(self.unhashed);
        let digest = self.hasher.join().map_err(|_| io::Error::other("the hashing thread ended early"))?;
        Ok((self.inner, digest, self.length))
    }

    fn send(&mut self) -> io::Result<()> {
        let ended = || io::Error::other("a thread that packs or hashes ended early");
        if self.packed.len() >= self.workers.count + AHEAD {
            self.receive()?;
        }
        let memory = self.spare.1.try_recv().unwrap_or_default();
        let bytes = std::mem::replace(&mut self.piece, memory);
        let number = self.length / self.workers.packing.piece_bytes() as u64;
        self.length += bytes.len() as u64;
        let piece = Arc::new(Piece { bytes, spare: self.spare.0.clone() });
        self.unhashed.send(Arc::clone(&piece)).map_err(|_| ended())?;
        if self.workers.packs_nothing() {
            return self.inner.write_all(&piece.bytes);
        }
        let (done, packed) = sync_channel(1);
        self.workers.jobs.send(Job { number, piece, done }).map_err(|_| ended())?;
        self.packed.push_back(packed);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        let Some(packed) = self.packed.pop_front() else { return Ok(()) };
        let ended = |_| io::Error::other("a compressing thread ended early");
        self.inner.write_all(&packed.recv().map_err(ended)??)
    }
}

impl<W: Write> Write for Pieces<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.workers.packing.piece_bytes();
        let taken = bytes.len().min(length - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == length {
            self.send()?;
        }
        Ok(taken)
    }

    /// Leaves the unfinished piece alone: where pieces end must not depend on the writer.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What `content` becomes with so many threads, written `step` bytes at a time.
#[cfg(test)]
pub(crate) fn packed(packing: Packing, content: &[u8], threads: usize, step: usize) -> Vec<u8> {
    std::thread::scope(|scope| {
        let workers = Workers::new(scope, packing, NonZeroUsize::new(threads).unwrap());
        let mut pieces = workers.pack(Vec::new());
        for part in content.chunks(step) {
            pieces.write_all(part).unwrap();
        }
        let (packed, digest, length) = pieces.finish().unwrap();
        assert_eq!((digest, length), (Sha256Digest::of(content), content.len() as u64));
        packed
    })
}

/// Text-like, so that matches, literals and block boundaries all matter.
#[cfg(test)]
pub(crate) fn sample(length: usize) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_depend_neither_on_threads_nor_on_how_they_were_written() {
        let packings =
            [Packing::Gzip { level: gzip::LEVEL }, Packing::Zstd { level: zstd::LEVEL }, Packing::None];
        for packing in packings {
            let content = sample(2 * packing.piece_bytes() + 4321);
            let first = packed(packing, &content, 1, usize::MAX);
            for (threads, step) in [(1, 1000), (2, usize::MAX), (7, 100_000)] {
                assert!(packed(packing, &content, threads, step) == first, "{packing:?} {threads} {step}");
            }
        }
    }

    #[test]
    fn a_level_that_the_format_lacks_is_refused() {
        let error = |compression, level| Packing::new(compression, Some(level)).unwrap_err().to_string();
        assert!(error(Compression::Gzip, 13).contains("13"));
        assert!(error(Compression::Zstd, 0).contains("1 to 19"));
        assert!(error(Compression::None, 1).contains('1'));
        assert_eq!(Packing::new(Compression::Gzip, Some(9)).unwrap(), Packing::Gzip { level: 9 });
    }
}

//! Finds store paths' digests in the bytes of a file as they stream by, and replaces some of them.
//!
//! A reference is a mention of a store path's digest, 52 digits of base32, wherever it stands: a file that mentions
//! an input may need it, a file that doesn't can't.

use crate::store::digest_text;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use sx_derivation::StorePath;
use sx_derivation::digest::TEXT_LENGTH;

/// The text form of a store path's digest.
pub type DigestText = [u8; TEXT_LENGTH];

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Digests whose mention is a reference.
    pub references: Arc<BTreeSet<DigestText>>,
    /// Digests to be replaced by others of the same length.
    pub replacements: BTreeMap<DigestText, DigestText>,
    /// The digest under which the object itself was built.
    pub own: Option<DigestText>,
}

impl Wanted {
    /// What is looked for in an object that is called `path` already: itself, and those of `known` that are others. It is shared
    /// by all objects of which it is asked, since a set for each would cost many objects time that grows with their square.
    pub(crate) fn of(path: &StorePath, known: &Arc<BTreeSet<DigestText>>) -> Self {
        Self { references: Arc::clone(known), own: Some(digest_text(path)), ..Self::default() }
    }
}

/// What was found, summed over all that was scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Of the wanted references and replacements, those that were mentioned.
    pub references: BTreeSet<DigestText>,
    /// Offsets in bytes of the mentions of the object itself, ascending.
    pub own: Vec<u64>,
}

/// Scans one stream. Give it the bytes with [`push`](Self::push), then call [`finish`](Self::finish).
pub struct Scanner<'a> {
    wanted: &'a Wanted,
    found: Found,
    pending: Vec<u8>,
    /// Offset in the stream of the first pending byte.
    offset: u64,
}

impl<'a> Scanner<'a> {
    /// Begins a stream.
    pub fn new(wanted: &'a Wanted) -> Self {
        Self { wanted, found: Found::default(), pending: Vec::new(), offset: 0 }
    }

    /// Takes the next bytes. Calls `emit` with those that are done: as they are to be written, and as they are to be
    /// hashed, which differs in that mentions of the object itself are blanked to zero bytes.
    pub fn push<E>(
        &mut self,
        bytes: &[u8],
        emit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.pending.extend_from_slice(bytes);
        self.advance(TEXT_LENGTH - 1, emit)
    }

    /// Ends the stream.
    pub fn finish<E>(mut self, emit: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<Found, E> {
        self.advance(0, emit)?;
        Ok(self.found)
    }

    /// Emits all but the last `keep` bytes, in which a mention may have begun.
    fn advance<E>(
        &mut self,
        keep: usize,
        mut emit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut blanks = Vec::new();
        let mut done = self.pending.len().saturating_sub(keep);
        let mut start = 0;
        while let Some(window) = self.pending.get_mut(start..start + TEXT_LENGTH) {
            if let Some(other) = window.iter().rposition(|&byte| !IS_DIGIT[usize::from(byte)]) {
                start += other + 1;
                continue;
            }
            let digest: &mut DigestText = window.try_into().expect("a window is as long as a digest");
            if self.wanted.own.as_ref() == Some(digest) {
                self.found.own.push(self.offset + start as u64);
                blanks.push(start);
            } else if let Some(replacement) = self.wanted.replacements.get(digest) {
                self.found.references.insert(*digest);
                *digest = *replacement;
            } else if self.wanted.references.contains(digest) {
                self.found.references.insert(*digest);
            } else {
                start += 1;
                continue;
            }
            start += TEXT_LENGTH;
            done = done.max(start);
        }
        let written = &self.pending[..done];
        if blanks.is_empty() {
            emit(written, written)?;
        } else {
            let mut hashed = written.to_vec();
            for blank in blanks {
                hashed[blank..blank + TEXT_LENGTH].fill(0);
            }
            emit(written, &hashed)?;
        }
        self.pending.drain(..done);
        self.offset += done as u64;
        Ok(())
    }
}

/// Which bytes are digits of base32.
const IS_DIGIT: [bool; 256] = {
    let mut table = [false; 256];
    let digits = b"0123456789abcdfghijklmnpqrsvwxyz";
    let mut position = 0;
    while position < digits.len() {
        table[digits[position] as usize] = true;
        position += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;
    use sx_derivation::Digest;

    fn text(name: &str) -> DigestText {
        Digest::of(name.as_bytes()).to_string().into_bytes().try_into().unwrap()
    }

    fn scan(wanted: &Wanted, bytes: &[u8], chunk: usize) -> (Found, Vec<u8>, Vec<u8>) {
        let (mut written, mut hashed) = (Vec::new(), Vec::new());
        let mut emit = |as_written: &[u8], as_hashed: &[u8]| {
            written.extend_from_slice(as_written);
            hashed.extend_from_slice(as_hashed);
            Ok::<(), Infallible>(())
        };
        let mut scanner = Scanner::new(wanted);
        for piece in bytes.chunks(chunk) {
            scanner.push(piece, &mut emit).unwrap();
        }
        let found = scanner.finish(&mut emit).unwrap();
        (found, written, hashed)
    }

    proptest! {
        #[test]
        fn mentions_are_found_wherever_the_stream_is_cut(
            pieces in proptest::collection::vec((0usize..6, "[a-z0-9/]{0,60}"), 0..8),
            chunk in 1usize..200,
        ) {
            let wanted = Wanted {
                references: Arc::new(BTreeSet::from([text("input")])),
                replacements: BTreeMap::from([(text("other"), text("final"))]),
                own: Some(text("own")),
            };
            let (mut bytes, mut written, mut hashed) = (Vec::new(), Vec::new(), Vec::new());
            let mut expected = Found::default();
            for (kind, filler) in pieces {
                for side in [&mut bytes, &mut written, &mut hashed] {
                    side.extend(filler.as_bytes());
                    side.push(b'-');
                }
                let (name, as_written, as_hashed) = match kind {
                    0 => ("input", text("input"), text("input")),
                    1 => ("other", text("final"), text("final")),
                    2 => ("own", text("own"), [0; TEXT_LENGTH]),
                    3 => ("stranger", text("stranger"), text("stranger")),
                    _ => continue,
                };
                match kind {
                    0 | 1 => { expected.references.insert(text(name)); }
                    2 => expected.own.push(bytes.len() as u64),
                    _ => {}
                }
                bytes.extend(text(name));
                written.extend(as_written);
                hashed.extend(as_hashed);
            }
            prop_assert_eq!(scan(&wanted, &bytes, chunk), (expected, written, hashed));
        }
    }
}

//! A stream to objects, whoever wrote it.

use super::{MAGIC, Progress, Realisations, Sayings, Taken};
use crate::archive::{self, ArchiveError, Input, Nothing, RestoreError};
use crate::scan::Wanted;
use crate::store::{RemoveOnDrop, Store, StoreError};
use bstr::{BString, ByteSlice};
use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use sx_derivation::derivation::DecodeError;
use sx_derivation::store_path::{StorePathError, check_name};
use sx_derivation::{Derivation, StorePath};

/// Longest store path in a stream, in bytes: longer than any that is one.
const MAX_PATH_LENGTH: u64 = 512;

/// Most references of one object.
const MAX_REFERENCES: u64 = 1 << 20;

/// Longest text of a derivation, in bytes.
const MAX_DERIVATION_LENGTH: u64 = 64 << 20;

/// Why a stream isn't taken, or no further. Objects that came before are.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It isn't one.
    #[error("the bytes are no exported closure: they begin with `{0}`, expected `{MAGIC}`")]
    NoStream(BString),
    /// It is broken.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An object's archive is broken, or can't be written.
    #[error("`{path}` cannot be restored")]
    Object {
        /// The object.
        path: StorePath,
        /// Why.
        #[source]
        source: RestoreError,
    },
    /// An object's files aren't those that its path is the hash of.
    #[error("`{path}` has other contents or references than its path says: they are those of `{found}`")]
    Contents {
        /// The path that the stream gives.
        path: StorePath,
        /// The path of what came.
        found: StorePath,
    },
    /// An object refers to what neither came before nor is in the store.
    #[error("`{path}` refers to `{reference}`, which neither came before it nor is in the store")]
    Dangling {
        /// The object.
        path: StorePath,
        /// What it refers to.
        reference: StorePath,
    },
    /// An object lists references otherwise than each once, in order, and not itself.
    #[error("`{path}` lists `{reference}` among its references out of order, twice, or as itself")]
    References {
        /// The object.
        path: StorePath,
        /// What it refers to.
        reference: StorePath,
    },
    /// A path isn't one, or a name.
    #[error(transparent)]
    StorePath(#[from] StorePathError),
    /// A path isn't UTF-8.
    #[error("the stream has `{0}` where a store path or a name should stand")]
    Text(BString),
    /// A derivation's text isn't what its path is the hash of.
    #[error("the text of the derivation `{path}` is another one's")]
    Derivation {
        /// The derivation.
        path: StorePath,
        /// Why it can't be read, if it can't.
        #[source]
        source: Option<DecodeError>,
    },
    /// Something was realised to what isn't there.
    #[error("the stream says that `{derivation}` was realised to `{path}`, which it did not bring")]
    UnknownObject {
        /// The derivation.
        derivation: StorePath,
        /// The object.
        path: StorePath,
    },
    /// The user called it off.
    #[error("the import was interrupted")]
    Interrupted,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Takes what a stream brings. Every object is verified; its files are made valid one object after the other.
    pub fn import_closure(
        &self,
        source: impl Read,
        trust: Realisations,
        cancelled: &AtomicBool,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Taken, ImportError> {
        let mut input = Input::new(source);
        let magic = input.string("the stream's first word", 32)?;
        if magic != MAGIC {
            return Err(ImportError::NoStream(magic));
        }
        let (mut taken, mut sayings, mut brought) = (Taken::default(), Sayings::default(), BTreeSet::new());
        loop {
            if cancelled.load(Ordering::Relaxed) {
                return Err(ImportError::Interrupted);
            }
            let word = input.word()?;
            match word.as_slice() {
                b"object" => {
                    let path = read_path(&mut input)?;
                    let (size_bytes, is_new) = self.import_object(&mut input, &path)?;
                    progress(Progress { path: &path, size_bytes });
                    brought.insert(path.clone());
                    if is_new { taken.new.push(path) } else { taken.present.push(path) }
                }
                b"derivation" => {
                    let path = read_path(&mut input)?;
                    let text = input.string("a derivation", MAX_DERIVATION_LENGTH)?;
                    check_derivation(&path, &text)?;
                    sayings.derivations.insert(path, text.into());
                }
                b"realisation" => {
                    let derivation = read_path(&mut input)?;
                    let output = text(input.string("the name of an output", MAX_PATH_LENGTH)?)?;
                    check_name(&output)?;
                    let path = read_path(&mut input)?;
                    if !brought.contains(&path) {
                        return Err(ImportError::UnknownObject { derivation, path });
                    }
                    sayings.realisations.insert((derivation, output, path));
                }
                b"end" => break,
                _ => {
                    let expected = "object, derivation, realisation or end";
                    let offset = input.offset();
                    return Err(ArchiveError::Expected { found: word, expected, offset }.into());
                }
            }
        }
        input.end()?;
        // Last, so that nothing is believed of a stream that is broken further on.
        sayings.enter(self, trust, &mut taken)?;
        Ok(taken)
    }

    /// Takes one object, unless it is there. Tells its size in bytes, and whether it is new.
    fn import_object(
        &self,
        input: &mut Input<impl Read>,
        path: &StorePath,
    ) -> Result<(u64, bool), ImportError> {
        let references = read_references(input, path)?;
        for reference in &references {
            if !self.hold(reference)? {
                let (path, reference) = (path.clone(), reference.clone());
                return Err(ImportError::Dangling { path, reference });
            }
        }
        if self.hold(path)? {
            let object = self.database().object(path).map_err(StoreError::from)?;
            archive::read(input, &mut Nothing)?;
            return Ok((object.map_or(0, |object| object.size_bytes), false));
        }
        let guard = RemoveOnDrop(self.new_place()?);
        archive::restore(input, &guard.0)
            .map_err(|source| ImportError::Object { path: path.clone(), source })?;
        let wanted = Wanted::of(path, &Arc::default());
        let new = self.take_in(guard, &wanted)?;
        let found = new.contents().store_path(path.name(), &references)?;
        if found != *path {
            return Err(ImportError::Contents { path: path.clone(), found });
        }
        let size_bytes = new.contents().size_bytes;
        self.commit(new, path.name(), references)?;
        Ok((size_bytes, true))
    }
}

fn read_references(
    input: &mut Input<impl Read>,
    path: &StorePath,
) -> Result<BTreeSet<StorePath>, ImportError> {
    let count = input.number("the number of references")?;
    if count > MAX_REFERENCES {
        let (what, limit, offset) = ("a list", MAX_REFERENCES, input.offset());
        return Err(ArchiveError::TooLong { what, length: count, limit, offset }.into());
    }
    let mut references = BTreeSet::new();
    for _ in 0..count {
        let reference = read_path(input)?;
        if reference == *path || references.last().is_some_and(|last| *last >= reference) {
            return Err(ImportError::References { path: path.clone(), reference });
        }
        references.insert(reference);
    }
    Ok(references)
}

fn check_derivation(path: &StorePath, text: &[u8]) -> Result<(), ImportError> {
    let name = path.plain_name();
    let wrong = |source| ImportError::Derivation { path: path.clone(), source };
    let derivation = Derivation::decode(name, text).map_err(|error| wrong(Some(error)))?;
    if derivation.path()? == *path { Ok(()) } else { Err(wrong(None)) }
}

fn read_path(input: &mut Input<impl Read>) -> Result<StorePath, ImportError> {
    Ok(StorePath::parse(&text(input.string("a store path", MAX_PATH_LENGTH)?)?)?)
}

fn text(bytes: BString) -> Result<String, ImportError> {
    bytes.to_str().map(str::to_owned).map_err(|_| ImportError::Text(bytes.clone()))
}

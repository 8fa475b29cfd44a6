//! Objects from store to store: as a stream of bytes, or from one folder to another.
//!
//! An object proves its own path, so it is taken from anybody: what its files are not is refused. What derivations were *realised* to
//! is somebody's word. A store takes it only from whom its user trusts, and never in place of what it knows itself.
//!
//! A stream, of strings as in [archives](crate::archive):
//!
//! ```text
//! stream       "sx-closure-1" { item } "end"
//! item         "object" path number { path } archive     its references, sorted; they come before it
//!            | "derivation" path text                    resolved, as in the database
//!            | "realisation" path output path            of the derivation, to the object
//! ```
//!
//! Numbers are 8 bytes, little-endian. Objects come first, then derivations, then realisations; a closure has one stream.

mod copy;
mod export;
mod import;

pub use export::ExportError;
pub use import::ImportError;

use crate::database::DatabaseError;
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use sx_derivation::{Derivation, StorePath};

/// First string of a stream.
const MAGIC: &str = "sx-closure-1";

/// Whether the word of the other side is taken for what derivations were realised to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realisations {
    /// It is.
    Trusted,
    /// It is passed over.
    Ignored,
}

/// What was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Objects that weren't there, each after what it refers to.
    pub new: Vec<StorePath>,
    /// Objects that were there already.
    pub present: Vec<StorePath>,
    /// How many realisations were taken.
    pub realisations: usize,
    /// How many were passed over, since nobody said that they are to be trusted.
    pub ignored: usize,
    /// Realisations that contradict this store's own, which stay: derivation, output, what the other side says.
    pub contradicted: Vec<(StorePath, String, StorePath)>,
}

/// One object was taken.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Which.
    pub path: &'a StorePath,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// What is said of objects beside their files.
#[derive(Debug, Default)]
struct Sayings {
    /// Resolved derivations with their texts.
    derivations: BTreeMap<StorePath, Vec<u8>>,
    /// Derivation, output, object.
    realisations: BTreeSet<(StorePath, String, StorePath)>,
}

impl Sayings {
    /// All that `store` says of the objects.
    fn of(store: &Store, paths: &[StorePath]) -> Result<Self, DatabaseError> {
        let mut sayings = Self::default();
        for path in paths {
            for (derivation, output) in store.database().makers(path)? {
                let known = store.database().derivation(&derivation)?;
                let resolved = known.filter(|known: &Derivation| known.input_derivations.is_empty());
                if let Some(resolved) = resolved {
                    sayings.derivations.insert(derivation.clone(), resolved.encode());
                }
                sayings.realisations.insert((derivation, output, path.clone()));
            }
        }
        Ok(sayings)
    }

    /// Enters what `store` doesn't know otherwise, of objects that it has.
    fn enter(self, store: &Store, trust: Realisations, taken: &mut Taken) -> Result<(), StoreError> {
        if trust == Realisations::Ignored {
            taken.ignored = self.realisations.len();
            return Ok(());
        }
        let mut new = Vec::new();
        for (derivation, output, path) in self.realisations {
            match store.database().realisation(&derivation, &output)? {
                Some(own) if own == path => {}
                Some(_) => taken.contradicted.push((derivation, output, path)),
                None => new.push((derivation, output, path)),
            }
        }
        taken.realisations = new.len();
        let derivations: Vec<(StorePath, Vec<u8>)> = self.derivations.into_iter().collect();
        // Marked as somebody's word: nobody attests what he hasn't seen come out so.
        Ok(store.database().register_substituted(&new, &derivations)?)
    }
}

//! Outputs from elsewhere, in place of builds.
//!
//! To take an output two things are needed: a claim of what it is, which the caller believes or doesn't, since he counts who
//! signed it; and a copy of the object, which nobody need be believed for: its path is the hash of what it is.
//!
//! Each derivation is looked at after its inputs, and resolved with what these were realised to or are claimed to be. So of a
//! long chain whose steps are all claimed only what is wanted is taken, with what it refers to; nothing is built or fetched.
//! What can't be taken is built, from inputs of which some may be taken in turn. An output that is pinned by its hash is
//! never taken: it is fetched and held against that.
//!
//! A realisation that was taken is marked in the database: nobody here has seen it come out so.

use crate::object::ObjectError;
use crate::realise::{Failure, Outputs, RealiseError, Realiser, resolve};
use crate::root::entries;
use crate::scan::{DigestText, Wanted};
use crate::store::{New, Store, StoreError, digest_text};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use sx_derivation::{Derivation, Output, StorePath};

/// Copies of objects, none of them verified yet.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    places: BTreeMap<StorePath, PathBuf>,
    texts: BTreeMap<DigestText, StorePath>,
    /// The keys of `texts`.
    known: Arc<BTreeSet<DigestText>>,
}

impl Copies {
    /// All that lies in the stores in these folders. Of several copies of an object the first one's is taken.
    pub fn of_stores(folders: &[PathBuf]) -> Result<Self, StoreError> {
        let mut copies = Self::default();
        for folder in folders {
            for place in entries(&folder.join("store"))? {
                let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let Ok(path) = StorePath::parse_base_name(name) else { continue };
                copies.add(path, place);
            }
        }
        Ok(copies)
    }

    /// Adds objects that somebody says to have, and that will lie in `folder` under their base names once they are fetched.
    /// What is known already is taken from where it lies.
    pub fn promise(&mut self, folder: &Path, paths: impl IntoIterator<Item = StorePath>) {
        for path in paths {
            let place = folder.join(path.base_name());
            self.add(path, place);
        }
    }

    /// Where the copy of an object lies, or will lie.
    pub fn place(&self, path: &StorePath) -> Option<&Path> {
        self.places.get(path).map(PathBuf::as_path)
    }

    fn add(&mut self, path: StorePath, place: PathBuf) {
        Arc::make_mut(&mut self.known).insert(digest_text(&path));
        self.texts.insert(digest_text(&path), path.clone());
        self.places.entry(path).or_insert(place);
    }
}

/// What is taken and what is built.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// What is taken, as it was asked for.
    pub take: Vec<Substitution>,
    /// What is built, each after its inputs.
    pub build: Vec<StorePath>,
}

/// A derivation whose outputs are taken.
#[derive(Clone, Debug)]
pub struct Substitution {
    /// As it was asked for.
    pub derivation: StorePath,
    /// With the contents of its inputs in it.
    pub resolved: Derivation,
    /// What its outputs are claimed to be.
    pub outputs: BTreeMap<String, StorePath>,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Substituted {
    /// Objects that were taken because of claims; what they refer to came with them.
    pub taken: Vec<StorePath>,
    /// Claimed ones whose copies can't be used, and why.
    pub refused: Vec<CopyError>,
}

/// Why a copy can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is none.
    #[error("there is no copy of `{0}`")]
    Missing(StorePath),
    /// It isn't what its name says.
    #[error("the copy of `{path}` in `{}` is damaged or forged: what lies there is `{found}`", place.display())]
    Other {
        /// What it should be.
        path: StorePath,
        /// Where it lies.
        place: PathBuf,
        /// What it is.
        found: StorePath,
    },
    /// It can't be read, or is nothing that can be an object.
    #[error("the copy of `{path}` can't be used")]
    Object {
        /// What it should be.
        path: StorePath,
        /// Why.
        #[source]
        source: ObjectError,
    },
}

/// A copy is of no use, or nothing more can be done.
pub(crate) enum TakeError {
    Copy(Box<CopyError>),
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for TakeError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

impl Realiser<'_> {
    /// What [`substitute`](Self::substitute) would take. `claimed` tells what an output of a resolved derivation is, if that is
    /// to be believed.
    pub fn choose<E: From<RealiseError>>(
        &self,
        wanted: &[(StorePath, String)],
        copies: &Copies,
        claimed: impl FnMut(&StorePath, &str) -> Result<Option<StorePath>, E>,
    ) -> Result<Choice, E> {
        self.choose_without(wanted, copies, claimed, &BTreeSet::new())
    }

    /// Takes what is claimed and has a copy, as far as what is wanted needs it. What is left is for
    /// [`realise`](Self::realise).
    pub fn substitute<E: From<RealiseError>>(
        &self,
        wanted: &[(StorePath, String)],
        copies: &Copies,
        mut claimed: impl FnMut(&StorePath, &str) -> Result<Option<StorePath>, E>,
    ) -> Result<Substituted, E> {
        let (mut substituted, mut without) = (Substituted::default(), BTreeSet::new());
        loop {
            let choice = self.choose_without(wanted, copies, &mut claimed, &without)?;
            let mut is_done = true;
            for substitution in &choice.take {
                let derivation = &substitution.derivation;
                match self.take(substitution, copies) {
                    Ok(()) => substituted.taken.extend(substitution.outputs.values().cloned()),
                    Err(TakeError::Copy(error)) => {
                        substituted.refused.push(*error);
                        without.insert(derivation.clone());
                        is_done = false;
                    }
                    Err(TakeError::Store(error)) => {
                        let failure = match error {
                            StoreError::Interrupted => Failure::Interrupted,
                            error => Failure::Store(error),
                        };
                        let failure = Box::new(failure);
                        return Err(RealiseError { derivation: derivation.clone(), failure }.into());
                    }
                }
            }
            if is_done {
                return Ok(substituted);
            }
        }
    }

    fn choose_without<E: From<RealiseError>>(
        &self,
        wanted: &[(StorePath, String)],
        copies: &Copies,
        mut claimed: impl FnMut(&StorePath, &str) -> Result<Option<StorePath>, E>,
        without: &BTreeSet<StorePath>,
    ) -> Result<Choice, E> {
        let failed = |path: &StorePath| {
            let derivation = path.clone();
            move |failure| E::from(RealiseError { derivation, failure: Box::new(failure) })
        };
        let mut known: BTreeMap<StorePath, Outputs> = BTreeMap::new();
        let mut resolvable: BTreeMap<StorePath, Derivation> = BTreeMap::new();
        let (mut not_taken, mut begun, mut order) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let mut open: Vec<(StorePath, Option<Derivation>)> =
            wanted.iter().rev().map(|(path, _)| (path.clone(), None)).collect();
        while let Some((path, left)) = open.pop() {
            let Some(derivation) = left else {
                if begun.insert(path.clone()) {
                    let derivation = self.derivation(&path).map_err(failed(&path))?;
                    match self.find(&path, &derivation).map_err(failed(&path))? {
                        Some(outputs) => drop(known.insert(path, outputs)),
                        None => {
                            let inputs: Vec<_> = derivation.input_derivations.keys().cloned().collect();
                            open.push((path, Some(derivation)));
                            open.extend(inputs.into_iter().map(|input| (input, None)));
                        }
                    }
                }
                continue;
            };
            let inputs: Vec<StorePath> = derivation.input_derivations.keys().cloned().collect();
            if inputs.iter().all(|input| known.contains_key(input)) {
                let resolved = resolve(&derivation, &known).map_err(failed(&path))?;
                let name = resolved.path().map_err(|error| failed(&path)(error.into()))?;
                let mut outputs = self.find(&name, &resolved).map_err(failed(&path))?;
                if outputs.is_none() && !without.contains(&path) {
                    outputs = believed(&name, &resolved, &mut claimed)?;
                    let has_copies =
                        |outputs: &Outputs| outputs.values().all(|path| copies.places.contains_key(path));
                    let is_pinned = resolved.outputs.values().any(|output| *output != Output::Floating);
                    if is_pinned || !outputs.as_ref().is_some_and(has_copies) {
                        not_taken.insert(path.clone());
                    }
                }
                if let Some(outputs) = outputs {
                    known.insert(path.clone(), outputs);
                    resolvable.insert(path.clone(), resolved);
                }
            }
            order.push((path, inputs));
        }
        // From what is wanted downward, as far as nothing is known.
        let mut needed: BTreeSet<StorePath> = wanted.iter().map(|(path, _)| path.clone()).collect();
        let mut choice = Choice::default();
        for (path, inputs) in order.into_iter().rev() {
            let is_built = !known.contains_key(&path) || not_taken.contains(&path);
            if is_built && needed.contains(&path) {
                needed.extend(inputs);
                choice.build.push(path);
            }
        }
        choice.build.reverse();
        for (derivation, resolved) in resolvable {
            if needed.contains(&derivation) && !not_taken.contains(&derivation) {
                let outputs = known[&derivation].clone();
                choice.take.push(Substitution { derivation, resolved, outputs });
            }
        }
        Ok(choice)
    }

    fn take(&self, substitution: &Substitution, copies: &Copies) -> Result<(), TakeError> {
        let Substitution { derivation, resolved, outputs } = substitution;
        for path in outputs.values() {
            self.store.take(path, copies, self.cancelled)?;
        }
        let name = resolved.path()?;
        let realisations = [&name, derivation].into_iter().flat_map(|derivation| {
            outputs.iter().map(|(output, path)| (derivation.clone(), output.clone(), path.clone()))
        });
        let realisations: Vec<_> = realisations.collect();
        Ok(self.store.database().register_substituted(&realisations, &[(name, resolved.encode())])?)
    }
}

/// What all outputs of a resolved derivation are claimed to be.
fn believed<E>(
    name: &StorePath,
    resolved: &Derivation,
    claimed: &mut impl FnMut(&StorePath, &str) -> Result<Option<StorePath>, E>,
) -> Result<Option<Outputs>, E> {
    let mut outputs = Outputs::new();
    for output in resolved.outputs.keys() {
        match claimed(name, output)? {
            Some(path) => outputs.insert(output.clone(), path),
            None => return Ok(None),
        };
    }
    Ok(Some(outputs))
}

/// An object that is copied in and waits for what it refers to.
struct Waiting {
    new: New,
    path: StorePath,
    references: BTreeSet<StorePath>,
}

impl Store {
    /// Takes an object and all that it refers to from copies, each verified by its path before it becomes valid.
    pub(crate) fn take(
        &self,
        path: &StorePath,
        copies: &Copies,
        cancelled: &AtomicBool,
    ) -> Result<(), TakeError> {
        enum Visit {
            Enter(StorePath),
            Leave(Box<Waiting>),
        }
        let mut open = vec![Visit::Enter(path.clone())];
        while let Some(visit) = open.pop() {
            match visit {
                Visit::Enter(path) => {
                    if cancelled.load(Ordering::Relaxed) {
                        return Err(StoreError::Interrupted.into());
                    }
                    if self.hold(&path)? {
                        continue;
                    }
                    let waiting = self.copy_verified(path, copies, cancelled)?;
                    // Nothing refers in a circle: who made one would have found paths that are each other's hashes.
                    let references: Vec<_> = waiting.references.iter().cloned().map(Visit::Enter).collect();
                    open.push(Visit::Leave(Box::new(waiting)));
                    open.extend(references);
                }
                Visit::Leave(waiting) => {
                    let Waiting { new, path, references } = *waiting;
                    self.commit(new, path.name(), references)?;
                }
            }
        }
        Ok(())
    }

    fn copy_verified(
        &self,
        path: StorePath,
        copies: &Copies,
        cancelled: &AtomicBool,
    ) -> Result<Waiting, TakeError> {
        let refused = |error| Err(TakeError::Copy(Box::new(error)));
        let Some(place) = copies.places.get(&path) else { return refused(CopyError::Missing(path)) };
        let wanted = Wanted::of(&path, &copies.known);
        let new = match self.copy_in(place, &wanted, None, &|| cancelled.load(Ordering::Relaxed)) {
            Ok(new) => new,
            // That is this store's fault, not the copy's.
            Err(StoreError::Object(source)) if !matches!(source, ObjectError::Write { .. }) => {
                return refused(CopyError::Object { path, source });
            }
            Err(error) => return Err(error.into()),
        };
        let contents = new.contents();
        let references: BTreeSet<_> =
            contents.references.keys().map(|text| copies.texts[text].clone()).collect();
        let found = contents.store_path(path.name(), &references)?;
        if found != path {
            return refused(CopyError::Other { path, place: place.clone(), found });
        }
        Ok(Waiting { new, path, references })
    }
}

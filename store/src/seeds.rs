//! What a closure of builds rests on: bytes that nobody built from source, found by walking derivations downward.
//!
//! It is computed from the derivations themselves. Whatever a build reads comes from one of four places:
//!
//! | place | how it is known |
//! |---|---|
//! | a seed | the builder is `builtin:hex0`: digits of a text, trusted as a program |
//! | a declared binary | a pinned file whose derivation has the variable `binarySeed`, which says why |
//! | a source | any other pinned file |
//! | a file of the flake | an object that is an input without being an output |
//!
//! Sources and files that are there are also searched for binaries, by the first bytes of each file. What lies inside
//! archives within archives isn't seen.

use crate::hex0;
use crate::store::{Store, StoreError};
use bstr::ByteSlice;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use sx_derivation::derivation::Output;
use sx_derivation::{Derivation, Derivations, StorePath};

/// The variable by which a pinned file is declared to be no source.
const BINARY_SEED: &[u8] = b"binarySeed";

/// What was found. Each list is in the order of names.
#[derive(Debug, Default)]
pub struct Seeds {
    /// Programs trusted without being built.
    pub seeds: Vec<Pinned>,
    /// Pinned files that are declared to be binaries.
    pub declared: Vec<Pinned>,
    /// Pinned files that are sources.
    pub sources: Vec<Pinned>,
    /// Files and folders of the flake.
    pub files: Vec<Pinned>,
    /// Binaries inside sources and files that are realised.
    pub binaries: Vec<Binary>,
    /// Derivations walked.
    pub derivations: usize,
    /// Derivations that bring sources in: those that fetch, and those that unpack what is no declared binary.
    pub bringing: Vec<StorePath>,
}

/// Something that came in from outside.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// Its name, such as `musl_1.2.5.orig.tar.gz`.
    pub name: String,
    /// Its hash in SRI form, where the expression pins it.
    pub hash: Option<String>,
    /// Its size in bytes; `None` if it isn't in the store.
    pub size_bytes: Option<u64>,
    /// Why it is trusted without being built, where that is declared.
    pub reason: Option<String>,
}

/// A file that by its first bytes is no source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Name of the object.
    pub object: String,
    /// Its place in that; empty for the object itself.
    pub file: PathBuf,
    /// Such as `ELF`.
    pub kind: &'static str,
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum SeedsError {
    /// Nobody knows a derivation.
    #[error("the derivation `{0}` is neither in the expression nor in the store")]
    UnknownDerivation(StorePath),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the store can't be read.
    #[error("cannot read `{}`", location.display())]
    File {
        /// Where it lies.
        location: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Walks from `roots` down; derivations that aren't among the given ones are the store's.
pub fn seeds(
    store: &Store,
    derivations: &Derivations,
    roots: impl IntoIterator<Item = StorePath>,
) -> Result<Seeds, SeedsError> {
    let known = |path: &StorePath| -> Result<Derivation, SeedsError> {
        if let Some(derivation) = derivations.get(path) {
            return Ok(derivation);
        }
        let stored = store.database().derivation(path).map_err(StoreError::from)?;
        stored.ok_or_else(|| SeedsError::UnknownDerivation(path.clone()))
    };
    let mut found = Seeds::default();
    let mut open: Vec<StorePath> = roots.into_iter().collect();
    let mut seen: BTreeSet<StorePath> = open.iter().cloned().collect();
    let mut inputs = BTreeSet::new();
    // Objects to search: what was fetched and unpacked, and what the flake brought.
    let mut objects = BTreeSet::new();
    while let Some(path) = open.pop() {
        let derivation = known(&path)?;
        found.derivations += 1;
        let mut realised = Vec::new();
        for output in derivation.outputs.keys() {
            realised.extend(store.hold_realisation(&path, output)?);
        }
        let pinned = derivation.outputs.values().find_map(|output| match output {
            Output::Floating => None,
            Output::FixedFile(hash) | Output::FixedTree(hash) => Some(hash.to_string()),
        });
        if derivation.builder == "builtin:hex0" {
            let (name, size_bytes) = (derivation.name.clone(), seed_size(store, &derivation)?);
            found.seeds.push(Pinned { name, hash: None, size_bytes, reason: None });
        } else if pinned.is_some() {
            let reason = declared(&derivation);
            let is_declared = reason.is_some();
            let size_bytes = realised.first().map_or(Ok(None), |object| size(store, object))?;
            let list = if is_declared { &mut found.declared } else { &mut found.sources };
            list.push(Pinned { name: derivation.name.clone(), hash: pinned, size_bytes, reason });
            if !is_declared {
                objects.extend(realised);
                found.bringing.push(path);
            }
        } else if derivation.builder == "builtin:unpack" {
            let mut is_declared = false;
            for input in derivation.input_derivations.keys() {
                is_declared |= declared(&known(input)?).is_some();
            }
            if !is_declared {
                objects.extend(realised);
                found.bringing.push(path);
            }
        }
        inputs.extend(derivation.input_sources);
        for input in derivation.input_derivations.into_keys() {
            if seen.insert(input.clone()) {
                open.push(input);
            }
        }
    }
    for input in &inputs {
        let (name, size_bytes) = (input.name().to_owned(), size(store, input)?);
        found.files.push(Pinned { name, hash: None, size_bytes, reason: None });
    }
    objects.extend(inputs);
    for object in &objects {
        search(&mut found.binaries, object.name(), &store.location(object))?;
    }
    for list in [&mut found.seeds, &mut found.declared, &mut found.sources, &mut found.files] {
        list.sort_by(|one, other| one.name.cmp(&other.name));
    }
    found.binaries.sort_by(|one, other| (&one.object, &one.file).cmp(&(&other.object, &other.file)));
    Ok(found)
}

/// Why a pinned file is trusted although it is no source, if that is declared.
fn declared(derivation: &Derivation) -> Option<String> {
    let reason = derivation.environment.get(BINARY_SEED.as_bstr())?;
    Some(reason.to_str_lossy().into_owned())
}

/// How many bytes the digits of a seed are, if their text is there and is one.
fn seed_size(store: &Store, derivation: &Derivation) -> Result<Option<u64>, SeedsError> {
    let source = derivation.variable("src").and_then(|source| StorePath::parse(source).ok());
    let Some(source) = source.filter(|source| derivation.input_sources.contains(source)) else {
        return Ok(None);
    };
    let location = store.location(&source);
    let text = match std::fs::read(&location) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| SeedsError::File { location, source })?,
    };
    Ok(hex0::decode(&text).ok().map(|bytes| bytes.len() as u64))
}

fn size(store: &Store, path: &StorePath) -> Result<Option<u64>, SeedsError> {
    let object = store.database().object(path).map_err(StoreError::from)?;
    Ok(object.map(|object| object.size_bytes))
}

/// Adds the binaries of one object, if it is there. Links are not followed.
fn search(found: &mut Vec<Binary>, object: &str, location: &Path) -> Result<(), SeedsError> {
    let failed = |place: &Path| {
        let location = place.to_owned();
        move |source| SeedsError::File { location, source }
    };
    let mut open = vec![location.to_owned()];
    while let Some(place) = open.pop() {
        let status = match std::fs::symlink_metadata(&place) {
            Ok(status) => status,
            // Not in the store: a file of the flake that no build asked for yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && place == location => return Ok(()),
            Err(error) => return Err(failed(&place)(error)),
        };
        if status.is_dir() {
            for entry in std::fs::read_dir(&place).map_err(failed(&place))? {
                open.push(entry.map_err(failed(&place))?.path());
            }
        } else if status.is_file() {
            let mut start = Vec::with_capacity(START);
            let file = std::fs::File::open(&place).map_err(failed(&place))?;
            file.take(START as u64).read_to_end(&mut start).map_err(failed(&place))?;
            if let Some(kind) = kind(&start) {
                let file = place.strip_prefix(location).unwrap_or(&place).to_owned();
                found.push(Binary { object: object.to_owned(), file, kind });
            }
        }
    }
    Ok(())
}

/// How much of a file tells what it is: a PE header stands within the first kilobyte.
const START: usize = 1024;

/// What kind of binary begins like this, if one does.
fn kind(start: &[u8]) -> Option<&'static str> {
    let is_pe = || {
        let offset = start.get(0x3c..0x40).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        let offset = offset.map_or(usize::MAX, |bytes| u32::from_le_bytes(bytes) as usize);
        start.get(offset..).is_some_and(|rest| rest.starts_with(b"PE\0\0"))
    };
    match start {
        [0x7f, b'E', b'L', b'F', ..] => Some("ELF"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => Some("Mach-O"),
        [0xca, 0xfe, 0xba, 0xbe, ..] => Some("Java class or Mach-O"),
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Some("ar archive"),
        [0, b'a', b's', b'm', ..] => Some("WebAssembly"),
        [b'P', b'K', 3, 4, ..] => Some("zip archive"),
        [b'M', b'Z', ..] if is_pe() => Some("PE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn binaries_are_known_by_their_first_bytes() {
        let mut program = b"MZ".to_vec();
        program.resize(0x3c, 0);
        program.extend([0x40, 0, 0, 0]);
        assert_eq!(kind(&program), None, "the text `MZ` alone is no program");
        program.extend(b"PE\0\0");
        assert_eq!(kind(&program), Some("PE"));
        assert_eq!(kind(b"\x7fELF\x02\x01"), Some("ELF"));
        assert_eq!(kind(b"!<arch>\nmember"), Some("ar archive"));
        assert_eq!(kind(b"\0asm\x01"), Some("WebAssembly"));
        assert_eq!(kind(b"#!/bin/sh"), None);
        assert_eq!(kind(b""), None);
    }
}

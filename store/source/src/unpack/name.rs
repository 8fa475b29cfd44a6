//! Names of entries: which are taken, and what they may stand below.

use super::{Limits, Shown, UnpackError};
use std::collections::BTreeMap;

/// Linux's limit for one component.
const COMPONENT_BYTES: usize = 255;

/// Makes a name of the archive a relative path: components joined by single `/`, none of them `.` or `..`.
/// Empty for the root, which only a directory may be.
pub(super) fn normalise(name: &[u8], is_directory: bool, limits: &Limits) -> Result<Vec<u8>, UnpackError> {
    let refuse = |problem| Err(UnpackError::Name { name: Shown::new(name), problem });
    if name.is_empty() {
        return refuse("is empty");
    }
    if name.len() > limits.path_bytes {
        return Err(UnpackError::Limit { what: "bytes of a path", limit: limits.path_bytes as u64 });
    }
    if name.contains(&0) {
        return refuse("has a NUL in it");
    }
    if name[0] == b'/' {
        return refuse("is absolute");
    }
    let mut path = name;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    if is_directory {
        path = path.strip_suffix(b"/").unwrap_or(path);
        if path.is_empty() || path == b"." {
            return Ok(Vec::new());
        }
    } else if path.is_empty() || path == b"." {
        return refuse("is the archive's root, but no directory");
    }
    let mut depth = 0;
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" => return refuse("has an empty component"),
            b"." => return refuse("has a component `.`"),
            b".." => return refuse("has a component `..`"),
            _ if component.len() > COMPONENT_BYTES => return refuse("has a component longer than 255 bytes"),
            _ => depth += 1,
        }
    }
    if depth > limits.depth {
        return Err(UnpackError::Limit { what: "levels of directories", limit: limits.depth as u64 });
    }
    Ok(path.to_vec())
}

/// What stands at a path.
#[derive(Clone)]
pub(super) enum Occupant {
    Directory,
    /// A directory that has no entry of its own so far.
    ImpliedDirectory,
    File {
        size: u64,
    },
    Symlink {
        target: Vec<u8>,
    },
}

/// All paths of an archive so far.
#[derive(Default)]
pub(super) struct Names {
    occupants: BTreeMap<Vec<u8>, Occupant>,
    bytes: u64,
}

impl Names {
    /// Puts something at a path, and directories above it.
    pub(super) fn add(
        &mut self,
        path: &[u8],
        occupant: Occupant,
        limits: &Limits,
    ) -> Result<(), UnpackError> {
        let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        for (end, _) in slashes {
            match self.occupants.get(&path[..end]) {
                Some(Occupant::Directory | Occupant::ImpliedDirectory) => break,
                Some(_) => return Err(UnpackError::NotInDirectory(Shown::new(path))),
                None => self.insert(&path[..end], Occupant::ImpliedDirectory, limits)?,
            }
        }
        match (self.occupants.get_mut(path), occupant) {
            (None, occupant) => self.insert(path, occupant, limits),
            (Some(there @ Occupant::ImpliedDirectory), occupant @ Occupant::Directory) => {
                *there = occupant;
                Ok(())
            }
            (Some(_), _) => Err(UnpackError::Duplicate(Shown::new(path))),
        }
    }

    /// Whether there is nothing, or only the root.
    pub(super) fn is_empty(&self) -> bool {
        self.occupants.keys().all(Vec::is_empty)
    }

    /// What stands at a path.
    pub(super) fn get(&self, path: &[u8]) -> Option<&Occupant> {
        self.occupants.get(path)
    }

    fn insert(&mut self, path: &[u8], occupant: Occupant, limits: &Limits) -> Result<(), UnpackError> {
        self.bytes += path.len() as u64;
        if let Occupant::Symlink { target } = &occupant {
            self.bytes += target.len() as u64;
        }
        if self.bytes > limits.all_paths_bytes {
            return Err(UnpackError::Limit { what: "bytes of all paths", limit: limits.all_paths_bytes });
        }
        if self.occupants.len() as u64 >= limits.entries {
            return Err(UnpackError::Limit { what: "entries", limit: limits.entries });
        }
        self.occupants.insert(path.to_vec(), occupant);
        Ok(())
    }
}

//! What a layer holds, before it is written: a tree whose parts lie on disk, or are given.
//!
//! Directories of the store stand here by their location, and are listed only where something else is to go
//! into them too. So memory is bounded by what is merged, not by what an object holds.

use crate::error::ExportError;
use crate::header::Attributes;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A directory's entries by the bytes of their names.
pub(crate) type Entries = BTreeMap<Vec<u8>, Content>;

/// A file, link or directory of an image.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Entries from more than one place, or from none.
    Directory { attributes: Attributes, entries: Entries },
    /// Whatever lies there, with all below it.
    Tree { location: PathBuf, modes: Modes },
    /// A file that is given.
    File { attributes: Attributes, bytes: Vec<u8> },
    /// A link that is given.
    Symlink { target: Vec<u8> },
}

/// Permissions that files on disk get. Changing them changes every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modes {
    /// As in the store: nothing is writable.
    Store,
    /// As distributions have them: the owner, root, may write.
    Root,
}

impl Modes {
    pub(crate) const fn directory(self) -> Attributes {
        Attributes::new(match self {
            Self::Store => 0o555,
            Self::Root => 0o755,
        })
    }

    pub(crate) const fn file(self, is_executable: bool) -> Attributes {
        Attributes::new(match (self, is_executable) {
            (Self::Store, true) => 0o555,
            (Self::Store, false) => 0o444,
            (Self::Root, true) => 0o755,
            (Self::Root, false) => 0o644,
        })
    }
}

impl Default for Content {
    /// An empty directory, as the root of an image is.
    fn default() -> Self {
        Self::Directory { attributes: Attributes::new(0o755), entries: Entries::new() }
    }
}

impl Content {
    /// Wraps this into the directories of `path`, relative and without a trailing slash.
    pub(crate) fn at(self, path: &[u8]) -> Self {
        path.rsplit(|&byte| byte == b'/').filter(|name| !name.is_empty()).fold(self, |inner, name| {
            let entries = Entries::from([(name.to_vec(), inner)]);
            Self::Directory { attributes: Attributes::new(0o755), entries }
        })
    }

    /// The entries, if this is a directory; one on disk is listed.
    pub(crate) fn entries(self) -> Result<Option<(Attributes, Entries)>, ExportError> {
        let (location, modes) = match self {
            Self::Directory { attributes, entries } => return Ok(Some((attributes, entries))),
            Self::Tree { location, modes } => (location, modes),
            Self::File { .. } | Self::Symlink { .. } => return Ok(None),
        };
        if !is_directory(&location)? {
            return Ok(None);
        }
        let tree = |name| Self::Tree { location: location.join(&name), modes };
        let entries = names(&location)?.into_iter();
        let entries = entries.map(|name| (name.as_bytes().to_vec(), tree(name))).collect();
        Ok(Some((modes.directory(), entries)))
    }

    /// Adds all of `other`. Directories become one; anything else that is in both is a conflict.
    ///
    /// `path` is where both stand in the image, for errors. Its depth is bounded by that of what is in both.
    pub(crate) fn merge(&mut self, other: Self, path: &[u8]) -> Result<(), ExportError> {
        let conflict = || ExportError::Conflict { path: shown(path), between: Default::default() };
        let (attributes, mut entries) = std::mem::take(self).entries()?.ok_or_else(conflict)?;
        let (added_attributes, added) = other.entries()?.ok_or_else(conflict)?;
        for (name, content) in added {
            let below = [path, &name].join(&b'/');
            match entries.entry(name) {
                MapEntry::Vacant(vacant) => drop(vacant.insert(content)),
                MapEntry::Occupied(mut occupied) => occupied.get_mut().merge(content, &below)?,
            }
        }
        // Only a directory that an expression gives has others than the usual ones, and it means them.
        let is_usual = [Modes::Store, Modes::Root].iter().any(|modes| modes.directory() == added_attributes);
        let attributes = if is_usual { attributes } else { added_attributes };
        *self = Self::Directory { attributes, entries };
        Ok(())
    }
}

fn is_directory(location: &Path) -> Result<bool, ExportError> {
    let found = std::fs::symlink_metadata(location).map_err(|error| ExportError::read(location, error))?;
    Ok(found.is_dir())
}

/// The names in a directory, in the system's order.
pub(crate) fn names(location: &Path) -> Result<Vec<std::ffi::OsString>, ExportError> {
    let failed = |error| ExportError::read(location, error);
    let entries = std::fs::read_dir(location).map_err(failed)?;
    entries.map(|entry| Ok(entry.map_err(failed)?.file_name())).collect()
}

/// A path of the image for people: absolute.
pub(crate) fn shown(path: &[u8]) -> PathBuf {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    PathBuf::from(std::ffi::OsString::from_vec([b"/", path].concat()))
}

//! Looks at the files of an object without reading them: lengths, kinds, modes, times, owners, extended attributes.

use crate::object::{MODIFICATION_TIME, join};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    /// Sum of the files' and links' lengths in bytes.
    pub(crate) size_bytes: u64,
    /// What isn't canonical, each with the file; empty for the object itself.
    pub(crate) faults: Vec<(PathBuf, Fault)>,
}

/// What is wrong with a file, whatever it holds.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Its mode, and what is expected of a file of its kind.
    Mode(u32, &'static str),
    Time,
    /// It is no file, folder or link, which reading it tells.
    Kind,
    /// The number of the user that it belongs to.
    Owner(u32),
    /// The name of an attribute that it should not have.
    Attribute(String),
}

/// Most bytes that the names of a file's attributes have (`XATTR_LIST_MAX`).
const MOST_NAMES: usize = 1 << 16;

/// Whether what belongs to `user` is safe in a store that belongs to `owner`: root could change it anyway. Groups don't matter,
/// since no mode lets one change anything.
pub(crate) const fn is_trusted(user: u32, owner: u32) -> bool {
    user == owner || user == 0
}

/// Looks at the tree at `location`, which should belong to `owner`.
pub(crate) fn inspect(location: &Path, owner: u32) -> std::io::Result<Inspection> {
    let mut names = vec![0; MOST_NAMES];
    let mut inspection = Inspection::default();
    walk(location, |place, found| {
        let below = place.strip_prefix(location).unwrap_or(place).to_owned();
        let mode = found.mode() & 0o7777;
        let kind = found.file_type();
        let (is_canonical, expected) = match mode {
            _ if kind.is_symlink() => (true, ""),
            _ if kind.is_dir() => (mode == 0o555, "0555"),
            _ => (matches!(mode, 0o444 | 0o555), "0444 or 0555"),
        };
        if !(kind.is_symlink() || kind.is_dir() || kind.is_file()) {
            inspection.faults.push((below.clone(), Fault::Kind));
        } else if !is_canonical {
            inspection.faults.push((below.clone(), Fault::Mode(mode, expected)));
        } else if (found.mtime(), found.mtime_nsec()) != (MODIFICATION_TIME, 0) {
            inspection.faults.push((below.clone(), Fault::Time));
        }
        if !is_trusted(found.uid(), owner) {
            inspection.faults.push((below.clone(), Fault::Owner(found.uid())));
        }
        let attributes = attributes(place, &mut names)?;
        inspection.faults.extend(attributes.into_iter().map(|name| (below.clone(), Fault::Attribute(name))));
        if !kind.is_dir() {
            inspection.size_bytes += found.len();
        }
        Ok(())
    })?;
    Ok(inspection)
}

/// The attributes of a file that somebody gave it: capabilities, which make its program more than it is, and what users keep there.
/// Others are the host's: labels of its security modules, lists of access, which no more than the mode allows.
fn attributes(place: &Path, names: &mut [u8]) -> std::io::Result<Vec<String>> {
    let length = match rustix::fs::llistxattr(place, &mut *names) {
        Err(Errno::NOTSUP) => 0,
        length => length?,
    };
    let names = names[..length].split(|&byte| byte == 0);
    let is_given = |name: &&[u8]| *name == b"security.capability" || name.starts_with(b"user.");
    Ok(names.filter(is_given).map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// Takes an attribute from a file of the tree at `location`, which has to be made canonical afterwards.
pub(crate) fn remove_attribute(location: &Path, below: &Path, name: &str) -> std::io::Result<()> {
    let place = join(location, below);
    let found = std::fs::symlink_metadata(&place)?;
    if !found.file_type().is_symlink() {
        // An ordinary user changes attributes only of what he may write to.
        std::fs::set_permissions(&place, Permissions::from_mode(found.mode() | 0o200))?;
    }
    match rustix::fs::lremovexattr(&place, name) {
        // Taken from another name of the same file.
        Err(Errno::NODATA) => Ok(()),
        removed => Ok(removed?),
    }
}

/// Gives a file to `owner`.
pub(crate) fn set_owner(place: &Path, owner: u32) -> std::io::Result<()> {
    let owner = Some(Uid::from_raw(owner));
    Ok(rustix::fs::chownat(CWD, place, owner, None, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Gives every file of the tree at `location` the mode and the time that it should have.
pub(crate) fn make_canonical(location: &Path) -> std::io::Result<()> {
    crate::object::make_accessible(location)?;
    let mut places = Vec::new();
    walk(location, |place, found| {
        places.push((place.to_owned(), found));
        Ok(())
    })?;
    let time = Timespec { tv_sec: MODIFICATION_TIME, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    // Folders after what they hold, while they can still be entered.
    for (place, found) in places.into_iter().rev() {
        if !found.file_type().is_symlink() {
            let is_open = found.is_dir() || found.mode() & 0o100 != 0;
            let mode = if is_open { 0o555 } else { 0o444 };
            std::fs::set_permissions(&place, Permissions::from_mode(mode))?;
        }
        rustix::fs::utimensat(CWD, &place, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Calls `look` for each file, folders before what they hold.
fn walk(
    location: &Path,
    mut look: impl FnMut(&Path, std::fs::Metadata) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut open = vec![location.to_owned()];
    while let Some(place) = open.pop() {
        let found = std::fs::symlink_metadata(&place)?;
        let is_dir = found.is_dir();
        look(&place, found)?;
        if is_dir {
            for entry in std::fs::read_dir(&place)? {
                open.push(entry?.path());
            }
        }
    }
    Ok(())
}

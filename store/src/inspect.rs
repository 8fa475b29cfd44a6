//! Looks at the files of an object without reading them: lengths, kinds, modes, times.

use crate::object::MODIFICATION_TIME;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    /// Sum of the files' and links' lengths in bytes.
    pub(crate) size_bytes: u64,
    /// Files whose mode, or `None` their time, isn't canonical; empty for the object itself.
    pub(crate) faults: Vec<(PathBuf, Option<u32>)>,
}

/// Looks at the tree at `location`.
pub(crate) fn inspect(location: &Path) -> std::io::Result<Inspection> {
    let mut inspection = Inspection::default();
    walk(location, |place, found| {
        let below = place.strip_prefix(location).unwrap_or(place).to_owned();
        let mode = found.mode() & 0o7777;
        let kind = found.file_type();
        let is_canonical = match mode {
            0o555 => kind.is_dir() || kind.is_file(),
            0o444 => kind.is_file(),
            _ => kind.is_symlink(),
        };
        if !is_canonical {
            inspection.faults.push((below, Some(mode)));
        } else if (found.mtime(), found.mtime_nsec()) != (MODIFICATION_TIME, 0) {
            inspection.faults.push((below, None));
        }
        if !kind.is_dir() {
            inspection.size_bytes += found.len();
        }
        Ok(())
    })?;
    Ok(inspection)
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

//! Takes a tree from wherever a builder or a user left it into new files of our own: copied, canonical, hashed.
//!
//! Canonical means: regular files with mode 0444 or 0555, directories with 0555, symbolic links; modification time
//! [`MODIFICATION_TIME`]; nothing else. Everything is read and written through directory descriptors without following
//! a link, so that nobody who can still write to the source can lead the copy astray.

mod walk;

use self::walk::walk;
use crate::scan::{DigestText, Wanted};
use crate::share::Sharing;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use sx_derivation::{Digest, StorePath};

/// Modification time of everything in the store, seconds since 1970: not 0, which some programs take for "none".
pub const MODIFICATION_TIME: i64 = 1;

/// Deepest nesting of directories in an object; each level holds two descriptors while it is copied.
pub const MAX_DEPTH: usize = 200;

/// Longest path below an object, in bytes: programs can name files by 4,095, which begin with where the store lies.
pub const MAX_PATH_BYTES: usize = 3500;

/// Files that are flushed one by one; from there on one `syncfs` is cheaper.
const FLUSHED_EACH: u64 = 16;

/// Why a tree can't become an object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// A device, FIFO or socket.
    #[error("`{path}` is a {kind}; an object holds only files, directories and symbolic links")]
    BadKind {
        /// Where it lies in the tree.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// Deeper than [`MAX_DEPTH`].
    #[error("`{path}` is nested deeper than {MAX_DEPTH} directories")]
    TooDeep {
        /// Where it lies in the tree.
        path: String,
    },
    /// Longer than [`MAX_PATH_BYTES`].
    #[error("a path in the tree is {length} bytes long, more than {MAX_PATH_BYTES}: `{path}…`")]
    TooLong {
        /// Its beginning.
        path: String,
        /// Its length below the tree's root, in bytes.
        length: usize,
    },
    /// A file's name holds the digest of the object itself, so it can't be rewritten without changing the order.
    #[error("the name `{path}` contains the object's own store path; only contents and links may")]
    OwnName {
        /// Where it lies in the tree.
        path: String,
    },
    /// A filter refused to answer.
    #[error("the filter failed for `{path}`")]
    Filter {
        /// Where it lies in the tree.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Whoever asked for it called it off.
    #[error("the way through the tree was called off")]
    CalledOff,
    /// The tree could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Where it lies in the tree.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The copy could not be written.
    #[error("cannot write `{path}` to the store")]
    Write {
        /// Where it lies in the tree.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Decides which paths below a source enter the object.
pub type Filter<'a> =
    dyn FnMut(&Path, FileType) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> + 'a;

/// Asked again and again on the way through a tree, for each entry and each piece of a file, by several threads: whether it is to
/// be given up. One file may be as long as a disk, and a hole longer than any.
pub type CalledOff<'a> = dyn Fn() -> bool + Sync + 'a;

/// For what is read to its end.
pub const NEVER: &CalledOff<'static> = &|| false;

/// Where a copy goes.
#[derive(Debug)]
pub struct Destination<'a> {
    /// Nothing is there yet.
    pub place: &'a Path,
    /// By way of which files that are in the store already become links.
    pub sharing: Option<Sharing>,
}

/// A tree that was read: what its store path is made from.
#[derive(Debug)]
pub struct Contents {
    /// Digest of the tree with mentions of its own digest blanked.
    pub tree: Digest,
    /// Digests mentioned in it, as they were found (before replacement), each with the first file that does: its path
    /// below the tree's root.
    pub references: BTreeMap<DigestText, PathBuf>,
    /// Sum of the files' and links' lengths in bytes.
    pub size_bytes: u64,
    /// Number of regular files.
    pub files: u64,
    own: Vec<OwnMention>,
}

#[derive(Debug)]
struct OwnMention {
    path: PathBuf,
    /// Empty for a symbolic link.
    offsets: Vec<u64>,
}

impl Contents {
    /// Whether the tree mentions its own digest.
    pub fn refers_to_itself(&self) -> bool {
        !self.own.is_empty()
    }

    /// The first file that mentions the tree's own digest: its path below the tree's root.
    pub fn own_mention(&self) -> Option<&Path> {
        self.own.first().map(|mention| &*mention.path)
    }

    /// The store path of an object with these contents.
    pub fn store_path(
        &self,
        name: &str,
        references: &BTreeSet<StorePath>,
    ) -> Result<StorePath, sx_derivation::store_path::StorePathError> {
        StorePath::of_object(name, self.tree, references, self.refers_to_itself())
    }
}

/// Reads the tree at `source` without copying it.
pub fn read(
    source: &Path,
    wanted: &Wanted,
    filter: Option<&mut Filter<'_>>,
    called_off: &CalledOff<'_>,
) -> Result<Contents, ObjectError> {
    walk(source, None, wanted, filter, called_off)
}

/// Copies the tree at `source` to `destination`: call [`Copied::fill_in`] with the store path that its contents give, and then
/// [`flush`]. What an error leaves there is the caller's to remove.
pub fn copy(
    source: &Path,
    destination: Destination<'_>,
    wanted: &Wanted,
    filter: Option<&mut Filter<'_>>,
    called_off: &CalledOff<'_>,
) -> Result<Copied, ObjectError> {
    let location = destination.place.into();
    let contents = walk(source, Some(destination), wanted, filter, called_off)?;
    Ok(Copied { contents, location, own: wanted.own })
}

/// Reads the tree at `location`, which is canonical, as if it had been copied there.
pub fn adopt(location: &Path, wanted: &Wanted) -> Result<Copied, ObjectError> {
    let contents = walk(location, None, wanted, None, NEVER)?;
    Ok(Copied { contents, location: location.into(), own: wanted.own })
}

/// A copy whose mentions of itself still have to be filled in.
#[derive(Debug)]
pub struct Copied {
    /// What was copied.
    pub contents: Contents,
    location: PathBuf,
    own: Option<DigestText>,
}

impl Copied {
    /// Writes `path`'s digest wherever the copy mentions itself.
    pub fn fill_in(&self, path: &StorePath) -> Result<(), ObjectError> {
        let digest = path.digest().to_string();
        for mention in &self.contents.own {
            let location = join(&self.location, &mention.path);
            self.fill_in_one(&location, mention, digest.as_bytes())
                .map_err(|source| ObjectError::Write { path: show(&mention.path), source })?;
        }
        Ok(())
    }

    /// What was copied is read-only by now, which holds back an ordinary user: it is made writable for the moment.
    fn fill_in_one(&self, location: &Path, mention: &OwnMention, digest: &[u8]) -> std::io::Result<()> {
        if mention.offsets.is_empty() {
            let folder = location.parent().unwrap_or(Path::new("/"));
            return while_writable(folder, || self.replace_link(location, digest));
        }
        while_writable(location, || {
            let file = File::options().write(true).open(location)?;
            for &offset in &mention.offsets {
                file.write_all_at(digest, offset)?;
            }
            Ok(())
        })
    }

    fn replace_link(&self, location: &Path, digest: &[u8]) -> std::io::Result<()> {
        let own = self.own.as_ref().expect("a mention of itself was found, so it was looked for");
        let target = std::fs::read_link(location)?;
        let target = bstr::ByteSlice::replace(target.as_os_str().as_bytes(), own, digest);
        std::fs::remove_file(location)?;
        std::os::unix::fs::symlink(OsStr::from_bytes(&target), location)?;
        set_time(rustix::fs::CWD, &c_path(location), AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// Makes trees durable that lie in `folder`, each with the number of its regular files.
pub fn flush(folder: &Path, trees: &[(PathBuf, u64)]) -> std::io::Result<()> {
    if trees.iter().map(|(_, files)| files).sum::<u64>() <= FLUSHED_EACH {
        return trees.iter().try_for_each(|(location, _)| flush_each(location));
    }
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Changes a file or directory of ours, which afterwards has the mode and the times that it had.
fn while_writable(location: &Path, change: impl FnOnce() -> std::io::Result<()>) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::symlink_metadata(location)?.permissions().mode();
    std::fs::set_permissions(location, std::fs::Permissions::from_mode(mode | 0o200))?;
    change()?;
    std::fs::set_permissions(location, std::fs::Permissions::from_mode(mode))?;
    set_time(rustix::fs::CWD, &c_path(location), AtFlags::empty())
}

fn flush_each(location: &Path) -> std::io::Result<()> {
    let kind = std::fs::symlink_metadata(location)?.file_type();
    if kind.is_dir() {
        for entry in std::fs::read_dir(location)? {
            flush_each(&entry?.path())?;
        }
    }
    if kind.is_symlink() { Ok(()) } else { File::open(location)?.sync_all() }
}

/// Times that [`MODIFICATION_TIME`] asks for.
const TIMES: Timestamps = {
    let time = Timespec { tv_sec: MODIFICATION_TIME, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
};

fn set_time(folder: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> std::io::Result<()> {
    Ok(rustix::fs::utimensat(folder, name, &TIMES, flags)?)
}

/// A directory and a name in it.
type Place<'a> = (BorrowedFd<'a>, &'a CStr);

fn open_directory((folder, name): Place<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Joins, but keeps `base` as it is when there is nothing to add (no trailing slash).
pub(crate) fn join(base: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { base.into() } else { base.join(below) }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_else(|_| CString::from(c"path-with-a-zero-byte"))
}

/// Deletes a tree, whatever modes its directories have. Nothing there is success.
pub fn remove(location: &Path) -> std::io::Result<()> {
    match rustix::fs::statat(rustix::fs::CWD, location, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            // Only modes that a builder chose stand in the way, and only for an ordinary user.
            std::fs::remove_dir_all(location).or_else(|_| {
                make_accessible(location)?;
                std::fs::remove_dir_all(location)
            })
        }
        Ok(_) => std::fs::remove_file(location),
    }
}

/// Gives a tree of ours the modes that reading and deleting it take, whatever its builder left. Gives the sum of its files' and
/// links' lengths in bytes, which is what a copy of it will have.
pub fn make_accessible(location: &Path) -> std::io::Result<u64> {
    change_modes(location, |kind, mode| mode | if kind == FileType::Directory { 0o700 } else { 0o400 })
}

/// Lets us read a tree of the store. What is changed has a mode that nothing in an object has, so that it is still found to be
/// wrong if it isn't set right.
pub(crate) fn make_readable(location: &Path) -> std::io::Result<()> {
    let change = |kind, mode| match kind {
        FileType::Directory if mode & 0o500 != 0o500 => mode | 0o700,
        FileType::RegularFile if mode & 0o400 == 0 => mode | 0o600,
        _ => mode,
    };
    change_modes(location, change).map(drop)
}

/// Takes set-user-id and set-group-id bits from all that a tree of ours holds.
pub fn take_set_id(location: &Path) -> std::io::Result<()> {
    // A directory that its builder closed is opened to look into it.
    let needed = |kind| if kind == FileType::Directory { 0o500 } else { 0 };
    change_modes(location, |kind, mode| (mode | needed(kind)) & !0o6000).map(drop)
}

/// Iterative, with two directories open at a time, so that no nesting exhausts anything; and no way leads out through a link, even
/// if somebody is at work in the tree. Gives the sum of the lengths of what isn't a directory.
fn change_modes(location: &Path, change: impl Fn(FileType, u32) -> u32) -> std::io::Result<u64> {
    let name = c_path(location);
    let (kind, mut size_bytes) = change_mode(rustix::fs::CWD, &name, &change)?;
    if kind != FileType::Directory {
        return Ok(size_bytes);
    }
    let top = open_directory((rustix::fs::CWD, &name))?;
    let mut folders = vec![PathBuf::from(".")];
    while let Some(folder) = folders.pop() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let opened = rustix::fs::openat2(&top, &folder, flags, Mode::empty(), resolve)?;
        for entry in Dir::read_from(&opened)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes() == b"." || name.to_bytes() == b".." {
                continue;
            }
            let (kind, length) = change_mode(opened.as_fd(), name, &change)?;
            size_bytes = length.saturating_add(size_bytes);
            if kind == FileType::Directory {
                folders.push(folder.join(OsStr::from_bytes(name.to_bytes())));
            }
        }
    }
    Ok(size_bytes)
}

/// Gives what isn't a link the mode that `change` makes of its own. Gives its kind, and its length in bytes if it is no directory.
fn change_mode(
    folder: BorrowedFd<'_>,
    name: &CStr,
    change: impl Fn(FileType, u32) -> u32,
) -> std::io::Result<(FileType, u64)> {
    let to_change = |stat: &Stat| {
        let (kind, mode) = (FileType::from_raw_mode(stat.st_mode), stat.st_mode & 0o7777);
        let wanted = if kind == FileType::Symlink { mode } else { change(kind, mode) };
        (kind, (wanted != mode).then(|| Mode::from_raw_mode(wanted)))
    };
    let mut stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let (mut kind, mut wanted) = to_change(&stat);
    if wanted.is_some() {
        // By a descriptor, so that what is changed is what was looked at, and nothing that a link leads to.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        stat = rustix::fs::fstat(&opened)?;
        (kind, wanted) = to_change(&stat);
        if let Some(wanted) = wanted {
            rustix::fs::chmod(format!("/proc/self/fd/{}", opened.as_raw_fd()), wanted)?;
        }
    }
    let length = if kind == FileType::Directory { 0 } else { stat.st_size.unsigned_abs() };
    Ok((kind, length))
}

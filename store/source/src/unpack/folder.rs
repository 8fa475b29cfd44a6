//! The directory that is being filled. Every step is relative to an open directory and follows no link, so that
//! nothing in an archive, and nobody beside us, can lead a write elsewhere.

use super::{Archive, Shown, UnpackError};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};

/// A directory beside the destination, with the chain of directories that the last entry was in.
pub(super) struct Folder<'a> {
    parent: BorrowedFd<'a>,
    name: String,
    stage: String,
    root: OwnedFd,
    open: Vec<(Vec<u8>, OwnedFd)>,
}

impl<'a> Folder<'a> {
    /// Makes the directory to work in; one that a killed process left is removed first.
    pub(super) fn create(parent: BorrowedFd<'a>, name: &str) -> Result<Self, UnpackError> {
        let failed = |errno: Errno| write_error(name.as_bytes(), errno.into());
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err(failed(Errno::INVAL));
        }
        match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
            Ok(_) => return Err(UnpackError::DestinationExists(Shown::new(name.as_bytes()))),
        }
        let stage = format!(".{name}.unpacking");
        remove_tree(parent, &stage).map_err(failed)?;
        fs::mkdirat(parent, &*stage, Mode::RWXU).map_err(failed)?;
        let root = open_directory(parent, stage.as_bytes()).map_err(failed)?;
        Ok(Self { parent, name: name.into(), stage, root, open: Vec::new() })
    }

    /// Makes a directory, or finds the one that an earlier entry implied.
    pub(super) fn directory(&mut self, path: &[u8]) -> Result<(), UnpackError> {
        self.descend(path, path).map(|_| ())
    }

    /// Makes a symbolic link.
    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        let (directory, name) = self.parent_of(path, path)?;
        fs::symlinkat(target, directory, name).map_err(|errno| entry_error(path, errno))
    }

    /// Makes a file with the content of the archive's current entry.
    pub(super) fn file(
        &mut self,
        path: &[u8],
        executable: bool,
        archive: &mut Archive<'_>,
    ) -> Result<(), UnpackError> {
        let mut file = self.new_file(path)?;
        archive.copy_content(&mut |piece| file.write_all(piece).map_err(|error| write_error(path, error)))?;
        set_mode(&file, executable).map_err(|errno| entry_error(path, errno))
    }

    /// Copies an earlier file.
    pub(super) fn copy(&mut self, path: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        let (directory, name) = self.parent_of(target, path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let original =
            fs::openat(directory, name, flags, Mode::empty()).map_err(|errno| entry_error(path, errno))?;
        let mut original = File::from(original);
        let mut file = self.new_file(path)?;
        let copied = io::copy(&mut original, &mut file).and_then(|_| original.metadata());
        let metadata = copied.map_err(|error| write_error(path, error))?;
        let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0;
        set_mode(&file, executable).map_err(|errno| entry_error(path, errno))
    }

    /// Puts the result at its place, without its only top-level directory, whose name is returned.
    pub(super) fn finish(&mut self) -> Result<Option<Vec<u8>>, UnpackError> {
        self.open.clear();
        let top = self.only_directory().map_err(|errno| self.stage_error(errno))?;
        let moved = match &top {
            Some(top) => rename(self.root.as_fd(), top.as_bytes(), self.parent, &self.name)
                .and_then(|()| fs::unlinkat(self.parent, &*self.stage, AtFlags::REMOVEDIR)),
            None => fs::fchmod(&self.root, Mode::from_raw_mode(0o755))
                .and_then(|()| rename(self.parent, self.stage.as_bytes(), self.parent, &self.name)),
        };
        match moved {
            Ok(()) => Ok(top.map(CString::into_bytes)),
            Err(Errno::EXIST) => Err(UnpackError::DestinationExists(Shown::new(self.name.as_bytes()))),
            Err(errno) => Err(self.stage_error(errno)),
        }
    }

    /// Removes everything.
    pub(super) fn discard(mut self) -> Result<(), UnpackError> {
        self.open.clear();
        remove_tree(self.parent, &self.stage).map_err(|errno| self.stage_error(errno))
    }

    fn stage_error(&self, errno: Errno) -> UnpackError {
        write_error(self.name.as_bytes(), errno.into())
    }

    fn only_directory(&self) -> Result<Option<CString>, Errno> {
        let mut only = None;
        for entry in Dir::read_from(&self.root)? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            if only.replace(entry.file_name().to_owned()).is_some() {
                return Ok(None);
            }
        }
        let Some(name) = only else { return Ok(None) };
        let status = fs::statat(&self.root, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((FileType::from_raw_mode(status.st_mode) == FileType::Directory).then_some(name))
    }

    fn new_file(&mut self, path: &[u8]) -> Result<File, UnpackError> {
        let (directory, name) = self.parent_of(path, path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR);
        file.map(File::from).map_err(|errno| entry_error(path, errno))
    }

    /// The directory that `path` is in, and the last component. Errors name `entry`.
    fn parent_of<'p>(
        &mut self,
        path: &'p [u8],
        entry: &[u8],
    ) -> Result<(BorrowedFd<'_>, &'p [u8]), UnpackError> {
        let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        Ok((self.descend(directory, entry)?, name))
    }

    /// Opens a directory below the root, making what isn't there. The chain of the last time is kept open, since
    /// archives go through a directory's files one after another.
    fn descend(&mut self, directory: &[u8], entry: &[u8]) -> Result<BorrowedFd<'_>, UnpackError> {
        let components = || directory.split(|byte| *byte == b'/').filter(|component| !component.is_empty());
        let same =
            self.open.iter().zip(components()).take_while(|((open, _), wanted)| open == wanted).count();
        self.open.truncate(same);
        for component in components().skip(same) {
            let above = self.open.last().map_or(&self.root, |(_, descriptor)| descriptor);
            let is_new = match fs::mkdirat(above, component, Mode::RWXU) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(errno) => return Err(entry_error(entry, errno)),
            };
            let descriptor =
                open_directory(above.as_fd(), component).map_err(|errno| entry_error(entry, errno))?;
            if is_new {
                // The mode of mkdir would depend on the umask.
                fs::fchmod(&descriptor, Mode::from_raw_mode(0o755))
                    .map_err(|errno| entry_error(entry, errno))?;
            }
            self.open.push((component.to_vec(), descriptor));
        }
        Ok(self.open.last().map_or(&self.root, |(_, descriptor)| descriptor).as_fd())
    }
}

fn open_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(parent, name, flags, Mode::empty())
}

fn set_mode(file: &File, executable: bool) -> Result<(), Errno> {
    fs::fchmod(file, Mode::from_raw_mode(if executable { 0o755 } else { 0o644 }))
}

/// Renames without replacing anything, as far as the file system knows how.
fn rename(from: BorrowedFd<'_>, name: &[u8], to: BorrowedFd<'_>, new: &str) -> Result<(), Errno> {
    match fs::renameat_with(from, name, to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => fs::renameat(from, name, to, new),
        result => result,
    }
}

/// Removes a directory and all below, going down without recursion and through no link.
fn remove_tree(parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    let mut chain: Vec<(CString, OwnedFd)> = match open_directory(parent, name.as_bytes()) {
        Ok(descriptor) => vec![(name, descriptor)],
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    while let Some((_, directory)) = chain.last() {
        let mut below = None;
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match fs::unlinkat(directory, name, AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::ISDIR | Errno::PERM) => {
                    below = Some((name.to_owned(), open_directory(directory.as_fd(), name.to_bytes())?));
                    break;
                }
                Err(errno) => return Err(errno),
            }
        }
        if let Some(below) = below {
            chain.push(below);
        } else if let Some((name, _)) = chain.pop() {
            let above = chain.last().map_or(parent, |(_, descriptor)| descriptor.as_fd());
            fs::unlinkat(above, &name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(())
}

fn entry_error(path: &[u8], errno: Errno) -> UnpackError {
    match errno {
        Errno::EXIST => UnpackError::Duplicate(Shown::new(path)),
        Errno::NOTDIR | Errno::LOOP => UnpackError::NotInDirectory(Shown::new(path)),
        errno => write_error(path, errno.into()),
    }
}

fn write_error(path: &[u8], source: io::Error) -> UnpackError {
    UnpackError::Write { name: Shown::new(path), source }
}

//! The file that a download grows in: named by the pinned hash, locked, and trusted only as a whole.

use super::FetchError;
use crate::hasher::Hasher;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use sx_derivation::Hash;

/// How often a wait looks whether it was cancelled.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// A locked, growing download.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    hash: Hash,
    hasher: Hasher,
    length: u64,
}

impl Partial {
    /// Opens or creates the file for `hash`, waiting for another process that fetches the same. `waiting` is
    /// called once if it has to.
    pub(super) fn lock(
        folder: &Path,
        hash: &Hash,
        waiting: &mut dyn FnMut(),
        cancel: &AtomicBool,
    ) -> Result<Self, FetchError> {
        let path = folder.join(format!("{}-{}.partial", hash.algorithm(), hash.to_hex()));
        let failed = |source| FetchError::Write { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut has_waited = false;
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = options.custom_flags(nofollow()).open(&path).map_err(failed)?;
            loop {
                match file.try_lock() {
                    Ok(()) => break,
                    Err(TryLockError::WouldBlock) => {
                        if !std::mem::replace(&mut has_waited, true) {
                            waiting();
                        }
                        pause(POLL, cancel)?;
                    }
                    Err(TryLockError::Error(source)) => return Err(failed(source)),
                }
            }
            // Who had the lock may have renamed the file away, or removed it: then this is no longer the one.
            if is_at(&file, &path).map_err(failed)? {
                let hasher = Hasher::new(hash.algorithm())
                    .ok_or_else(|| FetchError::WeakHash { hash: hash.clone() })?;
                return Ok(Self { path, file, hash: hash.clone(), hasher, length: 0 });
            }
        }
    }

    /// Takes over what an earlier try left, hashing it.
    pub(super) fn resume(&mut self, cancel: &AtomicBool) -> Result<(), FetchError> {
        self.reset_hasher();
        self.length = 0;
        self.seek_to(0)?;
        let mut buffer = [0; 64 << 10];
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(FetchError::Cancelled);
            }
            match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.hasher.update(&buffer[..count]);
                    self.length += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Bytes so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(|error| self.failed(error))?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Starts over.
    pub(super) fn reset(&mut self) -> Result<(), FetchError> {
        self.file.set_len(0).map_err(|error| self.failed(error))?;
        self.reset_hasher();
        self.length = 0;
        self.seek_to(0)
    }

    /// The hash of all bytes so far.
    pub(super) fn hash(&self) -> Hash {
        self.hasher.clone().finish()
    }

    /// Whether it begins like a page for people, which servers give instead of a missing file.
    pub(super) fn looks_like_html(&mut self) -> bool {
        let mut first = Vec::new();
        let read = self.seek_to(0).is_ok() && (&self.file).take(64).read_to_end(&mut first).is_ok();
        let first = first.trim_ascii_start().to_ascii_lowercase();
        read && (first.starts_with(b"<!doctype html") || first.starts_with(b"<html"))
    }

    /// Makes the verified file durable at its destination.
    pub(super) fn move_to(self, destination: &Path) -> Result<(), FetchError> {
        let failed = |source| FetchError::Write { path: destination.into(), source };
        self.file.set_permissions(PermissionsExt::from_mode(0o644)).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        let folder = destination.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        match std::fs::rename(&self.path, destination) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let name = format!(".{}-{}.copy", self.hash.algorithm(), self.hash.to_hex());
                let copy = folder.join(name);
                std::fs::copy(&self.path, &copy)
                    .and_then(|_| File::open(&copy)?.sync_all())
                    .and_then(|()| std::fs::rename(&copy, destination))
                    .and_then(|()| std::fs::remove_file(&self.path))
                    .map_err(failed)?;
            }
            result => result.map_err(failed)?,
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Leaves the file for a later try; an empty one is no use to it.
    pub(super) fn leave(self) -> Result<(), FetchError> {
        match self.file.metadata() {
            Ok(metadata) if metadata.len() == 0 => {
                std::fs::remove_file(&self.path).map_err(|error| self.failed(error))
            }
            _ => Ok(()),
        }
    }

    fn reset_hasher(&mut self) {
        self.hasher = Hasher::new(self.hash.algorithm())
            .expect("this holds because the function was good enough when the file was locked");
    }

    fn seek_to(&mut self, offset: u64) -> Result<(), FetchError> {
        self.file.seek(SeekFrom::Start(offset)).map(|_| ()).map_err(|error| self.failed(error))
    }

    fn failed(&self, source: io::Error) -> FetchError {
        FetchError::Write { path: self.path.clone(), source }
    }
}

/// Waits, unless cancelled.
pub(super) fn pause(time: Duration, cancel: &AtomicBool) -> Result<(), FetchError> {
    let mut left = time;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(FetchError::Cancelled);
        }
        if left.is_zero() {
            return Ok(());
        }
        let slice = left.min(POLL);
        std::thread::sleep(slice);
        left -= slice;
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

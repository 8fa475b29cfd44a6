//! Locks between processes: `flock` on a file, let go by the kernel when its process ends, however it ends.
//!
//! Two kinds: a [`Lock`] is one thing's, its file is made for it and deleted after; the [`Gate`] is the store's, its
//! file stays, and many may be inside side by side unless one wants to be alone. Only their owner can open these files: a lock
//! takes no more than that, so anybody who may read the store could keep its users waiting for ever.

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest sleep between two tries. The kernel's own waiting can't be called off: it goes on after a signal.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Of the files.
const MODE: u32 = 0o600;

/// A lock that is held until it is dropped, between threads as well as between processes.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`. The file is made for it and deleted after. If another holds it, calls `waiting` once
    /// and waits; `None` if that was called off.
    pub fn take(
        path: &Path,
        cancelled: &AtomicBool,
        waiting: impl FnOnce(),
    ) -> std::io::Result<Option<Self>> {
        let mut waiting = Some(waiting);
        let mut pause = Pause::default();
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(Some(lock));
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            if cancelled.load(Ordering::Relaxed) {
                return Ok(None);
            }
            pause.sleep();
        }
    }

    /// Takes the lock at `path` if nobody holds it.
    pub fn try_take(path: &Path) -> std::io::Result<Option<Self>> {
        let file = open(path)?;
        if !try_flock(&file, FlockOperation::NonBlockingLockExclusive)? {
            return Ok(None);
        }
        // The one before us may have deleted the file after we opened it: then this is a lock on nothing.
        let same = std::fs::metadata(path)
            .is_ok_and(|now| file.metadata().is_ok_and(|ours| ours.ino() == now.ino()));
        Ok(same.then(|| Self { path: path.into(), _file: file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Deleted while it is still held; a file that stays is taken again by the next one.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Held by any number that only read what a collector changes, or by one collector. See [`crate::root`].
#[derive(Debug)]
pub struct Gate {
    _file: File,
}

impl Gate {
    /// Makes it, and closes one to others that an older sx made.
    pub fn make(path: &Path) -> std::io::Result<()> {
        let file = open(path)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            // One that is root's stays as it is, and lets its users in all the same.
            let _ = file.set_permissions(Permissions::from_mode(MODE));
        }
        Ok(())
    }

    /// Enters beside others. Waits for a collector, which is inside for moments only.
    pub fn enter(path: &Path) -> std::io::Result<Self> {
        let file = open(path)?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockShared))?;
        Ok(Self { _file: file })
    }

    /// Enters alone. `None` if the wait was called off.
    pub fn enter_alone(path: &Path, cancelled: &AtomicBool) -> std::io::Result<Option<Self>> {
        let file = open(path)?;
        let mut pause = Pause::default();
        while !try_flock(&file, FlockOperation::NonBlockingLockExclusive)? {
            if cancelled.load(Ordering::Relaxed) {
                return Ok(None);
            }
            pause.sleep();
        }
        Ok(Some(Self { _file: file }))
    }
}

/// Opens a lock's file, which is made if it isn't there.
fn open(path: &Path) -> std::io::Result<File> {
    match File::options().create(true).truncate(false).write(true).mode(MODE).open(path) {
        // Root's, from an older sx that left it open to readers, in a store that isn't root's.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => File::open(path),
        opened => opened,
    }
}

/// Takes a `flock` without waiting. Tells whether it did.
pub(crate) fn try_flock(file: &File, operation: FlockOperation) -> std::io::Result<bool> {
    match rustix::io::retry_on_intr(|| rustix::fs::flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Sleeps longer each time, since most locks are held for moments and some for hours.
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_micros(200))
    }
}

impl Pause {
    pub(crate) fn sleep(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    static GOES_ON: AtomicBool = AtomicBool::new(false);

    #[test]
    fn only_one_thread_at_a_time_holds_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (inside, rounds) = (AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _lock = Lock::take(&path, &GOES_ON, || {}).unwrap().unwrap();
                        assert!(!inside.swap(true, Ordering::SeqCst));
                        rounds.fetch_add(1, Ordering::SeqCst);
                        inside.store(false, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(rounds.into_inner(), 400);
        assert!(!path.exists());
    }

    #[test]
    fn waiting_is_told_and_can_be_called_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _held = Lock::try_take(&path).unwrap().unwrap();
        let cancelled = AtomicBool::new(false);
        let waited = Lock::take(&path, &cancelled, || cancelled.store(true, Ordering::Relaxed)).unwrap();
        assert!(waited.is_none() && cancelled.into_inner());
        assert!(path.exists(), "the holder's file stays");
    }

    #[test]
    fn many_are_inside_the_gate_or_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate");
        let alone = || Gate::enter_alone(&path, &AtomicBool::new(true)).unwrap();
        let (first, second) = (Gate::enter(&path).unwrap(), Gate::enter(&path).unwrap());
        assert!(alone().is_none());
        drop(first);
        assert!(alone().is_none());
        drop(second);
        assert!(alone().is_some());
    }

    #[test]
    fn locks_are_closed_to_all_but_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, gate) = (folder.path().join("lock"), folder.path().join("gate"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        let _held = Lock::try_take(&lock).unwrap().unwrap();
        assert_eq!(mode(&lock), 0o600);
        std::fs::write(&gate, "").unwrap();
        std::fs::set_permissions(&gate, Permissions::from_mode(0o644)).unwrap();
        let _inside = Gate::enter(&gate).unwrap();
        Gate::make(&gate).unwrap();
        assert_eq!(mode(&gate), 0o600);
    }
}

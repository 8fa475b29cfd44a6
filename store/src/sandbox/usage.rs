//! What a build uses: looked at from outside while it runs, since an ordinary user has no control groups to count in.
//!
//! | limit | how |
//! |---|---|
//! | memory | the resident memory of all its processes is summed, pages that they share counted for each; 20 looks a second |
//! | processes | the kernel refuses two more to the build's user (`RLIMIT_NPROC`, counted in each user namespace); one more ends it |
//! | disk | the blocks of its folder are summed, at most a twentieth of the time; one file of more ends its writer |
//! | `/dev/shm` | its file system has the smaller of the limits on memory and disk: more is an error of whoever writes |
//!
//! Whoever allocates quickly gets a little beyond a limit before he is ended. Linux 5.14 counts processes of a namespace by
//! themselves; older kernels count all of the user.

use super::{Limits, SandboxError};
use rustix::process::Pid;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest time between two looks at processes and their memory.
pub(super) const INTERVAL: Duration = Duration::from_millis(50);

/// How many times as long as a look at the disk took nobody looks again.
const PAUSES: u32 = 20;

/// Looks at a running build.
pub(super) struct Watch<'a> {
    limits: &'a Limits,
    first: Pid,
    folder: &'a Path,
    next: Instant,
    next_disk: Instant,
    page_bytes: u64,
}

impl<'a> Watch<'a> {
    /// `first` is the sandbox's first process, whose child the builder is; `folder` is the sandbox's.
    pub(super) fn new(limits: &'a Limits, first: Pid, folder: &'a Path) -> Self {
        let (next, page_bytes) = (Instant::now(), rustix::param::page_size() as u64);
        Self { limits, first, folder, next, next_disk: next, page_bytes }
    }

    /// Fails if the build uses more than it may. Cheap to call as often as one likes.
    pub(super) fn look(&mut self) -> Result<(), SandboxError> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + INTERVAL;
        if self.limits.memory_bytes.is_some() || self.limits.processes.is_some() {
            let used = used_by(self.first, self.page_bytes);
            match self.limits.memory_bytes {
                Some(limit) if used.memory_bytes > limit => return Err(SandboxError::Memory(limit)),
                _ => {}
            }
            match self.limits.processes {
                Some(limit) if used.tasks > limit => return Err(SandboxError::Processes(limit)),
                _ => {}
            }
        }
        if let Some(limit) = self.limits.disk_bytes.filter(|_| now >= self.next_disk) {
            let is_over = disk_bytes(self.folder) > limit;
            self.next_disk = Instant::now() + now.elapsed() * PAUSES;
            if is_over {
                return Err(SandboxError::Disk(limit));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Used {
    memory_bytes: u64,
    /// Processes and threads, without the first process.
    tasks: u64,
}

/// What the descendants of a process use. What can't be read has just ended.
fn used_by(first: Pid, page_bytes: u64) -> Used {
    let mut used = Used::default();
    let mut open = vec![first.as_raw_nonzero().get().unsigned_abs()];
    while let Some(process) = open.pop() {
        let place = PathBuf::from(format!("/proc/{process}"));
        let tasks: Vec<PathBuf> = std::fs::read_dir(place.join("task"))
            .map(|tasks| tasks.filter_map(|task| Some(task.ok()?.path())).collect())
            .unwrap_or_default();
        if process != first.as_raw_nonzero().get().unsigned_abs() {
            used.tasks += tasks.len() as u64;
            let pages = std::fs::read_to_string(place.join("statm")).ok();
            let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
            used.memory_bytes += pages.unwrap_or(0) * page_bytes;
        }
        for task in tasks {
            let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
            open.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    used
}

/// The blocks of all files below a folder that others change meanwhile, in bytes. What can't be read isn't counted.
fn disk_bytes(folder: &Path) -> u64 {
    let allocated = |found: &Metadata| found.blocks() * 512;
    let (mut sum, mut open) = (0, vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        // A link in place of a folder leads to reading what isn't the build's, and counting it: no more than that.
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            sum += allocated(&found);
            if found.is_dir() {
                open.push(entry.path());
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_memory_of_children_is_counted() {
        let own = Pid::from_raw(std::process::id().cast_signed()).unwrap();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let used = used_by(own, 4096);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(used.tasks >= 1 && used.memory_bytes >= 4096, "{used:?}");
    }

    #[test]
    fn blocks_are_counted_and_holes_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let before = disk_bytes(folder.path());
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/file"), vec![1; 100_000]).unwrap();
        std::fs::File::create(folder.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let found = disk_bytes(folder.path()) - before;
        assert!((100_000..200_000).contains(&found), "{found}");
    }
}

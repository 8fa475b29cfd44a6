//! The folders of a sandbox on disk, and the mounts that make them the builder's view.

use super::reversed::{self, Reversed};
use super::{BUILD_GROUP, BUILD_USER, Folders, SHELL_VARIABLE, Sandbox, SandboxError, WorkingFiles};
use crate::store::make_folder;
use bstr::BStr;
use std::ffi::{CString, OsStr};
use std::fs::{FileType, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Who the builder is outside its user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) user: u32,
    pub(super) group: u32,
    /// Whether that is somebody else than we are: then folders must be handed over.
    pub(super) is_other: bool,
}

/// One mount on the way in, done in order.
#[derive(Debug)]
pub(super) enum Mount {
    /// What lies at `source` appears at `target` too.
    Bind { source: CString, target: CString },
    /// The builder's own processes.
    Proc { target: CString },
    /// An empty folder in memory.
    Memory { target: CString, options: CString },
    /// The mount at `target` gets `MOUNT_ATTR_*` attributes.
    Attributes { target: CString, attributes: u64 },
}

/// The user that builders of the host's root run as: nobody else's, outside the ranges that Debian hands out.
const BUILD_USER_OF_ROOT: u32 = 0x5358_0000;

/// `nobody`, for when we are root of a container that has only the usual 65,536 users.
const NOBODY: u32 = 65534;

const WRITABLE: [(&str, u32); 4] =
    [("build", 0o700), ("tmp", 0o1777), ("dev/shm", 0o1777), ("sx/store", 0o755)];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const LINKS: [(&str, &str); 4] = [
    ("dev/fd", "/proc/self/fd"),
    ("dev/stdin", "/proc/self/fd/0"),
    ("dev/stdout", "/proc/self/fd/1"),
    ("dev/stderr", "/proc/self/fd/2"),
];

/// Chooses who the builder is outside.
pub(super) fn outside() -> Outside {
    // The same for all builds: our own namespace doesn't change.
    static OUTSIDE: OnceLock<Outside> = OnceLock::new();
    *OUTSIDE.get_or_init(find_outside)
}

fn find_outside() -> Outside {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let ours = Outside { user: user.as_raw(), group: group.as_raw(), is_other: false };
    if !user.is_root() {
        return ours;
    }
    // Where only root itself is mapped, root is no more than the user who made this namespace.
    let other =
        [BUILD_USER_OF_ROOT, NOBODY].into_iter().find(|&id| is_mapped("uid", id) && is_mapped("gid", id));
    other.map_or(ours, |id| Outside { user: id, group: id, is_other: true })
}

/// Whether our own namespace has `id`.
fn is_mapped(kind: &str, id: u32) -> bool {
    let Ok(map) = std::fs::read_to_string(format!("/proc/self/{kind}_map")) else { return false };
    map.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().filter_map(|number| number.parse::<u64>().ok());
        let (Some(first), Some(_), Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        (first..first + count).contains(&u64::from(id))
    })
}

/// Makes the folders below [`Sandbox::folder`]. Lists the mounts, and what is copied into them.
pub(super) fn make(
    sandbox: &Sandbox,
    outside: Outside,
) -> Result<(Vec<Mount>, Option<Reversed>), SandboxError> {
    let folders = sandbox.visit.as_ref().map_or(Folders::New, |visit| visit.folders);
    let view = View { root: sandbox.folder.join("root"), outside, folders };
    view.folder(&sandbox.folder, 0o755)?;
    for folder in ["", "build", "tmp", "dev", "dev/shm", "proc", "etc", "sx", "sx/store"] {
        let mode = WRITABLE.iter().find(|(name, _)| *name == folder).map_or(0o755, |(_, mode)| *mode);
        view.folder(&view.root.join(folder), mode)?;
    }
    let user = format!("builder:x:{BUILD_USER}:{BUILD_GROUP}:sx builder:/build:/noshell\n");
    view.file("etc/passwd", user)?;
    view.file("etc/group", format!("builders:x:{BUILD_GROUP}:\n"))?;
    view.file("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    if let Some(visit) = &sandbox.visit {
        view.file("etc/profile", &visit.profile)?;
    }
    for (link, target) in LINKS {
        view.link(&view.root.join(link), Path::new(target))?;
    }

    if let Some(shell) = sandbox.environment.get(BStr::new(SHELL_VARIABLE)) {
        view.folder(&view.root.join("bin"), 0o755)?;
        view.link(&view.root.join("bin/sh"), Path::new(OsStr::from_bytes(shell)))?;
    }

    // The root itself, so that it can be pivoted to and made read-only under the writable folders.
    let mut mounts = vec![bind(&view.root, &view.root)];
    for (folder, mode) in WRITABLE {
        let path = view.root.join(folder);
        view.hand_over(&path)?;
        let in_memory = sandbox.conditions.working_files == WorkingFiles::InMemory && folder != "sx/store";
        mounts.extend([
            if in_memory { memory(&path, mode) } else { bind(&path, &path) },
            attributes(&path, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV),
        ]);
    }
    for device in DEVICES {
        let target = view.root.join("dev").join(device);
        view.empty_file(&target)?;
        mounts.push(bind(&Path::new("/dev").join(device), &target));
        let limits = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
        mounts.push(attributes(&target, limits));
    }
    let mut copied = Vec::new();
    for (path, location) in &sandbox.inputs {
        let target = sandbox.output(path);
        let is_mounted = view.mount_point(location, &target)?;
        if is_mounted && sandbox.conditions.reversed.contains(path) && location.is_dir() {
            mounts.push(memory(&target, 0o755));
            copied.push((path, location.as_path()));
        } else if is_mounted {
            mounts.push(bind(location, &target));
            let limits = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
            mounts.push(attributes(&target, limits));
        }
    }
    mounts.push(Mount::Proc { target: c_string(&view.root.join("proc")) });
    let limits = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    mounts.push(attributes(&view.root, limits));
    Ok((mounts, reversed::list(&copied).map_err(failed("list the inputs in", &sandbox.folder))?))
}

struct View {
    root: PathBuf,
    outside: Outside,
    folders: Folders,
}

impl View {
    fn folder(&self, path: &Path, mode: u32) -> Result<(), SandboxError> {
        self.unless_kept(make_folder(path, mode)).map_err(failed("make the folder", path))
    }

    /// What is there of an earlier time will do.
    fn unless_kept(&self, made: std::io::Result<()>) -> std::io::Result<()> {
        match made {
            Err(error)
                if error.kind() == std::io::ErrorKind::AlreadyExists && self.folders == Folders::Kept =>
            {
                Ok(())
            }
            made => made,
        }
    }

    fn file(&self, path: &str, text: impl AsRef<[u8]>) -> Result<(), SandboxError> {
        let path = self.root.join(path);
        if self.folders == Folders::Kept && path.exists() {
            std::fs::remove_file(&path).map_err(failed("replace", &path))?;
        }
        std::fs::write(&path, text).map_err(failed("write", &path))?;
        // The same whether the builder owns it or not.
        std::fs::set_permissions(&path, Permissions::from_mode(0o444)).map_err(failed("close", &path))
    }

    fn empty_file(&self, path: &Path) -> Result<(), SandboxError> {
        self.unless_kept(std::fs::File::create_new(path).map(drop)).map_err(failed("make", path))
    }

    fn link(&self, path: &Path, target: &Path) -> Result<(), SandboxError> {
        self.unless_kept(symlink(target, path)).map_err(failed("make the link", path))
    }

    fn hand_over(&self, path: &Path) -> Result<(), SandboxError> {
        if !self.outside.is_other {
            return Ok(());
        }
        chown(path, Some(self.outside.user), Some(self.outside.group)).map_err(failed("hand over", path))
    }

    /// Makes what the object at `location` can be mounted on. A link can't be: it is made anew, and that is all.
    fn mount_point(&self, location: &Path, target: &Path) -> Result<bool, SandboxError> {
        let kind: FileType =
            std::fs::symlink_metadata(location).map_err(failed("find the input", location))?.file_type();
        if kind.is_symlink() {
            let points_to = std::fs::read_link(location).map_err(failed("read", location))?;
            self.link(target, &points_to)?;
            return Ok(false);
        }
        if kind.is_dir() {
            self.folder(target, 0o555)?
        } else {
            self.empty_file(target)?
        }
        Ok(true)
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SandboxError {
    move |source| SandboxError::Prepare { action, path: path.into(), source }
}

fn bind(source: &Path, target: &Path) -> Mount {
    Mount::Bind { source: c_string(source), target: c_string(target) }
}

/// In the builder's user namespace, so these are its own numbers.
fn memory(target: &Path, mode: u32) -> Mount {
    let options = format!("mode={mode:o},uid={BUILD_USER},gid={BUILD_GROUP}");
    let options = CString::new(options).expect("numbers have no zero byte");
    Mount::Memory { target: c_string(target), options }
}

fn attributes(target: &Path, attributes: u64) -> Mount {
    Mount::Attributes { target: c_string(target), attributes }
}

pub(super) fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path that was used for a file has no zero byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_somebody_else_in_its_builds() {
        let outside = outside();
        let ours = rustix::process::geteuid().as_raw();
        assert!(ours != 0 || !is_mapped("uid", NOBODY) || outside.is_other);
        assert!(outside.is_other || outside.user == ours);
    }
}

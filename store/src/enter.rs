//! Puts this process where the host's tree is as it is, but `/sx/store` is a store's folder: programs of the store find what
//! they were built with, whoever runs them and wherever the store lies.
//!
//! An ordinary user can't make `/sx` on the host. So the process gets mounts of its own: a root in memory, on which
//! everything of the host's root is mounted again, and the store beside it, read-only. Who may not do this as he is does it in a
//! user namespace, in which he is himself and nobody else is anybody: programs that change the user, such as `sudo`, don't
//! work there.
//!
//! This is no sandbox: what runs there may do what its user may do.

use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};
use rustix::thread::UnshareFlags;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use sx_derivation::store_path::STORE_FOLDER;

/// Why a process can't be put there.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The host lets nobody, or not this user, make user namespaces.
    #[error(
        "this host does not let the current user make a user namespace, in which `{STORE_FOLDER}` is shown"
    )]
    NoUserNamespace(#[source] std::io::Error),
    /// The kernel or the file system refused a step.
    #[error("cannot {action} `{path}` to show the store at `{STORE_FOLDER}`")]
    Step {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn failed<E: Into<std::io::Error>>(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(E) -> EnterError {
    move |source| EnterError::Step { action, path: path.into(), source: source.into() }
}

/// Puts this process, which must have one thread, where `/sx/store` shows the objects of the store in `folder`. What it
/// becomes or starts is there too. Does nothing where that is so already.
pub fn enter(folder: &Path) -> Result<(), EnterError> {
    let objects = folder.join("store");
    // Nothing can be mounted on a link.
    let objects = std::fs::canonicalize(&objects).map_err(failed("find", &objects))?;
    if is_shown(&objects)? {
        return Ok(());
    }
    let here = std::env::current_dir().map_err(failed("find", "."))?;
    make_namespaces()?;
    // What the host mounts later shall be seen here, and nothing from here there.
    let propagation = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", propagation).map_err(failed("separate the mounts below", "/"))?;
    let opened =
        rustix::fs::open(&objects, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let opened = opened.map_err(failed("open", &objects))?;
    let store = clone_tree(&opened, Path::new(""), &objects)?;
    let mut parts = Vec::new();
    for name in entries()? {
        let place = Path::new("/").join(&name);
        let found = std::fs::symlink_metadata(&place).map_err(failed("look at", &place))?;
        let part = if found.is_symlink() {
            Part::Link(std::fs::read_link(&place).map_err(failed("read", &place))?)
        } else {
            Part::Mount { tree: clone_tree(CWD, &place, &place)?, is_folder: found.is_dir() }
        };
        parts.push((name, part));
    }
    // Anything that is there would do as the new root's place: it is gone from sight with the old one.
    let root = new_root(&objects)?;
    for (name, part) in &parts {
        part.make(&root, Path::new(name))?;
    }
    for folder in ["sx", "sx/store"] {
        let made = rustix::fs::mkdirat(&root, folder, Mode::from_raw_mode(0o755));
        made.map_err(failed("make the folder", Path::new("/").join(folder)))?;
    }
    attach(&store, &root, Path::new("sx/store"))?;
    make_read_only(&root, &opened)?;
    rustix::process::fchdir(&root).map_err(failed("enter", "/"))?;
    rustix::process::pivot_root(".", ".").map_err(failed("change", "/"))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(failed("leave the old", "/"))?;
    rustix::process::chdir(&here).map_err(failed("return to", &here))
}

/// Whether `/sx/store` is the folder of objects already: on a host made so, or in a shell that `sx` started.
fn is_shown(objects: &Path) -> Result<bool, EnterError> {
    let wanted = std::fs::metadata(objects).map_err(failed("find", objects))?;
    let found = std::fs::metadata(STORE_FOLDER);
    Ok(found.is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino())))
}

/// Makes the process's mounts its own; in a user namespace if it may not otherwise.
fn make_namespaces() -> Result<(), EnterError> {
    match unshare(UnshareFlags::NEWNS) {
        Err(Errno::PERM) => {}
        done => return done.map_err(failed("separate the mounts below", "/")),
    }
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)
        .map_err(|error| EnterError::NoUserNamespace(error.into()))?;
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
    ] {
        std::fs::write(file, text).map_err(failed("write", file))?;
    }
    Ok(())
}

#[expect(
    deprecated,
    reason = "what makes it unsafe is a flag that isn't given: it could close others' descriptors"
)]
fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    rustix::thread::unshare(flags)
}

/// What the host's root has, in order; but `/sx`.
fn entries() -> Result<Vec<std::ffi::OsString>, EnterError> {
    let entries = std::fs::read_dir("/").and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(failed("read", "/"))?;
    let mut names: Vec<_> = entries.into_iter().map(|entry| entry.file_name()).collect();
    names.retain(|name| name.as_bytes() != b"sx");
    names.sort();
    Ok(names)
}

/// One entry of the host's root.
enum Part {
    Link(PathBuf),
    Mount { tree: OwnedFd, is_folder: bool },
}

impl Part {
    fn make(&self, root: &OwnedFd, name: &Path) -> Result<(), EnterError> {
        match self {
            Self::Link(target) => {
                rustix::fs::symlinkat(target, root, name).map_err(failed("make the link", name))
            }
            Self::Mount { tree, is_folder } => {
                if *is_folder {
                    let mode = Mode::from_raw_mode(0o755);
                    rustix::fs::mkdirat(root, name, mode).map_err(failed("make the folder", name))?;
                } else {
                    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                    let made = rustix::fs::openat(root, name, flags, Mode::from_raw_mode(0o444));
                    made.map_err(failed("make", name))?;
                }
                attach(tree, root, name)
            }
        }
    }
}

/// The file or folder with all that is mounted below it, attached to nothing.
fn clone_tree(folder: impl AsFd, name: &Path, shown: &Path) -> Result<OwnedFd, EnterError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW
        | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(folder, name, flags).map_err(failed("mount again", shown))
}

fn attach(tree: &OwnedFd, root: &OwnedFd, name: &Path) -> Result<(), EnterError> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", root, name, flags).map_err(failed("mount", name))
}

/// An empty folder in memory, mounted at `place`.
fn new_root(place: &Path) -> Result<OwnedFd, EnterError> {
    let make = || {
        let kind = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_set_string(&kind, "mode", "755")?;
        rustix::mount::fsconfig_create(&kind)?;
        let limits = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let root = rustix::mount::fsmount(&kind, FsMountFlags::FSMOUNT_CLOEXEC, limits)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(&root, "", CWD, place, flags)?;
        Ok::<_, Errno>(root)
    };
    make().map_err(failed("mount a new root on", place))
}

/// Forbids writing to the store's objects and to the new root itself, both mounts without others below them.
fn make_read_only(root: &OwnedFd, objects: &OwnedFd) -> Result<(), EnterError> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    let found = rustix::fs::fstatvfs(objects).map_err(failed("look at", "sx/store"))?;
    // What the host forbids on this file system can't be allowed again.
    let no_programs = match found.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        true => MountFlags::NOEXEC,
        false => MountFlags::empty(),
    };
    rustix::process::fchdir(root).map_err(failed("enter", "/"))?;
    for (place, flags) in [("sx/store", flags | no_programs), (".", flags)] {
        rustix::mount::mount_remount(place, flags, "").map_err(failed("make read-only", place))?;
    }
    Ok(())
}

//! What makes a builder's view: the folders of a sandbox on disk, made here, and a list of [`Entry`]s that the sandbox's first
//! process makes on a root in memory, so that a build costs the disk no more files than it may write to.
//!
//! ```text
//! FOLDER/build, tmp, store    on disk: the builder's /build, /tmp and /sx/store
//! ```

use super::process::{Reader, Writer};
use super::reversed::{self, Reversed};
use super::{
    BUILD_FOLDER, BUILD_GROUP, BUILD_USER, Folders, SHELL_VARIABLE, Sandbox, SandboxError, WorkingFiles,
};
use crate::store::make_folder;
use bstr::BStr;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::OnceLock;
use sx_derivation::StorePath;
use sx_derivation::store_path::STORE_FOLDER;

/// Who the builder is outside its user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) user: u32,
    pub(super) group: u32,
    /// Whether that is somebody else than we are: then folders must be handed over.
    pub(super) is_other: bool,
}

/// Something in the view, made as the build user with the view's root as root, in order. What is there of a kept build stays.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    Folder {
        place: Cow<'a, CStr>,
        mode: u32,
    },
    File {
        place: Cow<'a, CStr>,
        mode: u32,
        text: Cow<'a, [u8]>,
    },
    Link {
        place: Cow<'a, CStr>,
        target: Cow<'a, CStr>,
    },
    /// One more name of an empty file.
    Name {
        place: Cow<'a, CStr>,
        file: Cow<'a, CStr>,
    },
    /// What lies in a folder outside appears at `place` too.
    Bind {
        folder: Source,
        name: Cow<'a, CStr>,
        place: Cow<'a, CStr>,
    },
    /// The builder's own processes.
    Proc {
        place: Cow<'a, CStr>,
    },
    /// An empty file of the view in place of what is there, if it is there.
    Cover {
        file: Cow<'a, CStr>,
        place: Cow<'a, CStr>,
    },
    /// An empty folder in memory.
    Memory {
        place: Cow<'a, CStr>,
        options: Cow<'a, CStr>,
    },
}

impl<'a> Entry<'a> {
    pub(super) fn write(&self, plan: &mut Writer) {
        match self {
            Self::Folder { place, mode } => {
                plan.number(0);
                plan.text(place);
                plan.number((*mode).into());
            }
            Self::File { place, mode, text } => {
                plan.number(1);
                plan.text(place);
                plan.number((*mode).into());
                plan.bytes(text);
            }
            Self::Link { place, target } => {
                plan.number(2);
                plan.text(place);
                plan.text(target);
            }
            Self::Name { place, file } => {
                plan.number(3);
                plan.text(place);
                plan.text(file);
            }
            Self::Bind { folder, name, place } => {
                plan.number(4);
                plan.number(*folder as u64);
                plan.text(name);
                plan.text(place);
            }
            Self::Proc { place } => {
                plan.number(5);
                plan.text(place);
            }
            Self::Cover { file, place } => {
                plan.number(6);
                plan.text(file);
                plan.text(place);
            }
            Self::Memory { place, options } => {
                plan.number(7);
                plan.text(place);
                plan.text(options);
            }
        }
    }

    pub(super) fn read(plan: &mut Reader<'a>) -> Self {
        let text = |plan: &mut Reader<'a>| Cow::Borrowed(plan.text());
        match plan.number() {
            0 => Self::Folder { place: text(plan), mode: plan.number() as u32 },
            1 => {
                let (place, mode) = (text(plan), plan.number() as u32);
                Self::File { place, mode, text: Cow::Borrowed(plan.bytes()) }
            }
            2 => Self::Link { place: text(plan), target: text(plan) },
            3 => Self::Name { place: text(plan), file: text(plan) },
            4 => {
                let folder = match plan.number() {
                    0 => Source::Host,
                    1 => Source::Sandbox,
                    2 => Source::Objects,
                    _ => Source::View,
                };
                Self::Bind { folder, name: text(plan), place: text(plan) }
            }
            5 => Self::Proc { place: text(plan) },
            6 => Self::Cover { file: text(plan), place: text(plan) },
            _ => Self::Memory { place: text(plan), options: text(plan) },
        }
    }
}

/// Folders that are opened while their paths lead there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The host's root.
    Host,
    /// [`Sandbox::folder`].
    Sandbox,
    /// [`Sandbox::objects`].
    Objects,
    /// The view's own root.
    View,
}

/// What a mount may be used for, set when all are there.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    pub(super) place: Cow<'a, CStr>,
    /// `MOUNT_ATTR_*`.
    pub(super) set: u64,
    pub(super) clear: u64,
    /// For all mounts below it too.
    pub(super) recursive: bool,
}

impl<'a> Attributes<'a> {
    pub(super) fn write(&self, plan: &mut Writer) {
        plan.text(&self.place);
        plan.number(self.set);
        plan.number(self.clear);
        plan.number(self.recursive.into());
    }

    pub(super) fn read(plan: &mut Reader<'a>) -> Self {
        let (place, set, clear) = (Cow::Borrowed(plan.text()), plan.number(), plan.number());
        Self { place, set, clear, recursive: plan.number() != 0 }
    }
}

/// All that the first process needs to make the view.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) attributes: Vec<Attributes<'a>>,
    pub(super) reversed: Option<Reversed>,
    /// Of the file system that the view's root is.
    pub(super) options: Cow<'static, CStr>,
}

/// The user that builders of the host's root run as: nobody else's, outside the ranges that Debian hands out.
const BUILD_USER_OF_ROOT: u32 = 0x5358_0000;

/// `nobody`, for when we are root of a container that has only the usual 65,536 users.
const NOBODY: u32 = 65534;

/// Folders on disk, where the builder sees them, and their modes.
const ON_DISK: [(&str, &str, u32); 3] =
    [("build", BUILD_FOLDER, 0o700), ("tmp", "/tmp", 0o1777), ("store", STORE_FOLDER, 0o755)];
const FOLDERS: [(&str, u32); 8] = [
    (BUILD_FOLDER, 0o700),
    ("/dev", 0o755),
    (SHARED_MEMORY, 0o1777),
    ("/etc", 0o755),
    ("/proc", 0o755),
    ("/sx", 0o755),
    (STORE_FOLDER, 0o755),
    ("/tmp", 0o1777),
];
const SHARED_MEMORY: &str = "/dev/shm";
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// What the kernel tells of the host that no build needs and that says which it is: how it was started, what drivers it has, since when
/// it runs. Each is a mount more in each build, so there are few.
const COVERED: [&str; 3] = ["/proc/cmdline", "/proc/modules", "/proc/sys/kernel/random/boot_id"];
const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
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

/// Makes the folders below [`Sandbox::folder`], and lists all else.
pub(super) fn make(sandbox: &Sandbox, outside: Outside) -> Result<View<'_>, SandboxError> {
    let folders = sandbox.visit.as_ref().map_or(Folders::New, |visit| visit.folders);
    folder(&sandbox.folder, 0o755, folders)?;
    for (name, _, mode) in ON_DISK {
        let path = sandbox.folder.join(name);
        folder(&path, mode, folders)?;
        if outside.is_other {
            let handed = chown(&path, Some(outside.user), Some(outside.group));
            handed.map_err(failed("hand over", &path))?;
        }
    }
    let mut entries: Vec<Entry<'_>> =
        FOLDERS.map(|(place, mode)| Entry::Folder { place: text(place), mode }).into();
    let user = format!("builder:x:{BUILD_USER}:{BUILD_GROUP}:sx builder:/build:/noshell\n");
    entries.push(file("/etc/passwd", 0o444, user.into_bytes()));
    entries.push(file("/etc/group", 0o444, format!("builders:x:{BUILD_GROUP}:\n").into_bytes()));
    entries.push(file("/etc/hosts", 0o444, &b"127.0.0.1 localhost\n::1 localhost\n"[..]));
    if let Some(visit) = &sandbox.visit {
        entries.push(file("/etc/profile", 0o444, &visit.profile[..]));
    }
    if let Some(shell) = sandbox.environment.get(BStr::new(SHELL_VARIABLE)) {
        entries.push(Entry::Folder { place: text("/bin"), mode: 0o755 });
        let target = CString::new(shell.to_vec()).map_err(|_| SandboxError::ZeroByte(shell.clone()))?;
        entries.push(Entry::Link { place: text("/bin/sh"), target: target.into() });
    }
    entries.extend(LINKS.map(|(place, target)| Entry::Link { place: text(place), target: text(target) }));
    entries.extend(DEVICES.map(|device| file(&format!("/dev/{device}"), 0o444, &b""[..])));
    entries.push(Entry::Proc { place: text("/proc") });
    // By the empty file that a device is to be mounted on: it has no name that a builder sees.
    entries.extend(COVERED.map(|place| Entry::Cover { file: text("/dev/null"), place: text(place) }));
    for device in DEVICES {
        let name = text(format!("dev/{device}"));
        entries.push(Entry::Bind { folder: Source::Host, name, place: text(format!("/dev/{device}")) });
    }
    // A mount of its own, since the root will be read-only.
    let name = text(SHARED_MEMORY.trim_start_matches('/'));
    entries.push(Entry::Bind { folder: Source::View, name, place: text(SHARED_MEMORY) });
    for (name, place, mode) in ON_DISK {
        let in_memory = sandbox.conditions.working_files == WorkingFiles::InMemory && place != STORE_FOLDER;
        entries.push(if in_memory {
            memory(place, mode)
        } else {
            Entry::Bind { folder: Source::Sandbox, name: text(name), place: text(place) }
        });
    }
    let copied = list_inputs(sandbox, &mut entries)?;
    for (name, text) in &sandbox.files {
        entries.push(file(&format!("{BUILD_FOLDER}/{name}"), 0o644, &text[..]));
    }
    let reversed = reversed::list(&sandbox.objects, &copied);
    Ok(View {
        entries,
        attributes: list_attributes(),
        reversed: reversed.map_err(failed("list the inputs in", &sandbox.objects))?,
        options: options(
            0o755,
            sandbox.limits.memory_bytes.into_iter().chain(sandbox.limits.disk_bytes).min(),
        ),
    })
}

/// Lists the inputs. Gives those of which copies are to be made.
fn list_inputs<'a>(
    sandbox: &'a Sandbox,
    entries: &mut Vec<Entry<'_>>,
) -> Result<Vec<&'a StorePath>, SandboxError> {
    let (mut mounts, mut copied, mut first_file) = (Vec::new(), Vec::new(), None);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let objects = rustix::fs::open(&sandbox.objects, flags, Mode::empty())
        .map_err(|error| failed("open", &sandbox.objects)(error.into()))?;
    for path in &sandbox.inputs {
        let name = path.base_name();
        let location = || sandbox.objects.join(&name);
        let found = rustix::fs::statat(&objects, &name, AtFlags::SYMLINK_NOFOLLOW);
        let found = found.map_err(|error| failed("find the input", &location())(error.into()))?;
        let (kind, place) = (FileType::from_raw_mode(found.st_mode), text(format!("{STORE_FOLDER}/{name}")));
        if kind.is_symlink() {
            // It can't be mounted on: it is made anew, and that is all.
            let target =
                std::fs::read_link(location()).map_err(|error| failed("read", &location())(error))?;
            entries.push(Entry::Link { place, target: c_string(&target).into() });
            continue;
        }
        entries.push(mount_point(kind, &place, &mut first_file));
        if kind.is_dir() && sandbox.conditions.reversed.contains(path) {
            mounts.push(memory(&path.to_string(), 0o755));
            copied.push(path);
        } else {
            mounts.push(Entry::Bind { folder: Source::Objects, name: text(name), place });
        }
    }
    // When all are there, since a file that is covered gets no more names.
    entries.append(&mut mounts);
    Ok(copied)
}

/// What an input can be mounted on. For files a name of the first one's will do, which costs the disk less than another file.
fn mount_point(kind: FileType, place: &CStr, first_file: &mut Option<Cow<'static, CStr>>) -> Entry<'static> {
    let place = Cow::from(place.to_owned());
    if kind.is_dir() {
        return Entry::Folder { place, mode: 0o555 };
    }
    match first_file {
        Some(file) => Entry::Name { place, file: file.clone() },
        None => {
            *first_file = Some(place.clone());
            Entry::File { place, mode: 0o444, text: Cow::Borrowed(b"") }
        }
    }
}

/// Nothing is writable but what is named.
fn list_attributes() -> Vec<Attributes<'static>> {
    let (read_only, limits) = (libc::MOUNT_ATTR_RDONLY, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV);
    let of = |place: &str, set, clear| Attributes { place: text(place), set, clear, recursive: false };
    let mut attributes = vec![
        Attributes { recursive: true, ..of("/", read_only | libc::MOUNT_ATTR_NOSUID, 0) },
        Attributes { recursive: true, ..of(STORE_FOLDER, limits, 0) },
        of("/proc", 0, read_only),
        of(SHARED_MEMORY, limits, read_only),
    ];
    attributes.extend(ON_DISK.map(|(_, place, _)| of(place, limits, read_only)));
    attributes
}

fn folder(path: &Path, mode: u32, folders: Folders) -> Result<(), SandboxError> {
    match make_folder(path, mode) {
        // What is there of an earlier time will do.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folders == Folders::Kept => Ok(()),
        made => made.map_err(failed("make the folder", path)),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SandboxError {
    move |source| SandboxError::Prepare { action, path: path.into(), source }
}

fn file<'a>(place: &str, mode: u32, bytes: impl Into<Cow<'a, [u8]>>) -> Entry<'a> {
    Entry::File { place: text(place), mode, text: bytes.into() }
}

fn memory<'a>(place: &str, mode: u32) -> Entry<'a> {
    Entry::Memory { place: text(place), options: options(mode, None) }
}

/// Of a file system in memory, in the builder's user namespace: these are its own numbers.
fn options(mode: u32, most_bytes: Option<u64>) -> Cow<'static, CStr> {
    let size = most_bytes.map(|bytes| format!(",size={bytes}")).unwrap_or_default();
    text(format!("mode={mode:o},uid={BUILD_USER},gid={BUILD_GROUP}{size}"))
}

fn text(text: impl Into<Vec<u8>>) -> Cow<'static, CStr> {
    CString::new(text).expect("names and numbers of ours have no zero byte").into()
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

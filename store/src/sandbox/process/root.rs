//! The builder's root: a file system in memory in which the view is made, in place of the host's root. As all between clone and
//! exec it calls the kernel only.

#![expect(unsafe_code, reason = "the calls between clone and exec have no safe wrapper")]

use super::first::{Stage, check};
use super::plan::Plan;
use crate::sandbox::view::{Attributes, Entry, Source};
use libc::{c_char, c_int, c_long};
use std::ffi::CStr;
use std::os::fd::RawFd;
use std::ptr::null;

/// Folders of the host, opened while their paths lead there.
pub(super) struct Sources {
    host: RawFd,
    sandbox: RawFd,
    pub(super) objects: RawFd,
}

pub(super) fn open_sources(plan: &Plan<'_>) -> Sources {
    let open = |detail, place: &CStr| {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: the string ends in a zero byte.
        let folder = unsafe { libc::open(place.as_ptr(), flags) };
        check(plan, Stage::Root, detail, folder);
        folder
    };
    Sources { host: open(0, c"/"), sandbox: open(1, plan.folder), objects: open(2, plan.objects) }
}

/// Puts an empty root in memory over the old one, which stays until [`leave_old_root`].
pub(super) fn change_root(plan: &Plan<'_>) {
    let none = null::<c_char>();
    let (root, private) = (c"/".as_ptr(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: the strings end in a zero byte; null is allowed where it is given.
    check(plan, Stage::Private, 0, unsafe { libc::mount(none, root, none, private, null()) });
    let (kind, flags) = (c"tmpfs".as_ptr(), libc::MS_NOSUID | libc::MS_NODEV);
    let (folder, options) = (plan.folder.as_ptr(), plan.options.as_ptr().cast());
    // SAFETY: as above.
    check(plan, Stage::Root, 3, unsafe { libc::mount(kind, folder, kind, flags, options) });
    // SAFETY: as above.
    check(plan, Stage::Root, 4, unsafe { libc::chdir(folder) });
    let here = c".".as_ptr();
    // SAFETY: the old root is stacked on the new one.
    check(plan, Stage::Root, 5, unsafe { libc::syscall(libc::SYS_pivot_root, here, here) });
}

pub(super) fn make_entry(plan: &Plan<'_>, entry: &Entry<'_>, outside: &Sources, position: c_int) {
    let made = match entry {
        Entry::Folder { place, mode } => {
            // SAFETY: the string ends in a zero byte.
            unsafe { libc::mkdir(place.as_ptr(), *mode) }
        }
        Entry::File { place, mode, text } if text.is_empty() => {
            // SAFETY: as above.
            unsafe { libc::mknod(place.as_ptr(), libc::S_IFREG | *mode, 0) }
        }
        Entry::File { place, mode, text } => {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
            // SAFETY: as above.
            let file = unsafe { libc::open(place.as_ptr(), flags, *mode) };
            if file >= 0 {
                write_all(plan, file, text, position);
                // SAFETY: ours, and not used any more.
                unsafe { libc::close(file) };
            }
            file
        }
        Entry::Link { place, target } => {
            // SAFETY: as above.
            unsafe { libc::symlink(target.as_ptr(), place.as_ptr()) }
        }
        Entry::Name { place, file } => {
            // SAFETY: as above.
            let made = unsafe { libc::link(file.as_ptr(), place.as_ptr()) };
            let errno = std::io::Error::last_os_error().raw_os_error();
            match made < 0 && errno != Some(libc::EEXIST) {
                // Some file systems give a file few names or one.
                // SAFETY: as above.
                true => unsafe { libc::mknod(place.as_ptr(), libc::S_IFREG | 0o444, 0) },
                false => made,
            }
        }
        Entry::Bind { folder, name, place } => bind(outside, *folder, name, place),
        Entry::Proc { place } => {
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            // Hides the first process, whose command line is sx's own.
            let (kind, options) = (c"proc".as_ptr(), c"hidepid=invisible".as_ptr().cast());
            // SAFETY: as above.
            unsafe { libc::mount(kind, place.as_ptr(), kind, flags, options) }
        }
        Entry::Cover { file, place } => {
            let none = null::<c_char>();
            // SAFETY: as above; null is allowed where it is given.
            let made = unsafe { libc::mount(file.as_ptr(), place.as_ptr(), none, libc::MS_BIND, null()) };
            let errno = std::io::Error::last_os_error().raw_os_error();
            if made < 0 && errno == Some(libc::ENOENT) { 0 } else { made }
        }
        Entry::Memory { place, options } => {
            let (kind, flags) = (c"tmpfs".as_ptr(), libc::MS_NOSUID | libc::MS_NODEV);
            // SAFETY: as above.
            unsafe { libc::mount(kind, place.as_ptr(), kind, flags, options.as_ptr().cast()) }
        }
    };
    // Of a failed build that somebody visits: as its builder left it.
    let is_there = made < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EEXIST);
    check(plan, Stage::View, position, if is_there { 0 } else { made });
}

/// Mounts what has a name in one of the folders outside.
fn bind(outside: &Sources, folder: Source, name: &CStr, place: &CStr) -> c_int {
    let entered = match folder {
        // SAFETY: the string ends in a zero byte.
        Source::View => unsafe { libc::chdir(c"/".as_ptr()) },
        // SAFETY: plain numbers.
        Source::Host => unsafe { libc::fchdir(outside.host) },
        // SAFETY: as above.
        Source::Sandbox => unsafe { libc::fchdir(outside.sandbox) },
        // SAFETY: as above.
        Source::Objects => unsafe { libc::fchdir(outside.objects) },
    };
    if entered < 0 {
        return entered;
    }
    let none = null::<c_char>();
    // SAFETY: the strings end in a zero byte; null is allowed where it is given.
    unsafe { libc::mount(name.as_ptr(), place.as_ptr(), none, libc::MS_BIND, null()) }
}

fn write_all(plan: &Plan<'_>, file: RawFd, text: &[u8], position: c_int) {
    let mut rest = text;
    while !rest.is_empty() {
        // SAFETY: as many bytes are read as said.
        let written = unsafe { libc::write(file, rest.as_ptr().cast(), rest.len()) };
        check(plan, Stage::View, position, written as c_long);
        rest = rest.get(written as usize..).unwrap_or_default();
    }
}

/// Takes the old root away from over the new one, and closes all that leads there.
pub(super) fn leave_old_root(plan: &Plan<'_>, outside: &Sources) {
    // SAFETY: the string ends in a zero byte.
    check(plan, Stage::Root, 6, unsafe { libc::chdir(c"/".as_ptr()) });
    // SAFETY: as above.
    check(plan, Stage::Root, 7, unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) });
    for folder in [outside.host, outside.sandbox, outside.objects] {
        // SAFETY: ours, and not used any more.
        unsafe { libc::close(folder) };
    }
}

pub(super) fn set_attributes(attributes: &Attributes<'_>) -> c_long {
    let Attributes { place, set, clear, recursive } = attributes;
    let change = libc::mount_attr { attr_set: *set, attr_clr: *clear, propagation: 0, userns_fd: 0 };
    let (folder, size) = (libc::AT_FDCWD, size_of::<libc::mount_attr>());
    let flags = if *recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the structure is as long as said, the string ends in a zero byte.
    unsafe { libc::syscall(libc::SYS_mount_setattr, folder, place.as_ptr(), flags, &raw const change, size) }
}

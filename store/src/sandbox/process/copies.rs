//! Copies inputs into memory inside the sandbox, in an order that makes their folders list their files in another one. As
//! all between clone and exec it calls the kernel only.

#![expect(unsafe_code, reason = "the calls between clone and exec have no safe wrapper")]

use super::first::{Stage, check};
use super::plan::{Plan, Reader};
use crate::object::MODIFICATION_TIME;
use crate::sandbox::reversed::{Entry, Kind};
use libc::c_long;
use std::ffi::CStr;
use std::os::fd::RawFd;
use std::ptr::null_mut;

pub(super) fn copy_reversed(plan: &Plan<'_>, mut reversed: Reader<'_>, originals: RawFd) {
    // SAFETY: plain numbers.
    unsafe { libc::umask(0) };
    let lists_newest_first = lists_newest_first(plan, reversed.text());
    let mut folders = reversed;
    while !folders.is_empty() {
        let (_, forward, backward) = (folders.text(), folders.part(), folders.part());
        let mut entries = if lists_newest_first { forward } else { backward };
        while !entries.is_empty() {
            copy_entry(plan, &Entry::read(&mut entries), originals);
        }
    }
    // Only now, since making files in a folder sets its time.
    let mut folders = reversed;
    while !folders.is_empty() {
        let (place, ..) = (folders.text(), folders.part(), folders.part());
        // SAFETY: the string ends in a zero byte.
        check(plan, Stage::Copies, 1, unsafe { libc::chmod(place.as_ptr(), 0o555) });
        set_times(plan, libc::AT_FDCWD, place);
    }
}

fn copy_entry(plan: &Plan<'_>, entry: &Entry<'_>, originals: RawFd) {
    let place = entry.place.as_ptr();
    match &entry.kind {
        Kind::Folder => {
            // SAFETY: the string ends in a zero byte.
            check(plan, Stage::Copies, 3, unsafe { libc::mkdir(place, 0o755) });
        }
        Kind::Link { target } => {
            // SAFETY: as above.
            check(plan, Stage::Copies, 4, unsafe { libc::symlink(target.as_ptr(), place) });
            set_times(plan, libc::AT_FDCWD, &entry.place);
        }
        Kind::File { original, mode } => {
            let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
            // SAFETY: as above.
            let from = unsafe { libc::openat(originals, original.as_ptr(), flags) };
            check(plan, Stage::Copies, 5, from);
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
            // SAFETY: as above.
            let to = unsafe { libc::open(place, flags, *mode) };
            check(plan, Stage::Copies, 6, to);
            loop {
                // SAFETY: both files are ours, and the place in the first is the kernel's to keep.
                let sent = unsafe { libc::sendfile(to, from, null_mut(), 1 << 30) };
                check(plan, Stage::Copies, 7, sent as c_long);
                if sent == 0 {
                    break;
                }
            }
            set_times(plan, libc::AT_FDCWD, &entry.place);
            // SAFETY: both are ours.
            unsafe { libc::close(from) };
            // SAFETY: as above.
            unsafe { libc::close(to) };
        }
    }
}

/// Gives a file the times that everything in the store has.
fn set_times(plan: &Plan<'_>, folder: RawFd, place: &CStr) {
    let time = libc::timespec { tv_sec: MODIFICATION_TIME, tv_nsec: 0 };
    let times = [time, time];
    // SAFETY: two times are read during the call; the string ends in a zero byte.
    let set = unsafe { libc::utimensat(folder, place.as_ptr(), times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW) };
    check(plan, Stage::Copies, 8, set);
}

/// Whether a folder in memory lists what was made last first: kernels differ.
fn lists_newest_first(plan: &Plan<'_>, folder: &CStr) -> bool {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the string ends in a zero byte.
    let opened = unsafe { libc::open(folder.as_ptr(), flags) };
    check(plan, Stage::Copies, 9, opened);
    let (older, newer) = (c"a".as_ptr(), c"b".as_ptr());
    for name in [older, newer] {
        // SAFETY: as above.
        check(plan, Stage::Copies, 10, unsafe { libc::mkdirat(opened, name, 0o755) });
    }
    let mut buffer = [0u8; 1024];
    // SAFETY: the kernel writes at most as many bytes as said.
    let length = unsafe { libc::syscall(libc::SYS_getdents64, opened, buffer.as_mut_ptr(), buffer.len()) };
    check(plan, Stage::Copies, 11, length);
    let (mut at, mut newest_first) = (0, false);
    // Each entry: number and offset, 8 bytes each; its own length, 2; its type, 1; its name.
    while at + 20 < length as usize {
        match buffer[at + 19] {
            b'b' => {
                newest_first = true;
                break;
            }
            b'a' => break,
            _ => at += usize::from(u16::from_ne_bytes([buffer[at + 16], buffer[at + 17]])),
        }
    }
    for name in [older, newer] {
        // SAFETY: as above.
        check(plan, Stage::Copies, 12, unsafe { libc::unlinkat(opened, name, libc::AT_REMOVEDIR) });
    }
    // SAFETY: ours, and not used any more.
    unsafe { libc::close(opened) };
    newest_first
}

//! Small archives that ask for much.

use crate::archive::{Tar, unpack_into, unpacked, unpacked_within};
use crate::compression::{ALL, gzip};
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use sx_source::{Limits, UnpackError};

fn limit_of(result: Result<crate::archive::Tree, UnpackError>) -> &'static str {
    match result {
        Err(UnpackError::Limit { what, .. }) => what,
        other => panic!("expected a limit, got {other:?}"),
    }
}

#[test]
fn a_file_of_zeros_meets_the_ratio() {
    let mut tar = Tar::default();
    tar.header(b"zeros", b'0', 32 << 20, "", 0o644, "");
    let tar = [&tar.bytes[..], &vec![0; (32 << 20) + 1024]].concat();
    for (name, compress) in &ALL[1..] {
        let limits = Limits { ratio: 100, ..Limits::default() };
        let what = limit_of(unpacked_within(&compress(&tar), &limits));
        assert_eq!(what, "decompressed bytes for each byte", "{name}");
    }
}

#[test]
fn all_bytes_are_limited_with_copies() {
    let limits = Limits { total_bytes: 10_000, ..Limits::default() };
    let mut tar = Tar::default();
    tar.file("a", &"x".repeat(12_000));
    assert_eq!(limit_of(unpacked_within(&tar.end(), &limits)), "decompressed bytes");
    let mut tar = Tar::default();
    tar.file("a", &"x".repeat(3_000)).hard_link("b", "a");
    assert!(unpacked_within(&tar.end(), &limits).is_ok());
    tar.hard_link("c", "a");
    assert_eq!(limit_of(unpacked_within(&tar.end(), &limits)), "decompressed bytes");
}

#[test]
fn a_size_that_is_not_there_reserves_nothing() {
    let mut tar = Tar::default();
    tar.header(b"huge", b'0', 0o77_777_777_777, "", 0o644, "");
    assert!(matches!(unpacked(&tar.end()), Err(UnpackError::Truncated { .. })));
    let mut tar = Tar::default();
    tar.header(b"pax", b'x', 0o77_777_777_777, "", 0o644, "");
    assert_eq!(limit_of(unpacked(&tar.end())), "bytes of an extended header");
}

#[test]
fn many_entries_meet_their_limit_with_those_implied() {
    let limits = Limits { entries: 100, ..Limits::default() };
    let many = |count: usize| {
        let mut tar = Tar::default();
        (0..count).for_each(|index| {
            tar.file(&format!("d{index}/f"), "");
        });
        tar.end()
    };
    assert!(unpacked_within(&many(50), &limits).is_ok());
    assert_eq!(limit_of(unpacked_within(&many(51), &limits)), "entries");
    let limits = Limits { all_paths_bytes: 100, ..Limits::default() };
    assert_eq!(limit_of(unpacked_within(&many(50), &limits)), "bytes of all paths");
}

#[test]
fn deep_directories_meet_their_limit() {
    let deep = |depth: usize| {
        let mut tar = Tar::default();
        tar.pax(&[("path", &format!("{}f", "d/".repeat(depth - 1)))]).file("x", "1");
        tar.end()
    };
    assert!(unpacked(&deep(64)).is_ok());
    assert_eq!(limit_of(unpacked(&deep(65))), "levels of directories");
}

#[test]
fn a_decoder_that_wants_much_memory_is_refused() {
    let limits = Limits { decoder_bytes: 100 << 10, ..Limits::default() };
    let tar = Tar::default().file("a", &"x".repeat(1 << 20)).end();
    let xz = crate::compression::xz(&tar);
    assert_eq!(limit_of(unpacked_within(&xz, &limits)), "bytes that a decoder may hold");
    // A frame header of zstd with a window of 2 GiB.
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0];
    assert_eq!(limit_of(unpacked(&zstd)), "bytes that a decoder may hold");
}

/// Gives the same bytes for ever, and raises a flag after a while.
struct Endless<'a> {
    bytes: Vec<u8>,
    reads: usize,
    cancel: &'a AtomicBool,
}

impl Read for Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads == 20 {
            self.cancel.store(true, Ordering::Relaxed);
        }
        let count = self.bytes.len().min(into.len());
        into[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes.rotate_left(count);
        Ok(count)
    }
}

#[test]
fn unpacking_is_cancelled_at_once() {
    let cancel = AtomicBool::new(false);
    let mut tar = Tar::default();
    tar.header(b"endless", b'0', 0o7_777_777_777, "", 0o644, "");
    tar.bytes.resize(64 << 10, b'x');
    for bytes in [tar.bytes.clone(), gzip(&tar.bytes)] {
        cancel.store(false, Ordering::Relaxed);
        let mut endless = Endless { bytes, reads: 0, cancel: &cancel };
        let folder = tempfile::tempdir().unwrap();
        let parent = std::fs::File::open(folder.path()).unwrap();
        let result = sx_source::unpack(&mut endless, parent.as_fd(), "out", &Limits::default(), &cancel);
        assert!(matches!(result, Err(UnpackError::Cancelled)), "{result:?}");
        assert_eq!(endless.reads, 20);
    }
}

#[test]
fn an_archive_that_cannot_be_read_is_told_from_a_broken_one() {
    struct Failing(usize, Vec<u8>);
    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = into.len().min(100).min(self.1.len() - self.0);
            if count == 0 {
                return Err(io::Error::other("the disk is broken"));
            }
            into[..count].copy_from_slice(&self.1[self.0..self.0 + count]);
            self.0 += count;
            Ok(count)
        }
    }
    let tar = Tar::default().file("a", &"text ".repeat(1000)).end();
    for (name, compress) in ALL {
        let mut bytes = compress(&tar);
        bytes.truncate(bytes.len() - 1);
        let folder = tempfile::tempdir().unwrap();
        let result = unpack_into(folder.path(), &mut Failing(0, bytes), &Limits::default());
        assert!(matches!(result, Err(UnpackError::Read(_))), "{name}: {result:?}");
    }
}

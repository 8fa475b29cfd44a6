//! Each thing that is refused, by an archive that has it, with what is said.

use crate::archive::{Tar, unpacked};

/// Unpacks and gives the message.
fn refusal(archive: &[u8]) -> String {
    unpacked(archive).unwrap_err().to_string()
}

fn refusal_of(make: impl FnOnce(&mut Tar)) -> String {
    let mut tar = Tar::default();
    tar.file("first", "1");
    make(&mut tar);
    refusal(&tar.end())
}

fn name_refusal(name: &str) -> String {
    refusal_of(|tar| {
        tar.pax(&[("path", name)]).file("x", "1");
    })
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let cases = [
        ("../a", "has a component `..`"),
        ("a/../../b", "has a component `..`"),
        ("..", "has a component `..`"),
        ("a/./b", "has a component `.`"),
        ("a/.", "has a component `.`"),
        ("/etc/passwd", "is absolute"),
        (".//etc/passwd", "has an empty component"),
        ("//etc/passwd", "is absolute"),
        ("a//b", "has an empty component"),
        ("", "is empty"),
        (".", "is the archive's root, but no directory"),
        ("a\0b", "has a NUL in it"),
    ];
    for (name, expected) in cases {
        let error = name_refusal(name);
        assert!(error.contains(expected), "{name:?}: {error}");
    }
    assert!(name_refusal(&"a".repeat(256)).contains("longer than 255 bytes"));
    assert!(name_refusal(&"a/".repeat(2100)).contains("the limit of 4000 bytes of a path"));
    assert!(
        name_refusal(&"a/".repeat(100)).contains("has a size")
            || name_refusal(&format!("{}b", "a/".repeat(100))).contains("the limit of 64 levels")
    );
}

#[test]
fn names_are_shown_without_control_characters() {
    assert!(name_refusal("/\u{1b}[31m").contains("`/\\u{1b}[31m`"));
}

#[test]
fn the_same_name_twice_is_refused() {
    let error = refusal_of(|tar| {
        tar.file("./first", "2");
    });
    assert_eq!(error, "the archive has two entries named `first`");
    let makes: [fn(&mut Tar); 5] = [
        |tar| {
            tar.directory("first/");
        },
        |tar| {
            tar.symlink("first", "x");
        },
        |tar| {
            tar.symlink("d", "x").directory("d");
        },
        |tar| {
            tar.directory("d").directory("d/");
        },
        |tar| {
            tar.file("d/a", "1").symlink("d", "x");
        },
    ];
    for make in makes {
        assert!(refusal_of(make).contains("two entries named"));
    }
}

#[test]
fn nothing_is_written_through_a_link_or_a_file() {
    for target in ["/tmp", "..", ".", "first"] {
        let error = refusal_of(|tar| {
            tar.symlink("link", target).file("link/below", "x");
        });
        assert_eq!(error, "the archive's entry `link/below` lies below something that is not a directory");
    }
    let error = refusal_of(|tar| {
        tar.file("first/below", "x");
    });
    assert!(error.contains("`first/below` lies below"));
}

#[test]
fn a_root_that_is_no_directory_is_refused() {
    for name in [".", "./"] {
        let mut tar = Tar::default();
        tar.symlink(name, "/tmp").file("a", "x");
        assert!(refusal(&tar.end()).contains("is the archive's root, but no directory"));
    }
}

#[test]
fn devices_and_other_kinds_are_refused_by_name() {
    let kinds = [
        (b'3', "character device"),
        (b'4', "block device"),
        (b'6', "FIFO"),
        (b'S', "sparse file"),
        (b'M', "part of a multi-volume archive"),
        (b'D', "record of incremental GNU backups"),
        (b'Z', "thing of unknown kind"),
    ];
    for (kind, expected) in kinds {
        let error = refusal_of(|tar| {
            tar.raw("dev/thing", kind, b"", "");
        });
        assert_eq!(error, format!("the archive's entry `dev/thing` is a {expected}, which is refused"));
    }
    let error = refusal_of(|tar| {
        tar.pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")]).file("holes", "1");
    });
    assert!(error.contains("`holes` is a sparse file"));
}

#[test]
fn hard_links_that_point_elsewhere_are_refused() {
    for target in ["later", "hard", "missing", "dir"] {
        let error = refusal_of(|tar| {
            tar.directory("dir").hard_link("hard", target).file("later", "x");
        });
        assert!(error.contains("which is no earlier file of the archive"), "{error}");
    }
    for target in ["/etc/passwd", "../first", ""] {
        let error = refusal_of(|tar| {
            tar.hard_link("hard", target);
        });
        assert!(
            error.contains("which is absolute") || error.contains("`..`") || error.contains("is empty"),
            "{error}"
        );
    }
}

#[test]
fn headers_that_can_be_read_in_two_ways_are_refused() {
    let makes: [fn(&mut Tar); 9] = [
        |tar| {
            tar.pax(&[("path", "a")]).pax(&[("path", "b")]).file("x", "1");
        },
        |tar| {
            tar.pax(&[("path", "a"), ("path", "b")]).file("x", "1");
        },
        |tar| {
            tar.pax(&[("path", "a")]).raw("l", b'L', b"b\0", "").file("x", "1");
        },
        |tar| {
            tar.raw("l", b'L', b"a\0", "").raw("l", b'L', b"b\0", "").file("x", "1");
        },
        |tar| {
            tar.pax(&[("size", "512")]).file("x", "1");
        },
        |tar| {
            tar.raw("g", b'g', b"9 path=a\n", "").file("x", "1");
        },
        |tar| {
            tar.raw("dir", b'5', b"1", "");
        },
        |tar| {
            tar.raw("link", b'2', b"1", "x");
        },
        |tar| {
            tar.pax(&[("path", "a")]);
        },
    ];
    for (index, make) in makes.into_iter().enumerate() {
        let error = refusal_of(make);
        assert!(error.contains("bad header at byte"), "{index}: {error}");
    }
}

#[test]
fn broken_headers_are_refused() {
    let mut tar = Tar::default();
    tar.file("a", "1").file("b", "2");
    for (at, byte) in [(1024, b'x'), (1024 + 124, b'9'), (1024 + 148, b'-'), (1024 + 100, 0xff)] {
        let mut bytes = tar.end();
        bytes[at] = byte;
        assert!(refusal(&bytes).contains("bad header at byte 1024 of the tar: the checksum is wrong"));
    }
    let mut negative = Tar::default();
    negative.file("first", "1").header(b"a", b'0', 0, "", 0o644, "");
    let start = 1024;
    let old: u32 = negative.bytes[start + 124..start + 136].iter().map(|byte| u32::from(*byte)).sum();
    negative.bytes[start + 124..start + 136].fill(0xff);
    let sum = u32::from_str_radix(std::str::from_utf8(&negative.bytes[start + 148..start + 154]).unwrap(), 8)
        .unwrap();
    let sum = format!("{:06o}", sum - old + 12 * 255);
    negative.bytes[start + 148..start + 154].copy_from_slice(sum.as_bytes());
    assert!(refusal(&negative.end()).contains("the size is no number"));
}

#[test]
fn something_after_the_end_is_refused() {
    let mut tar = Tar::default();
    tar.file("a", "1");
    let end = tar.end();
    assert!(refusal(&[&end[..], b"x"].concat()).contains("goes on after its end"));
    assert!(refusal(&[&end[..], &end[..]].concat()).contains("goes on after its end"));
    assert!(refusal(&[&tar.bytes[..], &[0; 512], &end[..]].concat()).contains("a single block of zeros"));
    assert!(unpacked(&[&end[..], &[0; 9000]].concat()).is_ok());
}

#[test]
fn what_is_no_archive_is_named() {
    assert_eq!(refusal(b""), "the archive is empty");
    assert_eq!(refusal(&[0; 10240]), "the archive is empty");
    let mut only_root = Tar::default();
    only_root.directory("./");
    assert_eq!(refusal(&only_root.end()), "the archive is empty");
    assert!(refusal(b"<!doctype html><html>").contains("no archive that sx knows"));
    assert!(refusal(b"PK\x03\x04").contains("it begins with [50, 4b, 03, 04]"));
    let page = "text ".repeat(1000);
    let error = refusal(&crate::compression::gzip(page.as_bytes()));
    assert_eq!(error, "this is a single file in gzip, not an archive: expected a tar inside");
}

//! Unpacking: what archives give, what is refused, and that nothing is written outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archive;
mod bombs;
mod compression;
mod random;
mod refusals;

use archive::{Tar, unpacked};

#[test]
fn a_single_top_directory_is_taken_off() {
    let mut tar = Tar::default();
    tar.directory("./");
    tar.directory("./pkg-1/").file("./pkg-1/a", "text").file("pkg-1/pkg-1/run", "x");
    let result = unpacked(&tar.end()).unwrap();
    assert_eq!(result.top.as_deref(), Some("pkg-1"));
    assert_eq!(result.tree, ["a 644 text", "pkg-1/ 755", "pkg-1/run 644 x"]);
}

#[test]
fn several_top_entries_or_a_single_file_stay() {
    let mut tar = Tar::default();
    tar.file("a/b", "1").file("c", "2");
    assert_eq!(unpacked(&tar.end()).unwrap().tree, ["a/ 755", "a/b 644 1", "c 644 2"]);
    let mut tar = Tar::default();
    tar.file("a", "1");
    let result = unpacked(&tar.end()).unwrap();
    assert_eq!((result.tree, result.top), (vec!["a 644 1".into()], None));
}

#[test]
fn of_the_mode_only_the_executable_bit_counts() {
    let mut tar = Tar::default();
    tar.with_mode("setuid", 0o4755, "1").with_mode("plain", 0o600, "2").with_mode("others", 0o677, "3");
    assert_eq!(unpacked(&tar.end()).unwrap().tree, ["others 644 3", "plain 644 2", "setuid 755 1"]);
}

#[test]
fn symbolic_links_are_kept_and_hard_links_become_copies() {
    let mut tar = Tar::default();
    tar.with_mode("dir/run", 0o755, "text").symlink("out", "/etc/passwd").symlink("up", "../../x");
    tar.hard_link("b", "./dir/run").hard_link("c", "out");
    let result = unpacked(&tar.end()).unwrap();
    let tree = [
        "b 755 text",
        "c -> /etc/passwd",
        "dir/ 755",
        "dir/run 755 text",
        "out -> /etc/passwd",
        "up -> ../../x",
    ];
    assert_eq!(result.tree, tree);
}

#[test]
fn long_names_of_gnu_and_pax_and_the_oldest_headers_are_read() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let mut gnu = Tar::default();
    gnu.raw("././@LongLink", b'L', format!("{long}\0").as_bytes(), "").file("cut", "1");
    gnu.raw("././@LongLink", b'K', format!("{long}\0").as_bytes(), "").symlink("link", "cut");
    let expected = [format!("{}/ 755", "d".repeat(200)), format!("{long} 644 1"), format!("link -> {long}")];
    assert_eq!(unpacked(&gnu.end()).unwrap().tree, expected);
    let mut pax = Tar::default();
    pax.raw("global", b'g', b"19 comment=0123456\n", "");
    pax.pax(&[("path", &long), ("mtime", "1.5")]).file("cut", "1");
    pax.pax(&[("linkpath", &long)]).symlink("link", "cut");
    assert_eq!(unpacked(&pax.end()).unwrap().tree, expected);
    let mut oldest = Tar::without_magic();
    oldest.raw("dir/", 0, b"", "").raw("dir/a", 0, b"1", "").file("b", "2");
    assert_eq!(unpacked(&oldest.end()).unwrap().tree, ["b 644 2", "dir/ 755", "dir/a 644 1"]);
}

#[test]
fn the_front_part_of_a_posix_name_is_read() {
    let mut tar = Tar::default();
    tar.prefixed("front/part", "a", "1").file("b", "2");
    assert_eq!(
        unpacked(&tar.end()).unwrap().tree,
        ["b 644 2", "front/ 755", "front/part/ 755", "front/part/a 644 1"]
    );
}

#[test]
fn a_directory_after_its_files_is_fine() {
    let mut tar = Tar::default();
    tar.file("a/b", "1").directory("a/").file("c", "2");
    assert_eq!(unpacked(&tar.end()).unwrap().tree, ["a/ 755", "a/b 644 1", "c 644 2"]);
}

#[test]
fn what_a_killed_process_left_is_removed_first() {
    let mut tar = Tar::default();
    tar.file("a", "1").file("b", "2");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".out.unpacking/x/y")).unwrap();
    std::fs::write(folder.path().join(".out.unpacking/x/y/a"), "old").unwrap();
    let result = archive::unpack_into(folder.path(), &mut &tar.end()[..], &sx_source::Limits::default());
    result.unwrap();
    assert_eq!(archive::listing(folder.path()), ["out/ 755", "out/a 644 1", "out/b 644 2"]);
}

#[test]
fn the_destination_must_not_be_there() {
    let mut tar = Tar::default();
    tar.file("a", "1");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("elsewhere", folder.path().join("out")).unwrap();
    let error =
        archive::unpack_into(folder.path(), &mut &tar.end()[..], &sx_source::Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "`out` is there already, expected to create it");
    assert_eq!(archive::listing(folder.path()), ["out -> elsewhere"]);
}

//! Random trees come back the same; random damage never panics and never writes outside.

use crate::archive::{Tar, unpacked};
use crate::compression::ALL;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use sx_source::unpack::list;
use sx_source::{Limits, UnpackError};

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>, bool),
    Symlink(String),
    Directory,
}

fn tree() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let content = proptest::collection::vec(any::<u8>(), 0..2000);
    // Targets of one spelling, as the packer puts others right.
    let node = prop_oneof![
        3 => (content, any::<bool>()).prop_map(|(content, executable)| Node::File(content, executable)),
        1 => r"(\.\./|/)?[a-z]{1,60}(/[a-z]{1,60}){0,3}".prop_map(Node::Symlink),
        1 => Just(Node::Directory),
    ];
    // `p` is only ever a directory and `x` never one, so that no name lies below a file.
    let path = "(p{1,90}/){0,4}x{1,120}";
    proptest::collection::btree_map(path, node, 1..20)
}

fn packed(tree: &BTreeMap<String, Node>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, node) in tree {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o640);
        header.set_size(0);
        match node {
            Node::File(content, executable) => {
                header.set_size(content.len() as u64);
                header.set_mode(if *executable { 0o750 } else { 0o640 });
                builder.append_data(&mut header, path, &content[..]).unwrap();
            }
            Node::Symlink(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target).unwrap();
            }
            Node::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path, &[][..]).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

fn expected(tree: &BTreeMap<String, Node>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, node) in tree {
        for (end, _) in path.match_indices('/') {
            lines.push(format!("{}/ 755", &path[..end]));
        }
        lines.push(match node {
            Node::File(content, executable) => {
                format!("{path} {} {}", if *executable { 755 } else { 644 }, content.escape_ascii())
            }
            Node::Symlink(target) => format!("{path} -> {target}"),
            Node::Directory => format!("{path}/ 755"),
        });
    }
    lines.sort();
    lines.dedup();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_tree_comes_back_the_same(mut tree in tree(), format in 0..ALL.len()) {
        // Two things at the top, so that nothing is taken off.
        tree.insert("1".into(), Node::Directory);
        tree.insert("2".into(), Node::File(Vec::new(), false));
        let archive = ALL[format].1(&packed(&tree));
        prop_assert_eq!(unpacked(&archive).unwrap().tree, expected(&tree));
    }

    /// `unpacked` itself looks for writes outside, and for what is left after an error.
    #[test]
    fn damage_never_panics_and_never_writes_outside(
        tree in tree(),
        format in 0..ALL.len(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut archive = ALL[format].1(&packed(&tree));
        for (index, byte) in damage {
            let at = index.index(archive.len());
            archive[at] = byte;
        }
        let _ = unpacked(&archive);
    }

    /// The checksum put right, damage gets past the first check.
    #[test]
    fn damaged_headers_with_right_checksums_never_panic(
        damage in proptest::collection::vec((0..512usize, any::<u8>()), 0..12),
        kind in any::<u8>(),
        data in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut tar = Tar::default();
        tar.symlink("link", "/tmp");
        let start = tar.bytes.len();
        tar.raw("link/name", kind, &data, "target");
        for (at, byte) in damage {
            tar.bytes[start + at] = byte;
        }
        tar.bytes[start + 148..start + 156].fill(b' ');
        let sum: u32 = tar.bytes[start..start + 512].iter().map(|byte| u32::from(*byte)).sum();
        tar.bytes[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.file("after", "x");
        let _ = unpacked(&tar.end());
    }

    #[test]
    fn any_bytes_are_listed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        for magic in [&b""[..], b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"] {
            let bytes = [magic, &bytes].concat();
            let result = list(&mut &bytes[..], &Limits::default(), &AtomicBool::new(false));
            prop_assert!(!matches!(result, Err(UnpackError::Cancelled | UnpackError::Read(_))));
        }
    }
}

//! What is written is read back as the same tree by another's reader.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

mod store;

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use store::{Store, export};
use sx_export::{Compression, Export, Object};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File { content: Vec<u8>, executable: bool },
    Symlink(Vec<u8>),
    Directory(BTreeMap<Vec<u8>, Node>),
}

/// Names of any bytes but NUL and slash, up to the system's 255; without newlines, because the `tar` crate takes
/// the first one for the end of a pax record. (Where it matters, `header` tests the bytes.)
fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte =
        || any::<u8>().prop_map(|byte| if matches!(byte, 0 | b'/' | b'.' | b'\n') { b'n' } else { byte });
    prop_oneof![prop::collection::vec(byte(), 1..20), prop::collection::vec(byte(), 90..=255)]
}

fn node() -> impl Strategy<Value = Node> {
    let target = prop::collection::vec(11u8.., 1..250);
    let leaf = prop_oneof![
        (prop::collection::vec(any::<u8>(), 0..1500), any::<bool>())
            .prop_map(|(content, executable)| Node::File { content, executable }),
        target.prop_map(Node::Symlink),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop::collection::btree_map(name(), inner, 0..4).prop_map(Node::Directory)
    })
}

fn make(node: &Node, location: &Path) {
    match node {
        Node::File { content, executable } => {
            fs::write(location, content).unwrap();
            let mode = if *executable { 0o755 } else { 0o644 };
            fs::set_permissions(location, PermissionsExt::from_mode(mode)).unwrap();
        }
        Node::Symlink(target) => symlink(OsStr::from_bytes(target), location).unwrap(),
        Node::Directory(entries) => {
            fs::create_dir(location).unwrap();
            for (name, node) in entries {
                make(node, &location.join(OsStr::from_bytes(name)));
            }
        }
    }
}

/// Path, mode and content of every entry, in order.
type Entries = Vec<(Vec<u8>, u32, Vec<u8>)>;

fn expected(node: &Node, path: Vec<u8>, entries: &mut Entries) {
    match node {
        Node::File { content, executable } => {
            entries.push((path, if *executable { 0o555 } else { 0o444 }, content.clone()));
        }
        Node::Symlink(target) => entries.push((path, 0o777, target.clone())),
        Node::Directory(children) => {
            entries.push(([&path[..], b"/"].concat(), 0o555, vec![]));
            for (name, node) in children {
                expected(node, [&path[..], name].join(&b'/'), entries);
            }
        }
    }
}

fn read(object: Object) -> Entries {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    let report = Export { compression: Compression::None, ..export(vec![object]) }.write(&file).unwrap();
    let wanted = report.layers[0].digest.replace(':', "/");
    let mut layer = Vec::new();
    for entry in tar::Archive::new(fs::File::open(file).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().ends_with(&wanted) {
            entry.read_to_end(&mut layer).unwrap();
        }
    }
    let mut entries = Vec::new();
    for entry in tar::Archive::new(&layer[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, header) = (entry.path_bytes().into_owned(), entry.header().clone());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if let Some(target) = entry.link_name_bytes() {
            content = target.into_owned();
        }
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 1));
        entries.push((path, header.mode().unwrap(), content));
    }
    entries
}

fn check(node: &Node) {
    let store = Store::new();
    let object = store.object("object", |location| make(node, location));
    let mut wanted = vec![(b"sx/".to_vec(), 0o755, vec![]), (b"sx/store/".to_vec(), 0o755, vec![])];
    expected(node, object.path.to_string()[1..].into(), &mut wanted);
    assert_eq!(read(object), wanted);
}

#[test]
fn a_file_a_link_and_a_folder_can_each_be_an_object() {
    check(&Node::File { content: vec![7; 200_000], executable: true });
    check(&Node::Symlink(b"\xff/somewhere".to_vec()));
    check(&Node::Directory(BTreeMap::new()));
}

#[test]
fn the_longest_names_come_back() {
    let file = Node::File { content: b"x".to_vec(), executable: false };
    let inner =
        Node::Directory([(vec![b'f'; 255], file), (vec![0xff; 255], Node::Symlink(vec![b't'; 4000]))].into());
    check(&Node::Directory([(vec![b'd'; 255], inner)].into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_comes_back(node in node()) {
        check(&node);
    }
}

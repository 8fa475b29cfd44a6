//! Merkle trees of files: the identity of an object's content.
//!
//! A tree is a file, a symbolic link or a directory. Of a file only the bytes and one executable bit count; owner,
//! time and other mode bits don't. The shape is the Remote Execution API's, so one walk can make both encodings.
//!
//! | thing | digest |
//! |---|---|
//! | file | plain BLAKE3 of its bytes |
//! | file that mentions its own object's digest | context `sx file with self-references v1` over: BLAKE3 of the bytes with every mention blanked to zero bytes (32), then each mention's offset (8 bytes, little-endian), ascending |
//! | directory | context `sx directory v1` over its entries, sorted by name as bytes |
//! | entry | kind (1 byte: `f` file, `x` executable file, `l` link, `d` directory), length of the name (8 bytes, little-endian), name, then the digest, or for a link the target's length (8 bytes) and the target |
//! | tree | a directory with the root as its only entry, under the empty name |

use crate::digest::Digest;
use std::collections::BTreeMap;

/// One thing in a directory, or the root of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// The digest of the bytes, see the [module](self).
        digest: Digest,
        /// Whether it can be run.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points to, any bytes but NUL.
        target: Vec<u8>,
    },
    /// A directory.
    Directory {
        /// The digest of the entries, see [`directory`].
        digest: Digest,
    },
}

/// The digest of a directory with these entries. Names have no `/` and no NUL.
pub fn directory(entries: &BTreeMap<Vec<u8>, Node>) -> Digest {
    let mut bytes = Vec::new();
    for (name, node) in entries {
        add_entry(&mut bytes, name, node);
    }
    Digest::in_context("sx directory v1", &bytes)
}

/// The digest of a file whose bytes, with the mentions of its own object at `offsets` blanked to zero bytes, have
/// BLAKE3 `blanked`. Without mentions that is the file's own digest.
pub fn file_with_self_references(blanked: Digest, offsets: &[u64]) -> Digest {
    if offsets.is_empty() {
        return blanked;
    }
    let mut bytes = blanked.as_bytes().to_vec();
    for offset in offsets {
        bytes.extend(offset.to_le_bytes());
    }
    Digest::in_context("sx file with self-references v1", &bytes)
}

impl Node {
    /// The digest of the tree that this is the root of.
    pub fn tree_digest(&self) -> Digest {
        let mut bytes = Vec::new();
        add_entry(&mut bytes, b"", self);
        Digest::in_context("sx directory v1", &bytes)
    }
}

fn add_entry(bytes: &mut Vec<u8>, name: &[u8], node: &Node) {
    let with_length = |bytes: &mut Vec<u8>, text: &[u8]| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text);
    };
    bytes.push(match node {
        Node::File { executable: false, .. } => b'f',
        Node::File { executable: true, .. } => b'x',
        Node::Symlink { .. } => b'l',
        Node::Directory { .. } => b'd',
    });
    with_length(bytes, name);
    match node {
        Node::File { digest, .. } | Node::Directory { digest } => bytes.extend(digest.as_bytes()),
        Node::Symlink { target } => with_length(bytes, target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_trees() {
        let file = Node::File { digest: Digest::of(b"text"), executable: false };
        let program = Node::File { digest: Digest::of(b"text"), executable: true };
        let link = Node::Symlink { target: b"a".to_vec() };
        let entries = BTreeMap::from([(b"a".to_vec(), file.clone()), (b"l".to_vec(), link.clone())]);
        let folder = Node::Directory { digest: directory(&entries) };
        let digests = [file, program, link, folder].map(|node| node.tree_digest().to_string());
        assert_eq!(
            digests,
            [
                "10pr58arxkzjgh0nxlf2bp5b2gvy5zf6acsddqy4wrblavzidz91",
                "09wdcvpbnfarxxsl1qs53pcw4lazgp3bgfyd97b4ywzh8llj27ws",
                "0hcxyw845j84sipsb7qkvhmbg26km5s97p6w9ixl3vwypdj818bs",
                "06xnmcz826b4vkhyamj6ipfx0w9ixqiyy8b5mdc22jz9lkbla40x",
            ]
        );
        let own = file_with_self_references(Digest::of(b"text"), &[0, 100]);
        assert_eq!(own.to_string(), "0jp3118h76idhsyc7kss3vgpgrmi3gry3h663hd61xlviqnlwb3p");
    }

    #[test]
    fn a_file_without_mentions_keeps_its_digest() {
        assert_eq!(file_with_self_references(Digest::of(b"x"), &[]), Digest::of(b"x"));
    }
}

//! The file system that layers make, one upon the other.
//!
//! | entry of a layer | effect |
//! |---|---|
//! | file, link | takes the place of what is there, with all below it |
//! | directory | takes the place of what is no directory; of a directory only its attributes |
//! | `.wh.<name>` | takes `<name>` of the layers below away |
//! | `.wh..wh..opq` | takes all that the layers below have in its directory away |

use super::tar::{Entry, Kind, TarError, shown};
use crate::digest::Sha256Digest;
use std::collections::{BTreeMap, BTreeSet};

/// What is at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Owner's group.
    pub gid: u64,
    /// The layer that it is from, from 0.
    pub layer: usize,
}

/// A file, directory or link of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// With its content's length in bytes, and digest.
    File {
        /// Length.
        size_bytes: u64,
        /// Of the content.
        digest: Sha256Digest,
    },
    /// A directory.
    Directory,
    /// A symbolic link to this.
    Symlink(Vec<u8>),
}

impl NodeKind {
    const fn name(&self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Directory => "a directory",
            Self::Symlink(_) => "a symbolic link",
        }
    }
}

/// Everything that a container would find, by relative path. Directories that are only implied aren't listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// The places that the layer that is being read has named.
    named: BTreeSet<Vec<u8>>,
}

impl Tree {
    /// All places with what is there, sorted by bytes.
    pub const fn nodes(&self) -> &BTreeMap<Vec<u8>, Node> {
        &self.nodes
    }

    /// A new layer begins.
    pub(crate) fn begin(&mut self) {
        self.named.clear();
    }

    /// Adds an entry. `digest` is that of its content, if it is a file.
    pub(crate) fn add(
        &mut self,
        entry: Entry,
        digest: Option<Sha256Digest>,
        layer: usize,
    ) -> Result<(), TarError> {
        let Entry { path, kind, mode, uid, gid, size_bytes } = entry;
        if !self.named.insert(path.clone()) {
            return Err(TarError::Duplicate { path: shown(&path) });
        }
        self.check_parents(&path)?;
        let (parent, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], &path[..]),
        };
        if name == b".wh..wh..opq" {
            self.remove(parent, Some(layer));
            return Ok(());
        }
        if let Some(name) = name.strip_prefix(b".wh.") {
            if matches!(name, b"" | b"." | b"..") {
                return Err(TarError::Name { path: shown(&path), reason: "a whiteout of nothing" });
            }
            let hidden = if parent.is_empty() { name.to_vec() } else { [parent, name].join(&b'/') };
            self.remove(&hidden, Some(layer));
            if self.nodes.get(&hidden).is_some_and(|node| node.layer < layer) {
                self.nodes.remove(&hidden);
            }
            return Ok(());
        }
        let kind = match kind {
            Kind::Directory => NodeKind::Directory,
            Kind::Symlink(target) => NodeKind::Symlink(target),
            Kind::File => {
                let digest = digest.expect("this holds because the reader digests every file");
                NodeKind::File { size_bytes, digest }
            }
            Kind::HardLink(target) => match self.nodes.get(&target) {
                Some(Node { kind: kind @ NodeKind::File { .. }, .. }) => kind.clone(),
                _ => return Err(TarError::HardLink { path: shown(&path), target: shown(&target) }),
            },
        };
        if kind != NodeKind::Directory {
            self.remove(&path, None);
        }
        if !path.is_empty() {
            self.nodes.insert(path, Node { kind, mode, uid, gid, layer });
        }
        Ok(())
    }

    /// Everything above it has to be a directory.
    fn check_parents(&self, path: &[u8]) -> Result<(), TarError> {
        for at in (0..path.len()).filter(|&at| path[at] == b'/') {
            match self.nodes.get(&path[..at]) {
                None | Some(Node { kind: NodeKind::Directory, .. }) => {}
                Some(node) => {
                    let (path, parent) = (shown(path), shown(&path[..at]));
                    return Err(TarError::Parent { path, parent, found: node.kind.name() });
                }
            }
        }
        Ok(())
    }

    /// Takes away what lies below `path`: all, or what is from layers below `from`.
    fn remove(&mut self, path: &[u8], from: Option<usize>) {
        let begin = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let below: Vec<Vec<u8>> = (self.nodes.range(begin.clone()..))
            .take_while(|(place, _)| place.starts_with(&begin))
            .filter(|(_, node)| from.is_none_or(|from| node.layer < from))
            .map(|(place, _)| place.clone())
            .collect();
        for place in below {
            self.nodes.remove(&place);
        }
    }
}

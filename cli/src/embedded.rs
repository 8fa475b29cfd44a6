//! The package set that the binary carries, for use outside any flake: this repository's flake.nix, bootstrap/ and pkgs/.

use crate::failure::Failure;
use crate::temporary::Temporary;
use include_dir::{Dir, DirEntry, include_dir};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use sx_derivation::tree::{self, Node};
use sx_derivation::{Digest, StorePath};
use sx_store::Store;

static BOOTSTRAP: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../bootstrap");
static PACKAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../pkgs");
static FLAKE: &[u8] = include_bytes!("../../flake.nix");

/// Name of the object that the files become.
const NAME: &str = "sx-packages";

/// Gives the folder of the package set. It is an object of the store, added when it isn't there.
pub fn folder(store: &Store) -> Result<PathBuf, Failure> {
    let entries = BTreeMap::from([
        (b"bootstrap".to_vec(), folder_node(&BOOTSTRAP)),
        (b"pkgs".to_vec(), folder_node(&PACKAGES)),
        (b"flake.nix".to_vec(), file_node(FLAKE)),
    ]);
    let root = Node::Directory { digest: tree::directory(&entries) };
    let path = StorePath::of_object(NAME, root.tree_digest(), &BTreeSet::new(), false)
        .expect("the constant name is a valid one");
    if !store.hold(&path)? {
        let temporary = Temporary::new(store)?;
        write_all(&temporary).map_err(|source| Failure::io("write", &temporary, &source))?;
        store.add_source(&temporary, NAME, None)?;
    }
    Ok(store.location(&path))
}

fn write_all(folder: &Path) -> std::io::Result<()> {
    for (name, files) in [("bootstrap", &BOOTSTRAP), ("pkgs", &PACKAGES)] {
        std::fs::create_dir_all(folder.join(name))?;
        files.extract(folder.join(name))?;
    }
    std::fs::write(folder.join("flake.nix"), FLAKE)
}

fn folder_node(folder: &Dir<'_>) -> Node {
    let entries = folder.entries().iter().map(|entry| {
        let name = entry.path().file_name().unwrap_or_default().as_encoded_bytes().to_vec();
        let node = match entry {
            DirEntry::Dir(folder) => folder_node(folder),
            DirEntry::File(file) => file_node(file.contents()),
        };
        (name, node)
    });
    Node::Directory { digest: tree::directory(&entries.collect()) }
}

fn file_node(contents: &[u8]) -> Node {
    Node::File { digest: Digest::of(contents), executable: false }
}

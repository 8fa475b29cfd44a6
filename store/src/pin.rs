//! Hashes of what is there, to compare with hashes that people pinned.

use sha2::Digest as _;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use sx_derivation::{Algorithm, Digest, Hash};

/// The hash of a tree whose digest is `tree`, see [`sx_derivation::tree`].
pub fn of_tree(tree: Digest) -> Hash {
    Hash::new(Algorithm::Blake3, tree.as_bytes().to_vec()).expect("a BLAKE3 digest has the length of one")
}

/// The hash of a regular file's bytes. `None` if `place` is something else, or if the function is one that nobody
/// should pin with (md5, sha1).
pub fn of_file(place: &Path, algorithm: Algorithm) -> std::io::Result<Option<Hash>> {
    if !std::fs::symlink_metadata(place)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(place)?;
    let digest = match algorithm {
        Algorithm::Sha256 => hash_with(sha2::Sha256::new(), &mut file)?,
        Algorithm::Sha512 => hash_with(sha2::Sha512::new(), &mut file)?,
        Algorithm::Blake3 => {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(&mut file)?;
            hasher.finalize().as_bytes().to_vec()
        }
        Algorithm::Md5 | Algorithm::Sha1 => return Ok(None),
    };
    Ok(Hash::new(algorithm, digest))
}

fn hash_with<D: sha2::Digest + Write>(mut hasher: D, file: &mut File) -> std::io::Result<Vec<u8>> {
    std::io::copy(file, &mut hasher)?;
    Ok(hasher.finalize().to_vec())
}

//! Where two trees differ, as a person wants to see it: which files, which section or member, which bytes, and a guess at
//! the cause.
//!
//! The principal function is [`compare`]; [`suspicions`] guesses. Both trees are objects, or copies made like them.

mod content;
mod structure;
mod suspicion;

pub use content::{ContentDifference, Place, Reordered};
pub use suspicion::{Cause, Suspicion, Witness, suspicions};

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Most files that are described; more are counted.
const MAX_FILES: usize = 50;

/// Where two trees differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Files that differ, by path.
    pub files: Vec<FileDifference>,
    /// How many more do.
    pub more: usize,
}

/// A file that isn't the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDifference {
    /// Its place below the object; empty for the object itself.
    pub path: PathBuf,
    /// How it differs.
    pub kind: FileDifferenceKind,
}

/// How a file differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileDifferenceKind {
    /// Only the first tree has it.
    OnlyFirst,
    /// Only the second tree has it.
    OnlySecond,
    /// It is a file in one and a folder or link in the other.
    Type {
        /// What it is in the first.
        first: &'static str,
        /// What it is in the second.
        second: &'static str,
    },
    /// It is executable in one of them.
    Executable {
        /// Whether that is the first.
        first: bool,
    },
    /// A link that leads elsewhere.
    Link {
        /// Where it leads in the first.
        first: PathBuf,
        /// Where it leads in the second.
        second: PathBuf,
    },
    /// Other bytes.
    Content(ContentDifference),
}

/// Compares two trees.
pub fn compare(first: &Path, second: &Path) -> io::Result<Comparison> {
    let mut comparison = Comparison::default();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        let (left, right) = (join(first, &path), join(second, &path));
        let mut add = |kind| {
            if comparison.files.len() < MAX_FILES {
                comparison.files.push(FileDifference { path: path.clone(), kind });
            } else {
                comparison.more += 1;
            }
        };
        let (found, other) = match (fs::symlink_metadata(&left), fs::symlink_metadata(&right)) {
            (Ok(found), Ok(other)) => (found, other),
            (Ok(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                add(FileDifferenceKind::OnlyFirst);
                continue;
            }
            (Err(error), Ok(_)) if error.kind() == io::ErrorKind::NotFound => {
                add(FileDifferenceKind::OnlySecond);
                continue;
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let (kind, other_kind) = (name(&found), name(&other));
        if kind != other_kind {
            add(FileDifferenceKind::Type { first: kind, second: other_kind });
        } else if found.is_dir() {
            let mut names: BTreeSet<OsString> = BTreeSet::new();
            for folder in [&left, &right] {
                for entry in fs::read_dir(folder)? {
                    names.insert(entry?.file_name());
                }
            }
            open.extend(names.into_iter().rev().map(|name| path.join(name)));
        } else if found.is_symlink() {
            let (first, second) = (fs::read_link(&left)?, fs::read_link(&right)?);
            if first != second {
                add(FileDifferenceKind::Link { first, second });
            }
        } else {
            let is_executable = |found: &fs::Metadata| found.permissions().mode() & 0o100 != 0;
            if is_executable(&found) != is_executable(&other) {
                add(FileDifferenceKind::Executable { first: is_executable(&found) });
            }
            if let Some(content) = content::compare(&left, &right)? {
                add(FileDifferenceKind::Content(content));
            }
        }
    }
    Ok(comparison)
}

/// Without a slash at the end where nothing is below.
fn join(folder: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { folder.into() } else { folder.join(below) }
}

fn name(found: &fs::Metadata) -> &'static str {
    match (found.is_dir(), found.is_symlink()) {
        (true, _) => "folder",
        (_, true) => "link",
        _ => "file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_difference_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let tree = |name: &str, text: &str, mode: u32, link: &str, only: &str| {
            let tree = folder.path().join(name);
            fs::create_dir_all(tree.join("below")).unwrap();
            fs::write(tree.join("below/text"), text).unwrap();
            fs::write(tree.join("program"), "").unwrap();
            fs::set_permissions(tree.join("program"), fs::Permissions::from_mode(mode)).unwrap();
            std::os::unix::fs::symlink(link, tree.join("link")).unwrap();
            fs::write(tree.join(only), "").unwrap();
            tree
        };
        let first = tree("first", "one\ntwo\n", 0o555, "a", "x");
        let second = tree("second", "one\nTWO\n", 0o444, "b", "y");
        let comparison = compare(&first, &second).unwrap();
        let found: Vec<String> =
            comparison.files.iter().map(|file| format!("{} {:?}", file.path.display(), file.kind)).collect();
        let expected =
            ["below/text Content", "link Link", "program Executable", "x OnlyFirst", "y OnlySecond"];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
        assert_eq!(compare(&first, &first).unwrap(), Comparison::default());
    }
}

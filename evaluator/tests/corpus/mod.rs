//! Expressions with what they come to, in files by topic that people read and write:
//!
//! ```text
//! # A topic
//! 1 + 1
//! = 2
//! 1 / 0
//! !
//! ```
//!
//! An expression, possibly of several lines, ends with a line that begins with `= ` and has its value, or with `!` when it
//! fails. `@ not in 2.8` before it says that Nix 2.8, which Debian's stable release has, comes to something else.

use std::path::{Path, PathBuf};

/// One expression.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file it stands in.
    pub file: PathBuf,
    /// The line it begins in, from 1.
    pub line: usize,
    /// Its text.
    pub expression: String,
    /// Its value as `nix-instantiate --eval --strict` prints it; `None` if it fails.
    pub value: Option<String>,
    /// Whether it has the same value in Nix 2.8.
    pub is_old: bool,
}

/// Everything in the text files of a folder, in their order.
pub fn read(folder: &Path) -> Vec<Case> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the corpus can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|file| parse(file, &std::fs::read_to_string(file).expect("the corpus can be read")))
        .collect()
}

fn parse(file: &Path, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut lines, mut start, mut is_old) = (Vec::new(), 0, true);
    for (number, line) in (1..).zip(text.lines()) {
        let is_end = line == "!" || line.starts_with("= ");
        if is_end && !lines.is_empty() {
            cases.push(Case {
                file: file.to_owned(),
                line: start,
                expression: lines.join("\n"),
                value: line.strip_prefix("= ").map(str::to_owned),
                is_old,
            });
            lines.clear();
            is_old = true;
        } else if lines.is_empty() && line == "@ not in 2.8" {
            is_old = false;
        } else if !lines.is_empty() || !(line.is_empty() || line.starts_with("# ")) {
            if lines.is_empty() {
                start = number;
            }
            lines.push(line);
        }
    }
    assert!(lines.is_empty(), "{}: the last expression has no expectation", file.display());
    cases
}

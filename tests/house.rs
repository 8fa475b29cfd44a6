//! The house's own rules: what the tree holds and what it doesn't.

use crate::harness::{Test, repository};
use std::path::{Path, PathBuf};

pub fn tests() -> Vec<Test> {
    vec![
        Test {
            name: "house::no_file_is_near_a_thousand_lines",
            requires: &[],
            run: no_file_is_near_a_thousand_lines,
        },
        Test {
            name: "house::unsafe_code_stays_in_its_files",
            requires: &[],
            run: unsafe_code_stays_in_its_files,
        },
        Test { name: "house::the_plain_crates_stay_plain", requires: &[], run: the_plain_crates_stay_plain },
        Test { name: "house::the_tree_holds_no_binaries", requires: &[], run: the_tree_holds_no_binaries },
    ]
}

/// All files of the repository but what tools make.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![repository()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the repository can be read") {
            let entry = entry.expect("the repository can be read");
            let name = entry.file_name();
            let is_made = name == ".git" || name == "target" || name.to_string_lossy().ends_with(".tar");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_made => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && !is_made => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

fn no_file_is_near_a_thousand_lines() -> Result<(), String> {
    let is_source = |path: &Path| path.extension().is_some_and(|ending| ending == "rs" || ending == "nix");
    for path in files().into_iter().filter(|path| is_source(path)) {
        // As bytes: one text is no UTF-8, on purpose.
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let lines = bytes.split(|&byte| byte == b'\n').count();
        if lines > 800 {
            return Err(format!("{} has {lines} lines", path.display()));
        }
    }
    Ok(())
}

fn unsafe_code_stays_in_its_files() -> Result<(), String> {
    // Between clone and exec; processes that are traced; and a head with what lies behind it.
    let allowed = [
        "store/src/sandbox/process/first.rs",
        "store/src/sandbox/process/launcher.rs",
        "store/src/sandbox/process/clocks.rs",
        "store/src/sandbox/process/copies.rs",
        "store/src/sandbox/process/root.rs",
        "evaluator/src/frame.rs",
    ];
    // Put together, so that this file isn't one of them.
    let marks = [concat!("expect(uns", "afe_code"), concat!("allow(uns", "afe_code")];
    for path in files().into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
        let text = read(&path)?;
        let is_allowed = allowed.iter().any(|allowed| path.ends_with(allowed));
        if marks.iter().any(|mark| text.contains(mark)) && !is_allowed {
            return Err(format!("{} lifts the ban on unsafe code", path.display()));
        }
    }
    Ok(())
}

fn the_plain_crates_stay_plain() -> Result<(), String> {
    let heavy = ["rusqlite", "tokio", "ureq", "libc"];
    for manifest in ["evaluator/Cargo.toml", "store/derivation/Cargo.toml"] {
        let text = read(&repository().join(manifest))?;
        let dependencies = text.split("[dev-dependencies]").next().unwrap_or_default();
        let found = heavy.iter().find(|name| dependencies.lines().any(|line| line.starts_with(*name)));
        if let Some(found) = found {
            return Err(format!("{manifest} depends on {found}"));
        }
    }
    Ok(())
}

fn the_tree_holds_no_binaries() -> Result<(), String> {
    let is_binary = |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.contains(&0));
    match files().into_iter().find(is_binary) {
        Some(path) => Err(format!("{} holds zero bytes", path.display())),
        None => Ok(()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

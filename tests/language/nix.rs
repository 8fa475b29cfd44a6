//! Asking Nix, many expressions at a time.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// An installed Nix.
pub struct Nix {
    program: OsString,
    /// Whether it is the reference's version or newer.
    pub is_new: bool,
}

/// The first version that evaluates everything in the corpus as recorded.
const REFERENCE: (u32, u32) = (2, 34);

/// What stands after each value: the name of a file, and what it comes to.
const END: &str = "end-of-value.nix";

impl Nix {
    /// The one to be asked.
    pub fn find() -> Result<Self, String> {
        let program = std::env::var_os("SX_TESTS_NIX").unwrap_or_else(|| "nix-instantiate".into());
        let output = Command::new(&program).arg("--version").output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().last().unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else {
            return Err(format!("`{}` says `{text}`, expected a version", program.display()));
        };
        Ok(Self { program, is_new: (major, minor) >= REFERENCE })
    }

    /// What each expression comes to; `None` if it fails. `files` will be seen as `./files`.
    pub fn evaluate(
        &self,
        expressions: &[&str],
        files: Option<&Path>,
    ) -> Result<Vec<Option<String>>, String> {
        let failed = |error: std::io::Error| error.to_string();
        let folder = tempfile::tempdir().map_err(failed)?;
        if let Some(files) = files {
            copy(files, &folder.path().join("files")).map_err(failed)?;
        }
        let names: Vec<String> = (0..expressions.len()).map(|number| format!("{number}.nix")).collect();
        for (name, expression) in names.iter().zip(expressions) {
            std::fs::write(folder.path().join(name), format!("{expression}\n")).map_err(failed)?;
        }
        let mut found = Vec::new();
        std::fs::write(folder.path().join(END), format!("\"{END}\"")).map_err(failed)?;
        let end = format!("\n\"{END}\"\n");
        // Each prints its value, of one line or, with some paths, more; the first that fails ends the process, and the next one
        // begins after it.
        while found.len() < names.len() {
            let mut command = Command::new(&self.program);
            if self.is_new {
                command.args(["--extra-experimental-features", "flakes pipe-operators"]);
            }
            command.args(["--eval", "--strict"]);
            command.args(names[found.len()..].iter().flat_map(|name| [name.as_str(), END]));
            command.current_dir(&folder).env("NIX_REMOTE", "dummy://").env_remove("NIX_PATH");
            let output = command.stderr(Stdio::null()).output().map_err(failed)?;
            let shown = String::from_utf8_lossy(&output.stdout);
            found.extend(shown.split_terminator(&end).map(|value| Some(value.to_owned())));
            if output.status.success() {
                break;
            }
            found.push(None);
        }
        if found.len() == names.len() {
            Ok(found)
        } else {
            Err(format!("Nix gave {} results for {} expressions", found.len(), names.len()))
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let (from, to) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, to)?;
        } else if from.is_dir() {
            copy(&from, &to)?;
        } else {
            std::fs::copy(&from, to)?;
        }
    }
    Ok(())
}

//! Where expressions come from: the nearest flake.nix upward, a file, a text.

use crate::failure::{Failure, Kind};
use std::path::{Path, PathBuf};

/// The outputs of the flake in the folder that this is evaluated in.
pub const OUTPUTS: &str = r#"
let
  flake = import ./flake.nix;
  inputs = builtins.attrNames (flake.inputs or { });
  outputs =
    if inputs != [ ] then
      throw "this flake has inputs (${builtins.concatStringsSep ", " inputs}), which sx does not fetch; what a flake needs from elsewhere is a source pinned by its hash"
    else
      flake.outputs { inherit self; };
  self = outputs // {
    _type = "flake";
    inherit outputs;
    inputs = { };
    outPath = ./.;
  };
in
outputs
"#;

/// Below these attributes of a flake's outputs a package is looked for if it isn't among the outputs themselves.
pub const PACKAGE_SETS: [&[&str]; 3] = [&["pkgs"], &["packages", SYSTEM], &["legacyPackages", SYSTEM]];

const SYSTEM: &str = sx_store::realise::SYSTEM;

/// The nearest folder with a flake.nix, from `start` upward.
pub fn find(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join("flake.nix").is_file()).map(Path::to_owned)
}

/// The folder that an expression in `folder` may read: the nearest one upward that holds a whole project, else itself.
pub fn tree_around(folder: &Path) -> PathBuf {
    let is_project = |folder: &&Path| folder.join("flake.nix").is_file() || folder.join(".git").exists();
    folder.ancestors().find(is_project).unwrap_or(folder).to_owned()
}

/// The folder that the command runs in, without links.
pub fn current_folder() -> Result<PathBuf, Failure> {
    let here = Path::new(".");
    std::fs::canonicalize(here).map_err(|error| {
        Failure::io("find", here, &error).hint("the current folder must exist and be readable")
    })
}

/// Splits the path of an attribute.
pub fn attribute_path(text: &str) -> Result<Vec<String>, Failure> {
    // As Nix users write it: `.#hello` is `hello` in the flake here.
    let text = text.strip_prefix(".#").unwrap_or(text);
    let parts = sx_evaluator::parse_attribute_path(text);
    parts.filter(|parts| !parts.iter().any(String::is_empty)).ok_or_else(|| {
        let message =
            format!("`{text}` is no path of attributes; expected names with dots between, like `pkgs.hello`");
        Failure::new(Kind::Usage, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_flake_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        assert_eq!(tree_around(&below), below);
        std::fs::write(folder.path().join("a/flake.nix"), "").unwrap();
        assert_eq!(find(&below), Some(folder.path().join("a")));
        assert_eq!(tree_around(&below), folder.path().join("a"));
    }

    #[test]
    fn attribute_paths_have_names_between_dots() {
        assert_eq!(attribute_path(".#hello").unwrap(), ["hello"]);
        assert_eq!(attribute_path("a.\"b.c\"").unwrap(), ["a", "b.c"]);
        assert!(attribute_path("a..b").is_err());
        assert!(attribute_path("").is_ok_and(|parts| parts.is_empty()) || attribute_path("").is_err());
    }
}

//! The host's cargo configuration: what takes the place of crates.io on this machine.
//!
//! Read only. What isn't understood is passed over, as with apt: cargo itself is the judge of its configuration, and a registry
//! less is an address less to try. Sources that are git repositories or folders of `cargo vendor` have no archives of
//! crates, so that the pinned hash can't be checked with them. Credentials are not read.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Sources that name each other, one after another. More is a mistake, or a circle.
const REPLACEMENTS: usize = 8;

/// Where crates may be had.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CrateSources {
    /// Sparse indexes, as URLs.
    pub indexes: Vec<String>,
    /// Folders that hold crates as `NAME-VERSION.crate`.
    pub folders: Vec<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Configuration {
    source: BTreeMap<String, Source>,
    registries: BTreeMap<String, Registry>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Source {
    replace_with: Option<String>,
    registry: Option<String>,
    local_registry: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Registry {
    index: Option<String>,
}

/// Reads the configuration in cargo's home folder.
pub fn read(home: &Path) -> CrateSources {
    // cargo prefers the one without ending where both are there.
    let text =
        ["config", "config.toml"].iter().find_map(|name| std::fs::read_to_string(home.join(name)).ok());
    text.map(|text| parse(&text, home)).unwrap_or_default()
}

fn parse(text: &str, home: &Path) -> CrateSources {
    let Ok(configuration) = toml::from_str::<Configuration>(text) else {
        return CrateSources::default();
    };
    let mut name = "crates-io".to_owned();
    let mut sources = CrateSources::default();
    for _ in 0..REPLACEMENTS {
        let source = configuration.source.get(&name);
        if let Some(next) = source.and_then(|source| source.replace_with.clone()) {
            name = next;
            continue;
        }
        let registry = configuration.registries.get(&name).and_then(|registry| registry.index.as_deref());
        let index = source.and_then(|source| source.registry.as_deref()).or(registry);
        sources.indexes.extend(index.and_then(|index| index.strip_prefix("sparse+")).map(str::to_owned));
        // A relative path is meant from the folder that the configuration's own folder lies in.
        let folder = source.and_then(|source| source.local_registry.as_deref());
        sources.folders.extend(folder.map(|folder| home.parent().unwrap_or(home).join(folder)));
        break;
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> CrateSources {
        parse(text, Path::new("/home/a/.cargo"))
    }

    #[test]
    fn what_replaces_crates_io_is_found_by_name() {
        let text = r#"
            [source.crates-io]
            replace-with = "first"
            [source.first]
            replace-with = "second"
            [registries.second]
            index = "sparse+https://crates.example/index/"
        "#;
        assert_eq!(sources(text).indexes, ["https://crates.example/index/"]);
        let text = "[source.crates-io]\nreplace-with = 'local'\n[source.local]\nlocal-registry = 'crates'\n";
        assert_eq!(sources(text).folders, [Path::new("/home/a/crates")]);
    }

    #[test]
    fn nothing_is_taken_from_what_is_of_no_use() {
        let circle = "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nreplace-with = 'crates-io'\n";
        let git =
            "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nregistry = 'https://a.example/index.git'\n";
        for text in ["", "[source", "[build]\njobs = 2\n", circle, git] {
            assert_eq!(sources(text), CrateSources::default(), "{text}");
        }
    }
}

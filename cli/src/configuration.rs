//! What the user decided before: options, environment and the configuration file, in this order of weight.
//!
//! `$XDG_CONFIG_HOME/sx/config.toml`, by default `~/.config/sx/config.toml`:
//!
//! ```toml
//! store = "/big/disk/sx"                        # also --store, SX_STORE
//! source-folders = ["/srv/sources"]             # also --source-folder
//! debian-mirrors = ["https://mirror.example.org/debian"]  # also --debian-mirror
//! crate-registries = ["https://crates.example.org/dl"]    # also --crate-registry
//! jobs = 4                                      # also --jobs
//! trust = "/etc/sx/trust.toml"                  # also --trust: who must have signed what
//! substituters = ["/mnt/store", "registry.example.org/sx/hello:1.0"]  # also --substituter: what is taken, if attested
//! key = "/home/a/.config/sx/key"                # also --key: what this machine or person signs with
//!
//! [limits]                                      # of each build
//! memory = "4G"                                 # also --limit-memory
//! processes = 1000                              # also --limit-processes
//! disk = "20G"                                  # also --limit-disk
//! output = "2G"                                 # also --limit-output
//! silence-seconds = 3600                        # also --max-silent-time
//! ```

use crate::command::bytes;
use crate::failure::{Failure, Kind};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The configuration file's content.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Configuration {
    /// Folder of the store.
    pub store: Option<PathBuf>,
    /// Folders that hold source files under their own names.
    pub source_folders: Vec<PathBuf>,
    /// Base addresses of Debian archives, before those of the host's apt.
    pub debian_mirrors: Vec<String>,
    /// Templates of registries of crates, before those of the host's cargo.
    pub crate_registries: Vec<String>,
    /// Most builds at a time.
    pub jobs: Option<usize>,
    /// Whose signatures count.
    pub trust: Option<PathBuf>,
    /// Folders of stores, and images in registries, that outputs are taken from, where enough people attested them.
    pub substituters: Vec<String>,
    /// What is signed with.
    pub key: Option<PathBuf>,
    /// What builds may use.
    pub limits: BuildLimits,
}

/// What each build may use.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BuildLimits {
    /// Bytes of memory.
    #[serde(deserialize_with = "size")]
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Bytes of files.
    #[serde(deserialize_with = "size")]
    pub disk: Option<u64>,
    /// Bytes of an output.
    #[serde(deserialize_with = "size")]
    pub output: Option<u64>,
    /// Seconds without output.
    pub silence_seconds: Option<u64>,
}

/// A number of bytes, or a text as options take it.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => Ok(Some(bytes)),
        Size::Text(text) => bytes(&text).map(Some).map_err(D::Error::custom),
    }
}

/// The environment, read once.
#[derive(Debug)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        Self(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect(),
        )
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name).filter(|value| !value.is_empty())
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.to_str().map(str::to_owned)
    }

    /// Where sx keeps what it remembers from run to run, such as the history of `sx repl`.
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.base_folder("XDG_STATE_HOME", ".local/state").map(|folder| folder.join("sx"))
    }

    /// Where cargo keeps its configuration and what it downloads.
    pub fn cargo_home(&self) -> Option<PathBuf> {
        let given = self.get("CARGO_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        given.or_else(|| self.get("HOME").map(|home| Path::new(home).join(".cargo")))
    }

    /// A folder of the XDG base directory specification: `variable`, or `fallback` below the home folder.
    fn base_folder(&self, variable: &str, fallback: &str) -> Option<PathBuf> {
        let given = self.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        given.or_else(|| self.get("HOME").map(|home| Path::new(home).join(fallback)))
    }
}

impl Configuration {
    /// Reads the configuration file; there need not be one.
    pub fn read(environment: &Environment) -> Result<Self, Failure> {
        let Some(folder) = environment.base_folder("XDG_CONFIG_HOME", ".config") else {
            return Ok(Self::default());
        };
        let path = folder.join("sx/config.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::io("read", &path, &error)),
        };
        toml::from_str(&text).map_err(|error| {
            let message =
                format!("the configuration file `{}` is wrong: {}", path.display(), error.to_string().trim());
            Failure::new(Kind::Usage, message)
        })
    }

    /// Where somebody said that the store is: `option`, else the environment's word, else this configuration's.
    pub fn named_store(&self, option: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
        let variable = || environment.get("SX_STORE").map(PathBuf::from);
        option.map(Path::to_owned).or_else(variable).or_else(|| self.store.clone())
    }

    /// The store's folder, absolute: the one that is named, else below the user's data folder.
    pub fn store_folder(&self, option: Option<&Path>, environment: &Environment) -> Result<PathBuf, Failure> {
        let default =
            || environment.base_folder("XDG_DATA_HOME", ".local/share").map(|folder| folder.join("sx"));
        let chosen = self.named_store(option, environment).or_else(default);
        let folder = chosen.ok_or_else(|| {
            let failure = Failure::new(
                Kind::Usage,
                "there is no folder for the store: neither HOME is set nor `--store`",
            );
            failure.hint("give one: `sx --store DIR …`")
        })?;
        std::path::absolute(&folder).map_err(|error| Failure::io("find", &folder, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let error = toml::from_str::<Configuration>("strore = \"/x\"").unwrap_err();
        assert!(error.to_string().contains("strore"));
    }

    #[test]
    fn limits_are_sizes_as_options_take_them() {
        let read = |text: &str| toml::from_str::<Configuration>(text).map(|read| read.limits);
        let limits = read("[limits]\nmemory = \"4G\"\noutput = 7\nprocesses = 9").unwrap();
        let expected = BuildLimits {
            memory: Some(4 << 30),
            output: Some(7),
            processes: Some(9),
            ..BuildLimits::default()
        };
        assert_eq!(limits, expected);
        assert!(read("[limits]\ndisk = \"much\"").unwrap_err().to_string().contains("`much` is no size"));
    }

    #[test]
    fn the_store_lies_where_the_nearest_word_says() {
        let environment = Environment(BTreeMap::from([("HOME".into(), "/home/a".into())]));
        let configured = Configuration { store: Some("/big".into()), ..Configuration::default() };
        let folder = |configuration: &Configuration, option: Option<&str>| {
            configuration.store_folder(option.map(Path::new), &environment).unwrap()
        };
        assert_eq!(folder(&configured, Some("/x")), Path::new("/x"));
        assert_eq!(folder(&configured, None), Path::new("/big"));
        for (variable, expected) in [("/v", "/v"), ("", "/big")] {
            let environment = Environment(BTreeMap::from([("SX_STORE".into(), variable.into())]));
            assert_eq!(configured.store_folder(None, &environment).unwrap(), Path::new(expected));
        }
        assert_eq!(folder(&Configuration::default(), None), Path::new("/home/a/.local/share/sx"));
    }
}

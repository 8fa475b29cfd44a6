//! What a container of the image runs, as an expression says it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How a container starts: the attributes of `config` in an expression. Everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Arguments that a user's own replace; the program too, if there is no entrypoint.
    pub cmd: Vec<String>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Labels, such as `org.opencontainers.image.source`.
    pub labels: BTreeMap<String, String>,
    /// Where the program starts, an absolute path; `/` if left out.
    pub working_dir: Option<String>,
    /// `user`, `uid`, `user:group` or `uid:gid`; root if left out.
    pub user: Option<String>,
    /// Ports that it listens on: `80`, `80/tcp`, `53/udp`.
    pub exposed_ports: BTreeSet<String>,
    /// Folders whose content isn't the image's, absolute paths.
    pub volumes: BTreeSet<String>,
    /// What stops it, such as `SIGINT`; the runtime's choice if left out.
    pub stop_signal: Option<String>,
}

/// Why an image's configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A field that isn't known, or a value of another type.
    #[error("the image configuration is wrong at `{field}`")]
    BadField {
        /// Attribute path, such as `env.PATH`.
        field: String,
        /// What was found and expected.
        #[source]
        source: serde_json::Error,
    },
    /// The type is right, the value makes no sense.
    #[error("the image configuration's `{field}` is `{found}`; expected {expected}")]
    BadValue {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl ImageConfig {
    /// Reads and checks the JSON of an attribute set.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let config: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            ConfigError::BadField { field: error.path().to_string(), source: error.into_inner() }
        })?;
        reader.end().map_err(|source| ConfigError::BadField { field: ".".into(), source })?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that no runtime could use.
    pub fn check(&self) -> Result<(), ConfigError> {
        let bad = |field, found: &str, expected| {
            Err(ConfigError::BadValue { field, found: found.into(), expected })
        };
        if let Some(name) = self.env.keys().find(|name| name.is_empty() || name.contains('=')) {
            return bad("env", name, "names of variables, not empty and without `=`");
        }
        if self.labels.contains_key("") {
            return bad("labels", "", "names of labels, not empty");
        }
        if let Some(folder) = self.working_dir.as_ref().filter(|folder| !folder.starts_with('/')) {
            return bad("workingDir", folder, "an absolute path");
        }
        if let Some(folder) = self.volumes.iter().find(|folder| !folder.starts_with('/')) {
            return bad("volumes", folder, "absolute paths");
        }
        if let Some(port) = self.exposed_ports.iter().find(|port| !is_port(port)) {
            return bad(
                "exposedPorts",
                port,
                "ports from 1 to 65535, then nothing, `/tcp`, `/udp` or `/sctp`",
            );
        }
        if let Some(user) = self.user.as_ref().filter(|user| !is_user(user)) {
            return bad("user", user, "a user, and perhaps a colon and a group");
        }
        if self.entrypoint.first().is_some_and(String::is_empty) {
            return bad("entrypoint", "", "a program first");
        }
        self.check_nul()
    }

    /// The kernel's strings end at a NUL, so what comes after would be lost.
    fn check_nul(&self) -> Result<(), ConfigError> {
        let env = self.env.iter().flat_map(|(name, value)| [name, value]);
        let texts = (self.entrypoint.iter().map(|text| ("entrypoint", text)))
            .chain(self.cmd.iter().map(|text| ("cmd", text)))
            .chain(env.map(|text| ("env", text)))
            .chain(self.volumes.iter().map(|text| ("volumes", text)))
            .chain(self.working_dir.iter().map(|text| ("workingDir", text)))
            .chain(self.user.iter().map(|text| ("user", text)));
        match texts.into_iter().find(|(_, text)| text.contains('\0')) {
            Some((field, text)) => {
                let found = text.escape_debug().to_string();
                Err(ConfigError::BadValue { field, found, expected: "text without a NUL" })
            }
            None => Ok(()),
        }
    }
}

fn is_port(text: &str) -> bool {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    number.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse::<u16>().is_ok_and(|number| number > 0)
        && ["tcp", "udp", "sctp"].contains(&protocol)
}

fn is_user(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    parts.len() <= 2 && parts.iter().all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn every_field_is_read() {
        let text = r#"{"entrypoint":["/a"],"cmd":["b"],"env":{"A":"b"},"labels":{"l":"m"},"workingDir":"/w",
            "user":"1:2","exposedPorts":["80","53/udp"],"volumes":["/v"],"stopSignal":"SIGINT"}"#;
        let config = ImageConfig::from_json(text).unwrap();
        let again = ImageConfig::from_json(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(config, again);
        assert_eq!(ImageConfig::from_json("{}").unwrap(), ImageConfig::default());
    }

    #[test]
    fn a_wrong_field_is_named() {
        let error = |text: &str| {
            let error = ImageConfig::from_json(text).unwrap_err();
            format!("{error}: {}", error.source().unwrap())
        };
        assert!(error(r#"{"env":{"PATH":["/bin"]}}"#).contains("`env.PATH`"));
        assert!(error(r#"{"entrypoint":"/a"}"#).contains("`entrypoint`"));
        let unknown = error(r#"{"entrypont":["/a"]}"#);
        assert!(unknown.contains("`entrypont`") && unknown.contains("`entrypoint`"), "{unknown}");
    }

    #[test]
    fn values_that_no_runtime_could_use_are_refused() {
        for (text, field) in [
            (r#"{"env":{"A=B":""}}"#, "env"),
            (r#"{"env":{"A":"\u0000"}}"#, "env"),
            (r#"{"labels":{"":"x"}}"#, "labels"),
            (r#"{"workingDir":"w"}"#, "workingDir"),
            (r#"{"volumes":["v"]}"#, "volumes"),
            (r#"{"exposedPorts":["0"]}"#, "exposedPorts"),
            (r#"{"exposedPorts":["+80"]}"#, "exposedPorts"),
            (r#"{"exposedPorts":["80/icmp"]}"#, "exposedPorts"),
            (r#"{"user":"a:b:c"}"#, "user"),
            (r#"{"entrypoint":[""]}"#, "entrypoint"),
        ] {
            let error = ImageConfig::from_json(text).unwrap_err();
            assert!(matches!(error, ConfigError::BadValue { field: found, .. } if found == field), "{text}");
        }
    }
}

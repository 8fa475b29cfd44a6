//! Names and passwords, where container tools keep them: Docker's configuration file and its kin.
//!
//! | field | meaning |
//! |---|---|
//! | `auths.<registry>.auth` | name, colon and password in base64 |
//! | `auths.<registry>.identitytoken` | a token that a refreshing one is had for |
//! | `credHelpers.<registry>`, `credsStore` | `docker-credential-<value> get` tells them; the registry on standard input |
//!
//! A key may go on with a slash and the beginning of a repository's name, as podman writes it; the longest fits best.

use crate::address::Address;
use crate::error::RegistryError;
use data_encoding::BASE64;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Longest file, and longest answer of a helper, that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A name and a password, or a token.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// For basic authentication and for token servers.
    Password {
        /// The user.
        name: String,
        /// The password.
        password: String,
    },
    /// For token servers alone.
    IdentityToken(String),
}

impl std::fmt::Debug for Credentials {
    /// Without the secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials(…)")
    }
}

/// Where credentials are looked for, in order; files need not be there.
#[derive(Clone, Debug, Default)]
pub struct CredentialFiles(pub Vec<PathBuf>);

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: String,
    identitytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    username: String,
    secret: String,
}

impl CredentialFiles {
    /// What the first file that knows the registry says.
    pub fn find(&self, address: &Address) -> Result<Option<Credentials>, RegistryError> {
        for path in &self.0 {
            let bad = |reason: String| RegistryError::Credentials {
                source_name: path.display().to_string(),
                reason,
            };
            let mut bytes = Vec::new();
            match std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(bad(error.to_string())),
            }
            // The parser's words may quote what it found, which is secret.
            let file: File = serde_json::from_slice(&bytes)
                .map_err(|error| bad(format!("line {} is not what it should be", error.line())))?;
            if let Some(found) = file.find(address).map_err(bad)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl File {
    fn find(&self, address: &Address) -> Result<Option<Credentials>, String> {
        let whole = format!("{}/{}", address.registry, address.repository);
        let fits = |key: &&String| {
            let key = key.trim_start_matches("https://").trim_end_matches('/');
            whole.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'))
        };
        if let Some(helper) = self.cred_helpers.get(&address.registry).or(self.creds_store.as_ref())
            && let Some(told) = ask(helper, &address.registry)?
        {
            return Ok(Some(told));
        }
        let key = self.auths.keys().filter(fits).max_by_key(|key| key.len());
        let Some(entry) = key.and_then(|key| self.auths.get(key)) else { return Ok(None) };
        if !entry.identitytoken.is_empty() {
            return Ok(Some(Credentials::IdentityToken(entry.identitytoken.clone())));
        }
        if entry.auth.is_empty() {
            return Ok(None);
        }
        let text = BASE64.decode(entry.auth.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = text.as_deref().and_then(|text| text.split_once(':'));
        let (name, password) = pair.ok_or("`auth` is not base64 of a name, a colon and a password")?;
        Ok(Some(Credentials::Password {
            name: name.into(),
            password: password.trim_end_matches('\0').into(),
        }))
    }
}

/// Asks a helper program. That it knows nothing is no error.
fn ask(helper: &str, registry: &str) -> Result<Option<Credentials>, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if helper.is_empty() || !helper.bytes().all(is_plain) {
        return Err(format!("`{helper}` is no name of a credential helper"));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |error: std::io::Error| format!("`{program}` can't be used: {error}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that doesn't read is seen by what it answers.
        let _ = input.write_all(registry.as_bytes());
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_BYTES).read_to_end(&mut answer).map_err(failed)?;
    }
    if !child.wait().map_err(failed)?.success() {
        return Ok(None);
    }
    let told: Told = serde_json::from_slice(&answer)
        .map_err(|_| format!("`{program}` answers without Username and Secret"))?;
    Ok(Some(match told.username.as_str() {
        "<token>" => Credentials::IdentityToken(told.secret),
        _ => Credentials::Password { name: told.username, password: told.secret },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, address: &str) -> Result<Option<Credentials>, RegistryError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        CredentialFiles(vec![folder.path().join("none"), path]).find(&address.parse().unwrap())
    }

    #[test]
    fn the_longest_key_that_fits_counts() {
        let auth = |text: &str| BASE64.encode(text.as_bytes());
        let file = format!(
            r#"{{"auths":{{"r.org":{{"auth":"{}"}},"r.org/team":{{"auth":"{}"}},"https://t.org/":{{"identitytoken":"z"}}}}}}"#,
            auth("all:a:b"),
            auth("team:c")
        );
        let password = |name: &str, password: &str| {
            Some(Credentials::Password { name: name.into(), password: password.into() })
        };
        assert_eq!(find(&file, "r.org/x").unwrap(), password("all", "a:b"));
        assert_eq!(find(&file, "r.org/teams").unwrap(), password("all", "a:b"));
        assert_eq!(find(&file, "r.org/team/x").unwrap(), password("team", "c"));
        assert_eq!(find(&file, "t.org/x").unwrap(), Some(Credentials::IdentityToken("z".into())));
        assert_eq!(find(&file, "r.org.evil.com/x").unwrap(), None);
        assert_eq!(find("{}", "r.org/x").unwrap(), None);
    }

    #[test]
    fn an_error_never_shows_the_secret() {
        let text = find(r#"{"auths":{"r.org":{"auth":12345678}}}"#, "r.org/x").unwrap_err().to_string();
        assert!(!text.contains("12345678"), "{text}");
        let text = find(r#"{"auths":{"r.org":{"auth":"secret!"}}}"#, "r.org/x").unwrap_err().to_string();
        assert!(!text.contains("secret!"), "{text}");
        let shown = format!("{:?}", Credentials::IdentityToken("secret!".into()));
        assert!(!shown.contains("secret!"));
    }

    #[test]
    fn a_helper_s_name_is_no_path() {
        assert!(find(r#"{"credsStore":"../../bin/x"}"#, "r.org/x").is_err());
    }
}

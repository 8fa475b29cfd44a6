//! From a registry's `WWW-Authenticate` to the header that it wants.

use crate::credentials::Credentials;
use data_encoding::BASE64;
use std::collections::BTreeMap;

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Name and password.
    Basic,
    /// A token from that server.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads the header; `None` if it is neither.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest);
        let realm = parameters.remove("realm")?;
        Some(Self::Bearer { realm, service: parameters.remove("service"), scope: parameters.remove("scope") })
    }
}

/// `name="value"` or `name=value`, separated by commas; values may have commas in their quotes.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let value = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                rest = after;
                value
            }
            None => {
                let (value, after) = after.split_once(',').unwrap_or((after, ""));
                rest = after;
                value.trim()
            }
        };
        found.entry(name).or_insert_with(|| value.to_owned());
    }
    found
}

/// The header for basic authentication.
pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes()))
}

/// The same for credentials that have a password.
pub(crate) fn basic_of(credentials: &Credentials) -> Option<String> {
    match credentials {
        Credentials::Password { name, password } => Some(basic(name, password)),
        Credentials::IdentityToken(_) => None,
    }
}

/// A text as part of a query.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let header =
            r#"Bearer realm="https://a.org/token?x=1",service="r.org",scope="repository:a/b:pull,push""#;
        let Some(Challenge::Bearer { realm, service, scope }) = Challenge::parse(header) else { panic!() };
        assert_eq!(realm, "https://a.org/token?x=1");
        assert_eq!((service.as_deref(), scope.as_deref()), (Some("r.org"), Some("repository:a/b:pull,push")));
        assert_eq!(Challenge::parse("basic realm=x"), Some(Challenge::Basic));
        for header in ["", "Digest x=y", "Bearer", "Bearer service=x", "Bearer realm"] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encoded("repository:a/b:pull,push"), "repository%3Aa%2Fb%3Apull%2Cpush");
    }
}

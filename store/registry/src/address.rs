//! Where an image lies: registry, repository, and a tag or digest.

use crate::error::RegistryError;
use std::net::IpAddr;
use std::str::FromStr;
use sx_export::{Reference, Sha256Digest};

/// An image in a registry: `HOST[:PORT]/NAME[:TAG][@DIGEST]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host, and perhaps a port.
    pub registry: String,
    /// The name in the registry.
    pub repository: String,
    /// The tag; `latest` if none is given.
    pub tag: String,
    /// What the tag has to lead to, or what is meant regardless of the tag.
    pub digest: Option<Sha256Digest>,
}

/// Whether HTTP without encryption is allowed beyond this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Insecure {
    /// Nowhere, not even to this machine.
    Never,
    /// Only to loopback addresses.
    #[default]
    Refused,
    /// To the registry that is named.
    Allowed,
}

impl FromStr for Address {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let reference: Reference = name.parse()?;
        let whole = reference.name();
        let no_registry = || RegistryError::NoRegistry(text.into());
        let (registry, repository) = whole.split_once('/').ok_or_else(no_registry)?;
        if registry != "localhost" && !registry.contains(['.', ':']) {
            return Err(no_registry());
        }
        Ok(Self {
            registry: registry.into(),
            repository: repository.into(),
            tag: reference.tag().into(),
            digest,
        })
    }
}

impl Address {
    /// The registry's base URL: plain HTTP on loopback and where it is allowed, else HTTPS.
    pub(crate) fn base(&self, insecure: Insecure) -> String {
        let is_plain = match insecure {
            Insecure::Never => false,
            Insecure::Refused => self.is_loopback(),
            Insecure::Allowed => true,
        };
        format!("{}://{}", if is_plain { "http" } else { "https" }, self.registry)
    }

    /// What the manifest is asked for by.
    pub(crate) fn wanted(&self) -> String {
        self.digest.map_or_else(|| self.tag.clone(), |digest| digest.to_string())
    }

    fn is_loopback(&self) -> bool {
        let host = self.registry.rsplit_once(':').map_or(self.registry.as_str(), |(host, _)| host);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_registry_and_may_have_a_tag_and_a_digest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let address: Address = format!("localhost:5000/a/b:1@{digest}").parse().unwrap();
        assert_eq!((&*address.registry, &*address.repository, &*address.tag), ("localhost:5000", "a/b", "1"));
        assert_eq!(address.wanted(), digest);
        assert!("sx/hello:1".parse::<Address>().is_err() && "hello".parse::<Address>().is_err());
        assert!("localhost/a@sha256:../x".parse::<Address>().is_err());
    }

    #[test]
    fn only_loopback_and_what_is_allowed_is_plain() {
        let base = |text: &str, insecure| text.parse::<Address>().unwrap().base(insecure);
        assert_eq!(base("127.0.0.1:5000/a", Insecure::Refused), "http://127.0.0.1:5000");
        assert_eq!(base("localhost/a", Insecure::Refused), "http://localhost");
        assert_eq!(base("localhost/a", Insecure::Never), "https://localhost");
        assert_eq!(base("localhost.example.org/a", Insecure::Refused), "https://localhost.example.org");
        assert_eq!(base("example.org:80/a", Insecure::Allowed), "http://example.org:80");
    }
}

//! What an image is called: `sx/hello:1.0`, with a registry before it if it is to lie in one.
//!
//! The grammar is the one container tools share (the distribution project's reference): lower-case components
//! separated by slashes, then a colon and a tag.

use std::fmt;
use std::str::FromStr;

/// Longest tag that registries take.
pub const MAX_TAG_LENGTH: usize = 128;
/// Longest name that registries take, the registry's own name included.
pub const MAX_NAME_LENGTH: usize = 255;

/// A checked name and tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    name: String,
    tag: String,
}

/// Why a text is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// A component of the name breaks the rules.
    #[error(
        "the image name `{name}` has `{component}` between slashes; expected lower-case letters and digits, with \
         `.`, `_`, `__` or `-` only between them"
    )]
    BadComponent {
        /// The whole name.
        name: String,
        /// The component.
        component: String,
    },
    /// The tag breaks the rules.
    #[error(
        "the image tag `{0}` is not valid; expected 1 to {MAX_TAG_LENGTH} letters, digits and `_`, and `.` and `-` \
         not at the beginning (`+` is not allowed)"
    )]
    BadTag(String),
    /// The registry's name or port breaks the rules.
    #[error("`{0}` is not a registry; expected a host name, and perhaps a colon and a port")]
    BadRegistry(String),
    /// A digest is what an export finds out.
    #[error("the image reference `{0}` has a digest; expected a name and a tag")]
    HasDigest(String),
    /// Too long for registries.
    #[error("the image name `{0}` is too long; it may have {MAX_NAME_LENGTH} characters")]
    LongName(String),
}

impl Reference {
    /// Puts a name, with or without a registry, and a tag together.
    pub fn new(name: &str, tag: &str) -> Result<Self, ReferenceError> {
        check_name(name)?;
        if !is_tag(tag) {
            return Err(ReferenceError::BadTag(tag.into()));
        }
        Ok(Self { name: name.into(), tag: tag.into() })
    }

    /// The default for a package: `sx/<name>:<version>` with everything that isn't allowed replaced; the tag is
    /// `latest` if there is no version.
    pub fn of_package(name: &str, version: Option<&str>) -> Self {
        let mut name = format!("sx/{}", sanitised_component(name));
        name.truncate(128);
        let name = name.trim_end_matches(['.', '_', '-']);
        let tag = version.map_or_else(|| "latest".into(), sanitised_tag);
        Self { name: name.into(), tag }
    }

    /// The name without the tag.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The reference with the registry that tools assume if none is named.
    pub fn with_registry(&self) -> String {
        let (registry, path) = split_registry(&self.name);
        match registry {
            Some(_) => self.to_string(),
            None if path.contains('/') => format!("docker.io/{self}"),
            None => format!("docker.io/library/{self}"),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Reads `name` or `name:tag`; the tag is `latest` if there is none, as everywhere.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains('@') {
            return Err(ReferenceError::HasDigest(text.into()));
        }
        match text.rsplit_once(':') {
            // A colon before a slash precedes a registry's port.
            Some((name, tag)) if !tag.contains('/') => Self::new(name, tag),
            _ => Self::new(text, "latest"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.tag)
    }
}

fn check_name(name: &str) -> Result<(), ReferenceError> {
    if name.len() > MAX_NAME_LENGTH {
        return Err(ReferenceError::LongName(name.into()));
    }
    let (registry, path) = split_registry(name);
    if let Some(registry) = registry.filter(|registry| !is_registry(registry)) {
        return Err(ReferenceError::BadRegistry(registry.into()));
    }
    match path.split('/').find(|component| !is_component(component)) {
        Some(component) => {
            Err(ReferenceError::BadComponent { name: name.into(), component: component.into() })
        }
        None => Ok(()),
    }
}

/// The first component is a registry if it looks like a host: a dot, a port, or `localhost`.
fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    }
}

fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_component(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_plain = text.bytes().next().is_some_and(is_plain) && text.bytes().last().is_some_and(is_plain);
    ends_plain
        && text.split(|character: char| character.is_ascii() && is_plain(character as u8)).all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(text: &str) -> bool {
    (1..=MAX_TAG_LENGTH).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn sanitised_component(text: &str) -> String {
    let mut component = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            component.push(character.to_ascii_lowercase());
        } else if !component.is_empty() && !component.ends_with(['.', '-']) {
            component.push(if character == '.' { '.' } else { '-' });
        }
    }
    let component = component.trim_end_matches(['.', '-']);
    if component.is_empty() { "image".into() } else { component.into() }
}

fn sanitised_tag(text: &str) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let tag: String =
        text.chars().map(|character| if allowed(character) { character } else { '-' }).collect();
    let tag: String = tag.trim_start_matches(['.', '-']).chars().take(MAX_TAG_LENGTH).collect();
    if tag.is_empty() { "latest".into() } else { tag }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_that_tools_take_are_taken() {
        for text in ["sx/hello:1.0", "a", "a__b/c-d--e.f:X_1-2", "localhost:5000/a:b", "Example.org/a/b"] {
            let reference: Reference = text.parse().unwrap();
            assert!(reference.to_string().starts_with(text), "{text}");
        }
        assert_eq!("localhost:5000/a".parse::<Reference>().unwrap().tag(), "latest");
    }

    #[test]
    fn what_tools_refuse_is_refused_by_name() {
        let error = |text: &str| text.parse::<Reference>().unwrap_err();
        for text in ["", "Hello", "a//b", "/a", "a/", "-a", "a_", "a___b", "a..b", "a b", "é", "a.-b"] {
            assert!(matches!(error(text), ReferenceError::BadComponent { .. }), "{text}");
        }
        assert_eq!(error("a:1+2"), ReferenceError::BadTag("1+2".into()));
        for tag in ["", ".a", "-a", &"a".repeat(129)] {
            assert_eq!(error(&format!("a:{tag}")), ReferenceError::BadTag(tag.into()));
        }
        for text in ["a_b.c/d", "localhost:x/d", "a:99999/d", "localhost:/d", "-a.b/d"] {
            assert!(matches!(error(text), ReferenceError::BadRegistry(_)), "{text}");
        }
        assert!(matches!(error("a@sha256:00"), ReferenceError::HasDigest(_)));
        assert!(matches!(error(&"a".repeat(256)), ReferenceError::LongName(_)));
        assert!(error("a:1+2").to_string().contains("`+` is not allowed"));
    }

    #[test]
    fn defaults_are_readable() {
        let of = |name, version| Reference::of_package(name, version).to_string();
        assert_eq!(of("hello", Some("1.0")), "sx/hello:1.0");
        assert_eq!(of("GTK+_X", Some("3.0+git~1")), "sx/gtk-x:3.0-git-1");
        assert_eq!(of("++", None), "sx/image:latest");
    }

    #[test]
    fn the_assumed_registry_is_written_out() {
        let full = |text: &str| text.parse::<Reference>().unwrap().with_registry();
        assert_eq!(full("a:1"), "docker.io/library/a:1");
        assert_eq!(full("sx/a:1"), "docker.io/sx/a:1");
        assert_eq!(full("localhost:5000/a:1"), "localhost:5000/a:1");
    }

    proptest! {
        #[test]
        fn a_default_is_always_valid(name in "\\PC{0,200}", version in proptest::option::of("\\PC{0,200}")) {
            let reference = Reference::of_package(&name, version.as_deref());
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _: Result<Reference, _> = text.parse();
        }
    }
}

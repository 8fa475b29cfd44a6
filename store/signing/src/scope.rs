//! What a requirement is about: packages by pattern, images by where they lie.

use serde::Deserialize;
use std::fmt;

/// A pattern of derivations' names, such as `hello-*`: `*` stands for any text, everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pattern(String);

/// Images below a registry or a folder of one: `docker.io/sx` has `docker.io/sx/hello:1.0` but not `docker.io/sxy`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(String);

/// An image's name and tag, the registry always named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    name: String,
    tag: String,
}

/// Why a text is no name of images.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not {1}")]
pub struct ScopeError(String, &'static str);

impl Pattern {
    /// Takes the pattern's text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether the whole of `name` fits.
    pub fn fits(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.as_bytes(), name.as_bytes());
        // Where to go on if what follows the last star doesn't fit: one byte later.
        let mut retry: Option<(&[u8], &[u8])> = None;
        loop {
            match (pattern.split_first(), rest.split_first()) {
                (Some((b'*', after)), _) => {
                    retry = Some((after, rest));
                    pattern = after;
                }
                (Some((expected, after)), Some((found, later))) if expected == found => {
                    (pattern, rest) = (after, later);
                }
                (None, None) => return true,
                _ => match retry.and_then(|(after, from)| Some((after, from.split_first()?.1))) {
                    Some((after, from)) => {
                        retry = Some((after, from));
                        (pattern, rest) = (after, from);
                    }
                    None => return false,
                },
            }
        }
    }
}

impl Scope {
    /// Whether the image is in it.
    pub fn covers(&self, image: &ImageName) -> bool {
        self.covers_name(&image.name)
    }

    /// Whether all images of the other scope are in this one.
    pub fn contains(&self, other: &Self) -> bool {
        self.covers_name(&other.0)
    }

    fn covers_name(&self, name: &str) -> bool {
        name.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        let expected = "a registry, or a registry and names below it with slashes between: `docker.io/sx`";
        if is_name(&text) { Ok(Self(text)) } else { Err(ScopeError(text, expected)) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl ImageName {
    /// Reads `registry/name:tag`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let bad = || {
            ScopeError(
                text.into(),
                "an image; expected a registry, a name and a tag: `docker.io/sx/hello:1.0`",
            )
        };
        let (name, tag) = text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).ok_or_else(bad)?;
        let is_tag = !tag.is_empty()
            && tag.len() <= 128
            && !tag.starts_with(['.', '-'])
            && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !is_name(name) || !name.contains('/') || !is_tag {
            return Err(bad());
        }
        Ok(Self { name: name.into(), tag: tag.into() })
    }

    /// The name with its registry, without the tag.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.tag)
    }
}

/// Whether the text begins with a registry, and every component could be a folder's name and no other.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_component = |component: &str| {
        component.starts_with(|first: char| first.is_ascii_alphanumeric()) && component.bytes().all(allowed)
    };
    let mut components = text.split('/');
    let registry = components.next().unwrap_or_default();
    let (host, port) = registry.split_once(':').unwrap_or((registry, "0"));
    let is_registry = registry.contains(['.', ':']) || registry == "localhost";
    let is_port = !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 255 && is_registry && is_port && is_component(host) && components.all(is_component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, fits) in [
            ("*", "hello-1.0", true),
            ("hello-*", "hello-1.0", true),
            ("hello-*", "hello", false),
            ("hello", "hello-1.0", false),
            ("*-1.0", "a-1.0-1.0", true),
            ("a*b*c", "aXbXbYc", true),
            ("a*b*c", "aXbXbYcd", false),
            ("", "x", false),
            ("**", "", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_compared_in_time() {
        assert!(!Pattern::new(&"*a".repeat(500)).fits(&"ab".repeat(400)));
    }

    #[test]
    fn a_scope_ends_at_a_slash() {
        let scope = Scope::try_from("docker.io/sx".to_owned()).unwrap();
        let covers = |text| scope.covers(&ImageName::parse(text).unwrap());
        assert!(covers("docker.io/sx/hello:1.0") && covers("docker.io/sx/a/b:1") && covers("docker.io/sx:1"));
        assert!(!covers("docker.io/sxy/hello:1.0") && !covers("docker.io/a/sx:1"));
    }

    #[test]
    fn names_that_are_no_images_or_no_safe_paths_are_refused() {
        for text in [
            "sx/hello:1",
            "docker.io/sx",
            "docker.io/../x:1",
            "docker.io//x:1",
            "docker.io/X:1",
            "docker.io/x:",
            "a:b/x:1",
            "docker.io:1",
            "docker.io/x@sha256:1",
        ] {
            assert!(ImageName::parse(text).is_err(), "{text}");
        }
        assert!(ImageName::parse("127.0.0.1:5000/sx/hello:1").is_ok());
        assert!(Scope::try_from("sx".to_owned()).is_err());
    }
}

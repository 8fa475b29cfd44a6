//! Where a source can be had.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// One place that a source can come from. Several may be listed for one hash; they are tried in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `https://…` or `http://…`. Plain http will do, as the pinned hash says what the bytes are.
    Url(String),
    /// `file:///…`, an absolute path on this machine.
    File(PathBuf),
    /// `debian:PACKAGE/FILE`: a file of a Debian source package, from whichever mirror is configured.
    Debian {
        /// The source package.
        package: String,
        /// The file's name.
        file: String,
    },
    /// `crate:NAME/VERSION`: a crate as crates.io's registry serves it, from whichever mirror is configured.
    Crate {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
    },
}

/// What is wrong with the text of an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address of a source: {problem}")]
pub struct AddressError {
    /// The text as given.
    pub text: String,
    /// What is wrong, and what was expected.
    pub problem: &'static str,
}

impl Address {
    /// The last component of the path, percent signs decoded: the file's name in a folder of sources. `None` where
    /// there is none that can be a file's name.
    pub fn file_name(&self) -> Option<String> {
        let name = match self {
            Self::Debian { file, .. } => file.clone(),
            // As cargo names it in its own cache.
            Self::Crate { name, version } => format!("{name}-{version}.crate"),
            Self::File(path) => path.file_name()?.to_str()?.to_owned(),
            Self::Url(url) => {
                let path = url.split(['?', '#']).next()?;
                let (_, path) = path.split_once("://")?.1.split_once('/')?;
                percent_decoded(path.rsplit('/').next()?)?
            }
        };
        let is_usable = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
        is_usable.then_some(name)
    }
}

/// The path of a Debian source file below a mirror's base.
pub(crate) fn pool_path(package: &str, file: &str) -> String {
    let prefix_bytes = if package.starts_with("lib") { 4 } else { 1 };
    let prefix = package.get(..prefix_bytes).unwrap_or(package);
    format!("pool/main/{prefix}/{package}/{file}")
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = |problem| Err(AddressError { text: text.into(), problem });
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return refuse("it has white space or control characters in it");
        }
        if let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return if host.contains('@') {
                // It would stand in the derivation, which is published.
                refuse("it has a user's name or password in it; addresses are not secret")
            } else if text.contains('#') {
                refuse("it has a fragment (`#`), which servers never see")
            } else if host.is_empty() || host.starts_with(':') {
                refuse("it names no host")
            } else if !text.is_ascii() {
                refuse("it has characters that must be written with `%` in a URL")
            } else if text.parse::<ureq::http::Uri>().is_err() {
                refuse("it is no valid URL")
            } else {
                Ok(Self::Url(text.into()))
            };
        }
        if let Some(path) = text.strip_prefix("file://") {
            return match percent_decoded(path) {
                Some(path) if path.starts_with('/') && !path.contains('\0') => Ok(Self::File(path.into())),
                Some(_) => refuse("expected an absolute path after `file://`"),
                None => refuse("it has a `%` that is not followed by two digits of UTF-8"),
            };
        }
        if let Some(rest) = text.strip_prefix("debian:") {
            let Some((package, file)) = rest.split_once('/') else {
                return refuse("expected `debian:PACKAGE/FILE`");
            };
            return if !is_package_name(package) {
                refuse(
                    "a Debian source package has at least two of a–z, 0–9, `+`, `-`, `.`, first a letter or digit",
                )
            } else if !is_file_name(file) {
                refuse(
                    "a Debian source file has only letters, digits, `+`, `-`, `.`, `_`, `~`, first a letter or digit",
                )
            } else {
                Ok(Self::Debian { package: package.into(), file: file.into() })
            };
        }
        if let Some(rest) = text.strip_prefix("crate:") {
            let Some((name, version)) = rest.split_once('/') else {
                return refuse("expected `crate:NAME/VERSION`");
            };
            return if !is_crate_name(name) {
                refuse("a crate's name has only letters, digits, `-` and `_`, first a letter")
            } else if !is_crate_version(version) {
                refuse("a crate's version has only letters, digits, `.`, `-` and `+`, first a digit")
            } else {
                Ok(Self::Crate { name: name.into(), version: version.into() })
            };
        }
        refuse("expected `https://…`, `http://…`, `file:///…`, `debian:PACKAGE/FILE` or `crate:NAME/VERSION`")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => formatter.write_str(url),
            Self::File(path) => write!(formatter, "file://{}", path.display()),
            Self::Debian { package, file } => write!(formatter, "debian:{package}/{file}"),
            Self::Crate { name, version } => write!(formatter, "crate:{name}/{version}"),
        }
    }
}

fn is_package_name(name: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(byte);
    let first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() >= 2 && name.as_bytes().first().is_some_and(first) && name.as_bytes().iter().all(is_inner)
}

fn is_file_name(name: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._~".contains(byte);
    name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && name.as_bytes().iter().all(is_inner)
}

fn is_crate_name(name: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && name.as_bytes().iter().all(is_inner)
}

fn is_crate_version(version: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b".-+".contains(byte);
    version.as_bytes().first().is_some_and(u8::is_ascii_digit) && version.as_bytes().iter().all(is_inner)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_alike() {
        for text in [
            "https://example.org/a/b.tar.gz?x=1",
            "http://[::1]:80/a",
            "file:///a/b",
            "debian:tcc/tcc_0.9+git~1.dsc",
            "crate:jemalloc-sys/0.5.4+5.3.0-patched",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        let cases = [
            ("ftp://example.org/a", "expected `https://"),
            ("https:///a", "names no host"),
            ("https://user:secret@example.org/a", "not secret"),
            ("https://example.org/a#b", "fragment"),
            ("https://example.org/a b", "white space"),
            ("https://example.org/ä", "written with `%`"),
            ("file://a/b", "absolute path"),
            ("file:///%zz", "two digits"),
            ("debian:tcc", "debian:PACKAGE/FILE"),
            ("debian:../a", "Debian source package"),
            ("debian:tcc/../../a", "Debian source file"),
            ("debian:tcc/", "Debian source file"),
            ("crate:libc", "crate:NAME/VERSION"),
            ("crate:../1.0.0", "a crate's name"),
            ("crate:libc/..", "a crate's version"),
            ("crate:libc/0.2/a", "a crate's version"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn debian_files_lie_in_the_pool() {
        assert_eq!(pool_path("tcc", "f"), "pool/main/t/tcc/f");
        assert_eq!(pool_path("libx11", "f"), "pool/main/libx/libx11/f");
        assert_eq!(pool_path("lib", "f"), "pool/main/lib/lib/f");
    }

    #[test]
    fn the_name_in_a_folder_of_sources_is_the_last_component() {
        let name = |text: &str| text.parse::<Address>().unwrap().file_name();
        assert_eq!(name("https://example.org/a/b%2B1.tar?x=/y").as_deref(), Some("b+1.tar"));
        assert_eq!(name("https://example.org/a/..%2fb"), None);
        assert_eq!(name("https://example.org"), None);
        assert_eq!(name("debian:tcc/a.dsc").as_deref(), Some("a.dsc"));
        assert_eq!(name("crate:libc/0.2.1").as_deref(), Some("libc-0.2.1.crate"));
    }
}

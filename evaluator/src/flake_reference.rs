//! References to flakes: as text (`github:owner/repo/branch`), and as attributes.
//!
//! sx reads no other flake during evaluation; expressions that pass references on still can take them apart and put them
//! together. What each kind takes:
//!
//! | text | type | attributes beside `dir` and `narHash` |
//! |---|---|---|
//! | `flake:ID`, `ID`, `ID/REF/REV` | indirect | id, ref, rev |
//! | `path:PATH`, `/PATH` | path | path, rev, revCount, lastModified |
//! | `github:OWNER/REPO/REF` and gitlab, sourcehut | the same word | owner, repo, ref, rev, host |
//! | `git+https:…`, `git:…` | git | url, ref, rev, and switches such as submodules |
//! | `hg+https:…` | hg | url, ref, rev |
//! | `https:…`, `tarball+https:…` | tarball | url, rev, revCount, lastModified |
//! | `file+https:…` | file | the same |

use std::collections::BTreeMap;
use std::fmt;

/// The value of an attribute of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Text(String),
    Number(i64),
    Truth(bool),
}

/// A reference as attributes.
pub(crate) type Fields = BTreeMap<String, Field>;

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReferenceError {
    /// Not of any form.
    #[error("`{0}` is no reference to a flake, expected one like `github:owner/repo` or an absolute path")]
    Form(String),
    /// A part after `#`.
    #[error("the reference to a flake `{0}` names an attribute after `#`, expected none")]
    Fragment(String),
    /// A value that can't be.
    #[error("the reference to a flake has a wrong `{name}`: `{value}`")]
    Value {
        /// The attribute.
        name: String,
        /// What it has.
        value: String,
    },
    /// Too few attributes.
    #[error("the reference to a flake has no `{0}`")]
    Missing(String),
    /// Too many attributes.
    #[error("a reference to a flake of type `{kind}` has no `{name}`")]
    Unsupported {
        /// Of the reference.
        kind: String,
        /// The attribute.
        name: String,
    },
}

/// Switches of Git references.
const SWITCHES: [&str; 6] = ["allRefs", "exportIgnore", "lfs", "shallow", "submodules", "verifyCommit"];

/// Switches of Git references that their text keeps.
const KEPT_SWITCHES: [&str; 5] = ["exportIgnore", "lfs", "shallow", "submodules", "verifyCommit"];

/// Characters that a query has as they are, beside letters, digits and `-._~`.
const PLAIN_IN_QUERY: &[u8] = b":@/?";

/// The same of a path.
const PLAIN_IN_PATH: &[u8] = b":@/";

/// A text taken apart: `scheme:path?query`.
struct Address {
    scheme: String,
    path: String,
    query: BTreeMap<String, String>,
}

/// The attributes of a reference.
pub(crate) fn parse(text: &str) -> Result<Fields, ReferenceError> {
    let wrong = || ReferenceError::Form(text.to_owned());
    let plain = match text.split_once('#') {
        Some((before, "")) => before,
        Some(_) => return Err(ReferenceError::Fragment(text.to_owned())),
        None => text,
    };
    let mut address = match Address::parse(plain) {
        Some(address) => address,
        None if plain.starts_with('/') => Address::parse(&format!("path:{plain}")).ok_or_else(wrong)?,
        None if is_identifier(plain.split('/').next().unwrap_or_default()) && !plain.contains('?') => {
            Address { scheme: "flake".into(), path: plain.into(), query: BTreeMap::new() }
        }
        None => return Err(wrong()),
    };
    let dir = address.query.remove("dir");
    let mut fields = address.fields().map_err(|error| error.unwrap_or_else(wrong))?;
    if let Some(dir) = dir.filter(|dir| !dir.is_empty()) {
        fields.insert("dir".into(), Field::Text(dir));
    }
    Ok(fields)
}

/// `None` is any form that isn't known.
type Parsed = Result<Fields, Option<ReferenceError>>;

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme
                .chars()
                .all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || "+-.".contains(each));
        if !is_scheme || rest.contains(|each: char| each.is_ascii_whitespace() || "\"<>^`{|}".contains(each))
        {
            return None;
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut pairs = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            pairs.insert(decoded(name)?, decoded(value)?);
        }
        Some(Self { scheme: scheme.into(), path: path.into(), query: pairs })
    }

    fn take(&mut self, fields: &mut Fields, names: &[&str]) {
        for name in names {
            if let Some(value) = self.query.remove(*name) {
                fields.insert((*name).into(), Field::Text(value));
            }
        }
    }

    fn take_numbers(&mut self, fields: &mut Fields, names: &[&str]) -> Result<(), ReferenceError> {
        for name in names {
            if let Some(value) = self.query.remove(*name) {
                let number: u32 = value
                    .parse()
                    .map_err(|_| ReferenceError::Value { name: (*name).into(), value: value.clone() })?;
                fields.insert((*name).into(), Field::Number(number.into()));
            }
        }
        Ok(())
    }

    fn fields(&mut self) -> Parsed {
        let (application, transport) = self.scheme.split_once('+').unwrap_or(("", &self.scheme));
        let (application, transport) = (application.to_owned(), transport.to_owned());
        let is_web = matches!(transport.as_str(), "http" | "https" | "file");
        match (application.as_str(), transport.as_str()) {
            ("", "flake") => self.indirect(),
            ("", "path") => self.path(),
            ("", "github" | "gitlab" | "sourcehut") => self.forge(),
            ("", "git") | ("git", "http" | "https" | "ssh" | "file") => {
                let mut fields = kind("git");
                self.take(&mut fields, &["ref", "rev", "keytype", "publicKey", "publicKeys"]);
                for name in SWITCHES {
                    if let Some(value) = self.query.remove(name) {
                        fields.insert(name.into(), Field::Truth(value == "1"));
                    }
                }
                Ok(self.with_url(fields, &transport))
            }
            ("hg", "http" | "https" | "ssh" | "file") => {
                let mut fields = kind("hg");
                self.take(&mut fields, &["ref", "rev"]);
                Ok(self.with_url(fields, &transport))
            }
            ("" | "tarball" | "file", _) if is_web => {
                let mut fields = kind(if application == "file" { "file" } else { "tarball" });
                self.take(&mut fields, &["narHash", "rev"]);
                self.take_numbers(&mut fields, &["lastModified", "revCount"])?;
                Ok(self.with_url(fields, &transport))
            }
            _ => Err(None),
        }
    }

    fn with_url(&self, mut fields: Fields, transport: &str) -> Fields {
        let url = format!("{transport}:{}{}", self.path, query(&self.query));
        fields.insert("url".into(), Field::Text(url));
        fields
    }

    fn indirect(&mut self) -> Parsed {
        let parts: Vec<&str> = self.path.split('/').collect();
        let mut fields = kind("indirect");
        let (id, rest) = parts.split_first().ok_or(None)?;
        if !is_identifier(id) || rest.len() > 2 {
            return Err(None);
        }
        fields.insert("id".into(), Field::Text((*id).into()));
        match *rest {
            [] => {}
            [one] if is_revision(one) => {
                fields.insert("rev".into(), Field::Text(one.into()));
            }
            [one] if is_reference_name(one) => {
                fields.insert("ref".into(), Field::Text(one.into()));
            }
            [name, revision] if is_reference_name(name) && is_revision(revision) => {
                fields.insert("ref".into(), Field::Text(name.into()));
                fields.insert("rev".into(), Field::Text(revision.into()));
            }
            _ => return Err(None),
        }
        Ok(fields)
    }

    fn path(&mut self) -> Parsed {
        let mut fields = kind("path");
        fields.insert("path".into(), Field::Text(decoded(&self.path).ok_or(None)?));
        self.take(&mut fields, &["narHash", "rev"]);
        self.take_numbers(&mut fields, &["lastModified", "revCount"])?;
        match self.query.keys().next() {
            Some(name) => Err(Some(ReferenceError::Unsupported { kind: "path".into(), name: name.clone() })),
            None => Ok(fields),
        }
    }

    fn forge(&mut self) -> Parsed {
        let mut fields = kind(&self.scheme);
        let parts: Option<Vec<String>> =
            self.path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let parts = parts.ok_or(None)?;
        let [owner, repository, rest @ ..] = parts.as_slice() else { return Err(None) };
        fields.insert("owner".into(), Field::Text(owner.clone()));
        fields.insert("repo".into(), Field::Text(repository.clone()));
        let named = rest.join("/");
        let wanted = [Some(named), self.query.remove("ref"), self.query.remove("rev")];
        let wanted = wanted.into_iter().zip([None, Some("ref"), Some("rev")]);
        let mut is_named = false;
        for (text, name) in wanted {
            let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
            if std::mem::replace(&mut is_named, true) {
                return Err(None);
            }
            let name = name.unwrap_or(if is_revision(&text) { "rev" } else { "ref" });
            if name == "rev" && !is_revision(&text) || name == "ref" && !is_reference_name(&text) {
                return Err(Some(ReferenceError::Value { name: name.into(), value: text }));
            }
            fields.insert(name.into(), Field::Text(text));
        }
        self.take(&mut fields, &["host", "narHash"]);
        Ok(fields)
    }
}

fn kind(kind: &str) -> Fields {
    BTreeMap::from([("type".to_owned(), Field::Text(kind.to_owned()))])
}

/// The text of a reference.
pub(crate) fn show(fields: &Fields) -> Result<String, ReferenceError> {
    let kind = text(fields, "type")?;
    let common = ["type", "dir", "narHash"];
    let own: &[&str] = match kind.as_str() {
        "indirect" => &["id", "ref", "rev"],
        "path" => &["path", "rev", "revCount", "lastModified"],
        "github" | "gitlab" | "sourcehut" => {
            &["owner", "repo", "ref", "rev", "host", "lastModified", "treeHash"]
        }
        "git" => &[
            "url",
            "ref",
            "rev",
            "revCount",
            "lastModified",
            "name",
            "keytype",
            "publicKey",
            "publicKeys",
            "allRefs",
            "exportIgnore",
            "lfs",
            "shallow",
            "submodules",
            "verifyCommit",
            "dirtyRev",
            "dirtyShortRev",
        ],
        "hg" => &["url", "ref", "rev", "revCount", "name"],
        "tarball" | "file" => &["url", "rev", "revCount", "lastModified", "unpack", "name"],
        _ => return Err(ReferenceError::Value { name: "type".into(), value: kind }),
    };
    if let Some(name) =
        fields.keys().find(|name| !common.contains(&name.as_str()) && !own.contains(&name.as_str()))
    {
        return Err(ReferenceError::Unsupported { kind, name: name.clone() });
    }
    for (name, field) in fields {
        let is_wrong = match (name.as_str(), field) {
            (_, Field::Number(number)) => *number < 0,
            ("narHash", Field::Text(hash)) => sx_derivation::Hash::parse(hash, None).is_err(),
            ("rev", Field::Text(revision)) => {
                !matches!(kind.as_str(), "tarball" | "file") && !is_revision(revision)
            }
            ("ref", Field::Text(name)) => !is_reference_name(name),
            (name, Field::Text(_)) => SWITCHES.contains(&name),
            (_, Field::Truth(_)) => false,
        };
        if is_wrong {
            return Err(ReferenceError::Value { name: name.clone(), value: field.to_string() });
        }
    }
    let mut asked = BTreeMap::new();
    let mut ask = |names: &[&str]| {
        for name in names {
            if let Some(field) = fields.get(*name) {
                asked.insert((*name).to_owned(), field.to_string());
            }
        }
    };
    if fields.get("dir").is_some_and(|dir| *dir != Field::Text(String::new())) {
        ask(&["dir"]);
    }
    let start = match kind.as_str() {
        "indirect" => {
            let id = text(fields, "id")?;
            if !is_identifier(&id) {
                return Err(ReferenceError::Value { name: "id".into(), value: id });
            }
            let mut start = format!("flake:{id}");
            for name in ["ref", "rev"] {
                if fields.contains_key(name) {
                    start = format!("{start}/{}", text(fields, name)?);
                }
            }
            start
        }
        "path" => {
            ask(&["narHash", "rev", "revCount", "lastModified"]);
            format!("path:{}", encoded(&text(fields, "path")?, PLAIN_IN_PATH))
        }
        "github" | "gitlab" | "sourcehut" => {
            ask(&["host", "narHash"]);
            let (owner, repository) = (text(fields, "owner")?, text(fields, "repo")?);
            let start = format!("{kind}:{}/{}", encoded(&owner, b""), encoded(&repository, b""));
            match (fields.contains_key("ref"), fields.contains_key("rev")) {
                (true, true) => {
                    return Err(ReferenceError::Value { name: "ref".into(), value: text(fields, "ref")? });
                }
                (false, false) => start,
                (is_branch, _) => {
                    let name = if is_branch { "ref" } else { "rev" };
                    format!("{start}/{}", text(fields, name)?)
                }
            }
        }
        "git" | "hg" => {
            ask(&["ref", "rev"]);
            ask(&KEPT_SWITCHES
                .into_iter()
                .filter(|name| fields.get(*name) == Some(&Field::Truth(true)))
                .collect::<Vec<_>>());
            let url = text(fields, "url")?;
            match Address::parse(&url) {
                Some(address) => {
                    asked.extend(address.query);
                    let scheme = address.scheme;
                    let is_complete = scheme == kind || scheme.starts_with(&format!("{kind}+"));
                    let scheme = if is_complete { scheme } else { format!("{kind}+{scheme}") };
                    format!("{scheme}:{}", address.path)
                }
                None => {
                    let slashes = if url.starts_with('/') { "//" } else { "" };
                    format!("{kind}+file:{slashes}{}", encoded(&url, PLAIN_IN_PATH))
                }
            }
        }
        _ => {
            ask(&["narHash"]);
            let url = text(fields, "url")?;
            let address = Address::parse(&url)
                .ok_or_else(|| ReferenceError::Value { name: "url".into(), value: url.clone() })?;
            asked.extend(address.query);
            format!("{}:{}", address.scheme, address.path)
        }
    };
    Ok(start + &query(&asked))
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Truth(truth) => formatter.write_str(if *truth { "1" } else { "0" }),
        }
    }
}

fn text(fields: &Fields, name: &str) -> Result<String, ReferenceError> {
    match fields.get(name) {
        Some(Field::Text(text)) => Ok(text.clone()),
        Some(other) => Err(ReferenceError::Value { name: name.into(), value: other.to_string() }),
        None => Err(ReferenceError::Missing(name.into())),
    }
}

fn query(pairs: &BTreeMap<String, String>) -> String {
    let shown: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name, PLAIN_IN_QUERY), encoded(value, PLAIN_IN_QUERY)))
        .collect();
    if shown.is_empty() { String::new() } else { format!("?{}", shown.join("&")) }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|each| each.is_ascii_alphanumeric() || "_-".contains(each))
}

fn is_revision(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Of a branch or tag.
fn is_reference_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|each| each.is_ascii_alphanumeric() || "_.@/+-".contains(each))
        && !text.contains("..")
}

fn encoded(text: &str, plain: &[u8]) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

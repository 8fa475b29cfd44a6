//! Release files: what belongs to a release, for others to build again, compare and sign.
//!
//! JSON as `serde_json` prints it for people: two spaces for each level, keys in the order below, a line end at the end.
//! Everybody signs these bytes, so there is no time, host or person in them.
//!
//! | key | value |
//! |---|---|
//! | `_type` | `urn:sx:release:v1` |
//! | `name` | of the release: letters, digits, `-`, `_`, `.` |
//! | `serial` | a number that grows with each release of the name, from 1 |
//! | `packages[]` | sorted by attribute, each once |
//! | `.attribute` | path of the attribute that evaluates to it |
//! | `.name`, `.version` | as the package says; the version may be empty |
//! | `.derivation` | store path as evaluated: it pins every source and every step |
//! | `.resolved` | store path with the contents of its inputs in it: what attestations are about |
//! | `.output`, `.content` | the output's name, and the store path that it was realised to |
//! | `.image` | `null`, or `reference` and `digest` of the manifest |
//!
//! Changing anything here makes every signature of a release void.

use crate::scope::ImageName;
use crate::statement::{Statement, StatementError};
use serde::{Deserialize, Serialize};
use sx_derivation::StorePath;

/// Longest release file.
pub const MAX_RELEASE_BYTES: usize = 16 * 1024 * 1024;
/// What machines' envelopes say that they hold.
pub const RELEASE_TYPE: &str = "application/vnd.sx.release.v1+json";

const KIND: &str = "urn:sx:release:v1";

/// A release, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    name: String,
    serial: u64,
    packages: Vec<ReleasedPackage>,
}

/// A package of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleasedPackage {
    /// Path of its attribute.
    pub attribute: String,
    /// What it is called.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// The derivation as it is evaluated.
    pub derivation: StorePath,
    /// What is claimed: the resolved derivation, the output, and what that was realised to.
    pub statement: Statement,
    /// Its image.
    pub image: Option<ReleasedImage>,
}

/// An image of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedImage {
    /// Its name and tag, with a registry or without.
    pub reference: String,
    /// Digest of its manifest: `sha256:` and 64 digits.
    pub digest: String,
}

/// Why bytes are no release, or not one to rely on.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Too many bytes.
    #[error("the release file has {0} bytes; at most {MAX_RELEASE_BYTES} are allowed")]
    Long(usize),
    /// Not the JSON of one.
    #[error("not a release file")]
    Json(#[source] serde_json::Error),
    /// Of another kind or version.
    #[error("the file's `_type` is `{0}`, expected `{KIND}`")]
    Kind(String),
    /// A name that can't be one.
    #[error(
        "`{0}` is no name of a release; expected letters, digits, `-`, `_` or `.`, a letter or digit first"
    )]
    Name(String),
    /// Releases are counted from 1.
    #[error("a release's serial is at least 1")]
    Serial,
    /// A release of nothing.
    #[error("the release has no packages")]
    Empty,
    /// A package that claims nothing.
    #[error("the package `{attribute}` of the release makes no sense")]
    Package {
        /// Which.
        attribute: String,
        /// Why.
        #[source]
        source: StatementError,
    },
    /// A digest or name that is none.
    #[error("the image of `{attribute}` is `{found}`, which is no name or digest of an image")]
    Image {
        /// Of which package.
        attribute: String,
        /// What is there.
        found: String,
    },
    /// Twice, or not sorted.
    #[error("the package `{0}` is there twice, or not in the order of attributes")]
    Order(String),
    /// The same in other bytes, which nobody signed.
    #[error("the release file is not in canonical form: spaces, escapes or the order of keys differ")]
    NotCanonical,
    /// Somebody offers an older release than was relied on before.
    #[error("the release {found} of `{name}` is older than {seen}, which was relied on before")]
    Older {
        /// Of which name.
        name: String,
        /// The number found.
        found: u64,
        /// The newest relied on.
        seen: u64,
    },
    /// Two releases with one number.
    #[error("another release {serial} of `{name}` was relied on before: two have the same number")]
    Other {
        /// Of which name.
        name: String,
        /// The number.
        serial: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    _type: String,
    name: String,
    serial: u64,
    packages: Vec<PackageDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackageDocument {
    attribute: String,
    name: String,
    version: String,
    derivation: String,
    resolved: String,
    output: String,
    content: String,
    image: Option<ReleasedImage>,
}

impl Release {
    /// Puts a release together; packages are sorted.
    pub fn new(name: &str, serial: u64, mut packages: Vec<ReleasedPackage>) -> Result<Self, ReleaseError> {
        packages.sort();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !begins_well || name.len() > 100 || !name.bytes().all(is_plain) {
            return Err(ReleaseError::Name(name.chars().take(100).collect()));
        }
        if serial == 0 {
            return Err(ReleaseError::Serial);
        }
        if packages.is_empty() {
            return Err(ReleaseError::Empty);
        }
        for pair in packages.windows(2) {
            if pair[0].attribute >= pair[1].attribute {
                return Err(ReleaseError::Order(pair[1].attribute.clone()));
            }
        }
        for package in &packages {
            let attribute = || package.attribute.clone();
            if !package.derivation.is_derivation() {
                let source = StatementError::NotDerivation(package.derivation.clone());
                return Err(ReleaseError::Package { attribute: attribute(), source });
            }
            let Some(image) = &package.image else { continue };
            if !is_digest(&image.digest) || !is_reference(&image.reference) {
                let found = format!("{}@{}", image.reference, image.digest);
                return Err(ReleaseError::Image { attribute: attribute(), found });
            }
        }
        Ok(Self { name: name.into(), serial, packages })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// By attribute.
    pub fn packages(&self) -> &[ReleasedPackage] {
        &self.packages
    }

    /// The file's bytes, which are what is signed.
    pub fn encode(&self) -> Vec<u8> {
        let package = |package: &ReleasedPackage| PackageDocument {
            attribute: package.attribute.clone(),
            name: package.name.clone(),
            version: package.version.clone(),
            derivation: package.derivation.to_string(),
            resolved: package.statement.derivation().to_string(),
            output: package.statement.output().into(),
            content: package.statement.content().to_string(),
            image: package.image.clone(),
        };
        let document = Document {
            _type: KIND.into(),
            name: self.name.clone(),
            serial: self.serial,
            packages: self.packages.iter().map(package).collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&document).expect("a record of texts is always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a file; nothing but the canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReleaseError> {
        if bytes.len() > MAX_RELEASE_BYTES {
            return Err(ReleaseError::Long(bytes.len()));
        }
        let document: Document = serde_json::from_slice(bytes).map_err(ReleaseError::Json)?;
        if document._type != KIND {
            return Err(ReleaseError::Kind(document._type));
        }
        let packages = document.packages.into_iter().map(|package| {
            let attribute = package.attribute.clone();
            read_package(package).map_err(|source| ReleaseError::Package { attribute, source })
        });
        let release = Self::new(&document.name, document.serial, packages.collect::<Result<_, _>>()?)?;
        if release.encode() == bytes { Ok(release) } else { Err(ReleaseError::NotCanonical) }
    }

    /// Refuses an older release than one that was relied on, and another one with the same number.
    pub fn check_after(&self, newest: &Self) -> Result<(), ReleaseError> {
        let name = self.name.clone();
        if self.serial < newest.serial {
            return Err(ReleaseError::Older { name, found: self.serial, seen: newest.serial });
        }
        if self.serial == newest.serial && self != newest {
            return Err(ReleaseError::Other { name, serial: self.serial });
        }
        Ok(())
    }
}

fn read_package(package: PackageDocument) -> Result<ReleasedPackage, StatementError> {
    let (resolved, content) = (StorePath::parse(&package.resolved)?, StorePath::parse(&package.content)?);
    Ok(ReleasedPackage {
        attribute: package.attribute,
        name: package.name,
        version: package.version,
        derivation: StorePath::parse(&package.derivation)?,
        statement: Statement::new(resolved, &package.output, content)?,
        image: package.image,
    })
}

fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// With a registry, or as a registry's name would make it whole.
fn is_reference(text: &str) -> bool {
    ImageName::parse(text).is_ok() || ImageName::parse(&format!("localhost/{text}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sx_derivation::Digest;

    fn package(attribute: &str) -> ReleasedPackage {
        let derivation = StorePath::of_derivation("hello-1.0", b"Derive()").unwrap();
        let resolved = StorePath::of_derivation("hello-1.0", b"Resolved()").unwrap();
        let content = StorePath::new(Digest::of(b"hello"), "hello-1.0").unwrap();
        ReleasedPackage {
            attribute: attribute.into(),
            name: "hello".into(),
            version: "1.0".into(),
            derivation,
            statement: Statement::new(resolved, "out", content).unwrap(),
            image: Some(ReleasedImage {
                reference: "sx/hello:1.0".into(),
                digest: format!("sha256:{}", "0".repeat(64)),
            }),
        }
    }

    fn release(serial: u64) -> Release {
        Release::new("demo", serial, vec![package("pkgs.hello"), package("pkgs.a")]).unwrap()
    }

    #[test]
    fn golden_release() {
        let one = Release::new("demo", 1, vec![package("pkgs.hello")]).unwrap();
        assert_eq!(
            String::from_utf8(one.encode()).unwrap(),
            r#"{
  "_type": "urn:sx:release:v1",
  "name": "demo",
  "serial": 1,
  "packages": [
    {
      "attribute": "pkgs.hello",
      "name": "hello",
      "version": "1.0",
      "derivation": "/sx/store/15n83vs6rij4an9q785s0k4znqrhivd5zm7gc80qw30b91nbj61v-hello-1.0.drv",
      "resolved": "/sx/store/0rhg0jz22n8a515rcnb3srm0dhm0vzmz8wzw2yglfacgy1cp7rm8-hello-1.0.drv",
      "output": "out",
      "content": "/sx/store/03r0cx565i88x638mdsfq7w6wl5k9f6ybici8ig950l6ncyid3za-hello-1.0",
      "image": {
        "reference": "sx/hello:1.0",
        "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"
      }
    }
  ]
}
"#
        );
    }

    #[test]
    fn a_release_that_is_changed_in_any_byte_is_refused_or_another_release() {
        let bytes = release(1).encode();
        assert_eq!(Release::decode(&bytes).unwrap(), release(1));
        for place in 0..bytes.len() {
            for value in [b' ', b'0', b'"', b'\n', 0xff, bytes[place] ^ 1] {
                let mut changed = bytes.clone();
                changed[place] = value;
                if let Ok(found) = Release::decode(&changed) {
                    assert_eq!(found == release(1), changed == bytes, "byte {place} to {value}");
                    assert_eq!(found.encode(), changed, "byte {place} to {value}");
                }
            }
        }
    }

    #[test]
    fn releases_that_make_no_sense_are_refused() {
        let text = String::from_utf8(release(1).encode()).unwrap();
        for (from, to) in [
            ("release:v1", "release:v2"),
            ("\"demo\"", "\"../demo\""),
            ("\"demo\"", "\"\""),
            ("\"serial\": 1", "\"serial\": 0"),
            ("\"serial\": 1", "\"serial\": -1"),
            ("\"serial\": 1,", "\"serial\": 1,\n  \"serial\": 1,"),
            ("\"serial\": 1,", "\"serial\": 1,\n  \"more\": 1,"),
            ("pkgs.a", "pkgs.z"),
            ("pkgs.a", "pkgs.hello"),
            ("sha256:00", "sha256:0"),
            ("sx/hello:1.0", "sx/../hello:1.0"),
            ("  ", " "),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Release::decode(changed.as_bytes()).is_err(), "{from} to {to}");
        }
        assert!(matches!(Release::new("demo", 1, Vec::new()), Err(ReleaseError::Empty)));
    }

    #[test]
    fn going_back_is_noticed() {
        let seen = release(2);
        assert!(release(2).check_after(&seen).is_ok() && release(3).check_after(&seen).is_ok());
        assert!(matches!(release(1).check_after(&seen), Err(ReleaseError::Older { found: 1, seen: 2, .. })));
        let other = Release::new("demo", 2, vec![package("pkgs.hello")]).unwrap();
        assert!(matches!(other.check_after(&seen), Err(ReleaseError::Other { serial: 2, .. })));
    }
}

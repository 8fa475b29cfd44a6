//! What is signed of an image, and where signatures of it lie: the "simple signing" form of the container tools.
//!
//! The payload is JSON without white space, keys in this order:
//!
//! | key | value |
//! |---|---|
//! | `critical.identity.docker-reference` | `registry/name:tag` |
//! | `critical.image.docker-manifest-digest` | `sha256:` and 64 digits |
//! | `critical.type` | `atomic container signature`; in cosign's form `cosign container image signature` |
//! | `optional` | an empty record; others put a time or a tool's name there, and it proves nothing |
//!
//! In a lookaside folder signatures are `name@sha256=<digits>/signature-1`, `-2` and so on without a gap (the name without
//! its registry if that is the folder's own): readers stop at the first number that isn't there.

use crate::keys::{Finding, Keys};
use crate::openpgp::MAX_SIGNATURE_BYTES;
use crate::quorum::Verdict;
use crate::scope::ImageName;
use crate::trust::Trust;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest payload that is read.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Most signatures of one image that are looked at.
pub const MAX_SIGNATURES: usize = 128;

const KIND: &str = "atomic container signature";
const COSIGN_KIND: &str = "cosign container image signature";

/// An image by name and content: what a signature must be about to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageClaim {
    /// What it is called.
    pub name: ImageName,
    digest: String,
}

/// Why signed bytes aren't about an image.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON of this shape.
    #[error("what it signs is not about a container image")]
    Json(#[source] serde_json::Error),
    /// About something else.
    #[error("it is about `{found}`, expected `{expected}`")]
    Other {
        /// What it is about.
        found: String,
        /// What it should be about.
        expected: String,
    },
    /// Not a digest of a manifest.
    #[error("`{0}` is not a manifest's digest; expected `sha256:` and 64 lower-case hexadecimal digits")]
    BadDigest(String),
}

/// Why the signatures of an image can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A file is there, but can't be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is no signature. Container tools refuse the image then, whatever the other files are.
    #[error("`{}` is no signature; expected binary OpenPGP data", .0.display())]
    Foreign(PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    critical: Critical,
    /// Nothing in cosign's, if it has nothing to say.
    optional: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: Identity,
    image: Image,
    r#type: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl ImageClaim {
    /// About the image `name` whose manifest has this digest.
    pub fn new(name: ImageName, digest: &str) -> Result<Self, PayloadError> {
        let digits = digest.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if digits.len() != 64 || !is_hex {
            return Err(PayloadError::BadDigest(digest.chars().take(100).collect()));
        }
        Ok(Self { name, digest: digest.into() })
    }

    /// The manifest's digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The bytes to sign.
    pub fn payload(&self) -> Vec<u8> {
        self.payload_of(KIND)
    }

    /// The bytes to sign in cosign's form.
    pub fn cosign_payload(&self) -> Vec<u8> {
        self.payload_of(COSIGN_KIND)
    }

    fn payload_of(&self, kind: &str) -> Vec<u8> {
        let document = Document {
            critical: Critical {
                identity: Identity { reference: self.name.to_string() },
                image: Image { digest: self.digest.clone() },
                r#type: kind.into(),
            },
            optional: Some(serde_json::Map::new()),
        };
        serde_json::to_vec(&document).expect("a record of texts is always JSON")
    }

    /// Refuses a payload that is about anything else: kind, name, tag and digest must be these.
    pub fn check(&self, payload: &[u8]) -> Result<(), PayloadError> {
        self.check_of(KIND, payload)
    }

    /// The same for a payload in cosign's form.
    pub fn check_cosign(&self, payload: &[u8]) -> Result<(), PayloadError> {
        self.check_of(COSIGN_KIND, payload)
    }

    fn check_of(&self, kind: &str, payload: &[u8]) -> Result<(), PayloadError> {
        let Critical { identity, image, r#type } =
            serde_json::from_slice::<Document>(payload).map_err(PayloadError::Json)?.critical;
        for (found, expected) in
            [(r#type, kind), (identity.reference, &self.name.to_string()), (image.digest, &self.digest)]
        {
            if found != expected {
                return Err(PayloadError::Other { found, expected: expected.into() });
            }
        }
        Ok(())
    }

    /// The folder of its signatures below a lookaside folder.
    pub fn folder(&self, lookaside: &Path) -> PathBuf {
        let (_, name) = self.name.name().split_once('/').unwrap_or_default();
        lookaside.join(format!("{name}@{}", self.digest.replace(':', "=")))
    }

    /// Verifies the signatures in a lookaside folder.
    pub fn verify(&self, lookaside: &Path, trust: &Trust, keys: &Keys) -> Result<Verdict, SignatureError> {
        Ok(Verdict::new(trust, trust.for_image(&self.name), self.findings(lookaside, keys)?))
    }

    /// What becomes of each signature in a lookaside folder.
    pub fn findings(&self, lookaside: &Path, keys: &Keys) -> Result<Vec<Finding>, SignatureError> {
        let mut findings = Vec::new();
        for number in 1..=MAX_SIGNATURES {
            let name = format!("signature-{number}");
            let path = self.folder(lookaside).join(&name);
            let mut bytes = Vec::new();
            let read = File::open(&path)
                .and_then(|file| file.take(MAX_SIGNATURE_BYTES as u64 + 1).read_to_end(&mut bytes));
            match read {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(source) => return Err(SignatureError::Read { path, source }),
            }
            if !bytes.first().is_some_and(begins_signature) {
                return Err(SignatureError::Foreign(path));
            }
            findings.push(keys.check_image(&name, &bytes, self));
        }
        Ok(findings)
    }

    /// Adds a signature under the next number. Gives the file. One that is there already, byte for byte, stays alone.
    pub fn add_signature(&self, lookaside: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = self.folder(lookaside);
        fs::create_dir_all(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        io::Write::write_all(&mut file, bytes)?;
        // Web servers that hand signatures out run as somebody else.
        let readable = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
        for number in 1..=MAX_SIGNATURES {
            let path = folder.join(format!("signature-{number}"));
            // Two signers at once take two numbers: a name that is taken is never replaced.
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    if fs::read(&path)? == bytes {
                        return Ok(path);
                    }
                    file = error.file;
                }
                Err(error) => return Err(error.error),
            }
        }
        Err(io::Error::other(format!("there are {MAX_SIGNATURES} signatures already")))
    }
}

/// Whether container tools would take bytes that begin so for a signature: a packet of a message, in old or new framing
/// (signature, one-pass signature, compressed data), or zero for a kind that counts for nothing here.
const fn begins_signature(first: &u8) -> bool {
    matches!(first, 0 | 0x88..=0x8b | 0x90..=0x93 | 0xa0..=0xa3 | 0xc2 | 0xc4 | 0xc8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> ImageClaim {
        let name = ImageName::parse("docker.io/sx/hello:1.0").unwrap();
        ImageClaim::new(name, &format!("sha256:{}", "0".repeat(64))).unwrap()
    }

    #[test]
    fn golden_payload() {
        let expected = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"docker.io/sx/hello:1.0"}},"image":{{"docker-manifest-digest":"sha256:{}"}},"type":"atomic container signature"}},"optional":{{}}}}"#,
            "0".repeat(64)
        );
        assert_eq!(String::from_utf8(claim().payload()).unwrap(), expected);
    }

    #[test]
    fn a_payload_that_is_changed_in_any_byte_is_refused() {
        let payload = claim().payload();
        assert!(claim().check(&payload).is_ok());
        for place in 0..payload.len() {
            let mut changed = payload.clone();
            changed[place] ^= 1;
            assert!(claim().check(&changed).is_err(), "byte {place}");
        }
    }

    #[test]
    fn what_is_said_twice_or_beside_is_refused() {
        let text = String::from_utf8(claim().payload()).unwrap();
        for other in [
            text.replace("\"type\":", "\"more\":1,\"type\":"),
            text.replace("\"type\":", "\"type\":\"atomic container signature\",\"type\":"),
            text.replace("\"optional\":{}", "\"optional\":1"),
        ] {
            assert!(claim().check(other.as_bytes()).is_err(), "{other}");
        }
        let creator = text.replace("{}", "{\"creator\":\"x\",\"timestamp\":1}");
        assert!(claim().check(creator.as_bytes()).is_ok());
    }

    #[test]
    fn signatures_are_numbered_from_one_without_gaps_or_repetition() {
        let folder = tempfile::tempdir().unwrap();
        let add = |bytes: &[u8]| {
            let path = claim().add_signature(folder.path(), bytes).unwrap();
            path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned()
        };
        let below = format!("sx/hello@sha256={}", "0".repeat(64));
        assert_eq!(add(b"a"), format!("{below}/signature-1"));
        assert_eq!(add(b"b"), format!("{below}/signature-2"));
        assert_eq!(add(b"a"), format!("{below}/signature-1"));
        assert_eq!(fs::read_dir(folder.path().join(below)).unwrap().count(), 2);
    }
}

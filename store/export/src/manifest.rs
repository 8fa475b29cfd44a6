//! Reads index and manifest of any image, strictly: what two programs could understand in two ways is refused.
//!
//! A stranger wrote the bytes. So they are bounded in length; names that differ from known ones only in case are
//! refused, because some readers take them for those; a document that has both `manifests` and `layers` is refused,
//! as the specification says; and a digest is always SHA-256, so that it is a safe file name.

use crate::digest::Sha256Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Longest index or manifest, in bytes, as registries have it.
pub const MAX_DOCUMENT_BYTES: usize = 4 << 20;
/// Most layers of an image that is read, more than any runtime can mount.
pub const MAX_READ_LAYERS: usize = 500;
/// Longest blob, in bytes: beyond any disk, and far enough below 64 bits that lengths can be added.
pub const MAX_BLOB_BYTES: u64 = 1 << 48;
/// Longest configuration, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// A blob by its type, digest and length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Text about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of thing is attached, in an index of such things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `linux`.
    pub os: String,
}

impl Platform {
    /// Whether it is what images of ours are for.
    pub fn is_ours(&self) -> bool {
        self.os == crate::document::SYSTEM && self.architecture == crate::document::ARCHITECTURE
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)
    }
}

/// A document that a name or a digest led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Several, for several platforms.
    Index(Vec<Blob>),
    /// What is no image, but may be attached to one.
    Artifact(Artifact),
}

/// A bill of materials, a provenance, a signature: some blobs, and what they are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What it is.
    pub artifact_type: String,
    /// The configuration, mostly empty.
    pub config: Blob,
    /// Its content.
    pub blobs: Vec<Blob>,
    /// The manifest that it is attached to.
    pub subject: Option<Blob>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The type that the document has, which a registry is told when it is pushed.
    pub media_type: String,
    /// The configuration.
    pub config: Blob,
    /// The layers, lowest first.
    pub layers: Vec<Blob>,
}

/// Why a document is refused.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Longer than any registry takes.
    #[error("the document has {0} bytes; expected at most {MAX_DOCUMENT_BYTES}")]
    Long(usize),
    /// Not JSON, or not of the form of an index or manifest.
    #[error("the document is no index and no manifest of an image")]
    Form(#[source] serde_json::Error),
    /// A name that some readers would take for another.
    #[error("the document has `{found}`, which some readers take for `{known}`")]
    Case {
        /// The name found.
        found: String,
        /// What it could be taken for.
        known: &'static str,
    },
    /// Could be read as either.
    #[error("the document is both an index and a manifest")]
    Both,
    /// A type that isn't what the content is.
    #[error("the document's type is `{found}`; expected {expected}")]
    Type {
        /// The type found.
        found: String,
        /// The types that fit.
        expected: &'static str,
    },
    /// Neither index nor manifest.
    #[error("the document has neither `manifests` nor `config` and `layers`")]
    Neither,
    /// No layer, or more than anything can mount.
    #[error("the image has {0} layers; expected 1 to {MAX_READ_LAYERS}")]
    Layers(usize),
    /// A type of layer that isn't a tar.
    #[error("the image has a layer of type `{0}`; expected a tar, plain or packed with gzip or zstd")]
    LayerType(String),
    /// A length beyond reason.
    #[error(
        "the document names a blob of {0} bytes, longer than anything; expected at most {MAX_BLOB_BYTES}"
    )]
    LongBlob(u64),
    /// A configuration beyond reason.
    #[error("the image's configuration has {0} bytes; expected at most {MAX_CONFIG_BYTES}")]
    LongConfig(u64),
}

/// The type of an index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The type of a manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The types that are read, for a request's `Accept`.
pub const ACCEPTED: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

const LAYERS: [&str; 4] = [
    crate::document::LAYER_TYPE,
    crate::document::GZIP_LAYER_TYPE,
    crate::document::ZSTD_LAYER_TYPE,
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];

/// Types of an image's configuration; a manifest with another, or with a type of its own, is of something else.
const CONFIGS: [&str; 2] = [crate::document::CONFIG_TYPE, "application/vnd.docker.container.image.v1+json"];

/// Layers of signatures in cosign's form, whose manifest has an image's configuration all the same.
const SIGNATURE_LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

const KNOWN: [&str; 7] =
    ["schemaVersion", "mediaType", "manifests", "config", "layers", "subject", "artifactType"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u8,
    media_type: Option<String>,
    manifests: Option<Vec<Blob>>,
    config: Option<Blob>,
    layers: Option<Vec<Blob>>,
    subject: Option<Blob>,
    artifact_type: Option<String>,
}

/// Refuses names that differ from `known` ones only in case, since some readers take them for those.
pub(crate) fn check_names(bytes: &[u8], known: &[&'static str]) -> Result<(), DocumentError> {
    let names: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(DocumentError::Form)?;
    for found in names.into_keys() {
        let alike = known.iter().find(|known| found != **known && found.eq_ignore_ascii_case(known));
        if let Some(known) = alike {
            return Err(DocumentError::Case { found, known });
        }
    }
    Ok(())
}

impl Document {
    /// Reads an index or a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::Long(bytes.len()));
        }
        check_names(bytes, &KNOWN)?;
        // From the bytes once more, because this way a name that is there twice is an error.
        let raw: Raw = serde_json::from_slice(bytes).map_err(DocumentError::Form)?;
        let check_type = |allowed: [&str; 2], expected| match &raw.media_type {
            Some(found) if !allowed.contains(&found.as_str()) => {
                Err(DocumentError::Type { found: found.clone(), expected })
            }
            found => Ok(found.clone().unwrap_or_else(|| allowed[0].into())),
        };
        if raw.schema_version != 2 {
            let found = format!("schemaVersion {}", raw.schema_version);
            return Err(DocumentError::Type { found, expected: "schemaVersion 2" });
        }
        let blobs = raw.manifests.iter().chain(&raw.layers).flatten().chain(&raw.config).chain(&raw.subject);
        if let Some(blob) = blobs.into_iter().find(|blob| blob.size > MAX_BLOB_BYTES) {
            return Err(DocumentError::LongBlob(blob.size));
        }
        match (raw.manifests, raw.config, raw.layers) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(DocumentError::Both),
            (Some(manifests), None, None) => {
                check_type([OCI_INDEX, DOCKER_INDEX], "an index's")?;
                Ok(Self::Index(manifests))
            }
            (None, Some(config), Some(layers)) => {
                let media_type = check_type([OCI_MANIFEST, DOCKER_MANIFEST], "a manifest's")?;
                let are_signatures = layers.first().is_some_and(|layer| layer.media_type == SIGNATURE_LAYER);
                if raw.artifact_type.is_some()
                    || are_signatures
                    || !CONFIGS.contains(&config.media_type.as_str())
                {
                    let kind = if are_signatures { SIGNATURE_LAYER } else { &config.media_type };
                    let artifact_type = raw.artifact_type.unwrap_or_else(|| kind.to_owned());
                    let (blobs, subject) = (layers, raw.subject);
                    return Ok(Self::Artifact(Artifact { artifact_type, config, blobs, subject }));
                }
                if layers.is_empty() || layers.len() > MAX_READ_LAYERS {
                    return Err(DocumentError::Layers(layers.len()));
                }
                if let Some(layer) = layers.iter().find(|layer| !LAYERS.contains(&layer.media_type.as_str()))
                {
                    return Err(DocumentError::LayerType(layer.media_type.clone()));
                }
                if config.size > MAX_CONFIG_BYTES {
                    return Err(DocumentError::LongConfig(config.size));
                }
                Ok(Self::Manifest(Manifest { media_type, config, layers }))
            }
            _ => Err(DocumentError::Neither),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:7a53b3a38a17ef02decc51745c1268eb616b1f19c497960629e3c25bc6743451";

    fn blob(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{DIGEST}","size":1}}"#)
    }

    fn manifest(more: &str, layers: &[String]) -> String {
        let config = blob("application/vnd.oci.image.config.v1+json");
        format!(r#"{{"schemaVersion":2{more},"config":{config},"layers":[{}]}}"#, layers.join(","))
    }

    fn error(text: &str) -> DocumentError {
        Document::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn manifests_and_indexes_are_read() {
        let text = manifest("", &[blob(LAYERS[1])]);
        assert!(matches!(Document::parse(text.as_bytes()), Ok(Document::Manifest(_))));
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, blob(OCI_MANIFEST));
        assert!(matches!(Document::parse(text.as_bytes()), Ok(Document::Index(_))));
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        let layers = [blob(LAYERS[0])];
        assert!(matches!(error(&manifest(r#","manifests":[]"#, &layers)), DocumentError::Both));
        assert!(matches!(error(&manifest(r#","Layers":[]"#, &layers)), DocumentError::Case { .. }));
        assert!(matches!(error(&manifest(r#","layers":[]"#, &layers)), DocumentError::Form(_)));
        let typed = manifest(&format!(r#","mediaType":"{OCI_INDEX}""#), &layers);
        assert!(matches!(error(&typed), DocumentError::Type { .. }));
    }

    #[test]
    fn digests_that_are_no_safe_file_names_are_refused() {
        for digest in
            ["sha256:../../etc/passwd", "sha512:00", "sha256:", &DIGEST.to_uppercase(), &DIGEST[..70]]
        {
            let text = manifest("", &[blob(LAYERS[0]).replace(DIGEST, digest)]);
            assert!(matches!(error(&text), DocumentError::Form(_)), "{digest}");
        }
    }

    #[test]
    fn images_beyond_reason_are_refused() {
        assert!(matches!(error(&manifest("", &[])), DocumentError::Layers(0)));
        let many = vec![blob(LAYERS[0]); MAX_READ_LAYERS + 1];
        assert!(matches!(error(&manifest("", &many)), DocumentError::Layers(_)));
        assert!(matches!(error(&manifest("", &[blob("text/plain")])), DocumentError::LayerType(_)));
        assert!(matches!(error(&" ".repeat(MAX_DOCUMENT_BYTES + 1)), DocumentError::Long(_)));
        assert!(matches!(error("{}"), DocumentError::Form(_)));
        assert!(matches!(error(r#"{"schemaVersion":2}"#), DocumentError::Neither));
        assert!(matches!(error(r#"{"schemaVersion":1,"layers":[]}"#), DocumentError::Type { .. }));
        assert!(matches!(error(&"[".repeat(100_000)), DocumentError::Form(_)));
    }
}

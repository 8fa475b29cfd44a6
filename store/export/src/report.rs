//! What an export made, for people and for `--json`.

use serde::Serialize;

/// An image that was written. Digests are `sha256:` and 64 hexadecimal digits, sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Name and tag.
    pub reference: String,
    /// Digest of the configuration: the same for every compression. A plain tar has none.
    pub image_id: Option<String>,
    /// Digest of the manifest: what is signed, and what a registry serves. Docker archives and plain tars have none.
    pub manifest_digest: Option<String>,
    /// In the image's order; a plain tar is one.
    pub layers: Vec<LayerReport>,
    /// What is attached, in the index's order.
    pub attachments: Vec<AttachmentReport>,
    /// Length of the file, or of all files of the layout.
    pub size_bytes: u64,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerReport {
    /// The objects in it, sorted; none in layers of links and given files.
    pub store_paths: Vec<String>,
    /// Digest of the blob.
    pub digest: String,
    /// Digest of the tar in it.
    pub diff_id: String,
    /// Length of the blob.
    pub size_bytes: u64,
    /// Length of the tar in it.
    pub unpacked_bytes: u64,
}

/// A document that is attached to the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentReport {
    /// Its media type.
    pub artifact_type: &'static str,
    /// Digest of the manifest that attaches it.
    pub digest: String,
    /// Digest of the document.
    pub document_digest: String,
    /// Length of the document.
    pub size_bytes: u64,
}

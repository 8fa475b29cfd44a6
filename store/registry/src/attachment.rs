//! Documents about images that are in a registry: attached to them (image specification 1.1, "referrers"), or beside them
//! under a tag of their own, as cosign does it.
//!
//! What is attached is a manifest whose `subject` is the image's. Registries that list such manifests are asked; for others
//! clients keep an index under the tag `sha256-<digits>` (distribution specification 1.1, "referrers tag schema").

use crate::client::{Client, Content, expect, read};
use crate::error::RegistryError;
use std::collections::{BTreeMap, BTreeSet};
use sx_export::Sha256Digest;
use sx_export::manifest::{Artifact, Blob, Document, MAX_DOCUMENT_BYTES, OCI_INDEX, OCI_MANIFEST};

/// Most manifests that are looked at of what is attached to one image.
const MAX_ATTACHED: usize = 500;
/// Most documents of one manifest.
const MAX_PIECES: usize = 5000;
/// Longest document.
const MAX_PIECE_BYTES: u64 = 16 << 20;
/// Most bytes of all documents that are looked at for one image: they are held in memory.
const MAX_ALL_BYTES: u64 = 256 << 20;
/// How often an index is written before it counts as fought over.
const MAX_WRITES: usize = 8;

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub media_type: String,
    /// Text about it.
    pub annotations: BTreeMap<String, String>,
    /// It.
    pub bytes: Vec<u8>,
}

impl Piece {
    /// How a manifest names it.
    fn descriptor(&self) -> Blob {
        Blob { annotations: self.annotations.clone(), ..blob(&self.media_type, &self.bytes) }
    }
}

fn blob(media_type: &str, bytes: &[u8]) -> Blob {
    Blob {
        media_type: media_type.into(),
        digest: Sha256Digest::of(bytes),
        size: bytes.len() as u64,
        annotations: BTreeMap::new(),
        platform: None,
        artifact_type: None,
    }
}

impl Client<'_> {
    /// The manifest of the image that the address leads to, as others name it.
    pub fn image(&self) -> Result<Blob, RegistryError> {
        let (_, bytes, manifest) = self.manifest()?;
        Ok(blob(&manifest.media_type, &bytes))
    }

    /// Attaches documents to an image, as one manifest. The same ones twice are there once.
    pub fn attach(
        &self,
        subject: &Blob,
        artifact_type: &str,
        pieces: &[Piece],
    ) -> Result<Sha256Digest, RegistryError> {
        self.send_pieces(pieces, EMPTY_TYPE, EMPTY)?;
        let bytes = artifact(subject, artifact_type, pieces);
        let mut descriptor = blob(OCI_MANIFEST, &bytes);
        descriptor.artifact_type = Some(artifact_type.into());
        let digest = descriptor.digest;
        if !self.send_document(&digest.to_string(), OCI_MANIFEST, &bytes)?.lists_attachments {
            self.list(subject.digest, &[descriptor])?;
        }
        Ok(digest)
    }

    /// All documents of this type that are attached to the image with this manifest, manifest by manifest.
    pub fn attached(
        &self,
        subject: Sha256Digest,
        artifact_type: &str,
    ) -> Result<Vec<Vec<Piece>>, RegistryError> {
        let listed = match self.index(&format!("referrers/{subject}"))? {
            Some(listed) => listed,
            None => self.index(&format!("manifests/{}", tag_of(subject)))?.unwrap_or_default(),
        };
        let is_wanted = |blob: &&Blob| blob.artifact_type.as_deref() == Some(artifact_type);
        let (mut attached, mut room) = (Vec::new(), MAX_ALL_BYTES);
        for found in listed.iter().filter(is_wanted).take(MAX_ATTACHED) {
            let (digest, bytes) =
                self.document(&found.digest.to_string(), Some(found.digest), Some(found.size))?;
            let refused = |source| RegistryError::Document { digest, source };
            match Document::parse(&bytes).map_err(refused)? {
                Document::Artifact(artifact)
                    if artifact.artifact_type == artifact_type
                        && artifact.subject.as_ref().is_some_and(|found| found.digest == subject) =>
                {
                    attached.push(self.pieces(&artifact, &mut room)?);
                }
                // Listed by who may write there, but about something else.
                _ => {}
            }
        }
        Ok(attached)
    }

    /// The documents under a tag of their own; none if there is no such tag.
    pub fn beside(&self, tag: &str) -> Result<Vec<Piece>, RegistryError> {
        let (digest, bytes) = match self.document(tag, None, None) {
            Ok(found) => found,
            Err(RegistryError::Status { status: 404, .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let refused = |source| RegistryError::Document { digest, source };
        match Document::parse(&bytes).map_err(refused)? {
            Document::Artifact(artifact) => self.pieces(&artifact, &mut { MAX_ALL_BYTES }),
            _ => Err(RegistryError::Answer {
                url: self.url(&format!("manifests/{tag}")),
                expected: "signatures",
            }),
        }
    }

    /// Adds a document under a tag of their own, in the shape that cosign gives it. One that is there stays alone.
    pub fn add_beside(&self, tag: &str, piece: &Piece) -> Result<(), RegistryError> {
        for _ in 0..MAX_WRITES {
            let mut pieces = self.beside(tag)?;
            if pieces.contains(piece) {
                return Ok(());
            }
            pieces.push(piece.clone());
            let diff_ids: Vec<_> = pieces.iter().map(|piece| piece.descriptor().digest).collect();
            let config = serde_json::json!({
                "architecture": "", "config": {}, "os": "",
                "rootfs": { "type": "layers", "diff_ids": diff_ids },
            });
            let config = config.to_string();
            self.send_pieces(&pieces, CONFIG_TYPE, config.as_bytes())?;
            let layers: Vec<Blob> = pieces.iter().map(Piece::descriptor).collect();
            let manifest = serde_json::json!({
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": blob(CONFIG_TYPE, config.as_bytes()),
                "layers": layers,
            });
            self.send_document(tag, OCI_MANIFEST, manifest.to_string().as_bytes())?;
        }
        Err(RegistryError::Contended { tag: tag.into() })
    }

    fn send_pieces(&self, pieces: &[Piece], config_type: &str, config: &[u8]) -> Result<(), RegistryError> {
        self.send_blob(&blob(config_type, config), &Content::Bytes(config))?;
        for piece in pieces {
            self.send_blob(&piece.descriptor(), &Content::Bytes(&piece.bytes))?;
        }
        Ok(())
    }

    /// The documents of a manifest, if there is room for so many bytes; takes them from `room`.
    fn pieces(&self, artifact: &Artifact, room: &mut u64) -> Result<Vec<Piece>, RegistryError> {
        let url = || self.url("blobs");
        if artifact.blobs.len() > MAX_PIECES {
            return Err(RegistryError::Answer { url: url(), expected: "fewer documents" });
        }
        let length = artifact.blobs.iter().map(|blob| blob.size).sum();
        let too_much = || RegistryError::Answer { url: url(), expected: "at most 256 MiB of documents" };
        *room = room.checked_sub(length).ok_or_else(too_much)?;
        let mut pieces = Vec::new();
        for found in &artifact.blobs {
            if found.size > MAX_PIECE_BYTES {
                return Err(RegistryError::Answer { url: url(), expected: "a document of at most 16 MiB" });
            }
            let (action, url) = ("pull a document", self.url(&format!("blobs/{}", found.digest)));
            let response = self.send(action, "GET", &url, &[], &Content::None)?;
            let mut response = expect(action, &url, response, &[200])?;
            let failed =
                |source| RegistryError::Request { action, url: url.clone(), source: Box::new(source) };
            let bytes = read(&mut response, found.size).map_err(failed)?;
            let bytes =
                bytes.ok_or_else(|| self.mismatch(&url, "more bytes", format!("{} bytes", found.size)))?;
            let digest = Sha256Digest::of(&bytes);
            if digest != found.digest {
                return Err(self.mismatch(&url, digest, found.digest));
            }
            let (media_type, annotations) = (found.media_type.clone(), found.annotations.clone());
            pieces.push(Piece { media_type, annotations, bytes });
        }
        Ok(pieces)
    }

    /// An index, if it is there.
    fn index(&self, rest: &str) -> Result<Option<Vec<Blob>>, RegistryError> {
        let (action, url) = ("pull the list of attachments", self.url(rest));
        let response = self.send(action, "GET", &url, &[("accept", OCI_INDEX)], &Content::None)?;
        let is_there = response.status().as_u16() == 200;
        let mut response = expect(action, &url, response, &[200, 404])?;
        if !is_there {
            return Ok(None);
        }
        let failed = |source| RegistryError::Request { action, url: url.clone(), source: Box::new(source) };
        let long = || RegistryError::Answer { url: url.clone(), expected: "an index of at most 4 MiB" };
        let bytes = read(&mut response, MAX_DOCUMENT_BYTES as u64).map_err(failed)?.ok_or_else(long)?;
        let digest = Sha256Digest::of(&bytes);
        match Document::parse(&bytes).map_err(|source| RegistryError::Document { digest, source })? {
            Document::Index(blobs) => Ok(Some(blobs)),
            _ => Err(RegistryError::Answer { url, expected: "an index" }),
        }
    }

    /// Adds to the list of what is attached to a manifest, where the registry has none of its own. Two who write at once may
    /// lose the other's entry, so each looks whether its own is there, and adds it again.
    pub(crate) fn list(&self, subject: Sha256Digest, attached: &[Blob]) -> Result<(), RegistryError> {
        let tag = tag_of(subject);
        for _ in 0..MAX_WRITES {
            let mut listed = self.index(&format!("manifests/{tag}"))?.unwrap_or_default();
            let there: BTreeSet<Sha256Digest> = listed.iter().map(|blob| blob.digest).collect();
            let new: Vec<Blob> =
                attached.iter().filter(|blob| !there.contains(&blob.digest)).cloned().collect();
            if new.is_empty() {
                return Ok(());
            }
            listed.extend(new);
            let index =
                serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed });
            self.send_document(&tag, OCI_INDEX, index.to_string().as_bytes())?;
        }
        Err(RegistryError::Contended { tag })
    }
}

fn tag_of(subject: Sha256Digest) -> String {
    subject.to_string().replace(':', "-")
}

/// The bytes of a manifest that attaches documents.
fn artifact(subject: &Blob, artifact_type: &str, pieces: &[Piece]) -> Vec<u8> {
    let layers: Vec<Blob> = pieces.iter().map(Piece::descriptor).collect();
    let subject =
        Blob { annotations: BTreeMap::new(), platform: None, artifact_type: None, ..subject.clone() };
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": blob(EMPTY_TYPE, EMPTY),
        "layers": layers,
        "subject": subject,
    });
    manifest.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_is_read_back_with_its_subject() {
        let piece =
            Piece { media_type: "text/plain".into(), annotations: BTreeMap::new(), bytes: b"x".into() };
        let subject = blob(OCI_MANIFEST, b"manifest");
        let bytes = artifact(&subject, "application/x", std::slice::from_ref(&piece));
        let Ok(Document::Artifact(found)) = Document::parse(&bytes) else { panic!("no artifact") };
        assert_eq!((found.artifact_type.as_str(), found.subject), ("application/x", Some(subject)));
        assert_eq!(found.blobs, [piece.descriptor()]);
    }
}

//! From an OCI layout to a registry: blobs that it lacks first, then the manifest that needs them.

use crate::authorisation::encoded;
use crate::client::{Client, Content, Event, expect};
use crate::error::RegistryError;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use sx_export::Sha256Digest;
use sx_export::manifest::{Blob, Document, MAX_DOCUMENT_BYTES};

/// An image that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of the manifest, as the registry serves it.
    pub manifest_digest: Sha256Digest,
    /// Blobs that had to be sent.
    pub sent: usize,
    /// Sum of their lengths.
    pub sent_bytes: u64,
}

/// What a registry says of a document that it took.
pub(crate) struct Sent {
    pub(crate) lists_attachments: bool,
}

impl Client<'_> {
    /// Pushes the only image of the layout in `folder` under the address's tag.
    pub fn push(&self, folder: &Path) -> Result<Pushed, RegistryError> {
        let layout = || RegistryError::Layout(folder.into());
        let index = document(&folder.join("index.json"))?;
        let Ok(Document::Index(images)) = Document::parse(&index) else { return Err(layout()) };
        let (attached, images): (Vec<Blob>, Vec<Blob>) =
            images.into_iter().partition(|blob| blob.artifact_type.is_some());
        let [image] = images.as_slice() else { return Err(layout()) };
        let blobs = folder.join("blobs/sha256");
        let bytes = document(&blobs.join(image.digest.digits()))?;
        let digest = Sha256Digest::of(&bytes);
        if digest != image.digest {
            return Err(layout());
        }
        let refused = |source| RegistryError::Document { digest, source };
        let Document::Manifest(manifest) = Document::parse(&bytes).map_err(refused)? else {
            return Err(layout());
        };
        let mut artifacts = Vec::new();
        for blob in &attached {
            let bytes = document(&blobs.join(blob.digest.digits()))?;
            if Sha256Digest::of(&bytes) != blob.digest {
                return Err(layout());
            }
            match Document::parse(&bytes).map_err(refused)? {
                Document::Artifact(artifact) => artifacts.push((blob, bytes, artifact)),
                _ => return Err(layout()),
            }
        }
        let of_artifacts =
            artifacts.iter().flat_map(|(_, _, artifact)| artifact.blobs.iter().chain([&artifact.config]));
        let of_image = manifest.layers.iter().chain([&manifest.config]);
        let wanted: BTreeMap<_, _> = of_image.chain(of_artifacts).map(|blob| (blob.digest, blob)).collect();
        let sent = std::sync::Mutex::new((0, 0));
        self.each(wanted.into_values().collect(), |blob| {
            if self.send_blob(blob, &Content::File(&blobs.join(blob.digest.digits())))? {
                let mut sent = sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *sent = (sent.0 + 1, sent.1 + blob.size);
            }
            Ok(())
        })?;
        self.send_document(&self.address.tag, &manifest.media_type, &bytes)?;
        let mut unlisted = Vec::new();
        for (blob, bytes, _) in artifacts {
            // A registry that lists what is attached says so.
            if !self.send_document(&blob.digest.to_string(), &blob.media_type, &bytes)?.lists_attachments {
                unlisted.push(blob.clone());
            }
        }
        if !unlisted.is_empty() {
            self.list(digest, &unlisted)?;
        }
        let (sent, sent_bytes) = sent.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Pushed { manifest_digest: digest, sent, sent_bytes })
    }

    /// Sends an index or manifest.
    pub(crate) fn send_document(
        &self,
        wanted: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Sent, RegistryError> {
        let (action, url) = ("push the manifest", self.url(&format!("manifests/{wanted}")));
        let headers = [("content-type", media_type)];
        let response = self.send(action, "PUT", &url, &headers, &Content::Bytes(bytes))?;
        let response = expect(action, &url, response, &[201])?;
        let digest = Sha256Digest::of(bytes).to_string();
        let said = response.headers().get("docker-content-digest").and_then(|said| said.to_str().ok());
        if let Some(found) = said.filter(|said| *said != digest) {
            return Err(RegistryError::Mismatch { url, found: found.to_owned(), expected: digest });
        }
        Ok(Sent { lists_attachments: response.headers().contains_key("oci-subject") })
    }

    /// Makes a blob be there. Says whether it had to be sent.
    pub(crate) fn send_blob(&self, blob: &Blob, content: &Content<'_>) -> Result<bool, RegistryError> {
        let (action, url) = ("look for a blob", self.url(&format!("blobs/{}", blob.digest)));
        let response = self.send(action, "HEAD", &url, &[], &Content::None)?;
        let is_there = response.status().as_u16() == 200;
        expect(action, &url, response, &[200, 404])?;
        if is_there {
            (self.events)(Event::Present { digest: blob.digest });
            return Ok(false);
        }
        for repository in &self.options.mount_from {
            if self.begin(Some((blob, repository)))?.is_none() {
                (self.events)(Event::Present { digest: blob.digest });
                return Ok(false);
            }
        }
        (self.events)(Event::Begun { digest: blob.digest, size: blob.size });
        let mut attempt = 1;
        loop {
            // An upload that broke off can't be told from one that was only half heard: each begins anew.
            let Some(place) = self.begin(None)? else {
                return Err(RegistryError::Answer { url, expected: "a place to upload to" });
            };
            let mark = if place.contains('?') { '&' } else { '?' };
            let target = format!("{place}{mark}digest={}", encoded(&blob.digest.to_string()));
            let headers = [("content-type", "application/octet-stream")];
            let sent = self.send("push a blob", "PUT", &target, &headers, content);
            match sent.and_then(|response| expect("push a blob", &place, response, &[201])) {
                Ok(_) => break,
                Err(
                    error @ (RegistryError::Request { .. } | RegistryError::Status { status: 404 | 416, .. }),
                ) if attempt >= self.options.attempts => {
                    return Err(error);
                }
                Err(RegistryError::Request { .. } | RegistryError::Status { status: 404 | 416, .. }) => {
                    self.wait(attempt)?;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        (self.events)(Event::Finished { digest: blob.digest });
        Ok(true)
    }

    /// Begins an upload and gives its place; `None` if the blob was mounted from another repository instead.
    fn begin(&self, mount: Option<(&Blob, &String)>) -> Result<Option<String>, RegistryError> {
        let query = mount.map(|(blob, from)| {
            format!("?mount={}&from={}", encoded(&blob.digest.to_string()), encoded(from))
        });
        let url = self.url(&format!("blobs/uploads/{}", query.unwrap_or_default()));
        let action = "begin an upload";
        let response = self.send(action, "POST", &url, &[], &Content::None)?;
        let response = expect(action, &url, response, &[201, 202])?;
        if response.status().as_u16() == 201 {
            return Ok(None);
        }
        let place = response.headers().get("location").and_then(|place| place.to_str().ok());
        let place = place.ok_or(RegistryError::Answer { url, expected: "a place to upload to" })?;
        let place = if place.starts_with('/') { format!("{}{place}", self.base) } else { place.to_owned() };
        self.check_scheme(&place)?;
        Ok(Some(place))
    }
}

fn document(path: &Path) -> Result<Vec<u8>, RegistryError> {
    let failed = |source| RegistryError::File { path: path.into(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    // One byte more than is allowed, so that the parser refuses it.
    file.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

//! From an OCI layout to a registry: blobs that it lacks first, then the manifest that needs them.

use crate::authorisation::encoded;
use crate::client::{Client, Content, Event, expect, is_trouble};
use crate::error::RegistryError;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use sx_export::Sha256Digest;
use sx_export::manifest::{Blob, Document, MAX_DOCUMENT_BYTES, OCI_INDEX};
use ureq::Body;
use ureq::http::Response;

/// An image that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of the image's manifest, as the registry serves it.
    pub manifest_digest: Sha256Digest,
    /// Blobs that had to be sent.
    pub sent: usize,
    /// Sum of their lengths.
    pub sent_bytes: u64,
}

/// So many bytes more make an attempt not count.
pub(crate) const PROGRESS: u64 = 1 << 20;
/// Largest blob that is sent with one request, in bytes.
const SMALL: u64 = 1 << 20;

/// What a registry says of a document that it took.
pub(crate) struct Sent {
    pub(crate) lists_attachments: bool,
}

/// What the tag leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tagged {
    /// The image's manifest.
    #[default]
    Manifest,
    /// An index that says the image's platform, as there is one for images of several platforms.
    Index,
}

impl Client<'_> {
    /// Pushes the only image of the layout in `folder` under the address's tag.
    pub fn push(&self, folder: &Path, tagged: Tagged) -> Result<Pushed, RegistryError> {
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
        let (count, bytes_planned) = (wanted.len(), wanted.values().map(|blob| blob.size).sum());
        (self.events)(Event::Planned { blobs: count, bytes: bytes_planned });
        let sent = std::sync::Mutex::new((0, 0));
        self.each(wanted.into_values().collect(), |blob| {
            if self.send_blob(
                blob,
                &Content::File { path: &blobs.join(blob.digest.digits()), digest: blob.digest, from: 0 },
            )? {
                let mut sent = sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *sent = (sent.0 + 1, sent.1 + blob.size);
            }
            Ok(())
        })?;
        match tagged {
            Tagged::Manifest => self.send_document(&self.address.tag, &manifest.media_type, &bytes)?,
            Tagged::Index => {
                self.send_document(&digest.to_string(), &manifest.media_type, &bytes)?;
                let image = Blob { annotations: BTreeMap::new(), ..image.clone() };
                let index =
                    serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image] });
                self.send_document(&self.address.tag, OCI_INDEX, index.to_string().as_bytes())?
            }
        };
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
        if self.is_there(blob)? {
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
        match content {
            Content::File { path, .. } if blob.size > SMALL => self.upload_in_parts(blob, path)?,
            _ => self.upload(blob, content)?,
        }
        (self.events)(Event::Finished { digest: blob.digest });
        Ok(true)
    }

    /// Sends a small blob with one request.
    fn upload(&self, blob: &Blob, content: &Content<'_>) -> Result<(), RegistryError> {
        let mut attempt = 1;
        loop {
            let place = self.begin_upload()?;
            match self.end_upload(&place, blob, content) {
                Err(error) if is_passing(&error) && attempt < self.options.attempts => {
                    self.wait(attempt)?;
                    attempt += 1;
                }
                ended => return ended,
            }
        }
    }

    /// Sends a large blob so that an upload that breaks off goes on where the registry says that it ended.
    fn upload_in_parts(&self, blob: &Blob, path: &Path) -> Result<(), RegistryError> {
        let (action, digest) = ("push a blob", blob.digest);
        let (mut place, mut from, mut attempt) = (self.begin_upload()?, 0, 1);
        loop {
            let ended = (|| {
                if from < blob.size {
                    let range = format!("{from}-{}", blob.size - 1);
                    let kind = ("content-type", "application/octet-stream");
                    // Not every registry knows a range; the whole goes without.
                    let headers: &[_] = if from > 0 { &[kind, ("content-range", &range)] } else { &[kind] };
                    let content = Content::File { path, digest, from };
                    // Once, since what was heard of it has to be asked before it is sent again.
                    let response = self.send_attempts(action, "PATCH", &place, headers, &content, 1)?;
                    let response = expect(action, &place, response, &[202])?;
                    place = self.place(&response)?.unwrap_or_else(|| place.clone());
                    from = blob.size;
                }
                self.end_upload(&place, blob, &Content::None)
            })();
            let error = match ended {
                Err(error) if is_passing(&error) => error,
                ended => return ended,
            };
            (place, from) = match self.heard(&place)? {
                Some((place, heard)) if heard <= blob.size => {
                    if heard >= from.saturating_add(PROGRESS) {
                        attempt = 0;
                    }
                    (place, heard)
                }
                // It may be there already, if only the answer was lost.
                _ if self.is_there(blob)? => return Ok(()),
                _ => (self.begin_upload()?, 0),
            };
            if attempt >= self.options.attempts {
                return Err(error);
            }
            attempt += 1;
            self.wait(attempt)?;
        }
    }

    /// The place of an upload that broke off, and how many bytes of it the registry has.
    fn heard(&self, place: &str) -> Result<Option<(String, u64)>, RegistryError> {
        let response = self.send("ask for an upload", "GET", place, &[], &Content::None)?;
        if response.status().as_u16() != 204 {
            return Ok(None);
        }
        let last = response.headers().get("range").and_then(|range| range.to_str().ok());
        let last = last.and_then(|range| range.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok());
        // `0-0` is what registries say of nothing.
        let heard = last.map_or(0, |last: u64| if last == 0 { 0 } else { last.saturating_add(1) });
        let next = self.place(&response)?.unwrap_or_else(|| place.to_owned());
        Ok(Some((next, heard)))
    }

    /// Says that all has been sent, with what is left of it.
    fn end_upload(&self, place: &str, blob: &Blob, content: &Content<'_>) -> Result<(), RegistryError> {
        let mark = if place.contains('?') { '&' } else { '?' };
        let target = format!("{place}{mark}digest={}", encoded(&blob.digest.to_string()));
        let headers = [("content-type", "application/octet-stream")];
        let response = self.send_attempts("push a blob", "PUT", &target, &headers, content, 1)?;
        expect("push a blob", place, response, &[201]).map(drop)
    }

    fn is_there(&self, blob: &Blob) -> Result<bool, RegistryError> {
        let (action, url) = ("look for a blob", self.url(&format!("blobs/{}", blob.digest)));
        let response = self.send(action, "HEAD", &url, &[], &Content::None)?;
        let is_there = response.status().as_u16() == 200;
        expect(action, &url, response, &[200, 404])?;
        Ok(is_there)
    }

    fn begin_upload(&self) -> Result<String, RegistryError> {
        let url = self.url("blobs/uploads/");
        self.begin(None)?.ok_or(RegistryError::Answer { url, expected: "a place to upload to" })
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
        let place = self.place(&response)?;
        place.map(Some).ok_or(RegistryError::Answer { url, expected: "a place to upload to" })
    }

    /// Where an answer says that an upload goes on.
    fn place(&self, response: &Response<Body>) -> Result<Option<String>, RegistryError> {
        let place = response.headers().get("location").and_then(|place| place.to_str().ok());
        let Some(place) = place else { return Ok(None) };
        let place = if place.starts_with('/') { format!("{}{place}", self.base) } else { place.to_owned() };
        self.check_scheme(&place)?;
        Ok(Some(place))
    }
}

/// Whether another attempt may end otherwise.
fn is_passing(error: &RegistryError) -> bool {
    match error {
        RegistryError::Request { .. } => true,
        // An upload that the registry has forgotten, or of which it has heard otherwise.
        RegistryError::Status { status, .. } => is_trouble(*status) || matches!(status, 404 | 416),
        _ => false,
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

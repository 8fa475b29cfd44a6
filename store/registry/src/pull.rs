//! From a registry to an OCI layout. Nothing that it sends is believed.
//!
//! A blob is received into `blobs/sha256/.<digits>.partial`; what an earlier run received is kept and gone on with.
//! It gets its name when its length and digest are the manifest's.

use crate::client::{Client, Content, Event, TOLD_EVERY, expect, read};
use crate::error::RegistryError;
use crate::push::PROGRESS;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use sx_export::Sha256Digest;
use sx_export::manifest::{ACCEPTED, Blob, Document, MAX_DOCUMENT_BYTES, Manifest};

/// Bytes that are received at once.
const BUFFER: usize = 1 << 16;

/// An image that was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Digest of the manifest.
    pub manifest_digest: Sha256Digest,
    /// Digest of the configuration: the image's id.
    pub image_id: Sha256Digest,
    /// Sum of the blobs' lengths.
    pub size_bytes: u64,
}

/// What of an image is pulled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    All,
    /// Manifest and configuration.
    Outline,
}

impl Client<'_> {
    /// Pulls the image into the layout in `folder`, which is empty, or what an interrupted pull or
    /// [`pull_outline`](Self::pull_outline) left.
    ///
    /// Of an index the image for Linux on x86-64 is taken. The layout holds that image alone.
    pub fn pull(&self, folder: &Path) -> Result<Pulled, RegistryError> {
        self.pull_parts(folder, Parts::All)
    }

    /// Does the same for what describes the image, without its layers.
    pub fn pull_outline(&self, folder: &Path) -> Result<Pulled, RegistryError> {
        self.pull_parts(folder, Parts::Outline)
    }

    fn pull_parts(&self, folder: &Path, parts: Parts) -> Result<Pulled, RegistryError> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|source| RegistryError::File { path: blobs.clone(), source })?;
        let (digest, bytes, manifest) = self.manifest()?;
        let mut wanted: BTreeMap<Sha256Digest, &Blob> = BTreeMap::new();
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            let known = wanted.insert(blob.digest, blob);
            if let Some(known) = known.filter(|known| known.size != blob.size) {
                let (found, expected) = (blob.size.to_string(), known.size.to_string());
                return Err(RegistryError::Mismatch { url: self.url("manifests"), found, expected });
            }
        }
        let names: BTreeSet<String> = wanted.keys().chain([&digest]).map(Sha256Digest::digits).collect();
        let size_bytes = wanted.values().map(|blob| blob.size).sum::<u64>() + bytes.len() as u64;
        let is_asked = |blob: &&Blob| parts == Parts::All || blob.digest == manifest.config.digest;
        let queue: Vec<&Blob> = wanted.into_values().filter(is_asked).collect();
        let bytes_planned = queue.iter().map(|blob| blob.size).sum();
        (self.events)(Event::Planned { blobs: queue.len(), bytes: bytes_planned });
        self.each(queue, |blob| self.blob(blob, &blobs))?;
        remove_others(&blobs, &names)?;
        write(&blobs.join(digest.digits()), &bytes)?;
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": manifest.media_type,
                "digest": digest,
                "size": bytes.len(),
                "annotations": { "org.opencontainers.image.ref.name": format!(
                    "{}/{}:{}", self.address.registry, self.address.repository, self.address.tag) },
                "platform": { "architecture": "amd64", "os": "linux" },
            }],
        });
        write(&folder.join("index.json"), index.to_string().as_bytes())?;
        write(&folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Pulled { manifest_digest: digest, image_id: manifest.config.digest, size_bytes })
    }

    /// The image's manifest, an index resolved.
    pub(crate) fn manifest(&self) -> Result<(Sha256Digest, Vec<u8>, Manifest), RegistryError> {
        let (digest, bytes) = self.document(&self.address.wanted(), self.address.digest, None)?;
        let refused = |digest| move |source| RegistryError::Document { digest, source };
        let images = match Document::parse(&bytes).map_err(refused(digest))? {
            Document::Manifest(manifest) => return Ok((digest, bytes, manifest)),
            Document::Index(images) => images,
            Document::Artifact(_) => return Err(RegistryError::NoImage(digest)),
        };
        let fits = |blob: &&Blob| {
            blob.platform.as_ref().is_some_and(|found| found.os == "linux" && found.architecture == "amd64")
        };
        let mut found = images.iter().filter(fits);
        let (Some(image), None) = (found.next(), found.next()) else {
            return Err(RegistryError::NoPlatform(digest));
        };
        let (inner, bytes) =
            self.document(&image.digest.to_string(), Some(image.digest), Some(image.size))?;
        match Document::parse(&bytes).map_err(refused(inner))? {
            Document::Manifest(manifest) => Ok((inner, bytes, manifest)),
            Document::Index(_) => Err(RegistryError::Nested(digest)),
            Document::Artifact(_) => Err(RegistryError::NoImage(inner)),
        }
    }

    /// An index or manifest, with its digest.
    pub(crate) fn document(
        &self,
        wanted: &str,
        expected: Option<Sha256Digest>,
        size: Option<u64>,
    ) -> Result<(Sha256Digest, Vec<u8>), RegistryError> {
        let (action, url) = ("pull the manifest", self.url(&format!("manifests/{wanted}")));
        let accept = ACCEPTED.join(", ");
        let response = self.send(action, "GET", &url, &[("accept", &accept)], &Content::None)?;
        let mut response = expect(action, &url, response, &[200])?;
        let said = response.headers().get("docker-content-digest");
        let said = said.and_then(|said| said.to_str().ok()?.parse::<Sha256Digest>().ok());
        let failed = |source| RegistryError::Request { action, url: url.clone(), source: Box::new(source) };
        let long = || RegistryError::Answer { url: url.clone(), expected: "a manifest of at most 4 MiB" };
        let bytes = read(&mut response, MAX_DOCUMENT_BYTES as u64).map_err(failed)?.ok_or_else(long)?;
        let digest = Sha256Digest::of(&bytes);
        if let Some(expected) = [expected, said].into_iter().flatten().find(|expected| *expected != digest) {
            return Err(self.mismatch(&url, digest, expected));
        }
        match size.filter(|size| *size != bytes.len() as u64) {
            Some(size) => Err(self.mismatch(&url, format!("{} bytes", bytes.len()), format!("{size} bytes"))),
            None => Ok((digest, bytes)),
        }
    }

    /// Receives a blob, unless it is there.
    fn blob(&self, blob: &Blob, folder: &Path) -> Result<(), RegistryError> {
        let path = folder.join(blob.digest.digits());
        if matches!(hash(&path), Ok((digest, size)) if digest == blob.digest && size == blob.size) {
            (self.events)(Event::Present { digest: blob.digest });
            return Ok(());
        }
        (self.events)(Event::Begun { digest: blob.digest, size: blob.size });
        let partial = folder.join(format!(".{}.partial", blob.digest.digits()));
        let url = self.url(&format!("blobs/{}", blob.digest));
        let file_failed = |source| RegistryError::File { path: partial.clone(), source };
        let mut attempt = 1;
        loop {
            let begun_with = fs::metadata(&partial).map_or(0, |found| found.len());
            let received = if begun_with == blob.size && blob.size > 0 {
                Ok(())
            } else {
                self.receive(blob, &url, &partial)
            };
            match received {
                Ok(()) => {
                    let (digest, size) = hash(&partial).map_err(file_failed)?;
                    if (digest, size) == (blob.digest, blob.size) {
                        break;
                    }
                    fs::remove_file(&partial).map_err(file_failed)?;
                    // What an earlier run or attempt left may be to blame: once more from the beginning.
                    if begun_with == 0 {
                        return Err(self.mismatch(&url, digest, blob.digest));
                    }
                }
                Err(Interruption::Final(error)) => return Err(error),
                Err(Interruption::Broken(error)) if attempt >= self.options.attempts => return Err(error),
                Err(Interruption::Broken(_)) => {
                    if fs::metadata(&partial).map_or(0, |found| found.len()) >= begun_with + PROGRESS {
                        attempt = 1;
                    }
                    self.wait(attempt)?;
                    attempt += 1;
                }
            }
        }
        fs::rename(&partial, &path).map_err(file_failed)?;
        (self.events)(Event::Finished { digest: blob.digest });
        Ok(())
    }

    /// Adds what is missing to the partial file, never more than the blob's length.
    fn receive(&self, blob: &Blob, url: &str, partial: &Path) -> Result<(), Interruption> {
        let file_failed = |source| RegistryError::File { path: partial.into(), source };
        let mut file = File::options().append(true).create(true).open(partial).map_err(file_failed)?;
        let mut there = file.metadata().map_err(file_failed)?.len();
        if there > blob.size {
            file.set_len(0).map_err(file_failed)?;
            there = 0;
        }
        let action = "pull a blob";
        let range = format!("bytes={there}-");
        let headers: &[(&str, &str)] = if there > 0 { &[("range", &range)] } else { &[] };
        let response = self.send(action, "GET", url, headers, &Content::None)?;
        let mut response = expect(action, url, response, &[200, 206])?;
        let begins = format!("bytes {there}-");
        let goes_on = response.status().as_u16() == 206
            && response
                .headers()
                .get("content-range")
                .and_then(|range| range.to_str().ok())
                .is_some_and(|range| range.starts_with(&begins));
        if !goes_on {
            file.set_len(0).map_err(file_failed)?;
            there = 0;
        }
        let mut reader = response.body_mut().with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; BUFFER];
        let mut shown = there;
        loop {
            self.check()?;
            let broken = |source: io::Error| {
                let source = Box::new(ureq::Error::Io(source));
                Interruption::Broken(RegistryError::Request { action, url: url.into(), source })
            };
            let received = reader.read(&mut buffer).map_err(broken)?;
            if received == 0 {
                break;
            }
            there += received as u64;
            if there > blob.size {
                let found = format!("more than {} bytes", blob.size);
                return Err(self.mismatch(url, found, format!("{} bytes", blob.size)).into());
            }
            file.write_all(&buffer[..received]).map_err(file_failed)?;
            if there - shown >= TOLD_EVERY {
                shown = there;
                (self.events)(Event::Moved { digest: blob.digest, bytes: there });
            }
        }
        if there < blob.size {
            let (found, expected) = (format!("{there} bytes"), format!("{} bytes", blob.size));
            return Err(Interruption::Broken(self.mismatch(url, found, expected)));
        }
        Ok(())
    }

    pub(crate) fn mismatch(&self, url: &str, found: impl ToString, expected: impl ToString) -> RegistryError {
        RegistryError::Mismatch { url: url.into(), found: found.to_string(), expected: expected.to_string() }
    }

    /// Works on all of `items`, several at a time; gives the first error, after which no more are begun.
    pub(crate) fn each<T: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> Result<(), RegistryError> + Sync,
    ) -> Result<(), RegistryError> {
        let threads = self.options.parallel.get().min(items.len());
        let queue = Mutex::new(items.into_iter());
        let error = Mutex::new(None);
        let next = || {
            let is_over = error.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            if is_over { None } else { queue.lock().unwrap_or_else(PoisonError::into_inner).next() }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(item) = next() {
                        if let Err(failure) = work(item) {
                            let mut error = error.lock().unwrap_or_else(PoisonError::into_inner);
                            error.get_or_insert(failure);
                        }
                    }
                });
            }
        });
        error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

/// Why a blob isn't there yet.
enum Interruption {
    /// Another attempt may go on where this one ended.
    Broken(RegistryError),
    /// Another attempt would end the same.
    Final(RegistryError),
}

impl From<RegistryError> for Interruption {
    fn from(error: RegistryError) -> Self {
        Self::Final(error)
    }
}

/// Digest and length of a file.
fn hash(path: &Path) -> io::Result<(Sha256Digest, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let size = io::copy(&mut file, &mut hasher)?;
    Ok((Sha256Digest::from_bytes(hasher.finalize().into()), size))
}

/// Removes what an earlier pull of another image left.
fn remove_others(folder: &Path, names: &BTreeSet<String>) -> Result<(), RegistryError> {
    let failed = |source| RegistryError::File { path: folder.into(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_none_or(|name| !names.contains(name)) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), RegistryError> {
    fs::write(path, bytes).map_err(|source| RegistryError::File { path: path.clone(), source })
}

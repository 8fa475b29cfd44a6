//! An image of a layout or archive: documents first, layers when they are asked for.

use super::error::ReadError;
use super::layer::{self, Found, LayerLimits, Packing, Sink};
use super::source::Source;
use super::tree::Tree;
use super::unpack::Unpacking;
use crate::digest::Sha256Digest;
use crate::manifest::{
    Blob, Document, MAX_CONFIG_BYTES, MAX_DOCUMENT_BYTES, MAX_READ_LAYERS, Manifest, Platform, check_names,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use sx_derivation::StorePath;

const REFERENCE: &str = "org.opencontainers.image.ref.name";
/// Deepest nesting of indexes, the layout's own included.
const MAX_INDEXES: usize = 3;
/// Most bytes of the documents that a layout's index names, together: all of them are looked at, to find the one that is meant.
const MAX_NAMED_BYTES: u64 = 64 << 20;

/// An opened image.
pub struct Image {
    source: Source,
    /// What it is called there, if it has a name.
    pub reference: Option<String>,
    /// Digest of the manifest; docker archives have none.
    pub manifest_digest: Option<Sha256Digest>,
    /// Digest of the configuration: the image's id.
    pub image_id: Sha256Digest,
    /// What it runs on.
    pub platform: Platform,
    /// How a container of it starts, as the configuration has it.
    pub config: Value,
    /// From the lowest on.
    pub layers: Vec<Layer>,
    /// What is attached to it in the same layout.
    pub attachments: Vec<Attachment>,
}

/// A layer, as the documents have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the blob; docker archives don't say it.
    pub digest: Option<Sha256Digest>,
    /// Digest of the tar in it.
    pub diff_id: Sha256Digest,
    /// Length of the blob.
    pub size_bytes: u64,
    /// What the image's history says of it.
    pub title: Option<String>,
    packing: Packing,
    /// Its file in the layout or archive.
    name: String,
}

/// Something that is attached to an image: a bill of materials, a provenance, a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What it is.
    pub artifact_type: String,
    /// Digest of its manifest.
    pub digest: Sha256Digest,
    /// Its blobs, each with its type.
    pub blobs: Vec<Blob>,
}

#[derive(Deserialize)]
struct Configuration {
    architecture: String,
    os: String,
    #[serde(default)]
    config: Value,
    rootfs: RootFileSystem,
    #[serde(default)]
    history: Vec<History>,
}

#[derive(Deserialize)]
struct RootFileSystem {
    r#type: String,
    diff_ids: Vec<Sha256Digest>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The names of a configuration that count.
const KNOWN: [&str; 6] = ["architecture", "os", "config", "rootfs", "history", "variant"];

impl Image {
    /// Opens the image called `name`, or the only one, of a folder in the OCI layout, an OCI archive or a docker archive.
    pub fn open(path: &Path, name: Option<&str>) -> Result<Self, ReadError> {
        let source = Source::open(path)?;
        match source.document("index.json", MAX_DOCUMENT_BYTES as u64)? {
            Some(index) => Self::oci(source, &index, name),
            None => match source.document("manifest.json", MAX_DOCUMENT_BYTES as u64)? {
                Some(manifest) => Self::docker(source, &manifest, name),
                None => Err(ReadError::NoImage(path.into())),
            },
        }
    }

    fn oci(source: Source, index: &[u8], name: Option<&str>) -> Result<Self, ReadError> {
        let refused = |name: &str| {
            let name = name.to_owned();
            move |source| ReadError::Document { name, source }
        };
        let Document::Index(blobs) = Document::parse(index).map_err(refused("index.json"))? else {
            return Err(ReadError::NoImage(source.path().into()));
        };
        if blobs.iter().map(|blob| blob.size).sum::<u64>() > MAX_NAMED_BYTES {
            return Err(ReadError::Documents { most: MAX_NAMED_BYTES });
        }
        let mut images = Vec::new();
        let mut artifacts = Vec::new();
        for blob in &blobs {
            let bytes = blob_document(&source, blob)?;
            match Document::parse(&bytes).map_err(refused(&blob.digest.to_string()))? {
                Document::Artifact(artifact) => artifacts.push((blob.digest, artifact)),
                // A list of what is attached, for registries without a list of their own.
                Document::Index(blobs) if blobs.iter().all(|blob| blob.artifact_type.is_some()) => {}
                document => images.push((blob, document)),
            }
        }
        let title =
            |blob: &Blob| blob.annotations.get(REFERENCE).cloned().unwrap_or_else(|| blob.digest.to_string());
        let names: Vec<String> = images.iter().map(|(blob, _)| title(blob)).collect();
        let path = source.path().to_owned();
        let mut fitting: Vec<_> =
            images.into_iter().filter(|(blob, _)| name.is_none_or(|name| title(blob) == name)).collect();
        let (blob, document) = match (fitting.pop(), name) {
            (Some(found), _) if fitting.is_empty() => found,
            (None, Some(name)) => return Err(ReadError::Unknown { path, name: name.into(), names }),
            (None, None) => return Err(ReadError::NoImage(path)),
            _ => return Err(ReadError::Several { path, names }),
        };
        let reference = blob.annotations.get(REFERENCE).cloned();
        let (digest, manifest, platform) = resolve(&source, blob, document)?;
        let attachments = artifacts
            .into_iter()
            .filter(|(_, artifact)| artifact.subject.as_ref().is_some_and(|subject| subject.digest == digest))
            .map(|(digest, artifact)| Attachment {
                artifact_type: artifact.artifact_type,
                digest,
                blobs: artifact.blobs,
            })
            .collect();
        let name = blob_name(manifest.config.digest);
        let bytes =
            source.document(&name, MAX_CONFIG_BYTES)?.ok_or(ReadError::Missing { name: name.clone() })?;
        check_bytes(&manifest.config, &bytes)?;
        let configuration = configuration(&name, &bytes)?;
        let found =
            Platform { architecture: configuration.architecture.clone(), os: configuration.os.clone() };
        if let Some(expected) = platform.filter(|expected| *expected != found) {
            return Err(ReadError::Platform { found: found.to_string(), expected: expected.to_string() });
        }
        let layers = manifest.layers.iter().map(|blob| Layer {
            digest: Some(blob.digest),
            diff_id: blob.digest,
            size_bytes: blob.size,
            title: None,
            packing: Packing::of_media_type(&blob.media_type),
            name: blob_name(blob.digest),
        });
        let layers = with_configuration(layers.collect(), &configuration)?;
        Ok(Self {
            source,
            reference,
            manifest_digest: Some(digest),
            image_id: manifest.config.digest,
            platform: found,
            config: configuration.config,
            layers,
            attachments,
        })
    }

    fn docker(source: Source, manifest: &[u8], name: Option<&str>) -> Result<Self, ReadError> {
        let path = source.path().to_owned();
        let form = |source| ReadError::Form {
            name: "manifest.json".into(),
            expected: "a docker archive's manifest",
            source,
        };
        let images: Vec<DockerImage> = serde_json::from_slice(manifest).map_err(form)?;
        let tags = |image: &DockerImage| image.repo_tags.clone().unwrap_or_default();
        let names: Vec<String> = images
            .iter()
            .map(|image| tags(image).first().cloned().unwrap_or_else(|| image.config.clone()))
            .collect();
        let fits = |image: &DockerImage| {
            name.is_none_or(|name| image.config == name || tags(image).iter().any(|tag| tag == name))
        };
        let mut fitting: Vec<_> = images.into_iter().filter(fits).collect();
        let image = match (fitting.pop(), name) {
            (Some(found), _) if fitting.is_empty() => found,
            (None, Some(name)) => return Err(ReadError::Unknown { path, name: name.into(), names }),
            (None, None) => return Err(ReadError::NoImage(path)),
            _ => return Err(ReadError::Several { path, names }),
        };
        if image.layers.len() > MAX_READ_LAYERS {
            return Err(ReadError::Document {
                name: "manifest.json".into(),
                source: crate::manifest::DocumentError::Layers(image.layers.len()),
            });
        }
        let bytes = source.document(&image.config, MAX_CONFIG_BYTES)?;
        let bytes = bytes.ok_or_else(|| ReadError::Missing { name: image.config.clone() })?;
        let configuration = configuration(&image.config, &bytes)?;
        let mut layers = Vec::new();
        for name in &image.layers {
            let Some((mut reader, size_bytes)) = source.file(name)? else {
                return Err(ReadError::Missing { name: name.clone() });
            };
            let mut magic = [0; 4];
            let read = std::io::Read::read(&mut reader, &mut magic);
            read.map_err(|source| ReadError::File { path: path.join(name), source })?;
            let packing = match magic {
                [0x1f, 0x8b, ..] => Packing::Gzip,
                [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
                _ => Packing::None,
            };
            layers.push(Layer {
                digest: None,
                diff_id: Sha256Digest::of(b""),
                size_bytes,
                title: None,
                packing,
                name: name.clone(),
            });
        }
        let layers = with_configuration(layers, &configuration)?;
        Ok(Self {
            source,
            reference: tags(&image).first().cloned(),
            manifest_digest: None,
            image_id: Sha256Digest::of(&bytes),
            platform: Platform { architecture: configuration.architecture, os: configuration.os },
            config: configuration.config,
            layers,
            attachments: Vec::new(),
        })
    }

    /// Reads all layers: compares every digest and length, and gives the file system that they make together, with each
    /// layer's tar's length in bytes.
    pub fn tree(&self, limits: &LayerLimits) -> Result<(Tree, Vec<u64>), ReadError> {
        self.layers(limits, None)
    }

    /// Does what [`Image::tree`] does, and writes the store paths among the image's files into `folder`, which is empty and
    /// nobody else's: each under its base name, with the permissions of its owner alone. Gives them.
    ///
    /// They are what the layers say, not yet what their names say.
    pub fn unpack_store(
        &self,
        limits: &LayerLimits,
        folder: &Path,
    ) -> Result<BTreeSet<StorePath>, ReadError> {
        let opened = Unpacking::new(folder);
        let mut unpacking = opened.map_err(|source| ReadError::File { path: folder.into(), source })?;
        self.layers(limits, Some(&mut unpacking))?;
        Ok(unpacking.into_paths())
    }

    fn layers(
        &self,
        limits: &LayerLimits,
        mut unpacking: Option<&mut Unpacking>,
    ) -> Result<(Tree, Vec<u64>), ReadError> {
        let mut tree = Tree::default();
        let mut lengths = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            let missing = || ReadError::Missing { name: layer.name.clone() };
            let (reader, size) = self.source.file(&layer.name)?.ok_or_else(missing)?;
            let mismatch = |found: String, expected: String| {
                Err(ReadError::Mismatch { name: layer.name.clone(), found, expected })
            };
            if size != layer.size_bytes {
                return mismatch(format!("{size} bytes"), format!("{} bytes", layer.size_bytes));
            }
            let sink = Sink { tree: &mut tree, number, unpacking: unpacking.as_deref_mut() };
            let found = layer::read(reader, size, layer.packing, limits, sink);
            let Found { digest, diff_id, unpacked_bytes, .. } =
                found.map_err(|source| ReadError::Layer { number: number + 1, source })?;
            if layer.digest.is_some_and(|expected| expected != digest) {
                return mismatch(digest.to_string(), layer.name.clone());
            }
            if diff_id != layer.diff_id {
                return mismatch(format!("a tar with {diff_id}"), layer.diff_id.to_string());
            }
            lengths.push(unpacked_bytes);
        }
        Ok((tree, lengths))
    }

    /// The content of an attachment's blob, which is compared with its digest.
    pub fn attached(&self, blob: &Blob) -> Result<Vec<u8>, ReadError> {
        let name = blob_name(blob.digest);
        let bytes = self.source.document(&name, MAX_CONFIG_BYTES)?.ok_or(ReadError::Missing { name })?;
        check_bytes(blob, &bytes)?;
        Ok(bytes)
    }
}

/// From what the layout's index names to one image's manifest, for Linux on x86-64 where there is a choice; with the
/// platform that an index promised.
fn resolve(
    source: &Source,
    blob: &Blob,
    document: Document,
) -> Result<(Sha256Digest, Manifest, Option<Platform>), ReadError> {
    let (mut digest, mut platform, mut document) = (blob.digest, blob.platform.clone(), document);
    for _ in 0..MAX_INDEXES {
        let blobs = match document {
            Document::Manifest(manifest) => return Ok((digest, manifest, platform)),
            Document::Artifact(_) => break,
            Document::Index(blobs) => blobs,
        };
        let fits = |blob: &&Blob| blob.platform.as_ref().is_some_and(Platform::is_ours);
        let mut fitting = blobs.iter().filter(fits);
        let (Some(blob), None) = (fitting.next(), fitting.next()) else {
            return Err(ReadError::NoPlatform(digest));
        };
        let bytes = blob_document(source, blob)?;
        (digest, platform) = (blob.digest, blob.platform.clone());
        document = Document::parse(&bytes)
            .map_err(|source| ReadError::Document { name: digest.to_string(), source })?;
    }
    Err(ReadError::NoPlatform(digest))
}

fn blob_name(digest: Sha256Digest) -> String {
    format!("blobs/sha256/{}", digest.digits())
}

fn blob_document(source: &Source, blob: &Blob) -> Result<Vec<u8>, ReadError> {
    let name = blob_name(blob.digest);
    let bytes = source.document(&name, MAX_DOCUMENT_BYTES as u64)?.ok_or(ReadError::Missing { name })?;
    check_bytes(blob, &bytes)?;
    Ok(bytes)
}

fn check_bytes(blob: &Blob, bytes: &[u8]) -> Result<(), ReadError> {
    let mismatch = |found: String, expected: String| {
        Err(ReadError::Mismatch { name: blob.digest.to_string(), found, expected })
    };
    if bytes.len() as u64 != blob.size {
        return mismatch(format!("{} bytes", bytes.len()), format!("{} bytes", blob.size));
    }
    let found = Sha256Digest::of(bytes);
    if found == blob.digest { Ok(()) } else { mismatch(format!("the digest {found}"), "its own".into()) }
}

fn configuration(name: &str, bytes: &[u8]) -> Result<Configuration, ReadError> {
    let form = |source| ReadError::Form { name: name.into(), expected: "an image's configuration", source };
    check_names(bytes, &KNOWN).map_err(|source| ReadError::Document { name: name.into(), source })?;
    let configuration: Configuration = serde_json::from_slice(bytes).map_err(form)?;
    if configuration.rootfs.r#type != "layers" {
        let (found, expected) = (configuration.rootfs.r#type, "`layers`".into());
        return Err(ReadError::Mismatch { name: "rootfs.type".into(), found, expected });
    }
    Ok(configuration)
}

/// Adds what the configuration says of layers.
fn with_configuration(
    mut layers: Vec<Layer>,
    configuration: &Configuration,
) -> Result<Vec<Layer>, ReadError> {
    let digests = &configuration.rootfs.diff_ids;
    if digests.len() != layers.len() {
        return Err(ReadError::LayerCount { layers: layers.len(), expected: digests.len() });
    }
    let mut history = configuration.history.iter().filter(|entry| !entry.empty_layer);
    for (layer, diff_id) in layers.iter_mut().zip(digests) {
        layer.diff_id = *diff_id;
        layer.title = history.next().and_then(|entry| entry.created_by.clone());
    }
    Ok(layers)
}

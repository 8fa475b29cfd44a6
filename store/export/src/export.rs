//! An image from objects to bytes: parts, layers, documents.

use crate::archive::Names;
use crate::attachment::{Document, attach};
use crate::bill::Bill;
use crate::cache::Cache;
use crate::config::ImageConfig;
use crate::digest::{Hashing, Sha256Digest};
use crate::document::{self, LayerSummary};
use crate::error::ExportError;
use crate::file::{FileKind, ImageFile};
use crate::layer::{self, Layer};
use crate::layout::{self, Part};
use crate::output::{Blob, Output};
use crate::pieces::{Packing, Workers};
use crate::provenance::Packed;
use crate::reference::Reference;
use crate::report::{AttachmentReport, LayerReport, Report};
use crate::staged::Staged;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use sx_derivation::StorePath;

/// One store path of a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is called in the image.
    pub path: StorePath,
    /// Where its file, directory or symbolic link lies.
    pub location: PathBuf,
    /// The store paths that it mentions, its own among them if it does.
    pub references: BTreeSet<StorePath>,
    /// Sum of its files' lengths.
    pub size_bytes: u64,
}

/// A package that the image was asked for, in contrast to what only comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// One of the objects.
    pub path: StorePath,
    /// What its program is called in a merged root, if the object is a file.
    pub name: String,
}

/// An image to write.
#[derive(Clone, Debug)]
pub struct Export {
    /// The closure, each object once, what is most shared first: dependencies before what depends on them. The
    /// order is the layers' order, so it must not depend on anything but the closure.
    pub objects: Vec<Object>,
    /// Whose programs are to be found.
    pub roots: Vec<Root>,
    /// Files beside the objects'; they may stand in directories of a merged root, and replace nothing.
    pub files: Vec<ImageFile>,
    /// Where objects are in the image.
    pub layout: Layout,
    /// What the image is called.
    pub reference: Reference,
    /// How a container of it starts.
    pub config: ImageConfig,
    /// What a registry shows people: `org.opencontainers.image.…`.
    pub annotations: BTreeMap<String, String>,
    /// What it is made of, for the documents that are attached.
    pub bill: Bill,
    /// Documents that are attached; only OCI layouts and archives have a place for them.
    pub attached: BTreeSet<Document>,
    /// How layers are packed.
    pub compression: Compression,
    /// How well: 1 to 12 for gzip, 1 to 19 for zstd. More makes smaller layers, slower.
    pub level: Option<i32>,
    /// What is written.
    pub format: Format,
    /// How many threads pack; the bytes are the same for any number.
    pub threads: NonZeroUsize,
    /// A folder, already there, in which layers are kept and found again.
    pub cache: Option<PathBuf>,
}

/// Fails for an object, by its path, that isn't what it was when it came into the store.
pub type Proof<'a> = dyn Fn(&StorePath) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Sync + 'a;

/// Where objects are in the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// At their store paths, with links in `/bin` to the programs in roots' `bin`.
    #[default]
    Store,
    /// The roots' trees at `/`. Only for objects that refer to no store path.
    Root,
}

/// How layers are packed; the image id is the same for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// What every client reads.
    #[default]
    Gzip,
    /// Smaller and faster; not every client reads it.
    Zstd,
    /// Plain tar.
    None,
}

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One file, both an OCI archive and a docker archive.
    #[default]
    Archive,
    /// A folder in the OCI layout.
    Layout,
    /// A docker archive alone.
    Docker,
    /// The image's files as one tar, without configuration.
    Tree,
}

impl Export {
    /// Writes the image to `destination`, replacing a file (or, for [`Format::Layout`], an empty folder).
    ///
    /// It comes there whole, durable, by a rename; on an error the destination is as it was before. Memory is
    /// bounded by the largest directory's names, whatever the files' sizes.
    pub fn write(self, destination: &Path) -> Result<Report, ExportError> {
        self.write_proved(destination, &|_| Ok(()))
    }

    /// The same, with each object proved before a layer is made of it. A kept layer was made of what had been proved.
    pub fn write_proved(mut self, destination: &Path, prove: &Proof<'_>) -> Result<Report, ExportError> {
        self.check()?;
        let packing = Packing::new(self.compression, self.level)?;
        if self.layout == Layout::Root {
            self.move_to_root()?;
        }
        let parts = layout::parts(&self)?;
        let whole = layout::merged(&parts)?;
        std::thread::scope(|scope| {
            let workers = Workers::new(scope, packing, self.threads);
            if self.format != Format::Tree {
                return self.write_image(parts, prove, packing, &workers, destination);
            }
            let mut staged = Staged::new(destination)?;
            for part in &parts {
                part.prove(prove)?;
            }
            let written = layer::write(&whole, &workers, &mut staged.file, destination)?;
            let written = Written {
                store_paths: self.objects.iter().map(|object| object.path.to_string()).collect(),
                layer: written,
            };
            Ok(Report {
                reference: self.reference.to_string(),
                image_id: None,
                manifest_digest: None,
                layers: vec![written.report()],
                attachments: Vec::new(),
                size_bytes: staged.finish()?,
            })
        })
    }

    fn write_image(
        &self,
        parts: Vec<Part>,
        prove: &Proof<'_>,
        packing: Packing,
        workers: &Workers,
        destination: &Path,
    ) -> Result<Report, ExportError> {
        let failed = |error: std::io::Error| ExportError::write(destination, error);
        let names = if self.format == Format::Docker { Names::Docker } else { Names::Both };
        let mut output = match self.format {
            Format::Layout => Output::folder(destination)?,
            _ => Output::archive(destination, names)?,
        };
        let media_type = match self.compression {
            Compression::Gzip => document::GZIP_LAYER_TYPE,
            Compression::Zstd => document::ZSTD_LAYER_TYPE,
            Compression::None => document::LAYER_TYPE,
        };
        let (mut summaries, mut written) = (Vec::new(), Vec::new());
        for part in parts {
            output.begin_blob().map_err(failed)?;
            let layer = self.write_layer(&part, prove, packing, workers, &mut output, destination)?;
            output.end_blob(Blob::Layer, layer.digest, layer.size_bytes).map_err(failed)?;
            summaries.push(LayerSummary { diff_id: layer.diff_id, title: part.title });
            let store_paths = part.store_paths.iter().map(ToString::to_string).collect();
            written.push(Written { store_paths, layer });
        }
        let layers = || written.iter().map(|written| &written.layer);
        let descriptors: Vec<_> =
            layers().map(|layer| document::layer(media_type, layer.digest, layer.size_bytes)).collect();
        let config = document::image(&self.config, &summaries);
        let config_digest = Sha256Digest::of(&config);
        let manifest = document::manifest(&config, &descriptors, &self.annotations);
        output.blob(&config).map_err(failed)?;
        let mut attachments = Vec::new();
        if self.format != Format::Docker {
            output.blob(&manifest).map_err(failed)?;
            if !self.attached.is_empty() {
                output.blob(document::EMPTY).map_err(failed)?;
            }
            let packed = Packed { layout: self.layout, compression: self.compression, level: self.level };
            let mut descriptors = Vec::new();
            for kind in &self.attached {
                let attached = attach(*kind, &self.bill, &self.reference, &manifest, packed);
                output.blob(&attached.document).map_err(failed)?;
                output.blob(&attached.manifest).map_err(failed)?;
                attachments.push(AttachmentReport {
                    artifact_type: kind.media_type(),
                    digest: attached.descriptor.digest.clone(),
                    document_digest: Sha256Digest::of(&attached.document).to_string(),
                    size_bytes: attached.document.len() as u64,
                });
                descriptors.push(attached.descriptor);
            }
            let index = document::index(&manifest, &self.reference, descriptors);
            output.document("index.json", &index).map_err(failed)?;
        }
        if self.format != Format::Layout {
            let config = names.of(Blob::Document, config_digest);
            let layers = layers().map(|layer| names.of(Blob::Layer, layer.digest)).collect();
            let docker = document::docker_manifest(config, layers, &self.reference);
            output.document("manifest.json", &docker).map_err(failed)?;
        }
        if self.format != Format::Docker {
            output.document("oci-layout", document::LAYOUT).map_err(failed)?;
        }
        Ok(Report {
            reference: self.reference.to_string(),
            image_id: Some(config_digest.to_string()),
            manifest_digest: (self.format != Format::Docker).then(|| Sha256Digest::of(&manifest).to_string()),
            layers: written.iter().map(Written::report).collect(),
            attachments,
            size_bytes: output.finish()?,
        })
    }

    /// Writes a layer's blob: one that was kept, or a new one, which then is kept.
    fn write_layer(
        &self,
        part: &Part,
        prove: &Proof<'_>,
        packing: Packing,
        workers: &Workers,
        output: &mut Output,
        destination: &Path,
    ) -> Result<Layer, ExportError> {
        // Plain tar is made as fast as it is copied.
        let cache = self.cache.as_deref().filter(|_| packing != Packing::None).map(Cache::new);
        let (Some(cache), Some(key)) = (cache, &part.key) else {
            part.prove(prove)?;
            return layer::write(&part.content, workers, output, destination);
        };
        let failed = |error: std::io::Error| ExportError::write(destination, error);
        if let Some((layer, mut blob)) = cache.find(packing, key) {
            let mut hashing = Hashing::new(&mut *output);
            copy(&mut blob, &mut hashing).map_err(failed)?;
            let (_, digest, size_bytes) = hashing.finish();
            if (digest, size_bytes) == (layer.digest, layer.size_bytes) {
                return Ok(layer);
            }
            output.again().map_err(failed)?;
        }
        part.prove(prove)?;
        let mut file = cache.begin()?;
        let layer = layer::write(&part.content, workers, &mut Both(&mut file, output), destination)?;
        cache.keep(packing, key, &layer, file)?;
        Ok(layer)
    }

    fn check(&self) -> Result<(), ExportError> {
        self.config.check()?;
        if self.format == Format::Docker && self.compression == Compression::Zstd {
            return Err(ExportError::DockerZstd);
        }
        if !self.attached.is_empty() && matches!(self.format, Format::Docker | Format::Tree) {
            return Err(ExportError::NothingAttached);
        }
        if self.objects.is_empty() && self.files.is_empty() {
            return Err(ExportError::EmptyClosure);
        }
        let mut seen = BTreeSet::new();
        match self.objects.iter().find(|object| !seen.insert(&object.path)) {
            Some(object) => Err(ExportError::Duplicate { path: object.path.clone() }),
            None => Ok(()),
        }
    }

    /// Makes texts of the configuration and of files speak of the merged root instead of the store.
    fn move_to_root(&mut self) -> Result<(), ExportError> {
        let mut config = self.config.clone();
        let in_root = |text: &mut String, holder: &str| {
            *text = layout::in_root(self, text, holder)?;
            Ok::<_, ExportError>(())
        };
        for text in config.entrypoint.iter_mut().chain(&mut config.cmd).chain(&mut config.working_dir) {
            in_root(text, "config")?;
        }
        for (name, text) in config.env.iter_mut().chain(&mut config.labels) {
            in_root(text, name)?;
        }
        let mut files = self.files.clone();
        for file in &mut files {
            if let FileKind::Text(text) | FileKind::Link(text) = &mut file.kind {
                in_root(text, &file.path)?;
            }
        }
        (self.config, self.files) = (config, files);
        Ok(())
    }
}

struct Written {
    store_paths: Vec<String>,
    layer: Layer,
}

impl Written {
    fn report(&self) -> LayerReport {
        LayerReport {
            store_paths: self.store_paths.clone(),
            digest: self.layer.digest.to_string(),
            diff_id: self.layer.diff_id.to_string(),
            size_bytes: self.layer.size_bytes,
            unpacked_bytes: self.layer.unpacked_bytes,
        }
    }
}

/// Writes the same to two places.
struct Both<A, B>(A, B);

impl<A: Write, B: Write> Write for Both<A, B> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }
}

/// [`std::io::copy`] with a larger buffer.
fn copy(from: &mut File, to: &mut impl Write) -> std::io::Result<()> {
    let mut buffered = BufReader::with_capacity(1 << 18, from);
    std::io::copy(&mut buffered, to).and_then(|_| to.flush())
}

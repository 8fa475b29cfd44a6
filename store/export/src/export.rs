//! An image from objects to bytes: plan, layers, documents.

use crate::config::ImageConfig;
use crate::digest::Sha256Digest;
use crate::document::{self, LayerSummary};
use crate::error::ExportError;
use crate::output::Output;
use crate::reference::Reference;
use crate::report::{LayerReport, Report};
use crate::{layer, plan};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use sx_derivation::StorePath;

/// One store path of a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is called in the image.
    pub path: StorePath,
    /// Where its file, directory or symbolic link lies.
    pub location: PathBuf,
}

/// An image to write.
#[derive(Clone, Debug)]
pub struct Export {
    /// The closure, each object once, what is most shared first: dependencies before what depends on them. The
    /// order is the layers' order, so it must not depend on anything but the closure.
    pub objects: Vec<Object>,
    /// What the image is called.
    pub reference: Reference,
    /// How a container of it starts.
    pub config: ImageConfig,
    /// How layers are packed.
    pub compression: Compression,
    /// What is written.
    pub format: Format,
}

/// How layers are packed; the image id is the same for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// What every client reads.
    #[default]
    Gzip,
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
}

impl Export {
    /// Writes the image to `destination`, replacing a file (or, for [`Format::Layout`], an empty folder).
    ///
    /// It comes there whole, durable, by a rename; on an error the destination is as it was before. Memory is
    /// bounded by the largest directory's names, whatever the files' sizes.
    pub fn write(mut self, destination: &Path) -> Result<Report, ExportError> {
        self.check()?;
        let failed = |error: std::io::Error| ExportError::write(destination, error);
        let media_type = match self.compression {
            Compression::Gzip => document::GZIP_LAYER_TYPE,
            Compression::None => document::LAYER_TYPE,
        };
        let mut output = Output::new(self.format, destination)?;
        let (mut descriptors, mut summaries, mut layers) = (Vec::new(), Vec::new(), Vec::new());
        for objects in plan::layers(std::mem::take(&mut self.objects)) {
            output.begin_blob().map_err(failed)?;
            let written = layer::write(&objects, self.compression, &mut output, destination)?;
            output.end_blob(written.digest, written.size_bytes).map_err(failed)?;
            let store_paths: Vec<_> = objects.iter().map(|object| object.path.to_string()).collect();
            descriptors.push(document::layer(media_type, written.digest, written.size_bytes));
            summaries.push(LayerSummary { diff_id: written.diff_id, store_paths: store_paths.join(" ") });
            layers.push(LayerReport {
                store_paths,
                digest: written.digest.to_string(),
                diff_id: written.diff_id.to_string(),
                size_bytes: written.size_bytes,
                unpacked_bytes: written.unpacked_bytes,
            });
        }
        let config = document::image(&self.config, &summaries);
        let manifest = document::manifest(&config, &descriptors);
        output.blob(&config).map_err(failed)?;
        output.blob(&manifest).map_err(failed)?;
        output.document("index.json", &document::index(&manifest, &self.reference)).map_err(failed)?;
        if self.format == Format::Archive {
            let docker = document::docker_manifest(&config, &descriptors, &self.reference);
            output.document("manifest.json", &docker).map_err(failed)?;
        }
        output.document("oci-layout", document::LAYOUT).map_err(failed)?;
        Ok(Report {
            reference: self.reference.to_string(),
            image_id: Sha256Digest::of(&config).to_string(),
            manifest_digest: Sha256Digest::of(&manifest).to_string(),
            layers,
            size_bytes: output.finish()?,
        })
    }

    fn check(&self) -> Result<(), ExportError> {
        self.config.check()?;
        if self.objects.is_empty() {
            return Err(ExportError::EmptyClosure);
        }
        let mut seen = BTreeSet::new();
        match self.objects.iter().find(|object| !seen.insert(&object.path)) {
            Some(object) => Err(ExportError::Duplicate { path: object.path.clone() }),
            None => Ok(()),
        }
    }
}

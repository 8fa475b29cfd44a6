//! Why an image can't be read.

use super::tar::TarError;
use crate::digest::Sha256Digest;
use crate::manifest::DocumentError;
use std::io;
use std::path::PathBuf;

/// Why an image is refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder here can't be read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Neither of the three forms.
    #[error("`{}` is no image: expected a folder in the OCI layout, an OCI archive or a docker archive", .0.display())]
    NoImage(PathBuf),
    /// The archive itself is broken.
    #[error("the archive `{}` is refused", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: TarError,
    },
    /// It isn't clear which one is meant.
    #[error("`{}` has {} images: {}; name one of them", path.display(), names.len(), names.join(", "))]
    Several {
        /// Where.
        path: PathBuf,
        /// What they are called, or their digests.
        names: Vec<String>,
    },
    /// None has that name.
    #[error("`{}` has no image `{name}`, but {}", path.display(), names.join(", "))]
    Unknown {
        /// Where.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        names: Vec<String>,
    },
    /// Something that another document names isn't there.
    #[error("`{name}` is missing from the image")]
    Missing {
        /// Its name in the layout or archive.
        name: String,
    },
    /// Longer than anything of its kind.
    #[error("`{name}` has more than {most} bytes")]
    Long {
        /// Its name in the layout or archive.
        name: String,
        /// What is allowed.
        most: u64,
    },
    /// Documents that are each short enough, but too many.
    #[error("the documents that `index.json` names have more than {most} bytes together")]
    Documents {
        /// What is allowed.
        most: u64,
    },
    /// Bytes that aren't what their name says.
    #[error("`{name}` has {found}; expected {expected}")]
    Mismatch {
        /// A digest or a name.
        name: String,
        /// Digest or length found.
        found: String,
        /// Digest or length expected.
        expected: String,
    },
    /// An index or manifest that is refused.
    #[error("the document `{name}` is refused")]
    Document {
        /// A digest or a name.
        name: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// A configuration or a docker manifest that is refused.
    #[error("the document `{name}` has not the form of {expected}")]
    Form {
        /// A digest or a name.
        name: String,
        /// What it should be.
        expected: &'static str,
        /// Why it isn't.
        #[source]
        source: serde_json::Error,
    },
    /// Layers and configuration don't belong together.
    #[error("the image has {layers} layers, but its configuration has the digests of {expected}")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        expected: usize,
    },
    /// The index promises another platform.
    #[error("the image is for {found}, but its index says {expected}")]
    Platform {
        /// In the configuration.
        found: String,
        /// In the index.
        expected: String,
    },
    /// An index without an image for here.
    #[error("the index {0} has no image for linux and amd64, or more than one")]
    NoPlatform(Sha256Digest),
    /// A layer's tar is broken, or could do harm.
    #[error("layer {number} is refused")]
    Layer {
        /// From 1, the lowest.
        number: usize,
        /// Why.
        #[source]
        source: TarError,
    },
}

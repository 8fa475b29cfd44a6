//! What can go wrong with a registry.

use std::io;
use std::path::PathBuf;
use sx_export::manifest::DocumentError;
use sx_export::{DigestError, ReferenceError, Sha256Digest};

/// Why an image could not be pushed or pulled.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nothing says where.
    #[error("`{0}` names no registry; expected HOST/NAME:TAG")]
    NoRegistry(String),
    /// The name breaks the rules.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The digest breaks the rules.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// No answer, or a broken one, after several attempts.
    #[error("cannot {action} at `{url}`")]
    Request {
        /// What was tried.
        action: &'static str,
        /// With whom.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The registry says no.
    #[error("cannot {action} at `{url}`: the registry answers {status}{}", message.as_ref().map(|text| format!(", {text}")).unwrap_or_default())]
    Status {
        /// What was tried.
        action: &'static str,
        /// With whom.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it says about it.
        message: Option<String>,
    },
    /// It wants a name and a password, or others.
    #[error("the registry `{registry}` refuses access{}", if *had_credentials { " with the credentials given" } else { " without credentials" })]
    Denied {
        /// The registry.
        registry: String,
        /// Whether there were some.
        had_credentials: bool,
    },
    /// An answer that the protocol doesn't have.
    #[error("`{url}` answers without {expected}")]
    Answer {
        /// Who answered.
        url: String,
        /// What is missing or too long.
        expected: &'static str,
    },
    /// The registry would send the credentials to someone in the clear, or the image elsewhere.
    #[error("the registry leads to `{url}`; expected an address with https")]
    Downgrade {
        /// Where to.
        url: String,
    },
    /// Bytes that aren't what their name says.
    #[error("`{url}` sends {found}; expected {expected}")]
    Mismatch {
        /// Who sent them.
        url: String,
        /// Digest or length found.
        found: String,
        /// Digest or length expected.
        expected: String,
    },
    /// An index or manifest that is refused.
    #[error("the image's document {digest} is refused")]
    Document {
        /// Its digest.
        digest: Sha256Digest,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// No image for this platform.
    #[error("the index {0} has no image for linux and amd64, or more than one")]
    NoPlatform(Sha256Digest),
    /// A bill of materials, a signature, something else.
    #[error("the manifest {0} is of no image, but of something that is attached to one")]
    NoImage(Sha256Digest),
    /// An index in an index.
    #[error("the index {0} leads to another index; expected an image")]
    Nested(Sha256Digest),
    /// A credential file or helper doesn't work.
    #[error("the credentials of `{source_name}` can't be used: {reason}")]
    Credentials {
        /// A file or program.
        source_name: String,
        /// Why.
        reason: String,
    },
    /// The host has no certificates, or unreadable ones.
    #[error("{0}")]
    Certificates(String),
    /// A file here can't be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The layout to push isn't one image.
    #[error("`{0}` is no OCI layout with one image")]
    Layout(PathBuf),
    /// Others write there all the time.
    #[error("the tag `{tag}` was written by others each time that this wrote it")]
    Contended {
        /// Which.
        tag: String,
    },
    /// The caller called it off.
    #[error("interrupted")]
    Interrupted,
}

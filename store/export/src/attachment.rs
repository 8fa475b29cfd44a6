//! What is attached to an image: documents about it, each in a manifest of its own that names the image as its subject
//! (image specification 1.1, "referrers").

use crate::bill::Bill;
use crate::digest::Sha256Digest;
use crate::document::{self, Descriptor};
use crate::provenance::{self, Packed};
use crate::reference::Reference;
use crate::{cyclonedx, spdx};
use std::collections::BTreeMap;

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// A bill of materials: CycloneDX 1.6.
    CycloneDx,
    /// A bill of materials: SPDX 2.3.
    Spdx,
    /// An in-toto statement of SLSA provenance.
    Provenance,
}

impl Document {
    /// The media type: of the document, and of what is attached.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
            Self::Provenance => sx_derivation::in_toto::MEDIA_TYPE,
        }
    }
}

impl Bill {
    /// The bill as a document, about the image called `reference`; a provenance is about one manifest, and isn't among them.
    pub fn document(&self, kind: Document, reference: &Reference) -> Option<Vec<u8>> {
        match kind {
            Document::CycloneDx => Some(cyclonedx::document(self, reference)),
            Document::Spdx => Some(spdx::document(self, reference)),
            Document::Provenance => None,
        }
    }
}

/// A document with the manifest that attaches it.
pub(crate) struct Attached {
    pub(crate) document: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
    /// What an index says of the manifest.
    pub(crate) descriptor: Descriptor,
}

/// Makes the document, and attaches it to the image with `manifest`.
pub(crate) fn attach(
    kind: Document,
    bill: &Bill,
    reference: &Reference,
    manifest: &[u8],
    packed: Packed,
) -> Attached {
    let digest = Sha256Digest::of(manifest);
    let document = bill
        .document(kind, reference)
        .unwrap_or_else(|| provenance::document(bill, reference, digest, packed));
    let mut blob = document::layer(kind.media_type(), Sha256Digest::of(&document), document.len() as u64);
    if kind == Document::Provenance {
        // By this clients choose among statements.
        let predicate = provenance::PREDICATE_TYPE.to_owned();
        blob.annotations = BTreeMap::from([("in-toto.io/predicate-type", predicate)]);
    }
    let annotations = blob.annotations.clone();
    let attached = document::artifact(kind.media_type(), blob, manifest);
    let mut descriptor =
        document::layer(document::MANIFEST_TYPE, Sha256Digest::of(&attached), attached.len() as u64);
    (descriptor.artifact_type, descriptor.annotations) = (Some(kind.media_type()), annotations);
    Attached { document, manifest: attached, descriptor }
}

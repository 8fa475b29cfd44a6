//! How an image came to be: an in-toto statement with a predicate of SLSA provenance v1
//! (<https://slsa.dev/spec/v1.0/provenance>).
//!
//! | field | value |
//! |---|---|
//! | `subject[0]` | the image's name, and its manifest's digest |
//! | `buildDefinition.buildType` | `urn:sx:image:v1` |
//! | `externalParameters` | the derivations that were asked for, layout, compression, level |
//! | `internalParameters` | how many derivations there are down to the seed |
//! | `resolvedDependencies` | the derivation graphs, each by the digest that is a hash of all below it; the seed, each source with its addresses and pinned hash, each text of the expression's tree |
//! | `runDetails.builder.id` | `urn:sx:realiser:v1`: anyone's, since everyone gets the same bytes |
//!
//! There is no time and no host in it: everyone who makes the image makes the same statement, and may sign it.

use crate::bill::{Bill, MaterialKind, Wanted};
use crate::digest::Sha256Digest;
use crate::document::json;
use crate::export::{Compression, Layout};
use crate::reference::Reference;
use serde::Serialize;
use std::collections::BTreeMap;
use sx_derivation::in_toto::STATEMENT_TYPE;

/// The statement's predicate, as its attachment says.
pub(crate) const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: [Resource; 1],
    predicate_type: &'static str,
    predicate: Predicate<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    build_definition: BuildDefinition<'a>,
    run_details: RunDetails,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition<'a> {
    build_type: &'static str,
    external_parameters: External<'a>,
    internal_parameters: Internal,
    resolved_dependencies: Vec<Resource>,
}

#[derive(Serialize)]
struct External<'a> {
    packages: &'a [Wanted],
    layout: &'static str,
    compression: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<i32>,
}

#[derive(Serialize)]
struct Internal {
    derivations: usize,
}

#[derive(Serialize)]
struct RunDetails {
    builder: Builder,
}

#[derive(Serialize)]
struct Builder {
    id: &'static str,
}

#[derive(Serialize)]
struct Resource {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    digest: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, Vec<String>>,
}

/// How the image was packed.
#[derive(Clone, Copy)]
pub(crate) struct Packed {
    pub(crate) layout: Layout,
    pub(crate) compression: Compression,
    pub(crate) level: Option<i32>,
}

/// The bytes of the statement about the image whose manifest has the digest `manifest`.
pub(crate) fn document(
    bill: &Bill,
    reference: &Reference,
    manifest: Sha256Digest,
    packed: Packed,
) -> Vec<u8> {
    let resource = |name: &str, algorithm, digest: &str| Resource {
        name: name.into(),
        uri: None,
        digest: BTreeMap::from([(algorithm, digest.to_owned())]),
        annotations: BTreeMap::new(),
    };
    let graphs = bill.wanted.iter().map(|wanted| Resource {
        uri: Some(wanted.derivation.text().into()),
        ..resource("derivation graph", "sxDerivationV1", wanted.derivation.digest())
    });
    let materials = bill.materials.iter().map(|material| {
        let kind = match material.kind {
            MaterialKind::Seed => "seed",
            MaterialKind::Source => "source",
            MaterialKind::Local => "text",
            MaterialKind::Patch => "patch",
        };
        let mut annotations = BTreeMap::from([("kind", vec![kind.to_owned()])]);
        let mut urls = material.urls.iter();
        let uri = urls.next().cloned();
        let others: Vec<String> = urls.cloned().collect();
        if !others.is_empty() {
            annotations.insert("otherAddresses", others);
        }
        Resource { uri, annotations, ..resource(&material.name, material.algorithm, &material.digest) }
    });
    json(&Statement {
        kind: STATEMENT_TYPE,
        subject: [resource(&reference.to_string(), "sha256", &manifest.digits())],
        predicate_type: PREDICATE_TYPE,
        predicate: Predicate {
            build_definition: BuildDefinition {
                build_type: "urn:sx:image:v1",
                external_parameters: External {
                    packages: &bill.wanted,
                    layout: match packed.layout {
                        Layout::Store => "store",
                        Layout::Root => "root",
                    },
                    compression: match packed.compression {
                        Compression::Gzip => "gzip",
                        Compression::Zstd => "zstd",
                        Compression::None => "none",
                    },
                    level: packed.level,
                },
                internal_parameters: Internal { derivations: bill.derivations },
                resolved_dependencies: graphs.chain(materials).collect(),
            },
            run_details: RunDetails { builder: Builder { id: "urn:sx:realiser:v1" } },
        },
    })
}

//! A bill of materials as SPDX 2.3, in JSON: <https://spdx.github.io/spdx-spec/v2.3/>.
//!
//! | what | where |
//! |---|---|
//! | the image | a package of purpose `CONTAINER`, which the document describes and which contains the objects |
//! | an object | a package |
//! | its source, its patches | packages of purpose `SOURCE`: `GENERATED_FROM`, `PATCH_FOR` |
//! | references | `DEPENDS_ON` |
//!
//! Fields stand in the order of the records here. The format wants a time, which is that of every other document here.

use crate::bill::{Bill, Component, Material, image_name};
use crate::document::{CREATED, json};
use crate::reference::Reference;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_namespace: Option<String>,
    creation_info: Creation,
    packages: Vec<Package>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct Creation {
    created: &'static str,
    creators: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_file_name: Option<String>,
    download_location: String,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalReference>,
    primary_package_purpose: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalReference {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

const NONE: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-image";

/// The bytes of the bill of the image called `reference`.
pub(crate) fn document(bill: &Bill, reference: &Reference) -> Vec<u8> {
    let (name, version) = image_name(reference);
    let mut packages = vec![Package {
        version_info: Some(version),
        primary_package_purpose: "CONTAINER",
        ..package(IMAGE.into(), name)
    }];
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE)];
    let mut materials = BTreeMap::new();
    for component in &bill.components {
        let id = id(component);
        relationships.push(relationship(IMAGE, "CONTAINS", &id));
        for path in &component.references {
            relationships.push(relationship(&id, "DEPENDS_ON", &format!("SPDXRef-object-{}", path.digest())));
        }
        for source in &component.sources {
            relationships.push(relationship(&id, "GENERATED_FROM", &material_id(source)));
            materials.insert(material_id(source), source);
        }
        for patch in &component.patches {
            relationships.push(relationship(&material_id(patch), "PATCH_FOR", &id));
            materials.insert(material_id(patch), patch);
        }
        packages.push(object(component, id));
    }
    packages.extend(materials.into_iter().map(|(id, material)| from_outside(material, id)));
    let mut document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: reference.to_string(),
        document_namespace: None,
        creation_info: Creation { created: CREATED, creators: ["Tool: sx"] },
        packages,
        relationships,
    };
    document.document_namespace = Some(format!("urn:uuid:{}", Bill::uuid(&json(&document))));
    json(&document)
}

fn package(id: String, name: String) -> Package {
    Package {
        id,
        name,
        version_info: None,
        package_file_name: None,
        download_location: NONE.into(),
        files_analyzed: false,
        checksums: Vec::new(),
        homepage: None,
        source_info: None,
        license_concluded: NONE,
        license_declared: NONE.into(),
        copyright_text: NONE,
        description: None,
        external_refs: Vec::new(),
        primary_package_purpose: "APPLICATION",
    }
}

fn object(component: &Component, id: String) -> Package {
    let meta = &component.meta;
    let cpe = meta.cpe.iter().map(|cpe| ExternalReference {
        reference_category: "SECURITY",
        reference_type: "cpe23Type",
        reference_locator: cpe.clone(),
    });
    let from = component.derivation.as_ref().map(|path| format!("realised from {}", path.text()));
    Package {
        version_info: component.version.clone(),
        package_file_name: Some(component.path.text().into()),
        download_location: location(component.sources.first()),
        homepage: meta.homepage.clone(),
        source_info: from,
        license_declared: meta.licence.clone().unwrap_or_else(|| NONE.into()),
        description: meta.description.clone(),
        external_refs: cpe.collect(),
        primary_package_purpose: if component.derivation.is_some() { "APPLICATION" } else { "FILE" },
        ..package(id, component.name.clone())
    }
}

fn from_outside(material: &Material, id: String) -> Package {
    let algorithm = match material.algorithm {
        "sha256" => Some("SHA256"),
        "sha512" => Some("SHA512"),
        "blake3" => Some("BLAKE3"),
        _ => None,
    };
    let checksum = algorithm.map(|algorithm| Checksum { algorithm, checksum_value: material.digest.clone() });
    let addresses = material.urls.join(" ");
    let digest = format!("{}:{}", material.algorithm, material.digest);
    Package {
        download_location: location(Some(material)),
        checksums: checksum.into_iter().collect(),
        source_info: Some(if addresses.is_empty() { digest } else { addresses }),
        primary_package_purpose: "SOURCE",
        ..package(id, material.name.clone())
    }
}

/// The first address that everyone's tools can follow.
fn location(material: Option<&Material>) -> String {
    let mut urls = material.into_iter().flat_map(|material| &material.urls);
    urls.find(|url| url.starts_with("https://") || url.starts_with("http://")).cloned().unwrap_or(NONE.into())
}

fn id(component: &Component) -> String {
    format!("SPDXRef-object-{}", component.path.digest())
}

fn material_id(material: &Material) -> String {
    format!("SPDXRef-{}-{}", material.algorithm, material.digest)
}

fn relationship(from: &str, kind: &'static str, to: &str) -> Relationship {
    Relationship { spdx_element_id: from.into(), relationship_type: kind, related_spdx_element: to.into() }
}

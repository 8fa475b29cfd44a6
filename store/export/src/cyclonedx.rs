//! A bill of materials as CycloneDX 1.6, in JSON: <https://cyclonedx.org/docs/1.6/json/>.
//!
//! | what | where |
//! |---|---|
//! | the image | `metadata.component` |
//! | an object | `components[]`, referred to by its store path |
//! | its source | `externalReferences[]` of type `source-distribution`, once for each address, with the hash |
//! | its patches | `pedigree.patches[]`, and with their hashes as properties `sx:patch` |
//! | references | `dependencies[]` |
//!
//! Fields stand in the order of the records here; nothing tells a time.

use crate::bill::{Bill, Component, Material, image_name};
use crate::document::json;
use crate::reference::Reference;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u8,
    metadata: Metadata,
    components: Vec<Entry<'a>>,
    dependencies: Vec<Dependency<'a>>,
}

#[derive(Serialize)]
struct Metadata {
    tools: Tools,
    component: Whole,
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Serialize)]
struct Tool {
    r#type: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Whole {
    bom_ref: &'static str,
    r#type: &'static str,
    name: String,
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(rename = "bom-ref")]
    bom_ref: &'a str,
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Licence<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pedigree: Option<Pedigree>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<Reference6<'a>>,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Licence<'a> {
    expression: &'a str,
}

#[derive(Serialize)]
struct Pedigree {
    patches: Vec<Patch>,
}

#[derive(Serialize)]
struct Patch {
    r#type: &'static str,
    diff: Diff,
}

#[derive(Serialize)]
struct Diff {
    url: String,
}

/// What the format calls an external reference.
#[derive(Serialize)]
struct Reference6<'a> {
    r#type: &'static str,
    url: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash<'a>>,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    r#ref: &'a str,
    depends_on: Vec<&'a str>,
}

/// What the image itself is referred to by.
const IMAGE: &str = "image";

/// The bytes of the bill of the image called `reference`.
pub(crate) fn document(bill: &Bill, reference: &Reference) -> Vec<u8> {
    let (name, version) = image_name(reference);
    let image = bill.wanted.iter().map(|wanted| wanted.content.text()).collect();
    let objects = bill.components.iter().map(|component| Dependency {
        r#ref: component.path.text(),
        depends_on: component.references.iter().map(|path| path.text()).collect(),
    });
    let mut document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: Metadata {
            tools: Tools { components: [Tool { r#type: "application", name: "sx" }] },
            component: Whole { bom_ref: IMAGE, r#type: "container", name, version },
        },
        components: bill.components.iter().map(entry).collect(),
        dependencies: [Dependency { r#ref: IMAGE, depends_on: image }].into_iter().chain(objects).collect(),
    };
    document.serial_number = Some(format!("urn:uuid:{}", Bill::uuid(&json(&document))));
    json(&document)
}

fn entry(component: &Component) -> Entry<'_> {
    let meta = &component.meta;
    let website = meta.homepage.iter().map(|url| Reference6 { r#type: "website", url, hashes: Vec::new() });
    let sources = component.sources.iter().flat_map(|source| {
        source.urls.iter().map(|url| Reference6 {
            r#type: "source-distribution",
            url,
            hashes: hash(source).into_iter().collect(),
        })
    });
    let property = |name, value: &str| Property { name, value: value.to_owned() };
    let digests = |name, materials: &[Material]| -> Vec<Property> {
        let value = |each: &Material| format!("{} {}:{}", each.name, each.algorithm, each.digest);
        materials.iter().map(|each| Property { name, value: value(each) }).collect()
    };
    let mut properties = vec![property("sx:storePath", component.path.text())];
    properties.extend(component.derivation.as_ref().map(|path| property("sx:derivation", path.text())));
    properties.extend(digests("sx:source", &component.sources));
    properties.extend(digests("sx:patch", &component.patches));
    let patches = component.patches.iter().map(|patch| Patch {
        r#type: "unofficial",
        diff: Diff { url: format!("urn:sx:{}:{}", patch.algorithm, patch.digest) },
    });
    let patches: Vec<_> = patches.collect();
    Entry {
        bom_ref: component.path.text(),
        r#type: if component.derivation.is_some() { "application" } else { "file" },
        name: &component.name,
        version: component.version.as_deref(),
        description: meta.description.as_deref(),
        licenses: meta.licence.iter().map(|expression| Licence { expression }).collect(),
        cpe: meta.cpe.as_deref(),
        pedigree: (!patches.is_empty()).then_some(Pedigree { patches }),
        external_references: website.chain(sources).collect(),
        properties,
    }
}

fn hash(material: &Material) -> Option<Hash<'_>> {
    let alg = match material.algorithm {
        "sha256" => "SHA-256",
        "sha512" => "SHA-512",
        "blake3" => "BLAKE3",
        _ => return None,
    };
    Some(Hash { alg, content: &material.digest })
}

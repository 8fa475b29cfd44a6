//! What is attached to an image: golden bytes, and that readers find it.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

mod store;

use serde_json::Value;
use std::fs;
use store::{Store, export};
use sx_derivation::{Digest, StorePath};
use sx_export::bill::{Bill, Component, Material, MaterialKind, Meta, StorePathText, Wanted};
use sx_export::read::{Image, LayerLimits};
use sx_export::{Document, Export, ExportError, Format};

fn path(name: &str) -> StorePathText {
    StorePathText::from(&StorePath::new(Digest::of(name.as_bytes()), name).unwrap())
}

fn bill() -> Bill {
    let material = |name: &str, urls: &[&str], kind| Material {
        name: name.into(),
        urls: urls.iter().map(|&url| url.into()).collect(),
        algorithm: if kind == MaterialKind::Source { "sha256" } else { "sxObjectV1" },
        digest: Digest::of(name.as_bytes()).to_hex(),
        kind,
    };
    let source = material(
        "zlib-1.3.1.tar.gz",
        &["https://zlib.example/zlib-1.3.1.tar.gz", "debian:zlib/zlib_1.3.1.orig.tar.gz"],
        MaterialKind::Source,
    );
    let patch = material("fix.patch", &[], MaterialKind::Patch);
    let library = Component {
        path: path("zlib-1.3.1"),
        derivation: Some(path("zlib-1.3.1.drv")),
        name: "zlib".into(),
        version: Some("1.3.1".into()),
        meta: Meta {
            description: Some("Compression library".into()),
            homepage: Some("https://zlib.example".into()),
            licence: Some("Zlib".into()),
            cpe: Some("cpe:2.3:a:zlib:zlib:1.3.1:*:*:*:*:*:*:*".into()),
            platforms: Vec::new(),
        },
        sources: vec![source.clone()],
        patches: vec![patch.clone()],
        references: Vec::new(),
    };
    let program = Component {
        path: path("program-1.0"),
        derivation: None,
        name: "program".into(),
        version: None,
        meta: Meta::default(),
        sources: Vec::new(),
        patches: Vec::new(),
        references: vec![library.path.clone()],
    };
    Bill {
        components: vec![program, library],
        wanted: vec![Wanted {
            derivation: path("program-1.0.drv"),
            output: "out".into(),
            content: path("program-1.0"),
        }],
        derivations: 7,
        materials: vec![material("seed.hex0", &[], MaterialKind::Seed), source, patch],
    }
}

fn image(store: &Store) -> Export {
    let object = store.object("program-1.0", |location| fs::write(location, "x").unwrap());
    let attached = [Document::CycloneDx, Document::Spdx, Document::Provenance].into();
    Export { bill: bill(), attached, ..export(vec![object]) }
}

/// A change here makes other documents of every image that anyone has signed.
#[test]
fn golden_documents() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let report = Export { format: Format::Layout, ..image(&store) }.write(&layout).unwrap();
    let read = |digest: &str| {
        let blob = fs::read_to_string(layout.join(digest.replace("sha256:", "blobs/sha256/"))).unwrap();
        serde_json::from_str::<Value>(&blob).unwrap();
        blob
    };
    let texts = report
        .attachments
        .iter()
        .flat_map(|attachment| [read(&attachment.digest), read(&attachment.document_digest)]);
    let shown = texts.collect::<Vec<_>>().join("\n");
    assert_eq!(shown, include_str!("attachments.golden").trim_end());
}

#[test]
fn readers_find_what_is_attached_and_the_image_is_the_same() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    let plain = Export { attached: Default::default(), ..image(&store) }.write(&file).unwrap();
    let report = image(&store).write(&file).unwrap();
    assert_eq!(report.manifest_digest, plain.manifest_digest);
    let image = Image::open(&file, None).unwrap();
    image.tree(&LayerLimits::default()).unwrap();
    let found: Vec<_> = image.attachments.iter().map(|attachment| &*attachment.artifact_type).collect();
    assert_eq!(
        found,
        ["application/vnd.cyclonedx+json", "application/spdx+json", "application/vnd.in-toto+json"]
    );
    let statement = image.attached(&image.attachments[2].blobs[0]).unwrap();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    let digest = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
    assert_eq!(Some(format!("sha256:{digest}")), plain.manifest_digest);
}

#[test]
fn what_has_no_place_for_it_refuses_it() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Docker, Format::Tree] {
        let error = Export { format, ..image(&store) }.write(&folder.path().join("x")).unwrap_err();
        assert!(matches!(error, ExportError::NothingAttached));
    }
}

//! What an export writes: golden bytes, and that they depend on the closure alone.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

mod store;

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use store::{Store, export};
use sx_export::{Compression, Export, Format, Object};

fn tiny(store: &Store) -> Vec<Object> {
    let library = store.object("library-1.0", |location| {
        fs::create_dir(location).unwrap();
        fs::create_dir(location.join("lib")).unwrap();
        fs::write(location.join("lib/liba.a"), b"a library").unwrap();
        fs::write(location.join("lib-notes"), b"sorts before `lib/` as a whole path").unwrap();
        symlink("lib/liba.a", location.join("link")).unwrap();
    });
    let program = store.object("program-1.0", |location| {
        fs::write(location, b"#!/bin/sh\n").unwrap();
        fs::set_permissions(location, PermissionsExt::from_mode(0o700)).unwrap();
    });
    vec![library, program]
}

fn written(export: Export) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    let report = export.write(&file).unwrap();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(report.size_bytes, bytes.len() as u64);
    bytes
}

/// A change here changes every image that anyone has signed.
#[test]
fn golden_archive() {
    let store = Store::new();
    let objects = tiny(&store);
    let plain = written(Export { compression: Compression::None, ..export(objects.clone()) });
    let gzip = written(export(objects));
    assert_eq!(
        [sha256(&gzip), sha256(&plain)],
        [
            "f48c93ef5d30c2495229398af9619d0e66568cdba7be40b23b1470bdb2c466a1",
            "afb7e633ae0b19625abff7b4b2d0530761baf14df3499dc5f82b9d09d8d948b4",
        ]
    );
}

#[test]
fn golden_documents() {
    let store = Store::new();
    let files = files(&written(export(tiny(&store))));
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let blob = |digest: &Value| &files[&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/"))];
    let manifest_bytes = blob(&index["manifests"][0]["digest"]);
    let manifest: Value = serde_json::from_slice(manifest_bytes).unwrap();
    let config = blob(&manifest["config"]["digest"]);
    let texts = [&files["index.json"], manifest_bytes, config, &files["manifest.json"], &files["oci-layout"]];
    let shown = texts.map(|text| String::from_utf8(text.clone()).unwrap()).join("\n");
    assert_eq!(shown, include_str!("documents.golden").trim_end());
}

#[test]
fn another_folder_order_and_time_give_the_same_bytes() {
    let first = Store::new();
    let second = Store::new();
    let many = |store: &Store, names: &mut dyn Iterator<Item = u32>| {
        store.object("many", |location| {
            fs::create_dir(location).unwrap();
            for name in names {
                fs::write(location.join(format!("{name:x}")), name.to_string()).unwrap();
            }
        })
    };
    let forward = many(&first, &mut (0..500));
    let backward = many(&second, &mut (0..500).rev());
    // What isn't content must not count: permissions beyond execution, links between files, times.
    fs::set_permissions(backward.location.join("0"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::remove_file(forward.location.join("1")).unwrap();
    fs::write(first.folder().join("linked"), "1").unwrap();
    fs::hard_link(first.folder().join("linked"), forward.location.join("1")).unwrap();
    let file = fs::File::options().write(true).open(backward.location.join("2")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(written(export(vec![forward])), written(export(vec![backward])));
}

#[test]
fn archive_and_layout_have_the_same_blobs_and_say_what_the_report_says() {
    let store = Store::new();
    let objects = tiny(&store);
    let archive = files(&written(export(objects.clone())));
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let report = Export { format: Format::Layout, ..export(objects) }.write(&layout).unwrap();
    let mut total = 0;
    for (name, bytes) in archive.iter().filter(|(name, _)| *name != "manifest.json") {
        assert_eq!(&fs::read(layout.join(name)).unwrap(), bytes, "{name}");
        if let Some(digits) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(sha256(bytes), digits);
        }
        total += bytes.len() as u64;
    }
    assert_eq!(report.size_bytes, total);
    assert_eq!(fs::read_dir(layout.join("blobs")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(layout.join("blobs/sha256")).unwrap().count(), 4);
    for layer in &report.layers {
        let blob = &archive[&layer.digest.replace("sha256:", "blobs/sha256/")];
        assert_eq!(layer.size_bytes, blob.len() as u64);
        let mut tar = vec![0; layer.unpacked_bytes as usize];
        libdeflater::Decompressor::new().gzip_decompress(blob, &mut tar).unwrap();
        assert_eq!(format!("sha256:{}", sha256(&tar)), layer.diff_id);
    }
}

#[test]
fn the_image_id_does_not_depend_on_compression() {
    let store = Store::new();
    let objects = tiny(&store);
    let folder = tempfile::tempdir().unwrap();
    let [gzip, plain] = [Compression::Gzip, Compression::None].map(|compression| {
        Export { compression, ..export(objects.clone()) }.write(&folder.path().join("image.tar")).unwrap()
    });
    assert_eq!(gzip.image_id, plain.image_id);
    assert_ne!(gzip.manifest_digest, plain.manifest_digest);
}

#[test]
fn an_object_has_the_same_layer_in_every_image() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    let write = |objects| export(objects).write(&folder.path().join("image.tar")).unwrap();
    let both = write(tiny(&store));
    let alone = write(vec![tiny(&Store::new()).remove(1)]);
    assert_eq!(both.layers[1], alone.layers[0]);
}

#[test]
fn above_the_cap_layers_are_shared_and_every_object_is_in_one() {
    let store = Store::new();
    let name = |at: usize| format!("object{at}");
    let objects: Vec<_> = (0..103)
        .map(|at| store.object(&name(at), |location| fs::write(location, name(at)).unwrap()))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let report = export(objects.clone()).write(&folder.path().join("image.tar")).unwrap();
    assert!(report.layers.len() <= sx_export::plan::MAX_LAYERS);
    let mut found: Vec<_> = report.layers.iter().flat_map(|layer| layer.store_paths.clone()).collect();
    found.sort();
    let mut expected: Vec<_> = objects.iter().map(|object| object.path.to_string()).collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// The files of an archive by name; no entry may be there twice.
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if entry.header().entry_type().is_file() {
            assert!(files.insert(name, bytes).is_none());
        }
    }
    files
}

#[test]
fn a_closure_of_the_store_is_all_that_is_in_the_image() {
    let store = Store::new();
    let objects = tiny(&store);
    let files = files(&written(Export { compression: Compression::None, ..export(objects.clone()) }));
    let mut names = Vec::new();
    for blob in files.iter().filter(|(name, bytes)| name.starts_with("blobs/") && !bytes.starts_with(b"{")) {
        for entry in tar::Archive::new(&blob.1[..]).entries().unwrap() {
            names.push(entry.unwrap().path().unwrap().to_str().unwrap().to_owned());
        }
    }
    names.sort();
    names.dedup();
    let [library, program] = [0, 1].map(|at: usize| objects[at].path.to_string()[1..].to_owned());
    let mut expected = vec!["sx/".into(), "sx/store/".into(), format!("{library}/"), program];
    expected.extend(["/lib-notes", "/lib/", "/lib/liba.a", "/link"].map(|name| format!("{library}{name}")));
    expected.sort();
    assert_eq!(names, expected);
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Where an image has what, and what is kept from export to export.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

mod store;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::num::NonZeroUsize;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use store::{Store, export};
use sx_export::{
    Compression, Export, ExportError, FileKind, Format, ImageConfig, ImageFile, Layout, Object, Report, Root,
};

/// A package with one program, called like it, and a library.
fn package(store: &Store, name: &str) -> Object {
    store.object(&format!("{name}-1.0"), |location| {
        for folder in ["", "bin", "lib"] {
            fs::create_dir(location.join(folder)).unwrap();
        }
        let program = location.join("bin").join(name);
        fs::write(&program, name).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(location.join(format!("lib/lib{name}.a")), name).unwrap();
    })
}

fn image(objects: &[Object]) -> Export {
    let roots = objects.iter().map(|object| Root::new(object.path.clone())).collect();
    Export { roots, config: ImageConfig::default(), ..export(objects.to_vec()) }
}

fn file(path: &str, kind: FileKind) -> ImageFile {
    ImageFile { path: path.into(), kind, mode: None, uid: 0, gid: 0 }
}

fn text(path: &str, text: &str) -> ImageFile {
    file(path, FileKind::Text(text.into()))
}

/// Mode, owner, and content or target of every entry of the plain tar.
fn tree(export: Export) -> BTreeMap<String, (u32, u64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tree.tar");
    let export = Export { format: Format::Tree, compression: Compression::None, ..export };
    let report = export.write(&path).unwrap();
    assert_eq!(report.image_id, None);
    let mut entries = BTreeMap::new();
    for entry in tar::Archive::new(fs::File::open(path).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let header = entry.header().clone();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        if let Some(target) = entry.link_name().unwrap() {
            content = target.to_str().unwrap().to_owned();
        }
        let value = (header.mode().unwrap(), header.uid().unwrap(), content);
        assert!(entries.insert(name.clone(), value).is_none(), "{name} is twice in the tar");
    }
    entries
}

fn refused(export: Export) -> ExportError {
    let folder = tempfile::tempdir().unwrap();
    let error = export.write(&folder.path().join("image.tar")).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    error
}

fn written(export: Export, folder: &Path) -> (Report, Vec<u8>) {
    let path = folder.join("image.tar");
    let report = export.write(&path).unwrap();
    (report, fs::read(path).unwrap())
}

#[test]
fn programs_of_roots_are_linked_and_those_of_others_are_not() {
    let store = Store::new();
    let objects = [package(&store, "library"), package(&store, "program")];
    let mut export = image(&objects);
    export.roots.remove(0);
    let entries = tree(export);
    let program = objects[1].path.to_string();
    assert_eq!(entries["bin/program"], (0o777, 0, format!("{program}/bin/program")));
    assert!(!entries.contains_key("bin/library"));
    assert_eq!(entries[&format!("{}/", &program[1..])].0, 0o555);
}

#[test]
fn a_merged_root_has_the_files_themselves() {
    let store = Store::new();
    let single = store.object("tool-2.1", |location| fs::write(location, "tool").unwrap());
    let objects = [package(&store, "one"), package(&store, "two"), single];
    let entries = tree(Export { layout: Layout::Root, ..image(&objects) });
    let names: Vec<_> = entries.keys().map(String::as_str).collect();
    let expected = ["bin/", "bin/one", "bin/tool", "bin/two", "lib/", "lib/libone.a", "lib/libtwo.a"];
    assert_eq!(names, expected);
    assert_eq!(entries["bin/one"], (0o755, 0, "one".into()));
    assert_eq!(entries["lib/libone.a"].0, 0o644);
}

#[test]
fn a_merged_root_s_texts_speak_of_it() {
    let store = Store::new();
    let objects =
        [package(&store, "one"), store.object("two-1", |location| fs::write(location, "").unwrap())];
    let [one, two] = [0, 1].map(|at: usize| objects[at].path.to_string());
    let mut export = Export { layout: Layout::Root, ..image(&objects) };
    export.config.entrypoint = vec![format!("{one}/bin/one"), two.clone(), one.clone()];
    export.files = vec![text("/etc/where", &format!("{one}/lib:{two}"))];
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = written(export.clone(), folder.path());
    let shown = String::from_utf8_lossy(&bytes);
    assert!(shown.contains(r#""Entrypoint":["/bin/one","/bin/two","/"]"#), "{shown}");
    assert_eq!(tree(export)["etc/where"].2, "/lib:/bin/two");
}

#[test]
fn what_refers_to_the_store_can_t_be_merged_into_a_root() {
    let store = Store::new();
    let mut object = package(&store, "one");
    object.references.insert(object.path.clone());
    let error = refused(Export { layout: Layout::Root, ..image(&[object]) });
    assert!(matches!(&error, ExportError::StoreReference { reference, .. } if reference.contains("one-1.0")));
    let object = package(&store, "two");
    let mut export = Export { layout: Layout::Root, ..image(std::slice::from_ref(&object)) };
    let elsewhere = object.path.to_string().replace("two", "three");
    export.config.env = [("A".into(), format!("a:{elsewhere}/lib:b"))].into();
    let error = refused(export).to_string();
    assert!(error.contains("`A` refers to") && error.contains(&format!("`{elsewhere}`")), "{error}");
}

#[test]
fn two_programs_of_one_name_are_a_conflict_that_names_both() {
    for layout in [Layout::Store, Layout::Root] {
        let store = Store::new();
        let other = store.object("other-1.0", |location| {
            fs::create_dir_all(location.join("bin")).unwrap();
            symlink("x", location.join("bin/one")).unwrap();
        });
        let one = package(&store, "one");
        let error = refused(Export { layout, ..image(&[one.clone(), other.clone()]) }).to_string();
        for expected in ["`/bin/one`", &format!("`{}`", one.path), &format!("`{}`", other.path)] {
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn given_files_stand_beside_packages_and_replace_nothing() {
    let store = Store::new();
    let one = package(&store, "one");
    let base = Export { layout: Layout::Root, ..image(&[one]) };
    let home = ImageFile { mode: Some(0o700), uid: 1000, ..file("/home/web", FileKind::Directory) };
    let link = file("/bin/sh", FileKind::Link("one".into()));
    let files = vec![text("/home/web/a", "x"), home, link, text("/etc/motd", "hi")];
    let entries = tree(Export { files, ..base.clone() });
    assert_eq!(entries["home/web/"].1, 1000);
    assert_eq!(entries["home/web/"].0, 0o700);
    assert_eq!(entries["bin/sh"].2, "one");
    assert_eq!(entries["etc/motd"], (0o644, 0, "hi".into()));
    let error = refused(Export { files: vec![text("/bin/one", "")], ..base.clone() }).to_string();
    assert!(error.contains("`/bin/one`") && error.contains("`files`"), "{error}");
    let below = refused(Export { files: vec![text("/bin/one/x", "")], ..base.clone() });
    assert!(matches!(below, ExportError::Conflict { .. }));
    for path in ["bin/x", "/", "/a/../b", "/a//b", "/a/", "/sx/store/x", "/a\0b"] {
        let error = refused(Export { files: vec![text(path, "")], ..base.clone() });
        assert!(matches!(error, ExportError::BadFile { .. }), "{path:?}: {error}");
    }
}

#[test]
fn a_copied_file_that_speaks_of_the_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let export = |content: &str| {
        fs::write(&source, content).unwrap();
        let files = vec![file("/a", FileKind::Copy(source.clone()))];
        Export { objects: vec![], roots: vec![], files, ..image(&[]) }
    };
    assert_eq!(tree(export("plain"))["a"].2, "plain");
    assert!(matches!(refused(export("see /sx/store/x")), ExportError::StoreReference { .. }));
}

#[test]
fn a_docker_archive_alone_has_no_oci_files() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    let export = Export { format: Format::Docker, ..image(&[package(&store, "one")]) };
    let (report, bytes) = written(export.clone(), folder.path());
    let names: Vec<_> = tar::Archive::new(&bytes[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_str().unwrap().to_owned())
        .collect();
    let digits = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let layers = report.layers.iter().map(|layer| digits(&layer.digest) + ".tar");
    let documents = [digits(&report.image_id.unwrap()) + ".json", "manifest.json".into()];
    assert_eq!(names, layers.chain(documents).collect::<Vec<_>>());
    let error = refused(Export { compression: Compression::Zstd, ..export });
    assert!(matches!(error, ExportError::DockerZstd));
}

#[test]
fn threads_and_kept_layers_change_no_byte() {
    let store = Store::new();
    let large = store.object("large", |location| {
        let content: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        fs::write(location, content).unwrap();
    });
    let objects = [large, package(&store, "one")];
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let base = Export { compression, ..image(&objects) };
        let first = written(base.clone(), folder.path());
        let threads = NonZeroUsize::new(5).unwrap();
        assert!(written(Export { threads, ..base.clone() }, folder.path()) == first);
        let kept = Export { cache: Some(cache.path().into()), ..base };
        assert!(written(kept.clone(), folder.path()) == first);
        assert!(written(kept, folder.path()) == first);
    }
}

#[test]
fn a_kept_layer_is_used_if_it_is_whole_and_made_again_if_not() {
    let store = Store::new();
    let object = package(&store, "one");
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let kept = || Export { cache: Some(cache.path().into()), ..image(std::slice::from_ref(&object)) };
    let first = written(kept(), folder.path());
    let mut kept_files = fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path());
    let blob = kept_files.find(|path| path.extension().unwrap() == "layer").unwrap();
    // If it is used, the object isn't read: so much that this change, which can't be in a store, goes unseen.
    fs::write(object.location.join("lib/libone.a"), "changed").unwrap();
    assert!(written(kept(), folder.path()) == first);
    fs::write(object.location.join("lib/libone.a"), "one").unwrap();
    let whole = fs::read(&blob).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&whole[..whole.len() - 1], &[], &[&whole[..], b"x"].concat(), &flipped] {
        fs::write(&blob, damaged).unwrap();
        assert!(written(kept(), folder.path()) == first);
        assert!(fs::read(&blob).unwrap() == whole);
    }
    for entry in fs::read_dir(cache.path()).unwrap() {
        let path = entry.unwrap().path();
        if path != blob {
            fs::write(path, "{").unwrap();
        }
    }
    assert!(written(kept(), folder.path()) == first);
    fs::remove_file(&blob).unwrap();
    assert!(written(kept(), folder.path()) == first);
}

//! What can't become an image is refused by name, and nothing is left behind.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

mod store;

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use store::{Store, export};
use sx_export::{Export, ExportError, Format, Object, Proof};

/// The error of exporting `object` in each format; the folder must stay as it was.
fn refused(object: Object) -> ExportError {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    fs::write(&file, "before").unwrap();
    let layout = Export { format: Format::Layout, ..export(vec![object.clone()]) };
    layout.write(&folder.path().join("layout")).unwrap_err();
    let error = export(vec![object]).write(&file).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read(&file).unwrap(), b"before");
    error
}

fn folder_with(store: &Store, make: impl FnOnce(&Path)) -> Object {
    store.object("object", |location| {
        fs::create_dir(location).unwrap();
        make(&location.join("entry"));
    })
}

#[test]
fn what_cannot_be_proved_is_not_exported() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    let object = folder_with(&store, |path| fs::write(path, "text").unwrap());
    for format in [Format::Archive, Format::Layout, Format::Docker, Format::Tree] {
        let path = object.path.clone();
        let image = Export { format, ..export(vec![object.clone()]) };
        let prove: &Proof<'_> = &|asked| {
            assert_eq!(*asked, path);
            Err("on purpose".into())
        };
        let error = image.write_proved(&folder.path().join("image"), prove).unwrap_err();
        assert_eq!(error.to_string(), "on purpose");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_fifo_a_socket_and_a_device_are_refused_by_name() {
    let store = Store::new();
    let fifo = folder_with(&store, |path| {
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    });
    let text = refused(fifo.clone()).to_string();
    assert!(
        text.contains("a FIFO") && text.contains(&*fifo.location.join("entry").to_string_lossy()),
        "{text}"
    );
    // A socket's whole path is short or refused, so it stands beside.
    let store = Store::new();
    let socket = store.object("s", |_| ());
    let location = store.folder().join("s");
    drop(UnixListener::bind(&location).unwrap());
    assert!(matches!(
        refused(Object { location, ..socket.clone() }),
        ExportError::BadKind { kind: "socket", .. }
    ));
    let device = refused(Object { location: "/dev/null".into(), ..socket });
    assert!(matches!(device, ExportError::BadKind { kind: "character device", .. }));
}

#[test]
fn a_missing_object_is_named_with_its_location() {
    let store = Store::new();
    let object = store.object("gone", |_| ());
    let text = refused(object.clone()).to_string();
    assert!(text.contains(&object.path.to_string()) && text.contains("missing"), "{text}");
    let elsewhere = Object { location: "/nowhere/at/all".into(), ..object };
    assert!(matches!(refused(elsewhere), ExportError::MissingObject { .. }));
}

#[test]
fn an_empty_closure_and_a_repeated_object_are_refused() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    assert!(matches!(export(vec![]).write(&file), Err(ExportError::EmptyClosure)));
    let object = store.object("twice", |location| fs::write(location, "x").unwrap());
    let error = export(vec![object.clone(), object.clone()]).write(&file).unwrap_err();
    assert!(error.to_string().contains(&object.path.to_string()));
    assert!(!file.exists());
}

#[test]
fn deep_nesting_is_refused_before_descriptors_run_out() {
    let store = Store::new();
    let object = folder_with(&store, |path| {
        let deep = path.join("d/".repeat(300));
        fs::create_dir_all(deep).unwrap();
    });
    assert!(matches!(refused(object), ExportError::TooDeep { .. }));
}

#[test]
fn a_link_is_exported_as_a_link_and_never_followed() {
    let store = Store::new();
    let object = store.object("link", |location| symlink("/dev/zero", location).unwrap());
    let folder = tempfile::tempdir().unwrap();
    export(vec![object]).write(&folder.path().join("image.tar")).unwrap();
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_is_written() {
    let store = Store::new();
    let object = store.object("x", |location| fs::write(location, "x").unwrap());
    let mut export = export(vec![object]);
    export.config.working_dir = Some("relative".into());
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(export.write(&folder.path().join("image.tar")), Err(ExportError::Config(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_destination_that_is_no_file_is_left_alone() {
    let store = Store::new();
    let object = store.object("x", |location| fs::write(location, "x").unwrap());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "mine").unwrap();
    for destination in [folder.path(), Path::new("/dev/null")] {
        let error = export(vec![object.clone()]).write(destination).unwrap_err();
        assert!(matches!(error, ExportError::Occupied { .. }), "{error}");
    }
    let layout = Export { format: Format::Layout, ..export(vec![object.clone()]) };
    assert!(matches!(layout.write(folder.path()), Err(ExportError::Occupied { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = export(vec![object]).write(&folder.path().join("no/such/folder.tar")).unwrap_err();
    assert!(matches!(error, ExportError::Write { .. }) && error.source().is_some());
}

#[test]
fn an_existing_archive_is_replaced_also_through_a_link() {
    let store = Store::new();
    let object = store.object("x", |location| fs::write(location, "x").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("image.tar"), folder.path().join("link.tar"));
    fs::write(&file, "before").unwrap();
    symlink("image.tar", &link).unwrap();
    let report = export(vec![object]).write(&link).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().len(), report.size_bytes);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

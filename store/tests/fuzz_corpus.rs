//! What fuzzing begins with: an archive and a stream of our own, cut at every place and with changed bytes, go through their targets.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use sx_store::Store;

fn tree(folder: &Path) {
    std::fs::create_dir_all(folder.join("folder/inner")).unwrap();
    std::fs::write(folder.join("folder/file"), "some bytes").unwrap();
    symlink("folder/file", folder.join("link")).unwrap();
}

/// Calls `run` with the bytes cut at every place, and with each byte changed in some ways.
fn vary(bytes: &[u8], step: usize, run: fn(&[u8])) {
    for place in (0..bytes.len()).step_by(step) {
        run(&bytes[..place]);
        for change in [1, 0x80] {
            let mut changed = bytes.to_vec();
            changed[place] ^= change;
            run(&changed);
        }
    }
    // Last: what is in a store already isn't looked at closely.
    run(bytes);
}

#[test]
fn no_changed_archive_makes_it_panic() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let mut bytes = Vec::new();
    sx_store::archive::dump(folder.path(), &mut bytes).unwrap();
    vary(&bytes, 1, targets::archive);
}

#[test]
fn no_changed_stream_makes_it_panic_or_believe() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sx")).unwrap();
    let source = folder.path().join("source");
    tree(&source);
    let first = store.add_source(&source, "tree", None).unwrap();
    let text = format!("see {first}");
    let second = store.add_text("text", text.as_bytes(), BTreeSet::from([first])).unwrap();
    let mut bytes = Vec::new();
    store.export_closure(&[second], &mut bytes, &|_| {}).unwrap();
    vary(&bytes, 7, targets::stream);
    sx_store::object::remove(&folder.path().join("sx")).unwrap();
}

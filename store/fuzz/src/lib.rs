//! What all targets and the replay share.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use sx_store::Store;
use sx_store::archive::{Input, Nothing, dump, read, restore};
use sx_store::transfer::Realisations;
use sx_store::verify::Depth;

/// An archive. One that is accepted is the only one of its tree.
pub fn archive(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if read(&mut input, &mut Nothing).is_err() {
        return;
    }
    let length = usize::try_from(input.offset()).expect("it is in memory");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let place = folder.path().join("tree");
    restore(&mut Input::new(bytes), &place).expect("what is an archive can be restored");
    let mut again = Vec::new();
    dump(&place, &mut again).expect("what was restored can be dumped");
    assert!(again == bytes[..length], "two archives of one tree");
}

/// A stream, whose objects are what their paths say if they are taken.
pub fn stream(bytes: &[u8]) {
    static STORE: OnceLock<(tempfile::TempDir, Store)> = OnceLock::new();
    let (_, store) = STORE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let store = Store::open(&folder.path().join("sx")).expect("a store can be made");
        (folder, store)
    });
    let goes_on = AtomicBool::new(false);
    let before = store.database().paths().expect("the store can be read").len();
    let _ = store.import_closure(bytes, Realisations::Trusted, &goes_on, &|_| {});
    if store.database().paths().expect("the store can be read").len() > before {
        let found = store.verify(Depth::Contents, 1, &goes_on).expect("the store can be read");
        assert!(found.damage.is_empty(), "{:?}", found.damage);
    }
}

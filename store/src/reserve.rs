//! Room that is kept for a collector, or on a full disk nothing could be deleted: SQLite writes before it forgets.
//!
//! `FOLDER/reserved` has blocks of the disk and nothing in them. It is made with the store, given up by a collector that finds no
//! room, and made again when that is done. Where there is no room for it, there is none.

use rustix::fs::FallocateFlags;
use std::fs::File;
use std::path::Path;

/// Enough for the database's shared memory and for deleting some hundred of its rows at a time.
const RESERVED_BYTES: u64 = 512 << 10;

/// Makes it in the store's `folder`, if it isn't there.
pub(crate) fn make(folder: &Path) {
    let place = folder.join("reserved");
    let Ok(file) = File::create_new(&place) else { return };
    if rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVED_BYTES).is_err() {
        // Whoever needs it finds out.
        let _ = std::fs::remove_file(&place);
    }
}

/// Gives it up, if it is there. Tells whether it was.
pub(crate) fn give_up(folder: &Path) -> bool {
    std::fs::remove_file(folder.join("reserved")).is_ok()
}

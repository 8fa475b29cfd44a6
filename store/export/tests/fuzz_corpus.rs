//! What fuzzing found, and where it began: every text of `fuzz/corpus/` goes through its target, and so do tars of our own
//! with changed bytes.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::io::Write;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus can be read") {
        let bytes = std::fs::read(entry.expect("the corpus can be read").path());
        let bytes = bytes.expect("the corpus can be read");
        run(&bytes);
        for place in 0..bytes.len() {
            run(&bytes[..place]);
        }
        count += 1;
    }
    assert!(count > 0, "{target} has no corpus");
}

#[test]
fn no_text_of_the_corpus_makes_it_panic() {
    replay("document", targets::document);
    replay("reference", targets::reference);
}

#[test]
fn no_changed_tar_makes_it_panic() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    let name = format!("{}/x", "long/".repeat(60));
    builder.append_data(&mut header, "a/b", &b"bytes"[..]).expect("memory has room");
    builder.append_data(&mut header, name, &b"bytes"[..]).expect("memory has room");
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Symlink);
    builder.append_link(&mut header, "link", "a/b").expect("memory has room");
    let tar = builder.into_inner().expect("memory has room");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&tar).expect("memory has room");
    let zstd = zstd::bulk::compress(&tar, 3).expect("memory has room");
    for bytes in [tar, gzip.finish().expect("memory has room"), zstd] {
        for place in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[place] ^= change;
                targets::layer(&changed);
            }
            targets::layer(&bytes[..place]);
            if place % 16 == 0 {
                targets::archive(&bytes[..place]);
            }
        }
    }
}

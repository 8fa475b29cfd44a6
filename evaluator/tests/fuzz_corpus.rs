//! What fuzzing found, and where it began: every text of `fuzz/corpus/` goes through its target.
#![expect(clippy::disallowed_methods, reason = "the test reads its corpus")]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus can be read") {
        let path = entry.expect("the corpus can be read").path();
        run(&std::fs::read(path).expect("the corpus can be read"));
        count += 1;
    }
    assert!(count > 0, "{target} has no corpus");
}

#[test]
fn no_text_of_the_corpus_makes_it_panic() {
    replay("expression", targets::expression);
    // A file with this in it would be a binary one.
    targets::expression(b"1\0");
    replay("json", |bytes| targets::call("fromJSON", &[bytes]));
    replay("toml", |bytes| targets::call("fromTOML", &[bytes]));
    replay("regex", |bytes| {
        let (pattern, text) = bytes.split_at(bytes.len() / 2);
        targets::call("match", &[pattern, text]);
        targets::call("split", &[pattern, text]);
    });
}

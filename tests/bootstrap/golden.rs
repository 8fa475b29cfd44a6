//! `bootstrap/golden` names every step's output by length, BLAKE3 and SHA-256.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::chain::{Chain, read, source_text};
use crate::harness::Test;

/// The steps in the order of the file.
const STEPS: [&str; 8] = ["seed", "hex0", "hexm", "c0", "cc", "tcc0", "tcc1", "tcc2"];

/// Returns the test of the golden digests.
pub fn tests() -> Vec<Test> {
    vec![Test {
        name: "bootstrap: every step's output has the golden digests",
        requires: &[],
        run: outputs_have_the_golden_digests,
    }]
}

fn outputs_have_the_golden_digests() -> Result<(), String> {
    let chain = Chain::whole()?;
    let mut found = String::new();
    for step in STEPS {
        let bytes = read(chain.at(step))?;
        let (blake3, sha256) = (blake3::hash(&bytes).to_hex(), Sha256::digest(&bytes));
        writeln!(found, "{step} {} blake3-{blake3} sha256-{sha256:x}", bytes.len())
            .map_err(|error| error.to_string())?;
    }
    let golden = source_text("golden")?;
    let expected: Vec<&str> = golden.lines().filter(|line| !line.starts_with('#')).collect();
    let found: Vec<&str> = found.lines().collect();
    if expected == found {
        return Ok(());
    }
    Err(format!("bootstrap/golden says\n{}\nthe steps gave\n{}", expected.join("\n"), found.join("\n")))
}

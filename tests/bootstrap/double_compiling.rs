//! TinyCC is a fixed point, and the same one whichever compiler it came from (diverse double-compiling,
//! after D. A. Wheeler): what a trap in one of the compilers, or a mistake in ours, would have to survive.

use super::chain::{Chain, same};
use crate::harness::Test;

/// Returns the tests of the fixed point.
pub fn tests() -> Vec<Test> {
    vec![
        Test { name: "bootstrap: tcc2, made by tcc1, is tcc1", requires: &[], run: tcc1_is_a_fixed_point },
        Test {
            name: "bootstrap: tcc1 is the same when gcc built its compiler",
            requires: &["gcc"],
            run: || through("gcc", &["-O1"]),
        },
        Test {
            name: "bootstrap: tcc1 is the same when clang built its compiler",
            requires: &["clang"],
            run: || through("clang", &["-O1"]),
        },
        Test {
            name: "bootstrap: tcc1 is the same when a packaged tcc built its compiler",
            requires: &["tcc"],
            run: || through("tcc", &[]),
        },
    ]
}

fn tcc1_is_a_fixed_point() -> Result<(), String> {
    let chain = Chain::whole()?;
    same(&chain.at("tcc1"), &chain.at("tcc2"))
}

fn through(compiler: &str, flags: &[&str]) -> Result<(), String> {
    let chain = Chain::whole()?;
    chain.tcc_by_host(compiler, flags, "tcc0_by_host")?;
    chain.tcc("tcc0_by_host", "tcc1_by_host")?;
    same(&chain.at("tcc1"), &chain.at("tcc1_by_host"))
}

//! The bootstrap's own steps, run directly: from the seed to TinyCC's fixed point, without sandbox and store.
//!
//! What each step makes is compared with something that was made another way: by an assembler written
//! here, by the host's compilers, by itself, by the golden digests. A chain that only agrees with
//! itself proves little: a compiler without floating point once gave a stable, wrong TinyCC.

mod assembler;
mod chain;
mod climb;
mod double_compiling;
mod flipped_seed;
mod golden;
mod hello;
mod names;
mod refusals;
mod steps;

use crate::harness::Test;

/// Returns the bootstrap's tests, the cheapest first.
pub fn tests() -> Vec<Test> {
    let groups = [
        assembler::tests(),
        names::tests(),
        steps::tests(),
        refusals::tests(),
        golden::tests(),
        double_compiling::tests(),
        hello::tests(),
        flipped_seed::tests(),
        climb::tests(),
    ];
    groups.into_iter().flatten().collect()
}

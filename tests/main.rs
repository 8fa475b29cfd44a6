//! End to end: the command, the bootstrap, real container tools, the house's own rules.
//!
//! One binary with its own runner, because some tests need programs that aren't everywhere: what could not run is listed
//! by name at the end, and with `SX_TESTS_REQUIRE_PROGRAMS=1`, as in CI, it fails instead.

mod harness;
mod terminal;

mod attributes;
mod bootstrap;
mod check;
mod command;
mod containers;
mod evaluation;
mod go;
mod graph;
mod house;
mod images;
mod language;
mod registry;
mod repl;
mod reproducibility;
mod rust;
mod sandbox;
mod seeds;
mod signing;
mod stdenv;
mod store;
mod tools;
mod transfer;

fn main() -> std::process::ExitCode {
    let tests = [
        attributes::tests(),
        bootstrap::tests(),
        check::tests(),
        command::tests(),
        containers::tests(),
        evaluation::tests(),
        go::tests(),
        graph::tests(),
        house::tests(),
        images::tests(),
        language::tests(),
        registry::tests(),
        repl::tests(),
        reproducibility::tests(),
        rust::tests(),
        sandbox::tests(),
        seeds::tests(),
        signing::tests(),
        stdenv::tests(),
        store::tests(),
        tools::tests(),
        transfer::tests(),
    ];
    harness::run(tests.into_iter().flatten().collect())
}

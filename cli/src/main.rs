//! The `sx` command: the only place that prints, and that reads the environment, the home folder and the clock.
//!
//! One file for each verb under [`command`]; [`evaluation`] is the way from what the user typed to derivations.

mod bill;
mod builtins;
mod cargo;
mod command;
mod configuration;
mod embedded;
mod evaluation;
mod failure;
mod flake;
mod host;
mod image;
mod memory;
mod progress;
mod registry;
mod relied;
mod session;
mod signing;
mod substitution;
mod surroundings;
mod temporary;
mod terminal;
mod transfer;

use clap::Parser;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    let done = command::run(arguments);
    sx_store::sandbox::end();
    match done {
        Ok(code) => code,
        Err(failure) => {
            // With nobody to read, there is nobody to tell.
            let _ = write!(std::io::stderr(), "{}", failure.render(has_colour()));
            ExitCode::from(failure.code())
        }
    }
}

/// Whether errors are coloured: on a terminal, unless `NO_COLOR` is set.
fn has_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

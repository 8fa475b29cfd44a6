//! `sx store`

mod copy;
mod dump;
mod export;
mod import;
mod report;
mod restore;
mod verify;

use super::General;
use crate::failure::Failure;
use crate::session::Session;
use clap::{Args, Subcommand};

/// Look after the store, and bring objects from one store to another
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    Verify(Box<verify::Arguments>),
    Dump(dump::Arguments),
    Restore(restore::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Copy(copy::Arguments),
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.part {
        Part::Verify(arguments) => verify::run(general, arguments),
        Part::Dump(arguments) => dump::run(&Session::of_what_is_there(general)?, arguments),
        Part::Restore(arguments) => restore::run(arguments),
        Part::Export(arguments) => export::run(&Session::of_what_is_there(general)?, arguments),
        Part::Import(arguments) => import::run(&Session::new(general)?, arguments),
        Part::Copy(arguments) => copy::run(general, arguments),
    }
}

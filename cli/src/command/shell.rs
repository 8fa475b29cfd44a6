//! `sx shell`

use super::{Building, General, Target, chosen, enter};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::Args;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Realise packages and start a shell with their programs in PATH
///
/// The folders `bin` of the packages come first in PATH, in the order given, then what was there. The shell is your own (SHELL),
/// and runs as you, with your files and network; it sees the store at /sx/store. Its exit code is the command's. ATTRIBUTE may
/// also be a store path or a link to one.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// More packages, or sets of packages
    #[arg(value_name = "ATTRIBUTE", id = "more")]
    more: Vec<String>,
    #[command(flatten)]
    building: Building,
    /// Run this program instead of a shell, with all arguments that follow
    #[arg(long, short, value_names = ["PROGRAM", "ARGUMENT"], num_args = 1.., allow_hyphen_values = true)]
    command: Vec<OsString>,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let session = &Session::for_target(general, &arguments.target, &arguments.more)?;
    let chosen = chosen::realised(session, &arguments.building, &arguments.target, &arguments.more)?;
    let Some(chosen) = chosen else { return Ok(()) };
    let mut folders = Vec::new();
    for chosen in &chosen {
        if !chosen.location.join("bin").is_dir() {
            let failure = Failure::new(
                Kind::Expression,
                format!("`{}` has no folder `bin`, so it brings no programs", chosen.shown),
            );
            let is_file = chosen.location.is_file();
            let hint = format!("its output is a file: `sx run {} -- …` runs it", chosen.shown);
            return Err(if is_file { failure.hint(hint) } else { failure });
        }
        folders.push(format!("{}/bin", chosen.path));
    }
    let mut path = OsString::from(folders.join(":"));
    if let Some(before) = session.environment().get("PATH") {
        path.push(":");
        path.push(before);
    }
    let variables = BTreeMap::from([("PATH", path)]);
    let own = [session.environment().get("SHELL").cloned().unwrap_or_else(|| "/bin/sh".into())];
    let command = if arguments.command.is_empty() { &own[..] } else { &arguments.command };
    enter::become_program(session, &command[0], &command[1..], &variables)
}

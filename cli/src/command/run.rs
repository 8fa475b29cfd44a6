//! `sx run`

use super::chosen::{self, Chosen};
use super::{Building, General, Target, enter};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::Args;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Realise a package and run its main program
///
/// The program is the one that `meta.mainProgram` names, else the one in `bin` with the package's name; of a package whose output
/// is a file, that file. It runs as you, in your folder, with your variables, files and network, and sees the store at
/// /sx/store. Its exit code is the command's. ATTRIBUTE may also be a store path or a link to one.
#[derive(Debug, Args)]
#[command(override_usage = "sx run [OPTIONS] [ATTRIBUTE] [-- ARGUMENT...]")]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    building: Building,
    /// Arguments of the program
    #[arg(value_name = "ARGUMENT", last = true)]
    arguments: Vec<OsString>,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let session = &Session::for_target(general, &arguments.target, &[])?;
    let chosen = chosen::realised(session, &arguments.building, &arguments.target, &[])?;
    match chosen.as_deref() {
        None => Ok(()),
        Some([chosen]) => {
            let program = main_program(chosen)?;
            enter::become_program(session, program.as_os_str(), &arguments.arguments, &BTreeMap::new())
        }
        Some(several) => {
            let names: Vec<&str> = several.iter().map(|chosen| chosen.shown.as_str()).collect();
            let failure = Failure::new(Kind::Expression, "there is more than one package to run");
            Err(failure.hint(format!("name one of them: {}", names.join(", "))))
        }
    }
}

/// Where the main program is, below `/sx/store`.
fn main_program(chosen: &Chosen) -> Result<PathBuf, Failure> {
    let object = PathBuf::from(chosen.path.to_string());
    if is_program(&chosen.location) {
        return Ok(object);
    }
    let folder = chosen.location.join("bin");
    let named = chosen.package.as_ref().and_then(|package| package.main_program.as_deref());
    let own = match &chosen.package {
        Some(package) => chosen::without_version(&package.name),
        None => chosen::without_version(chosen.path.name()),
    };
    let name = named.unwrap_or(own);
    // A link of the object's may lead on below /sx/store, which isn't there yet, so links are taken for programs.
    let is_there = |name: &str| std::fs::symlink_metadata(folder.join(name)).is_ok();
    if !name.contains('/') && is_there(name) {
        return Ok(object.join("bin").join(name));
    }
    let why = if named.is_some() { "which meta.mainProgram names" } else { "a program of its own name" };
    let message = format!("`{}` has no `bin/{name}`, {why}", chosen.shown);
    let failure = Failure::new(Kind::Expression, message);
    let mut programs: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    programs.sort();
    Err(match programs.first() {
        None => failure.hint("it has no programs at all"),
        Some(first) => {
            let names = programs.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
            failure.hint(format!("it has {names}: `sx shell {} -c {first}` runs one", chosen.shown))
        }
    })
}

fn is_program(file: &Path) -> bool {
    std::fs::symlink_metadata(file)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o100 != 0)
}

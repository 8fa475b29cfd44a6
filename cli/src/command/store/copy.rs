//! `sx store copy`

use super::import::Trust;
use super::report::{self, Transfer};
use crate::command::{General, object};
use crate::failure::Failure;
use crate::session::Session;
use clap::Args;
use std::path::{Path, PathBuf};
use sx_store::Store;

/// Copy objects and all that they refer to, to or from another store's folder
///
/// Only what is missing there is copied, and verified on its way. Prints the store paths that were copied.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("other").required(true).args(["to", "from"])))]
pub struct Arguments {
    /// Store paths, or links to them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// To the store in this folder, which is made if it isn't there
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// From the store in this folder
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let session = &match &arguments.from {
        Some(_) => Session::new(general)?,
        None => Session::of_what_is_there(general)?,
    };
    let other;
    let (from, to) = match (&arguments.from, &arguments.to) {
        (Some(folder), _) => {
            other = Store::open_existing(&absolute(folder)?)?;
            (&other, session.store())
        }
        (None, to) => {
            let folder = to.as_deref().expect("the parser asks for one of both");
            other = Store::open(&absolute(folder)?)?;
            (session.store(), &other)
        }
    };
    let paths = arguments.paths.iter().map(|text| object::named_in(from, text));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let missing = from.missing_in(to, &paths)?;
    let total = (missing.len(), missing.iter().map(|(_, size)| size).sum());
    let progress = Transfer::new(session, "copied", Some(total));
    let trust = arguments.trust.realisations();
    let taken = from.copy_closure(to, &paths, trust, session.cancelled(), &|step| progress.show(&step));
    progress.end();
    report::print(session, &taken?, arguments.json)
}

fn absolute(folder: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(folder).map_err(|error| Failure::io("find", folder, &error))
}

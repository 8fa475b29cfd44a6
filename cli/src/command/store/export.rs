//! `sx store export`

use super::dump::standard_output;
use crate::command::object;
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::Args;
use sx_store::archive::DumpError;
use sx_store::transfer::ExportError;

/// Write objects and all that they refer to, to standard output as one stream for `sx store import`
///
/// With them goes what derivations were realised to them. If an object is damaged, the exit code is 7 and the stream has no end: nobody
/// takes it for whole.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Store paths, or links to them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let paths = arguments.paths.iter().map(|text| object::named(session, text));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let mut output = standard_output()?;
    let progress = super::report::Transfer::new(session, "exported", None);
    let export = || session.store().export_closure(&paths, &mut output, &|step| progress.show(&step));
    let done = session.endable(export);
    progress.end();
    done.map_err(|error| match error {
        ExportError::Store(error) => error.into(),
        ExportError::Write(error) => Failure::output(&error),
        ExportError::Object { source: DumpError::Write(error), .. } => Failure::output(&error),
        error => Failure::new(Kind::Host, chain(&error)),
    })
}

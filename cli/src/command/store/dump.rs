//! `sx store dump`

use crate::command::object;
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::Args;
use std::io::{BufWriter, IsTerminal, Write};
use sx_store::archive::{self, DumpError};

/// Write an object's files to standard output as an archive
///
/// The archive is Nix's (NAR): a tree has exactly one. `sx store restore` and `nix-store --restore` read it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A store path, or a link to one
    #[arg(value_name = "PATH")]
    path: String,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let path = object::named(session, &arguments.path)?;
    let mut output = standard_output()?;
    let done = session.endable(|| {
        archive::dump(&session.store().location(&path), &mut output)?;
        output.flush().map_err(DumpError::Write)
    });
    done.map_err(Failure::from)
}

impl From<DumpError> for Failure {
    fn from(error: DumpError) -> Self {
        match &error {
            DumpError::Write(error) => Self::output(error),
            _ => Self::new(Kind::Host, chain(&error)),
        }
    }
}

/// Standard output for many bytes, unless somebody would have to look at them.
pub fn standard_output() -> Result<impl Write, Failure> {
    let output = std::io::stdout().lock();
    if output.is_terminal() {
        let failure =
            Failure::new(Kind::Usage, "standard output is a terminal, and these are no bytes for people");
        return Err(failure.hint("write them to a file: `… >FILE`"));
    }
    Ok(BufWriter::with_capacity(1 << 17, output))
}

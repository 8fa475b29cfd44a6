//! `sx store import`

use super::report::{self, Transfer};
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::Args;
use std::io::{BufReader, IsTerminal, Read};
use sx_store::transfer::{ImportError, Realisations};

/// Take objects from a stream that `sx store export` wrote, on standard input
///
/// Each object is verified: what its files are not is refused, whoever wrote the stream. Prints the store paths.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    trust: Trust,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Whose word to take.
#[derive(Debug, Args)]
pub struct Trust {
    /// Believe what the other side says derivations were realised to: then they are not built here. Only their builders know
    /// whether it is true
    #[arg(long)]
    pub trust_realisations: bool,
}

impl Trust {
    pub const fn realisations(&self) -> Realisations {
        if self.trust_realisations { Realisations::Trusted } else { Realisations::Ignored }
    }
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let input = standard_input()?;
    let progress = Transfer::new(session, "read", None);
    let trust = arguments.trust.realisations();
    let store = session.store();
    let import = || store.import_closure(input, trust, session.cancelled(), &|step| progress.show(&step));
    let taken = session.endable(import);
    progress.end();
    report::print(session, &taken?, arguments.json)
}

/// Standard input for many bytes, unless somebody would have to type them.
pub fn standard_input() -> Result<impl Read, Failure> {
    let input = std::io::stdin().lock();
    if input.is_terminal() {
        let failure = Failure::new(Kind::Usage, "standard input is a terminal, and nobody types these bytes");
        return Err(failure.hint("give a file or a pipe: `… <FILE`"));
    }
    Ok(BufReader::with_capacity(1 << 17, input))
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Store(error) => error.into(),
            ImportError::Interrupted => Self::new(Kind::Interrupted, "interrupted"),
            ImportError::Object { .. } | ImportError::Archive(_) => Self::new(Kind::Source, chain(&error))
                .hint("what came whole before it was taken; send the stream again for the rest"),
            error => Self::new(Kind::Source, chain(&error)),
        }
    }
}

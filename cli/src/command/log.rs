//! `sx log`

use super::Target;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::Args;
use std::io::Write;
use std::path::Path;
use sx_derivation::StorePath;
use sx_store::StoreError;

/// Print what the builder of a package, or of an object given by its path, printed
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let given = arguments.target.attribute.as_deref().unwrap_or_default();
    let is_evaluated = arguments.target.file.is_some() || arguments.target.expression.is_some();
    let path = if !is_evaluated && given.contains('/') {
        super::object::named(session, given)?
    } else {
        let (package, _) = session.package(&arguments.target)?;
        let realised = session.store().hold_realisation(&package.derivation, &package.output)?;
        realised.ok_or_else(|| {
            let name = package.derivation.name().trim_end_matches(".drv").to_owned();
            let failure = Failure::new(Kind::Host, format!("`{name}` is not realised"));
            failure.hint("the error of a build that failed names its log")
        })?
    };
    let log = find(session, &path)?;
    let bytes = std::fs::read(&log).map_err(|error| Failure::io("read", &log, &error))?;
    let written = std::io::stdout().lock().write_all(&bytes);
    written.map_err(|error| Failure::io("write to", Path::new("standard output"), &error))
}

/// The log of the derivation that was realised to `path`. Several may have been; they made the same.
fn find(session: &Session, path: &StorePath) -> Result<std::path::PathBuf, Failure> {
    let makers = session.store().database().makers(path).map_err(StoreError::from)?;
    let mut logs = makers.iter().map(|(derivation, _)| session.store().log(derivation));
    logs.find(|log| log.exists())
        .ok_or_else(|| Failure::new(Kind::Host, format!("there is no log of a build that made `{path}`")))
}

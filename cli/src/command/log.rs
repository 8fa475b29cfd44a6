//! `sx log`

use super::Target;
use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use sx_derivation::{Derivations, StorePath};
use sx_store::StoreError;
use sx_store::realise::RealiseError;

/// Print what the builder of a package, or of an object or a derivation given by its path, printed
///
/// Also of a build that failed, and of one that runs.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let given = arguments.target.attribute.as_deref().unwrap_or_default();
    let log = if arguments.target.leads_to_object(given) {
        match super::object::path_in(session.store(), given)? {
            derivation if derivation.is_derivation() => of_path(session, &derivation)?,
            _ => of_object(session, &super::object::named(session, given)?)?,
        }
    } else {
        let (package, derivations) = session.package(&arguments.target)?;
        match session.store().hold_realisation(&package.derivation, &package.output)? {
            Some(path) => of_object(session, &path)?,
            None => of_derivation(session, &derivations, &package.derivation)?,
        }
    };
    let bytes = std::fs::read(&log).map_err(|error| Failure::io("read", &log, &error))?;
    let written = std::io::stdout().lock().write_all(&bytes);
    written.map_err(|error| Failure::output(&error))
}

/// The log of the derivation that was realised to `path`. Several may have been; they made the same.
fn of_object(session: &Session, path: &StorePath) -> Result<PathBuf, Failure> {
    let makers = session.store().database().makers(path).map_err(StoreError::from)?;
    let mut logs = makers.iter().map(|(derivation, _)| session.store().log(derivation));
    logs.find(|log| log.exists())
        .ok_or_else(|| Failure::new(Kind::Host, format!("there is no log of a build that made `{path}`")))
}

/// The log of a derivation as it was built, or of what was built for one.
fn of_path(session: &Session, path: &StorePath) -> Result<PathBuf, Failure> {
    let log = session.store().log(path);
    if log.exists() {
        return Ok(log);
    }
    match session.store().hold_realisation(path, "out")? {
        Some(object) => of_object(session, &object),
        None => Err(Failure::new(Kind::Host, format!("there is no log of a build of `{path}`"))),
    }
}

/// The log of a derivation that isn't realised: its build failed, or runs.
fn of_derivation(session: &Session, derivations: &Derivations, path: &StorePath) -> Result<PathBuf, Failure> {
    let derivation = derivations.get(path).expect("what was evaluated has the package's derivation");
    let failed = |failure| RealiseError { derivation: path.clone(), failure: Box::new(failure) };
    session.store().log_of(&derivation).map_err(failed)?.ok_or_else(|| {
        let name = path.plain_name();
        let failure = Failure::new(
            Kind::Host,
            format!("`{name}` is not realised, and there is no log of a build of it"),
        );
        failure
            .hint("a build that never began, because what it needs failed, has none: ask for the log of that")
    })
}

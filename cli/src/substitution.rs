//! Outputs that others built, from stores elsewhere, where enough people attested them.

use crate::command::Building;
use crate::configuration::Configuration;
use crate::evaluation::Derivations;
use crate::failure::{Failure, chain};
use crate::session::Session;
use crate::signing::{TrustArguments, Trusted};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use sx_derivation::StorePath;
use sx_store::substitute::{Choice, Copies};

/// Whether to take outputs from elsewhere, and where from.
#[derive(Clone, Debug, Default, Args)]
pub struct SubstitutionArguments {
    /// Take outputs from the store in this folder instead of building them, where enough people attested them by the trust
    /// file; may be given several times [default: what the configuration says]
    #[arg(long = "substituter", value_name = "DIR")]
    substituters: Vec<PathBuf>,
    /// Build all that the store hasn't
    #[arg(long, conflicts_with = "substituters")]
    no_substitutes: bool,
    #[command(flatten)]
    pub trust: TrustArguments,
}

impl SubstitutionArguments {
    /// Nothing is taken from elsewhere, whatever the configuration says.
    pub fn none() -> Self {
        Self { no_substitutes: true, ..Self::default() }
    }

    fn folders<'a>(&'a self, configuration: &'a Configuration) -> &'a [PathBuf] {
        match (self.no_substitutes, self.substituters.is_empty()) {
            (true, _) => &[],
            (false, true) => &configuration.substituters,
            (false, false) => &self.substituters,
        }
    }
}

impl Session {
    /// Takes what is wanted, or what is needed to build it, from elsewhere, as far as that is asked for.
    pub fn substitute(
        &self,
        arguments: &SubstitutionArguments,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<(), Failure> {
        let Some((trusted, copies)) = self.substituters(arguments)? else { return Ok(()) };
        let mut believed = Believed { session: self, trusted, known: BTreeMap::new() };
        let claimed = |derivation: &StorePath, output: &str| believed.content(derivation, output);
        let done = self
            .with_realiser(building, derivations, |realiser| realiser.substitute(wanted, &copies, claimed))?;
        for error in &done.refused {
            self.progress().print(&format!("sx: built here instead of taken: {}", chain(error)));
        }
        if !done.taken.is_empty() {
            let names: Vec<&str> = done.taken.iter().map(StorePath::name).collect();
            let names = names.join(", ");
            self.progress().tell(&format!("sx: taken, since enough people attested them: {names}"));
        }
        Ok(())
    }

    /// What would be taken from elsewhere and what would be built; `None` if nothing is to be taken at all.
    pub fn choice(
        &self,
        arguments: &SubstitutionArguments,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<Option<Choice>, Failure> {
        let Some((trusted, copies)) = self.substituters(arguments)? else { return Ok(None) };
        let mut believed = Believed { session: self, trusted, known: BTreeMap::new() };
        let claimed = |derivation: &StorePath, output: &str| believed.content(derivation, output);
        self.with_realiser(building, derivations, |realiser| realiser.choose(wanted, &copies, claimed))
            .map(Some)
    }

    fn substituters<'a>(
        &self,
        arguments: &'a SubstitutionArguments,
    ) -> Result<Option<(Trusted<'a>, Copies)>, Failure> {
        let folders = arguments.folders(self.configuration());
        if folders.is_empty() {
            return Ok(None);
        }
        let trusted = arguments.trust.read(self)?;
        for folder in folders {
            let place = folder.join("store");
            // A name that was mistyped would just build everything.
            place.read_dir().map_err(|error| Failure::io("read the store", &place, &error))?;
        }
        Ok(Some((trusted, Copies::of_stores(folders)?)))
    }
}

/// What enough people attested, each output looked up once.
struct Believed<'a> {
    session: &'a Session,
    trusted: Trusted<'a>,
    known: BTreeMap<(StorePath, String), Option<StorePath>>,
}

impl Believed<'_> {
    fn content(&mut self, derivation: &StorePath, output: &str) -> Result<Option<StorePath>, Failure> {
        let key = (derivation.clone(), output.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let content = self.trusted.content(self.session, derivation, output)?;
        Ok(self.known.entry(key).or_insert(content).clone())
    }
}

//! `sx attestation`

use super::{General, Target};
use crate::failure::{Failure, Kind};
use crate::registry::RegistryArguments;
use crate::session::Session;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;
use sx_derivation::StorePath;
use sx_registry::Address;
use sx_signing::Attestations;
use sx_signing::attestations::Claim;

/// Attestations of the store: list them, bring them in, take them out
///
/// As files they lie in a folder that a git repository can hold: DERIVATION/OUTPUT/CONTENT/statement.json, and beside it a
/// signature of each signer. Importing checks their form; whether they count is for `sx verify` to say.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print what is claimed, and by how many signatures
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the store's attestations to a folder, as far as they aren't there
    Export {
        /// The folder; it need not be there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Copy a folder's attestations into the store, as far as they aren't there
    Import {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Attach the attestations of what an image was made of to it, in its registry
    Push(Box<PushArguments>),
    /// Bring the attestations that are attached to an image into the store
    Pull {
        /// The image
        #[arg(value_name = "HOST/NAME:TAG")]
        image: String,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}

#[derive(Debug, Args)]
struct PushArguments {
    /// The image
    #[arg(value_name = "HOST/NAME:TAG")]
    image: String,
    /// Only those of these packages or store paths and of what they refer to [default: all of the store]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Serialize)]
struct Report {
    claims: Vec<ClaimReport>,
}

#[derive(Serialize)]
struct ClaimReport {
    derivation: String,
    output: String,
    content: String,
    signatures: Vec<String>,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let session = &match &arguments.verb {
        Verb::Import { .. } | Verb::Pull { .. } => Session::new(general)?,
        Verb::List { .. } | Verb::Export { .. } | Verb::Push(_) => Session::of_what_is_there(general)?,
    };
    match &arguments.verb {
        Verb::List { json } => list(session, *json),
        Verb::Export { folder } => {
            let new = Attestations::new(folder).import(&session.attestations())?;
            session.print(&format!("{new} new signatures"))
        }
        Verb::Import { folder } => {
            if !folder.is_dir() {
                return Err(Failure::new(Kind::Usage, format!("`{}` is no folder", folder.display())));
            }
            let new = session.attestations().import(&Attestations::new(folder))?;
            session.print(&format!("{new} new signatures"))
        }
        Verb::Push(arguments) => push(session, arguments),
        Verb::Pull { image, registry } => {
            let address: Address = image.parse()?;
            let new = session.fetch_attestations(registry, &address)?;
            session.print(&format!("{new} new signatures"))
        }
    }
}

fn list(session: &Session, json: bool) -> Result<(), Failure> {
    let claims =
        session.attestations().all()?.into_iter().map(|Claim { statement, signatures }| ClaimReport {
            derivation: statement.derivation().to_string(),
            output: statement.output().into(),
            content: statement.content().to_string(),
            signatures: signatures.into_iter().map(|(file, _)| file).collect(),
        });
    let report = Report { claims: claims.collect() };
    if json {
        return session.print_json(&report);
    }
    let line = |claim: &ClaimReport| {
        let ClaimReport { derivation, output, content, signatures } = claim;
        format!("{derivation}\t{output}\t{content}\t{}", signatures.len())
    };
    let lines: Vec<String> = report.claims.iter().map(line).collect();
    if lines.is_empty() { Ok(()) } else { session.print(&lines.join("\n")) }
}

fn push(session: &Session, arguments: &PushArguments) -> Result<(), Failure> {
    let address: Address = arguments.image.parse()?;
    let mut claims = session.attestations().all()?;
    if !arguments.paths.is_empty() {
        let mut wanted: Vec<StorePath> = Vec::new();
        for text in &arguments.paths {
            if let Ok(path) = super::object::named(session, text) {
                wanted.push(path);
                continue;
            }
            let target = Target::of(text);
            let (package, _) = session.package(&target)?;
            let realised = session.store().hold_realisation(&package.derivation, &package.output)?;
            let missing = || Failure::new(Kind::Usage, format!("`{text}` is not realised"));
            wanted.push(realised.ok_or_else(missing)?);
        }
        let closure = session.store().closure(&wanted)?;
        claims.retain(|claim| closure.contains(claim.statement.content()));
    }
    if claims.is_empty() {
        return Err(Failure::new(Kind::Usage, "there are no such attestations in the store")
            .hint("`sx attest` makes them, `sx attestation import` brings others' in"));
    }
    session.attach_attestations(&arguments.registry, &address, &claims)?;
    let count: usize = claims.iter().map(|claim| claim.signatures.len()).sum();
    session.print(&format!("{count} signatures of {} claims attached", claims.len()))
}

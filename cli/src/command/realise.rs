//! `sx realise`

use super::{Building, Target};
use crate::evaluation::Package;
use crate::failure::Failure;
use crate::session::Session;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Make a package's outputs valid in the store, and print their store paths
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    building: Building,
    /// Print JSON: the derivation, each output's store path, and where it lies on disk
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    derivation: String,
    outputs: Vec<OutputReport>,
}

#[derive(Serialize)]
struct OutputReport {
    name: String,
    path: String,
    location: PathBuf,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let (package, derivations) = session.package(&arguments.target)?;
    if arguments.building.dry_run {
        return plan(session, arguments, &package, &derivations);
    }
    let wanted = package.wanted();
    let paths = session.realise(&arguments.building, &derivations, &wanted)?;
    if !arguments.json {
        let lines: Vec<String> = paths.iter().map(ToString::to_string).collect();
        return session.print(&lines.join("\n"));
    }
    let outputs = wanted.into_iter().zip(paths).map(|((_, name), path)| OutputReport {
        name,
        location: session.store().location(&path),
        path: path.to_string(),
    });
    let report = Report { derivation: package.derivation.to_string(), outputs: outputs.collect() };
    session.print_json(&report)
}

#[derive(Serialize)]
struct PlanReport {
    builds: Vec<String>,
}

fn plan(
    session: &Session,
    arguments: &Arguments,
    package: &Package,
    derivations: &crate::evaluation::Derivations,
) -> Result<(), Failure> {
    let plan = session.plan(&arguments.building, derivations, &package.wanted())?;
    let builds: Vec<String> = plan.builds.iter().map(ToString::to_string).collect();
    if arguments.json {
        return session.print_json(&PlanReport { builds });
    }
    if builds.is_empty() { Ok(()) } else { session.print(&builds.join("\n")) }
}

//! `sx realise`

use super::{Building, Target};
use crate::evaluation::Package;
use crate::failure::Failure;
use crate::session::Session;
use crate::substitution::SubstitutionArguments;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use sx_derivation::{Derivations, StorePath};

/// Make outputs of packages valid in the store, and print their store paths
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// More packages
    #[arg(value_name = "ATTRIBUTE", id = "more")]
    more: Vec<String>,
    #[command(flatten)]
    building: Building,
    #[command(flatten)]
    substitution: SubstitutionArguments,
    /// Build it once more, with other surroundings, and compare: what `sx check` does
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Say of each derivation to build why: what changed since one of its name was realised here
    #[arg(long)]
    explain: bool,
    /// Print JSON: the derivation, its output's store path, and where it lies on disk; a list of these for several packages
    #[arg(long)]
    json: bool,
    /// Make a link to the output here, which keeps it from being collected; LINK-2, LINK-3 … for more packages
    #[arg(long, short, value_name = "LINK")]
    out_link: Option<PathBuf>,
    /// Make a link with this name in the store's folder `roots`, which keeps the output from being collected; more as above
    #[arg(long, value_name = "NAME", value_parser = root_name)]
    root: Option<String>,
}

#[derive(Serialize)]
struct Report {
    derivation: String,
    outputs: [OutputReport; 1],
}

#[derive(Serialize)]
struct OutputReport {
    name: String,
    path: String,
    location: String,
    /// The location's bytes, if they are no text.
    location_hex: Option<String>,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let (packages, derivations) = session.each_package(&arguments.target, &arguments.more)?;
    let wanted: Vec<(StorePath, String)> = packages.iter().flat_map(Package::wanted).collect();
    if arguments.building.dry_run {
        return plan(session, arguments, &wanted, &derivations);
    }
    session.substitute(&arguments.substitution, &arguments.building, &derivations, &wanted)?;
    if arguments.explain {
        let builds = session.plan(&arguments.building, &derivations, &wanted)?.builds;
        let reasons = session.explain(&arguments.building, &derivations, &builds)?;
        for (path, reason) in builds.iter().zip(reasons) {
            session.progress().print(&format!("sx: {}: {reason}", path.plain_name()));
        }
    }
    let paths = session.realise(&arguments.building, &derivations, &wanted)?;
    if let Some(link) = &arguments.out_link {
        let link = std::path::absolute(link).map_err(|error| Failure::io("find", link, &error))?;
        for (suffix, path) in suffixes().zip(&paths) {
            let mut link = link.clone().into_os_string();
            link.push(suffix);
            session.store().add_result(Path::new(&link), path)?;
        }
    }
    if let Some(name) = &arguments.root {
        for (suffix, path) in suffixes().zip(&paths) {
            session.store().add_root(&format!("{name}{suffix}"), path)?;
        }
    }
    if arguments.check {
        super::check::check_realised(session, &arguments.building, &derivations, &wanted)?;
    }
    if !arguments.json {
        let lines: Vec<String> = paths.iter().map(ToString::to_string).collect();
        return session.print(&lines.join("\n"));
    }
    let outputs = wanted.into_iter().zip(paths).map(|((_, name), path)| {
        let location = session.store().location(&path);
        OutputReport {
            name,
            path: path.to_string(),
            location: location.display().to_string(),
            location_hex: super::object::hex_of(location.as_os_str()),
        }
    });
    let reports = packages
        .iter()
        .zip(outputs)
        .map(|(package, output)| Report { derivation: package.derivation.to_string(), outputs: [output] });
    match &reports.collect::<Vec<Report>>()[..] {
        [only] => session.print_json(only),
        several => session.print_json(&several),
    }
}

/// What the first package's link has after its name, the second's and so on: nothing, `-2`, `-3`.
fn suffixes() -> impl Iterator<Item = String> {
    std::iter::once(String::new()).chain((2..).map(|number| format!("-{number}")))
}

/// Refuses what would lie elsewhere or among the store's own.
fn root_name(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && !text.starts_with('.') && !text.contains('/') && text != "results";
    if is_plain {
        Ok(text.to_owned())
    } else {
        Err("expected a name without `/`, not beginning with a dot".into())
    }
}

#[derive(Serialize)]
struct PlanReport {
    builds: Vec<String>,
    /// Store paths that would be taken from elsewhere.
    substitutes: Vec<String>,
    /// For each of the builds, with `--explain`, why.
    reasons: Vec<String>,
}

fn plan(
    session: &Session,
    arguments: &Arguments,
    wanted: &[(StorePath, String)],
    derivations: &Derivations,
) -> Result<(), Failure> {
    let Arguments { building, substitution, .. } = arguments;
    let choice = session.choice(substitution, building, derivations, wanted)?;
    let (builds, substitutes) = match choice {
        Some(choice) => {
            let paths = choice.take.iter().flat_map(|taken| taken.outputs.values());
            (choice.build, paths.map(ToString::to_string).collect())
        }
        None => (session.plan(building, derivations, wanted)?.builds, Vec::new()),
    };
    let reasons = match arguments.explain {
        true => session.explain(building, derivations, &builds)?,
        false => Vec::new(),
    };
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let builds: Vec<String> = builds.iter().map(ToString::to_string).collect();
    if arguments.json {
        return session.print_json(&PlanReport { builds, substitutes, reasons });
    }
    if !substitutes.is_empty() {
        session.progress().tell(&format!("sx: would be taken from elsewhere: {}", substitutes.join(", ")));
    }
    let mut lines = Vec::new();
    for (number, path) in builds.into_iter().enumerate() {
        lines.push(path);
        lines.extend(reasons.get(number).map(|reason| format!("  {reason}")));
    }
    if lines.is_empty() { Ok(()) } else { session.print(&lines.join("\n")) }
}

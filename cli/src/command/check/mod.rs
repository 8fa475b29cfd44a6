//! `sx check`

mod diffoscope;
mod page;
mod report;

use super::{Building, Target};
use crate::failure::{Failure, Kind};
use crate::session::{CheckDepth, Session};
use clap::{Args, ValueEnum};
use report::Report;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use sx_derivation::{Derivations, StorePath};
use sx_store::check::{Check, Isolation, Variation};

/// Build packages once more, with other surroundings, and compare byte for byte
///
/// The second build is told of another number of cores, has another time of day, other clocks, umask, host name, locale and
/// environment, and sees folders that list their files in another order. Times of files stay the host's; a builder that traces
/// processes itself, as debuggers do, needs `--except day`. What is in the store stays as it is. Of a set, such as `pkgs`, all
/// packages in it are checked, not what is in sets below it. The exit code is 1 if anything came out otherwise.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// More packages, or sets of packages
    #[arg(value_name = "ATTRIBUTE", id = "more")]
    more: Vec<String>,
    #[command(flatten)]
    building: Building,
    /// Build everything down to the seed once more
    #[arg(long)]
    deep: bool,
    /// Leave this as it was in the first build; may be given several times
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = variation)]
    except: Vec<Variation>,
    /// After a difference, build again to find out whose it is
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    isolate: Isolate,
    /// Don't run diffoscope, even if it is installed
    #[arg(long)]
    no_diffoscope: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with a table and totals here, as HTML
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Isolate {
    /// If a build takes no longer than a minute
    #[default]
    Short,
    /// However long it takes
    Always,
    /// Never
    Never,
}

/// Up to so long a build is repeated without being asked for.
const SHORT: Duration = Duration::from_secs(60);

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let (packages, derivations) = session.packages(&arguments.target, &arguments.more)?;
    let wanted: Vec<(StorePath, String)> =
        packages.iter().flat_map(|(_, package)| package.wanted()).collect();
    if arguments.building.dry_run {
        let plan = session.plan(&arguments.building, &derivations, &wanted)?;
        let builds: Vec<String> = plan.builds.iter().map(ToString::to_string).collect();
        return if builds.is_empty() { Ok(()) } else { session.print(&builds.join("\n")) };
    }
    let variations: BTreeSet<Variation> =
        Variation::ALL.into_iter().filter(|variation| !arguments.except.contains(variation)).collect();
    let check = Check {
        variations: &variations,
        isolation: match arguments.isolate {
            Isolate::Never => Isolation::Never,
            Isolate::Short => Isolation::Within(SHORT),
            Isolate::Always => Isolation::Within(Duration::MAX),
        },
        clock: &SystemTime::now,
    };
    let depth = if arguments.deep { CheckDepth::ToTheSeed } else { CheckDepth::LastStep };
    let results = session.check(&arguments.building, &derivations, &wanted, depth, &check)?;
    let mut report = Report::new(&packages, depth, &variations, &results);
    if !arguments.no_diffoscope {
        diffoscope::describe(session, &results, &mut report);
    }
    if let Some(page) = &arguments.page {
        std::fs::write(page, page::html(&report)).map_err(|error| Failure::io("write", page, &error))?;
    }
    if arguments.json {
        session.print_json(&report)?;
    } else {
        session.print(&report.to_string())?;
    }
    report.outcome()
}

fn variation(text: &str) -> Result<Variation, String> {
    let found = Variation::ALL.into_iter().find(|variation| variation.name() == text);
    found.ok_or_else(|| format!("expected one of {}", Variation::ALL.map(Variation::name).join(", ")))
}

/// Builds what was realised once more, tells of differences, and fails if there are any.
pub fn check_realised(
    session: &Session,
    building: &Building,
    derivations: &Derivations,
    wanted: &[(StorePath, String)],
) -> Result<(), Failure> {
    let variations = Variation::ALL.into();
    let check =
        Check { variations: &variations, isolation: Isolation::Within(SHORT), clock: &SystemTime::now };
    let results = session.check(building, derivations, wanted, CheckDepth::LastStep, &check)?;
    let report = Report::new(&[], CheckDepth::LastStep, &variations, &results);
    report.outcome().inspect_err(|failure| {
        if failure.is(Kind::No) {
            session.progress().print(&report.to_string());
        }
    })
}

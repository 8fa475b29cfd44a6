//! `sx gc`

use super::General;
use super::object::{hex_of, quoted, shown};
use super::quantity::{age, bytes, show_bytes};
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::ffi::OsString;
use std::time::{Duration, SystemTime};
use sx_store::collect::{Collection, Mode};
use sx_store::root::{Root, RootKind};

/// Delete what no root needs from the store, beside builds that run
///
/// Roots are links in the store's folder `roots`, links that `sx realise --out-link` made, what running processes use, and the
/// inputs of failed builds that `--keep-failed` kept. Only outputs and sources that these refer to are kept: tools that were needed to
/// build them go. Logs of builds that failed stay for 30 days. A kept build stays, with its inputs, until you remove its folder from the
/// store's folder `failed`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Print what would be deleted, with sizes in bytes, and stop
    #[arg(long)]
    dry_run: bool,
    /// Stop when objects of so many bytes are deleted: 4096, 64K, 500M, 2G
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_freed: Option<u64>,
    /// Only objects that came into the store longer ago than this: 45s, 90m, 12h, 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// For how long logs of builds that failed are kept: until people are back from wherever they were.
const FAILED_LOGS: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Subcommand)]
enum Part {
    Roots(RootArguments),
}

/// Print the roots, or why an object is alive
#[derive(Debug, Args)]
struct RootArguments {
    /// Print only what keeps this alive, and the references from there to it
    #[arg(value_name = "PATH")]
    path: Option<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    freed_bytes: u64,
    objects: Vec<ObjectReport>,
    strays: Vec<StrayReport>,
    alive: usize,
    failures: Vec<String>,
}

#[derive(Serialize)]
struct ObjectReport {
    path: String,
    size_bytes: u64,
}

#[derive(Serialize)]
struct StrayReport {
    place: String,
    /// The place's bytes, if they are no text.
    place_hex: Option<String>,
    #[serde(skip)]
    shown: String,
    size_bytes: u64,
}

impl Arguments {
    /// What it needs of the store.
    pub fn session(&self, general: &General) -> Result<Session, Failure> {
        match self.dry_run || self.part.is_some() {
            true => Session::of_what_is_there(general),
            false => Session::for_collection(general),
        }
    }
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    if let Some(Part::Roots(arguments)) = &arguments.part {
        return roots(session, arguments);
    }
    let collection = Collection {
        mode: if arguments.dry_run { Mode::DryRun } else { Mode::Delete },
        max_freed_bytes: arguments.max_freed,
        older_than: arguments.older_than.map(so_long_ago),
        logs_older_than: Some(so_long_ago(FAILED_LOGS)),
    };
    let collected = session.store().collect(&collection, session.cancelled())?;
    let objects = collected.objects.iter();
    let report = Report {
        freed_bytes: collected.freed_bytes(),
        objects: objects
            .map(|(path, size)| ObjectReport { path: path.to_string(), size_bytes: *size })
            .collect(),
        strays: collected
            .strays
            .iter()
            .map(|(place, size)| StrayReport {
                place: place.display().to_string(),
                place_hex: hex_of(place.as_os_str()),
                shown: shown(place.as_os_str()),
                size_bytes: *size,
            })
            .collect(),
        alive: collected.alive,
        failures: collected
            .failures
            .iter()
            .map(|(place, error)| format!("{}: {error}", shown(place.as_os_str())))
            .collect(),
    };
    if arguments.json {
        session.print_json(&report)?;
    } else {
        if arguments.dry_run {
            let objects =
                report.objects.iter().map(|object| format!("{}\t{}", object.size_bytes, object.path));
            let strays = report.strays.iter().map(|stray| format!("{}\t{}", stray.size_bytes, stray.shown));
            let lines: Vec<String> = objects.chain(strays).collect();
            if !lines.is_empty() {
                session.print(&lines.join("\n"))?;
            }
        }
        let verb = if arguments.dry_run { "would free" } else { "freed" };
        session.progress().tell(&format!(
            "sx: {verb} {}: {} objects, {} other files; {} objects are needed",
            show_bytes(report.freed_bytes),
            report.objects.len(),
            report.strays.len(),
            report.alive,
        ));
    }
    if let Some(error) = &collected.record {
        let error = chain(error);
        session.progress().print(&format!(
            "warning: the record of what derivations were realised to is longer than it has to be: {error}"
        ));
    }
    match report.failures.first() {
        None => Ok(()),
        Some(first) => {
            let count = report.failures.len();
            Err(Failure::new(Kind::Host, format!("{count} files could not be deleted, the first is {first}")))
        }
    }
}

/// The time before this age. A clock that doesn't reach back so far gives its beginning, and nothing is from before that.
fn so_long_ago(age: Duration) -> SystemTime {
    SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[derive(Serialize)]
struct RootsReport {
    roots: Vec<RootReport>,
}

#[derive(Serialize)]
struct RootReport {
    kind: &'static str,
    /// The place of the link or the kept build, or the process's number.
    name: String,
    /// The name's bytes, if they are no text.
    name_hex: Option<String>,
    #[serde(skip)]
    shown: String,
    path: String,
    /// From the root's object to the one asked for.
    references: Vec<String>,
}

fn roots(session: &Session, arguments: &RootArguments) -> Result<(), Failure> {
    let mut found: Vec<RootReport> = Vec::new();
    match &arguments.path {
        None => {
            for place in session.store().idle_roots()? {
                let place = quoted(place.as_os_str());
                session.progress().tell(&format!(
                    "warning: {place} is no link to an object of the store, so it keeps nothing"
                ));
            }
            found.extend(session.store().roots()?.into_iter().map(|root| report(root, Vec::new())));
        }
        Some(text) => {
            let path = super::object::named(session, text)?;
            for (root, chain) in session.store().why_alive(&path)? {
                // That we look at it now is no reason.
                if root.kind != RootKind::Process(std::process::id()) {
                    found.push(report(root, chain.iter().map(ToString::to_string).collect()));
                }
            }
        }
    }
    if arguments.json {
        return session.print_json(&RootsReport { roots: found });
    }
    let show = |root: RootReport| match root.references.is_empty() {
        true => format!("{} {}\t{}", root.kind, root.shown, root.path),
        false => format!("{} {}\n  {}", root.kind, root.shown, root.references.join("\n  ")),
    };
    let lines: Vec<String> = found.into_iter().map(show).collect();
    if lines.is_empty() { Ok(()) } else { session.print(&lines.join("\n")) }
}

fn report(root: Root, references: Vec<String>) -> RootReport {
    let (kind, name) = match root.kind {
        RootKind::Link(place) => ("link", place.into_os_string()),
        RootKind::Result(place) => ("result", place.into_os_string()),
        RootKind::Failed(place) => ("failed", place.into_os_string()),
        RootKind::Process(number) => ("process", number.to_string().into()),
    };
    let (shown, name_hex, name) = (shown(&name), hex_of(&name), name.display().to_string());
    RootReport { kind, name, name_hex, shown, path: root.path.to_string(), references }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_older_than_the_clock_reaches_back() {
        assert_eq!(so_long_ago(Duration::MAX), SystemTime::UNIX_EPOCH);
        assert!(so_long_ago(Duration::from_secs(60)) > SystemTime::UNIX_EPOCH);
    }
}

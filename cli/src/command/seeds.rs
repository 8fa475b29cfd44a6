//! `sx seeds`

use super::quantity::show_bytes;
use super::{Building, Target};
use crate::failure::Failure;
use crate::session::Session;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use sx_store::seeds::{Binary, Pinned, Seeds, seeds};

/// Print which bytes without source a package's closure of builds rests on, and the sources it is made from
///
/// It is computed from the derivations, so nothing needs to be built. What is fetched already is sized, and binaries inside
/// it are named; `--fetch` fetches and unpacks the rest first.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    building: Building,
    /// Fetch and unpack all sources first
    #[arg(long)]
    fetch: bool,
    /// List the sources and the flake's own files as well
    #[arg(long)]
    sources: bool,
    /// Print JSON: everything, whatever the other options
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    derivations: usize,
    seeds: Vec<PinnedReport>,
    binary_seeds: Vec<PinnedReport>,
    sources: Vec<PinnedReport>,
    files: Vec<PinnedReport>,
    binaries: Vec<BinaryReport>,
}

#[derive(Serialize)]
struct PinnedReport {
    name: String,
    hash: Option<String>,
    size_bytes: Option<u64>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct BinaryReport {
    object: String,
    file: PathBuf,
    kind: &'static str,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let (package, derivations) = session.package(&arguments.target)?;
    let search = || seeds(session.store(), &derivations, [package.derivation.clone()]);
    let mut found = search()?;
    if arguments.fetch {
        let out = |path| (path, "out".to_owned());
        let wanted: Vec<_> = found.bringing.into_iter().map(out).collect();
        if arguments.building.dry_run {
            let plan = session.plan(&arguments.building, &derivations, &wanted)?;
            let builds: Vec<String> = plan.builds.iter().map(ToString::to_string).collect();
            return if builds.is_empty() { Ok(()) } else { session.print(&builds.join("\n")) };
        }
        session.realise(&arguments.building, &derivations, &wanted)?;
        found = search()?;
    }
    if !arguments.json {
        return session.print(text(&found, arguments.sources).trim_end());
    }
    let pinned = |list: Vec<Pinned>| {
        let report =
            |Pinned { name, hash, size_bytes, reason }| PinnedReport { name, hash, size_bytes, reason };
        list.into_iter().map(report).collect()
    };
    let binary = |Binary { object, file, kind }| BinaryReport { object, file, kind };
    session.print_json(&Report {
        derivations: found.derivations,
        seeds: pinned(found.seeds),
        binary_seeds: pinned(found.declared),
        sources: pinned(found.sources),
        files: pinned(found.files),
        binaries: found.binaries.into_iter().map(binary).collect(),
    })
}

/// What it comes to, for people. The seeds come first, on lines of their own.
fn text(found: &Seeds, with_sources: bool) -> String {
    let mut text = String::new();
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        text.write_fmt(arguments).expect("writing to a string cannot fail");
        text.push('\n');
    };
    for seed in &found.seeds {
        // To the byte, however many they are.
        let size = seed.size_bytes.map_or_else(|| "not hexadecimal".into(), |size| format!("{size} bytes"));
        line(format_args!("seed         {}\t{size}", seed.name));
    }
    for (number, seed) in found.declared.iter().enumerate() {
        line(format_args!("binary seed  {}\t{}", seed.name, size(seed)));
        // Several files of one release have one reason, which stands below the last of them.
        let next = found.declared.get(number + 1).and_then(|next| next.reason.as_ref());
        for reason in seed.reason.iter().filter(|reason| !reason.is_empty() && next != Some(*reason)) {
            line(format_args!("             {reason}"));
        }
    }
    if found.seeds.is_empty() && found.declared.is_empty() {
        line(format_args!("no seed"));
    }
    line(format_args!("{}", sum("source", &found.sources)));
    if with_sources {
        found.sources.iter().for_each(|source| line(format_args!("  {}\t{}", source.name, size(source))));
    }
    line(format_args!("{}", sum("file of the flake", &found.files)));
    if with_sources {
        found.files.iter().for_each(|file| line(format_args!("  {}\t{}", file.name, size(file))));
    }
    if !found.binaries.is_empty() {
        line(format_args!("binaries inside sources:"));
    }
    for Binary { object, file, kind } in &found.binaries {
        line(format_args!("  {object}\t{}\t{kind}", file.display()));
    }
    text
}

fn size(pinned: &Pinned) -> String {
    pinned.size_bytes.map_or_else(|| "not fetched".into(), show_bytes)
}

/// Such as `16 sources, 96.0 MiB; 2 of them not fetched`.
fn sum(what: &str, list: &[Pinned]) -> String {
    let bytes = list.iter().filter_map(|entry| entry.size_bytes).sum();
    let missing = list.iter().filter(|entry| entry.size_bytes.is_none()).count();
    let (noun, rest) =
        what.split_once(' ').map_or((what, String::new()), |(noun, rest)| (noun, format!(" {rest}")));
    let plural = if list.len() == 1 { "" } else { "s" };
    let unfetched = if missing == 0 { String::new() } else { format!("; {missing} of them not fetched") };
    format!("{} {noun}{plural}{rest}, {}{unfetched}", list.len(), show_bytes(bytes))
}

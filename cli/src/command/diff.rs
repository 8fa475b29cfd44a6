//! `sx diff`

use super::chosen::{self, Chosen};
use super::quantity::show_bytes;
use super::{Building, General, Target};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::Args;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use sx_derivation::StorePath;
use sx_store::{Store, StoreError};

/// Print what two closures differ in: what came, what went, what grew or shrank
///
/// Packages are realised first; a store path, or a link to one, is taken as it is. Objects are compared by their names without
/// versions. Of those that are in both as they are nothing is printed.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The other one
    #[arg(value_name = "ATTRIBUTE", id = "other")]
    other: Option<String>,
    #[command(flatten)]
    building: Building,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Report {
    before: Side,
    after: Side,
    changes: Vec<Change>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Side {
    path: String,
    objects: usize,
    closure_size_bytes: u64,
}

/// Objects of one name that differ.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    name: String,
    kind: Kinds,
    /// Those that are only there.
    before: Vec<Version>,
    after: Vec<Version>,
    size_difference_bytes: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kinds {
    Came,
    Went,
    Changed,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Version {
    /// Empty if the name has none.
    version: String,
    path: String,
    size_bytes: u64,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let session = &Session::for_target(general, &arguments.target, arguments.other.as_slice())?;
    let more = arguments.other.as_slice();
    let Some(chosen) = chosen::realised(session, &arguments.building, &arguments.target, more)? else {
        return Ok(());
    };
    let [before, after] = &chosen[..] else {
        let message = format!("two things are compared, and these are {}", chosen.len());
        return Err(Failure::new(Kind::Usage, message).hint("a set of packages is no closure: name packages"));
    };
    let report = compare(closure(session.store(), before)?, closure(session.store(), after)?);
    if arguments.json {
        return session.print_json(&report);
    }
    let mut lines: Vec<String> = report.changes.iter().map(line).collect();
    let (was, is) = (&report.before, &report.after);
    lines.push(format!(
        "{} objects, {} -> {} objects, {} ({})",
        was.objects,
        show_bytes(was.closure_size_bytes),
        is.objects,
        show_bytes(is.closure_size_bytes),
        signed(difference(was.closure_size_bytes, is.closure_size_bytes))
    ));
    session.print(&lines.join("\n"))
}

/// An object's path and the closure that it begins: sizes by paths.
struct Closure {
    path: StorePath,
    sizes: BTreeMap<StorePath, u64>,
}

fn closure(store: &Store, chosen: &Chosen) -> Result<Closure, Failure> {
    let mut sizes = BTreeMap::new();
    for path in store.closure([&chosen.path])? {
        let object = store.database().object(&path).map_err(StoreError::from)?;
        sizes.insert(path, object.map_or(0, |object| object.size_bytes));
    }
    Ok(Closure { path: chosen.path.clone(), sizes })
}

fn compare(before: Closure, after: Closure) -> Report {
    let (old, new) = (only_in(&before, &after), only_in(&after, &before));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes = names.into_iter().map(|name| {
        let of = |side: &BTreeMap<String, Vec<Version>>| side.get(name).cloned().unwrap_or_default();
        let (before, after) = (of(&old), of(&new));
        let size = |versions: &[Version]| versions.iter().map(|version| version.size_bytes).sum();
        Change {
            name: name.clone(),
            kind: match (before.is_empty(), after.is_empty()) {
                (true, _) => Kinds::Came,
                (_, true) => Kinds::Went,
                _ => Kinds::Changed,
            },
            size_difference_bytes: difference(size(&before), size(&after)),
            before,
            after,
        }
    });
    let changes = changes.collect();
    Report { changes, before: side(&before), after: side(&after) }
}

/// What one closure has and the other hasn't, by names.
fn only_in(one: &Closure, other: &Closure) -> BTreeMap<String, Vec<Version>> {
    let mut found: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for (path, &size_bytes) in one.sizes.iter().filter(|(path, _)| !other.sizes.contains_key(*path)) {
        let name = chosen::without_version(path.name());
        let version = path.name()[name.len()..].trim_start_matches('-').to_owned();
        let version = Version { version, path: path.to_string(), size_bytes };
        found.entry(name.to_owned()).or_default().push(version);
    }
    found.values_mut().for_each(|versions| versions.sort());
    found
}

fn side(closure: &Closure) -> Side {
    Side {
        path: closure.path.to_string(),
        objects: closure.sizes.len(),
        closure_size_bytes: closure.sizes.values().sum(),
    }
}

fn line(change: &Change) -> String {
    let versions = |versions: &[Version]| {
        let shown =
            versions.iter().map(|one| if one.version.is_empty() { "(no version)" } else { &one.version });
        shown.collect::<Vec<_>>().join(", ")
    };
    let size = signed(change.size_difference_bytes);
    let (before, after) = (versions(&change.before), versions(&change.after));
    match change.kind {
        Kinds::Came => format!("+ {} {after}\t{size}", change.name),
        Kinds::Went => format!("- {} {before}\t{size}", change.name),
        Kinds::Changed if before == after => format!("~ {} {after}\t{size}", change.name),
        Kinds::Changed => format!("~ {} {before} -> {after}\t{size}", change.name),
    }
}

fn difference(before: u64, after: u64) -> i64 {
    let difference = i128::from(after) - i128::from(before);
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { '-' } else { '+' };
    format!("{sign}{}", show_bytes(bytes.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sx_derivation::Digest;

    fn closure(objects: &[(&str, &str, u64)]) -> Closure {
        let path = |content: &str, name| StorePath::new(Digest::of(content.as_bytes()), name).unwrap();
        let sizes = objects.iter().map(|(content, name, size)| (path(content, name), *size)).collect();
        let (content, name, _) = objects[0];
        Closure { path: path(content, name), sizes }
    }

    #[test]
    fn what_came_went_and_grew_is_told_by_name() {
        let before =
            closure(&[("a", "tool-1.0", 100), ("b", "libc-1.2", 5000), ("c", "old", 10), ("d", "same-1", 7)]);
        let after = closure(&[
            ("e", "tool-1.0", 90),
            ("f", "libc-1.3", 9000),
            ("g", "new-2", 2048),
            ("d", "same-1", 7),
        ]);
        let report = compare(before, after);
        let lines: Vec<String> = report.changes.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "~ libc 1.2 -> 1.3\t+3.9 KiB",
                "+ new 2\t+2.0 KiB",
                "- old (no version)\t-10 B",
                "~ tool 1.0\t-10 B",
            ]
        );
        assert_eq!((report.before.objects, report.after.closure_size_bytes), (4, 11145));
    }
}

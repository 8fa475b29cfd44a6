//! `sx store verify`

use super::super::object::hex_of;
use super::super::quantity::show_bytes;
use super::super::{Building, General};
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use sx_store::repair::Remedy;
use sx_store::verify::{Damage, Depth, Verification};
use sx_store::{Store, StoreError};

/// Find damage, name it, and mend it
///
/// Each damage is a line on standard output; with `--repair --dry-run`, what would be done about it stands behind it. Exit code 0:
/// nothing is wrong, or everything was mended; 7: something is wrong still; anything else: it could not be found out.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Read every byte; without, only the database and the files' lengths, modes and times are looked at, and objects read in
    /// which one of these is wrong
    #[arg(long)]
    contents: bool,
    /// Mend what is found: in place, from a copy, or by building again
    #[arg(long)]
    repair: bool,
    /// Take whole objects from another store's folder first
    #[arg(long, value_name = "DIR", requires = "repair")]
    repair_from: Option<PathBuf>,
    #[command(flatten)]
    building: Building,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    objects: usize,
    size_bytes: u64,
    damage: Vec<DamageReport>,
    /// Files with an object's name and no row, which are no damage.
    unregistered: Vec<String>,
    /// What is wrong still.
    left: Vec<DamageReport>,
}

#[derive(Serialize)]
struct DamageReport {
    kind: &'static str,
    /// The object or the derivation.
    path: Option<String>,
    /// The file below the object, empty for itself, or else on disk.
    file: Option<String>,
    /// The file's bytes, if they are no text.
    file_hex: Option<String>,
    text: String,
    /// What `--repair` does about it.
    remedy: &'static str,
    /// The derivation by which the object is built again.
    built_by: Option<String>,
}

impl DamageReport {
    fn new((damage, remedy): (&Damage, &Remedy)) -> Self {
        let (remedy, built_by) = match remedy {
            Remedy::InPlace => ("in_place", None),
            Remedy::Copy => ("copy", None),
            Remedy::Build(derivation) => ("build", Some(derivation.to_string())),
            Remedy::Unmade | Remedy::Foreign => ("none", None),
        };
        Self {
            kind: damage.kind(),
            path: damage.path().map(ToString::to_string),
            file: damage.file().map(|file| file.display().to_string()),
            file_hex: damage.file().and_then(|file| hex_of(file.as_os_str())),
            text: damage.to_string(),
            remedy,
            built_by,
        }
    }
}

impl Arguments {
    /// Whether to mend what is found, or only to say how.
    const fn mends(&self) -> bool {
        self.repair && !self.building.dry_run
    }
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    // Before anything else: with a damaged database there is no session.
    let recovered = match arguments.mends() {
        true => Store::recover_if_damaged(&Session::store_folder(general)?)?,
        false => None,
    };
    let session = Session::of_what_is_there(general)?;
    if let Some(folder) = arguments.repair_from.as_ref().filter(|folder| !folder.join("store").is_dir()) {
        return Err(StoreError::Missing { folder: folder.clone() }.into());
    }
    if let Some((count, aside)) = recovered {
        let old = aside.map_or_else(String::new, |aside| format!("; the old one is `{}`", aside.display()));
        session.progress().tell(&format!("sx: made a new database of {count} objects{old}"));
    }
    let found = verify(&session, arguments)?;
    let copy = arguments.repair_from.as_deref();
    // Asked before anything is mended.
    let remedies = session.store().remedies(&found.damage, copy);
    let mut left = found.damage.clone();
    if arguments.mends() && !left.is_empty() {
        session.store().repair(&left, copy)?;
        left = verify(&session, arguments)?.damage;
        let lost: BTreeSet<_> = left.iter().filter_map(Damage::lost).cloned().collect();
        if !lost.is_empty() {
            for (path, failure) in session.rebuild(&arguments.building, &lost) {
                session.progress().tell(&format!("sx: cannot make `{path}` again: {}", chain(&failure)));
            }
            left = verify(&session, arguments)?.damage;
        }
    }
    let left_remedies = session.store().remedies(&left, copy);
    if arguments.json {
        let reports = |damage: &[Damage], remedies: &[Remedy]| {
            damage.iter().zip(remedies).map(DamageReport::new).collect::<Vec<_>>()
        };
        session.print_json(&Report {
            objects: found.objects,
            size_bytes: found.size_bytes,
            damage: reports(&found.damage, &remedies),
            unregistered: found.unregistered.iter().map(|place| place.display().to_string()).collect(),
            left: reports(&left, &left_remedies),
        })?;
    } else if !found.damage.is_empty() {
        let is_told = arguments.repair && arguments.building.dry_run;
        let lines = found.damage.iter().zip(&remedies).map(|(damage, remedy)| match remedy {
            _ if !is_told => damage.to_string(),
            Remedy::InPlace => format!("{damage}: would be set right in place"),
            Remedy::Copy => format!("{damage}: would be taken from the copy, if it is whole there"),
            Remedy::Build(derivation) => format!("{damage}: would be built again by `{derivation}`"),
            Remedy::Unmade => {
                format!("{damage}: would be left, since the store knows no derivation that makes it")
            }
            Remedy::Foreign => format!("{damage}: would be left"),
        });
        session.print(&lines.collect::<Vec<_>>().join("\n"))?;
    }
    if let Some(first) = found.unregistered.first() {
        session.progress().tell(&format!(
            "sx: {} files have an object's name and are none, such as `{}`: `sx gc` deletes those that nobody makes now",
            found.unregistered.len(),
            first.display(),
        ));
    }
    session.progress().tell(&format!(
        "sx: looked at {} objects of {}: {} faults, {} left",
        found.objects,
        show_bytes(found.size_bytes),
        found.damage.len(),
        left.len()
    ));
    if left.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Kind::Damage, format!("the store is damaged: {}", left[0]));
    let hints = hints(session.store(), arguments, &left, &left_remedies);
    Err(hints.into_iter().fold(failure, Failure::hint))
}

/// What to do about damage that is there still.
fn hints(store: &Store, arguments: &Arguments, left: &[Damage], remedies: &[Remedy]) -> Vec<String> {
    let mut hints = Vec::new();
    let has = |wanted: fn(&Remedy) -> bool| remedies.iter().any(wanted);
    let is_mendable = |remedy: &Remedy| !matches!(remedy, Remedy::Unmade | Remedy::Foreign);
    if has(is_mendable) && !arguments.mends() {
        let contents = if arguments.contents { " --contents" } else { "" };
        hints.push(format!("`sx store verify{contents} --repair` mends what can be mended"));
    } else if has(|remedy| matches!(remedy, Remedy::Build(_))) {
        hints.push("what can't be built again, `--repair-from DIR` takes from another store".into());
    }
    let unmade = left.iter().zip(remedies).find(|(_, remedy)| **remedy == Remedy::Unmade);
    if let Some(path) = unmade.and_then(|(damage, _)| damage.lost().or(damage.path())) {
        let delete = match store.is_there(path) {
            true => format!("delete `{}` and ", store.location(path).display()),
            false => String::new(),
        };
        hints.push(format!(
            "the store knows no derivation that makes `{path}`: `--repair-from DIR` takes it from another store; or \
             {delete}realise again what it was added for"
        ));
    }
    if has(|remedy| *remedy == Remedy::Foreign) {
        hints.push("what sx did not put there it leaves alone: look at it, and remove it".into());
    }
    hints
}

fn verify(session: &Session, arguments: &Arguments) -> Result<Verification, Failure> {
    let depth = if arguments.contents { Depth::Contents } else { Depth::Metadata };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(session.store().verify(depth, jobs, session.cancelled())?)
}

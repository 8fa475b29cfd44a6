//! `sx store verify`

use super::super::quantity::show_bytes;
use super::super::{Building, General};
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use sx_store::verify::{Damage, Depth, Verification};
use sx_store::{Store, StoreError};

/// Find damage, name it, and mend it
///
/// Each damage is a line on standard output. Exit code 0: nothing is wrong, or everything was mended; 7: something is
/// wrong still; anything else: it could not be found out.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Read every byte; without, only the database and the files' lengths, modes and times are looked at
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
    damage: Vec<String>,
    /// Files with an object's name and no row, which are no damage.
    unregistered: Vec<String>,
    /// What is wrong still.
    left: Vec<String>,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    // Before anything else: with a damaged database there is no session.
    let recovered = match arguments.repair {
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
    let mut left = found.damage.clone();
    if arguments.repair && !left.is_empty() {
        session.store().repair(&left, arguments.repair_from.as_deref())?;
        left = verify(&session, arguments)?.damage;
        let lost: BTreeSet<_> = left.iter().filter_map(Damage::lost).cloned().collect();
        if !lost.is_empty() {
            for (path, failure) in session.rebuild(&arguments.building, &lost) {
                session.progress().tell(&format!("sx: cannot make `{path}` again: {}", chain(&failure)));
            }
            left = verify(&session, arguments)?.damage;
        }
    }
    let lines = |damage: &[Damage]| damage.iter().map(ToString::to_string).collect::<Vec<_>>();
    if arguments.json {
        session.print_json(&Report {
            objects: found.objects,
            size_bytes: found.size_bytes,
            damage: lines(&found.damage),
            unregistered: found.unregistered.iter().map(|place| place.display().to_string()).collect(),
            left: lines(&left),
        })?;
    } else if !found.damage.is_empty() {
        session.print(&lines(&found.damage).join("\n"))?;
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
    Err(if arguments.repair {
        failure.hint("what no derivation makes has to be added again: realise what it was for")
    } else {
        failure.hint("`sx store verify --contents --repair` mends what can be mended")
    })
}

fn verify(session: &Session, arguments: &Arguments) -> Result<Verification, Failure> {
    let depth = if arguments.contents { Depth::Contents } else { Depth::Metadata };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(session.store().verify(depth, jobs, session.cancelled())?)
}

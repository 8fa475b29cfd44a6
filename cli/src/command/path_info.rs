//! `sx path-info`

use super::quantity::show_bytes;
use crate::failure::Failure;
use crate::session::Session;
use clap::Args;
use serde::Serialize;
use std::ffi::OsString;
use sx_store::StoreError;

/// Print what the store knows of objects: sizes, references, what made them
#[derive(Debug, Args)]
pub struct Arguments {
    /// Store paths, or files that lie in objects
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<OsString>,
    /// All that they refer to as well
    #[arg(long, short)]
    recursive: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    objects: Vec<ObjectReport>,
}

#[derive(Serialize)]
struct ObjectReport {
    path: String,
    location: String,
    /// The location's bytes, if they are no text.
    location_hex: Option<String>,
    tree: String,
    size_bytes: u64,
    closure_size_bytes: u64,
    references: Vec<String>,
    refers_to_itself: bool,
    /// Derivations that were realised to it, and which of their outputs it is.
    realised_by: Vec<Maker>,
}

#[derive(Serialize)]
struct Maker {
    derivation: String,
    output: String,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let store = session.store();
    let mut paths = Vec::new();
    for text in &arguments.paths {
        paths.push(super::object::named(session, text)?);
    }
    if arguments.recursive {
        paths = store.closure_in_order(&paths)?;
    }
    let mut objects = Vec::new();
    for path in &paths {
        let database = store.database();
        let object = database.object(path).map_err(StoreError::from)?;
        let object = object.expect("it is valid and held");
        let mut closure_size_bytes = 0;
        for member in store.closure([path])? {
            let member = database.object(&member).map_err(StoreError::from)?;
            closure_size_bytes += member.map_or(0, |member| member.size_bytes);
        }
        let makers = database.makers(path).map_err(StoreError::from)?;
        let makers = makers.into_iter();
        let location = store.location(path);
        objects.push(ObjectReport {
            path: path.to_string(),
            location: location.display().to_string(),
            location_hex: super::object::hex_of(location.as_os_str()),
            tree: object.tree.to_hex(),
            size_bytes: object.size_bytes,
            closure_size_bytes,
            references: object.references.iter().map(ToString::to_string).collect(),
            refers_to_itself: object.refers_to_itself,
            realised_by: makers
                .map(|(derivation, output)| Maker { derivation: derivation.to_string(), output })
                .collect(),
        });
    }
    if arguments.json {
        return session.print_json(&Report { objects });
    }
    let line = |object: &ObjectReport| {
        let (size, closure) = (show_bytes(object.size_bytes), show_bytes(object.closure_size_bytes));
        format!("{}\t{size}\t{closure}", object.path)
    };
    session.print(&objects.iter().map(line).collect::<Vec<_>>().join("\n"))
}

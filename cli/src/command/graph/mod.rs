//! `sx graph`

mod dot;
mod layout;
mod network;
mod svg;

use super::{General, Target, object};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::{Args, ValueEnum};
use network::{Network, Node};
use std::collections::BTreeMap;
use std::path::PathBuf;
use sx_derivation::{Derivations, StorePath};
use sx_store::{Store, StoreError};

/// Print what something is built from, or what it refers to, as a picture
///
/// Of packages, their derivations down to the seed: nothing is realised. Of store paths, or with `--runtime`, what they refer to in the
/// store. What is needed stands above what needs it. A line that a longer way implies is left out, and so is what sx fetches
/// and unpacks.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// More packages, sets of packages, or store paths
    #[arg(value_name = "ATTRIBUTE", id = "more")]
    more: Vec<String>,
    /// What packages refer to when they run; they have to be realised
    #[arg(long)]
    runtime: bool,
    /// Only what is so many steps away
    #[arg(long, value_name = "NUMBER")]
    depth: Option<usize>,
    /// What sx fetches and unpacks as well
    #[arg(long)]
    sources: bool,
    /// All lines
    #[arg(long)]
    all_edges: bool,
    /// Show sizes of what derivations were realised to, as far as they are; store paths always have theirs
    #[arg(long)]
    sizes: bool,
    /// Form of the picture [default: by the file's ending, else dot]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For Graphviz and others
    Dot,
    /// A picture: a square's area is a size
    Svg,
    /// Nodes, and edges by positions among them
    Json,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let session = &match arguments.runtime {
        // Of packages too it looks at what is realised.
        true => Session::of_what_is_there(general)?,
        false => Session::for_target(general, &arguments.target, &arguments.more)?,
    };
    let ending = arguments.output.as_ref().and_then(|file| file.extension()?.to_str());
    let format = arguments.format.unwrap_or(match ending {
        Some("svg") => Format::Svg,
        Some("json") => Format::Json,
        _ => Format::Dot,
    });
    let mut network = find(session, arguments)?;
    if !arguments.all_edges {
        network.leave_out_implied();
    }
    let text = match format {
        Format::Dot => dot::text(&network),
        Format::Svg => svg::text(&network),
        Format::Json => {
            serde_json::to_string_pretty(&network).expect("records of ours have text keys only") + "\n"
        }
    };
    match &arguments.output {
        None => session.print(text.trim_end()),
        Some(file) => std::fs::write(file, text).map_err(|error| Failure::io("write", file, &error)),
    }
}

fn find(session: &Session, arguments: &Arguments) -> Result<Network, Failure> {
    let texts = || arguments.target.attribute.iter().chain(&arguments.more);
    let are_objects = texts().any(|text| arguments.target.leads_to_object(text));
    if are_objects {
        let roots = texts().map(|text| object::named(session, text)).collect::<Result<Vec<_>, _>>()?;
        return of_objects(session.store(), roots, arguments.depth);
    }
    let (packages, derivations) = session.packages(&arguments.target, &arguments.more)?;
    if !arguments.runtime {
        let roots = packages.into_iter().map(|(_, package)| package.derivation).collect();
        return of_derivations(session.store(), &derivations, roots, arguments);
    }
    let mut roots = Vec::new();
    for (name, package) in packages {
        let found = session.store().hold_realisation(&package.derivation, &package.output)?;
        roots.push(found.ok_or_else(|| {
            let failure = Failure::new(Kind::Host, format!("`{name}` is not realised"));
            failure.hint(format!("`sx realise {name}` makes what `--runtime` looks at"))
        })?);
    }
    of_objects(session.store(), roots, arguments.depth)
}

fn of_objects(store: &Store, roots: Vec<StorePath>, depth: Option<usize>) -> Result<Network, Failure> {
    let closure = store.closure(&roots)?;
    let mut nodes = BTreeMap::new();
    for path in closure {
        let object = store.database().object(&path).map_err(StoreError::from)?;
        let object = object.expect("what a closure has is valid");
        let node = Node::new(&path, Some(object.size_bytes));
        nodes.insert(path, (node, object.references.into_iter().collect()));
    }
    Ok(Network::reached(&nodes, &roots, depth))
}

/// The graph of what `derivations` has; what a derivation isn't there for, the store's.
fn of_derivations(
    store: &Store,
    derivations: &Derivations,
    roots: Vec<StorePath>,
    arguments: &Arguments,
) -> Result<Network, Failure> {
    let mut nodes = BTreeMap::new();
    for (path, derivation) in derivations.iter() {
        let is_builtin = derivation.builder.starts_with(b"builtin:");
        // The seed is sx's doing as well, but nothing is less of a source.
        let is_source = is_builtin && derivation.builder != "builtin:hex0";
        if is_source && !arguments.sources && !roots.contains(path) {
            continue;
        }
        let mut size_bytes = None;
        if arguments.sizes {
            for output in derivation.outputs.keys() {
                let found = store.database().realisation(path, output).map_err(StoreError::from)?;
                let Some(found) = found else { continue };
                let object = store.database().object(&found).map_err(StoreError::from)?;
                size_bytes = Some(size_bytes.unwrap_or(0) + object.map_or(0, |object| object.size_bytes));
            }
        }
        let node = Node::new(path, size_bytes);
        nodes.insert(path.clone(), (node, derivation.input_derivations.keys().cloned().collect()));
    }
    Ok(Network::reached(&nodes, &roots, arguments.depth))
}

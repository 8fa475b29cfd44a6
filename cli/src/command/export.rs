//! `sx export`

use super::{Building, Target};
use crate::evaluation::Package;
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use sx_derivation::StorePath;
use sx_export::{Compression, Export, ImageConfig, Object, Reference};

/// Write a package and what it refers to as an OCI image
///
/// What a container of it runs is the package's attribute `image`: entrypoint, cmd (lists), env, labels (sets), workingDir,
/// user (strings), exposedPorts, volumes (lists), stopSignal (a string). Options come over it.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    building: Building,
    /// Where to write it
    #[arg(long, short, value_name = "FILE", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How to pack the layers
    #[arg(long, value_enum, default_value_t)]
    compression: Packing,
    /// Name and tag of the image [default: sx/ and the package's name, its version]
    #[arg(long, short, value_name = "NAME:TAG")]
    reference: Option<Reference>,
    /// The program and its first arguments, a word each time it is given
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    entrypoint: Vec<String>,
    /// Arguments that a user's own replace, a word each time it is given
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    cmd: Vec<String>,
    /// An environment variable; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// A label; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    label: Vec<(String, String)>,
    /// User, or user and group with a colon between
    #[arg(long)]
    user: Option<String>,
    /// Folder that the program starts in
    #[arg(long, value_name = "DIR")]
    working_dir: Option<String>,
    /// Print JSON: digests and sizes of the image and its layers
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// One file, both an OCI archive and a docker archive
    #[default]
    Archive,
    /// A folder in the OCI layout
    Layout,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Packing {
    #[default]
    Gzip,
    None,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let (package, derivations) = session.package(&arguments.target)?;
    let mut wanted = package.wanted();
    wanted.extend(package.image.iter().flat_map(|image| image.mentioned.iter().cloned()));
    if arguments.building.dry_run {
        let plan = session.plan(&arguments.building, &derivations, &wanted)?;
        let builds: Vec<String> = plan.builds.iter().map(ToString::to_string).collect();
        return if builds.is_empty() { Ok(()) } else { session.print(&builds.join("\n")) };
    }
    // Checked before anything is built: a wrong name shouldn't cost an hour.
    config(arguments, &package, str::to_owned)?;
    let paths = session.realise(&arguments.building, &derivations, &wanted)?;
    let realised: Vec<(String, String)> = wanted
        .iter()
        .zip(&paths)
        .map(|((derivation, output), path)| {
            Ok((derivation.placeholder(output)?.to_string(), path.to_string()))
        })
        .collect::<Result<_, sx_derivation::store_path::StorePathError>>()
        .map_err(sx_store::StoreError::from)?;
    let fill_in = |text: &str| {
        realised.iter().fold(text.to_owned(), |text, (placeholder, path)| text.replace(placeholder, path))
    };
    let config = config(arguments, &package, fill_in)?;
    let sources = package.image.iter().flat_map(|image| &image.sources);
    let roots: Vec<&StorePath> = paths.iter().chain(sources).collect();
    let objects = session.store().closure_in_order(roots)?.into_iter().map(|path| {
        let location = session.store().location(&path);
        Object { path, location }
    });
    let reference = arguments
        .reference
        .clone()
        .unwrap_or_else(|| Reference::of_package(&package.name, package.version.as_deref()));
    let export = Export {
        objects: objects.collect(),
        reference,
        config,
        compression: match arguments.compression {
            Packing::Gzip => Compression::Gzip,
            Packing::None => Compression::None,
        },
        format: match arguments.format {
            Format::Archive => sx_export::Format::Archive,
            Format::Layout => sx_export::Format::Layout,
        },
    };
    let output = arguments.output.as_deref().expect("clap asks for it unless it is a dry run");
    let report = export.write(output).map_err(Failure::from)?;
    if arguments.json {
        return session.print_json(&report);
    }
    session.print(&format!("{}@{}", report.reference, report.manifest_digest))
}

/// What a container runs: the package's attribute `image`, placeholders filled in, then the options.
fn config(
    arguments: &Arguments,
    package: &Package,
    fill_in: impl Fn(&str) -> String,
) -> Result<ImageConfig, Failure> {
    let failed = |error| Failure::new(Kind::Expression, chain(&error));
    let mut config = match &package.image {
        Some(image) => ImageConfig::from_json(&fill_in(&image.json)).map_err(failed)?,
        None => ImageConfig::default(),
    };
    if !arguments.entrypoint.is_empty() {
        config.entrypoint.clone_from(&arguments.entrypoint);
    }
    if !arguments.cmd.is_empty() {
        config.cmd.clone_from(&arguments.cmd);
    }
    config.env.extend(arguments.env.iter().cloned());
    config.labels.extend(arguments.label.iter().cloned());
    config.user = arguments.user.clone().or(config.user);
    config.working_dir = arguments.working_dir.clone().or(config.working_dir);
    config.check().map_err(failed)?;
    Ok(config)
}

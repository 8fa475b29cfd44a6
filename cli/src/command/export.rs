//! `sx export`

use super::{Building, Target};
use crate::failure::Failure;
use crate::image::ImageRequest;
use crate::session::{CheckDepth, Session};
use crate::signing::Trusted;
use crate::substitution::SubstitutionArguments;
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use sx_derivation::{Derivations, StorePath};
use sx_export::{Bill, Compression, Export, ImageConfig, Reference};

/// Write packages and what they refer to as an OCI image
///
/// ATTRIBUTE is a package, or an image of the language (`lib.image { … }`). Of several packages the first says what a
/// container runs: its attribute `image` has entrypoint, cmd (lists), env, labels (sets), workingDir, user (strings),
/// exposedPorts, volumes (lists), stopSignal (a string). Options come over it.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(flatten)]
    image: ImageArguments,
    /// Where to write it
    #[arg(long, short, value_name = "FILE", required_unless_present_any = ["dry_run", "push"])]
    output: Option<PathBuf>,
    /// Send it to a registry: `HOST/NAME:TAG`
    #[arg(long, value_name = "HOST/NAME:TAG", conflicts_with_all = ["output", "format", "json"])]
    push: Option<String>,
    #[command(flatten)]
    sending: super::push::Sending,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print JSON: digests and sizes of the image and its layers
    #[arg(long)]
    json: bool,
}

/// What an image is made of and how: the options of all verbs that make one.
#[derive(Clone, Debug, Args)]
pub struct ImageArguments {
    #[command(flatten)]
    target: Target,
    /// More packages for the same image
    #[arg(value_name = "ATTRIBUTE", id = "more")]
    more: Vec<String>,
    #[command(flatten)]
    pub building: Building,
    /// Where the image has its packages [default: what the image says, or store]
    #[arg(long, value_enum)]
    layout: Option<Layout>,
    /// How to pack the layers [default: gzip; none for a tar]
    #[arg(long, value_enum)]
    compression: Option<Packing>,
    /// How well to pack: 1 to 12 for gzip, 1 to 19 for zstd [default: 2]
    #[arg(long, value_name = "NUMBER")]
    level: Option<i32>,
    /// Threads that pack; the bytes don't depend on them [default: the number of cores]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
    /// Name and tag of the image [default: what the image says, or sx/ and the package's name, its version]
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
    /// Attach what the image is made of, or how it came to be; may be given several times, or with commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    attach: Vec<Attached>,
    /// Go on only if enough people attested what the packages came out as, by the trust file
    #[arg(long)]
    require_quorum: bool,
    #[command(flatten)]
    substitution: SubstitutionArguments,
}

/// A document about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attached {
    /// A bill of materials, CycloneDX 1.6
    Cyclonedx,
    /// A bill of materials, SPDX 2.3
    Spdx,
    /// An in-toto statement, SLSA provenance 1
    Provenance,
}

impl From<Attached> for sx_export::Document {
    fn from(kind: Attached) -> Self {
        match kind {
            Attached::Cyclonedx => Self::CycloneDx,
            Attached::Spdx => Self::Spdx,
            Attached::Provenance => Self::Provenance,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One file, both an OCI archive and a docker archive
    #[default]
    Archive,
    /// A folder in the OCI layout
    Layout,
    /// A docker archive alone
    Docker,
    /// The image's files alone, as one tar
    Tar,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Layout {
    /// At their store paths, with links to their programs in /bin
    Store,
    /// Their files at /bin, /lib and so on, for packages that refer to no store path
    Root,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Packing {
    Gzip,
    Zstd,
    None,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    if let Some(to) = &arguments.push {
        return super::push::send(session, &arguments.image, to, &arguments.sending);
    }
    let format = match arguments.format {
        Format::Archive => sx_export::Format::Archive,
        Format::Layout => sx_export::Format::Layout,
        Format::Docker => sx_export::Format::Docker,
        Format::Tar => sx_export::Format::Tree,
    };
    let Some(export) = arguments.image.realise(session, format)? else { return Ok(()) };
    let output = arguments.output.as_deref().expect("clap asks for it unless it is a dry run");
    let report = session.write_image(export, output)?;
    if arguments.json {
        return session.print_json(&report);
    }
    // What has no manifest has one layer, or an id.
    let digest = report.manifest_digest.or(report.image_id);
    let digest = digest.or_else(|| report.layers.first().map(|layer| layer.digest.clone()));
    session.print(&format!("{}@{}", report.reference, digest.unwrap_or_default()))
}

impl ImageArguments {
    /// A package as it is, without options.
    pub fn of_attribute(attribute: &str, building: Building) -> Self {
        Self {
            target: Target::of(attribute),
            more: Vec::new(),
            building,
            layout: None,
            compression: None,
            level: None,
            threads: None,
            reference: None,
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            label: Vec::new(),
            user: None,
            working_dir: None,
            attach: Vec::new(),
            require_quorum: false,
            // What is released or reproduced has to be built here.
            substitution: SubstitutionArguments::none(),
        }
    }

    /// The bill of materials of the image, and what it is called. Nothing for a dry run.
    pub fn bill(&self, session: &Session) -> Result<Option<(Bill, Reference)>, Failure> {
        let arguments = Self { attach: vec![Attached::Cyclonedx], ..self.clone() };
        let export = arguments.realise(session, sx_export::Format::Layout)?;
        Ok(export.map(|export| (export.bill, export.reference)))
    }

    /// Realises what the image needs. For a dry run prints what would be built, and gives nothing.
    pub fn realise(&self, session: &Session, format: sx_export::Format) -> Result<Option<Export>, Failure> {
        self.realise_request(session, &session.image(&self.target, &self.more)?, format)
    }

    /// Does what [`realise`](Self::realise) does with what the targets were evaluated to.
    pub fn realise_request(
        &self,
        session: &Session,
        request: &ImageRequest,
        format: sx_export::Format,
    ) -> Result<Option<Export>, Failure> {
        let wanted = request.wanted();
        if self.building.dry_run {
            let plan = session.plan(&self.building, &request.derivations, &wanted)?;
            let builds: Vec<String> = plan.builds.iter().map(ToString::to_string).collect();
            if !builds.is_empty() {
                session.print(&builds.join("\n"))?;
            }
            return Ok(None);
        }
        // Checked before anything is built: a wrong name shouldn't cost an hour.
        let mut spec = request.spec(str::to_owned)?;
        self.adjust(&mut spec.config);
        spec.check()?;
        request.reference(&spec)?;
        session.substitute(&self.substitution, &self.building, &request.derivations, &wanted)?;
        let paths = session.realise(&self.building, &request.derivations, &wanted)?;
        if self.require_quorum {
            self.check_quorum(session, &request.derivations, &wanted)?;
        }
        let image = session.realised_image(request, &paths, |config| self.adjust(config))?;
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let tree = format == sx_export::Format::Tree;
        let bill = match self.attach.is_empty() {
            true => Bill::default(),
            false => session.bill(&self.target, request, &image, &paths)?,
        };
        Ok(Some(Export {
            annotations: request.annotations(&image.spec),
            bill,
            attached: self.attach.iter().map(|kind| (*kind).into()).collect(),
            roots: image.spec.roots()?,
            files: image.spec.files(|text| locate(session, text))?,
            layout: match self.layout {
                Some(Layout::Store) => sx_export::Layout::Store,
                Some(Layout::Root) => sx_export::Layout::Root,
                None => image.spec.layout().unwrap_or_default(),
            },
            objects: image.objects,
            reference: self.reference.clone().unwrap_or(image.reference),
            config: image.spec.config,
            compression: match self.compression {
                Some(Packing::Gzip) => Compression::Gzip,
                Some(Packing::Zstd) => Compression::Zstd,
                Some(Packing::None) => Compression::None,
                None if tree => Compression::None,
                None => Compression::default(),
            },
            level: self.level,
            format,
            threads: self.threads.unwrap_or(processors),
            cache: cache(session.store().folder()),
        }))
    }

    /// Refuses outputs that not enough people attested. What they refer to is part of what was attested, since their store
    /// paths are in their content.
    fn check_quorum(
        &self,
        session: &Session,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<(), Failure> {
        let trusted = self.substitution.trust.read(session)?;
        let paths: BTreeSet<StorePath> = wanted.iter().map(|(path, _)| path.clone()).collect();
        let paths: Vec<StorePath> = paths.into_iter().collect();
        for (path, claim) in session.statements(&self.building, derivations, &paths, CheckDepth::LastStep)? {
            if wanted.contains(&(path, claim.output().to_owned())) {
                let verdict = trusted.judge(session, &claim)?.verdict;
                Trusted::require(&verdict, &format!("`{}`", claim.content()))?;
            }
        }
        Ok(())
    }

    fn adjust(&self, config: &mut ImageConfig) {
        if !self.entrypoint.is_empty() {
            config.entrypoint.clone_from(&self.entrypoint);
        }
        if !self.cmd.is_empty() {
            config.cmd.clone_from(&self.cmd);
        }
        config.env.extend(self.env.iter().cloned());
        config.labels.extend(self.label.iter().cloned());
        config.user = self.user.clone().or(config.user.take());
        config.working_dir = self.working_dir.clone().or(config.working_dir.take());
    }
}

/// The folder of kept layers; without one that can be written, none are kept.
fn cache(store: &Path) -> Option<PathBuf> {
    let folder = store.join("layers");
    let made = std::fs::create_dir_all(&folder);
    let is_writable = || rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_ok();
    (made.is_ok() && is_writable()).then_some(folder)
}

/// The file that a store path, or a path below one, names: in the same object, links followed.
fn locate(session: &Session, text: &str) -> Option<PathBuf> {
    let base = text.strip_prefix(sx_derivation::store_path::STORE_FOLDER)?.strip_prefix('/')?;
    let (base, below) = base.split_once('/').unwrap_or((base, ""));
    let object = session.store().location(&StorePath::parse_base_name(base).ok()?);
    let object = std::fs::canonicalize(object).ok()?;
    let file = if below.is_empty() { object.clone() } else { object.join(below) };
    let file = std::fs::canonicalize(file).ok()?;
    (file.starts_with(&object) && file.is_file()).then_some(file)
}

//! From what the user typed to a value or a package.

use crate::command::Target;
use crate::embedded;
use crate::failure::{Failure, Kind};
use crate::flake;
use crate::host::{Keeping, TreeHost};
use crate::session::Session;
use bstr::ByteSlice;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use sx_derivation::{Derivations, StorePath};
use sx_evaluator::context::Element;
use sx_evaluator::{
    Colour, Depth, DerivationOutput, ErrorKind, EvaluationError, Evaluator, HostError, Options, Outcome,
    Trace, Value, evaluate,
};
use sx_export::bill::Meta;

/// A derivation as the user meant it.
#[derive(Debug)]
pub struct Package {
    /// The derivation's path.
    pub derivation: StorePath,
    /// Which of its outputs.
    pub output: String,
    /// `pname`, else the derivation's name.
    pub name: String,
    /// `version`, if it is there.
    pub version: Option<String>,
    /// `image`, if it is there.
    pub image: Option<Image>,
    /// `meta`.
    pub meta: Meta,
    /// `meta.mainProgram`, if it is there.
    pub main_program: Option<String>,
}

/// What packages say of themselves, by the names of their derivations.
pub type Metas = BTreeMap<String, Meta>;

/// What the expression says of a package's image.
#[derive(Debug)]
pub struct Image {
    /// The attribute set as JSON; outputs are mentioned by their placeholders.
    pub json: String,
    /// The outputs mentioned.
    pub mentioned: Vec<(StorePath, String)>,
    /// The objects mentioned.
    pub sources: Vec<StorePath>,
}

impl Package {
    /// What to realise for it.
    pub fn wanted(&self) -> Vec<(StorePath, String)> {
        vec![(self.derivation.clone(), self.output.clone())]
    }
}

/// How to evaluate.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Exploring {
    /// Show the whole trace of an error
    #[arg(long)]
    show_trace: bool,
    /// Let the evaluation's values and expressions take so much memory, such as 500M or 2G [default: what the machine, its container or `ulimit -v` allows]
    #[arg(long, value_name = "SIZE", value_parser = crate::command::bytes)]
    max_memory: Option<u64>,
    /// Look `<NAME/…>` up in this folder, `<…>` if there is no name; may be given several times
    #[arg(long, short = 'I', value_name = "NAME=DIR")]
    include: Vec<String>,
}

impl Exploring {
    /// How much of an error's trace to show.
    pub const fn trace(&self) -> Trace {
        if self.show_trace { Trace::Whole } else { Trace::Short }
    }

    /// The limit that is given, or what may be taken.
    fn memory_limit_bytes(&self) -> u64 {
        self.max_memory.unwrap_or_else(crate::memory::available_bytes)
    }

    /// Prefixes and absolute folders.
    fn search_path(&self) -> Vec<(String, String)> {
        let entry = |text: &String| {
            let (prefix, folder) = text.split_once('=').unwrap_or(("", text));
            // Only an empty path can't be made absolute; nothing is found in it.
            let folder = std::path::absolute(folder).unwrap_or_else(|_| PathBuf::from(folder));
            (prefix.to_owned(), folder.to_string_lossy().into_owned())
        };
        self.include.iter().map(entry).collect()
    }
}

/// How to print a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of it, but derivations by their paths and functions by their places.
    Described,
    /// All of it.
    Strict,
    /// All of it, as JSON.
    Json,
    /// A string's own bytes.
    Raw,
}

/// What a target is evaluated for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To be shown: a function stays one unless there are arguments for it, as in Nix, so that `--apply` gets it.
    Value,
    /// To be realised: functions are called, and derivations kept.
    Packages,
}

/// Where the expression is.
enum Source {
    /// The outputs of the flake in a folder.
    Flake(PathBuf),
    /// A file.
    File(PathBuf),
    /// A text, with its name, relative to a folder.
    Text(&'static str, Vec<u8>, PathBuf),
}

impl Session {
    /// Evaluates and prints the target's value, after applying a function to it if there is one.
    pub fn value(&self, target: &Target, function: Option<&str>, form: Form) -> Result<String, Failure> {
        let (text, _) = self.evaluate_for(Purpose::Value, target, |evaluator, value, folder| {
            let value = match function {
                None => value,
                Some(function) => {
                    let function = evaluator.evaluate_text("--apply", function, folder)?;
                    evaluator.call(function, &[value])?
                }
            };
            let bytes = match form {
                Form::Described => evaluator.print(value, Depth::Described)?,
                Form::Strict => evaluator.print(value, Depth::Whole)?,
                Form::Json => evaluator.to_json(value)?.0,
                Form::Raw => evaluator.string_bytes(value)?.to_vec(),
            };
            Ok(bytes.to_str_lossy().into_owned())
        })?;
        Ok(text)
    }

    /// Evaluates the target, which has to be a derivation, and collects the derivations that it needs.
    pub fn package(&self, target: &Target) -> Result<(Package, Derivations), Failure> {
        let (found, derivations) =
            self.evaluate(target, |evaluator, value, _| match evaluator.derivation_output(value)? {
                Some(output) => Ok(Ok(package(evaluator, value, output)?)),
                None => Ok(Err(evaluator.attribute_names(value)?)),
            })?;
        let package = found.map_err(|names| {
            let what = target
                .attribute
                .as_ref()
                .map_or("the expression".into(), |attribute| format!("`{attribute}`"));
            let failure = Failure::new(Kind::Expression, format!("{what} is not a derivation"));
            if names.is_empty() {
                return failure;
            }
            let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
            let more = if names.len() > shown.len() { ", …" } else { "" };
            failure.hint(format!("name one of its attributes: {}{more}", shown.join(", ")))
        })?;
        Ok((package, derivations))
    }

    /// Evaluates the target and more attributes of the same expression, each of which has to be a derivation.
    pub fn each_package(
        &self,
        target: &Target,
        more: &[String],
    ) -> Result<(Vec<Package>, Derivations), Failure> {
        let (package, mut derivations) = self.package(target)?;
        let mut packages = vec![package];
        for attribute in more {
            let (package, made) =
                self.package(&Target { attribute: Some(attribute.clone()), ..target.clone() })?;
            packages.push(package);
            derivations.extend(made);
        }
        Ok((packages, derivations))
    }

    /// Evaluates the target and more attributes of the same expression: packages, or sets of packages, of which those
    /// directly in them are taken. Gives each with the path of its attribute, empty for the expression itself.
    pub fn packages(
        &self,
        target: &Target,
        more: &[String],
    ) -> Result<(Vec<(String, Package)>, Derivations), Failure> {
        let mut attributes = vec![target.attribute.clone()];
        attributes.extend(more.iter().cloned().map(Some));
        let (mut packages, mut derivations) = (Vec::new(), Derivations::new());
        for attribute in attributes {
            let target = Target { attribute: attribute.clone(), ..target.clone() };
            let path = attribute.unwrap_or_default();
            let (found, made) = self.evaluate(&target, |evaluator, value, _| {
                if let Some(package) = collect_package(evaluator, value)? {
                    return Ok(vec![(path.clone(), package)]);
                }
                let mut found = Vec::new();
                for name in evaluator.attribute_names(value)? {
                    let Some(value) = evaluator.find_attribute(value, &name)? else { continue };
                    if let Some(package) = collect_package(evaluator, value)? {
                        let dot = if path.is_empty() { "" } else { "." };
                        found.push((format!("{path}{dot}{name}"), package));
                    }
                }
                Ok(found)
            })?;
            if found.is_empty() {
                let what = target.attribute.as_deref().unwrap_or("the expression");
                let message = format!("`{what}` is neither a derivation nor a set with derivations in it");
                return Err(Failure::new(Kind::Expression, message));
            }
            packages.extend(found);
            derivations.extend(made);
        }
        Ok((packages, derivations))
    }

    /// Evaluates the target, works with its value, and collects the derivations that were made.
    pub fn evaluate<R: Send>(
        &self,
        target: &Target,
        work: impl for<'a> FnOnce(&Evaluator<'a>, Value<'a>, &[u8]) -> Outcome<'a, R> + Send,
    ) -> Result<(R, Derivations), Failure> {
        self.evaluate_for(Purpose::Packages, target, work)
    }

    fn evaluate_for<R: Send>(
        &self,
        purpose: Purpose,
        target: &Target,
        work: impl for<'a> FnOnce(&Evaluator<'a>, Value<'a>, &[u8]) -> Outcome<'a, R> + Send,
    ) -> Result<(R, Derivations), Failure> {
        let path = target.attribute.as_deref().map(flake::attribute_path).transpose()?.unwrap_or_default();
        let most_bytes = target.exploring.memory_limit_bytes();
        let source = self.source(target, most_bytes)?;
        let (folder, tree) = match &source {
            Source::Flake(folder) => (folder.clone(), folder.clone()),
            Source::File(file) => {
                let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
                let tree = flake::tree_around(&folder);
                (folder, tree)
            }
            Source::Text(_, _, folder) => (folder.clone(), flake::tree_around(folder)),
        };
        let keeping = match purpose {
            Purpose::Value => Keeping::Nothing,
            Purpose::Packages => Keeping::All,
        };
        let host = TreeHost::new(self.store(), tree, self.progress(), most_bytes, keeping);
        if purpose == Purpose::Packages {
            // While this process is small. What goes wrong is said by the first build, if there is one.
            let _ = sx_store::sandbox::prepare();
        }
        let options = self.options(&target.exploring);
        let folder = folder.as_os_str().as_bytes();
        let result = self.endable(|| {
            evaluate(&host, &options, |evaluator| {
                let arguments = arguments(evaluator, target, folder)?;
                let root = match &source {
                    Source::Flake(_) => evaluator.evaluate_text("flake outputs", flake::OUTPUTS, folder)?,
                    Source::File(file) => evaluator.evaluate_file(file.as_os_str().as_bytes())?,
                    Source::Text(name, text, _) => evaluator.evaluate_text(name, text, folder)?,
                };
                let path = match &source {
                    Source::Flake(_) => in_flake(evaluator, root, path)?,
                    _ => path,
                };
                let mut value = evaluator.select_path(root, &path, &arguments)?;
                if purpose == Purpose::Packages || !arguments.is_empty() {
                    value = evaluator.auto_call(value, &arguments)?;
                }
                work(evaluator, value, folder)
            })
        });
        let result = result.map_err(|error| explain(&error, &target.exploring, host.take_trouble()))?;
        Ok((result, host.into_derivations()))
    }

    /// Gives `work` an evaluator that may read the tree around the current folder, and that folder.
    pub fn explore<R: Send>(
        &self,
        exploring: &Exploring,
        work: impl for<'a> FnOnce(&Evaluator<'a>, &[u8]) -> Outcome<'a, R> + Send,
    ) -> Result<R, Failure> {
        let folder = flake::current_folder()?;
        let (tree, most_bytes) = (flake::tree_around(&folder), exploring.memory_limit_bytes());
        let host = TreeHost::new(self.store(), tree, self.progress(), most_bytes, Keeping::Nothing);
        let folder = folder.as_os_str().as_bytes();
        evaluate(&host, &self.options(exploring), |evaluator| work(evaluator, folder))
            .map_err(|error| explain(&error, exploring, host.take_trouble()))
    }

    fn options(&self, exploring: &Exploring) -> Options {
        let Options { stack_bytes: most, .. } = Options::default();
        let quarter = crate::memory::address_space_bytes().map_or(u64::MAX, |bytes| bytes / 4);
        Options {
            stack_bytes: usize::try_from(quarter).map_or(most, |quarter| quarter.min(most)),
            cancelled: Arc::clone(self.cancelled()),
            memory_limit_bytes: Some(usize::try_from(exploring.memory_limit_bytes()).unwrap_or(usize::MAX)),
            search_path: exploring.search_path(),
            ..Options::default()
        }
    }

    fn source(&self, target: &Target, most_bytes: u64) -> Result<Source, Failure> {
        if let Some(text) = &target.expression {
            return Ok(Source::Text("--expr", text.clone().into_bytes(), flake::current_folder()?));
        }
        let Some(file) = &target.file else {
            let here = flake::current_folder()?;
            let folder = flake::find(&here).map_or_else(|| embedded::folder(self.store()), Ok)?;
            // Without links, as the host compares with it.
            return std::fs::canonicalize(&folder)
                .map(Source::Flake)
                .map_err(|error| Failure::io("find", &folder, &error));
        };
        if file.as_os_str() == "-" {
            let mut bytes = Vec::new();
            // It may take for ever, or have no end.
            let read = || std::io::stdin().take(most_bytes.saturating_add(1)).read_to_end(&mut bytes);
            self.endable(read).map_err(|error| Failure::io("read", Path::new("standard input"), &error))?;
            if bytes.len() as u64 > most_bytes {
                let most_mebibytes = most_bytes >> 20;
                let error = HostError::TooLarge { most_mebibytes };
                return Err(Failure::new(Kind::Expression, format!("cannot read standard input: {error}")));
            }
            return Ok(Source::Text("standard input", bytes, flake::current_folder()?));
        }
        let missing = |error: std::io::Error| {
            let failure = Failure::io("read the expression", file, &error);
            if error.kind() == std::io::ErrorKind::NotFound { failure.of_expression() } else { failure }
        };
        let file = std::fs::canonicalize(file).map_err(missing)?;
        // As everywhere in the language, a folder stands for its default.nix.
        Ok(Source::File(if file.is_dir() { file.join("default.nix") } else { file }))
    }
}

/// The values of `--arg` and `--argstr`.
fn arguments<'a>(
    evaluator: &Evaluator<'a>,
    target: &Target,
    folder: &[u8],
) -> Outcome<'a, Vec<(String, Value<'a>)>> {
    let mut arguments = Vec::new();
    for pair in target.arg.chunks_exact(2) {
        arguments.push((pair[0].clone(), evaluator.evaluate_text("--arg", &pair[1], folder)?));
    }
    for pair in target.argstr.chunks_exact(2) {
        arguments.push((pair[0].clone(), evaluator.new_string(pair[1].as_bytes())));
    }
    Ok(arguments)
}

/// The path of an attribute from a flake's outputs: as it is given, or below one of the package sets.
fn in_flake<'a>(
    evaluator: &Evaluator<'a>,
    outputs: Value<'a>,
    path: Vec<String>,
) -> Outcome<'a, Vec<String>> {
    let Some(first) = path.first() else { return Ok(path) };
    if evaluator.find_attribute(outputs, first)?.is_some() {
        return Ok(path);
    }
    for set in flake::PACKAGE_SETS {
        let mut value = Some(outputs);
        for name in set.iter().copied().chain([first.as_str()]) {
            value = match value {
                Some(value) => evaluator.find_attribute(value, name)?,
                None => None,
            };
        }
        if value.is_some() {
            return Ok(set.iter().map(|&name| name.to_owned()).chain(path).collect());
        }
    }
    Ok(path)
}

fn package<'a>(
    evaluator: &Evaluator<'a>,
    value: Value<'a>,
    output: DerivationOutput,
) -> Outcome<'a, Package> {
    let text = |name: &str| -> Outcome<'a, Option<String>> {
        let Some(value) = evaluator.find_attribute(value, name)? else { return Ok(None) };
        Ok(Some(evaluator.string_bytes(value)?.to_str_lossy().into_owned()))
    };
    let image = evaluator.find_attribute(value, "image")?;
    let image = image.map(|image| collect_image(evaluator, image)).transpose()?;
    let derivation_name = output.derivation.plain_name().to_owned();
    let meta = evaluator.find_attribute(value, "meta")?;
    let main_program = match meta {
        Some(meta) => evaluator.find_attribute(meta, "mainProgram")?,
        None => None,
    };
    let main_program = main_program.map(|name| evaluator.string_bytes(name)).transpose()?;
    Ok(Package {
        main_program: main_program.map(|name| name.to_str_lossy().into_owned()),
        meta: meta.map(|value| meta_of(evaluator, value)).transpose()?.unwrap_or_default(),
        name: text("pname")?.unwrap_or(derivation_name),
        version: text("version")?,
        image,
        derivation: output.derivation,
        output: output.output,
    })
}

/// What is known of a package, if the value is one.
pub fn collect_package<'a>(evaluator: &Evaluator<'a>, value: Value<'a>) -> Outcome<'a, Option<Package>> {
    let output = evaluator.derivation_output(value)?;
    output.map(|output| package(evaluator, value, output)).transpose()
}

/// What each package in a set says of itself. One that can't be evaluated says nothing.
pub fn collect_metas<'a>(evaluator: &Evaluator<'a>, set: Value<'a>) -> Outcome<'a, Metas> {
    let mut metas = Metas::new();
    let found = |name: &str| -> Outcome<'a, Option<(String, Meta)>> {
        let Some(package) = evaluator.find_attribute(set, name)? else { return Ok(None) };
        let Some(meta) = evaluator.find_attribute(package, "meta")? else { return Ok(None) };
        let Some(name) = evaluator.find_attribute(package, "name")? else { return Ok(None) };
        let name = evaluator.string_bytes(name)?.to_str_lossy().into_owned();
        Ok(Some((name, meta_of(evaluator, meta)?)))
    };
    for name in evaluator.attribute_names(set)? {
        if let Ok(Some((name, meta))) = found(&name) {
            metas.insert(name, meta);
        }
    }
    Ok(metas)
}

/// `meta`; of what isn't as it should be, nothing is known.
fn meta_of<'a>(evaluator: &Evaluator<'a>, value: Value<'a>) -> Outcome<'a, Meta> {
    let (json, _) = evaluator.to_json(value)?;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let texts = |name: &str| -> Vec<String> {
        let items = json.get(name).and_then(serde_json::Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let licences = texts("license");
    let several = (!licences.is_empty()).then(|| licences.join(" AND "));
    Ok(Meta {
        description: text("description"),
        homepage: text("homepage"),
        licence: text("license").or(several),
        cpe: text("cpe"),
        platforms: texts("platforms"),
    })
}

/// An attribute set as JSON, with all that it mentions.
pub fn collect_image<'a>(evaluator: &Evaluator<'a>, value: Value<'a>) -> Outcome<'a, Image> {
    let (json, context) = evaluator.to_json(value)?;
    let (mut mentioned, mut sources) = (Vec::new(), Vec::new());
    // Only paths that the evaluator itself made are in a context.
    let parse = |path: &str| StorePath::parse(path).expect("a context holds store paths");
    for element in context.elements() {
        match element {
            Element::Output { derivation, output } => {
                mentioned.push((parse(derivation), (*output).to_owned()))
            }
            Element::Object(path) => sources.push(parse(path)),
            Element::Closure(_) => {}
        }
    }
    Ok(Image { json: json.to_str_lossy().into_owned(), mentioned, sources })
}

/// `trouble` is what the machine is to blame for, if something is.
fn explain(error: &EvaluationError, exploring: &Exploring, trouble: Option<Failure>) -> Failure {
    let EvaluationError::Wrong(diagnostic) = error else {
        return Failure::new(Kind::Host, crate::failure::chain(error));
    };
    if diagnostic.kind() == ErrorKind::Cancelled {
        return Failure::new(Kind::Interrupted, "interrupted");
    }
    let text = diagnostic.render(colour(), exploring.trace());
    match trouble.filter(|_| diagnostic.kind() == ErrorKind::File) {
        Some(trouble) => trouble.with_message(text),
        None => Failure::new(Kind::Expression, text),
    }
}

/// Whether errors are coloured.
pub fn colour() -> Colour {
    if std::io::stderr().is_terminal() && crate::has_colour() { Colour::On } else { Colour::Off }
}

//! The verbs, and the options that they share.

mod attest;
mod attestation;
mod check;
mod chosen;
mod completions;
mod develop;
mod diff;
mod doc;
mod enter;
mod eval;
mod export;
mod gc;
mod graph;
mod image;
mod key;
mod log;
mod object;
mod path_info;
mod policy;
pub mod pull;
mod push;
mod quantity;
mod realise;
mod release;
mod repl;
mod reproduce;
mod run;
mod sbom;
mod seeds;
mod shell;
mod sign;
mod store;
mod verify;
mod why_depends;

pub use quantity::{bytes, show_bytes};

use crate::evaluation::Exploring;
use crate::failure::Failure;
use crate::progress::Verbosity;
use crate::session::Session;
use crate::surroundings::Surroundings;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Evaluates packages, realises them in sandboxes from a seed of about 200 bytes, and exports them as OCI images.
///
/// ATTRIBUTE is a path such as `pkgs.hello` into the outputs of the nearest flake.nix, from here upward; outside any
/// flake, into the package set that sx carries.
#[derive(Debug, Parser)]
#[command(name = "sx", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    general: General,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 the answer is no, 2 usage or configuration, 3 the expression, 4 a source, 5 a build, \
                          6 the host or the store, 7 a damaged store, 130 interrupted, 141 nobody reads standard output";

#[derive(Debug, Subcommand)]
enum Verb {
    Eval(eval::Arguments),
    Repl(repl::Arguments),
    Doc(doc::Arguments),
    Realise(realise::Arguments),
    Run(run::Arguments),
    Shell(shell::Arguments),
    Develop(Box<develop::Arguments>),
    Check(check::Arguments),
    Export(Box<export::Arguments>),
    Push(Box<push::Arguments>),
    Pull(pull::Arguments),
    Image(image::Arguments),
    Sbom(Box<sbom::Arguments>),
    Key(key::Arguments),
    Attest(Box<attest::Arguments>),
    Attestation(attestation::Arguments),
    Verify(Box<verify::Arguments>),
    Sign(Box<sign::Arguments>),
    Policy(policy::Arguments),
    Release(Box<release::Arguments>),
    Reproduce(Box<reproduce::Arguments>),
    Gc(gc::Arguments),
    Store(store::Arguments),
    Log(log::Arguments),
    PathInfo(path_info::Arguments),
    WhyDepends(why_depends::Arguments),
    Graph(Box<graph::Arguments>),
    Diff(Box<diff::Arguments>),
    Seeds(seeds::Arguments),
    Completions(completions::Arguments),
    Enter(enter::Arguments),
}

/// Options of every verb.
#[derive(Debug, Args)]
pub struct General {
    /// Folder of the store [env: SX_STORE] [default: sx in the user's data folder]; what makes no objects makes no store there
    /// either
    #[arg(long, global = true, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Show what builders print
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Show errors only
    #[arg(long, short, global = true)]
    quiet: bool,
}

impl General {
    /// How much to tell.
    pub const fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Builders,
            _ => Verbosity::Normal,
        }
    }
}

/// What to evaluate.
#[derive(Clone, Debug, Default, Args)]
pub struct Target {
    /// Path of attributes, such as pkgs.hello
    #[arg(value_name = "ATTRIBUTE")]
    pub attribute: Option<String>,
    /// Take the attribute from the expression in this file; `-` is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "expression")]
    pub file: Option<PathBuf>,
    /// Take the attribute from this expression
    #[arg(long = "expr", short = 'E', value_name = "EXPRESSION")]
    pub expression: Option<String>,
    /// Give the function that the expression is an argument: a name and an expression
    #[arg(long, num_args = 2, value_names = ["NAME", "EXPRESSION"])]
    pub arg: Vec<String>,
    /// Give the function that the expression is an argument: a name and a string
    #[arg(long, num_args = 2, value_names = ["NAME", "STRING"])]
    pub argstr: Vec<String>,
    #[command(flatten)]
    pub exploring: Exploring,
}

impl Target {
    /// Whether `text`, the attribute or one more, is no attribute but leads to an object of the store.
    pub fn leads_to_object(&self, text: &str) -> bool {
        self.file.is_none() && self.expression.is_none() && text.contains('/')
    }

    /// An attribute of what is evaluated by default.
    pub fn of(attribute: &str) -> Self {
        Self { attribute: Some(attribute.into()), ..Self::default() }
    }
}

/// How to realise.
#[derive(Clone, Debug, Args)]
pub struct Building {
    /// Most builds at a time [default: the number of cores]
    #[arg(long, short, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Cores that each build is told to use [default: all]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub cores: Option<u16>,
    /// Stop a build after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_TIMEOUT)]
    pub timeout: u64,
    /// Stop a build that prints nothing for this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub max_silent_time: Option<u64>,
    /// Stop a build whose processes have more memory than this together, such as 4G
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub limit_memory: Option<u64>,
    /// Stop a build that has more processes and threads than this
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_processes: Option<u64>,
    /// Stop a build whose files take more than this, its outputs included
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub limit_disk: Option<u64>,
    /// Refuse outputs that are larger than this
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub limit_output: Option<u64>,
    /// Look for sources in this folder first; may be given several times
    #[arg(long = "source-folder", value_name = "DIR")]
    pub source_folders: Vec<PathBuf>,
    /// Base address of a Debian archive, tried before those of the host's apt; may be given several times
    #[arg(long = "debian-mirror", value_name = "URL")]
    pub debian_mirrors: Vec<String>,
    /// Address of a registry that has the crates of crates.io, as `dl` in an index's config.json, tried before it; may be
    /// given several times
    #[arg(long = "crate-registry", value_name = "URL")]
    pub crate_registries: Vec<String>,
    /// Print what would be built, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// After a failure, go on with what doesn't need it
    #[arg(long)]
    pub keep_going: bool,
    /// Leave the folders of failed builds for you to look at, in the store's folder `failed`, and their inputs in the store, until
    /// you remove them
    #[arg(long)]
    pub keep_failed: bool,
}

impl Default for Building {
    /// As without any option.
    fn default() -> Self {
        Self {
            jobs: None,
            cores: None,
            timeout: DEFAULT_TIMEOUT,
            max_silent_time: None,
            source_folders: Vec::new(),
            debian_mirrors: Vec::new(),
            crate_registries: Vec::new(),
            limit_memory: None,
            limit_processes: None,
            limit_disk: None,
            limit_output: None,
            dry_run: false,
            keep_going: false,
            keep_failed: false,
        }
    }
}

/// Seconds after which a build is stopped.
const DEFAULT_TIMEOUT: u64 = 6 * 3600;

/// Runs the verb. Gives its exit code where that is another program's.
pub fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { general, verb } = arguments;
    let done = match verb {
        Verb::Develop(arguments) => return develop::run(&Session::new(&general)?, &arguments),
        Verb::Eval(arguments) => eval::run(&Session::new(&general)?, &arguments),
        Verb::Repl(arguments) => repl::run(&Session::new(&general)?, &arguments),
        Verb::Doc(arguments) => doc::run(&arguments),
        Verb::Realise(arguments) => realise::run(&Session::new(&general)?, &arguments),
        Verb::Run(arguments) => run::run(&general, &arguments),
        Verb::Shell(arguments) => shell::run(&general, &arguments),
        Verb::Check(arguments) => check::run(&Session::new(&general)?, &arguments),
        Verb::Export(arguments) => export::run(&Session::new(&general)?, &arguments),
        Verb::Push(arguments) => push::run(&Session::new(&general)?, &arguments),
        Verb::Pull(arguments) => pull::run(&Session::new(&general)?, &arguments),
        Verb::Image(arguments) => image::run(&general, &arguments),
        Verb::Sbom(arguments) => sbom::run(&Session::new(&general)?, &arguments),
        Verb::Key(arguments) => key::run(&Surroundings::new(&general)?, &arguments),
        Verb::Attest(arguments) => attest::run(&Session::new(&general)?, &arguments),
        Verb::Attestation(arguments) => attestation::run(&general, &arguments),
        Verb::Verify(arguments) => verify::run(&general, &arguments),
        Verb::Sign(arguments) => sign::run(&Surroundings::new(&general)?, &arguments),
        Verb::Policy(arguments) => policy::run(&Surroundings::new(&general)?, &arguments),
        Verb::Release(arguments) => release::run(&Session::new(&general)?, &arguments),
        Verb::Reproduce(arguments) => reproduce::run(&Session::new(&general)?, &arguments),
        Verb::Gc(arguments) => gc::run(&arguments.session(&general)?, &arguments),
        Verb::Store(arguments) => store::run(&general, &arguments),
        Verb::Log(arguments) => log::run(&Session::of_what_is_there(&general)?, &arguments),
        Verb::PathInfo(arguments) => path_info::run(&Session::of_what_is_there(&general)?, &arguments),
        Verb::Graph(arguments) => graph::run(&general, &arguments),
        Verb::Diff(arguments) => diff::run(&general, &arguments),
        Verb::WhyDepends(arguments) => why_depends::run(&Session::of_what_is_there(&general)?, &arguments),
        Verb::Seeds(arguments) => seeds::run(&Session::new(&general)?, &arguments),
        Verb::Completions(arguments) => completions::run(&arguments),
        Verb::Enter(arguments) => enter::run(&arguments),
    };
    done.map(|()| ExitCode::SUCCESS)
}

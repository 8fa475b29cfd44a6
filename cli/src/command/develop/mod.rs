//! `sx develop`

mod profile;
mod shell;

use super::{Building, Target};
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use crate::terminal::Terminal;
use bstr::BString;
use clap::Args;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use sx_store::sandbox::{self, Exit, Folders, Limits, Visit};
use sx_store::site::{KeptError, Site};

/// Start a shell where a package is built: with its inputs, its variables and its view of the system, without network
///
/// The package's inputs are realised, not the package. The shell is the one that builds it, or the first that is found among
/// its inputs. `genericBuild` runs the build as sx would; for packages on pkgs/stdenv the phases are functions: unpackPhase,
/// buildPhase and so on. Outputs go to `$out`. What is made there is gone at the end. The exit code is the shell's.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    building: Building,
    /// Enter a failed build that `--keep-failed` kept, as the builder left it: its folder, or the folder's name in the store's folder
    /// `failed`. What is changed there stays
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["attribute", "file", "expression"])]
    failed: Option<PathBuf>,
    /// Take this shell: a package or store path with bin/bash or bin/sh, or a static program of the host, such as /bin/busybox
    #[arg(long, value_name = "SHELL")]
    shell: Option<String>,
    /// Run this command in the shell, with all arguments that follow, and end; a single word is read as the shell's text. If the
    /// build's shell ends at the first error, so does this one
    #[arg(long, short, value_names = ["COMMAND", "ARGUMENT"], num_args = 1.., allow_hyphen_values = true)]
    command: Vec<OsString>,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (mut site, folders) = match &arguments.failed {
        Some(folder) => (kept(session, &arguments.building, folder)?, Folders::Kept),
        None => {
            let (package, derivations) = session.package(&arguments.target)?;
            if arguments.building.dry_run {
                let plan = session.plan(&arguments.building, &derivations, &package.wanted())?;
                let builds = plan.builds.iter().filter(|path| **path != package.derivation);
                let builds: Vec<String> = builds.map(ToString::to_string).collect();
                if !builds.is_empty() {
                    session.print(&builds.join("\n"))?;
                }
                return Ok(ExitCode::SUCCESS);
            }
            (session.site(&arguments.building, &derivations, &package.derivation)?, Folders::New)
        }
    };
    let name = site.derivation.name.clone();
    if let Some(builtin) = site.sandbox.program.strip_prefix(b"builtin:") {
        let builtin = String::from_utf8_lossy(builtin);
        let message = format!("`{name}` is made by sx itself (`builtin:{builtin}`), not in a sandbox");
        return Err(Failure::new(Kind::Expression, message));
    }
    let shell = shell::choose(session, arguments, &mut site)?;
    let profile = profile::text(&name, &site.sandbox);
    let ends_at_errors = profile::is_shell(&site.sandbox.program)
        && site.sandbox.arguments.iter().any(|word| word.starts_with(b"-") && word.contains(&b'e'));
    let terminal = if arguments.command.is_empty() { Terminal::new()? } else { None };
    let mut words: Vec<BString> = vec!["-l".into()];
    if !arguments.command.is_empty() {
        if ends_at_errors {
            words.push("-e".into());
        }
        words.extend(["-c".into(), profile::COMMAND.into(), "sh".into()]);
        words.extend(arguments.command.iter().map(|word| BString::from(word.clone().into_vec())));
    }
    let inherited = inherited()?;
    let visit = Visit {
        profile,
        console: match &terminal {
            Some(terminal) => terminal.console(),
            None => inherited.each_ref().map(AsRawFd::as_raw_fd),
        },
        terminal: match terminal {
            Some(_) => sandbox::Terminal::Own,
            None => sandbox::Terminal::None,
        },
        folders,
    };
    site.sandbox.program = shell;
    site.sandbox.arguments = words;
    // A person has all the time in the world, and prints past the log.
    site.sandbox.limits = Limits { time: None, silence: None, ..Limits::default() };
    site.sandbox.visit = Some(visit);
    let exit = visit_site(session, &site, terminal.as_ref());
    drop(terminal);
    Ok(ExitCode::from(match exit? {
        Exit::Code(code) => u8::try_from(code).unwrap_or(u8::MAX),
        // As shells do.
        Exit::Signal(signal) => 128u8.saturating_add(u8::try_from(signal).unwrap_or(u8::MAX)),
    }))
}

fn visit_site(session: &Session, site: &Site, terminal: Option<&Terminal>) -> Result<Exit, Failure> {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let relay = terminal.map(|terminal| scope.spawn(|| terminal.relay(&ended)));
        let exit = sandbox::run(&site.sandbox, session.cancelled(), |_| {});
        ended.store(true, Ordering::Release);
        let relayed = relay.map_or(Ok(Ok(())), std::thread::ScopedJoinHandle::join);
        let exit = exit.map_err(|error| failure_of(&site.derivation.name, &error))?;
        match relayed.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Ok(()) => Ok(exit),
            Err(error) => {
                Err(Failure::io("carry bytes to and from", Path::new("the terminal"), &error.into()))
            }
        }
    })
}

fn failure_of(name: &str, error: &sandbox::SandboxError) -> Failure {
    let kind = match error {
        sandbox::SandboxError::Interrupted => return Failure::new(Kind::Interrupted, "interrupted"),
        _ => Kind::Host,
    };
    let failure = Failure::new(kind, format!("`{name}`: {}", chain(error)));
    match error {
        sandbox::SandboxError::Execute { .. } => {
            failure.hint("a shell from the host has to be a static program, such as busybox")
        }
        _ => match crate::failure::sandbox_hint(error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
    }
}

/// Copies of our own standard input, output and error, whose numbers nothing else gets.
fn inherited() -> Result<[OwnedFd; 3], Failure> {
    let copy = |descriptor: std::os::fd::BorrowedFd<'_>| {
        descriptor.try_clone_to_owned().map_err(|error| {
            Failure::io("copy the descriptor of", Path::new("standard input or output"), &error)
        })
    };
    let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    Ok([copy(input.as_fd())?, copy(output.as_fd())?, copy(errors.as_fd())?])
}

fn kept(session: &Session, building: &Building, folder: &Path) -> Result<Site, Failure> {
    let failed = session.store().folder().join("failed");
    let is_name = folder.components().count() == 1 && !folder.is_absolute();
    let place = if is_name { failed.join(folder) } else { folder.to_owned() };
    let place = std::path::absolute(&place).map_err(|error| Failure::io("find", &place, &error))?;
    session.kept_site(building, &place).map_err(|error| {
        let failure = match error {
            KeptError::Build(failure) => return Failure::new(Kind::Host, chain(&*failure)),
            error => Failure::new(Kind::Usage, chain(&error)),
        };
        let mut names: Vec<String> = std::fs::read_dir(&failed)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        match names.as_slice() {
            [] => failure.hint("no failed build is kept: `sx realise --keep-failed` keeps them"),
            names => failure.hint(format!("kept are {}", names.join(", "))),
        }
    })
}

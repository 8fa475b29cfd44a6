//! `sx enter`, which `sx run` and `sx shell` become on their way: a process that still has one thread can be put where the
//! store is at `/sx/store`.

use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use clap::Args;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use sx_store::enter::EnterError;

/// Run a program where `/sx/store` is the store in this folder
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct Arguments {
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[arg(value_name = "PROGRAM")]
    program: OsString,
    #[arg(value_name = "ARGUMENT", allow_hyphen_values = true, trailing_var_arg = true)]
    arguments: Vec<OsString>,
}

/// Becomes the program, with these variables set as well: its exit code is this process's, and signals reach it. What the
/// session holds stays held until it ends.
pub fn become_program(
    session: &Session,
    program: &OsStr,
    arguments: &[OsString],
    variables: &BTreeMap<&str, OsString>,
) -> Result<(), Failure> {
    session.store().let_programs_hold()?;
    session.progress().clear();
    sx_store::sandbox::end();
    let own = Path::new("/proc/self/exe");
    let mut command = Command::new(own);
    // `--`, since a program's name may begin with a dash.
    command.arg("enter").arg("--").arg(session.store().folder()).arg(program).args(arguments).envs(variables);
    Err(Failure::io("start", own, &command.exec()))
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    sx_store::enter::enter(&arguments.folder)?;
    let error = Command::new(&arguments.program).args(&arguments.arguments).exec();
    let program = Path::new(&arguments.program);
    let failure = Failure::io("run", program, &error);
    Err(match error.kind() {
        std::io::ErrorKind::NotFound if program.is_absolute() => {
            failure.hint("the file is missing, or what it names as its interpreter is")
        }
        std::io::ErrorKind::NotFound => {
            failure.hint("there is no such program in PATH: `sx shell PACKAGE` shows what a package brings")
        }
        _ => failure,
    })
}

impl From<EnterError> for Failure {
    fn from(error: EnterError) -> Self {
        let failure = Self::new(Kind::Host, chain(&error));
        match error {
            EnterError::NoUserNamespace(_) => failure.hint(crate::failure::ALLOW_USER_NAMESPACES),
            EnterError::Step { source, .. } if source.raw_os_error() == Some(38) => {
                failure.hint("sx needs Linux 5.12 or later")
            }
            EnterError::Step { .. } => failure,
        }
    }
}

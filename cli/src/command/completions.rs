//! `sx completions`

use crate::failure::Failure;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a script that completes sx's words in a shell
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut command = super::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "sx", &mut std::io::stdout());
    Ok(())
}

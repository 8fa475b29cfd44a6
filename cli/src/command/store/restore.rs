//! `sx store restore`

use super::import::standard_input;
use crate::failure::{Failure, Kind, chain};
use clap::Args;
use std::path::PathBuf;
use sx_store::archive::{Input, RestoreError, restore_alone};

/// Make the files of an archive from standard input, in a place of your own
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to: nothing may be there yet
    #[arg(value_name = "PLACE")]
    place: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let input = Input::new(standard_input()?);
    restore_alone(input, &arguments.place).map_err(|error| match &error {
        RestoreError::Archive(_) => Failure::new(Kind::Source, chain(&error)),
        RestoreError::Write { source, path } if source.kind() == std::io::ErrorKind::AlreadyExists => {
            Failure::new(Kind::Usage, format!("`{}` is there already", path.display()))
        }
        RestoreError::Write { source, path } => Failure::io("write", path, source),
    })
}

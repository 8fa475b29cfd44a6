//! `sx key`

use crate::failure::{Failure, Kind};
use crate::signing::{of, read_file};
use crate::surroundings::Surroundings;
use clap::{Args, Subcommand};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use sx_signing::MachineSecret;

/// Make keys for machines, and show them
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an Ed25519 key, and print its public part for a trust file
    Generate {
        /// Where to write the secret key, which only you can read; it has no passphrase
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Print the public part of a key file
    Show {
        /// The key file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// As PEM, for cosign and the container tools
        #[arg(long)]
        pem: bool,
    },
}

pub fn run(surroundings: &Surroundings, arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        Verb::Generate { output } => {
            let mut seed = [0; 32];
            let random = Path::new("/dev/urandom");
            File::open(random)
                .and_then(|mut file| file.read_exact(&mut seed))
                .map_err(|error| Failure::io("read", random, &error))?;
            let key = MachineSecret::from_seed(seed);
            let mut options = OpenOptions::new();
            // Never over a key that somebody signs with.
            let file = options.write(true).create_new(true).mode(0o600).open(output);
            file.and_then(|mut file| {
                writeln!(file, "{}", key.to_secret_text())?;
                file.sync_all()
            })
            .map_err(|error| Failure::io("write the key", output, &error))?;
            surroundings.print(&key.public().to_string())
        }
        Verb::Show { file, pem } => {
            let text = String::from_utf8(read_file(file, 4096)?);
            let text = text.map_err(of(Kind::Usage))?;
            let key = MachineSecret::parse(&text).map_err(of(Kind::Usage))?.public();
            surroundings.print(if *pem { key.to_pem() } else { key.to_string() }.trim_end())
        }
    }
}

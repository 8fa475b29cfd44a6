//! `sx sbom`

use super::export::ImageArguments;
use crate::failure::Failure;
use crate::session::Session;
use clap::{Args, ValueEnum};
use sx_export::Document;

/// Print what an image of packages is made of: names, versions, licences, sources with their hashes, patches
///
/// The closure is realised first, since only then it is known. `sx export --attach` puts the same into an image.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(flatten)]
    image: ImageArguments,
    /// Of which kind
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// CycloneDX 1.6
    #[default]
    Cyclonedx,
    /// SPDX 2.3
    Spdx,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let Some((bill, reference)) = arguments.image.bill(session)? else { return Ok(()) };
    let kind = match arguments.format {
        Format::Cyclonedx => Document::CycloneDx,
        Format::Spdx => Document::Spdx,
    };
    let document = bill.document(kind, &reference).unwrap_or_default();
    session.print(&String::from_utf8_lossy(&document))
}

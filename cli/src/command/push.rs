//! `sx push`

use super::export::ImageArguments;
use crate::failure::Failure;
use crate::registry::RegistryArguments;
use crate::session::Session;
use crate::temporary::Temporary;
use clap::Args;
use sx_export::Reference;
use sx_registry::{Address, Tagged};

/// Send an image of packages to a registry, as far as it isn't there
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    image: ImageArguments,
    /// Where to
    #[arg(long, value_name = "HOST/NAME:TAG")]
    to: String,
    #[command(flatten)]
    sending: Sending,
}

/// How to send an image.
#[derive(Debug, Args)]
pub struct Sending {
    /// Repository of the same registry that layers may be taken from; may be given several times
    #[arg(long, value_name = "NAME")]
    mount_from: Vec<String>,
    /// Let the tag lead to an index that says the image's platform, as images of several platforms have one
    #[arg(long)]
    index: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    send(session, &arguments.image, &arguments.to, &arguments.sending)
}

/// Makes an image and sends it, as far as it isn't there.
pub fn send(session: &Session, image: &ImageArguments, to: &str, sending: &Sending) -> Result<(), Failure> {
    let address: Address = to.parse()?;
    let Some(mut export) = image.realise(session, sx_export::Format::Layout)? else {
        return Ok(());
    };
    let name = format!("{}/{}", address.registry, address.repository);
    export.reference = Reference::new(&name, &address.tag).map_err(sx_registry::RegistryError::from)?;
    let folder = Temporary::new(session.store())?;
    let report = session.write_image(export, &folder)?;
    let mounts = sending.mount_from.clone();
    let tagged = if sending.index { Tagged::Index } else { Tagged::Manifest };
    let pushed =
        session.with_registry(&sending.registry, &address, mounts, |client| client.push(&folder, tagged))?;
    session.progress().tell(&format!("sx: sent {} blobs, {} bytes", pushed.sent, pushed.sent_bytes));
    session.print(&format!("{}@{}", report.reference, pushed.manifest_digest))
}

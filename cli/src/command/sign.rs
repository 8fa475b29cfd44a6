//! `sx sign`

use crate::failure::{Failure, Kind};
use crate::registry::RegistryArguments;
use crate::signing::{KeyArguments, claim, claim_of};
use crate::surroundings::Surroundings;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use sx_export::read::Image;
use sx_registry::Address;
use sx_signing::ImageClaim;

/// Sign an image, so that container tools and `sx verify` can count who vouches for it
///
/// IMAGE is in a registry, or an OCI archive or layout, which is then signed under the name that `--as` gives. Sign what you
/// built yourself: `sx reproduce` does all of it.
#[derive(Debug, Args)]
#[command(long_about)]
#[command(group(clap::ArgGroup::new("where").required(true).args(["lookaside", "attach"])))]
pub struct Arguments {
    /// HOST/NAME:TAG, or an archive or layout
    #[arg(value_name = "IMAGE")]
    image: String,
    #[command(flatten)]
    key: KeyArguments,
    /// The name that the image has, or will have, in a registry
    #[arg(long = "as", value_name = "HOST/NAME:TAG")]
    name: Option<String>,
    /// Write an OpenPGP signature to this folder, in the form of podman and skopeo: NAME@sha256=DIGEST/signature-1
    #[arg(long, value_name = "DIR")]
    lookaside: Option<PathBuf>,
    /// Put the signature beside the image in its registry: an Ed25519 key's in cosign's form, an OpenPGP key's as sx reads it
    #[arg(long)]
    attach: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

pub fn run(surroundings: &Surroundings, arguments: &Arguments) -> Result<(), Failure> {
    let secret = arguments.key.secret(surroundings)?;
    let claim = read_claim(surroundings, &arguments.image, arguments.name.as_deref(), &arguments.registry)?;
    if let Some(folder) = &arguments.lookaside {
        let signature = secret.sign_image(&claim, SystemTime::now())?;
        let file = claim.add_signature(folder, &signature);
        let file = file.map_err(|error| Failure::io("write the signature to", folder, &error))?;
        return surroundings.print(&file.display().to_string());
    }
    surroundings.attach_signature(&arguments.registry, &claim, &secret)?;
    surroundings.print(&format!("{}@{}", claim.name, claim.digest()))
}

/// The image that a text names, as it is signed.
pub fn read_claim(
    surroundings: &Surroundings,
    text: &str,
    name: Option<&str>,
    registry: &RegistryArguments,
) -> Result<ImageClaim, Failure> {
    let path = Path::new(text);
    if !path.exists() {
        let address: Address = text.parse()?;
        let found = claim_of(surroundings, registry, &address)?;
        return match name {
            Some(name) => claim(name, found.digest()),
            None => Ok(found),
        };
    }
    let image = Image::open(path, None)?;
    let digest = image.manifest_digest.ok_or_else(|| {
        Failure::new(Kind::Usage, format!("`{text}` is a docker archive, which has no manifest to sign"))
            .hint("export it as an OCI archive or layout")
    })?;
    let name = name.map(str::to_owned).or(image.reference).unwrap_or_default();
    claim(&name, &digest.to_string())
        .map_err(|failure| failure.hint("say what it is called in a registry: `--as HOST/NAME:TAG`"))
}

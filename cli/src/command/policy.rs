//! `sx policy`

use crate::failure::{Failure, Kind};
use crate::signing::{TrustArguments, of};
use crate::surroundings::Surroundings;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use sx_signing::container_policy::{ContainerPolicy, Form};

/// Write the trust file's quorums of images for podman, skopeo and other container tools, which enforce them as they are
///
/// Writes policy.json, registries.d/sx.yaml and the public keys. Use them with `--policy` and `--registries.d` of skopeo, or as
/// /etc/containers/policy.json and /etc/containers/registries.d.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(flatten)]
    trust: TrustArguments,
    /// Folder to write to; the policy names the keys in it by its absolute path
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Address of the signatures that `sx sign` writes, such as file:///srv/signatures
    #[arg(long, value_name = "URL", required_unless_present = "cosign", conflicts_with = "cosign")]
    signatures: Option<String>,
    /// For signatures in cosign's form, by Ed25519 keys, beside the images in their registries; everybody must have signed
    #[arg(long)]
    cosign: bool,
}

pub fn run(surroundings: &Surroundings, arguments: &Arguments) -> Result<(), Failure> {
    let trusted = arguments.trust.read(surroundings)?;
    let output = std::path::absolute(&arguments.output);
    let output = output.map_err(|error| Failure::io("find", &arguments.output, &error))?;
    let form = match &arguments.signatures {
        Some(address) => Form::Lookaside(address),
        None => Form::Cosign,
    };
    let now = SystemTime::now();
    let policy = ContainerPolicy::new(&trusted.trust, &output, form, now).map_err(of(Kind::Usage))?;
    write(&output.join("registries.d/sx.yaml"), policy.registries.as_bytes())?;
    for (name, bytes) in &policy.keys {
        write(&output.join("keys").join(name), bytes)?;
    }
    // Last, so that no policy names a key that isn't there yet.
    write(&output.join("policy.json"), policy.policy.as_bytes())?;
    if let Some(date) = trusted.trust.next_expiry(now) {
        surroundings.progress().tell(&format!("sx: a signer expires on {date}: write the policy again then"));
    }
    surroundings.print(&output.join("policy.json").display().to_string())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let write = || {
        std::fs::create_dir_all(folder)?;
        // Tools that read it meanwhile see the old one or the new one.
        let new = path.with_extension("new");
        std::fs::write(&new, bytes)?;
        std::fs::rename(&new, path)
    };
    write().map_err(|error| Failure::io("write", path, &error))
}

//! `sx pull`

use crate::failure::Failure;
use crate::registry::RegistryArguments;
use crate::session::Session;
use crate::signing::{LookasideArguments, TrustArguments, Trusted, claim};
use clap::Args;
use std::fs::{File, TryLockError};
use sx_export::Sha256Digest;
use sx_registry::Address;

/// Bring an image from a registry into the store, as an object in the OCI layout
///
/// Every blob is checked against the manifest, and the manifest against its digest. Prints the store path.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// What to pull; with a digest nothing else is taken
    #[arg(value_name = "HOST/NAME:TAG@DIGEST")]
    image: String,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Take it only if enough people have signed it, by the trust file
    #[arg(long)]
    require_quorum: bool,
    #[command(flatten)]
    trust: TrustArguments,
    #[command(flatten)]
    lookaside: LookasideArguments,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let address: Address = arguments.image.parse()?;
    // Named by what is asked for, so that the next try goes on where this one ended.
    let name = format!("image-{}", Sha256Digest::of(arguments.image.as_bytes()).digits());
    let folder = session.store().folder().join("downloads").join(name);
    let _lock = lock(session, &folder.with_extension("lock"))?;
    let pull = |client: &sx_registry::Client<'_>| client.pull(&folder);
    // A trust file that can't be read is no reason to have pulled anything.
    let trusted = match arguments.require_quorum {
        true => Some(arguments.trust.read(session)?),
        false => None,
    };
    let pulled = session.with_registry(&arguments.registry, &address, Vec::new(), pull)?;
    if let Some(trusted) = trusted {
        let name = format!("{}/{}:{}", address.registry, address.repository, address.tag);
        let claim = claim(&name, &pulled.manifest_digest.to_string())?;
        let place = Some((&arguments.registry, &address));
        let verdict = trusted.judge_image(session, &claim, arguments.lookaside.folder(), place)?;
        Trusted::require(&verdict, &format!("`{name}@{}`", claim.digest()))?;
    }
    let last: String = address.repository.rsplit('/').next().unwrap_or_default().chars().take(50).collect();
    let path = session.store().add_source(&folder, &format!("{last}-{}-image", address.tag), None)?;
    // The store has a copy; what can't be deleted now is found again by the next pull.
    let _ = sx_store::object::remove(&folder);
    session.progress().tell(&format!("sx: pulled {}", pulled.manifest_digest));
    session.print(&path.to_string())
}

/// Waits for another process that pulls the same.
fn lock(session: &Session, path: &std::path::Path) -> Result<File, Failure> {
    let failed = |error: std::io::Error| Failure::io("lock", path, &error);
    let file = File::create(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Err(TryLockError::WouldBlock) => {}
    }
    session.progress().tell("sx: waiting for another process that pulls the same");
    file.lock().map_err(failed)?;
    Ok(file)
}

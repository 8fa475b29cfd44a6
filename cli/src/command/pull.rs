//! `sx pull`

use super::release::Verifying;
use super::verify::{Place, judge_any, judge_image};
use crate::failure::{Failure, Kind, chain};
use crate::registry::RegistryArguments;
use crate::session::Session;
use crate::signing::{LookasideArguments, TrustArguments, Trusted, claim};
use crate::temporary::Temporary;
use clap::Args;
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::Path;
use sx_derivation::StorePath;
use sx_export::Sha256Digest;
use sx_export::read::{Image, LayerLimits};
use sx_registry::Address;
use sx_store::{ImportError, ProvedCopies};

/// Bring an image from a registry into the store, as an object in the OCI layout
///
/// Every blob is checked against the manifest, and the manifest against its digest. Prints the store path. With
/// `--store-paths` it brings what is in the image instead.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// What to pull; with a digest nothing else is taken
    #[arg(value_name = "HOST/NAME:TAG@DIGEST")]
    image: String,
    /// Bring the packages in it into the store, each as itself, if it is what its store path says; prints those that no other
    /// of them refers to
    #[arg(long)]
    store_paths: bool,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Take it only if enough people vouch for it, by the trust file: for the image by signatures; with `--store-paths` for
    /// the packages by attestations, and for the image as far as the trust file is about it
    #[arg(long)]
    require_quorum: bool,
    #[command(flatten)]
    trust: TrustArguments,
    #[command(flatten)]
    lookaside: LookasideArguments,
    #[command(flatten)]
    verifying: Verifying,
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
    let name = format!("{}/{}:{}", address.registry, address.repository, address.tag);
    let claim = claim(&name, &pulled.manifest_digest.to_string())?;
    let is_about_image = |trusted: &&Trusted<'_>| {
        !arguments.store_paths || trusted.trust.for_image(&claim.name).next().is_some()
    };
    if let Some(trusted) = trusted.as_ref().filter(is_about_image) {
        let place = Place {
            lookaside: &arguments.lookaside,
            registry: &arguments.registry,
            address: &address,
            verifying: &arguments.verifying,
        };
        let reports = judge_image(session, trusted, &claim, &place)?;
        let not_met: Vec<&str> =
            reports.iter().filter(|report| !report.is_met).map(|report| report.text.as_str()).collect();
        if !not_met.is_empty() {
            let message = format!("not enough people vouch for the image\n{}", not_met.join("\n"));
            return Err(Failure::new(Kind::No, message));
        }
    }
    session.progress().tell(&format!("sx: pulled {}", pulled.manifest_digest));
    if arguments.store_paths {
        let roots = import(session, &folder, |roots| {
            let Some(trusted) = &trusted else { return Ok(()) };
            session.fetch_attestations(&arguments.registry, &address)?;
            let is_image_met = trusted.trust.for_image(&claim.name).next().is_some();
            roots.iter().try_for_each(|root| require(session, trusted, root, is_image_met))
        })?;
        let _ = sx_store::object::remove(&folder);
        return session.print(&roots.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    let last: String = address.repository.rsplit('/').next().unwrap_or_default().chars().take(50).collect();
    let path = session.store().add_source(&folder, &format!("{last}-{}-image", address.tag), None)?;
    // The store has a copy; what can't be deleted now is found again by the next pull.
    let _ = sx_store::object::remove(&folder);
    session.print(&path.to_string())
}

/// Refuses a package that not enough people attested. One that no requirement is about has to come in an image that enough
/// people signed.
fn require(
    session: &Session,
    trusted: &Trusted<'_>,
    package: &StorePath,
    is_image_met: bool,
) -> Result<(), Failure> {
    if is_image_met && trusted.trust.for_package(package.name()).next().is_none() {
        return Ok(());
    }
    let claims = trusted.claims_about(session, package)?;
    if claims.is_empty() {
        let message = format!("not enough people vouch for `{package}`: nobody attested it");
        return Err(Failure::new(Kind::No, message)
            .hint("`sx attest` and `sx attestation push` attach attestations to an image; `--attestations DIR` has more"));
    }
    let report = judge_any(session, trusted, &claims, &package.to_string())?;
    if report.is_met {
        return Ok(());
    }
    Err(Failure::new(Kind::No, format!("not enough people vouch for the package\n{}", report.text)))
}

/// Takes the store paths out of the image in the layout `layout`, if what none of them refers to is accepted. Gives these.
fn import(
    session: &Session,
    layout: &Path,
    accept: impl FnOnce(&BTreeSet<StorePath>) -> Result<(), Failure>,
) -> Result<BTreeSet<StorePath>, Failure> {
    let folder = Temporary::new(session.store())?;
    let paths = unpack(layout, &folder)?;
    if paths.is_empty() {
        let failure = Failure::new(Kind::Source, "the image has no store path in it".to_owned());
        return Err(failure.hint("`sx export` makes such images, unless they have the layout `root`"));
    }
    let copies = ProvedCopies::read(&folder, &paths)?;
    let roots = copies.roots();
    accept(&roots)?;
    session.store().import(&copies)?;
    Ok(roots)
}

/// Writes the store paths of the image in the layout `layout` into `folder`, which it makes. They are not verified yet.
pub fn unpack(layout: &Path, folder: &Path) -> Result<BTreeSet<StorePath>, Failure> {
    std::fs::create_dir(folder).map_err(|error| Failure::io("make", folder, &error))?;
    Ok(Image::open(layout, None)?.unpack_store(&LayerLimits::default(), folder)?)
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Other { .. } | ImportError::Copy(_) => Self::new(Kind::Source, chain(&error)),
            ImportError::Store(error) => error.into(),
        }
    }
}

/// Waits for another process that pulls the same.
fn lock(session: &Session, path: &Path) -> Result<File, Failure> {
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

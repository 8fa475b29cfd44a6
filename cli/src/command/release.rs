//! `sx release`

use super::Building;
use super::export::ImageArguments;
use super::verify::{Report, judge};
use crate::evaluation::Package;
use crate::failure::{Failure, Kind};
use crate::image::ImageRequest;
use crate::registry::RegistryArguments;
use crate::relied::Relied;
use crate::session::{CheckDepth, Session};
use crate::signing::{LookasideArguments, RELEASES, Trusted, of, piece, read_file, title};
use crate::temporary::Temporary;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use sx_derivation::{Derivations, StorePath};
use sx_export::Reference;
use sx_registry::{Address, Piece, Tagged};
use sx_signing::release::{MAX_RELEASE_BYTES, ReleasedImage, ReleasedPackage};
use sx_signing::{Finding, ImageClaim, Release, Verdict};

/// Write a release file: what belongs to a release, for others to reproduce, compare and sign
///
/// Of each package it says the derivation, the content, and the digest of its image. Give it to others with the tree that the
/// packages are evaluated from; `sx reproduce` does the rest.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// Packages
    #[arg(value_name = "ATTRIBUTE", required = true)]
    attributes: Vec<String>,
    #[command(flatten)]
    building: Building,
    /// What the releases are called, always the same
    #[arg(long, value_name = "NAME")]
    name: String,
    /// A number that grows with each release; going back is noticed by it
    #[arg(long, value_name = "NUMBER")]
    serial: u64,
    /// Where to write it
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Where the images are, or will be: their names come below
    #[arg(long, value_name = "HOST/NAME")]
    images: Option<String>,
    /// Send the images there
    #[arg(long, requires = "images")]
    push: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// How to verify a release.
#[derive(Clone, Debug, Default, Args)]
pub struct Verifying {
    /// Accept a release, or an image of one, that is older than what was verified or signed before
    #[arg(long)]
    pub allow_older: bool,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let mut packages = Vec::new();
    for attribute in &arguments.attributes {
        let evaluated = Evaluated::new(session, attribute)?;
        let made = Made::new(session, &evaluated, &arguments.building, arguments.images.as_deref())?;
        if let Some(image) = made.package.image.as_ref().filter(|_| arguments.push) {
            let address: Address = image.reference.parse()?;
            session.with_registry(&arguments.registry, &address, Vec::new(), |client| {
                client.push(&made.layout, Tagged::Manifest)
            })?;
        }
        packages.push(made.package);
    }
    let release = Release::new(&arguments.name, arguments.serial, packages)?;
    std::fs::write(&arguments.output, release.encode())
        .map_err(|error| Failure::io("write", &arguments.output, &error))?;
    session.print(&arguments.output.display().to_string())
}

/// What an attribute of a release is, before anything is built.
pub struct Evaluated<'a> {
    attribute: &'a str,
    request: ImageRequest,
}

impl<'a> Evaluated<'a> {
    /// Evaluates it.
    pub fn new(session: &Session, attribute: &'a str) -> Result<Self, Failure> {
        let request = session.image(&super::Target::of(attribute), &[])?;
        if request.package().is_none() {
            let message = format!("`{attribute}` is an image; expected a package");
            return Err(Failure::new(Kind::Expression, message));
        }
        Ok(Self { attribute, request })
    }

    /// The package.
    pub fn package(&self) -> &Package {
        self.request.package().expect("it was looked at when it was evaluated")
    }

    /// Derivations that it needs.
    pub const fn derivations(&self) -> &Derivations {
        &self.request.derivations
    }
}

/// A package as it comes out here, with its image.
pub struct Made {
    pub package: ReleasedPackage,
    /// The image's layout, until this is dropped.
    pub layout: Temporary,
}

impl Made {
    /// Realises a package and makes its image, called below `images` if that is given.
    pub fn new(
        session: &Session,
        evaluated: &Evaluated<'_>,
        building: &Building,
        images: Option<&str>,
    ) -> Result<Self, Failure> {
        let (package, derivations) = (evaluated.package(), evaluated.derivations());
        let attribute = evaluated.attribute;
        session.realise(building, derivations, &package.wanted())?;
        let wanted = [package.derivation.clone()];
        let statements = session.statements(building, derivations, &wanted, CheckDepth::LastStep)?;
        let statement = statements.into_iter().map(|(_, statement)| statement);
        let statement = { statement }.find(|statement| statement.output() == package.output);
        let statement = statement.ok_or_else(|| {
            Failure::new(Kind::Usage, format!("`{attribute}` is a source, which nobody builds"))
        })?;
        let image = ImageArguments::of_attribute(attribute, building.clone());
        let layout = Temporary::new(session.store())?;
        let export = image.realise_request(session, &evaluated.request, sx_export::Format::Layout)?;
        let mut export = export.expect("it is no dry run");
        if let Some(folder) = images {
            let short = export.reference.name().rsplit('/').next().unwrap_or_default().to_owned();
            let name = format!("{}/{short}", folder.trim_end_matches('/'));
            export.reference = Reference::new(&name, export.reference.tag()).map_err(of(Kind::Usage))?;
        }
        let report = session.write_image(export, &layout)?;
        let digest = report.manifest_digest.expect("a layout has a manifest").to_string();
        let package = ReleasedPackage {
            attribute: attribute.into(),
            name: package.name.clone(),
            version: package.version.clone().unwrap_or_default(),
            derivation: package.derivation.clone(),
            statement,
            image: Some(ReleasedImage { reference: report.reference.to_string(), digest }),
        };
        Ok(Self { package, layout })
    }
}

/// Reads a release file.
pub fn read(path: &Path) -> Result<Release, Failure> {
    Release::decode(&read_file(path, MAX_RELEASE_BYTES)?).map_err(|error| {
        let failure = Failure::from(error);
        failure.hint(format!("`{}` must be as `sx release` wrote it", path.display()))
    })
}

/// Whether a file looks like a release, well-formed or not.
pub fn is_release(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json") && path.is_file()
}

/// Files of signatures of a release beside it, each called as the release, a dot, and the signer.
pub fn signatures_beside(path: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!("{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let failed = |error: std::io::Error| Failure::io("read", folder, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        let is_signature = name.ends_with(".asc") || name.ends_with(".dsse.json");
        if is_signature && name.starts_with(&prefix) {
            let bytes = read_file(&folder.join(&name), 64 * 1024)?;
            found.push((name, bytes));
        }
    }
    found.sort();
    Ok(found)
}

fn verdict(release: &Release, signatures: &[(String, Vec<u8>)], trusted: &Trusted<'_>) -> Verdict {
    let findings: Vec<Finding> =
        signatures.iter().map(|(file, bytes)| trusted.keys.check_release(file, bytes, release)).collect();
    Verdict::new(&trusted.trust, trusted.trust.for_release(release.name()), findings)
}

/// Verifies a release file, the attestations of all that it lists, and their images as far as they have a registry.
pub fn verify(
    session: &Session,
    path: &Path,
    trusted: &Trusted<'_>,
    verifying: &Verifying,
    lookaside: &LookasideArguments,
    registry: &RegistryArguments,
) -> Result<Vec<Report>, Failure> {
    let release = read(path)?;
    let relied = session.relied();
    if let Some(relied) = relied.as_ref().filter(|_| !verifying.allow_older) {
        relied.check(&release)?;
    }
    let subject = format!("release {} of {}", release.serial(), release.name());
    let mut reports = vec![Report::new(subject, &verdict(&release, &signatures_beside(path)?, trusted))];
    for package in release.packages() {
        let image = package.image.as_ref();
        let address = image.and_then(|image| image.reference.parse::<Address>().ok().zip(Some(image)));
        if let Some((address, _)) = &address {
            session.fetch_attestations(registry, address)?;
        }
        reports.push(judge(session, trusted, &package.statement)?);
        if let Some((address, image)) = &address {
            let claim = crate::signing::claim_of(session, registry, address)?;
            let subject = format!("{}@{}", image.reference, claim.digest());
            if claim.digest() != image.digest {
                let text =
                    format!("the registry has another image than the release, which has {}", image.digest);
                reports.push(Report::plain(subject, false, &text));
                continue;
            }
            let verdict =
                trusted.judge_image(session, &claim, lookaside.folder(), Some((registry, address)))?;
            reports.push(Report::new(subject, &verdict));
        }
    }
    if let Some(relied) = relied.filter(|_| reports.iter().all(|report| report.is_met)) {
        relied.remember(&release)?;
    }
    Ok(reports)
}

/// A release file and its signatures as they are attached to an image.
pub fn pieces(release: &Release, signatures: &[(String, Vec<u8>)]) -> Vec<Piece> {
    let first = piece("release.json", RELEASES, release.encode());
    let signatures = signatures
        .iter()
        .map(|(file, bytes)| piece(file, "application/vnd.sx.release-signature.v1", bytes.clone()));
    [first].into_iter().chain(signatures).collect()
}

/// A release that is attached to an image, lists it, and is signed by enough people.
pub struct Attached {
    pub release: Release,
    verdict: Verdict,
    package: ReleasedPackage,
}

/// Releases that are attached to an image. Those that don't list it, or that too few signed, are passed over, since anybody who
/// may write to the repository can attach one.
pub fn attached(
    session: &Session,
    claim: &ImageClaim,
    trusted: &Trusted<'_>,
    registry: &RegistryArguments,
    address: &Address,
) -> Result<Vec<Attached>, Failure> {
    let digest = claim.digest().parse().map_err(sx_registry::RegistryError::from)?;
    let pieces =
        session.with_registry(registry, address, Vec::new(), |client| client.attached(digest, RELEASES))?;
    let mut releases: BTreeMap<Vec<u8>, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for pieces in pieces {
        let mut pieces = pieces.into_iter();
        let Some(first) = pieces.next() else { continue };
        let named = pieces.map(|piece| {
            let name = title(&piece).unwrap_or_default().to_owned();
            (name, piece.bytes)
        });
        releases.entry(first.bytes).or_default().extend(named);
    }
    let mut attached = Vec::new();
    for (bytes, signatures) in releases {
        let Ok(release) = Release::decode(&bytes) else { continue };
        let verdict = verdict(&release, &signatures, trusted);
        let lists = |package: &&ReleasedPackage| {
            package.image.as_ref().is_some_and(|image| image.digest == claim.digest())
        };
        if let Some(package) = release.packages().iter().find(lists).cloned().filter(|_| verdict.is_met()) {
            attached.push(Attached { release, verdict, package });
        }
    }
    Ok(attached)
}

/// What is to be said of the releases that an image is in: who signed them, who attested the package, as far as the trust
/// file asks for that, and whether a newer release was relied on that has another image by this name.
pub fn judge_attached(
    session: &Session,
    claim: &ImageClaim,
    trusted: &Trusted<'_>,
    relied: Option<&Relied>,
    attached: &[Attached],
) -> Result<Vec<Report>, Failure> {
    let mut reports = Vec::new();
    for Attached { release, verdict, package } in attached {
        reports.push(Report::new(format!("release {} of {}", release.serial(), release.name()), verdict));
        if trusted.trust.for_package(package.statement.package()).next().is_some() {
            reports.push(judge(session, trusted, &package.statement)?);
        }
    }
    for newest in relied.map(Relied::all).transpose()?.into_iter().flatten() {
        let is_newer = |attached: &Attached| {
            attached.release.name() == newest.name() && attached.release.serial() > newest.serial()
        };
        let images = newest.packages().iter().filter_map(|package| package.image.as_ref());
        let other = { images }.find(|image| {
            whole_name(&image.reference) == claim.name.to_string() && image.digest != claim.digest()
        });
        if let Some(other) = other.filter(|_| !attached.iter().any(is_newer)) {
            let text = format!(
                "release {} of {}, which was relied on before, has {} by this name, and no newer release has this one; \
                 `--allow-older` accepts it all the same",
                newest.serial(),
                newest.name(),
                other.digest
            );
            reports.push(Report::plain(format!("{}@{}", claim.name, claim.digest()), false, &text));
        }
    }
    Ok(reports)
}

/// An image's name with its registry, as podman and skopeo complete it.
pub fn whole_name(reference: &str) -> String {
    match reference.parse::<Address>() {
        Ok(_) => reference.to_owned(),
        Err(_) => format!("docker.io/{reference}"),
    }
}

/// The derivations that a package is built from, and what they came out as here.
pub fn steps(
    session: &Session,
    evaluated: &Evaluated<'_>,
    building: &Building,
) -> Result<Vec<(StorePath, sx_signing::Statement)>, Failure> {
    let wanted = [evaluated.package().derivation.clone()];
    session.statements(building, evaluated.derivations(), &wanted, CheckDepth::ToTheSeed)
}

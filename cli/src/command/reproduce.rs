//! `sx reproduce`

use super::Building;
use super::release::{self, Evaluated, Made};
use crate::failure::{Failure, Kind};
use crate::registry::RegistryArguments;
use crate::session::{CheckDepth, Session};
use crate::signing::{KeyArguments, RELEASES, claim};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use sx_derivation::Derivations;
use sx_registry::Address;
use sx_signing::attestations::Claim;
use sx_signing::release::ReleasedPackage;
use sx_signing::{Attestations, Release, Secret};
use sx_store::check::{Check, Isolation, Verdict};

/// Build again what a release file lists, compare, and sign what is equal
///
/// Run it in the tree that the release was made from. Each package is built here, also if the store has it already; if its
/// content and its image are the release's, an attestation is signed, and the image; if all are, the release file too. Where
/// something differs, the first step that others attested otherwise is named. What this key signed before is passed over, so an
/// interrupted run goes on where it ended.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// The release file
    #[arg(value_name = "FILE")]
    release: PathBuf,
    #[command(flatten)]
    building: Building,
    #[command(flatten)]
    key: KeyArguments,
    #[command(flatten)]
    verifying: release::Verifying,
    /// Build everything down to the seed again, also what the store has already
    #[arg(long)]
    deep: bool,
    /// Folder of attestations, such as a git repository's: compared with, and added to
    #[arg(long, value_name = "DIR")]
    attestations: Option<PathBuf>,
    /// Folder of image signatures in the form of podman and skopeo, to add to
    #[arg(long, value_name = "DIR")]
    lookaside: Option<PathBuf>,
    /// Attach attestations, signatures and the release to the images in their registries
    #[arg(long)]
    attach: bool,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    release: String,
    serial: u64,
    is_equal: bool,
    packages: Vec<PackageReport>,
}

#[derive(Serialize)]
struct PackageReport {
    attribute: String,
    /// `equal`, `signed-before` or `different`.
    verdict: &'static str,
    /// What differs, and where.
    differences: Vec<String>,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let release = release::read(&arguments.release)?;
    let relied = session.relied();
    if let Some(relied) = relied.as_ref().filter(|_| !arguments.verifying.allow_older) {
        relied.check(&release)?;
    }
    let secret = arguments.key.secret(session)?;
    let mut packages = Vec::new();
    for package in release.packages() {
        if session.cancelled().load(Ordering::Relaxed) {
            return Err(
                Failure::new(Kind::Interrupted, "interrupted").hint("the same command goes on from here")
            );
        }
        let mut report =
            PackageReport { attribute: package.attribute.clone(), verdict: "equal", differences: Vec::new() };
        if is_signed(session, &secret, package)? {
            report.verdict = "signed-before";
        } else {
            report.differences = one(session, arguments, &secret, package)?;
        }
        if !report.differences.is_empty() {
            report.verdict = "different";
        }
        session.progress().tell(&format!("sx: {}: {}", package.attribute, report.verdict));
        packages.push(report);
    }
    let is_equal = packages.iter().all(|package| package.verdict != "different");
    if is_equal {
        sign_release(session, arguments, &release, &secret)?;
        // Signing is relying on it: a second release with this number isn't signed without a word.
        if let Some(relied) = relied {
            relied.remember(&release)?;
        }
    }
    let report = Report { release: release.name().into(), serial: release.serial(), is_equal, packages };
    if arguments.json {
        session.print_json(&report)?;
    } else {
        let lines = report.packages.iter().flat_map(|package| {
            let first = format!("{:<13}  {}", package.verdict, package.attribute);
            let more = package.differences.iter().map(|difference| format!("    {difference}"));
            [first].into_iter().chain(more)
        });
        session.print(&lines.collect::<Vec<_>>().join("\n"))?;
    }
    if is_equal {
        return Ok(());
    }
    let count = report.packages.iter().filter(|package| package.verdict == "different").count();
    Err(Failure::new(
        Kind::No,
        format!("{count} of {} packages differ; they and the release are not signed", report.packages.len()),
    ))
}

/// Whether this key has attested the package before: an attestation is the last thing that is signed of one.
fn is_signed(session: &Session, secret: &Secret, package: &ReleasedPackage) -> Result<bool, Failure> {
    let statement = &package.statement;
    let claims = session.attestations().claims(statement.derivation(), statement.output())?;
    Ok(claims.iter().any(|claim| {
        claim.statement == *statement
            && claim.signatures.iter().any(|(_, bytes)| secret.has_attested(statement, bytes))
    }))
}

/// Builds and compares one package, and signs it if it is equal. Gives what differs.
fn one(
    session: &Session,
    arguments: &Arguments,
    secret: &Secret,
    package: &ReleasedPackage,
) -> Result<Vec<String>, Failure> {
    let attribute = package.attribute.as_str();
    let evaluated = Evaluated::new(session, attribute)?;
    let found = evaluated.package();
    if found.derivation != package.derivation {
        return Ok(vec![
            format!("it evaluates to {}, the release has {}", found.derivation, package.derivation),
            "this is another tree than the release was made from, or it was changed".into(),
        ]);
    }
    let mut differences = rebuild(session, arguments, evaluated.derivations(), &found.wanted())?;
    let images =
        package.image.as_ref().and_then(|image| image.reference.rsplit_once('/')).map(|(folder, _)| folder);
    let made = Made::new(session, &evaluated, &arguments.building, images)?;
    let (ours, theirs) = (&made.package.statement, &package.statement);
    if ours != theirs {
        if ours.derivation() == theirs.derivation() {
            differences.push(format!(
                "it came out as {}, in the release it is {}",
                ours.content(),
                theirs.content()
            ));
        } else {
            differences.push(format!(
                "its inputs came out otherwise: {} instead of {}",
                ours.derivation(),
                theirs.derivation()
            ));
        }
        differences.extend(first_otherwise(session, arguments, &evaluated)?);
    }
    let image = made.package.image.as_ref().zip(package.image.as_ref());
    if let Some((ours, theirs)) = image.filter(|(ours, theirs)| ours.digest != theirs.digest) {
        differences.push(format!("its image is {}, in the release it is {}", ours.digest, theirs.digest));
    }
    if differences.is_empty() {
        sign(session, arguments, secret, package)?;
    }
    Ok(differences)
}

/// Builds what the store had already once more: what it holds may have come from elsewhere.
fn rebuild(
    session: &Session,
    arguments: &Arguments,
    derivations: &Derivations,
    wanted: &[(sx_derivation::StorePath, String)],
) -> Result<Vec<String>, Failure> {
    let plan = session.plan(&arguments.building, derivations, wanted)?;
    let is_new = wanted.iter().all(|(path, _)| plan.builds.contains(path));
    session.realise(&arguments.building, derivations, wanted)?;
    if is_new && !arguments.deep {
        return Ok(Vec::new());
    }
    let depth = if arguments.deep { CheckDepth::ToTheSeed } else { CheckDepth::LastStep };
    let variations = BTreeSet::new();
    let isolation = Isolation::Within(Duration::ZERO);
    let check = Check { variations: &variations, isolation, clock: &SystemTime::now };
    let mut differences = Vec::new();
    for result in session.check(&arguments.building, derivations, wanted, depth, &check)? {
        let checked = result?;
        if let Verdict::Different(outputs) = &checked.verdict {
            let name = checked.derivation.name();
            differences.extend(outputs.iter().map(|output| {
                format!("{name} came out as {} before, and built again as {}", output.first, output.second)
            }));
        }
    }
    Ok(differences)
}

/// The first step on the way to a package that others attested to have come out otherwise.
fn first_otherwise(
    session: &Session,
    arguments: &Arguments,
    evaluated: &Evaluated<'_>,
) -> Result<Option<String>, Failure> {
    let folders = arguments.attestations.iter().map(|folder| Attestations::new(folder));
    let all: Vec<Attestations> = [session.attestations()].into_iter().chain(folders).collect();
    for (step, statement) in release::steps(session, evaluated, &arguments.building)? {
        for attestations in &all {
            let claims = attestations.claims(statement.derivation(), statement.output())?;
            if let Some(other) = claims.iter().find(|claim| claim.statement != statement) {
                let signers: Vec<&str> = other.signatures.iter().map(|(file, _)| file.as_str()).collect();
                return Ok(Some(format!(
                    "the first step that others attested otherwise is {}: here it is {}, by {} it is {}",
                    step.name(),
                    statement.content(),
                    signers.join(", "),
                    other.statement.content()
                )));
            }
        }
    }
    Ok(Some("no step on the way is attested otherwise; `sx attest --deep` by who made the release would tell more".into()))
}

fn sign(
    session: &Session,
    arguments: &Arguments,
    secret: &Secret,
    package: &ReleasedPackage,
) -> Result<(), Failure> {
    let now = SystemTime::now();
    let statement = &package.statement;
    let (file, bytes) = secret.attest(statement, now)?;
    if let Some(image) = &package.image {
        let name = release::whole_name(&image.reference);
        let claim = claim(&name, &image.digest)?;
        if let Some(folder) = arguments.lookaside.as_ref().filter(|_| !matches!(secret, Secret::Machine(_))) {
            let signature = secret.sign_image(&claim, now)?;
            let added = claim.add_signature(folder, &signature);
            added.map_err(|error| Failure::io("write the signature to", folder, &error))?;
        }
        if arguments.attach {
            session.attach_signature(&arguments.registry, &claim, secret)?;
            let signatures = vec![(file.clone(), bytes.clone())];
            let attested = Claim { statement: statement.clone(), signatures };
            session.attach_attestations(&arguments.registry, &image.reference.parse()?, &[attested])?;
        }
    }
    if let Some(folder) = &arguments.attestations {
        Attestations::new(folder).add(statement, &file, &bytes)?;
    }
    // Last: it says that all of this is done.
    session.attestations().add(statement, &file, &bytes)?;
    Ok(())
}

/// Signs the release file: all of it came out equal here.
fn sign_release(
    session: &Session,
    arguments: &Arguments,
    release: &Release,
    secret: &Secret,
) -> Result<(), Failure> {
    let (file, bytes) = secret.sign_release(release, SystemTime::now())?;
    let mut name = arguments.release.clone().into_os_string();
    name.push(format!(".{file}"));
    let path = PathBuf::from(name);
    if !path.exists() {
        std::fs::write(&path, &bytes).map_err(|error| Failure::io("write the signature", &path, &error))?;
    }
    for image in
        release.packages().iter().filter_map(|package| package.image.as_ref()).filter(|_| arguments.attach)
    {
        let address: Address = image.reference.parse()?;
        let pieces = release::pieces(release, &[(file.clone(), bytes.clone())]);
        session.with_registry(&arguments.registry, &address, Vec::new(), |client| {
            client.attach(&client.image()?, RELEASES, &pieces).map(drop)
        })?;
    }
    session.progress().tell(&format!("sx: signed {}", path.display()));
    Ok(())
}

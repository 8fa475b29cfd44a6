//! `sx verify`

use super::attest::claims_about;
use super::{General, Target};
use crate::evaluation::Package;
use crate::failure::{Failure, Kind};
use crate::registry::RegistryArguments;
use crate::session::Session;
use crate::signing::{LookasideArguments, TrustArguments, Trusted};
use clap::Args;
use serde::Serialize;
use std::path::Path;
use sx_registry::Address;
use sx_signing::attestations::Judgement;
use sx_signing::{Finding, ImageClaim, Statement, Verdict};

/// Say whether enough people vouch for something, who is missing, and why a signature doesn't count
///
/// WHAT is a store path, a package or a set of packages (by attestations), an image in a registry, an OCI archive or layout (by signatures of
/// images), or a release file (by signatures of it, and of all that it lists). The exit code is 1 if the quorum isn't met.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// A store path, a file or folder, HOST/NAME:TAG, or an attribute such as pkgs.hello
    #[arg(value_name = "WHAT")]
    what: String,
    #[command(flatten)]
    trust: TrustArguments,
    #[command(flatten)]
    lookaside: LookasideArguments,
    /// The name under which an archive or layout was signed
    #[arg(long = "as", value_name = "HOST/NAME:TAG")]
    name: Option<String>,
    #[command(flatten)]
    release: super::release::Verifying,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What became of something before the trust file.
#[derive(Serialize)]
pub struct Report {
    pub subject: String,
    pub is_met: bool,
    pub requirements: Vec<RequirementReport>,
    pub signatures: Vec<SignatureReport>,
    /// Who says that it came out otherwise.
    pub dissent: Vec<DissentReport>,
    #[serde(skip)]
    pub text: String,
}

#[derive(Serialize)]
pub struct RequirementReport {
    group: String,
    quorum: usize,
    is_met: bool,
    signed: Vec<String>,
    missing: Vec<String>,
}

#[derive(Serialize)]
pub struct SignatureReport {
    file: String,
    person: Option<String>,
    machine: Option<String>,
    /// Why it doesn't count; nothing if it does.
    refusal: Option<String>,
}

#[derive(Serialize)]
pub struct DissentReport {
    content: String,
    people: Vec<String>,
}

#[derive(Serialize)]
struct Reports {
    is_met: bool,
    subjects: Vec<Report>,
}

/// What is asked about.
enum What {
    /// A release file.
    Release,
    /// An object of the store.
    Object,
    /// An archive or layout.
    File,
    /// An image in a registry.
    Image,
    /// A package or a set of packages.
    Packages,
}

impl What {
    fn of(text: &str) -> Self {
        let path = Path::new(text);
        if super::release::is_release(path) {
            Self::Release
        } else if sx_derivation::StorePath::parse(text).is_ok() || path.is_symlink() {
            Self::Object
        } else if path.exists() {
            Self::File
        } else if text.contains('/') {
            Self::Image
        } else {
            Self::Packages
        }
    }
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let what = What::of(&arguments.what);
    let session = &match what {
        What::Object | What::Packages => Session::of_what_is_there(general)?,
        What::Release | What::File | What::Image => Session::new(general)?,
    };
    let trusted = arguments.trust.read(session)?;
    let reports = reports(session, arguments, &what, &trusted)?;
    let is_met = !reports.is_empty() && reports.iter().all(|report| report.is_met);
    if arguments.json {
        session.print_json(&Reports { is_met, subjects: reports })?;
    } else {
        let texts: Vec<&str> = reports.iter().map(|report| report.text.as_str()).collect();
        session.print(&texts.join("\n"))?;
    }
    if is_met { Ok(()) } else { Err(Failure::new(Kind::No, "not enough people vouch for it")) }
}

fn reports(
    session: &Session,
    arguments: &Arguments,
    what: &What,
    trusted: &Trusted<'_>,
) -> Result<Vec<Report>, Failure> {
    let text = arguments.what.as_str();
    let read_claim =
        || super::sign::read_claim(session, text, arguments.name.as_deref(), &arguments.registry);
    match what {
        What::Release => super::release::verify(
            session,
            Path::new(text),
            trusted,
            &arguments.release,
            &arguments.lookaside,
            &arguments.registry,
        ),
        What::Object => {
            let object = super::object::named(session, text)?;
            // What was built here, and what others say to have built.
            let mut claims = claims_about(session, &object)?;
            claims.extend(trusted.claims_about(session, &object)?);
            Ok(vec![judge_any(session, trusted, &claims, text)?])
        }
        What::File => {
            let claim = read_claim()?;
            let verdict = trusted.judge_image(session, &claim, arguments.lookaside.folder(), None)?;
            Ok(vec![Report::new(format!("{}@{}", claim.name, claim.digest()), &verdict)])
        }
        What::Image => {
            let address: Address = text.parse()?;
            let place = Place {
                lookaside: &arguments.lookaside,
                registry: &arguments.registry,
                address: &address,
                verifying: &arguments.release,
            };
            judge_image(session, trusted, &read_claim()?, &place)
        }
        What::Packages => {
            let (packages, _) = session.packages(&Target::of(text), &[])?;
            let judge = |(attribute, package): &(String, Package)| {
                let realised = session.store().hold_realisation(&package.derivation, &package.output)?;
                let object = realised.ok_or_else(|| {
                    let message = format!("`{attribute}` is not realised, so there is nothing to vouch for");
                    Failure::new(Kind::Usage, message).hint(format!("`sx realise {attribute}` first"))
                })?;
                judge_any(session, trusted, &claims_about(session, &object)?, attribute)
            };
            packages.iter().map(judge).collect()
        }
    }
}

/// An image in a registry, where its signatures are, and how to verify it.
pub struct Place<'a> {
    pub lookaside: &'a LookasideArguments,
    pub registry: &'a RegistryArguments,
    pub address: &'a Address,
    pub verifying: &'a super::release::Verifying,
}

/// Judges an image in a registry by its own signatures and by the releases that are attached to it.
pub fn judge_image(
    session: &Session,
    trusted: &Trusted<'_>,
    claim: &ImageClaim,
    place: &Place<'_>,
) -> Result<Vec<Report>, Failure> {
    let Place { lookaside, registry, address, verifying } = place;
    let verdict = trusted.judge_image(session, claim, lookaside.folder(), Some((registry, address)))?;
    let mut reports = vec![Report::new(format!("{}@{}", claim.name, claim.digest()), &verdict)];
    let attached = super::release::attached(session, claim, trusted, registry, address)?;
    if !attached.is_empty() {
        session.fetch_attestations(registry, address)?;
    }
    let relied = session.relied();
    let before = relied.as_ref().filter(|_| !verifying.allow_older);
    reports.extend(super::release::judge_attached(session, claim, trusted, before, &attached)?);
    if let Some(relied) = relied.filter(|_| reports.iter().all(|report| report.is_met)) {
        attached.iter().try_for_each(|attached| relied.remember(&attached.release))?;
    }
    Ok(reports)
}

/// Judges claims of which one is enough: several derivations can have come out as one object.
pub fn judge_any(
    session: &Session,
    trusted: &Trusted<'_>,
    claims: &[Statement],
    what: &str,
) -> Result<Report, Failure> {
    let mut last = None;
    for claim in claims {
        let report = judge(session, trusted, claim)?;
        if report.is_met {
            return Ok(report);
        }
        last = Some(report);
    }
    last.ok_or_else(|| {
        Failure::new(Kind::Usage, format!("no derivation is known that was realised to `{what}`"))
            .hint("attestations are about what a derivation was realised to")
    })
}

/// Judges one claim.
pub fn judge(session: &Session, trusted: &Trusted<'_>, claim: &Statement) -> Result<Report, Failure> {
    let Judgement { verdict, dissent } = trusted.judge(session, claim)?;
    let mut report = Report::new(format!("{} of {}", claim.content(), claim.derivation().name()), &verdict);
    for (content, people) in dissent {
        report.text += &format!("\n{} say that it was `{content}`", people.join(", "));
        report.dissent.push(DissentReport { content: content.to_string(), people });
    }
    Ok(report)
}

impl Report {
    pub fn new(subject: String, verdict: &Verdict) -> Self {
        let requirements = verdict.tallies.iter().map(|tally| RequirementReport {
            group: tally.group.clone(),
            quorum: tally.quorum,
            is_met: tally.is_met(),
            signed: tally.signed.iter().cloned().collect(),
            missing: tally.missing.iter().cloned().collect(),
        });
        let signature = |Finding { file, owner, refusal }: &Finding| SignatureReport {
            file: file.clone(),
            person: owner.as_ref().map(|owner| owner.person.clone()),
            machine: owner.as_ref().and_then(|owner| owner.machine.clone()),
            refusal: refusal.as_ref().map(|refusal| crate::failure::chain(refusal)),
        };
        Self {
            is_met: verdict.is_met(),
            requirements: requirements.collect(),
            signatures: verdict.findings.iter().map(signature).collect(),
            dissent: Vec::new(),
            text: format!("{subject}\n{verdict}"),
            subject,
        }
    }

    /// Something that is as it has to be, or not, whoever signed.
    pub fn plain(subject: String, is_met: bool, text: &str) -> Self {
        Self {
            text: format!("{subject}\n{}: {text}", if is_met { "met" } else { "not met" }),
            subject,
            is_met,
            requirements: Vec::new(),
            signatures: Vec::new(),
            dissent: Vec::new(),
        }
    }
}

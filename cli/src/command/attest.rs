//! `sx attest`

use super::{Building, Target};
use crate::failure::{Failure, Kind};
use crate::session::{CheckDepth, Session};
use crate::signing::KeyArguments;
use clap::Args;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};
use sx_derivation::StorePath;
use sx_derivation::store_path::STORE_FOLDER;
use sx_signing::Statement;
use sx_store::StoreError;
use sx_store::check::{Check, Isolation, Variation, Verdict};

/// Sign what derivations were realised to here: "I built this derivation, and its output was this content"
///
/// Each is a package, a set of packages, or a store path that was built here. What isn't built yet is built first. The
/// attestations are kept in the store; what was taken from elsewhere is not signed. `sx attestation export` writes them to a folder, such as a git repository's.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// More packages, sets of packages, or store paths
    #[arg(value_name = "ATTRIBUTE", id = "more")]
    more: Vec<String>,
    #[command(flatten)]
    building: Building,
    #[command(flatten)]
    key: KeyArguments,
    /// All that they are built from too, down to the seed
    #[arg(long)]
    deep: bool,
    /// Build each once more first, and sign only what came out the same
    #[arg(long)]
    check: bool,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let secret = arguments.key.secret(session)?;
    let mut statements = statements(session, arguments)?;
    let (left_out, why, hint) = if arguments.check {
        let left_out = different(session, &arguments.building, &statements)?;
        (left_out, "it came out otherwise when built again", "`sx check` says where it differs")
    } else {
        let left_out = substituted(session, &statements)?;
        (left_out, "it was built elsewhere", "`--check` builds it here, and signs what comes out the same")
    };
    statements.retain(|statement| !left_out.contains(statement.derivation()));
    let mut files = Vec::new();
    for statement in &statements {
        let (file, bytes) = secret.attest(statement, SystemTime::now())?;
        files.push(session.attestations().add(statement, &file, &bytes)?.display().to_string());
    }
    if !files.is_empty() {
        session.print(&files.join("\n"))?;
    }
    if left_out.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = left_out.iter().map(StorePath::name).collect();
    Err(Failure::new(Kind::No, format!("not signed, since {why}: {}", names.join(", "))).hint(hint))
}

fn statements(session: &Session, arguments: &Arguments) -> Result<Vec<Statement>, Failure> {
    let given = arguments.target.attribute.iter().chain(&arguments.more);
    let (paths, attributes): (Vec<&String>, Vec<&String>) =
        given.partition(|text| text.starts_with(STORE_FOLDER) || Path::new(text).is_symlink());
    let mut found = BTreeSet::new();
    for text in &paths {
        let path = super::object::named(session, text)?;
        let claims = claims_about(session, &path)?;
        if claims.is_empty() {
            let failure = Failure::new(Kind::Usage, format!("no derivation was realised to `{path}` here"));
            return Err(failure.hint("an object that was copied in, or a source, is no claim of yours"));
        }
        found.extend(claims);
    }
    if paths.is_empty() || !attributes.is_empty() {
        let attribute = attributes.first().map(|text| (*text).clone());
        let more: Vec<String> = attributes.iter().skip(1).map(|text| (*text).clone()).collect();
        let target = Target { attribute, ..arguments.target.clone() };
        let (packages, derivations) = session.packages(&target, &more)?;
        let wanted: Vec<(StorePath, String)> =
            packages.iter().flat_map(|(_, package)| package.wanted()).collect();
        session.realise(&arguments.building, &derivations, &wanted)?;
        let depth = if arguments.deep { CheckDepth::ToTheSeed } else { CheckDepth::LastStep };
        let wanted: Vec<StorePath> = wanted.into_iter().map(|(path, _)| path).collect();
        let statements = session.statements(&arguments.building, &derivations, &wanted, depth)?;
        found.extend(statements.into_iter().map(|(_, statement)| statement));
    }
    Ok(found.into_iter().collect())
}

/// What can be claimed of an object: which resolved derivations were realised to it.
pub fn claims_about(session: &Session, path: &StorePath) -> Result<Vec<Statement>, Failure> {
    let database = session.store().database();
    let mut claims = Vec::new();
    for (derivation, output) in database.makers(path).map_err(StoreError::from)? {
        let known = database.derivation(&derivation).map_err(StoreError::from)?;
        // One that has inputs to resolve is no name that others would find it by.
        if known.is_some_and(|known| known.input_derivations.is_empty()) {
            claims.push(Statement::new(derivation, &output, path.clone())?);
        }
    }
    Ok(claims)
}

/// The derivations that nobody here has built: their outputs were taken from elsewhere.
fn substituted(session: &Session, statements: &[Statement]) -> Result<BTreeSet<StorePath>, Failure> {
    let mut substituted = BTreeSet::new();
    for statement in statements {
        let database = session.store().database();
        if database.is_substituted(statement.derivation(), statement.output()).map_err(StoreError::from)? {
            substituted.insert(statement.derivation().clone());
        }
    }
    Ok(substituted)
}

/// The derivations that come out otherwise when they are built again.
fn different(
    session: &Session,
    building: &Building,
    statements: &[Statement],
) -> Result<BTreeSet<StorePath>, Failure> {
    let wanted: Vec<(StorePath, String)> = statements
        .iter()
        .map(|statement| (statement.derivation().clone(), statement.output().to_owned()))
        .collect();
    let variations = Variation::ALL.into();
    let isolation = Isolation::Within(Duration::ZERO);
    let check = Check { variations: &variations, isolation, clock: &SystemTime::now };
    let results = session.check(building, &Default::default(), &wanted, CheckDepth::LastStep, &check)?;
    let mut different = BTreeSet::new();
    for result in results {
        let checked = result?;
        if matches!(checked.verdict, Verdict::Different(_)) {
            different.insert(checked.derivation);
        }
    }
    Ok(different)
}

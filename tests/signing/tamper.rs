//! Bytes of every class changed: refused, and with the reason.

use super::verbs::{Signers, has, refused_with};
use crate::containers::scratch;
use crate::harness::{output, sx};
use std::fs;
use std::path::{Path, PathBuf};

/// A file, what to change in it, and what has to be told.
struct Change {
    file: PathBuf,
    from: &'static [u8],
    to: &'static [u8],
    told: &'static str,
}

/// What `sx verify` says about a release with attestations, after a change.
pub fn every_class() -> Result<(), String> {
    let folder = scratch()?;
    let scope = "packages = ['*']\nreleases = ['demo']";
    let signers = Signers::new(folder.path(), scope)?;
    let shared = folder.path().join("signatures");
    let run = |arguments: &[&str]| {
        let mut command = sx(arguments);
        command.current_dir(folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
        command
    };
    output(&mut run(&["release", "-q", "pkgs.hello", "--name=demo", "--serial=1", "-o", "release.json"]))?;
    for (number, key) in [&signers.alice, &signers.bob].into_iter().enumerate() {
        let store = folder.path().join(format!("store-{number}"));
        let sources = format!("--source-folder={}", crate::harness::source_folder()?.display());
        let mut reproduce =
            run(&["reproduce", "-q", "release.json", "--attestations", "signatures", "--key", key]);
        output(reproduce.arg(sources).env("SX_STORE", store))?;
    }
    let verify = || {
        let mut command =
            run(&["verify", "release.json", "--attestations", "signatures", "--trust", &signers.trust]);
        // A store that has no attestations of its own.
        command.env("SX_STORE", folder.path().join("empty"));
        command
    };
    output(&mut verify())?;
    let find = |folder: &Path, ending: &str| find(folder, ending);
    let release = folder.path().join("release.json");
    let (release_asc, release_dsse) = (find(folder.path(), ".asc")?, find(folder.path(), ".dsse.json")?);
    let claim = claim_folder(&shared)?;
    let (statement, asc, dsse) =
        (claim.join("statement.json"), find(&claim, ".asc")?, find(&claim, ".dsse.json")?);
    let trust = PathBuf::from(&signers.trust);
    let public = folder.path().join("alice.pgp");
    let change = |file: &Path, from, to, told| Change { file: file.into(), from, to, told };
    let changes = [
        // The release file: kind, serial, a store path, an image's digest, its form.
        change(&release, b"release:v1", b"release:v2", "`_type` is `urn:sx:release:v2`"),
        change(&release, b"\"serial\": 1", b"\"serial\": 2", "it is not a signature of these bytes"),
        change(&release, b"\"digest\": \"sha256:", b"\"digest\": \"sha256;", "no name or digest of an image"),
        change(&release, b"/sx/store/", b"/sx/stora/", "makes no sense"),
        change(&release, b"  \"name\"", b" \"name\"", "not in canonical form"),
        change(&release, b"}\n", b"", "not a release file"),
        change(&release, b"\"version\": \"1.0\"", b"\"version\": \"1.1\"", "two have the same number"),
        // Its signatures: armour, body, checksum; payload, key, signature.
        change(&release_asc, b"-----BEGIN", b"-----BEGUN", "does not count"),
        change(&release_asc, b"\n\n", b"\n\nAA", "does not count"),
        change(
            &release_dsse,
            b"\"payload\":\"",
            b"\"payload\":\"AAAA",
            "it is not a signature of these bytes",
        ),
        change(&release_dsse, b"\"keyid\":\"", b"\"keyid\":\"00", "nobody in the trust file has the key"),
        change(&release_dsse, b"\"sig\":\"", b"\"sig\":\"A", "`sig` is malformed"),
        change(&release_dsse, b"release.v1", b"release.v2", "it is not a signature of these bytes"),
        // An attestation: its statement, and both kinds of signatures.
        change(&statement, b"realisation:v1", b"realisation:v2", "is not the statement that its place says"),
        change(
            &statement,
            b"\"output\":\"out\"",
            b"\"output\":\"dev\"",
            "is not the statement that its place says",
        ),
        change(&statement, b"{", b" {", "is not the statement that its place says"),
        change(&asc, b"-----BEGIN", b"-----BEGUN", "does not count"),
        change(&dsse, b"\"payload\":\"", b"\"payload\":\"AAAA", "it is not a signature of these bytes"),
        change(&dsse, b"in-toto+json", b"in-toto+jsom", "it is not a signature of these bytes"),
        change(&dsse, b"\"sig\":\"", b"\"Sig\":\"", "not an envelope with one signature"),
        // The policy: who, how many, of what, and the keys that it names.
        change(&trust, b"quorum = 2", b"quorum = 0", "expected 1 to 2"),
        change(&trust, b"quorum = 2", b"quorum = 3", "expected 1 to 2"),
        change(&trust, b"quorum", b"qourum", "the trust file is wrong"),
        change(&trust, b"of = 'all'", b"of = 'any'", "which there is not"),
        change(&trust, b"['alice', 'bob']", b"['alice', 'bub']", "who is not among the people"),
        change(
            &trust,
            b"releases = ['demo']",
            b"releases = ['domo']",
            "no requirement of the trust file is about this",
        ),
        change(&trust, b"ed25519:", b"ed25518:", "can't be used"),
        change(
            &trust,
            b"people.bob.",
            b"people.bob.expires = 2020-01-01\npeople.bob.",
            "lets it expire on 2020-01-01",
        ),
        change(
            &trust,
            b"people.bob.",
            b"people.bob.revoked = 'lost'\npeople.bob.",
            "the trust file revokes it: lost",
        ),
        change(&public, b"alice@", b"alise@", "not bound to its certificate"),
    ];
    for Change { file, from, to, told } in changes {
        let before = fs::read(&file).map_err(|error| error.to_string())?;
        let place = before.windows(from.len()).position(|found| found == from);
        let place = place.ok_or(format!("{} has no {}", file.display(), String::from_utf8_lossy(from)))?;
        let after = [&before[..place], to, &before[place + from.len()..]].concat();
        fs::write(&file, after).map_err(|error| error.to_string())?;
        // An orderly end: a panic has another code.
        let text = refused_with(&mut verify(), 1..=7)
            .map_err(|text| format!("{}, `{}`: {text}", file.display(), String::from_utf8_lossy(from)))?;
        has(&text, told).map_err(|error| format!("{}: {error}", file.display()))?;
        fs::write(&file, before).map_err(|error| error.to_string())?;
    }
    output(&mut verify()).map(drop)
}

fn find(folder: &Path, ending: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?.filter_map(Result::ok);
    let mut files = entries.map(|entry| entry.path());
    let found = files.find(|path| path.to_string_lossy().ends_with(ending));
    found.ok_or_else(|| format!("no file {ending} in {}", folder.display()))
}

/// The only claim in a folder of attestations.
fn claim_folder(folder: &Path) -> Result<PathBuf, String> {
    let mut place = folder.to_owned();
    for _ in 0..3 {
        let mut entries = fs::read_dir(&place).map_err(|error| error.to_string())?;
        place = entries.next().ok_or("an empty folder")?.map_err(|error| error.to_string())?.path();
    }
    Ok(place)
}

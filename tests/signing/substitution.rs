//! Outputs from another machine's store are taken where enough people attested them, and only there.

use super::verbs::{Signers, has, refused};
use crate::containers::scratch;
use crate::harness::{output, source_folder, sx};
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn quorum() -> Result<(), String> {
    let folder = scratch()?;
    let signers = Signers::new(folder.path(), "packages = ['*']")?;
    let sources = format!("--source-folder={}", source_folder()?.display());
    let place = |name: &str| folder.path().join(name).display().to_string();
    let on = |machine: &str, arguments: &[&str]| {
        let mut command = sx(arguments);
        command.env("SX_STORE", place(machine));
        command
    };
    let attest = |machine: &str, key: &str| {
        output(on(machine, &["attest", "-q", "--deep", "pkgs.hello", "--key", key]).arg(&sources))?;
        output(&mut on(machine, &["attestation", "export", &place("signatures")]))
    };
    attest("first", &signers.alice)?;
    // It has no sources, and would have to fetch them to build anything.
    let substitution =
        ["--substituter", &place("first"), "--attestations", &place("signatures"), "--trust", &signers.trust];
    let realise = |machine: &str, more: &[&str]| {
        let mut command = on(machine, &["realise", "pkgs.hello"]);
        command.args(substitution).args(more);
        command
    };
    let plan = |machine: &str| -> Result<serde_json::Value, String> {
        let text = output(&mut realise(machine, &["--dry-run", "--json"]))?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    let counts = |plan: &serde_json::Value| {
        ["builds", "substitutes"].map(|field| plan[field].as_array().map_or(0, Vec::len))
    };
    let found = plan("third")?;
    if counts(&found)[1] != 0 || counts(&found)[0] < 10 {
        return Err(format!("one attestation should be too few: {found}"));
    }
    attest("second", &signers.bob)?;
    let found = plan("third")?;
    if counts(&found) != [0, 1] {
        return Err(format!("the program alone should be taken: {found}"));
    }
    let (path, told) = run(&mut realise("third", &[]))?;
    has(&told, "taken, since enough people attested them: hello-1.0")?;
    if told.contains("building") {
        return Err(format!("something was built: {told}"));
    }
    let verify = ["verify", path.trim(), "--trust", &signers.trust, "--attestations", &place("signatures")];
    has(&output(&mut on("third", &verify))?, "signed by alice, bob")?;
    // What was built elsewhere is no claim of one's own until it was built here.
    let attest = ["attest", "-q", path.trim(), "--key", &signers.alice];
    has(&refused(&mut on("third", &attest))?, "not signed, since it was built elsewhere: hello-1.0.drv")?;
    forged(&folder.path().join("first"), path.trim(), &mut realise("fourth", &[&sources]))
}

/// With the copy changed, the same is built instead, and the user is told.
fn forged(store: &Path, path: &str, realise: &mut Command) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let program = store.join("store").join(path.rsplit('/').next().unwrap_or_default());
    let mut bytes = fs::read(&program).map_err(failed)?;
    *bytes.last_mut().ok_or("the program is empty")? ^= 1;
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(&program, mode).map_err(failed)?;
    fs::write(&program, bytes).map_err(failed)?;
    let (built, told) = run(realise)?;
    has(&told, "is damaged or forged")?;
    if built.trim() == path { Ok(()) } else { Err(format!("{built} is not {path}")) }
}

/// What a command prints, and what it tells.
fn run(command: &mut Command) -> Result<(String, String), String> {
    let ended = command.output().map_err(|error| error.to_string())?;
    let [stdout, stderr] =
        [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if ended.status.success() { Ok((stdout, stderr)) } else { Err(format!("{command:?}: {stdout}{stderr}")) }
}

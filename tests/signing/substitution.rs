//! Outputs from another machine's store, or from a registry, are taken where enough people attested them, and only there.

use super::verbs::{Signers, has, refused};
use crate::containers::scratch;
use crate::harness::{output, source_folder, sx};
use crate::registry::registry;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Machines, each with a store of its own, and two signers.
struct Scene {
    folder: tempfile::TempDir,
    signers: Signers,
    sources: String,
}

impl Scene {
    fn start() -> Result<Self, String> {
        let folder = scratch()?;
        let signers = Signers::new(folder.path(), "packages = ['*']")?;
        let sources = format!("--source-folder={}", source_folder()?.display());
        Ok(Self { folder, signers, sources })
    }

    fn place(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn on(&self, machine: &str, arguments: &[&str]) -> Command {
        let mut command = sx(arguments);
        command.env("SX_STORE", self.place(machine));
        command
    }

    fn attest(&self, machine: &str, key: &str) -> Result<String, String> {
        output(self.on(machine, &["attest", "-q", "--deep", "pkgs.hello", "--key", key]).arg(&self.sources))
    }

    /// Realises with outputs from elsewhere. No source is at hand to build anything from.
    fn realise(&self, machine: &str, substituter: &str) -> Command {
        let trust = ["--trust", &self.signers.trust];
        let mut command = self.on(machine, &["realise", "pkgs.hello", "--substituter", substituter]);
        command.args(trust);
        command
    }
}

/// How many derivations would be built, and how many outputs taken.
fn planned(mut realise: Command) -> Result<[usize; 2], String> {
    let text = output(realise.args(["--dry-run", "--json"]))?;
    let plan: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(["builds", "substitutes"].map(|field| plan[field].as_array().map_or(0, Vec::len)))
}

pub fn quorum() -> Result<(), String> {
    let scene = Scene::start()?;
    let Scene { signers, sources, .. } = &scene;
    let export = |machine: &str| {
        output(&mut scene.on(machine, &["attestation", "export", &scene.place("signatures")]))
    };
    let realise = |machine: &str| {
        let mut command = scene.realise(machine, &scene.place("first"));
        command.args(["--attestations", &scene.place("signatures")]);
        command
    };
    scene.attest("first", &signers.alice)?;
    export("first")?;
    let found = planned(realise("third"))?;
    if found[1] != 0 || found[0] < 10 {
        return Err(format!("one attestation should be too few: {found:?}"));
    }
    scene.attest("second", &signers.bob)?;
    export("second")?;
    let found = planned(realise("third"))?;
    if found != [0, 1] {
        return Err(format!("the program alone should be taken: {found:?}"));
    }
    let path = taken(&mut realise("third"))?;
    let verify = ["verify", &path, "--trust", &signers.trust, "--attestations", &scene.place("signatures")];
    has(&output(&mut scene.on("third", &verify))?, "signed by alice, bob")?;
    // What was built elsewhere is no claim of one's own until it was built here.
    let attest = ["attest", "-q", &path, "--key", &signers.alice];
    has(
        &refused(&mut scene.on("third", &attest))?,
        "not signed, since it was built elsewhere: hello-1.0.drv",
    )?;
    forged(&scene.folder.path().join("first"), &path, realise("fourth").arg(sources))
}

/// The same from an image in a registry, by the attestations that are attached to it; and the image's packages by themselves.
pub fn from_a_registry() -> Result<(), String> {
    let scene = Scene::start()?;
    let registry = registry(scene.folder.path(), "")?;
    let image = format!("{}/sx/hello:1", registry.name);
    let Scene { signers, sources, .. } = &scene;
    let pull = |machine: &str| {
        let mut command = scene.on(machine, &["pull", "-q", "--store-paths", &image]);
        command.args(["--require-quorum", "--trust", &signers.trust]);
        command
    };
    scene.attest("first", &signers.alice)?;
    output(&mut scene.on("first", &["push", "-q", "pkgs.hello", "--to", &image]))?;
    has(&refused(&mut pull("third"))?, "nobody attested it")?;
    output(&mut scene.on("first", &["attestation", "push", &image]))?;
    let found = planned(scene.realise("third", &image))?;
    if found[1] != 0 || found[0] < 10 {
        return Err(format!("one attestation should be too few: {found:?}"));
    }
    has(&refused(&mut pull("third"))?, "signed by alice; not by bob")?;
    let objects = fs::read_dir(scene.folder.path().join("third/store")).map_err(|error| error.to_string())?;
    let mut names = objects.filter_map(Result::ok).map(|entry| entry.file_name());
    if let Some(name) = names.find(|name| name.to_string_lossy().ends_with("-hello-1.0")) {
        return Err(format!("{} came in all the same", name.display()));
    }
    scene.attest("second", &signers.bob)?;
    output(&mut scene.on("second", &["attestation", "push", &image]))?;
    let found = planned(scene.realise("third", &image))?;
    if found != [0, 1] {
        return Err(format!("the program alone should be taken: {found:?}"));
    }
    let path = taken(&mut scene.realise("third", &image))?;
    let pulled = output(&mut pull("fourth"))?;
    has(
        &output(&mut scene.on("fourth", &["verify", &pulled, "--trust", &signers.trust]))?,
        "signed by alice, bob",
    )?;
    // Where the trust file is about the image too, that has to be signed as well.
    let text = fs::read_to_string(&signers.trust).map_err(|error| error.to_string())?;
    let images = format!("images = ['{}/sx']", registry.name);
    fs::write(&signers.trust, text.replace("packages = ['*']", &format!("packages = ['*']\n{images}")))
        .map_err(|error| error.to_string())?;
    has(&refused(&mut pull("fifth"))?, "not enough people vouch for the image")?;
    // What isn't there is no reason not to build.
    let (built, told) = run(scene.realise("fifth", &format!("{}/sx/none:1", registry.name)).arg(sources))?;
    has(&told, "passed over")?;
    if [&*pulled, built.trim()] == [&*path; 2] { Ok(()) } else { Err(format!("{path}, {pulled}, {built}")) }
}

/// Realises, and nothing is built.
fn taken(realise: &mut Command) -> Result<String, String> {
    let (path, told) = run(realise)?;
    has(&told, "taken, since enough people attested them: hello-1.0")?;
    if told.contains("building") {
        Err(format!("something was built: {told}"))
    } else {
        Ok(path.trim().into())
    }
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

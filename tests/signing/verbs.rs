//! One verb at a time.

use super::people::{Life, Person, person};
use crate::containers::scratch;
use crate::harness::{output, sx};
use crate::registry::{pushed, registry};
use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Alice with an OpenPGP key, bob with a machine's: key files in a folder, and a trust file that asks for both.
pub struct Signers {
    pub alice: String,
    pub bob: String,
    pub trust: String,
}

impl Signers {
    /// `scope` is what the requirement is about, such as `packages = ['*']`.
    pub fn new(folder: &Path, scope: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let alice: Person = person("alice", Life::Alive);
        fs::write(folder.join("alice.pgp"), &alice.public).map_err(failed)?;
        fs::write(folder.join("alice.key"), &alice.file).map_err(failed)?;
        let place = |name: &str| folder.join(name).display().to_string();
        let public = output(sx(["key", "generate", "-o"]).arg(place("bob.key")))?;
        let text = format!(
            "people.alice.openpgp = ['alice.pgp']\npeople.bob.ed25519 = ['{public}']\ngroups.all = ['alice', 'bob']\n\
             [[require]]\n{scope}\nquorum = 2\nof = 'all'\n"
        );
        fs::write(folder.join("trust.toml"), text).map_err(failed)?;
        Ok(Self { alice: place("alice.key"), bob: place("bob.key"), trust: place("trust.toml") })
    }
}

/// What a command that has to answer no prints, with its error.
pub fn refused(command: &mut Command) -> Result<String, String> {
    refused_with(command, 1..=1)
}

/// What a command that has to end with one of these codes prints, with its error.
pub fn refused_with(command: &mut Command, codes: RangeInclusive<i32>) -> Result<String, String> {
    let ended = command.output().map_err(|error| error.to_string())?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    match ended.status.code() {
        Some(code) if codes.contains(&code) => Ok(text),
        code => Err(format!("{command:?} ended with {code:?}: {text}")),
    }
}

pub fn has(text: &str, expected: &str) -> Result<(), String> {
    if text.contains(expected) { Ok(()) } else { Err(format!("no `{expected}` in: {text}")) }
}

pub fn key() -> Result<(), String> {
    let folder = scratch()?;
    let file = folder.path().join("key");
    let public = output(sx(["key", "generate", "-o"]).arg(&file))?;
    let mode = fs::metadata(&file).map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o777 != 0o600 {
        return Err(format!("the key has mode {mode:o}"));
    }
    let shown = output(sx(["key", "show"]).arg(&file))?;
    if shown != public
        || !output(sx(["key", "show", "--pem"]).arg(&file))?.starts_with("-----BEGIN PUBLIC KEY")
    {
        return Err(format!("{shown} is not {public}"));
    }
    match output(sx(["key", "generate", "-o"]).arg(&file)) {
        Ok(_) => Err("a key was overwritten".into()),
        Err(text) => has(&text, "File exists"),
    }
}

pub fn attestations() -> Result<(), String> {
    let folder = scratch()?;
    let signers = Signers::new(folder.path(), "packages = ['hello-*']")?;
    // A store of its own, since attestations lie in it; its sources are those of the lasting one.
    let store = folder.path().join("store");
    let sources = crate::harness::source_folder()?;
    let sx = |arguments: &[&str]| {
        let mut command = sx(arguments);
        command.env("SX_STORE", &store);
        command
    };
    let source = format!("--source-folder={}", sources.display());
    let verify = ["verify", "pkgs.hello", "--trust", &signers.trust];
    let path = output(&mut sx(&["realise", "-q", "pkgs.hello", &source]))?;
    has(&refused(&mut sx(&verify))?, "signed by nobody; not by alice, bob")?;
    // Once as the attribute, once as the store path, and the second time with a second build before.
    output(&mut sx(&["attest", "-q", "pkgs.hello", "--key", &signers.alice]))?;
    has(&refused(&mut sx(&verify))?, "signed by alice; not by bob")?;
    let file = output(&mut sx(&["attest", "-q", &path, "--check", "--key", &signers.bob]))?;
    has(&file, "-hello-1.0.drv/out/")?;
    has(&output(&mut sx(&verify))?, "met: 2 of the 2 in `all` must sign, 2 did: signed by alice, bob")?;
    // Out to a folder, and into another store.
    let outside = folder.path().join("signatures").display().to_string();
    has(&output(&mut sx(&["attestation", "export", &outside]))?, "2 new signatures")?;
    has(&output(&mut sx(&["attestation", "export", &outside]))?, "0 new signatures")?;
    let listed: serde_json::Value =
        serde_json::from_str(&output(&mut sx(&["attestation", "list", "--json"]))?)
            .map_err(|e| e.to_string())?;
    if listed["claims"][0]["signatures"].as_array().map(Vec::len) != Some(2) {
        return Err(listed.to_string());
    }
    let mut elsewhere = crate::harness::sx(["verify", &path, "--trust", &signers.trust, "--json"]);
    let text = refused(&mut elsewhere)?;
    has(&text, "\"is_met\": false")?;
    let text = output(elsewhere.args(["--attestations", &outside]))?;
    let report: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if report["subjects"][0]["requirements"][0]["signed"] != serde_json::json!(["alice", "bob"]) {
        return Err(report.to_string());
    }
    // All steps on the way are claims too.
    let files = output(&mut sx(&["attest", "-q", "--deep", "pkgs.hello", "--key", &signers.bob]))?;
    has(&files, "-seed.drv/out/")?;
    if files.lines().count() < 10 { Err(files) } else { Ok(()) }
}

/// A folder of gpg's, whose agent ends with this.
struct GpgHome(tempfile::TempDir);

impl GpgHome {
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("GNUPGHOME", self.0.path());
        command
    }
}

impl Drop for GpgHome {
    fn drop(&mut self) {
        // It may not have been started.
        let _ = self.command("gpgconf", &["--kill", "all"]).output();
    }
}

/// The secret key is the agent's alone; attestations, images and releases go through it.
pub fn gpg() -> Result<(), String> {
    let folder = scratch()?;
    // The path of the agent's socket must be short.
    let home = tempfile::Builder::new().prefix("sx").tempdir().map_err(|error| error.to_string())?;
    let home = GpgHome(home);
    let gpg = |arguments: &[&str]| output(&mut home.command("gpg", arguments));
    gpg(&["--batch", "--passphrase=", "--quick-generate-key", "alice@example.org", "ed25519", "sign"])?;
    gpg(&["--export", "--armor", "--output", &folder.path().join("alice.pgp").display().to_string()])?;
    let text = "people.alice.openpgp = ['alice.pgp']\ngroups.all = ['alice']\n[[require]]\npackages = ['*']\n\
                images = ['localhost/sx']\nreleases = ['demo']\nquorum = 1\nof = 'all'\n";
    let place = |name: &str| folder.path().join(name).display().to_string();
    let trust = place("trust.toml");
    fs::write(&trust, text).map_err(|error| error.to_string())?;
    let run = |arguments: &[&str]| {
        let mut command = sx(arguments);
        command.env("GNUPGHOME", home.0.path()).env("SX_STORE", place("store"));
        command.env("XDG_STATE_HOME", place("state")).current_dir(folder.path());
        command
    };
    let sources = format!("--source-folder={}", crate::harness::source_folder()?.display());
    let key = "--gpg-key=alice@example.org";
    output(
        run(&["release", "-q", "pkgs.hello", "--name=demo", "--serial=1", "-o", "demo.json"]).arg(&sources),
    )?;
    output(&mut run(&["reproduce", "-q", "demo.json", key]))?;
    has(&output(&mut run(&["verify", "demo.json", "--trust", &trust]))?, "signed by alice")?;
    has(&output(&mut run(&["reproduce", "-q", "demo.json", key]))?, "signed-before")?;
    let image = crate::harness::exported_hello()?.display().to_string();
    let name = "--as=localhost/sx/hello:1";
    output(&mut run(&["sign", "-q", &image, name, key, "--lookaside", "signatures"]))?;
    let verify = ["verify", &image, name, "--trust", &trust, "--lookaside", "signatures"];
    has(&output(&mut run(&verify))?, "signed by alice")?;
    match output(&mut run(&["attest", "-q", "pkgs.hello", "--gpg-key=nobody@example.org"])) {
        Ok(_) => Err("a key that there is not signed".into()),
        Err(text) => has(&text, "gpg did not sign with the key `nobody@example.org`"),
    }
}

pub fn export() -> Result<(), String> {
    let folder = scratch()?;
    let signers = Signers::new(folder.path(), "packages = ['*']")?;
    let store = folder.path().join("store");
    let sources = format!("--source-folder={}", crate::harness::source_folder()?.display());
    let archive = folder.path().join("hello.tar").display().to_string();
    let export = || {
        let arguments =
            ["export", "-q", "pkgs.hello", "-o", &archive, "--require-quorum", "--trust", &signers.trust];
        let mut command = sx(arguments);
        command.arg(&sources).env("SX_STORE", &store);
        command
    };
    has(&refused(&mut export())?, "not enough people vouch for")?;
    if Path::new(&archive).exists() {
        return Err("an image was written all the same".into());
    }
    for key in [&signers.alice, &signers.bob] {
        output(sx(["attest", "-q", "pkgs.hello", "--key", key]).env("SX_STORE", &store))?;
    }
    output(&mut export()).map(drop)
}

pub fn pull() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let image = format!("{}/sx/hello:1", registry.name);
    let signers = Signers::new(folder.path(), &format!("images = ['{}/sx']", registry.name))?;
    pushed(&["pkgs.hello", "--to", &image])?;
    let pull = || sx(["pull", "-q", &image, "--require-quorum", "--trust", &signers.trust]);
    has(&refused(&mut pull())?, "signed by nobody; not by alice, bob")?;
    output(&mut sx(["sign", "-q", &image, "--attach", "--key", &signers.alice]))?;
    has(&refused(&mut pull())?, "signed by alice; not by bob")?;
    // The same once more is nothing more.
    output(&mut sx(["sign", "-q", &image, "--attach", "--key", &signers.alice]))?;
    has(&refused(&mut pull())?, "counts for nobody more")?;
    output(&mut sx(["sign", "-q", &image, "--attach", "--key", &signers.bob]))?;
    has(&output(&mut sx(["verify", &image, "--trust", &signers.trust]))?, "signed by alice, bob")?;
    output(&mut pull()).map(drop)
}

pub fn archives() -> Result<(), String> {
    let folder = scratch()?;
    let name = "localhost/sx/hello:1";
    let people = ["alice", "bob"].map(|name| person(name, Life::Alive));
    let mut text = String::new();
    for person in &people {
        let failed = |error: std::io::Error| error.to_string();
        fs::write(folder.path().join(person.name), &person.public).map_err(failed)?;
        fs::write(folder.path().join(format!("{}.key", person.name)), &person.file).map_err(failed)?;
        text += &format!("people.{0}.openpgp = ['{0}']\n", person.name);
    }
    text += "groups.all = ['alice', 'bob']\n[[require]]\nimages = ['localhost/sx']\nquorum = 2\nof = 'all'\n";
    let trust = folder.path().join("trust.toml");
    fs::write(&trust, text).map_err(|error| error.to_string())?;
    let layout = folder.path().join("layout");
    output(sx(["export", "-q", "pkgs.hello", "--format=layout", "-o"]).arg(&layout))?;
    let archive = crate::harness::exported_hello()?;
    let lookaside = folder.path().join("lookaside");
    let verify = |image: &Path| {
        let mut command = sx(["verify", "--as", name, "--trust"]);
        command.arg(&trust).arg("--lookaside").arg(&lookaside).arg(image);
        command
    };
    for (person, image) in people.iter().zip([&layout, &archive]) {
        has(&refused(&mut verify(image))?, "not met")?;
        let mut sign = sx(["sign", "-q", "--as", name, "--key"]);
        sign.arg(folder.path().join(format!("{}.key", person.name))).arg("--lookaside").arg(&lookaside);
        output(sign.arg(image))?;
    }
    // One image in two forms has one manifest.
    for image in [&layout, &archive] {
        has(&output(&mut verify(image))?, "signed by alice, bob")?;
    }
    let mut unnamed = sx(["sign", "--key"]);
    unnamed.arg(folder.path().join("alice.key")).arg("--lookaside").arg(&lookaside).arg(&layout);
    match output(&mut unnamed) {
        Ok(_) => Err("an image without a registry was signed".into()),
        Err(text) => has(&text, "--as HOST/NAME:TAG"),
    }
}

//! A release from the first machine to the last: made, reproduced, signed, verified by who has public keys alone.

use super::verbs::{Signers, has, refused};
use crate::containers::{loopback_copy, scratch};
use crate::harness::{busybox, output, source_folder, sx};
use crate::registry::registry;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A machine: a store and a home of its own.
struct Machine<'a> {
    folder: &'a Path,
    name: &'static str,
}

impl Machine<'_> {
    fn sx(&self, arguments: &[&str]) -> Command {
        let mut command = sx(arguments);
        command.env("SX_STORE", self.folder.join(self.name).join("store"));
        command.env("XDG_STATE_HOME", self.folder.join(self.name).join("state"));
        // Where sources that need not be fetched lie.
        command.env("XDG_CONFIG_HOME", self.folder);
        command.current_dir(self.folder);
        command
    }
}

/// Writes a configuration that knows where TinyCC's source lies.
fn prepare(folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    fs::create_dir_all(folder.join("sx")).map_err(failed)?;
    let text = format!("source-folders = [{:?}]\n", source_folder()?.display().to_string());
    fs::write(folder.join("sx/config.toml"), text).map_err(failed)
}

pub fn quorum() -> Result<(), String> {
    let folder = scratch()?;
    prepare(folder.path())?;
    let registry = registry(folder.path(), "")?;
    let scope = format!("packages = ['*']\nreleases = ['demo']\nimages = ['{}/sx']", registry.name);
    let signers = Signers::new(folder.path(), &scope)?;
    let machine = |name| Machine { folder: folder.path(), name };
    let (first, second, third) = (machine("first"), machine("second"), machine("third"));
    let images = format!("{}/sx", registry.name);
    let image = format!("{images}/hello:1.0");
    let make = [
        "release",
        "-q",
        "pkgs.hello",
        "--name=demo",
        "--serial=1",
        "--images",
        &images,
        "--push",
        "-o",
        "release.json",
    ];
    output(&mut first.sx(&make))?;
    let verify = ["verify", "release.json", "--trust", &signers.trust];
    let verify_image = ["verify", &image, "--trust", &signers.trust];
    has(&refused(&mut third.sx(&verify))?, "signed by nobody; not by alice, bob")?;
    let reproduce = |machine: &Machine<'_>, key: &str| {
        output(&mut machine.sx(&["reproduce", "-q", "release.json", "--attach", "--key", key]))
    };
    has(&reproduce(&first, &signers.alice)?, "equal          pkgs.hello")?;
    has(&refused(&mut third.sx(&verify))?, "signed by alice; not by bob")?;
    has(&refused(&mut third.sx(&verify_image))?, "signed by alice; not by bob")?;
    has(&reproduce(&second, &signers.bob)?, "equal          pkgs.hello")?;
    let text = output(&mut third.sx(&verify))?;
    if text.matches("signed by alice, bob").count() != 3 {
        return Err(format!("release, attestation and image should be met: {text}"));
    }
    // With the registry alone: the image's own signatures, the release that is attached, and the attestations.
    let fourth = machine("fourth");
    let text = output(&mut fourth.sx(&verify_image))?;
    if text.matches("signed by alice, bob").count() != 3 {
        return Err(format!("image, release and attestation should be met: {text}"));
    }
    output(&mut fourth.sx(&["pull", "-q", &image, "--require-quorum", "--trust", &signers.trust]))?;
    // Attestations that came with the image count for what is built there.
    has(&output(&mut fourth.sx(&["attestation", "list"]))?, "-hello-1.0.drv\tout\t")?;
    has(&output(&mut fourth.sx(&["attestation", "pull", &image]))?, "0 new signatures")
}

/// Writes a flake of two packages; `busy` is what the second does first.
fn flake(folder: &Path, busy: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    fs::create_dir_all(folder.join("tree/tools")).map_err(failed)?;
    let tool = folder.join("tree/tools/busybox");
    // A copy of what is in a store is read-only.
    if !tool.exists() {
        fs::copy(busybox()?, tool).map_err(failed)?;
    }
    let text = format!(
        "{{\n  outputs = _: let\n    tools = ./tools;\n    make = name: text: derivation {{\n      inherit name;\n      \
         system = \"x86_64-linux\";\n      builder = \"${{tools}}/busybox\";\n      args = [ \"sh\" \"-c\" text ];\n      \
         b = \"${{tools}}/busybox\";\n    }};\n  in {{\n    pkgs.first = make \"first-1\" \"$b mkdir -p $out/bin; echo one > \
         $out/bin/one\";\n    pkgs.second = make \"second-1\" \"{busy}; $b mkdir -p $out/bin; echo two > $out/bin/two\";\n  \
         }};\n}}\n"
    );
    fs::write(folder.join("tree/flake.nix"), text).map_err(failed)
}

fn release(machine: &Machine<'_>, serial: &str, file: &str) -> Result<(), String> {
    let arguments =
        ["release", "-q", "pkgs.first", "pkgs.second", "--name=demo", "--serial", serial, "-o", file];
    output(machine.sx(&arguments).current_dir(machine.folder.join("tree"))).map(drop)
}

pub fn goes_on() -> Result<(), String> {
    let folder = scratch()?;
    prepare(folder.path())?;
    // The second package waits for a file that nobody makes in a sandbox.
    flake(folder.path(), "test $NIX_BUILD_CORES != 7 || while :; do :; done")?;
    let signers = Signers::new(folder.path(), "packages = ['*']")?;
    let (first, second) =
        (Machine { folder: folder.path(), name: "first" }, Machine { folder: folder.path(), name: "second" });
    release(&first, "1", "../release.json")?;
    let tree = folder.path().join("tree");
    let reproduce = |cores: &str| {
        let arguments = ["reproduce", "../release.json", "--key", &signers.bob, "--cores", cores];
        let mut command = second.sx(&arguments);
        command.current_dir(&tree);
        command
    };
    // Ended by the user once the first package is signed.
    let mut child =
        reproduce("7").stderr(std::process::Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().ok_or("no standard error")?));
    for line in lines.map_while(Result::ok) {
        if line.contains("building second-1") {
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::INT)
                .map_err(|error| error.to_string())?;
        }
    }
    let ended = child.wait().map_err(|error| error.to_string())?;
    if ended.code() != Some(130) {
        return Err(format!("it ended with {ended}"));
    }
    let text = output(&mut reproduce("1"))?;
    has(&text, "signed-before  pkgs.first")?;
    has(&text, "equal          pkgs.second")?;
    if !folder.path().read_dir().map_err(|error| error.to_string())?.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("release.json.") && name.ends_with(".dsse.json")
    }) {
        return Err("the release was not signed".into());
    }
    Ok(())
}

pub fn otherwise() -> Result<(), String> {
    let folder = scratch()?;
    prepare(folder.path())?;
    flake(folder.path(), "$b mkdir -p $out; $b cat /proc/sys/kernel/random/uuid > $out/id")?;
    let signers = Signers::new(folder.path(), "packages = ['*']")?;
    let (first, second) =
        (Machine { folder: folder.path(), name: "first" }, Machine { folder: folder.path(), name: "second" });
    release(&first, "1", "../release.json")?;
    let tree = folder.path().join("tree");
    let shared = folder.path().join("signatures").display().to_string();
    output(first.sx(&["attest", "-q", "--deep", "pkgs.second", "--key", &signers.alice]).current_dir(&tree))?;
    output(&mut first.sx(&["attestation", "export", &shared]))?;
    let mut reproduce =
        second.sx(&["reproduce", "-q", "../release.json", "--attestations", &shared, "--key", &signers.bob]);
    let text = refused(reproduce.current_dir(&tree))?;
    has(&text, "equal          pkgs.first")?;
    has(&text, "different      pkgs.second")?;
    has(&text, "the first step that others attested otherwise is second-1.drv")?;
    has(&text, "1 of 2 packages differ")?;
    let listed = output(&mut second.sx(&["attestation", "list"]))?;
    if listed.contains("second-1") {
        return Err(format!("what differs was signed: {listed}"));
    }
    // Who verifies is told of both.
    let place = folder.path().join("second/store/store");
    let object = fs::read_dir(place).map_err(|error| error.to_string())?.filter_map(Result::ok);
    let object = object.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let object = { object }.find(|name| name.ends_with("-second-1")).ok_or("second-1 is not there")?;
    let object = format!("/sx/store/{object}");
    let verify = ["verify", &object, "--trust", &signers.trust, "--attestations", &shared];
    has(&refused(&mut second.sx(&verify))?, "alice say that it was")?;
    // A changed tree is another derivation.
    flake(folder.path(), "true")?;
    has(&refused(reproduce.current_dir(&tree))?, "this is another tree than the release was made from")
}

pub fn older() -> Result<(), String> {
    let folder = scratch()?;
    prepare(folder.path())?;
    flake(folder.path(), "true")?;
    let signers = Signers::new(folder.path(), "packages = ['*']\nreleases = ['demo']")?;
    let machine = Machine { folder: folder.path(), name: "first" };
    let tree = folder.path().join("tree");
    let verify = |file: &str| machine.sx(&["verify", "-q", file, "--trust", &signers.trust]);
    for (serial, file) in [("1", "one.json"), ("2", "two.json")] {
        release(&machine, serial, &format!("../{file}"))?;
        for key in [&signers.alice, &signers.bob] {
            output(machine.sx(&["reproduce", "-q", &format!("../{file}"), "--key", key]).current_dir(&tree))?;
        }
        output(&mut verify(file))?;
    }
    has(&refused(&mut verify("one.json"))?, "the release 1 of `demo` is older than 2")?;
    output(verify("one.json").arg("--allow-older"))?;
    // The newer one is still remembered.
    has(&refused(&mut verify("one.json"))?, "is older than 2")?;
    output(&mut verify("two.json")).map(drop)
}

/// Someone points a tag back at an old image, which enough people signed when it was new.
pub fn older_image() -> Result<(), String> {
    let folder = scratch()?;
    prepare(folder.path())?;
    let registry = registry(folder.path(), "")?;
    let images = format!("{}/sx", registry.name);
    let scope = format!("packages = ['*']\nreleases = ['demo']\nimages = ['{images}']");
    let signers = Signers::new(folder.path(), &scope)?;
    let (first, third, fourth) = (
        Machine { folder: folder.path(), name: "first" },
        Machine { folder: folder.path(), name: "third" },
        Machine { folder: folder.path(), name: "fourth" },
    );
    let tree = folder.path().join("tree");
    // Nothing says its version.
    let image = format!("{images}/second-1:latest");
    let verify = |machine: &Machine<'_>| machine.sx(&["verify", &image, "--trust", &signers.trust]);
    let mut digests = Vec::new();
    for (serial, made) in [("1", "true"), ("2", "$b mkdir -p $out/share; echo more > $out/share/more")] {
        flake(folder.path(), made)?;
        let file = format!("../{serial}.json");
        let make = [
            "release",
            "-q",
            "pkgs.second",
            "--name=demo",
            "--serial",
            serial,
            "--images",
            &images,
            "--push",
        ];
        output(first.sx(&make).args(["-o", &file]).current_dir(&tree))?;
        for key in [&signers.alice, &signers.bob] {
            let reproduce = ["reproduce", "-q", &file, "--attach", "--key", key];
            output(first.sx(&reproduce).current_dir(&tree))?;
        }
        let text = output(&mut verify(&third))?;
        digests
            .extend(text.split_once('@').map(|(_, rest)| rest.lines().next().unwrap_or_default().to_owned()));
    }
    let back = |digest: &str| {
        let mut copy = loopback_copy();
        copy.arg(format!("docker://{images}/second-1@{digest}")).arg(format!("docker://{image}"));
        output(&mut copy)
    };
    back(&digests[0])?;
    let expected = format!("release 2 of demo, which was relied on before, has {} by this name", digests[1]);
    has(&refused(&mut verify(&third))?, &expected)?;
    let mut pull = third.sx(&["pull", "-q", &image, "--require-quorum", "--trust", &signers.trust]);
    has(&refused(&mut pull)?, &expected)?;
    output(pull.arg("--allow-older"))?;
    // Who relied on nothing yet can't know.
    output(&mut verify(&fourth))?;
    back(&digests[1])?;
    output(&mut verify(&third))?;
    // What can't be read any more is no reason to forget it.
    let memory = folder.path().join("third/state/sx/releases/demo.json");
    fs::write(&memory, "?").map_err(|error| error.to_string())?;
    match output(&mut verify(&third)) {
        Ok(_) => Err("a damaged memory was passed over".into()),
        Err(text) => has(&text, "the release that was relied on last, is damaged"),
    }
}

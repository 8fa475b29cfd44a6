//! Pushes and pulls that are slow or break off, between the command and a real registry: what people see of them, and what is
//! moved a second time.

use super::registry;
use super::relay::{Relay, Traffic};
use crate::containers::{same, scratch, skopeo};
use crate::harness::{output, sx};
use crate::terminal::Terminal;
use std::path::Path;
use std::process::Command;

const MIB: u64 = 1 << 20;
/// Of the text in the image, whose only layer it almost is.
const TEXT_MIB: u64 = 8;

/// An image with a layer of some length, which isn't packed.
fn big(verb: &str, arguments: &[&str]) -> Command {
    let expression = r#"{ type = "image"; name = "test/big"; contents = [];
        config.env.TEXT = builtins.toFile "big" (builtins.foldl' (text: _: text + text) "0123456789abcdef" (builtins.genList (x: x) 19)); }"#;
    let mut command = sx([verb, "--compression=none", "--expr", expression]);
    command.args(arguments);
    command
}

/// Waits until the line says that one of both blobs is there, and that of the other, which is held back, a part was moved.
fn see_a_part(terminal: &mut Terminal) -> Result<(), String> {
    loop {
        terminal.see("1/2 blobs; ")?;
        let moved = terminal.see(" moved, 8.0 MiB in all")?;
        let number = moved.strip_suffix(" MiB").and_then(|number| number.parse::<f64>().ok());
        if number.is_some_and(|number| number >= 2.0) {
            return Ok(());
        }
    }
}

pub fn progress() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let relay = Relay::new(&registry.name)?;
    let image = format!("{}/test/big:1", relay.name);
    // What there is to build isn't part of it.
    output(big("export", &["--output"]).arg(folder.path().join("image.tar")))?;
    for command in [big("push", &["--to", &image]), sx(["pull", &image])] {
        relay.set(Traffic::HeldAfter(3 * MIB));
        let mut terminal = Terminal::open(command)?;
        see_a_part(&mut terminal)?;
        relay.set(Traffic::Free);
        // What the command prints comes after it.
        terminal.see("big")?;
        terminal.wait()?;
    }
    // Elsewhere there is a line for each blob.
    let told = sx(["pull", &image]).output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    if told.contains("sx: moved ") && told.contains("(2/2)") && !told.contains('\x1b') {
        Ok(())
    } else {
        Err(told)
    }
}

/// The same process tries again, and so may another; what is whole isn't sent a second time. (This registry forgets an upload that
/// broke off: it answers that it resumes at a wrong offset. One that remembers is in `store/registry/tests/distribution.rs`.)
pub fn broken_push() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let relay = Relay::new(&registry.name)?;
    let image = format!("{}/test/big:1", relay.name);
    relay.set(Traffic::OneEndsAfter(3 * MIB));
    match output(&mut big("push", &["--attempts=1", "--to", &image])) {
        Err(text) if text.contains("cannot push a blob") => {}
        other => return Err(format!("{other:?}")),
    }
    relay.set(Traffic::OneEndsAfter(3 * MIB));
    let digest = output(&mut big("push", &["--to", &image]))?;
    let tagged = format!("docker://{}/test/big:1", registry.name);
    let mut inspect = skopeo(folder.path());
    inspect.args(["inspect", "--tls-verify=false", "--format={{.Digest}}", &tagged]);
    same(digest.split('@').nth(1).unwrap_or_default(), &output(&mut inspect)?, "the digest")?;
    relay.set(Traffic::Free);
    same(&output(&mut big("push", &["--to", &image]))?, &digest, "the third push")?;
    match relay.passed() {
        [sent, _] if sent > MIB / 4 => Err(format!("{sent} bytes were sent again")),
        _ => Ok(()),
    }
}

/// Another process goes on where the first ended.
pub fn broken_pull() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let relay = Relay::new(&registry.name)?;
    let direct = format!("{}/test/big:1", registry.name);
    let mut push = big("push", &["--to", &direct]);
    let digest = output(&mut push)?.split('@').nth(1).unwrap_or_default().to_owned();
    let image = format!("{}/test/big:1", relay.name);
    let pull = |store: &Path| {
        let mut pull = sx(["pull", "--attempts=1", &image]);
        output(pull.env("SX_STORE", store))
    };
    let store = folder.path().join("store");
    relay.set(Traffic::OneEndsAfter(3 * MIB));
    match pull(&store) {
        Err(text) if text.contains("cannot pull a blob") || text.contains("sends") => {}
        other => return Err(format!("{other:?}")),
    }
    relay.set(Traffic::Free);
    let path = pull(&store)?;
    let [_, received] = relay.passed();
    if received > (TEXT_MIB - 2) * MIB {
        return Err(format!("{received} bytes were received after it broke off"));
    }
    let object = store.join("store").join(path.rsplit('/').next().unwrap_or_default());
    let shown = output(sx(["image", "show", "--json"]).arg(object))?;
    let report: serde_json::Value = serde_json::from_str(&shown).map_err(|error| error.to_string())?;
    same(report["manifestDigest"].as_str().unwrap_or_default(), &digest, "the digest")
}

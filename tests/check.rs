//! `sx check` before derivations that are unreproducible on purpose, one for each way.

use crate::containers::scratch;
use crate::harness::{Test, busybox, output, sx};
use std::fs;
use std::path::Path;

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    vec![
        test("check::each_way_of_being_unreproducible_is_caught_and_named", each_way as fn() -> _),
        test("check::what_is_valid_stays_as_it_is", valid_stays),
        test("check::the_page_has_a_table_and_totals", page),
        test("check::the_way_to_a_compiler_is_the_same_again", bootstrap),
        test("check::what_was_checked_is_said", what),
    ]
}

/// Each derivation, and the cause that has to be named; none if it is reproducible.
const WAYS: [(&str, &str, &[&str]); 16] = [
    ("stable", "echo hello > $out", &[]),
    ("readdir", "cd $src; $b find . > $out", &["order"]),
    ("working", "for i in c a d b e x y z; do echo $i > $i; done; $b find . > $out", &["order"]),
    ("cores", "echo made with $NIX_BUILD_CORES cores > $out", &["cores"]),
    ("random", "$b head -c 32 /dev/urandom > $out", &["randomness"]),
    ("uuid", "$b mkdir $out; $b cat /proc/sys/kernel/random/uuid > $out/id", &["randomness"]),
    ("date", "$b date > $out", &["time"]),
    ("seconds", "$b date +%s > $out", &["time"]),
    ("uptime", "$b cut -d. -f1 /proc/uptime > $out", &["time"]),
    ("tar", "$b mkdir d; echo a > d/a; $b tar -cf $out d", &["umask", "time"]),
    ("umask", "umask > $out", &["umask"]),
    ("host", "$b uname -n > $out", &["host name"]),
    ("locale", "echo $LANG > $out", &["locale"]),
    ("environment", "$b env | $b grep -v -e ^L -e ^TZ | $b wc -c > $out", &["environment"]),
    // A mention of itself is no difference.
    ("itself", "echo $out > $out", &[]),
    ("executable", "echo > $out; test $(umask) = 0022 && $b chmod +x $out || true", &["umask"]),
];

/// Writes the derivations, and a folder for them to read.
fn expression(folder: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| error.to_string();
    fs::create_dir_all(folder.join("tools")).map_err(failed)?;
    fs::copy(busybox()?, folder.join("tools/busybox")).map_err(failed)?;
    fs::create_dir_all(folder.join("src/sub")).map_err(failed)?;
    for name in ["one", "two", "three", "four", "five", "six", "sub/a", "sub/b"] {
        fs::write(folder.join("src").join(name), name).map_err(failed)?;
    }
    let ways: String = WAYS.iter().map(|(name, text, _)| format!("  {name} = ''{text}'';\n")).collect();
    let text = format!(
        "let\n  tools = ./tools;\n  make = name: text: derivation {{\n    inherit name;\n    system = \"x86_64-linux\";\n    \
         builder = \"${{tools}}/busybox\";\n    args = [ \"sh\" \"-c\" text ];\n    src = ./src;\n    \
         b = \"${{tools}}/busybox\";\n  }};\nin builtins.mapAttrs make {{\n{ways}}}\n"
    );
    let file = folder.join("default.nix");
    fs::write(&file, text).map_err(failed)?;
    Ok(file.display().to_string())
}

fn each_way() -> Result<(), String> {
    let folder = scratch()?;
    let file = expression(folder.path())?;
    let mut command = sx(["check", "-q", "--json", "--no-diffoscope", "-f", &file]);
    command.env("SX_STORE", folder.path().join("store"));
    let ended = command.output().map_err(|error| error.to_string())?;
    if ended.status.code() != Some(1) {
        return Err(format!("{:?}: {}", ended.status, String::from_utf8_lossy(&ended.stderr)));
    }
    let report: serde_json::Value =
        serde_json::from_slice(&ended.stdout).map_err(|error| error.to_string())?;
    for (name, _, causes) in WAYS {
        let found = report["derivations"].as_array().into_iter().flatten();
        let found =
            found.into_iter().find(|found| found["name"] == name).ok_or(format!("`{name}` is missing"))?;
        let named: Vec<&str> = found["different"][0]["causes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|cause| cause["cause"].as_str())
            .collect();
        let verdict = if causes.is_empty() { "same" } else { "different" };
        if found["verdict"] != verdict || named != causes {
            return Err(format!("`{name}` should be {verdict} by {causes:?}: {found:#}"));
        }
    }
    Ok(())
}

fn valid_stays() -> Result<(), String> {
    let folder = scratch()?;
    let (file, store) = (expression(folder.path())?, folder.path().join("store"));
    let run = |arguments: &[&str]| {
        let mut command = sx(arguments);
        command.args(["-q", "-f", &file]).env("SX_STORE", &store);
        command.output().map_err(|error| error.to_string())
    };
    let first = run(&["realise", "random"])?.stdout;
    let object = store
        .join("store")
        .join(String::from_utf8_lossy(&first).trim().rsplit('/').next().unwrap_or_default());
    let before = fs::read(&object).map_err(|error| error.to_string())?;
    let checked = run(&["realise", "random", "--check"])?;
    if checked.status.code() != Some(1) || !String::from_utf8_lossy(&checked.stderr).contains("randomness") {
        return Err(format!("{:?}: {}", checked.status, String::from_utf8_lossy(&checked.stderr)));
    }
    let again = run(&["realise", "random"])?.stdout;
    if first != again || fs::read(&object).map_err(|error| error.to_string())? != before {
        return Err("the valid output was replaced".into());
    }
    let left: Vec<_> = fs::read_dir(store.join("builds")).map_err(|error| error.to_string())?.collect();
    let objects = fs::read_dir(store.join("store")).map_err(|error| error.to_string())?;
    let new =
        objects.filter_map(Result::ok).any(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    if !left.is_empty() || new {
        return Err(format!("something was left: {left:?}"));
    }
    // Asked to, it keeps what came out otherwise.
    let kept = run(&["check", "random", "--keep-failed", "--no-diffoscope"])?;
    let text = String::from_utf8_lossy(&kept.stderr).into_owned();
    let told = String::from_utf8_lossy(&kept.stdout);
    let place = store.join("failed/random-0");
    if place.is_file() && told.contains(&format!("which is kept in `{}`", place.display())) {
        return Ok(());
    }
    Err(format!("{told}{text}"))
}

fn page() -> Result<(), String> {
    let folder = scratch()?;
    let (file, page) = (expression(folder.path())?, folder.path().join("page.html"));
    let mut command = sx(["check", "-q", "-f", &file, "stable", "umask", "--page"]);
    command.arg(&page).env("SX_STORE", folder.path().join("store"));
    command.output().map_err(|error| error.to_string())?;
    let text = fs::read_to_string(&page).map_err(|error| error.to_string())?;
    for expected in [
        "<h1>1 of 2 derivations are reproducible</h1>",
        "<td>stable<td>stable<td class=\"same\">same",
        "<td>umask<td class=\"n\">",
    ] {
        if !text.contains(expected) {
            return Err(format!("no `{expected}` in {text}"));
        }
    }
    Ok(())
}

fn bootstrap() -> Result<(), String> {
    let text = output(&mut sx(["check", "-q", "--deep", "pkgs.hello"]))?;
    if text.contains("10 the same, 0 different, 0 failed") { Ok(()) } else { Err(text) }
}

/// A set's packages are named one by one, so that a set of sources isn't taken for the program.
fn what() -> Result<(), String> {
    let set = output(&mut sx(["check", "-q", "--deep", "bootstrap.tinycc"]))?;
    let expected = "checked bootstrap.tinycc.archive and bootstrap.tinycc.source and all that they are built from: 1 the same";
    if !set.contains(expected) {
        return Err(set);
    }
    let source = output(&mut sx(["check", "-q", "bootstrap.tinycc.archive"]))?;
    if source.contains("nothing was built again") { Ok(()) } else { Err(source) }
}

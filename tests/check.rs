//! `sx check` before derivations that are unreproducible on purpose, one for each way.

use crate::containers::scratch;
use crate::harness::{Test, busybox, output, repository, sx};
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    vec![
        test("check::each_way_of_being_unreproducible_is_caught_and_named", each_way as fn() -> _),
        Test {
            name: "check::the_second_build_s_day_is_another_in_every_way_to_ask",
            requires: &["gcc"],
            run: other_day,
        },
        Test {
            name: "check::diffoscope_is_asked_where_it_is_installed",
            requires: &["diffoscope"],
            run: diffoscope,
        },
        test("check::what_is_valid_stays_as_it_is", valid_stays),
        test("check::the_page_has_a_table_and_totals", page),
        test("check::the_way_to_a_compiler_is_the_same_again", bootstrap),
        test("check::what_was_checked_is_said", what),
    ]
}

/// A derivation on purpose.
struct Way {
    name: &'static str,
    /// Its builder's script.
    script: &'static str,
    /// The causes that have to be named; none if it is reproducible.
    causes: &'static [&'static str],
    /// The variations that have to be found to make it differ alone.
    by: &'static [&'static str],
}

const fn way(
    name: &'static str,
    script: &'static str,
    causes: &'static [&'static str],
    by: &'static [&'static str],
) -> Way {
    Way { name, script, causes, by }
}

const WAYS: [Way; 19] = [
    way("stable", "echo hello > $out", &[], &[]),
    way("readdir", "cd $src; $b find . > $out", &["order"], &["input-order"]),
    way(
        "working",
        "for i in c a d b e x y z; do echo $i > $i; done; $b find . > $out",
        &["order"],
        &["working-order"],
    ),
    way("cores", "echo made with $NIX_BUILD_CORES cores > $out", &["cores"], &["cores"]),
    way("processors", "$b nproc > $out", &["cores"], &["cores"]),
    way("random", "$b head -c 32 /dev/urandom > $out", &["randomness"], &[]),
    way("uuid", "$b mkdir $out; $b cat /proc/sys/kernel/random/uuid > $out/id", &["randomness"], &[]),
    // These differ from second to second already.
    way("date", "$b date > $out", &["time"], &[]),
    way("seconds", "$b date +%s > $out", &["time"], &[]),
    way("year", "$b date +%Y > $out", &["time"], &["day"]),
    way(
        "uptime",
        "$b cut -d. -f1 /proc/uptime | $b sed s/^/00000/ | $b sed s/.....$// > $out",
        &["time"],
        &["clocks"],
    ),
    way("tar", "$b mkdir d; echo a > d/a; $b tar -cf $out d", &["umask", "time"], &[]),
    way("umask", "umask > $out", &["umask"], &["umask"]),
    way("packed", "echo umask $(umask) | $b gzip -n > $out", &["umask"], &["umask"]),
    way("host", "$b uname -n > $out", &["host name"], &["host-name"]),
    way("locale", "echo $LANG > $out", &["locale"], &["locale"]),
    way(
        "environment",
        "$b env | $b grep -v -e ^L -e ^TZ | $b wc -c > $out",
        &["environment"],
        &["environment"],
    ),
    // A mention of itself is no difference.
    way("itself", "echo $out > $out", &[], &[]),
    way(
        "executable",
        "echo > $out; test $(umask) = 0022 && $b chmod +x $out || true",
        &["umask"],
        &["umask"],
    ),
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
    let ways: String =
        WAYS.iter().map(|Way { name, script, .. }| format!("  {name} = ''{script}'';\n")).collect();
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
    for Way { name, causes, by, .. } in WAYS {
        let found = report["derivations"].as_array().into_iter().flatten();
        let found =
            found.into_iter().find(|found| found["name"] == name).ok_or(format!("`{name}` is missing"))?;
        let different = &found["different"][0];
        let named: Vec<&str> = different["causes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|cause| cause["cause"].as_str())
            .collect();
        let alone: Vec<&str> = different["by"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|variation| variation.as_str())
            .collect();
        let verdict = if causes.is_empty() { "same" } else { "different" };
        if found["verdict"] != verdict || named != causes || alone != by {
            return Err(format!("`{name}` should be {verdict} by {causes:?}, by {by:?} alone: {found:#}"));
        }
    }
    Ok(())
}

/// A program with threads, by a C library that isn't the bootstrap's, which asks and waits in every way.
fn other_day() -> Result<(), String> {
    let folder = scratch()?;
    let tools = folder.path().join("tools");
    fs::create_dir_all(&tools).map_err(|error| error.to_string())?;
    let mut compile = Command::new("gcc");
    compile.args(["-O1", "-static", "-pthread", "-o"]).arg(tools.join("day"));
    output(compile.arg(repository().join("tests/check/day.c")))?;
    fs::copy(busybox()?, tools.join("busybox")).map_err(|error| error.to_string())?;
    let expression = format!(
        r#"derivation {{ name = "day"; system = "x86_64-linux"; builder = "${{{0}}}/busybox";
            args = [ "sh" "-c" "${{{0}}}/day > $out" ]; }}"#,
        tools.display()
    );
    // A wait that doesn't end is a failure.
    let mut command =
        sx(["check", "-q", "--json", "--no-diffoscope", "--timeout=120", "--expr", &expression]);
    command.current_dir(folder.path()).env("SX_STORE", folder.path().join("store"));
    let ended = command.output().map_err(|error| error.to_string())?;
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout)
        .map_err(|_| String::from_utf8_lossy(&ended.stderr).into_owned())?;
    let found = &report["derivations"][0];
    if found["verdict"] != "different" || found["different"][0]["by"] != serde_json::json!(["day"]) {
        return Err(format!("{found:#}"));
    }
    Ok(())
}

/// It looks into what sx doesn't, such as packed archives.
fn diffoscope() -> Result<(), String> {
    let folder = scratch()?;
    let file = expression(folder.path())?;
    let mut command = sx(["check", "-q", "-f", &file, "packed"]);
    command.env("SX_STORE", folder.path().join("store"));
    let ended = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&ended.stdout);
    for expected in ["--- first", "+++ second", "-umask 0022", "+umask 0077"] {
        if !text.lines().any(|line| line.ends_with(expected)) {
            return Err(format!("no `{expected}` in {text}{}", String::from_utf8_lossy(&ended.stderr)));
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

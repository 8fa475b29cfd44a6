//! The command as people and scripts meet it: output, errors, exit codes.

use crate::harness::{Test, lasting_folder, output, repository, sx};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub fn tests() -> Vec<Test> {
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test("command::eval_prints_values", &[], eval_prints_values as fn() -> _),
        test("command::a_flake_is_found_upward", &[], a_flake_is_found_upward),
        test("command::mistakes_in_expressions_are_explained", &[], mistakes_in_expressions_are_explained),
        test(
            "command::sources_that_cannot_be_had_are_explained",
            &[],
            sources_that_cannot_be_had_are_explained,
        ),
        test("command::a_dry_run_builds_nothing", &[], a_dry_run_builds_nothing),
        test("command::stdout_has_the_store_path_alone", &[], stdout_has_the_store_path_alone),
        test("command::several_packages_are_realised_at_once", &[], several_packages_are_realised_at_once),
        test("command::wrong_usage_ends_with_2", &[], wrong_usage_ends_with_2),
        test("command::completions_are_made_for_shells", &[], completions_are_made_for_shells),
        test(
            "command::ctrl_c_ends_a_build_and_leaves_nothing",
            &["kill"],
            ctrl_c_ends_a_build_and_leaves_nothing,
        ),
        test(
            "command::a_host_without_user_namespaces_is_told",
            &["unshare"],
            a_host_without_user_namespaces_is_told,
        ),
        test("command::a_full_disk_is_told", &["unshare", "mount"], a_full_disk_is_told),
    ]
}

fn run(command: &mut Command) -> Output {
    command.output().expect("sx can be run")
}

/// Exit code, standard output and standard error, with the places of this run taken out.
fn shown(command: &mut Command, places: &[(&Path, &str)]) -> String {
    let found = run(command);
    let text = |bytes: &[u8]| {
        places.iter().fold(String::from_utf8_lossy(bytes).into_owned(), |text, (place, name)| {
            text.replace(&place.display().to_string(), name)
        })
    };
    let code = found.status.code();
    format!("exit code: {code:?}\nstdout: {:?}\n{}", text(&found.stdout), text(&found.stderr))
}

fn eval_prints_values() -> Result<(), String> {
    for (arguments, expected) in [
        (vec!["eval", "pkgs.hello.name"], "\"hello-1.0\""),
        (vec!["eval", "--raw", "pkgs.hello.name"], "hello-1.0"),
        (vec!["eval", "-E", "1 + 2"], "3"),
        (vec!["eval", "--json", "-E", "{ b = [ 1 2.5 ]; a = null; }"], "{\"a\":null,\"b\":[1,2.5]}"),
        (vec!["eval", "--strict", "-E", "[ (1 + 1) ]"], "[ 2 ]"),
        (vec!["eval", "-E", "x: x * 2", "--apply", "f: f 21"], "42"),
        (vec!["eval", "-E", "{ x ? 1 }: x", "--apply", "f: f { x = 2; }"], "2"),
        (
            vec!["eval", "-E", "{ x ? 1, y }: x", "--apply", "builtins.functionArgs"],
            "{ x = true; y = false; }",
        ),
        (vec!["eval", "-E", "{ x ? 1 }: { y = x; }", "y"], "1"),
        (vec!["eval", "-E", "{ x, y }: x + y", "--arg", "x", "1", "--argstr", "y", "2"], ""),
        (vec!["eval", "-E", "{ x, y }: x + y", "--argstr", "x", "1", "--argstr", "y", "2"], "\"12\""),
    ] {
        match (output(&mut sx(&arguments)), expected) {
            (Err(_), "") => {}
            (found, expected) => assert_eq!(found.as_deref(), Ok(expected), "{arguments:?}"),
        }
    }
    // What is said meanwhile, as Nix says it.
    let said = run(&mut sx(["eval", "-E", "builtins.trace [ 1 ] (builtins.warn \"careful\" 1)"]));
    assert_eq!(String::from_utf8_lossy(&said.stderr), "trace: [ 1 ]\nevaluation warning: careful\n");
    Ok(())
}

fn a_flake_is_found_upward() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).map_err(|error| error.to_string())?;
    let flake = "{ outputs = { self }: { x = 1; y = self.x + 1; file = builtins.readFile ./a/text; }; }";
    std::fs::write(folder.path().join("flake.nix"), flake).map_err(|error| error.to_string())?;
    std::fs::write(folder.path().join("a/text"), "text").map_err(|error| error.to_string())?;
    assert_eq!(output(sx(["eval", "y"]).current_dir(&below))?, "2");
    assert_eq!(output(sx(["eval", "file"]).current_dir(&below))?, "\"text\"");
    Ok(())
}

fn mistakes_in_expressions_are_explained() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let place = std::fs::canonicalize(folder.path()).map_err(|error| error.to_string())?;
    let mut report = String::new();
    for (name, text) in [
        ("syntax", "{\n  a = [ 1 2;\n  b = ;\n}\n"),
        ("type", "let\n  double = x: x + x;\nin\ndouble (1 + \"two\")\n"),
        ("undefined", "let apple = 1; in aple\n"),
        ("outside", "builtins.readFile /etc/passwd\n"),
        ("recursion", "let x = x; in x\n"),
        ("assertion", "assert 1 > 2; 3\n"),
        ("throw", "throw \"no such luck\"\n"),
    ] {
        let file = place.join(format!("{name}.nix"));
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        let shown = shown(sx(["eval", "-f"]).arg(&file), &[(&place, "…")]);
        report += &format!("== {name}\n{shown}\n");
    }
    report += &format!("== attribute\n{}\n", shown(&mut sx(["realise", "pkgs.helo"]), &[]));
    report += &format!("== no package\n{}\n", shown(&mut sx(["realise", "pkgs.hello.meta"]), &[]));
    insta::assert_snapshot!("mistakes_in_expressions", report);
    Ok(())
}

fn sources_that_cannot_be_had_are_explained() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let place = folder.path();
    std::fs::write(place.join("source"), "corrupt").map_err(|error| error.to_string())?;
    let source = |file: &str| {
        format!(
            "derivation {{ name = \"source\"; system = \"x86_64-linux\"; builder = \"builtin:fetch\"; \
             urls = [ \"file://{}\" ]; outputHashMode = \"flat\"; \
             outputHash = \"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"; }}",
            place.join(file).display()
        )
    };
    let archive = format!(
        "derivation {{ name = \"tree\"; system = \"x86_64-linux\"; builder = \"builtin:unpack\"; \
         src = {}; }}",
        place.join("source").display()
    );
    let mut report = String::new();
    for (name, expression) in
        [("missing", source("absent")), ("corrupt", source("source")), ("no archive", archive)]
    {
        let mut command = sx(["realise", "-q", "-E", &expression]);
        report += &format!("== {name}\n{}\n", shown(command.current_dir(place), &[(place, "…")]));
    }
    insta::assert_snapshot!("sources_that_cannot_be_had", report);
    Ok(())
}

fn a_dry_run_builds_nothing() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let plan = output(sx(["realise", "--dry-run", "pkgs.hello"]).env("SX_STORE", folder.path()))?;
    let names: Vec<&str> = plan.lines().filter_map(|line| Some(line.split_once('-')?.1)).collect();
    assert!(names.contains(&"seed.drv"));
    assert_eq!(names.last(), Some(&"hello-1.0.drv"));
    let again = output(sx(["realise", "--dry-run", "--json", "pkgs.hello"]).env("SX_STORE", folder.path()))?;
    let again: serde_json::Value = serde_json::from_str(&again).map_err(|error| error.to_string())?;
    assert_eq!(again["builds"].as_array().map(Vec::len), Some(names.len()));
    Ok(())
}

fn stdout_has_the_store_path_alone() -> Result<(), String> {
    let path = output(&mut sx(["realise", "pkgs.hello"]))?;
    assert!(path.starts_with("/sx/store/") && path.ends_with("-hello-1.0") && !path.contains('\n'), "{path}");
    let json = output(&mut sx(["realise", "--json", "pkgs.hello"]))?;
    let json: serde_json::Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    assert_eq!(json["outputs"][0]["path"], path);
    assert!(Path::new(json["outputs"][0]["location"].as_str().unwrap_or_default()).is_file());
    let again = run(&mut sx(["realise", "pkgs.hello"]));
    assert_eq!(String::from_utf8_lossy(&again.stderr), "", "nothing is to be done, so nothing is said");
    Ok(())
}

fn several_packages_are_realised_at_once() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let link = folder.path().join("result");
    let link = link.to_str().unwrap_or_default();
    let names = ["pkgs.hello", "bootstrap.hex0"];
    let paths = output(&mut sx(&[&["realise", "--out-link", link][..], &names].concat()))?;
    let paths: Vec<&str> = paths.lines().collect();
    assert_eq!(paths.len(), names.len(), "{paths:?}");
    for (path, link) in paths.iter().zip([link.to_owned(), format!("{link}-2")]) {
        let target = std::fs::read_link(&link).map_err(|error| format!("{link}: {error}"))?;
        assert_eq!(target.file_name(), Path::new(path).file_name(), "{link}");
    }
    let json = output(&mut sx(&[&["realise", "--json"][..], &names].concat()))?;
    let json: serde_json::Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let of_json: Vec<&str> = json
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|report| report["outputs"][0]["path"].as_str())
        .collect();
    assert_eq!(of_json, paths);
    let wrong = run(&mut sx(["realise", "pkgs.hello", "pkgs.no-such-thing"]));
    let report = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && report.contains("no-such-thing"), "{report}");
    Ok(())
}

fn wrong_usage_ends_with_2() -> Result<(), String> {
    for arguments in [&["realise", "--no-such-option"][..], &["explode"], &["export", "pkgs.hello"]] {
        assert_eq!(run(&mut sx(arguments)).status.code(), Some(2), "{arguments:?}");
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    std::fs::create_dir(folder.path().join("sx")).map_err(|error| error.to_string())?;
    std::fs::write(folder.path().join("sx/config.toml"), "jbos = 1").map_err(|error| error.to_string())?;
    let found = run(sx(["eval", "-E", "1"]).env("XDG_CONFIG_HOME", folder.path()));
    assert_eq!(found.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&found.stderr).contains("jbos"));
    Ok(())
}

fn completions_are_made_for_shells() -> Result<(), String> {
    for shell in ["bash", "zsh", "fish"] {
        assert!(output(&mut sx(["completions", shell]))?.contains("realise"), "{shell}");
    }
    Ok(())
}

fn ctrl_c_ends_a_build_and_leaves_nothing() -> Result<(), String> {
    // Built before, so that the next build that begins is the one that doesn't end.
    let tests = repository().join("tests/sandbox/default.nix");
    output(sx(["realise", "identity", "-f"]).arg(&tests))?;
    let mut child = sx(["realise", "loops", "-f"])
        .arg(&tests)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let begun = lines.any(|line| line.is_ok_and(|line| line.contains("building probe-loops")));
    assert!(begun, "the build never began");
    let folder = lasting_folder().join("store/builds");
    output(Command::new("kill").args(["-INT", &child.id().to_string()]))?;
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = child.wait().map_err(|error| error.to_string())?;
    assert_eq!(status.code(), Some(130), "{rest:?}");
    let own = format!("{}-", child.id());
    let left = std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

/// A shell in a user namespace where it is root, and `sx` with a store of its own.
fn confined(script: &str, attribute: &str) -> Result<Output, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let sx = sx(["realise", "-q", attribute]);
    let words: Vec<_> =
        std::iter::once(sx.get_program()).chain(sx.get_args()).map(|word| word.to_os_string()).collect();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).args(words);
    command.current_dir("/").env("SX_STORE", folder.path().join("store")).env("NO_COLOR", "1");
    let found = run(&mut command);
    sx_store::object::remove(&folder.path().join("store")).map_err(|error| error.to_string())?;
    Ok(found)
}

fn a_host_without_user_namespaces_is_told() -> Result<(), String> {
    let script = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
    let found = confined(script, "bootstrap.hex0")?;
    let error = String::from_utf8_lossy(&found.stderr);
    assert_eq!(found.status.code(), Some(6), "{error}");
    assert!(error.contains("user namespace") && error.contains("hint:"), "{error}");
    Ok(())
}

fn a_full_disk_is_told() -> Result<(), String> {
    let script = "mkdir \"$SX_STORE\" && mount -t tmpfs -o size=64k none \"$SX_STORE\" && exec \"$@\"";
    let found = confined(script, "bootstrap.seed")?;
    let error = String::from_utf8_lossy(&found.stderr);
    assert_eq!(found.status.code(), Some(6), "{error}");
    assert!(error.contains("hint: the disk is full"), "{error}");
    Ok(())
}

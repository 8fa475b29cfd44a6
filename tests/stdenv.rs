//! What `pkgs/stdenv` promises, sentence by sentence, by the packages of `stdenv/default.nix`; and the packages on it.
//!
//! Every run compiles small ones by GCC 3.4.6, which the bootstrap's tests have made. Where `SX_TESTS_WHOLE_CLIMB` is set, all
//! packages are realised and run as well.

use crate::containers::{same, scratch};
use crate::harness::{Test, add_sources, lasting_folder, output, repository, sx};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    let mut tests = vec![
        test("stdenv::phases_are_replaced_hooked_left_out_and_chosen", phases as fn() -> _),
        test("stdenv::a_flag_is_one_word_whatever_is_in_it", words),
        test("stdenv::patches_are_applied", patches),
        test("stdenv::native_inputs_run_and_others_are_linked_with", inputs),
        test("stdenv::symbols_are_stripped_and_headers_go_to_dev", stripping),
        test("stdenv::a_reference_to_a_build_input_is_refused_by_file", references),
        test("stdenv::programs_may_ask_for_bin_sh", shell),
        test("stdenv::a_build_is_the_same_again_under_variation", reproducible),
        test("stdenv::packages_are_called_overridden_and_changed", changed),
        test("stdenv::a_package_that_lacks_an_attribute_is_named_with_it", lacking),
        test("stdenv::build_and_host_are_kept_apart", cross),
        test("stdenv::real_packages_are_compiled_by_gcc_3", real_packages),
    ];
    if std::env::var_os("SX_TESTS_WHOLE_CLIMB").is_some() {
        tests.extend([
            test("stdenv::programs_find_their_shared_libraries", shared),
            test("stdenv::packages_run", packages_run),
            test("stdenv::packages_have_the_golden_store_paths", golden),
            Test {
                name: "stdenv::curl_believes_only_whom_it_is_told_to",
                requires: &["openssl"],
                run: verify_a_server,
            },
        ]);
    }
    tests
}

/// A verb, such as `realise`, on an attribute of `stdenv/default.nix`.
fn command(verb: &str, attribute: &str) -> Command {
    let mut command = sx([verb, "-f", "tests/stdenv/default.nix", attribute]);
    command.current_dir(repository());
    if verb != "eval" {
        add_sources(&mut command);
    }
    command
}

/// `sx realise` on an attribute of the repository's own packages.
fn package(attribute: &str) -> Command {
    let mut command = sx(["realise", "--quiet", attribute]);
    add_sources(command.current_dir(repository()));
    command
}

fn on_disk(path: &str) -> PathBuf {
    lasting_folder().join("store/store").join(path.rsplit('/').next().unwrap_or_default())
}

fn realised(attribute: &str) -> Result<PathBuf, String> {
    Ok(on_disk(&output(command("realise", attribute).arg("--quiet"))?))
}

/// The text that a package's output is.
fn made(attribute: &str) -> Result<String, String> {
    let text = fs::read_to_string(realised(attribute)?).map_err(|error| error.to_string())?;
    Ok(text.trim().to_owned())
}

/// What is printed on standard error by a build that has to fail.
fn failure(attribute: &str) -> Result<String, String> {
    let Output { status, stderr, .. } =
        command("realise", attribute).output().map_err(|error| error.to_string())?;
    match status.code() {
        Some(5) => Ok(String::from_utf8_lossy(&stderr).into_owned()),
        code => Err(format!("{attribute}: exit code {code:?}, expected 5, a failed build")),
    }
}

fn contains(text: &str, part: &str) -> Result<(), String> {
    if text.contains(part) { Ok(()) } else { Err(format!("`{part}` is not in:\n{text}")) }
}

fn phases() -> Result<(), String> {
    let all = ["unpack", "patch", "configure", "build", "check", "install", "fixup"];
    let run = |names: &[&str]| {
        let names = names.iter().map(|name| format!("<{name} {name} {name}>"));
        names.collect::<Vec<_>>().join(" ")
    };
    same(&made("hooked")?, &run(&all), "all phases with their hooks")?;
    same(
        &made("skipped")?,
        &run(&["unpack", "configure", "build", "install"]),
        "phases that aren't left out",
    )?;
    same(&made("chosen")?, "<build build build> <install install", "chosen phases, up to the last hook")?;
    contains(&failure("empty")?, "installPhase made nothing at /sx/store/")
}

fn words() -> Result<(), String> {
    let text = made("words")?;
    let given: Vec<&str> = text.lines().skip_while(|line| *line != "--one=two words").collect();
    same(&given.join("|"), "--one=two words|it's|$(false)|*|--plain", "configureFlags")?;
    for flag in ["--build=x86_64-linux-musl", "--host=x86_64-linux-musl", "--disable-shared"] {
        contains(&text, flag)?;
    }
    Ok(())
}

fn patches() -> Result<(), String> {
    same(&made("patched.tests.greets")?, "passed", "the patched greeting")
}

fn inputs() -> Result<(), String> {
    same(&made("native")?, "from tool", "a native input in PATH")?;
    same(&made("linked.tests.greets")?, "passed", "a program with a library of another package")?;
    contains(&failure("unlinked")?, "greet.h: No such file or directory")?;
    realised("propagating").map(drop)
}

fn stripping() -> Result<(), String> {
    let program = fs::read(realised("greet")?.join("bin/greet")).map_err(|error| error.to_string())?;
    let development = realised("greet.dev")?;
    let archive = fs::read(development.join("lib/libgreet.a")).map_err(|error| error.to_string())?;
    let has = |bytes: &[u8], name: &str| bytes.windows(name.len()).any(|part| part == name.as_bytes());
    // What is looked for is found where it has to be.
    if !has(&program, "greetings") || !has(&archive, "distinct_table") {
        return Err("the greeting or the table's name is missing".into());
    }
    for name in [".debug_info", ".symtab", "distinct_table"] {
        if has(&program, name) {
            return Err(format!("bin/greet has {name}"));
        }
    }
    if has(&archive, ".debug_info") {
        return Err("libgreet.a has .debug_info".into());
    }
    let text = |name: &str| fs::read_to_string(development.join(name)).map_err(|error| error.to_string());
    contains(&text("include/greet.h")?, "greeting")?;
    contains(&text("lib/pkgconfig/greet.pc")?, "-greet-1-dev")?;
    same(&made("greet.tests.greets")?, "passed", "the stripped program")
}

fn references() -> Result<(), String> {
    let text = failure("leaking")?;
    contains(&text, "which `allowedReferences` does not allow: its file `etc/notes` has it")?;
    contains(&text, "-gcc-3.4.6-pass1")?;
    realised("leakingOnPurpose")?;
    let script =
        fs::read_to_string(realised("scripted")?.join("bin/a")).map_err(|error| error.to_string())?;
    let first = script.lines().next().unwrap_or_default();
    if first.starts_with("#!/sx/store/") && first.ends_with("/bin/sh") { Ok(()) } else { Err(script) }
}

fn shell() -> Result<(), String> {
    same(&made("systematic")?, "by the shell", "what `system` started")
}

fn reproducible() -> Result<(), String> {
    output(command("check", "greet").args(["--quiet", "--no-diffoscope"])).map(drop)
}

fn changed() -> Result<(), String> {
    let found = output(command("eval", "changed").arg("--json"))?;
    let expected = r#"["given 1","called 1","set 1","none, function 1","attributes 1","given, attributes 1","given 2 2","set after 3","set before 4"]"#;
    same(&found, expected, "messages of changed packages")
}

fn lacking() -> Result<(), String> {
    let found = command("eval", "lacking.drvPath").output().map_err(|error| error.to_string())?;
    contains(&String::from_utf8_lossy(&found.stderr), "the package `lacking` has no `version`, no `src`")
}

fn cross() -> Result<(), String> {
    let found = output(command("eval", "platforms").arg("--json"))?;
    let expected = concat!(
        r#"{"other":{"CC":"gcc -std=gnu99","CC_FOR_BUILD":"tcc","build":"x86_64-linux-musl","host":"x86_64-other-linux-musl"},"#,
        r#""own":{"CC":"gcc -std=gnu99","CC_FOR_BUILD":"gcc -std=gnu99","build":"x86_64-linux-musl","host":"x86_64-linux-musl"}}"#
    );
    same(&found, expected, "compilers and platforms")?;
    let text = made("crossed")?;
    same(
        &text.lines().take(3).collect::<Vec<_>>().join(", "),
        "tcc, gcc, from tool",
        "what ran while it was built",
    )?;
    contains(&text, "--build=x86_64-linux-musl\n--host=x86_64-other-linux-musl")
}

/// Those that old compilers take, and that take seconds.
fn real_packages() -> Result<(), String> {
    for attribute in ["pkgs.zlib", "pkgs.bzip2.tests.roundTrip", "pkgs.lua.tests.closures"] {
        realised(attribute)?;
    }
    Ok(())
}

fn shared() -> Result<(), String> {
    let mut command = command("realise", "shared.tests.greets");
    output(command.args(["--quiet", "--argstr", "compiler", "gcc", "--argstr", "CC", "gcc"])).map(drop)
}

/// Every package that has tests, by them.
fn packages_run() -> Result<(), String> {
    let names = "pkgs: builtins.concatLists (builtins.attrValues (builtins.mapAttrs (name: package: \
                 map (test: \"${name}.tests.${test}\") (builtins.attrNames (package.tests or { }))) pkgs))";
    let found = output(sx(["eval", "--json", "pkgs", "--apply", names]).current_dir(repository()))?;
    let names: Vec<String> = serde_json::from_str(&found).map_err(|error| error.to_string())?;
    for name in names {
        output(&mut package(&format!("pkgs.{name}")))?;
    }
    Ok(())
}

fn golden() -> Result<(), String> {
    let text = fs::read_to_string(repository().join("pkgs/golden")).map_err(|error| error.to_string())?;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, path) = line.split_once(' ').ok_or_else(|| format!("pkgs/golden has `{line}`"))?;
        same(&output(&mut package(&format!("pkgs.{name}")))?, path, name)?;
    }
    Ok(())
}

/// A server of openssl's on the loopback interface: whom it is certified by is asked for, and nobody else is believed.
fn verify_a_server() -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let folder = scratch()?;
    let mut certify = Command::new("openssl");
    certify.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    certify.args([
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        "key.pem",
        "-out",
        "certificate.pem",
    ]);
    output(certify.current_dir(folder.path()))?;
    fs::write(folder.path().join("page"), "a page\n").map_err(failed)?;
    let mut serve = Command::new("openssl");
    serve.args(["s_server", "-accept", "localhost:0", "-WWW", "-cert", "certificate.pem", "-key", "key.pem"]);
    serve.stdout(Stdio::piped()).stderr(Stdio::null()).current_dir(folder.path());
    let mut server = serve.spawn().map_err(failed)?;
    let outcome = (|| {
        // Kept to the end: it prints what it is asked for, too.
        let mut lines = BufReader::new(server.stdout.take().ok_or("openssl's output is captured")?).lines();
        // It tells the port as `ACCEPT 127.0.0.1:40000`.
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("ACCEPT ")?.rsplit_once(':')?.1.to_owned()));
        let port = port.ok_or("openssl told no port")?;
        let curl = on_disk(&output(&mut package("pkgs.curl"))?).join("bin/curl");
        let fetch = |options: &[&str]| {
            let mut command = Command::new(&curl);
            command
                .args(["-s", &format!("https://localhost:{port}/page")])
                .args(options)
                .current_dir(folder.path());
            command.output().map_err(failed)
        };
        let found = fetch(&["--cacert", "certificate.pem"])?;
        same(&String::from_utf8_lossy(&found.stdout), "a page\n", "the page")?;
        let bundle =
            on_disk(&output(&mut package("pkgs.ca-certificates"))?).join("etc/ssl/certs/ca-certificates.crt");
        let found = fetch(&["--cacert", &bundle.display().to_string()])?;
        // 60: the server's certificate isn't believed.
        same(
            &format!("{:?} {:?}", found.status.code(), found.stdout),
            "Some(60) []",
            "curl before a stranger",
        )
    })();
    // It serves until it is stopped; that it is gone already is what a failure above says.
    let _ = server.kill();
    let _ = server.wait();
    outcome
}

//! Rust: what its packages are pinned to, and, where `SX_TESTS_WHOLE_CLIMB` is set, what they come to.
//!
//! The seed alone is 95 MB to fetch and the standard library minutes to compile, so every run evaluates them only.

use crate::containers::{for_podman, in_storage, is_root, load, run, same, scratch};
use crate::harness::{Test, lasting_folder, output, repository, source_folder, sx};
use crate::images::{PACKAGES, buildah};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub fn tests() -> Vec<Test> {
    let test = |name, requires, run| Test { name, requires, run };
    let mut tests = vec![
        test("rust::each_file_of_the_seed_says_that_it_is_one", &[], seed_is_declared as fn() -> _),
        test("rust::every_crate_of_a_lock_is_pinned", &[], crates_are_pinned),
        test("rust::a_crate_that_a_lock_does_not_pin_is_refused", &[], git_is_refused),
    ];
    if std::env::var_os("SX_TESTS_WHOLE_CLIMB").is_some() {
        let podman = for_podman();
        let both: &[&str] = if is_root() {
            &["buildah", "podman", "runc"]
        } else {
            &["buildah", "podman", "runc", "newuidmap"]
        };
        tests.extend([
            test("rust::a_program_greets_from_an_image_of_one_file", podman, hello_in_podman),
            test("rust::a_containerfile_compiles_a_program_by_our_image", both, containerfile),
            test("rust::ripgrep_and_fd_pass_their_own_tests", &[], own_tests),
            test("rust::packages_have_their_golden_store_paths", &[], golden),
            test("rust::packages_are_built_by_hand_in_a_shell", &[], built_by_hand),
            test("rust::sx_built_by_sx_realises_in_podman", podman, sx_in_podman),
            test("rust::the_rebuilt_compiler_makes_what_the_seed_makes", &[], rebuilt),
            test("rust::the_compiler_comes_out_the_same_by_itself_and_by_that", &[], fixed_point),
        ]);
    }
    tests
}

fn evaluated(arguments: &[&str], expression: &str) -> Command {
    let mut command = sx(["eval"]);
    command.args(arguments).args(["--expr", &format!("{PACKAGES} {expression}")]).current_dir(repository());
    command
}

fn seed_is_declared() -> Result<(), String> {
    let expression = "map (package: [ package.name package.binarySeed ]) pkgs.rust-seed.packages";
    let text = output(&mut evaluated(&["--json"], expression))?;
    let packages: Vec<(String, String)> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let is_declared =
        |(name, reason): &(String, String)| name.ends_with("_amd64.deb") && reason.contains("removed by");
    if packages.len() == 8 && packages.iter().all(is_declared) { Ok(()) } else { Err(text) }
}

fn crates_are_pinned() -> Result<(), String> {
    for package in ["ripgrep", "fd", "cargo", "rustc"] {
        let crates = output(&mut evaluated(&["--raw"], &format!("pkgs.{package}.crates")))?;
        let lock = repository().join(format!("pkgs/{package}/Cargo.lock"));
        let lock = fs::read_to_string(lock).map_err(|error| error.to_string())?;
        let mut checksums: Vec<_> =
            lock.lines().filter_map(|line| line.strip_prefix("checksum = ")).collect();
        for line in crates.lines() {
            let checksum = format!("\"{}\"", line.split(' ').nth(1).unwrap_or_default());
            let place = checksums.iter().position(|known| *known == checksum);
            checksums.swap_remove(place.ok_or_else(|| format!("{package}: `{line}` is not in its lock"))?);
        }
        if !checksums.is_empty() {
            return Err(format!("{package}: nothing fetches {checksums:?}"));
        }
    }
    Ok(())
}

fn git_is_refused() -> Result<(), String> {
    let expression = r#"(pkgs.buildRustPackage {
        pname = "a"; version = "1"; source = ./tests/rust; cargoLock = ./tests/rust/from-git.lock;
    }).drvPath"#;
    let found = evaluated(&[], expression).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&found.stderr);
    let is_named = text.contains("`from-git` comes from `git+https://example.org/from-git#0123`");
    if !found.status.success() && is_named { Ok(()) } else { Err(text.into_owned()) }
}

/// Realises an attribute of the repository. Gives its store path.
fn realise(attribute: &str) -> Result<String, String> {
    output(sx(["realise", "--quiet", attribute]).current_dir(repository()))
}

/// Realises an expression in the repository. Gives its store path.
fn realise_expression(expression: &str) -> Result<String, String> {
    output(sx(["realise", "--quiet", "--expr", expression]).current_dir(repository()))
}

/// Where the output of an attribute lies on disk.
fn realised(attribute: &str) -> Result<PathBuf, String> {
    Ok(on_disk(&realise(attribute)?))
}

fn on_disk(path: &str) -> PathBuf {
    lasting_folder().join("store/store").join(path.rsplit('/').next().unwrap_or_default())
}

fn hello_in_podman() -> Result<(), String> {
    let folder = scratch()?;
    let archive = folder.path().join("hello.tar");
    output(sx(["export", "pkgs.rust-hello", "-o"]).arg(&archive).current_dir(repository()))?;
    in_storage(|storage| {
        load(storage, &archive)?;
        let mut run = run(storage)?;
        run.args(["--read-only", "--cap-drop=all", "sx/rust-hello:1.0", "Ada"]);
        same(&output(&mut run)?, "Hello, Ada!", "the greeting")
    })
}

fn containerfile() -> Result<(), String> {
    let folder = scratch()?;
    let place = |name: &str| folder.path().join(name);
    output(sx(["export", "pkgs.rust", "-o"]).arg(place("rust.tar")).current_dir(repository()))?;
    let context = place("context");
    fs::create_dir(&context).map_err(|error| error.to_string())?;
    fs::copy(repository().join("pkgs/rust-hello/hello.rs"), context.join("hello.rs"))
        .map_err(|error| error.to_string())?;
    let version = output(&mut evaluated(&["--raw"], "pkgs.rust.version"))?;
    let text = format!(
        r#"FROM sx/rust:{version} AS build
COPY hello.rs /
RUN ["/bin/rustc", "-Copt-level=s", "-Cstrip=symbols", "-o", "/hello", "/hello.rs"]
FROM scratch
COPY --from=build /hello /hello
ENTRYPOINT ["/hello"]
"#
    );
    fs::write(context.join("Containerfile"), text).map_err(|error| error.to_string())?;
    in_storage(|storage| {
        load(storage, &place("rust.tar"))?;
        output(buildah(storage).args(["--timestamp=0", "--tag=test/hello"]).arg(&context))?;
        same(&output(run(storage)?.args(["localhost/test/hello", "Ada"]))?, "Hello, Ada!", "the greeting")
    })
}

/// The program that the repository makes of itself, alone in an image, makes there what this one makes here.
fn sx_in_podman() -> Result<(), String> {
    let folder = scratch()?;
    let archive = folder.path().join("sx.tar");
    output(sx(["export", "pkgs.sx", "-o"]).arg(&archive).current_dir(repository()))?;
    let here = realise("pkgs.hello")?;
    let version = output(&mut evaluated(&["--raw"], "pkgs.sx.version"))?;
    in_storage(|storage| {
        load(storage, &archive)?;
        let mut run = run(storage)?;
        run.args(["--read-only", "--tmpfs=/tmp"]);
        // A sandbox in the container: namespaces, and a /proc that nothing hides.
        run.args(["--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL"]);
        run.arg("--volume").arg(format!("{}:/sources:ro", source_folder()?.display()));
        run.arg(format!("sx/sx:{version}")).args(["--store=/tmp/store", "realise", "--quiet", "pkgs.hello"]);
        same(&output(run.arg("--source-folder=/sources"))?, &here, "pkgs.hello, realised in a container")
    })
}

/// As somebody does who works on a package.
fn built_by_hand() -> Result<(), String> {
    for package in ["ripgrep", "fd", "go-hello", "age", "gron", "fzf"] {
        let mut develop = sx(["develop", "--quiet", &format!("pkgs.{package}"), "-c"]);
        let found = output(develop.arg("genericBuild >&2; ls $out/bin").current_dir(repository()))?;
        let installed = output(Command::new("ls").arg(realised(&format!("pkgs.{package}"))?.join("bin")))?;
        same(&found, &installed, package)?;
    }
    Ok(())
}

/// `second` is the set whose Rust is the rebuilt one, and `third` that whose Rust is made with the rustc that `second` has.
const REBUILT: &str = "
    let
        bootstrap = import ./bootstrap;
        pkgs = import ./pkgs { inherit bootstrap; };
        with-rust = rust: rustc: import ./pkgs {
            inherit bootstrap;
            overlays = [ (final: previous: {
                inherit rust;
                rust-std = previous.rust-std.override { compiler = rustc; };
            }) ];
        };
        second = with-rust pkgs.rust-rebuilt pkgs.rustc;
        third = with-rust (pkgs.rust-rebuilt.override { inherit (second) rustc; }) second.rustc;
    in
";

/// A rustc and a cargo out of released source make the same library and greeting as the seed, and programs with macros that run.
fn rebuilt() -> Result<(), String> {
    let path = realise("pkgs.rust-rebuilt")?;
    let closure = output(&mut sx(["path-info", "--recursive", &path]))?;
    if closure.contains("rust-seed") || !closure.contains("rustc-") || !closure.contains("cargo-") {
        return Err(closure);
    }
    let by_rebuilt = |package: &str| realise_expression(&format!("{REBUILT} second.{package}"));
    for package in ["rust-std", "rust-hello"] {
        same(&by_rebuilt(package)?, &realise(&format!("pkgs.{package}"))?, package)?;
    }
    let fd = on_disk(&by_rebuilt("fd")?).join("bin/fd");
    let found =
        output(Command::new(fd).args(["--base-directory", "pkgs", "hello.rs"]).current_dir(repository()))?;
    same(&found, "rust-hello/hello.rs", "fd by the rebuilt compiler")
}

/// What compiled the first rustc left its mark in it, and what compiled that one leaves none in the next two.
fn fixed_point() -> Result<(), String> {
    let by_itself = realise_expression(&format!("{REBUILT} second.rustc"))?;
    same(&realise_expression(&format!("{REBUILT} third.rustc"))?, &by_itself, "rustc by itself, again")
}

/// They run in the sandbox before the output is taken, which must be the same as without them.
fn own_tests() -> Result<(), String> {
    for package in ["ripgrep", "fd"] {
        let expression = format!(
            "{PACKAGES} pkgs.callPackage ./pkgs/{package}/package.nix {{
                buildRustPackage = arguments: pkgs.buildRustPackage (arguments // {{ check = true; }});
            }}"
        );
        let tested = realise_expression(&expression)?;
        // fd's tests ask for more of a crate that fd uses too, so its program is another one.
        if package == "ripgrep" {
            same(&tested, &realise("pkgs.ripgrep")?, package)?;
        }
    }
    Ok(())
}

fn golden() -> Result<(), String> {
    let text =
        fs::read_to_string(repository().join("pkgs/golden-rust")).map_err(|error| error.to_string())?;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (package, path) = line.split_once(' ').ok_or_else(|| format!("golden-rust has `{line}`"))?;
        same(&realise(&format!("pkgs.{package}"))?, path, package)?;
    }
    Ok(())
}

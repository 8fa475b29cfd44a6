//! Go's programs as images, where `SX_TESTS_WHOLE_CLIMB` is set. What `pkgs.go` itself promises is in `pkgs/go/tests`, which
//! `stdenv::packages_run` runs.

use crate::containers::{for_podman, in_storage, load, run, same, scratch};
use crate::harness::{Test, add_sources, output, repository, sx};
use std::fs::{self, File};

pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    if std::env::var_os("SX_TESTS_WHOLE_CLIMB").is_some() {
        tests.push(Test {
            name: "go::programs_work_in_images_of_their_own",
            requires: for_podman(),
            run: programs_in_podman,
        });
    }
    tests
}

fn programs_in_podman() -> Result<(), String> {
    in_image("go-hello", |run| same(&run(&[], &[], "")?, "Hello from Go!", "go-hello"))?;
    in_image("gron", |run| same(&run(&[], &[], "[true]")?, "json = [];\njson[0] = true;", "gron"))?;
    in_image("fzf", |run| same(&run(&[], &["--filter=ph"], "pkgs/hello\npkgs/fd\n")?, "pkgs/hello", "fzf"))?;
    in_image("age", |run| {
        let failed = |error: std::io::Error| error.to_string();
        let key = run(&["--entrypoint=/bin/age-keygen"], &[], "")?;
        let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: "));
        let recipient = recipient.ok_or_else(|| format!("no public key in `{key}`"))?;
        let sealed = run(&[], &["--armor", "--recipient", recipient], "secret")?;
        if !sealed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") {
            return Err(sealed);
        }
        let folder = scratch()?;
        let file = folder.path().join("key");
        fs::write(&file, &key).map_err(failed)?;
        let volume = format!("--volume={}:/key:ro", file.display());
        same(&run(&[&volume], &["--decrypt", "--identity=/key"], &sealed)?, "secret", "age")
    })
}

/// Exports a package. What is done is given a function that runs the image in podman: with options for podman, arguments, and
/// standard input; its result is what the program printed.
fn in_image(
    package: &str,
    work: impl FnOnce(&dyn Fn(&[&str], &[&str], &str) -> Result<String, String>) -> Result<(), String>,
) -> Result<(), String> {
    let folder = scratch()?;
    let archive = folder.path().join("image.tar");
    let mut export = sx(["export", "--quiet", &format!("pkgs.{package}"), "-o"]);
    add_sources(export.arg(&archive).current_dir(repository()));
    output(&mut export)?;
    in_storage(|storage| {
        let image = load(storage, &archive)?;
        work(&|options, arguments, input| {
            let file = folder.path().join("input");
            fs::write(&file, input).map_err(|error| error.to_string())?;
            let input = File::open(&file).map_err(|error| error.to_string())?;
            let mut command = run(storage)?;
            command.args(["--interactive", "--read-only", "--cap-drop=all"]).args(options);
            output(command.arg(&image).args(arguments).stdin(input))
        })
    })
}

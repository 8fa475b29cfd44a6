//! The same bytes: in every run, in every store, whatever the surroundings.

use crate::harness::{Test, exported_hello, output, realised, repository, source_folder, sx};
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    vec![
        test(
            "reproducibility::an_image_from_nothing_is_the_same_in_another_place",
            an_image_from_nothing_is_the_same,
        ),
        test("reproducibility::an_archive_is_the_same_on_every_run", an_archive_is_the_same_on_every_run),
        test(
            "reproducibility::sandboxed_steps_have_the_golden_digests",
            sandboxed_steps_have_the_golden_digests,
        ),
        test("reproducibility::store_paths_are_those_of_golden", store_paths_are_those_of_golden),
    ]
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// From the seed to the image in a store of its own, under another umask, time zone, locale, number of jobs and folder.
fn an_image_from_nothing_is_the_same() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let archive = folder.path().join("hello.tar");
    let sx = sx(["export", "pkgs.hello", "-j1", "--cores=1", "-o"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 077; exec \"$@\"", "sh"])
        .arg(sx.get_program())
        .args(sx.get_args())
        .arg(&archive);
    command.arg("--source-folder").arg(source_folder()?).current_dir(folder.path());
    command
        .env("SX_STORE", folder.path().join("a longer path to the store"))
        .env("TZ", "Asia/Tokyo")
        .env("LC_ALL", "C");
    let result = output(&mut command);
    let same = result.and_then(|_| Ok(read(&archive)? == read(&exported_hello()?)?));
    sx_store::object::remove(folder.path()).map_err(|error| error.to_string())?;
    if same? { Ok(()) } else { Err("the archives differ".into()) }
}

fn an_archive_is_the_same_on_every_run() -> Result<(), String> {
    let again: PathBuf = exported_hello()?.with_extension("again");
    output(sx(["export", "pkgs.hello", "-o"]).arg(&again))?;
    let same = read(&again)? == read(&exported_hello()?)?;
    std::fs::remove_file(&again).map_err(|error| error.to_string())?;
    if same { Ok(()) } else { Err("the archives differ".into()) }
}

/// What the steps come to inside the sandbox, beside the digests that the bootstrap's own tests compare outside.
fn sandboxed_steps_have_the_golden_digests() -> Result<(), String> {
    let golden = String::from_utf8_lossy(&read(&repository().join("bootstrap/golden"))?).into_owned();
    let lines = golden.lines().filter(|line| !line.starts_with('#'));
    let mut steps = 0;
    for line in lines {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [step, length, digest, ..] = fields[..] else { return Err(format!("golden has `{line}`")) };
        let bytes = read(&realised(&format!("bootstrap.{step}"))?)?;
        let found = format!("blake3-{}", blake3::hash(&bytes).to_hex());
        if (bytes.len().to_string().as_str(), found.as_str()) != (length, digest) {
            return Err(format!(
                "{step} has {} bytes and {found}, golden says {length} and {digest}",
                bytes.len()
            ));
        }
        steps += 1;
    }
    if steps == 8 { Ok(()) } else { Err(format!("golden has {steps} steps")) }
}

/// The paths that steps and packages come to: who changes what enters them sees it here.
fn store_paths_are_those_of_golden() -> Result<(), String> {
    let mut paths = String::new();
    for attribute in
        ["bootstrap.seed", "bootstrap.hexm", "bootstrap.c0", "bootstrap.cc", "bootstrap.tcc", "pkgs.hello"]
    {
        paths += &format!("{attribute} {}\n", output(&mut sx(["realise", attribute]))?);
    }
    insta::assert_snapshot!("store_paths", paths);
    Ok(())
}

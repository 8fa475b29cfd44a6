//! Objects from store to store by the command, and archives that Nix reads and writes as sx does.

use crate::harness::{Test, output, sx};
use std::fs::File;
use std::path::Path;
use std::process::Command;

pub fn tests() -> Vec<Test> {
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test("transfer::archives_are_those_of_nix", &["nix-store"], archives_are_those_of_nix as fn() -> _),
        test("transfer::a_closure_goes_through_a_file", &[], a_closure_goes_through_a_file),
        test("transfer::a_copy_takes_only_what_is_missing", &[], a_copy_takes_only_what_is_missing),
    ]
}

/// An object, and one that refers to it.
const EXPRESSION: &str = "let a = builtins.toFile \"a\" \"text\"; in builtins.toFile \"b\" \"${a}\"";

fn in_store(store: &Path, arguments: &[&str]) -> Command {
    let mut command = sx(arguments);
    command.env("SX_STORE", store);
    command
}

fn folder() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

fn open(file: &Path) -> Result<File, String> {
    File::open(file).map_err(|error| error.to_string())
}

fn into(command: &mut Command, file: &Path) -> Result<(), String> {
    let file = File::create(file).map_err(|error| error.to_string())?;
    output(command.stdout(file)).map(drop)
}

fn archives_are_those_of_nix() -> Result<(), String> {
    let folder = folder()?;
    let (store, place) = (folder.path().join("sx"), |name: &str| folder.path().join(name));
    let script = "mkdir -p tree/inner && echo text >tree/inner/file && ln -s inner/file tree/link && : >tree/run && chmod +x tree/run";
    output(Command::new("sh").args(["-c", script]).current_dir(folder.path()))?;
    let expression = format!("\"${{{}}}\"", place("tree").display());
    let path = output(in_store(&store, &["eval", "--raw", "-E", &expression]).current_dir(folder.path()))?;
    into(&mut in_store(&store, &["store", "dump", &path]), &place("ours"))?;
    into(Command::new("nix-store").arg("--dump").arg(place("tree")), &place("theirs"))?;
    let read = |name: &str| std::fs::read(place(name)).map_err(|error| error.to_string());
    assert!(read("ours")? == read("theirs")?);
    let restored = place("restored");
    output(in_store(&store, &["store", "restore"]).arg(&restored).stdin(open(&place("theirs"))?))?;
    output(Command::new("diff").args(["-r", "--no-dereference"]).arg(place("tree")).arg(&restored))?;
    let again = in_store(&store, &["store", "restore"]).arg(&restored).stdin(open(&place("ours"))?).output();
    let again = again.map_err(|error| error.to_string())?;
    assert_eq!(again.status.code(), Some(2));
    remove(&store)
}

fn a_closure_goes_through_a_file() -> Result<(), String> {
    let folder = folder()?;
    let (from, to, file) =
        (folder.path().join("from"), folder.path().join("to"), folder.path().join("closure"));
    let path = output(&mut in_store(&from, &["eval", "--raw", "-E", EXPRESSION]))?;
    into(&mut in_store(&from, &["store", "export", "-q", &path]), &file)?;
    let taken = output(in_store(&to, &["store", "import"]).stdin(open(&file)?))?;
    assert!(taken.lines().count() == 2 && taken.ends_with(&path), "{taken}");
    assert_eq!(output(in_store(&to, &["store", "import"]).stdin(open(&file)?))?, "");
    output(&mut in_store(&to, &["store", "verify", "--contents"]))?;
    // Changed on the way: refused, by name.
    let mut bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
    let place =
        bytes.windows(4).position(|window| window == b"text").ok_or("the text is not in the stream")?;
    bytes[place] = b'T';
    std::fs::write(&file, bytes).map_err(|error| error.to_string())?;
    let other = folder.path().join("other");
    let found = in_store(&other, &["store", "import"]).stdin(open(&file)?).output();
    let found = found.map_err(|error| error.to_string())?;
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.status.code() == Some(4) && error.contains("-a` has other contents"), "{error}");
    [from, to, other].iter().try_for_each(|store| remove(store))
}

fn a_copy_takes_only_what_is_missing() -> Result<(), String> {
    let folder = folder()?;
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let path = output(&mut in_store(&from, &["realise", "bootstrap.hex0"]))?;
    let copied = output(in_store(&from, &["store", "copy", &path, "--to"]).arg(&to))?;
    assert_eq!(copied, path);
    let mut back = in_store(&to, &["store", "copy", "--json", "--trust-realisations", &path, "--from"]);
    let report = output(back.arg(&from))?;
    let report: serde_json::Value = serde_json::from_str(&report).map_err(|error| error.to_string())?;
    assert_eq!((&report["taken"], &report["present"]), (&serde_json::json!([]), &serde_json::json!([path])));
    assert_eq!(
        (report["realisations"].as_u64() > Some(0), &report["ignored_realisations"]),
        (true, &0.into())
    );
    // Its word was taken, so nothing is built.
    let plan = output(&mut in_store(&to, &["realise", "--dry-run", "bootstrap.hex0"]))?;
    assert_eq!(plan, "");
    let nowhere = in_store(&to, &["store", "copy", &path, "--from", "/nowhere"]).output();
    let nowhere = nowhere.map_err(|error| error.to_string())?;
    assert!(nowhere.status.code() == Some(2) && !Path::new("/nowhere").exists());
    [from, to].iter().try_for_each(|store| remove(store))
}

/// What is read-only in a store can't be deleted by the folder around it.
fn remove(store: &Path) -> Result<(), String> {
    sx_store::object::remove(store).map_err(|error| error.to_string())
}

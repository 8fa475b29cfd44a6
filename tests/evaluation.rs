//! `sx eval` with what it shouldn't be given: gigantic and special files, input without an end, too little memory.

use crate::harness::{Test, sx};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    vec![
        test("evaluation::memory_is_limited_to_what_the_machine_has", memory_is_limited as fn() -> _),
        test("evaluation::memory_is_limited_to_what_the_shell_allows", memory_is_limited_by_the_shell),
        test("evaluation::a_file_larger_than_the_limit_is_refused", a_large_file_is_refused),
        test("evaluation::what_is_not_utf8_on_standard_input_is_taken_as_nix_does", what_is_not_utf8),
        test("evaluation::a_pipe_in_the_tree_is_refused_and_not_waited_for", a_pipe_is_refused),
        test("evaluation::a_wrong_hash_is_named", a_wrong_hash_is_named),
        test("evaluation::ctrl_c_ends_the_wait_for_standard_input", ctrl_c_ends_the_wait),
    ]
}

/// The exit code, and what is said, of `sx eval` in a folder.
fn eval(folder: &Path, arguments: &[&str], input: &[u8]) -> Result<(Option<i32>, String), String> {
    let mut command = sx(["eval"]);
    command.args(arguments).current_dir(folder);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    // It may end before it has read everything.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Checks that it fails as a fault of the expression, saying this.
fn fails(folder: &Path, arguments: &[&str], input: &[u8], expected: &str) -> Result<(), String> {
    let (code, said) = eval(folder, arguments, input)?;
    if code == Some(3) && said.contains(expected) {
        return Ok(());
    }
    Err(format!("{arguments:?} ended with {code:?}, expected 3 and `{expected}`:\n{said}"))
}

/// A file of so many bytes, all zero, that takes no room on the disk.
fn sparse(file: &Path, bytes: u64) -> Result<(), String> {
    File::create(file).and_then(|file| file.set_len(bytes)).map_err(|error| error.to_string())
}

fn memory_is_limited() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let text = std::fs::read_to_string("/proc/meminfo").map_err(|error| error.to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kibibytes: u64 = total.trim().trim_end_matches(" kB").parse().map_err(|_| text.clone())?;
    // The list would take 16 bytes for each element.
    let list = format!("builtins.length (builtins.genList (x: x) {})", kibibytes * 1024 / 16 + 1_000_000);
    // Which limit it is depends on what is around the tests: a container may allow less than the machine has.
    fails(folder.path(), &["-E", &list], b"", "needs more than its limit of ")?;
    sparse(&folder.path().join("large"), kibibytes * 1024 + (1 << 20))?;
    fails(folder.path(), &["-E", "builtins.readFile ./large"], b"", "memory limit of ")
}

fn memory_is_limited_by_the_shell() -> Result<(), String> {
    let mut command = Command::new("sh");
    // A set that grows from behind is copied whole each time.
    let growing = "let f = n: if n == 0 then { } else { \"a${toString n}\" = n; } // f (n - 1); in f 100000";
    let sx = sx(["eval", "-E", growing]);
    command.args(["-c", "ulimit -v 1800000 && exec \"$@\"", "sh"]).arg(sx.get_program()).args(sx.get_args());
    for (name, value) in sx.get_envs() {
        value.map(|value| command.env(name, value));
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) && said.contains("needs more than its limit of") {
        return Ok(());
    }
    Err(format!("it ended with {} and said {said}", output.status))
}

fn a_large_file_is_refused() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    sparse(&folder.path().join("large.nix"), 20 << 20)?;
    let limit = "it is larger than the evaluation's memory limit of 10 MiB";
    for expression in
        ["import ./large.nix", "builtins.readFile ./large.nix", "builtins.hashFile \"sha256\" ./large.nix"]
    {
        fails(folder.path(), &["--max-memory", "10M", "-E", expression], b"", limit)?;
    }
    fails(folder.path(), &["--max-memory", "10M", "-f", "large.nix"], b"", limit)?;
    let text = vec![b' '; 11 << 20];
    fails(folder.path(), &["--max-memory", "10M", "-f", "-"], &text, limit)
}

fn what_is_not_utf8() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let text = b"# \xff\nbuiltins.stringLength \"\xff\xfe\"";
    match eval(folder.path(), &["-f", "-"], text)? {
        (Some(0), _) => {}
        (code, said) => return Err(format!("it ended with {code:?}: {said}")),
    }
    fails(folder.path(), &["-f", "-"], b"1 + \xff", "standard input:1:5")
}

fn a_pipe_is_refused() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(|error| error.to_string())?;
    for expression in ["builtins.readFile ./pipe", "import ./pipe", "builtins.hashFile \"sha256\" ./pipe"] {
        fails(folder.path(), &["-E", expression], b"", "it is a pipe, a socket or a device")?;
    }
    fails(folder.path(), &["-f", "pipe"], b"", "it is a pipe, a socket or a device")
}

fn a_wrong_hash_is_named() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    std::fs::write(folder.path().join("text"), "text\n").map_err(|error| error.to_string())?;
    let of_nothing = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let path = |hash: &str| {
        format!("builtins.path {{ path = ./text; recursive = false; sha256 = \"{hash}\"; }} != \"\"")
    };
    let said = format!("the expression says {of_nothing}");
    fails(folder.path(), &["-E", &path(of_nothing)], b"", &said)?;
    fails(folder.path(), &["-E", "\"${./none}\""], b"", "none")?;
    fails(folder.path(), &["-E", &path("sha256-short")], b"", "sha256-short")?;
    let right = "sha256-ueaOG+o+WxnKay+YtzpUtz2q+qJQSEkC4JmC4HoS5zM=";
    match eval(folder.path(), &["-E", &path(right)], b"")? {
        (Some(0), _) => Ok(()),
        (code, said) => Err(format!("the right hash ends with {code:?}: {said}")),
    }
}

fn ctrl_c_ends_the_wait() -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut command = sx(["eval", "-f", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let mut input = child.stdin.take().ok_or("there is no input")?;
    // More than a pipe holds: when this is written, the other end is reading.
    input.write_all(&[b' '; 1 << 20]).map_err(failed)?;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.ok_or("there is no process")?, Signal::INT).map_err(|error| error.to_string())?;
    let mut said = String::new();
    child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said)).transpose().map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    drop(input);
    if status.code() == Some(130) && said.contains("interrupted") {
        return Ok(());
    }
    Err(format!("it ended with {status} and said {said}"))
}

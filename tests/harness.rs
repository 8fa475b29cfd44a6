//! Runs the tests, and gives them `sx`, a store, and what more than one of them needs.

use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::OnceLock;

/// One test.
pub struct Test {
    /// Module and claim: `containers::podman_prints_the_greeting`.
    pub name: &'static str,
    /// Programs it can't do without.
    pub requires: &'static [&'static str],
    /// The test. It fails with a reason, or by panicking.
    pub run: fn() -> Result<(), String>,
}

/// Runs them all, and lists those that could not run.
#[expect(clippy::print_stdout, reason = "a test runner reports there")]
pub fn run(tests: Vec<Test>) -> ExitCode {
    let required = std::env::var_os("SX_TESTS_REQUIRE_PROGRAMS").is_some();
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut trials = Vec::new();
    for Test { name, requires, run } in tests {
        let absent: Vec<&'static str> =
            requires.iter().copied().filter(|program| !is_installed(program)).collect();
        // Nobody can install being root.
        let is_excused = !absent.is_empty() && (!required || absent.contains(&"root"));
        for program in &absent {
            missing.entry(program).or_default().push(name);
        }
        let trial = Trial::test(name, move || match absent.first() {
            Some(program) => Err(Failed::from(format!("it needs `{program}`, which is not installed"))),
            None => run().map_err(Failed::from),
        });
        trials.push(trial.with_ignored_flag(is_excused));
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    for (program, tests) in missing {
        println!("not run, because `{program}` is not installed: {}", tests.join(", "));
    }
    conclusion.exit_code()
}

/// Whether a program is on the search path, or where administrators' programs are. `root` is no program: whether the
/// tests run as root.
fn is_installed(program: &str) -> bool {
    if program == "root" {
        return std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.into_iter().any(|folder: PathBuf| folder.join(program).is_file())
}

/// The repository.
pub fn repository() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("SX_TESTS_REPOSITORY").map_or_else(|| built.join(".."), PathBuf::from)
}

/// A folder that stays from run to run, so that sources are fetched once.
pub fn lasting_folder() -> PathBuf {
    let given = std::env::var_os("SX_TESTS_FOLDER").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("end-to-end"));
    std::fs::create_dir_all(&folder).expect("the tests' folder can be made");
    folder
}

/// `sx` with the lasting store, outside any flake, without the user's configuration.
pub fn sx<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    let mut command =
        Command::new(std::env::var_os("SX_TESTS_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sx").into()));
    command.args(arguments).current_dir("/");
    command.env("SX_STORE", lasting_folder().join("store")).env("NO_COLOR", "1");
    command.env("XDG_CONFIG_HOME", lasting_folder().join("configuration"));
    command
}

/// Runs a command that has to succeed. Gives its standard output without the last line end.
pub fn output(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !status.success() {
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        return Err(format!("{command:?} ended with {status}\n{stdout}{stderr}"));
    }
    String::from_utf8(stdout).map(|text| text.trim_end().to_owned()).map_err(|error| error.to_string())
}

/// Realises an attribute of the package set in the lasting store. Gives where the output lies on disk.
pub fn realised(attribute: &str) -> Result<PathBuf, String> {
    let path = output(&mut sx(["realise", attribute]))?;
    let base = path.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(lasting_folder().join("store/store").join(base))
}

/// A shell with its usual programs, in one file: the project's own busybox, from the lasting store.
pub fn busybox() -> Result<PathBuf, String> {
    realised("bootstrap.busybox").map(|folder| folder.join("bin/busybox"))
}

/// Lets `sx` look for sources in the folder that `SX_TESTS_SOURCES` names, before it fetches them.
pub fn add_sources(command: &mut Command) {
    if let Some(folder) = std::env::var_os("SX_TESTS_SOURCES") {
        command.arg("--source-folder").arg(folder);
    }
}

/// TinyCC's source, unpacked.
pub fn tinycc_source() -> Result<PathBuf, String> {
    realised("bootstrap.tinycc.source")
}

/// A folder that holds TinyCC's archive under its own name, for stores that begin with nothing.
pub fn source_folder() -> Result<PathBuf, String> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || {
        let archive = realised("bootstrap.tinycc.archive")?;
        let name = archive.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let folder = lasting_folder().join("sources");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let file = folder.join(name.split_once('-').map_or(name, |(_, name)| name));
        if !file.exists() {
            let temporary = folder.join(format!(".{}", std::process::id()));
            std::fs::copy(&archive, &temporary).map_err(|error| error.to_string())?;
            std::fs::rename(&temporary, &file).map_err(|error| error.to_string())?;
        }
        Ok(folder)
    };
    FOLDER.get_or_init(make).clone()
}

/// The archive of pkgs.hello's image.
pub fn exported_hello() -> Result<PathBuf, String> {
    static ARCHIVE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || {
        let archive = lasting_folder().join(format!("hello-{}.tar", std::process::id()));
        output(sx(["export", "pkgs.hello", "-o"]).arg(&archive))?;
        Ok(archive)
    };
    ARCHIVE.get_or_init(make).clone()
}

//! Packages in use: programs run from the store, shells with them in PATH, shells in a build's place.

use crate::harness::{Test, lasting_folder, output, repository, source_folder, sx};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub fn tests() -> Vec<Test> {
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test(
            "tools::run_passes_on_arguments_exit_codes_and_signals",
            &[],
            run_passes_everything_on as fn() -> _,
        ),
        test("tools::what_is_no_main_program_is_told", &[], what_is_no_main_program_is_told),
        test("tools::a_shell_has_the_packages_first_in_path", &[], a_shell_has_the_packages_first_in_path),
        test("tools::the_host_is_as_it_is_but_for_the_store", &[], the_host_is_as_it_is),
        test("tools::a_program_that_runs_is_not_collected", &[], a_program_that_runs_is_not_collected),
    ]
}

/// `sx VERB -f tests/tools REST`, with a store of its own that lasts.
fn tools(verb: &str, rest: &[&str]) -> Result<Command, String> {
    let mut command = sx([verb, "-q", "-f"]);
    command.arg(repository().join("tests/tools/default.nix"));
    command.arg("--source-folder").arg(source_folder()?).args(rest);
    command.env("SX_STORE", store());
    Ok(command)
}

fn store() -> PathBuf {
    lasting_folder().join("tools")
}

fn run(command: &mut Command) -> Output {
    command.output().expect("sx can be run")
}

fn run_passes_everything_on() -> Result<(), String> {
    let shown = output(&mut tools("run", &["tool", "--", "show", "--help", "a b", ""])?)?;
    let path = output(&mut tools("realise", &["tool"])?)?;
    assert_eq!(shown, format!("{path}/bin/tool\n--help\na b"));
    let shown = output(&mut tools("run", &["suite"])?)?;
    assert!(shown.ends_with("-suite-1.0/bin/second-tool"), "{shown}");
    // An output that is the program itself, and an object as it is.
    let program = output(&mut tools("realise", &["program"])?)?;
    assert_eq!(output(&mut tools("run", &["program"])?)?, program);
    assert_eq!(output(sx(["run", &path]).env("SX_STORE", store()))?, format!("{path}/bin/tool"));
    assert_eq!(run(&mut tools("run", &["tool", "--", "exit", "42"])?).status.code(), Some(42));
    // SIGUSR1: the process that was started is the program.
    assert_eq!(run(&mut tools("run", &["tool", "--", "signal", "10"])?).status.signal(), Some(10));
    Ok(())
}

fn what_is_no_main_program_is_told() -> Result<(), String> {
    let found = run(&mut tools("run", &["nameless"])?);
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(3), "{error}");
    assert_eq!(
        error,
        "error: `nameless` has no `bin/nameless`, a program of its own name\n\
         hint: it has third-tool: `sx shell nameless -c third-tool` runs one\n"
    );
    let found = run(&mut tools("shell", &["program"])?);
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(3), "{error}");
    assert!(error.contains("has no folder `bin`") && error.contains("sx run program"), "{error}");
    let found = run(&mut tools("shell", &["tool", "-c", "no-such-program"])?);
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(6), "{error}");
    assert!(error.contains("cannot run `no-such-program`"), "{error}");
    Ok(())
}

fn a_shell_has_the_packages_first_in_path() -> Result<(), String> {
    let script = "command -v tool; command -v second-tool; echo \"$PATH\"; second-tool exit 9";
    let found = run(&mut tools("shell", &["tool", "suite", "-c", "sh", "-c", script])?);
    assert_eq!(found.status.code(), Some(9), "{}", String::from_utf8_lossy(&found.stderr));
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let [tool, suite] =
        ["tool", "suite"].map(|name| tools("realise", &[name]).and_then(|mut c| output(&mut c)));
    let (tool, suite) = (tool?, suite?);
    assert_eq!(lines[..2], [format!("{tool}/bin/tool"), format!("{suite}/bin/second-tool")]);
    let before = std::env::var("PATH").unwrap_or_default();
    assert_eq!(lines[2], format!("{tool}/bin:{suite}/bin:{before}"));
    // Without a command it is the user's own shell.
    let found = output(tools("shell", &["suite"])?.env("SHELL", "/bin/pwd").current_dir("/usr"))?;
    assert_eq!(found, "/usr");
    Ok(())
}

fn the_host_is_as_it_is() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = "echo new > file; ls -1 / | grep -vx sx; id -u; id -g; pwd";
    let inside = output(tools("shell", &["tool", "-c", "sh", "-c", script])?.current_dir(folder.path()))?;
    let outside = output(Command::new("sh").args(["-c", script]).current_dir(folder.path()))?;
    assert_eq!(inside, outside);
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).ok().as_deref(), Some("new\n"));
    // Nobody damages the store there, and what `sx` starts there is there already.
    let script = "cd /sx/store && ! touch new 2>/dev/null && exec \"$0\" run -q \"$1\"";
    let path = output(&mut tools("realise", &["tool"])?)?;
    let mut command = tools("shell", &["tool", "-c", "sh", "-c", script])?;
    let own = sx([""; 0]).get_program().to_owned();
    assert_eq!(output(command.arg(own).arg(&path))?, format!("{path}/bin/tool"));
    Ok(())
}

fn a_program_that_runs_is_not_collected() -> Result<(), String> {
    let path = output(&mut tools("realise", &["nameless"])?)?;
    let location = store().join("store").join(path.rsplit('/').next().unwrap_or_default());
    let mut command = tools("shell", &["nameless", "-c", "third-tool", "wait"])?;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut line = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    lines.read_line(&mut line).map_err(|error| error.to_string())?;
    assert_eq!(line, "waiting\n");
    let roots = output(sx(["gc", "roots"]).env("SX_STORE", store()))?;
    let process = format!("process {}\t{path}", child.id());
    drop(child.stdin.take());
    let status = child.wait().map_err(|error| error.to_string())?;
    assert!(status.success() && roots.lines().any(|root| root == process), "{status}, {roots}");
    let roots = output(sx(["gc", "roots"]).env("SX_STORE", store()))?;
    assert!(!roots.lines().any(|root| root == process) && location.exists(), "{roots}");
    Ok(())
}

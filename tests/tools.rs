//! Packages in use: programs run from the store, shells with them in PATH, shells in a build's place.

use crate::harness::{Test, lasting_folder, output, repository, source_folder, sx};
use std::io::{BufRead, BufReader, Read, Write};
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
        test("tools::a_build_runs_by_hand_as_by_itself", &["busybox"], a_build_runs_by_hand),
        test("tools::a_visitor_sees_what_a_builder_sees", &["busybox"], a_visitor_sees_what_a_builder_sees),
        test(
            "tools::a_visit_has_a_terminal_of_its_own",
            &["busybox", "script"],
            a_visit_has_a_terminal_of_its_own,
        ),
        test("tools::a_failed_build_is_entered_as_it_was_left", &["busybox"], a_failed_build_is_entered),
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

/// A folder with tests/tools/by-hand and a shell for it.
fn by_hand() -> Result<tempfile::TempDir, String> {
    let failed = |error: std::io::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(failed)?;
    let from = repository().join("tests/tools/by-hand");
    for name in ["source", "shell", "shell/bin"] {
        std::fs::create_dir(folder.path().join(name)).map_err(failed)?;
    }
    for name in ["default.nix", "setup.sh", "source/program"] {
        std::fs::copy(from.join(name), folder.path().join(name)).map_err(failed)?;
    }
    std::fs::copy(busybox()?, folder.path().join("shell/bin/sh")).map_err(failed)?;
    Ok(folder)
}

fn busybox() -> Result<PathBuf, String> {
    output(Command::new("sh").args(["-c", "command -v busybox"])).map(PathBuf::from)
}

fn in_folder(folder: &tempfile::TempDir, verb: &str, rest: &[&str]) -> Command {
    let mut command = sx([verb, "-q", "-f"]);
    command.arg(folder.path().join("default.nix")).args(rest).env("SX_STORE", store());
    command
}

fn a_build_runs_by_hand() -> Result<(), String> {
    let folder = by_hand()?;
    let develop = |rest: &[&str]| output(&mut in_folder(&folder, "develop", rest));
    assert_eq!(develop(&["thing", "-c", "genericBuild; cat $out/word"])?, "checked\na word");
    // A phase at a time, as functions of the shell; what the package sets is exported, and phases are as they were.
    let script = "buildPhase; echo more >>$out/word; checkPhase; cat $out/word; echo \"(${phases-none})\"";
    assert_eq!(develop(&["thing", "-c", script])?, "checked\na word\nmore\n(none)");
    assert_eq!(develop(&["thing", "-c", "echo", "$out", "a b"])?, "$out a b");
    // As its build, the shell ends at the first error; its exit code is the command's.
    let found = run(&mut in_folder(&folder, "develop", &["thing", "-c", "false; echo not reached"]));
    assert_eq!((found.status.code(), found.stdout.as_slice()), (Some(1), &b""[..]));
    let found = run(&mut in_folder(&folder, "develop", &["thing", "-c", "kill -TERM $$"]));
    assert_eq!(found.status.code(), Some(128 + 15));
    // Nothing of it comes into the store.
    let found = run(&mut in_folder(&folder, "develop", &["shellless", "-c", "true"]));
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.status.code() == Some(2) && error.contains("is built without a shell"), "{error}");
    let shell = busybox()?.display().to_string();
    assert_eq!(develop(&["shellless", "--shell", &shell, "-c", "echo $name"])?, "shellless-1.0");
    let found =
        run(&mut in_folder(&folder, "develop", &["shellless", "--shell", "/etc/hosts", "-c", "true"]));
    assert_eq!(found.status.code(), Some(6), "{}", String::from_utf8_lossy(&found.stderr));
    Ok(())
}

fn a_visitor_sees_what_a_builder_sees() -> Result<(), String> {
    let folder = by_hand()?;
    let report = "env | grep -v -e ^SHLVL -e ^_= | sort; id -u; hostname; pwd; ls -a / /build /etc; ls /sx/store | grep -v thing; \
        cat /proc/net/route /proc/self/status | grep -e Cap -e NoNewPrivs -e ^eth; touch /x 2>&1 || true; \
        find . -name x; echo $$ >/dev/null; \
        echo namespaces $(cat /proc/sys/user/max_user_namespaces) and $(cat /proc/cmdline /proc/keys)";
    let built = "eval \"$report\" >$out";
    let expression = format!(
        "let thing = (import {}/default.nix).thing; in derivation (thing.drvAttrs // {{ report = {report:?}; \
         args = [ \"-ec\" {built:?} ]; }})",
        folder.path().display()
    );
    std::fs::write(folder.path().join("report.nix"), expression).map_err(|error| error.to_string())?;
    let of = |verb: &str, rest: &[&str]| {
        let mut command = sx([verb, "-q", "-f"]);
        output(command.arg(folder.path().join("report.nix")).args(rest).env("SX_STORE", store()))
    };
    let visited = of("develop", &["-c", "eval \"$report\""])?;
    let path = of("realise", &[])?;
    let location = store().join("store").join(path.rsplit('/').next().unwrap_or_default());
    let built = std::fs::read_to_string(location).map_err(|error| error.to_string())?;
    // An output mentions itself by its last name.
    let plain = |text: &str| {
        let own = text.split_once("\nout=").and_then(|(_, rest)| rest.lines().next()).unwrap_or_default();
        text.trim_end().replace(own, "OUT")
    };
    // The one thing more that a visitor finds, for his shell to read.
    assert_eq!(plain(&visited).replace("\nprofile\n", "\n"), plain(&built));
    assert!(visited.contains("out=/sx/store/") && visited.contains("\nprofile\n"), "{visited}");
    // As little of the kernel as a builder has.
    assert!(visited.ends_with("\nnamespaces 0 and"), "{visited}");
    Ok(())
}

fn a_visit_has_a_terminal_of_its_own() -> Result<(), String> {
    let folder = by_hand()?;
    let line = format!("{:?}", in_folder(&folder, "develop", &["thing"]));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir("/").env("TERM", "dumb");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut keys = child.stdin.take().expect("it is piped");
    let mut screen = child.stdout.take().expect("it is piped");
    let mut shown = String::new();
    let mut until = |mark: &str| {
        let mut seen = String::new();
        let mut buffer = [0; 1024];
        while !seen.contains(mark) {
            let count = screen.read(&mut buffer).map_err(|error| error.to_string())?;
            if count == 0 {
                return Err(format!("it ended without `{mark}`: {shown}{seen}"));
            }
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        shown.push_str(&seen);
        Ok(())
    };
    let mut types = |text: &str| keys.write_all(text.as_bytes()).map_err(|error| error.to_string());
    let prompt = "[thing-1.0] /build $ ";
    until(prompt)?;
    // A process of its own, which has the terminal before it says so.
    types("$builder -c 'test -t 0 && echo a terminal; exec sleep 1000'\n")?;
    until("\na terminal")?;
    // Ctrl-C ends what runs in the shell, not the shell and not sx.
    types("\u{3}")?;
    until(prompt)?;
    types("exit 7\n")?;
    let status = child.wait().map_err(|error| error.to_string())?;
    assert_eq!(status.code(), Some(7));
    Ok(())
}

fn a_failed_build_is_entered() -> Result<(), String> {
    let folder = by_hand()?;
    let found = run(&mut in_folder(&folder, "realise", &["broken", "--keep-failed"]));
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(5), "{error}");
    let kept = error.lines().find_map(|line| line.split_once(" is in ")).map(|(_, kept)| kept.to_owned());
    let kept = kept.ok_or(error)?;
    let enter = |folder: &str, text: &str| {
        let mut command = sx(["develop", "-q", "--failed", folder, "-c", text]);
        command.env("SX_STORE", store());
        command
    };
    // What it printed stays too.
    output(&mut in_folder(&folder, "log", &["broken"]))?;
    let name = kept.rsplit('/').next().unwrap_or_default();
    assert_eq!(
        output(&mut enter(name, "pwd; cat half $out/word; echo changed >half"))?,
        "/build\nhalf\na word"
    );
    // What was changed stays, and the rest of the build can be gone through.
    let script = "cat half; preCheck=; checkPhase; echo $source | grep -q -e -source$";
    assert_eq!(output(&mut enter(&kept, script))?, "changed\nchecked");
    let found = run(&mut enter("no-such-build", "true"));
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.status.code() == Some(2) && error.contains(&format!("hint: kept are {name}")), "{error}");
    sx_store::object::remove(kept.as_ref()).map_err(|error| error.to_string())
}

//! What a builder sees and what it can't do, tried by a builder: `sandbox/probe.c`, compiled by the bootstrap's own TinyCC.

use crate::harness::{Test, lasting_folder, output, repository, source_folder, sx};
use crate::terminal::Terminal;
use rustix::process::{Signal, kill_process};
use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    vec![
        test(
            "sandbox::a_builder_sees_what_the_architecture_lists",
            a_builder_sees_what_the_architecture_lists,
        ),
        test(
            "sandbox::of_the_kernel_a_builder_sees_what_the_architecture_lists",
            of_the_kernel_a_builder_sees_what_the_architecture_lists,
        ),
        test("sandbox::a_builder_is_nobody_in_particular", a_builder_is_nobody_in_particular),
        test("sandbox::no_way_out_works", no_way_out_works),
        test("sandbox::calls_of_other_machines_are_refused", calls_of_other_machines_are_refused),
        test("sandbox::a_process_left_behind_changes_nothing", a_process_left_behind_changes_nothing),
        test(
            "sandbox::what_the_builder_closed_is_stored_all_the_same",
            what_the_builder_closed_is_stored_all_the_same,
        ),
        test("sandbox::a_link_to_outside_stays_a_link", a_link_to_outside_stays_a_link),
        test("sandbox::misbehaviour_ends_with_a_clear_error", misbehaviour_ends_with_a_clear_error),
        test("sandbox::who_goes_beyond_a_limit_is_stopped", who_goes_beyond_a_limit_is_stopped),
        test(
            "sandbox::a_terminal_shows_what_runs_and_what_it_says",
            a_terminal_shows_what_runs_and_what_it_says,
        ),
    ]
}

/// A store that begins empty in each run: what an earlier sandbox let a builder do says nothing about this one.
fn store() -> Result<PathBuf, String> {
    static STORE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || {
        let folder = lasting_folder().join("sandbox");
        sx_store::object::remove(&folder).map_err(|error| error.to_string())?;
        Ok(folder)
    };
    STORE.get_or_init(make).clone()
}

fn realise(word: &str) -> Result<Command, String> {
    let mut command = sx(["realise", "-f"]);
    command.arg(repository().join("tests/sandbox/default.nix")).arg(word);
    command.arg("--source-folder").arg(source_folder()?).env("SX_STORE", store()?);
    Ok(command)
}

/// Builds, and tells where the output lies.
fn built(realise: &mut Command) -> Result<PathBuf, String> {
    let path = output(realise)?;
    Ok(store()?.join("store").join(path.rsplit('/').next().unwrap_or_default()))
}

fn lines(realise: &mut Command) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(built(realise)?).map_err(|error| error.to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn a_builder_sees_what_the_architecture_lists() -> Result<(), String> {
    let mut found: Vec<String> = lines(&mut realise("view")?)?
        .into_iter()
        // The processes are the build's own; inputs have digests in their names.
        .filter(|line| !line.contains(" /proc/"))
        .map(|line| match line.split_once("/sx/store/") {
            Some((before, rest)) => format!("{before}/sx/store/…{}", &rest[rest.find('-').unwrap_or(0)..]),
            None => line,
        })
        .collect();
    // By place, not by digest.
    found.sort_by_key(|line| line.splitn(3, ' ').nth(2).map(str::to_owned));
    insta::assert_snapshot!("what_a_builder_sees", found.join("\n"));
    Ok(())
}

fn of_the_kernel_a_builder_sees_what_the_architecture_lists() -> Result<(), String> {
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md"));
    let text = text.map_err(|error| error.to_string())?;
    // The names in a paragraph that begins so: every second piece between backticks.
    let listed = |start: &str| -> BTreeSet<String> {
        let paragraph = text.split_once(start).and_then(|(_, rest)| rest.split("\n\n").next());
        let pieces = paragraph.unwrap_or_default().split('`').skip(1).step_by(2);
        pieces.flat_map(str::split_ascii_whitespace).map(|name| format!("/proc/{name}")).collect()
    };
    let (covered, shown) = (listed("\nEmpty in `/proc`:"), listed("\nShown in `/proc`:"));
    let answers = lines(&mut realise("proc")?)?;
    let (told, names): (BTreeSet<&str>, BTreeSet<&str>) =
        answers.iter().map(String::as_str).partition(|answer| answer.contains(": "));
    let unlisted: Vec<_> =
        names.iter().filter(|&&name| !covered.contains(name) && !shown.contains(name)).collect();
    assert!(unlisted.is_empty(), "not listed: {unlisted:?}");
    // Kernels differ in what they have; in these they don't.
    for name in ["cmdline", "cpuinfo", "meminfo", "mounts", "self", "stat", "sys", "uptime", "version"] {
        assert!(names.contains(&*format!("/proc/{name}")), "no {name} in {names:?}");
    }
    for place in &covered {
        let is_there = Path::new(place).exists();
        assert!(!is_there || told.contains(&*format!("{place}: empty")), "{place} in {told:?}");
    }
    for name in ["cpuinfo", "meminfo"] {
        assert!(told.contains(&*format!("/proc/{name}: text")), "{name} in {told:?}");
    }
    Ok(())
}

fn a_builder_is_nobody_in_particular() -> Result<(), String> {
    let allowed = rustix::thread::sched_getaffinity(None).map_err(|error| error.to_string())?.count();
    // Less where a control group gives less time.
    let told = std::thread::available_parallelism().map_err(|error| error.to_string())?;
    let processors = format!("processors {allowed}, told to use {told}");
    let found = lines(&mut realise("identity")?)?;
    assert_eq!(found, ["user 1000 group 100", "host localhost", "addresses fixed: 1", &processors]);
    Ok(())
}

fn no_way_out_works() -> Result<(), String> {
    // Somebody listens outside: a builder that shared the host's network would reach him.
    let name = format!("sx-tests-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).map_err(|error| error.to_string())?;
    let _abstract = UnixListener::bind_addr(&address).map_err(|error| error.to_string())?;
    let loopback = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
    let port = loopback.local_addr().map_err(|error| error.to_string())?;
    TcpStream::connect(port).map_err(|error| error.to_string())?;
    UnixStream::connect_addr(&address).map_err(|error| error.to_string())?;
    let mut command = realise("escapes")?;
    command.args(["--argstr", "listener", &name, "--argstr", "port", &port.port().to_string()]);
    insta::assert_snapshot!("what_a_builder_cannot_do", lines(&mut command)?.join("\n"));
    Ok(())
}

fn calls_of_other_machines_are_refused() -> Result<(), String> {
    // 38 is ENOSYS: as on a kernel that knows no such calls.
    let answers = lines(&mut realise("i386")?)?;
    let others: Vec<_> = answers.iter().filter(|answer| !answer.ends_with(": 38")).collect();
    assert!(answers.len() == 13 && others.is_empty(), "{answers:#?}");
    Ok(())
}

fn a_process_left_behind_changes_nothing() -> Result<(), String> {
    let output = built(&mut realise("daemon")?)?;
    let before = std::fs::read(&output).map_err(|error| error.to_string())?;
    let again = realise("daemon")?.arg("--json").output().map_err(|error| error.to_string())?;
    assert!(again.status.success());
    assert_eq!(before, std::fs::read(&output).map_err(|error| error.to_string())?);
    let left = Command::new("ps").args(["-eo", "args"]).output().map_err(|error| error.to_string())?;
    let left =
        String::from_utf8_lossy(&left.stdout).lines().filter(|line| line.contains("-probe-0 daemon")).count();
    assert_eq!(left, 0, "processes of the build are still there");
    Ok(())
}

fn what_the_builder_closed_is_stored_all_the_same() -> Result<(), String> {
    let folder = built(&mut realise("closed")?)?;
    let mode =
        |path: PathBuf| path.metadata().map(|found| found.mode() & 0o7777).map_err(|error| error.to_string());
    assert_eq!((mode(folder.clone())?, mode(folder.join("file"))?), (0o555, 0o444));
    Ok(())
}

fn a_link_to_outside_stays_a_link() -> Result<(), String> {
    let target = std::fs::read_link(built(&mut realise("link-out")?)?).map_err(|error| error.to_string())?;
    assert_eq!(target, PathBuf::from("/etc/shadow"));
    Ok(())
}

fn misbehaviour_ends_with_a_clear_error() -> Result<(), String> {
    let mut report = String::new();
    for (word, option) in [
        ("fails", None),
        ("nothing", None),
        ("fifo", None),
        ("stranger", None),
        ("loops", Some("--timeout=1")),
        ("speaks", Some("--max-silent-time=1")),
    ] {
        let found = realise(word)?.args(option).output().map_err(|error| error.to_string())?;
        let error = String::from_utf8_lossy(&found.stderr);
        let error: Vec<&str> = error.lines().skip_while(|line| !line.starts_with("error")).collect();
        let folder = store()?.display().to_string();
        let error = error.join("\n").replace(&folder, "…");
        let error = error.split("/logs/").next().unwrap_or_default();
        report += &format!("{word}: exit {:?}, prints {:?}\n{error}\n\n", found.status.code(), found.stdout);
    }
    insta::assert_snapshot!("misbehaviour", report);
    Ok(())
}

fn a_terminal_shows_what_runs_and_what_it_says() -> Result<(), String> {
    // So that nothing else is left to build.
    output(&mut realise("probe")?)?;
    let mut builder = Terminal::open(realise("speaks")?)?;
    builder.see("probe-speaks")?;
    builder.see("half way")?;
    builder.see("0/1 realised, 1 running")?;
    let mut waiter = Terminal::open(realise("speaks")?)?;
    waiter.see("is being built by another process")?;
    waiter.see("0/1 realised, 0 running, 1 waited for")?;
    for mut terminal in [waiter, builder] {
        kill_process(terminal.process()?, Signal::INT).map_err(|error| error.to_string())?;
        terminal.see("interrupted")?;
        let end = terminal.wait();
        assert!(end.as_ref().is_err_and(|end| end.contains("130")), "{end:?}");
    }
    Ok(())
}

fn who_goes_beyond_a_limit_is_stopped() -> Result<(), String> {
    const LIMITS: [&str; 4] =
        ["--limit-memory=100M", "--limit-processes=10", "--limit-disk=20M", "--limit-output=2M"];
    let mut report = String::new();
    for word in ["within", "memory", "shared-memory", "processes", "disk", "file", "output"] {
        let mut command = sx(["realise", "-f"]);
        command.arg(repository().join("tests/sandbox/limits.nix")).arg(word).args(LIMITS);
        command.arg("--source-folder").arg(source_folder()?).env("SX_STORE", store()?);
        let found = command.output().map_err(|error| error.to_string())?;
        let error = String::from_utf8_lossy(&found.stderr);
        let error: Vec<&str> = error.lines().filter(|line| line.starts_with("error")).collect();
        report += &format!("{word}: exit {:?}\n{}\n\n", found.status.code(), error.join("\n"));
    }
    insta::assert_snapshot!("limits", report);
    Ok(())
}

//! Killed at every step of an object's way in and out, and at random moments, a store is whole: nothing that was said to
//! be valid is lost, and what is left behind is garbage that goes.
//!
//! The process that is killed is this test's own program again, which runs [`the_killed`] with the folder in a variable.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use sx_derivation::StorePath;
use sx_store::collect::Collection;
use sx_store::verify::Depth;
use sx_store::{Step, Store};

const FOLDER: &str = "SX_TEST_FOLDER";
const STEP: &str = "SX_TEST_STEP";

static GOES_ON: AtomicBool = AtomicBool::new(false);

/// Works on the store until it is killed: adds trees that refer to one another, tells of each, and collects. Without the
/// variable there is nobody to kill it, and nothing to do.
#[test]
fn the_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let step: Option<usize> = std::env::var(STEP).ok().map(|step| step.parse().unwrap());
    let met = Arc::new(AtomicU32::new(0));
    let open = || {
        let mut store = Store::open(Path::new(&folder)).unwrap();
        let met = Arc::clone(&met);
        store.observe(move |passed| {
            // Not the first time but the third, when there is something to lose.
            if step.is_some_and(|step| Step::ALL[step] == passed) && met.fetch_add(1, Ordering::Relaxed) == 2
            {
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
            }
        });
        store
    };
    let mut store = open();
    for round in 0u64..1000 {
        if round % 4 == 3 {
            // As another process would: what was held so far is garbage, but for what a root keeps.
            drop(store);
            store = open();
            store.collect(&Collection::default(), &GOES_ON).unwrap();
        }
        let leaf = store.add_text(&format!("leaf-{round}"), &[b'x'; 5000], BTreeSet::new()).unwrap();
        let text = format!("{leaf} {}", std::process::id());
        let kept = store.add_text("kept", text.as_bytes(), BTreeSet::from([leaf])).unwrap();
        store.add_root(&format!("kept-{}", round % 3), &kept).unwrap();
        if round % 3 == 0 {
            // Only what stays linked to the end is a promise.
            store.add_root(&format!("promise-{}-{round}", std::process::id()), &kept).unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "valid {kept}").unwrap();
            out.flush().unwrap();
        }
    }
}

fn spawn(folder: &Path, step: Option<usize>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_killed", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(step) = step {
        command.env(STEP, step.to_string());
    }
    command.spawn().unwrap()
}

/// Waits for the end, which has to be by the signal. Gives what the killed said was valid.
fn promised(mut child: Child) -> Vec<StorePath> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("valid ")?.1.to_owned()));
    let said = said.filter_map(|path| StorePath::parse(&path).ok()).collect();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    said
}

/// What must hold after any crash.
fn check(folder: &Path, promised: &[StorePath], when: &str) {
    let store = Store::open(folder).unwrap();
    let verification = store.verify(Depth::Contents, 1, &GOES_ON).unwrap();
    assert_eq!(verification.damage, [], "{when}");
    let collected = store.collect(&Collection::default(), &GOES_ON).unwrap();
    assert!(collected.failures.is_empty(), "{when}: {:?}", collected.failures);
    for path in promised {
        for path in store.closure([path]).unwrap() {
            assert!(store.database().is_valid(&path).unwrap(), "{when}: {path} is lost");
            assert!(store.location(&path).exists(), "{when}: {path} has no file");
        }
    }
    let rows = store.database().paths().unwrap().len();
    let files = std::fs::read_dir(folder.join("store")).unwrap().count();
    assert_eq!(files, rows, "{when}: something is left that no row names");
    for entry in std::fs::read_dir(folder.join("links")).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.metadata().unwrap().nlink() > 1, "{when}: {entry:?} is shared by nobody");
        assert!(!entry.file_name().to_string_lossy().starts_with('.'), "{when}: {entry:?} is left");
    }
    for folder in ["builds", "locks", "processes"].map(|name| folder.join(name)) {
        let left = std::fs::read_dir(&folder).unwrap().count();
        assert!(left <= usize::from(folder.ends_with("processes")), "{when}: {folder:?} is not empty");
    }
}

#[test]
fn killed_after_any_step_a_store_is_whole() {
    for (number, step) in Step::ALL.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("sx");
        let said = promised(spawn(&store, Some(number)));
        check(&store, &said, &format!("killed after {step:?}"));
        // And once more on what the first crash left.
        let said: Vec<_> = said.into_iter().chain(promised(spawn(&store, Some(number)))).collect();
        check(&store, &said, &format!("killed again after {step:?}"));
        sx_store::object::remove(&store).unwrap();
    }
}

/// How many times a process is killed at random; `SX_TEST_KILLS` asks for more.
const KILLS: u64 = 40;

#[test]
fn killed_at_random_moments_a_store_is_whole() {
    let kills = std::env::var("SX_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("sx");
    let mut said = Vec::new();
    // The same moments in each run: multiples of a number without a common measure with the others.
    for kill in 0..kills {
        let mut pair = [spawn(&store, None), spawn(&store, None)];
        std::thread::sleep(Duration::from_micros(8_000 + kill * 7_919 % 60_000));
        pair.iter_mut().for_each(|child| child.kill().unwrap());
        said.extend(pair.into_iter().flat_map(promised));
        if kill % 10 == 9 {
            check(&store, &said, &format!("killed {kill} times"));
        }
    }
    check(&store, &said, "at the end");
    assert!(!said.is_empty(), "nothing was ever made");
    sx_store::object::remove(&store).unwrap();
}

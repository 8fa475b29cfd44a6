//! Killed at every step of an object's way in and out, of a build and of a repair, and at random moments, a store is whole:
//! nothing that was said to be valid is lost, and what is left behind is garbage that goes.
//!
//! The process that is killed is this test's own program again, which runs [`the_killed`] with the folder in a variable.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use sx_derivation::{Derivation, Derivations, Output, StorePath};
use sx_store::collect::Collection;
use sx_store::realise::{AfterFailure, FailedBuilds, RealiseError, SYSTEM};
use sx_store::sandbox::{self, Limits};
use sx_store::transfer::Realisations;
use sx_store::verify::{Damage, Depth};
use sx_store::{ProvedCopies, Realiser, Step, Store, hex0};

const FOLDER: &str = "SX_TEST_FOLDER";
const WORK: &str = "SX_TEST_WORK";
const STEP: &str = "SX_TEST_STEP";
const START: &str = "SX_TEST_START";

static GOES_ON: AtomicBool = AtomicBool::new(false);

const SEED: &str = include_str!("../../bootstrap/seed.hex0");

/// What the killed does, and the steps that it passes while it does.
const WORKS: [(&str, &[Step]); 8] = {
    use Step::*;
    [
        ("add", &[Copied, Moved, Flushed, Named, Recorded, Registered]),
        ("collect", &[Invalidated, Discarded, Deleted]),
        ("realise", &[Built, Copied, Moved, Flushed, Named, Recorded, Registered]),
        ("fail", &[Built, Kept]),
        ("rebuild", &[Built, Copied, Moved, Flushed, Named, Recorded, Registered]),
        ("mend", &[Copied, Moved, Flushed, Named]),
        ("import", &[Copied, Moved, Flushed, Named, Registered]),
        ("substitute", &[Copied, Moved, Flushed, Named, Registered]),
    ]
};

/// Who is killed.
struct Killed {
    store: Store,
    /// What objects come from.
    other: Store,
    /// A builder that turns hex digits into bytes.
    seed: StorePath,
    /// Tells what is made from what was made before an earlier kill.
    start: u64,
    step: Option<Step>,
    is_armed: Arc<AtomicBool>,
    met: Arc<AtomicU32>,
}

/// Works on the store until it is killed. Without the variable there is nobody to kill it, and nothing to do.
#[test]
fn the_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    // Before there is anything that the process would inherit which it begins.
    sandbox::prepare().unwrap();
    let number = |name| std::env::var(name).ok().map(|number| number.parse::<usize>().unwrap());
    let works: Vec<&str> = match number(WORK) {
        Some(work) => vec![WORKS[work].0],
        None => WORKS.map(|(work, _)| work).into(),
    };
    let step = number(STEP).map(|step| WORKS[number(WORK).unwrap()].1[step]);
    let mut killed = Killed::new(Path::new(&folder), step, number(START).unwrap() as u64);
    for round in 0..1000 {
        for work in &works {
            killed.work(work, round);
        }
    }
}

impl Killed {
    fn new(folder: &Path, step: Option<Step>, start: u64) -> Self {
        let (is_armed, met) = (Arc::default(), Arc::default());
        let other = Store::open(&other(folder)).unwrap();
        let program = other.new_build_folder().unwrap();
        std::fs::write(&program, hex0::decode(SEED.as_bytes()).unwrap()).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let store = Store::open(folder).unwrap();
        let seed = store.add_source(&program, "seed", None).unwrap();
        store.add_root("seed", &seed).unwrap();
        let mut killed = Self { store, other, seed, start, step, is_armed, met };
        killed.reopen();
        killed
    }

    /// As another process would: what was held so far is garbage, but for what a root keeps.
    fn reopen(&mut self) {
        let mut store = Store::open(self.store.folder()).unwrap();
        let (step, is_armed, met) = (self.step, Arc::clone(&self.is_armed), Arc::clone(&self.met));
        store.observe(move |passed| {
            let is_it = step == Some(passed) && is_armed.load(Ordering::Relaxed);
            // Not the first time but the third, when there is something to lose.
            if is_it && met.fetch_add(1, Ordering::Relaxed) == 2 {
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
            }
        });
        self.store = store;
    }

    /// Does what the kill is meant for.
    fn armed<T>(&self, work: impl FnOnce(&Store) -> T) -> T {
        self.is_armed.store(true, Ordering::Relaxed);
        let done = work(&self.store);
        self.is_armed.store(false, Ordering::Relaxed);
        done
    }

    fn work(&mut self, work: &str, round: u64) {
        let name = format!("{work}-{}-{round}", self.start);
        let text = |text: &str| self.store.add_text(&name, text.as_bytes(), BTreeSet::new()).unwrap();
        match work {
            "add" => {
                let kept = self.armed(|store| {
                    let leaf = store.add_text(&name, &[b'x'; 5000], BTreeSet::new()).unwrap();
                    let text = format!("{leaf} {}", std::process::id());
                    store.add_text("kept", text.as_bytes(), BTreeSet::from([leaf])).unwrap()
                });
                self.store.add_root(&format!("kept-{}", round % 3), &kept).unwrap();
                if round.is_multiple_of(3) {
                    self.promise(&kept);
                }
            }
            "collect" => {
                text("garbage");
                self.reopen();
                self.armed(|store| store.collect(&Collection::default(), &GOES_ON)).unwrap();
            }
            "realise" => {
                let fan = ["00", "01", "02"].map(|byte| self.step(&name, byte, "$out"));
                for made in self.armed(|store| realise(store, &fan)).unwrap() {
                    self.promise(&made);
                }
            }
            "fail" => {
                let failing = self.step("failing", "00", "/build/x");
                self.armed(|store| realise(store, &[failing])).unwrap_err();
            }
            "rebuild" => {
                let step = self.step("rebuilt", "00 01 02", "$out");
                let made = realise(&self.store, &[step]).unwrap().remove(0);
                self.promise(&made);
                let rebuild = |realiser: &Realiser<'_>| realiser.rebuild(&BTreeSet::from([made.clone()]));
                let failures = self.armed(|store| with_realiser(store, &Derivations::new(), rebuild));
                assert!(failures.is_empty(), "{failures:?}");
            }
            "mend" => {
                let mended = self.store.add_text("mended", &[b'm'; 5000], BTreeSet::new()).unwrap();
                self.other.add_text("mended", &[b'm'; 5000], BTreeSet::new()).unwrap();
                self.promise(&mended);
                let damage = [Damage::Missing(mended)];
                self.armed(|store| store.repair(&damage, Some(self.other.folder()))).unwrap();
            }
            "import" => {
                let brought = self.other.add_text(&name, b"brought", BTreeSet::new()).unwrap();
                let mut stream = Vec::new();
                self.other.export_closure(std::slice::from_ref(&brought), &mut stream, &|_| {}).unwrap();
                let import = |store: &Store| {
                    store.import_closure(&*stream, Realisations::Trusted, &GOES_ON, &|_| {}).unwrap()
                };
                self.armed(import);
                self.promise(&brought);
            }
            "substitute" => {
                let taken = self.other.add_text(&name, b"taken", BTreeSet::new()).unwrap();
                let folder = self.other.folder().join("store");
                let copies = ProvedCopies::read(&folder, &BTreeSet::from([taken.clone()])).unwrap();
                self.armed(|store| store.import(&copies)).unwrap();
                self.promise(&taken);
            }
            _ => panic!("{work}"),
        }
    }

    /// The seed, which writes these bytes to `target`, where `$out` is its output.
    fn step(&self, name: &str, bytes: &str, target: &str) -> Derivation {
        let text = format!("{bytes} {:04x}", self.start);
        let source = self.store.add_text("text", text.as_bytes(), BTreeSet::new()).unwrap();
        let target = target.replace("$out", &sx_derivation::store_path::own_output("out"));
        Derivation {
            name: name.into(),
            outputs: BTreeMap::from([("out".into(), Output::Floating)]),
            input_derivations: BTreeMap::new(),
            input_sources: BTreeSet::from([self.seed.clone(), source.clone()]),
            system: SYSTEM.into(),
            builder: self.seed.to_string().into(),
            arguments: vec![source.to_string().into(), target.into()],
            environment: BTreeMap::new(),
        }
    }

    /// Only what stays linked to the end is a promise.
    fn promise(&self, path: &StorePath) {
        self.store.add_root(&format!("promise-{}", path.base_name()), path).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "valid {path}").unwrap();
        out.flush().unwrap();
    }
}

fn other(folder: &Path) -> PathBuf {
    folder.with_extension("other")
}

fn realise(store: &Store, derivations: &[Derivation]) -> Result<Vec<StorePath>, Vec<RealiseError>> {
    let mut known = Derivations::new();
    derivations.iter().for_each(|derivation| known.insert(derivation.instantiate().unwrap()));
    let wanted: Vec<_> = known.iter().map(|(path, _)| (path.clone(), "out".to_owned())).collect();
    with_realiser(store, &known, |realiser| realiser.realise(&wanted))
}

fn with_realiser<T>(store: &Store, derivations: &Derivations, work: impl FnOnce(&Realiser<'_>) -> T) -> T {
    work(&Realiser {
        store,
        derivations,
        builtins: BTreeMap::new(),
        jobs: 2,
        cores: 1,
        limits: Limits::default(),
        after_failure: AfterFailure::GoOn,
        failed_builds: FailedBuilds::Keep,
        events: &|_| {},
        cancelled: &GOES_ON,
    })
}

/// `at` is the numbers of a work and of the step of it at which the killed ends itself.
fn spawn(folder: &Path, start: u64, at: Option<(usize, usize)>) -> Victim {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_killed", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(START, start.to_string()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    if let Some((work, step)) = at {
        command.env(WORK, work.to_string()).env(STEP, step.to_string());
    }
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    Victim { child, output, promised: Vec::new() }
}

/// A process that is to be killed.
struct Victim {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it said was valid.
    promised: Vec<StorePath>,
}

impl Victim {
    /// Waits until it says that something is valid. Tells whether it did before its end.
    fn hear(&mut self) -> bool {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            let path = line.trim_end().split_once("valid ").and_then(|(_, path)| StorePath::parse(path).ok());
            self.promised.extend(path.clone());
            if path.is_some() {
                return true;
            }
            line.clear();
        }
        false
    }
}

/// Waits for the end, which has to be by the signal. Gives what the killed said was valid.
fn promised(mut victim: Victim) -> Vec<StorePath> {
    while victim.hear() {}
    assert_eq!(victim.child.wait().unwrap().signal(), Some(9));
    victim.promised
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
    for kept in std::fs::read_dir(folder.join("failed")).into_iter().flatten() {
        let kept = kept.unwrap().path();
        assert!(kept.join("derivation").exists(), "{when}: nobody knows what {kept:?} is");
        sx_store::object::remove(&kept).unwrap();
    }
}

fn remove(folder: &Path) {
    for folder in [folder, &other(folder)] {
        sx_store::object::remove(folder).unwrap();
    }
}

#[test]
fn killed_after_any_step_a_store_is_whole() {
    let enumerated = |step: &Step| WORKS.iter().any(|(_, steps)| steps.contains(step));
    assert_eq!(Step::ALL.iter().find(|step| !enumerated(step)), None);
    for (number, (work, steps)) in WORKS.iter().enumerate() {
        for (position, step) in steps.iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let store = folder.path().join("sx");
            let spawn = |start| spawn(&store, start, Some((number, position)));
            let said = promised(spawn(0));
            check(&store, &said, &format!("killed after {step:?} of {work}"));
            // And once more on what the first crash left.
            let said: Vec<_> = said.into_iter().chain(promised(spawn(1))).collect();
            check(&store, &said, &format!("killed again after {step:?} of {work}"));
            remove(&store);
        }
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
        let mut pair = [(); 2].map(|()| spawn(&store, kill, None));
        if kill % 2 == 1 {
            // However slow the machine is, some are killed when they have something to lose.
            pair[0].hear();
        }
        std::thread::sleep(Duration::from_micros(8_000 + kill * 7_919 % 150_000));
        pair.iter_mut().for_each(|victim| victim.child.kill().unwrap());
        said.extend(pair.into_iter().flat_map(promised));
        if kill % 10 == 9 {
            check(&store, &said, &format!("killed {kill} times"));
        }
    }
    check(&store, &said, "at the end");
    assert!(!said.is_empty(), "nothing was ever made");
    remove(&store);
}

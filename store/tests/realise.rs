//! Realising with the smallest builder there is: the seed, which turns hex digits into bytes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sx_derivation::{Algorithm, Derivation, Derivations, Hash, Output, StorePath};
use sx_store::realise::{AfterFailure, FailedBuilds, RealiseError, SYSTEM};
use sx_store::root::RootKind;
use sx_store::sandbox::{Exit, Limits};
use sx_store::substitute::{Copies, CopyError, Substituted};
use sx_store::{Builtin, Event, Failure, Realiser, Step, Store, Task, hex0};

const SEED: &str = include_str!("../../bootstrap/seed.hex0");

struct Hex0;

impl Builtin for Hex0 {
    fn run(&self, task: &Task<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        use std::os::unix::fs::OpenOptionsExt;
        let source = task.derivation.variable("src").ok_or("no src")?;
        let text = std::fs::read((task.locate)(source).ok_or("src is no input")?)?;
        let bytes = hex0::decode(&text)?;
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o755).open(task.output)?;
        Ok(std::io::Write::write_all(&mut file, &bytes)?)
    }
}

/// Makes a file of as many bytes as `size` says, none of which takes a block, and then has what comes next `interrupted`.
struct Hole;

impl Builtin for Hole {
    fn run(&self, task: &Task<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let size = task.derivation.variable("size").ok_or("no size")?.parse()?;
        std::fs::File::create_new(task.output)?.set_len(size)?;
        task.cancelled.store(task.derivation.variable("interrupted").is_some(), Ordering::Relaxed);
        Ok(())
    }
}

/// Leaves what no builder in a sandbox can leave, and fails.
struct SetId;

impl Builtin for SetId {
    fn run(&self, task: &Task<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let closed = task.output.join("closed");
        std::fs::create_dir_all(&closed)?;
        std::os::unix::fs::symlink(task.output, task.output.join("link"))?;
        for (place, mode) in [
            (closed.join("program"), 0o6755),
            (task.output.join("program"), 0o4711),
            (task.output.join("plain"), 0o640),
        ] {
            std::fs::write(&place, "")?;
            std::fs::set_permissions(place, Permissions::from_mode(mode))?;
        }
        std::fs::set_permissions(closed, Permissions::from_mode(0o2000))?;
        Err("on purpose".into())
    }
}

/// What the output of each resolved derivation is said to be.
type Claims = BTreeMap<StorePath, StorePath>;

/// A store in a folder of its own, and the derivations given to it.
struct Fixture {
    folder: tempfile::TempDir,
    store: Store,
    derivations: Derivations,
    limits: Limits,
    after_failure: AfterFailure,
    failed_builds: FailedBuilds,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sx")).unwrap();
        let (after_failure, failed_builds) = (AfterFailure::Stop, FailedBuilds::Delete);
        let limits = Limits::default();
        Self { folder, store, derivations: Derivations::new(), limits, after_failure, failed_builds }
    }

    fn source(&self, name: &str, text: &str) -> StorePath {
        self.store.add_text(name, text.as_bytes(), BTreeSet::new()).unwrap()
    }

    fn add(&mut self, derivation: Derivation) -> StorePath {
        let derivation = derivation.instantiate().unwrap();
        let path = derivation.path().clone();
        self.derivations.insert(derivation);
        path
    }

    /// The seed, decoded by sx from this text.
    fn seed(&mut self, text: &str) -> StorePath {
        let source = self.source("seed.hex0", text);
        let mut derivation = derivation("seed", "builtin:hex0", &[]);
        derivation.environment.insert("src".into(), source.to_string().into());
        derivation.input_sources.insert(source);
        self.add(derivation)
    }

    /// What the builder at `builder` makes of a text.
    fn step(&mut self, name: &str, builder: &StorePath, text: &str) -> StorePath {
        let source = self.source("text", text);
        let own = sx_derivation::store_path::own_output("out");
        let program = builder.placeholder("out").unwrap().to_string();
        let mut derivation = derivation(name, &program, &[&source.to_string(), &own]);
        derivation.input_sources.insert(source);
        derivation.input_derivations.insert(builder.clone(), BTreeSet::from(["out".into()]));
        self.add(derivation)
    }

    /// A hole of 64 MiB.
    fn hole(&mut self, variables: &[&str]) -> StorePath {
        let mut derivation = derivation("hole", "builtin:hole", &[]);
        derivation.environment.insert("size".into(), (64 << 20).to_string().into());
        derivation.environment.extend(variables.iter().map(|&name| (name.into(), "".into())));
        self.add(derivation)
    }

    /// A step whose builder makes something else than its output.
    fn failing(&mut self, name: &str, builder: &StorePath) -> StorePath {
        let step = self.step(name, builder, "00");
        let mut derivation = self.derivations.get(&step).unwrap();
        derivation.arguments[1] = "/build/x".into();
        self.add(derivation)
    }

    /// Realises, and gives the output's path and the names of what was built.
    fn realise(&self, derivation: &StorePath) -> Result<(StorePath, Vec<String>), Vec<RealiseError>> {
        let built = Mutex::new(Vec::new());
        let events = |event: Event<'_>| {
            if let Event::Finished { derivation, built: true } = event {
                built.lock().unwrap().push(derivation.name().to_owned());
            }
        };
        let paths =
            self.with_realiser(&events, |realiser| realiser.realise(&[(derivation.clone(), "out".into())]))?;
        Ok((paths[0].clone(), built.into_inner().unwrap()))
    }

    fn with_realiser<T>(
        &self,
        events: &(dyn Fn(Event<'_>) + Sync),
        work: impl FnOnce(&Realiser<'_>) -> T,
    ) -> T {
        work(&Realiser {
            store: &self.store,
            derivations: &self.derivations,
            builtins: BTreeMap::from([
                ("hex0", Box::new(Hex0) as Box<dyn Builtin>),
                ("hole", Box::new(Hole)),
                ("set-id", Box::new(SetId)),
            ]),
            jobs: 2,
            cores: 1,
            limits: self.limits,
            after_failure: self.after_failure,
            failed_builds: self.failed_builds,
            events,
            cancelled: &AtomicBool::new(false),
        })
    }

    /// Takes what `claims` say from another store.
    fn substitute(&self, derivation: &StorePath, claims: &Claims, other: &Self) -> Substituted {
        let copies = Copies::of_stores(&[other.store.folder().to_owned()]).unwrap();
        let claimed =
            |derivation: &StorePath, _: &str| Ok::<_, RealiseError>(claims.get(derivation).cloned());
        let wanted = [(derivation.clone(), "out".into())];
        self.with_realiser(&|_| {}, |realiser| realiser.substitute(&wanted, &copies, claimed)).unwrap()
    }

    /// What resolved derivations came out as here.
    fn claims(&self, wanted: &[&StorePath]) -> Claims {
        let resolve = |path: &&StorePath| {
            let (resolved, outputs) =
                self.with_realiser(&|_| {}, |realiser| realiser.resolved(path)).unwrap();
            (resolved.path().unwrap(), outputs["out"].clone())
        };
        wanted.iter().map(resolve).collect()
    }

    /// Why each of these would be built.
    fn explained(&self, paths: &[&StorePath]) -> Vec<String> {
        let paths: Vec<StorePath> = paths.iter().map(|&path| path.clone()).collect();
        let reasons = self.with_realiser(&|_| {}, |realiser| realiser.explain(&paths)).unwrap();
        reasons.iter().map(ToString::to_string).collect()
    }

    /// As another process would find it.
    fn reopened(mut self) -> Self {
        let folder = self.store.folder().to_owned();
        drop(self.store);
        self.store = Store::open(&folder).unwrap();
        self
    }

    fn failure(&self, derivation: &StorePath) -> Failure {
        *self.realise(derivation).unwrap_err().remove(0).failure
    }

    fn read(&self, path: &StorePath) -> Vec<u8> {
        std::fs::read(self.store.location(path)).unwrap()
    }
}

fn derivation(name: &str, builder: &str, arguments: &[&str]) -> Derivation {
    Derivation {
        name: name.into(),
        outputs: BTreeMap::from([("out".into(), Output::Floating)]),
        input_derivations: BTreeMap::new(),
        input_sources: BTreeSet::new(),
        system: SYSTEM.into(),
        builder: builder.into(),
        arguments: arguments.iter().map(|&argument| argument.into()).collect(),
        environment: BTreeMap::new(),
    }
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_seed_rebuilds_itself_in_a_sandbox() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let again = fixture.step("seed", &seed, SEED);
    let (path, built) = fixture.realise(&again).unwrap();
    assert_eq!(built, ["seed.drv", "seed.drv"]);
    assert_eq!(fixture.read(&path), hex0::decode(SEED.as_bytes()).unwrap());
    assert_eq!(fixture.realise(&seed).unwrap().0, path, "the same content has the same path");
    assert_eq!(fixture.realise(&again).unwrap().1, [""; 0], "nothing is built twice");
    assert_eq!(entries(&fixture.folder.path().join("sx/builds")), 0);
}

#[test]
fn a_changed_comment_in_the_source_of_a_tool_rebuilds_the_tool_alone() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let program = fixture.step("program", &seed, "00 01 02");
    let (first, built) = fixture.realise(&program).unwrap();
    assert_eq!(built, ["seed.drv", "program.drv"]);
    let seed = fixture.seed(&format!("{SEED}# another comment\n"));
    let program = fixture.step("program", &seed, "00 01 02");
    let (second, built) = fixture.realise(&program).unwrap();
    assert_eq!((second, built), (first, vec!["seed.drv".into()]));
}

#[test]
fn why_something_is_built_is_told_by_what_changed() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let program = fixture.step("program-1.0", &seed, "00 01 02");
    let new = "nothing of its name was realised here";
    assert_eq!(fixture.explained(&[&seed, &program]), [new, new]);
    fixture.realise(&program).unwrap();
    let other_seed = fixture.seed(&format!("{SEED}# another comment\n"));
    let other_program = fixture.step("program-1.1", &other_seed, "00 01 03");
    assert_eq!(
        fixture.explained(&[&other_seed, &other_program]),
        [
            "the source `seed.hex0` changed",
            "the source `text` changed; the input `seed` changed; the version in the name changed"
        ]
    );
    let mut fixture = fixture.reopened();
    fixture.store.collect(&Default::default(), &AtomicBool::new(false)).unwrap();
    let seed = fixture.seed(SEED);
    assert_eq!(
        fixture.explained(&[&seed, &program]),
        ["it was realised before, and its outputs were collected"; 2]
    );
}

#[test]
fn what_was_realised_is_known_when_the_database_was_lost() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let program = fixture.step("program", &seed, "00 01 02");
    let path = fixture.realise(&program).unwrap().0;
    let folder = fixture.store.folder().to_owned();
    let lose = |mut fixture: Fixture| {
        // Another store for the moment, so that this one isn't in use.
        let aside = fixture.folder.path().join("aside");
        fixture.store = Store::open(&aside).unwrap();
        std::fs::write(folder.join("database"), [b'x'; 8192]).unwrap();
        fixture.store = Store::recover(&folder).unwrap().0;
        fixture
    };
    fixture = lose(fixture);
    assert_eq!(fixture.realise(&program).unwrap(), (path.clone(), vec![]));
    // What it is made of is known too: it can be built again when it is damaged.
    sx_store::object::remove(&fixture.store.location(&path)).unwrap();
    let failures =
        fixture.with_realiser(&|_| {}, |realiser| realiser.rebuild(&BTreeSet::from([path.clone()])));
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(fixture.read(&path), [0, 1, 2]);
    // Without the second record it is built again.
    std::fs::remove_file(folder.join("realisations")).unwrap();
    fixture = lose(fixture);
    assert_eq!(fixture.realise(&program).unwrap(), (path, vec!["seed.drv".into(), "program.drv".into()]));
}

#[test]
fn references_are_found_and_only_they_enter_the_closure() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let (seed_path, _) = fixture.realise(&seed).unwrap();
    let digits: String = seed_path.to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
    let mentions = fixture.step("mentions", &seed, &digits);
    let not = fixture.step("not", &seed, "00");
    let closure = |path: &StorePath| fixture.store.closure([path]).unwrap();
    let (mentions, not) = (fixture.realise(&mentions).unwrap().0, fixture.realise(&not).unwrap().0);
    assert_eq!(closure(&mentions), BTreeSet::from([mentions, seed_path]));
    assert_eq!(closure(&not), BTreeSet::from([not]));
}

#[test]
fn what_goes_wrong_is_named_and_nothing_is_left() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let source = fixture.source("text", "00");
    let program = seed.placeholder("out").unwrap().to_string();
    let mut silent = derivation("silent", &program, &[&source.to_string(), "/build/x"]);
    silent.input_sources.insert(source);
    silent.input_derivations.insert(seed.clone(), BTreeSet::from(["out".into()]));
    let mut crashing = silent.clone();
    crashing.arguments.clear();
    let mut strange = silent.clone();
    strange.arguments[1] = "/sx/store/stranger".into();
    let mut outside = silent.clone();
    outside.arguments[1] = "/outside".into();
    let missing = derivation("missing", "/bin/sh", &[]);
    let mut pinned = silent.clone();
    pinned.arguments[1] = sx_derivation::store_path::own_output("out").into();
    pinned
        .outputs
        .insert("out".into(), Output::FixedFile(Hash::new(Algorithm::Sha256, vec![0; 32]).unwrap()));
    let mut other = silent.clone();
    other.system = "riscv64-linux".into();
    let mut failure = |derivation: Derivation| {
        let path = fixture.add(derivation);
        fixture.failure(&path)
    };
    assert!(matches!(failure(silent), Failure::NoOutput(_)));
    assert!(!matches!(failure(crashing), Failure::Builder { exit: Exit::Code(0), .. }));
    assert!(matches!(failure(strange), Failure::StrangeOutput(path) if path == "/sx/store/stranger"));
    let outside = failure(outside);
    assert!(matches!(outside, Failure::Builder { .. } | Failure::NoOutput(_)), "{outside:?}");
    assert!(matches!(failure(missing), Failure::Sandbox { .. }));
    assert!(matches!(failure(pinned), Failure::Pin { .. }));
    assert!(matches!(failure(other), Failure::OtherSystem(_)));
    assert!(matches!(failure(derivation("x", "builtin:x", &[])), Failure::UnknownBuiltin { .. }));
    assert_eq!(entries(&fixture.folder.path().join("sx/builds")), 0);
    assert_eq!(entries(&fixture.folder.path().join("sx/store")), 3, "the seed, its source and the text");
}

#[test]
fn what_does_not_need_what_failed_is_built_when_asked_for() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let bad = fixture.failing("bad", &seed);
    let above = fixture.step("above", &bad, "00");
    let good = fixture.step("good", &seed, "00 01");
    let mut all = derivation("all", &good.placeholder("out").unwrap().to_string(), &[]);
    for input in [&above, &good] {
        all.input_derivations.insert(input.clone(), BTreeSet::from(["out".into()]));
    }
    let all = fixture.add(all);
    fixture.after_failure = AfterFailure::GoOn;
    let errors = fixture.realise(&all).unwrap_err();
    let names: Vec<&str> = errors.iter().map(|error| error.derivation.name()).collect();
    assert_eq!(names, ["bad.drv"], "what needs it did not fail itself");
    assert_eq!(fixture.realise(&good).unwrap().1, [""; 0], "it was built already");
}

#[test]
fn a_build_that_failed_has_a_log_and_one_that_never_began_has_none() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let bad = fixture.failing("bad", &seed);
    let above = fixture.step("above", &bad, "00");
    let log = |path| fixture.store.log_of(&fixture.derivations.get(path).unwrap()).unwrap();
    assert_eq!([log(&bad), log(&above)], [None, None]);
    let failure = fixture.failure(&above);
    let Failure::NoOutput(_) = failure else { panic!("{failure:?}") };
    assert!(log(&bad).is_some_and(|log| log.is_file()));
    assert_eq!(log(&above), None);
}

#[test]
fn the_folder_of_a_failed_build_is_kept_when_asked_for() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let bad = fixture.failing("bad", &seed);
    fixture.failed_builds = FailedBuilds::Keep;
    fixture.realise(&bad).unwrap_err();
    let kept = fixture.folder.path().join("sx/failed/bad-0");
    assert!(kept.join("build/x").is_file());
    // Another process's, since this one's holds what it used.
    let store = Store::open(&fixture.folder.path().join("sx")).unwrap();
    drop(fixture.store);
    let collected = || store.collect(&Default::default(), &AtomicBool::new(false)).unwrap();
    let first = collected();
    assert_eq!((first.alive, first.objects.len()), (2, 1), "its builder and its source stay");
    assert!(kept.join("build/x").is_file(), "no collector takes it");
    let roots = store.roots().unwrap();
    assert!(roots.iter().all(|root| root.kind == RootKind::Failed(kept.clone())), "{roots:?}");
    std::fs::remove_dir_all(&kept).unwrap();
    let second = collected();
    assert_eq!((second.alive, second.objects.len()), (0, 2));
}

#[test]
fn why_a_build_failed_is_told_though_it_cannot_be_kept() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let bad = fixture.failing("bad", &seed);
    let failure = |fixture: &Fixture| fixture.realise(&bad).unwrap_err()[0].failure.to_string();
    let expected = failure(&fixture);
    fixture.failed_builds = FailedBuilds::Keep;
    std::fs::write(fixture.folder.path().join("sx/failed"), "in the way").unwrap();
    assert_eq!(failure(&fixture), expected);
}

#[test]
fn of_a_failed_build_no_set_id_bit_is_kept_and_builds_are_closed_to_others() {
    let mut fixture = Fixture::new();
    let bad = fixture.add(derivation("bad", "builtin:set-id", &[]));
    fixture.failed_builds = FailedBuilds::Keep;
    fixture.realise(&bad).unwrap_err();
    let kept = fixture.folder.path().join("sx/failed/bad-0/out");
    let mode = |place: PathBuf| place.symlink_metadata().unwrap().permissions().mode() & 0o7777;
    let modes = ["program", "plain", "closed", "closed/program", "link"].map(|name| mode(kept.join(name)));
    assert_eq!(modes, [0o711, 0o640, 0o500, 0o755, 0o777]);
    // Nobody else gets to what builds made, or to a socket that a builder listens at.
    let store = fixture.store.folder();
    assert_eq!(["builds", "failed"].map(|name| mode(store.join(name))), [0o700; 2]);
}

#[test]
fn two_who_want_the_same_build_it_once() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let step = fixture.step("step", &seed, "00 01 02");
    let other = Store::open(&fixture.folder.path().join("sx")).unwrap();
    let other = Fixture {
        folder: tempfile::tempdir().unwrap(),
        store: other,
        derivations: fixture.derivations.clone(),
        ..Fixture::new()
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| fixture.realise(&step).unwrap());
        let second = scope.spawn(|| other.realise(&step).unwrap());
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(first.0, second.0);
    let mut built: Vec<String> = first.1.into_iter().chain(second.1).collect();
    built.sort();
    assert_eq!(built, ["seed.drv", "step.drv"]);
}

#[test]
fn damaged_outputs_are_built_again_inputs_first() {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let step = fixture.step("step", &seed, "00 01 02");
    let path = fixture.realise(&step).unwrap().0;
    let seed = fixture.realise(&seed).unwrap().0;
    let damaged = BTreeSet::from([path.clone(), seed.clone()]);
    for path in &damaged {
        sx_store::object::remove(&fixture.store.location(path)).unwrap();
    }
    let (planned, cancelled) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let events = |event: Event<'_>| {
        if let Event::Planned(count) = event {
            planned.lock().unwrap().push(count);
        }
    };
    let realiser = Realiser {
        store: &fixture.store,
        derivations: &Derivations::new(),
        builtins: BTreeMap::from([("hex0", Box::new(Hex0) as Box<dyn Builtin>)]),
        jobs: 1,
        cores: 1,
        limits: fixture.limits,
        after_failure: AfterFailure::Stop,
        failed_builds: FailedBuilds::Delete,
        events: &events,
        cancelled: &cancelled,
    };
    assert!(realiser.rebuild(&damaged).is_empty());
    assert_eq!(*planned.lock().unwrap(), [2]);
    assert_eq!(fixture.read(&path), [0, 1, 2]);
    let depth = sx_store::verify::Depth::Contents;
    assert_eq!(fixture.store.verify(depth, 1, &cancelled).unwrap().damage, []);
    let source = fixture.source("text", "00 01 02");
    let failures = realiser.rebuild(&BTreeSet::from([source]));
    assert!(matches!(failures[..], [(_, Failure::NoMaker)]), "{failures:?}");
}

#[test]
fn what_was_lost_is_built_anew_when_it_is_asked_for_and_a_lost_input_is_told() {
    let (fixture, [seed, tool, program], _) = chain();
    let path = |derivation: &StorePath| fixture.realise(derivation).unwrap().0;
    let [seed_path, tool_path, program_path] = [&seed, &tool, &program].map(path);
    let lose = |path: &StorePath| sx_store::object::remove(&fixture.store.location(path)).unwrap();
    lose(&tool_path);
    // Nobody looks for what isn't asked for.
    assert_eq!(fixture.realise(&program).unwrap(), (program_path, vec![]));
    let plan = |wanted| fixture.with_realiser(&|_| {}, |realiser| realiser.plan(&[wanted]).unwrap().builds);
    assert_eq!(plan((tool.clone(), "out".into())), std::slice::from_ref(&tool));
    assert_eq!(fixture.realise(&tool).unwrap(), (tool_path.clone(), vec!["tool.drv".into()]));
    assert!(fixture.store.location(&tool_path).exists());
    lose(&tool_path);
    lose(&seed_path);
    let failure = fixture.failure(&tool);
    assert!(matches!(&failure, Failure::LostInput(path) if *path == seed_path), "{failure}");
    assert_eq!(fixture.realise(&seed).unwrap().1, ["seed.drv"]);
    assert_eq!(fixture.realise(&tool).unwrap().1, ["tool.drv"]);
}

/// A seed, a tool made by it, and what the tool's text says, which mentions the tool; in a store where they are realised.
fn chain() -> (Fixture, [StorePath; 3], Claims) {
    let mut fixture = Fixture::new();
    let seed = fixture.seed(SEED);
    let tool = fixture.step("tool", &seed, SEED);
    let (tool_path, _) = fixture.realise(&tool).unwrap();
    let digits: String = tool_path.to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
    let program = fixture.step("program", &tool, &digits);
    fixture.realise(&program).unwrap();
    let claims = fixture.claims(&[&seed, &tool, &program]);
    (fixture, [seed, tool, program], claims)
}

/// A store that has the sources alone.
fn empty() -> (Fixture, [StorePath; 3]) {
    let (fixture, _, _) = chain();
    let mut other = Fixture::new();
    other.derivations.clone_from(&fixture.derivations);
    let paths = ["seed", "tool", "program"].map(|name| {
        let found = fixture.derivations.iter().find(|(_, derivation)| derivation.name == name);
        let (path, derivation) = found.unwrap();
        for source in &derivation.input_sources {
            other.source(source.name(), &String::from_utf8(fixture.read(source)).unwrap());
        }
        path.clone()
    });
    (other, paths)
}

#[test]
fn of_a_chain_that_is_claimed_only_the_last_is_taken_with_what_it_refers_to() {
    let (first, [seed, tool, program], claims) = chain();
    let (second, _) = empty();
    let found = second.substitute(&program, &claims, &first);
    let (path, built) = second.realise(&program).unwrap();
    assert_eq!((found.taken, built), (vec![path.clone()], vec![]));
    assert_eq!(second.read(&path), first.read(&path));
    // The tool came along as a reference, yet nobody said that it was realised to: so of it nothing is known.
    let is_realised = |path| second.store.hold_realisation(path, "out").unwrap().is_some();
    assert_eq!([&seed, &tool, &program].map(is_realised), [false, false, true]);
    assert!(second.store.hold(&claims[&first_claim(&first, &tool)]).unwrap());
    let database = second.store.database();
    assert!(database.is_substituted(&program, "out").unwrap());
    assert!(!first.store.database().is_substituted(&program, "out").unwrap());
}

fn first_claim(fixture: &Fixture, path: &StorePath) -> StorePath {
    fixture.claims(&[path]).into_keys().next().unwrap()
}

#[test]
fn what_nobody_claims_is_built() {
    let (first, [_, tool, program], mut claims) = chain();
    let (second, _) = empty();
    claims.remove(&first_claim(&first, &program));
    // What the build needs is taken all the same.
    let found = second.substitute(&program, &claims, &first);
    assert_eq!(found.taken, [claims[&first_claim(&first, &tool)].clone()]);
    assert_eq!(second.realise(&program).unwrap().1, ["program.drv"]);
    assert!(!second.store.database().is_substituted(&program, "out").unwrap());
    let (third, _) = empty();
    assert!(third.substitute(&program, &Claims::new(), &first).taken.is_empty());
    assert_eq!(third.realise(&program).unwrap().1.len(), 3);
}

#[test]
fn a_copy_that_is_not_what_its_path_says_is_refused_and_built_instead() {
    let (first, [seed, tool, program], claims) = chain();
    let location = |path| first.store.location(&claims[&first_claim(&first, path)]);
    let change = |place: &Path, bytes: &[u8]| {
        std::fs::remove_file(place).unwrap();
        std::fs::write(place, bytes).unwrap();
    };
    change(&location(&program), b"forged");
    let (second, _) = empty();
    let found = second.substitute(&program, &claims, &first);
    assert!(matches!(&found.refused[..], [CopyError::Other { .. }]), "{:?}", found.refused);
    let (path, built) = second.realise(&program).unwrap();
    assert_eq!((built, path), (vec!["program.drv".into()], claims[&first_claim(&first, &program)].clone()));
    // A copy of what it refers to that is gone.
    let (first, _, _) = chain();
    let tool_place = first.store.location(&claims[&first_claim(&first, &tool)]);
    std::fs::remove_file(tool_place).unwrap();
    let (third, _) = empty();
    let found = third.substitute(&program, &claims, &first);
    assert!(matches!(&found.refused[..], [CopyError::Other { .. }]), "{:?}", found.refused);
    assert_eq!(found.taken, [claims[&first_claim(&first, &seed)].clone()]);
    assert_eq!(third.realise(&program).unwrap().1, ["tool.drv", "program.drv"]);
    let left = std::fs::read_dir(third.store.folder().join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().starts_with('.')));
}

#[test]
fn a_hole_is_measured_by_its_length_and_before_it_is_copied() {
    let mut fixture = Fixture::new();
    let copied = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&copied);
    fixture.store.observe(move |step| {
        let _ = seen.fetch_add(usize::from(step == Step::Copied), Ordering::Relaxed);
    });
    let hole = fixture.hole(&[]);
    fixture.limits = Limits { output_bytes: Some(1 << 20), ..Limits::default() };
    let failure = fixture.failure(&hole);
    let expected = 64 << 20;
    assert!(matches!(failure, Failure::OutputLimit { found, .. } if found == expected), "{failure}");
    fixture.limits = Limits { disk_bytes: Some(1 << 20), ..Limits::default() };
    let failure = fixture.failure(&hole);
    assert!(matches!(failure, Failure::OutputsOnDisk { found, .. } if found == expected), "{failure}");
    assert_eq!(copied.load(Ordering::Relaxed), 0, "it was copied all the same");
    fixture.limits = Limits { disk_bytes: Some(64 << 20), output_bytes: Some(64 << 20), ..Limits::default() };
    fixture.realise(&hole).unwrap();
}

#[test]
fn the_copy_of_an_output_ends_when_it_is_called_off_or_late_and_leaves_nothing() {
    let mut fixture = Fixture::new();
    let (interrupted, hole) = (fixture.hole(&["interrupted"]), fixture.hole(&[]));
    let failure = fixture.failure(&interrupted);
    assert!(matches!(failure, Failure::Interrupted), "{failure}");
    let limit = Duration::from_nanos(1);
    fixture.limits = Limits { time: Some(limit), ..Limits::default() };
    let failure = fixture.failure(&hole);
    assert!(matches!(failure, Failure::OutputTime { limit: found, .. } if found == limit), "{failure}");
    for name in ["store", "builds", "links", "locks"] {
        assert_eq!(entries(&fixture.store.folder().join(name)), 0, "{name}");
    }
}

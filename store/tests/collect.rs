//! What is collected, what isn't, and that nobody loses what he relies on meanwhile.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use sx_derivation::StorePath;
use sx_store::collect::{Collected, Collection, Mode};
use sx_store::root::RootKind;
use sx_store::{Step, Store, StoreError};

static GOES_ON: AtomicBool = AtomicBool::new(false);

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("sx")).unwrap()
}

fn collect(store: &Store, what: Collection) -> Collected {
    let collected = store.collect(&what, &GOES_ON).unwrap();
    assert!(collected.failures.is_empty(), "{:?}", collected.failures);
    collected
}

/// A text that refers to others, added by a process that has ended since.
fn add(folder: &Path, name: &str, references: &[&StorePath]) -> StorePath {
    let references: BTreeSet<StorePath> = references.iter().map(|&path| path.clone()).collect();
    open(folder).add_text(name, name.as_bytes(), references).unwrap()
}

fn names(collected: &Collected) -> Vec<&str> {
    collected.objects.iter().map(|(path, _)| path.name()).collect()
}

#[test]
fn what_no_root_reaches_goes_and_referrers_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = add(folder.path(), "leaf", &[]);
    let tool = add(folder.path(), "tool", &[&leaf]);
    let dead = add(folder.path(), "dead", &[&leaf]);
    let deader = add(folder.path(), "deader", &[&dead]);
    let store = open(folder.path());
    store.add_root("tool", &tool).unwrap();
    let dry = collect(&store, Collection { mode: Mode::DryRun, ..Collection::default() });
    assert_eq!((names(&dry), dry.freed_bytes(), dry.alive), (vec!["deader", "dead"], 10, 2));
    assert!(store.database().is_valid(&deader).unwrap(), "a dry run deletes nothing");
    let collected = collect(&store, Collection::default());
    assert_eq!(names(&collected), ["deader", "dead"]);
    for (path, there) in [(&leaf, true), (&tool, true), (&dead, false), (&deader, false)] {
        assert_eq!(store.database().is_valid(path).unwrap(), there, "{path}");
        assert_eq!(store.location(path).exists(), there, "{path}");
    }
    assert_eq!(store.why_depends(&tool, &leaf).unwrap(), Some(vec![tool.clone(), leaf.clone()]));
    let reasons = store.why_alive(&leaf).unwrap();
    assert!(matches!(&reasons[..], [(root, chain)] if root.path == tool && *chain == [tool, leaf]));
}

#[test]
fn each_root_that_keeps_an_object_is_told_with_its_shortest_chain() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = add(folder.path(), "leaf", &[]);
    let (left, right) = (add(folder.path(), "left", &[&leaf]), add(folder.path(), "right", &[&leaf]));
    let top = add(folder.path(), "top", &[&left, &right]);
    let long = add(folder.path(), "long", &[&top, &left]);
    let store = open(folder.path());
    for (name, path) in [("leaf", &leaf), ("long", &long), ("right", &right), ("top", &top)] {
        store.add_root(name, path).unwrap();
    }
    let chains = |path| -> Vec<Vec<String>> {
        let reasons = store.why_alive(path).unwrap().into_iter();
        reasons.map(|(_, chain)| chain.iter().map(|path| path.name().to_owned()).collect()).collect()
    };
    let found = chains(&leaf);
    let [itself, from_long, from_right, from_top] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (&itself[..], &from_right[..]),
        (&["leaf".to_owned()][..], &["right".into(), "leaf".into()][..])
    );
    assert_eq!(*from_long, ["long", "left", "leaf"]);
    assert!(from_top.len() == 3 && from_top[0] == "top" && from_top[2] == "leaf", "{from_top:?}");
    assert_eq!(chains(&top), [vec!["long", "top"], vec!["top"]]);
}

#[test]
fn a_result_keeps_its_object_until_the_link_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let result = folder.path().join("result");
    let first = add(folder.path(), "first", &[]);
    let second = add(folder.path(), "second", &[]);
    let store = open(folder.path());
    store.add_result(&result, &first).unwrap();
    assert_eq!(std::fs::read_to_string(&result).unwrap(), "first");
    assert_eq!(names(&collect(&store, Collection::default())), ["second"]);
    let kinds: Vec<_> = store.roots().unwrap().into_iter().map(|root| root.kind).collect();
    assert_eq!(kinds, [RootKind::Result(result.clone())]);
    std::fs::remove_file(&result).unwrap();
    let collected = collect(&store, Collection::default());
    assert_eq!(names(&collected), ["first"]);
    assert_eq!(std::fs::read_dir(store.folder().join("roots/results")).unwrap().count(), 0);
    std::fs::write(&result, "mine").unwrap();
    assert!(store.add_result(&result, &second).is_err(), "a file of the user's is not replaced");
}

#[test]
fn a_link_in_a_folder_of_roots_keeps_its_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = add(folder.path(), "tool", &[]);
    let store = open(folder.path());
    std::fs::create_dir(store.folder().join("roots/profile")).unwrap();
    symlink(path.to_string(), store.folder().join("roots/profile/tool")).unwrap();
    assert_eq!(names(&collect(&store, Collection::default())), [""; 0]);
}

#[test]
fn what_a_process_holds_stays_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let holder = open(folder.path());
    let path = holder.add_text("held", b"held", BTreeSet::new()).unwrap();
    let collector = open(folder.path());
    assert_eq!(collect(&collector, Collection::default()).alive, 1);
    let reasons = collector.why_alive(&path).unwrap();
    assert!(matches!(reasons[0].0.kind, RootKind::Process(number) if number == std::process::id()));
    drop(holder);
    assert_eq!(names(&collect(&collector, Collection::default())), ["held"]);
}

#[test]
fn limits_on_size_and_age_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<StorePath> =
        ["one", "two", "six"].into_iter().map(|name| add(folder.path(), name, &[])).collect();
    let store = open(folder.path());
    let hour = Duration::from_secs(3600);
    let older = |limit| Collection { older_than: Some(limit), mode: Mode::DryRun, ..Collection::default() };
    assert_eq!(collect(&store, older(SystemTime::now() - hour)).objects.len(), 0);
    assert_eq!(collect(&store, older(SystemTime::now() + hour)).objects.len(), 3);
    // To a clock that was set back all are of the future, which is not long ago.
    assert_eq!(collect(&store, older(SystemTime::UNIX_EPOCH)).objects.len(), 0);
    let limit = |bytes| Collection { max_freed_bytes: Some(bytes), ..Collection::default() };
    assert_eq!(collect(&store, limit(0)).objects.len(), 0);
    assert_eq!(collect(&store, limit(4)).objects.len(), 2);
    let left = paths.iter().filter(|path| store.database().is_valid(path).unwrap()).count();
    assert_eq!(left, 1);
}

#[test]
fn what_dead_processes_left_goes_and_what_is_in_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let place = |name: &str| store.folder().join(name);
    let path = add(folder.path(), "x", &[]);
    let kept = add(folder.path(), "kept", &[]);
    let base = path.base_name().replace("-x", "-stray");
    let dead = [
        "store/.new-77-0123456789abcdef-0".to_owned(),
        "store/.old-77-0123456789abcdef-1".to_owned(),
        format!("store/{base}"),
        ".new-77-0123456789abcdef-2".to_owned(),
        "builds/77-0123456789abcdef-0".to_owned(),
        "locks/left".to_owned(),
        "downloads/left.partial".to_owned(),
        "logs/unknown".to_owned(),
        "processes/77-0123456789abcdef".to_owned(),
        format!("layers/{}-1.json", path.digest()),
        format!("layers/{}-1.layer", path.digest()),
        "layers/.new-left".to_owned(),
    ];
    std::fs::create_dir(place("layers")).unwrap();
    for name in &dead {
        std::fs::write(place(name), "x").unwrap();
    }
    let in_use = store.new_build_folder().unwrap();
    std::fs::create_dir(&in_use).unwrap();
    std::fs::write(place("store/foreign file"), "x").unwrap();
    let _lock = store.lock(&path, &GOES_ON, || {}).unwrap();
    // Layers of what is needed, and one that is being made.
    assert!(store.hold(&kept).unwrap());
    let kept_layer = place("layers").join(format!("{}-1.layer", kept.digest()));
    std::fs::write(&kept_layer, "x").unwrap();
    let new_layer = std::fs::File::create(place("layers/.new-now")).unwrap();
    rustix::fs::flock(&new_layer, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let collected = collect(&store, Collection::default());
    assert!(kept_layer.exists() && place("layers/.new-now").exists());
    assert_eq!(collected.strays.len(), dead.len());
    assert!(dead.iter().all(|name| !place(name).exists()));
    assert!(in_use.exists() && place("store/foreign file").exists());
    assert!(place("locks").join(path.digest().to_string()).exists());
}

#[test]
fn the_record_is_shortened_though_builds_lie_on_another_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let store = open(folder.path());
    let builds = store.folder().join("builds");
    std::fs::remove_dir(&builds).unwrap();
    symlink(disk.path(), &builds).unwrap();
    let record = store.folder().join("realisations");
    std::fs::write(&record, "of the past\n".repeat(1000)).unwrap();
    let collected = collect(&store, Collection::default());
    assert!(collected.record.is_none(), "{:?}", collected.record);
    assert_eq!(std::fs::read(&record).unwrap(), b"");
}

#[test]
fn what_is_garbage_goes_though_the_record_cannot_be_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let path = add(folder.path(), "dead", &[]);
    let store = open(folder.path());
    std::fs::create_dir(store.folder().join("realisations")).unwrap();
    let collected = collect(&store, Collection::default());
    assert!(collected.record.is_some());
    assert_eq!((names(&collected), collected.strays.len()), (vec!["dead"], 0));
    assert_eq!(std::fs::read_dir(store.location(&path).parent().unwrap()).unwrap().count(), 0);
    let names = std::fs::read_dir(store.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with(".new-")));
}

#[test]
fn a_collection_that_is_called_off_leaves_the_rest_to_the_next() {
    static CALLED_OFF: AtomicBool = AtomicBool::new(false);
    let folder = tempfile::tempdir().unwrap();
    add(folder.path(), "one", &[]);
    add(folder.path(), "two", &[]);
    let mut store = open(folder.path());
    store.observe(|step| CALLED_OFF.store(step == Step::Deleted, Ordering::Relaxed));
    let called_off = store.collect(&Collection::default(), &CALLED_OFF);
    assert!(matches!(called_off, Err(StoreError::Interrupted)), "{called_off:?}");
    drop(store);
    let rest = collect(&open(folder.path()), Collection::default());
    assert_eq!((rest.objects.len(), rest.strays.len()), (0, 1));
}

#[test]
fn logs_of_failed_builds_stay_until_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let logs = ["old", "new"].map(|name| store.folder().join("logs").join(name));
    let day = Duration::from_secs(24 * 3600);
    let times = [SystemTime::now() - 2 * day, SystemTime::now()];
    for (log, time) in logs.iter().zip(times) {
        std::fs::File::create(log).unwrap().set_modified(time).unwrap();
    }
    let limit = Some(SystemTime::now() - day);
    let collected = collect(&store, Collection { logs_older_than: limit, ..Collection::default() });
    assert_eq!(collected.strays, [(logs[0].clone(), 0)]);
    assert!(logs[1].exists() && !logs[0].exists());
}

#[test]
fn a_root_that_cannot_be_read_stops_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let path = add(folder.path(), "tool", &[]);
    let store = open(folder.path());
    // Too many links: what it points to can't be said.
    let (place, turning) = (folder.path().join("result"), folder.path().join("turning"));
    symlink(&turning, &turning).unwrap();
    store.add_result(&place, &path).unwrap();
    let root =
        std::fs::read_dir(store.folder().join("roots/results")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&root).unwrap();
    symlink(turning.join("result"), &root).unwrap();
    let stopped = store.collect(&Collection::default(), &GOES_ON);
    assert!(matches!(stopped, Err(StoreError::Root { place, .. }) if place == root));
    assert!(store.database().is_valid(&path).unwrap());
}

/// Counts down when it is dropped: also when its thread panics, or collectors would wait for that one forever.
struct CountDown<'a>(&'a AtomicU32);

impl Drop for CountDown<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds, reads and drops while collectors run without pause: nobody ever misses what he holds.
#[test]
fn nobody_loses_what_he_holds_while_collectors_run() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    let (working, collected, again) = (AtomicU32::new(3), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let (working, again) = (&working, &again);
            let folder = folder.path();
            scope.spawn(move || {
                let _ends = CountDown(working);
                for round in 0..40 {
                    // Each round is a process of its own; names repeat, so that it finds what another left.
                    let store = open(folder);
                    let leaf =
                        store.add_text(&format!("leaf-{}", round % 3), b"leaf", BTreeSet::new()).unwrap();
                    let name = format!("tool-{}", (round + worker) % 4);
                    let references = BTreeSet::from([leaf.clone()]);
                    let tool = store.add_text(&name, b"tool", references).unwrap();
                    for path in [&leaf, &tool] {
                        assert!(store.database().is_valid(path).unwrap(), "{path} has no row");
                        assert!(store.location(path).exists(), "{path} has no file");
                    }
                    again.fetch_add(u32::from(store.hold(&tool).unwrap()), Ordering::Relaxed);
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while working.load(Ordering::Relaxed) > 0 {
                    let found = open(folder.path()).collect(&Collection::default(), &GOES_ON).unwrap();
                    collected.fetch_add(found.objects.len() as u32, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(again.into_inner(), 120);
    assert!(collected.into_inner() > 0, "the collectors found nothing to do");
    let left = collect(&open(folder.path()), Collection::default());
    assert_eq!(left.alive, 0);
    assert_eq!(std::fs::read_dir(folder.path().join("sx/store")).unwrap().count(), 0);
}

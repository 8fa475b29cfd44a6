//! Makes outputs of derivations valid: finds what is there, builds what isn't, in parallel, the longest path first.
//!
//! Every derivation on the way is first *resolved*: the inputs that are outputs of other derivations are replaced by
//! the store paths that those were realised to. If the derivation so resolved was built before, its outputs are taken:
//! a changed input that came out with the same bytes rebuilds nothing above it (early cutoff).

use crate::attributes::AttributeError;
use crate::build::{self, Builtin};
use crate::database::Said;
use crate::explain::Earlier;
use crate::lock::Lock;
use crate::requirement::ForbiddenReference;
use crate::sandbox::{Exit, Limits, SandboxError};
use crate::store::{Store, StoreError, Unsettled};
use bstr::{BString, ByteSlice, Finder};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sx_derivation::store_path::StorePathError;
use sx_derivation::{Derivation, Derivations, Hash, StorePath};

/// How long what was made may wait for more, to be made durable with it. Nobody waits for it meanwhile but other processes
/// that want the same, and few builds here.
const GATHERING: Duration = Duration::from_millis(50);

/// The system that builds run on here.
pub const SYSTEM: &str = "x86_64-linux";

/// How to realise.
pub struct Realiser<'a> {
    /// Where to.
    pub store: &'a Store,
    /// Derivations by their paths; those of the store come in addition.
    pub derivations: &'a Derivations,
    /// What `builtin:` builders do, by name.
    pub builtins: BTreeMap<&'static str, Box<dyn Builtin + 'a>>,
    /// Most builds at a time, at least one.
    pub jobs: usize,
    /// Cores that a build is told to use.
    pub cores: usize,
    /// When a build is stopped.
    pub limits: Limits,
    /// What to do after a failure.
    pub after_failure: AfterFailure,
    /// What to do with the folders of failed builds.
    pub failed_builds: FailedBuilds,
    /// Told what happens, from several threads.
    pub events: &'a (dyn Fn(Event<'_>) + Sync),
    /// Set to call everything off.
    pub cancelled: &'a AtomicBool,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterFailure {
    /// Begin nothing more.
    #[default]
    Stop,
    /// Go on with what doesn't need what failed.
    GoOn,
}

/// What to do with the folders of failed builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedBuilds {
    /// They go.
    #[default]
    Delete,
    /// They are moved to the store's folder `failed`, and told of by [`Event::Kept`]. No collector takes them.
    Keep,
}

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// This many derivations are not realised yet, those included that early cutoff may save.
    Planned(usize),
    /// Another process makes the same; its end is waited for.
    Waiting(&'a StorePath),
    /// A build began.
    Started(&'a StorePath),
    /// A builder printed something.
    Output {
        /// Its derivation.
        derivation: &'a StorePath,
        /// What, as it came: any bytes.
        bytes: &'a [u8],
    },
    /// A derivation is realised.
    Finished {
        /// Which.
        derivation: &'a StorePath,
        /// Whether it was built; if not, it was resolved to what had been built before.
        built: bool,
    },
    /// A build failed.
    Failed(&'a StorePath),
    /// The folder of a failed build is kept here, see [`crate::site`].
    Kept {
        /// Its derivation.
        derivation: &'a StorePath,
        /// Where.
        folder: &'a Path,
    },
    /// It was to be kept and could not be.
    NotKept {
        /// Its derivation.
        derivation: &'a StorePath,
        /// Why.
        reason: &'a StoreError,
    },
}

/// What realising would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Derivations to build, each after its inputs; some may turn out to be built already.
    pub builds: Vec<StorePath>,
}

/// Why a derivation isn't realised.
#[derive(Debug, thiserror::Error)]
#[error("`{}` was not realised", derivation.name())]
pub struct RealiseError {
    /// Which.
    pub derivation: StorePath,
    /// Why.
    #[source]
    pub failure: Box<Failure>,
}

impl RealiseError {
    fn new(derivation: &StorePath, failure: Failure) -> Self {
        Self { derivation: derivation.clone(), failure: failure.into() }
    }
}

/// What can go wrong with one derivation.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody knows the derivation.
    #[error("the derivation is neither in the expression nor in the store")]
    UnknownDerivation,
    /// Another derivation, or the user, asks for an output that there isn't.
    #[error("there is no output `{output}`; it has {}", .known.join(", "))]
    UnknownOutput {
        /// What was asked for.
        output: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The derivation is for another kind of machine.
    #[error("it is for `{0}`; this sx builds for `{SYSTEM}`")]
    OtherSystem(String),
    /// An input source isn't valid.
    #[error("its input `{0}` is not in the store")]
    MissingInput(StorePath),
    /// The files of an input are gone.
    #[error("its input `{0}` is valid, but its file is missing")]
    LostInput(StorePath),
    /// There is no such builtin.
    #[error("there is no `builtin:{name}`; there is {}", .known.join(", "))]
    UnknownBuiltin {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A builtin makes one output.
    #[error("a `builtin:` builder has the one output `out`")]
    BuiltinOutputs,
    /// A builtin failed.
    #[error(transparent)]
    Builtin(Box<dyn std::error::Error + Send + Sync>),
    /// The builder ended otherwise than with success.
    #[error("the builder {}", describe(*.exit))]
    Builder {
        /// How.
        exit: Exit,
        /// The last lines that it printed.
        tail: Vec<String>,
        /// The whole of it.
        log: PathBuf,
        /// The limit on processes, if there was one: the kernel refused what was beyond.
        most_processes: Option<u64>,
    },
    /// The builder was not started, or was stopped.
    #[error("{reason}")]
    Sandbox {
        /// Why.
        #[source]
        reason: SandboxError,
        /// The last lines that it printed.
        tail: Vec<String>,
        /// The whole of it.
        log: PathBuf,
    },
    /// The builder succeeded, but something is missing.
    #[error("the builder ended without error but did not make its output `{0}`")]
    NoOutput(String),
    /// The builder left something beside its outputs.
    #[error("the builder wrote `{0}`, which is none of its outputs")]
    StrangeOutput(String),
    /// The builder left something that can't be stored.
    #[error(
        "the output `{output}` has a {kind} at `{path}`; an object holds only files, directories and symbolic links"
    )]
    BadOutput {
        /// Which output.
        output: String,
        /// Where in it; `.` for the whole.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// The derivation's attributes make no sense.
    #[error(transparent)]
    Attributes(#[from] AttributeError),
    /// An output refers to what it may not.
    #[error(transparent)]
    Forbidden(#[from] Box<ForbiddenReference>),
    /// An output is larger than it may be.
    #[error("the output `{output}` has {found} bytes, its `{attribute}` is {limit}")]
    TooLarge {
        /// Which output.
        output: String,
        /// What says so.
        attribute: &'static str,
        /// Most bytes.
        limit: u64,
        /// How many there are.
        found: u64,
    },
    /// An output is larger than outputs may be here.
    #[error("the output `{output}` has {found} bytes, the limit on outputs is {limit}")]
    OutputLimit {
        /// Which output.
        output: String,
        /// Most bytes.
        limit: u64,
        /// How many there are.
        found: u64,
    },
    /// The outputs are larger than the files of a build may be here.
    #[error("the outputs have {found} bytes, holes in their files included; the limit on disk is {limit}")]
    OutputsOnDisk {
        /// Most bytes.
        limit: u64,
        /// How many there are.
        found: u64,
    },
    /// An output was not read and copied in the time that its builder may take.
    #[error(
        "the output `{output}` was not taken into the store within {} seconds, the limit on time",
        .limit.as_secs()
    )]
    OutputTime {
        /// Which output.
        output: String,
        /// Longest time.
        limit: Duration,
    },
    /// Outputs mention one another, so none has a content to be named by.
    #[error("the outputs {} mention one another", .0.join(", "))]
    Cycle(Vec<String>),
    /// An output was pinned to other content.
    #[error("output `{output}` has hash {found}, the expression says {expected}")]
    Pin {
        /// Which output.
        output: String,
        /// What the expression says.
        expected: Hash,
        /// What came out.
        found: Hash,
    },
    /// An output was pinned as a file and is something else, or by a broken hash function.
    #[error(
        "the output `{0}` is pinned by the hash of a file, in sha256, sha512 or blake3, but it is no such file"
    )]
    PinnedDirectory(String),
    /// A pinned output must stand alone.
    #[error("the output `{output}` is pinned by its hash and may not mention `{reference}`")]
    PinnedReference {
        /// Which output.
        output: String,
        /// What it mentions.
        reference: StorePath,
    },
    /// A damaged object isn't the output of a derivation that the store knows.
    #[error("the store knows no derivation that makes it")]
    NoMaker,
    /// A damaged object can't be built before another one is mended.
    #[error("its build needs `{0}`, which is damaged too")]
    DamagedInput(StorePath),
    /// Built again, a derivation made something else.
    #[error("built again it came out otherwise, as {}", .0.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", "))]
    OtherContents(Vec<StorePath>),
    /// The user, or another failure, called it off.
    #[error("it was interrupted")]
    Interrupted,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StorePathError> for Failure {
    fn from(error: StorePathError) -> Self {
        Self::Store(error.into())
    }
}

fn describe(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("ended with exit code {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
    }
}

/// The store path of each output of a derivation.
pub(crate) type Outputs = BTreeMap<String, StorePath>;

impl Realiser<'_> {
    /// Makes the outputs valid and gives their store paths, in the order asked for. After a failure it ends when the
    /// builds under way have ended, or when all that doesn't need what failed is done.
    pub fn realise(&self, wanted: &[(StorePath, String)]) -> Result<Vec<StorePath>, Vec<RealiseError>> {
        let (mut graph, realised) = self.graph(wanted).map_err(|error| vec![error])?;
        (self.events)(Event::Planned(graph.jobs.len()));
        graph.measure_heights();
        let waiting: Vec<usize> = graph.jobs.iter().map(|job| job.inputs).collect();
        let mut ready = BinaryHeap::new();
        for (number, job) in graph.jobs.iter().enumerate() {
            if job.inputs == 0 {
                ready.push((job.height, number));
            }
        }
        let given_up = vec![false; graph.jobs.len()];
        let unfinished = graph.jobs.len();
        let (failures, unsettled, end) = (Vec::new(), Vec::new(), false);
        let state = State { ready, waiting, realised, unfinished, given_up, failures, unsettled, end };
        let (state, changed, made) = (Mutex::new(state), Condvar::new(), Condvar::new());
        let workers = self.jobs.max(1).min(graph.jobs.len());
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..workers).map(|_| scope.spawn(|| self.work(&graph, &state, &changed, &made))).collect();
            if workers.is_empty() {
                return;
            }
            scope.spawn(|| self.settle(&graph, &state, &changed, &made));
            let ends: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            state.lock().unwrap_or_else(PoisonError::into_inner).end = true;
            made.notify_all();
            if let Some(panic) = ends.into_iter().find_map(Result::err) {
                std::panic::resume_unwind(panic);
            }
        });
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !state.failures.is_empty() {
            return Err(state.failures);
        }
        let paths = wanted.iter().map(|(path, output)| state.realised[path][output].clone());
        Ok(paths.collect())
    }

    /// What [`realise`](Self::realise) would build.
    pub fn plan(&self, wanted: &[(StorePath, String)]) -> Result<Plan, RealiseError> {
        let (graph, _) = self.graph(wanted)?;
        Ok(Plan { builds: graph.jobs.into_iter().map(|job| job.path).collect() })
    }

    /// All derivations to look at: those wanted and, below those that aren't realised, their inputs.
    /// Each comes after its inputs. Walks without recursion, since chains may be long.
    fn graph(
        &self,
        wanted: &[(StorePath, String)],
    ) -> Result<(Graph, BTreeMap<StorePath, Outputs>), RealiseError> {
        let mut graph = Graph::default();
        let mut realised = BTreeMap::new();
        let mut numbers: BTreeMap<StorePath, usize> = BTreeMap::new();
        let mut begun = BTreeSet::new();
        let asked: BTreeSet<(&StorePath, &str)> =
            wanted.iter().map(|(path, output)| (path, output.as_str())).collect();
        let mut open: Vec<Visit> = wanted.iter().rev().map(|(path, _)| Visit::Enter(path.clone())).collect();
        while let Some(visit) = open.pop() {
            match visit {
                Visit::Enter(path) => {
                    if !begun.insert(path.clone()) {
                        continue;
                    }
                    let failed = |failure| RealiseError::new(&path, failure);
                    let derivation = self.derivation(&path).map_err(failed)?;
                    // What is asked for, and only that, is looked for on disk too: if it was lost, it is built anew.
                    let is_whole = |outputs: &Outputs| {
                        let mut found = outputs.iter();
                        found.all(|(output, object)| {
                            !asked.contains(&(&path, output)) || self.store.is_there(object)
                        })
                    };
                    if let Some(outputs) = self.find(&path, &derivation).map_err(failed)?.filter(is_whole) {
                        realised.insert(path, outputs);
                        continue;
                    }
                    let inputs: Vec<StorePath> = derivation.input_derivations.keys().cloned().collect();
                    open.push(Visit::Leave(path, derivation));
                    open.extend(inputs.into_iter().map(Visit::Enter));
                }
                Visit::Leave(path, derivation) => {
                    let number = graph.jobs.len();
                    let inputs: Vec<usize> = derivation
                        .input_derivations
                        .keys()
                        .filter_map(|input| numbers.get(input).copied())
                        .collect();
                    for &input in &inputs {
                        graph.jobs[input].dependents.push(number);
                    }
                    numbers.insert(path.clone(), number);
                    let inputs = inputs.len();
                    graph.jobs.push(Job { path, derivation, inputs, dependents: Vec::new(), height: 0 });
                }
            }
        }
        for (path, output) in wanted {
            let known: Vec<String> = match (realised.get(path), numbers.get(path)) {
                (Some(outputs), _) => outputs.keys().cloned().collect(),
                (None, Some(&number)) => graph.jobs[number].derivation.outputs.keys().cloned().collect(),
                (None, None) => Vec::new(),
            };
            if !known.contains(output) {
                let failure = Failure::UnknownOutput { output: output.clone(), known };
                return Err(RealiseError::new(path, failure));
            }
        }
        Ok((graph, realised))
    }

    pub(crate) fn derivation(&self, path: &StorePath) -> Result<Derivation, Failure> {
        if let Some(derivation) = self.derivations.get(path) {
            return Ok(derivation);
        }
        let stored = self.store.database().derivation(path).map_err(StoreError::from)?;
        stored.ok_or(Failure::UnknownDerivation)
    }

    /// The outputs of the derivation at `path`, if all of them are realised.
    pub(crate) fn find(&self, path: &StorePath, derivation: &Derivation) -> Result<Option<Outputs>, Failure> {
        let mut outputs = Outputs::new();
        for output in derivation.outputs.keys() {
            match self.store.hold_realisation(path, output)? {
                Some(found) => outputs.insert(output.clone(), found),
                None => return Ok(None),
            };
        }
        Ok(Some(outputs))
    }

    /// The same, if none of them was lost.
    fn find_whole(&self, path: &StorePath, derivation: &Derivation) -> Result<Option<Outputs>, Failure> {
        let found = self.find(path, derivation)?;
        Ok(found.filter(|outputs| outputs.values().all(|object| self.store.is_there(object))))
    }

    /// One thread's work: takes what is ready until nothing is left to do or something failed.
    fn work(&self, graph: &Graph, state: &Mutex<State>, changed: &Condvar, made: &Condvar) {
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        let _woken = EndOnPanic { state, changed };
        let mut guard = lock();
        let goes_on = |state: &State| {
            state.failures.is_empty()
                || self.after_failure == AfterFailure::GoOn && !self.cancelled.load(Ordering::Relaxed)
        };
        while guard.unfinished > 0 && goes_on(&guard) {
            let Some((_, number)) = guard.ready.pop() else {
                guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let job = &graph.jobs[number];
            let resolved = resolve(&job.derivation, &guard.realised);
            drop(guard);
            let result = resolved.and_then(|resolved| self.realise_resolved(&job.path, &resolved));
            guard = lock();
            match result {
                Ok(Done { outputs, built, unsettled }) => {
                    (self.events)(Event::Finished { derivation: &job.path, built });
                    self.store.announce(&unsettled);
                    if guard.unsettled.is_empty() {
                        made.notify_all();
                    }
                    guard.unsettled.push((number, unsettled));
                    // This thread takes one of them itself.
                    for _ in 1..finish(&mut guard, graph, number, outputs) {
                        changed.notify_one();
                    }
                }
                Err(failure) => {
                    (self.events)(Event::Failed(&job.path));
                    guard.failures.push(RealiseError::new(&job.path, failure));
                    give_up(&mut guard, graph, number);
                }
            }
            if guard.unfinished == 0 || !guard.failures.is_empty() {
                changed.notify_all();
            }
        }
    }

    /// Settles what was made, what comes within [`GATHERING`] at once, while the next is being made: a disk is asked once to make
    /// much durable, and what is made next doesn't wait for it.
    fn settle(&self, graph: &Graph, state: &Mutex<State>, changed: &Condvar, made: &Condvar) {
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut guard, mut is_broken) = (lock(), false);
        loop {
            guard = made
                .wait_while(guard, |state| state.unsettled.is_empty() && !state.end)
                .unwrap_or_else(PoisonError::into_inner);
            let waited = made.wait_timeout_while(guard, GATHERING, |state| !state.end);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
            let gathered = std::mem::take(&mut guard.unsettled);
            let Some((first, _)) = gathered.first() else { return };
            let first = &graph.jobs[*first].path;
            drop(guard);
            let settled = match is_broken {
                // What refers to what isn't valid can't be.
                true => Ok(()),
                false => {
                    self.store.settle(gathered.into_iter().flat_map(|(_, unsettled)| unsettled).collect())
                }
            };
            guard = lock();
            if let Err(error) = settled {
                is_broken = true;
                guard.failures.push(RealiseError::new(first, error.into()));
                changed.notify_all();
            }
        }
    }

    /// Finds or builds the outputs of a resolved derivation.
    fn realise_resolved(&self, original: &StorePath, resolved: &Derivation) -> Result<Done, Failure> {
        let path = resolved.path()?;
        if let Some(outputs) = self.find_whole(&path, resolved)? {
            return self.adopt(original, outputs);
        }
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let is_builtin = resolved.builder.starts_with(b"builtin:");
        if resolved.system != SYSTEM && !(is_builtin && resolved.system == "builtin") {
            return Err(Failure::OtherSystem(resolved.system.clone()));
        }
        for input in &resolved.input_sources {
            if !self.store.hold_placed(input)? {
                return Err(Failure::MissingInput(input.clone()));
            }
        }
        let lock = self.lock(&path, original)?;
        // Another process may have built it while we waited.
        if let Some(outputs) = self.find_whole(&path, resolved)? {
            return self.adopt(original, outputs);
        }
        (self.events)(Event::Started(original));
        let (outputs, mut unsettled) = build::build(self, resolved, &path, original)?;
        if let Some(last) = unsettled.last_mut() {
            // Another process may have it when it is valid.
            last.locks.push(lock);
        }
        Ok(Done { outputs, built: true, unsettled })
    }

    pub(crate) fn lock(&self, path: &StorePath, original: &StorePath) -> Result<Lock, Failure> {
        match self.store.lock(path, self.cancelled, || (self.events)(Event::Waiting(original))) {
            Err(StoreError::Interrupted) => Err(Failure::Interrupted),
            lock => Ok(lock?),
        }
    }

    /// Notes that the derivation at `original` is realised to what its resolved form was.
    fn adopt(&self, original: &StorePath, outputs: Outputs) -> Result<Done, Failure> {
        let said = self.said(original, outputs.iter().map(|(output, path)| (output.as_str(), path)));
        let unsettled = vec![Unsettled { said, ..Unsettled::default() }];
        Ok(Done { outputs, built: false, unsettled })
    }

    /// That the derivation at `original` is realised to these outputs.
    pub(crate) fn said<'b>(
        &self,
        original: &StorePath,
        outputs: impl IntoIterator<Item = (&'b str, &'b StorePath)>,
    ) -> Said {
        let named = |(output, path): (&str, &StorePath)| (original.clone(), output.to_owned(), path.clone());
        let realisations = outputs.into_iter().map(named).collect();
        // What is built again from what the store knows of it was resolved before, and tells no difference.
        let earlier = self.derivations.text(original).map(|text| Earlier::new(original, text));
        Said { realisations, earlier: earlier.into_iter().collect(), ..Said::default() }
    }
}

/// A derivation's outputs, which may be relied on in this process.
struct Done {
    outputs: Outputs,
    /// If not, it was resolved to what had been built before.
    built: bool,
    unsettled: Vec<Unsettled>,
}

enum Visit {
    Enter(StorePath),
    Leave(StorePath, Derivation),
}

/// Derivations to realise, each after its inputs.
#[derive(Default)]
struct Graph {
    jobs: Vec<Job>,
}

struct Job {
    path: StorePath,
    derivation: Derivation,
    /// How many of its inputs are in the graph too.
    inputs: usize,
    /// Positions of those that wait for this one.
    dependents: Vec<usize>,
    /// Length of the longest path of derivations that wait for this one.
    height: usize,
}

impl Graph {
    fn measure_heights(&mut self) {
        for number in (0..self.jobs.len()).rev() {
            let above = self.jobs[number].dependents.iter().map(|&dependent| self.jobs[dependent].height + 1);
            self.jobs[number].height = above.max().unwrap_or(0);
        }
    }
}

struct State {
    /// Jobs whose inputs are realised, with their heights.
    ready: BinaryHeap<(usize, usize)>,
    /// For each job, how many of its inputs aren't realised yet.
    waiting: Vec<usize>,
    realised: BTreeMap<StorePath, Outputs>,
    unfinished: usize,
    /// Jobs that will not be done, since something that they need failed.
    given_up: Vec<bool>,
    failures: Vec<RealiseError>,
    /// What is to be settled, and of which job.
    unsettled: Vec<(usize, Vec<Unsettled>)>,
    /// Nobody makes anything any more.
    end: bool,
}

/// Lets the other threads end when one panics: they would wait for what it was to make.
struct EndOnPanic<'a> {
    state: &'a Mutex<State>,
    changed: &'a Condvar,
}

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).unfinished = 0;
            self.changed.notify_all();
        }
    }
}

/// Notes that a job is done. Gives how many others can be begun now.
fn finish(state: &mut MutexGuard<'_, State>, graph: &Graph, number: usize, outputs: Outputs) -> usize {
    let before = state.ready.len();
    let job = &graph.jobs[number];
    state.realised.insert(job.path.clone(), outputs);
    state.unfinished -= 1;
    for &dependent in &job.dependents {
        state.waiting[dependent] -= 1;
        if state.waiting[dependent] == 0 {
            state.ready.push((graph.jobs[dependent].height, dependent));
        }
    }
    state.ready.len() - before
}

/// Takes a job that failed, and all that need it, off the list.
fn give_up(state: &mut MutexGuard<'_, State>, graph: &Graph, number: usize) {
    let mut open = vec![number];
    while let Some(number) = open.pop() {
        if !std::mem::replace(&mut state.given_up[number], true) {
            state.unfinished -= 1;
            open.extend(&graph.jobs[number].dependents);
        }
    }
}

/// Replaces the outputs of other derivations by what they were realised to.
pub(crate) fn resolve(
    derivation: &Derivation,
    realised: &BTreeMap<StorePath, Outputs>,
) -> Result<Derivation, Failure> {
    let (mut resolved, mut replacements) = (derivation.clone(), Vec::new());
    for (input, outputs) in std::mem::take(&mut resolved.input_derivations) {
        for output in outputs {
            let known = realised.get(&input).ok_or(Failure::UnknownDerivation)?;
            let path = known.get(&output).ok_or_else(|| Failure::UnknownOutput {
                output: format!("{output}` of `{}", input.name()),
                known: known.keys().cloned().collect(),
            })?;
            replacements.push((input.placeholder(&output)?.to_string(), path.to_string()));
            resolved.input_sources.insert(path.clone());
        }
    }
    let replacements = Replacements::from_iter(replacements);
    let texts = resolved.arguments.iter_mut().chain(resolved.environment.values_mut());
    [&mut resolved.builder].into_iter().chain(texts).for_each(|text| replacements.make_in(text));
    Ok(resolved)
}

/// Texts and what takes their place, to be looked for in many others.
pub(crate) struct Replacements(Vec<(Finder<'static>, String)>);

impl FromIterator<(String, String)> for Replacements {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(replacements: T) -> Self {
        let replacements = replacements.into_iter();
        Self(replacements.map(|(text, by)| (Finder::new(&text).into_owned(), by)).collect())
    }
}

impl Replacements {
    pub(crate) fn made_in(&self, text: &BString) -> BString {
        let mut text = text.clone();
        self.make_in(&mut text);
        text
    }

    pub(crate) fn make_in(&self, text: &mut BString) {
        for (finder, by) in &self.0 {
            if finder.find(&**text).is_some() {
                *text = text.replace(finder.needle(), by).into();
            }
        }
    }
}

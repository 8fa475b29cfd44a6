//! Builds one resolved derivation: sandbox or builtin, then its outputs into the store.

use crate::attributes::Attributes;
use crate::object::{self, CalledOff, Contents, ObjectError};
use crate::pin;
use crate::realise::{Event, FailedBuilds, Failure, Realiser, Replacements};
use crate::requirement::{Made, Requirement};
use crate::sandbox::{self, Conditions, Exit, Sandbox};
use crate::scan::{DigestText, Wanted};
use crate::site;
use crate::step::Step;
use crate::store::{New, RemoveOnDrop, StoreError, Unsettled, digest_text, digest_texts};
use bstr::{BString, ByteSlice};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use sx_derivation::store_path::{STORE_FOLDER, output_name, own_output};
use sx_derivation::{Derivation, Output, StorePath};

/// Lines of a failed builder's output that its error repeats.
const TAIL_LINES: usize = 12;

/// Longest piece of one line that an error repeats, in bytes.
const TAIL_LINE_BYTES: usize = 400;

/// What sx itself does for derivations whose builder is `builtin:` and a name. It has no user code in it.
pub trait Builtin: Send + Sync {
    /// Makes the output at `task.output`, which isn't there yet.
    fn run(&self, task: &Task<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// What a [`Builtin`] has to do.
pub struct Task<'a> {
    /// The derivation, resolved.
    pub derivation: &'a Derivation,
    /// The path of the derivation before it was resolved, by which people know it.
    pub original: &'a StorePath,
    /// Finds the file that a store path among the inputs stands for.
    pub locate: &'a dyn Fn(&str) -> Option<PathBuf>,
    /// Where to make the output.
    pub output: &'a Path,
    /// A folder that outlives the build, for partial downloads.
    pub downloads: PathBuf,
    /// Takes lines for people.
    pub print: &'a (dyn Fn(&str) + Sync),
    /// Set when the build is called off.
    pub cancelled: &'a AtomicBool,
}

/// Builds `derivation`, which is resolved and at `path`; `original` is the path before it was resolved.
/// Gives the store path of each output, and what is to be settled before they are valid.
pub(crate) fn build(
    realiser: &Realiser<'_>,
    derivation: &Derivation,
    path: &StorePath,
    original: &StorePath,
) -> Result<(BTreeMap<String, StorePath>, Vec<Unsettled>), Failure> {
    let store = realiser.store;
    let folder = store.new_build_folder()?;
    let removed_at_the_end = RemoveOnDrop(folder.clone());
    let build = Build::new(realiser, derivation, path, original)?;
    let places = build.run(&folder, &Surroundings::usual(realiser), &store.log(path));
    store.passed(Step::Built);
    let mut built = places.and_then(|places| build.outputs(&places));
    if let Ok((_, unsettled)) = &mut built {
        for name in ["build", "tmp"] {
            // Most builders leave them empty, and to try costs less than to look into them.
            let _ = std::fs::remove_dir(folder.join(name));
        }
        // What is built next doesn't wait for this.
        unsettled.push(Unsettled { folder: Some(removed_at_the_end), ..Unsettled::default() });
        return built;
    }
    if built.is_err() && realiser.failed_builds == FailedBuilds::Keep && folder.exists() {
        let kept = site::describe(&folder, derivation, original);
        // Why it failed is told whatever comes of this.
        realiser.tell_kept(original, &kept.and_then(|()| store.keep_failed(&folder, original)));
    }
    // Looked for only now, since inputs are hardly ever lost and there may be many.
    let lost = build.inputs.iter().find(|input| !store.is_there(input));
    lost.map_or(built, |input| Err(Failure::LostInput(input.clone())))
}

/// What a builder finds that its derivation doesn't say.
pub(crate) struct Surroundings {
    /// What it is told to use.
    pub(crate) cores: usize,
    /// Variables beside those that every builder finds.
    pub(crate) environment: BTreeMap<BString, BString>,
    pub(crate) conditions: Conditions,
}

impl Surroundings {
    pub(crate) fn usual(realiser: &Realiser<'_>) -> Self {
        Self { cores: realiser.cores, environment: BTreeMap::new(), conditions: Conditions::default() }
    }
}

/// One derivation with all that its build needs.
pub(crate) struct Build<'a> {
    realiser: &'a Realiser<'a>,
    derivation: &'a Derivation,
    path: &'a StorePath,
    original: &'a StorePath,
    /// What the builder has in view.
    pub(crate) inputs: BTreeSet<StorePath>,
    /// The path that each output has while it is made.
    scratch: BTreeMap<String, StorePath>,
    /// The same in place of what stands for it in expressions.
    own: Replacements,
    attributes: Attributes,
    /// What is required of each output.
    requirements: BTreeMap<String, Vec<Requirement>>,
}

impl<'a> Build<'a> {
    pub(crate) fn new(
        realiser: &'a Realiser<'a>,
        derivation: &'a Derivation,
        path: &'a StorePath,
        original: &'a StorePath,
    ) -> Result<Self, Failure> {
        let inputs = realiser.store.closure_of_placed(&derivation.input_sources)?;
        let mut scratch = BTreeMap::new();
        for output in derivation.outputs.keys() {
            scratch.insert(output.clone(), path.placeholder(output).map_err(StoreError::from)?);
        }
        let own = scratch.iter().map(|(output, path)| (own_output(output), path.to_string()));
        let own = Replacements::from_iter(own);
        let attributes = Attributes::read(derivation, |text| own.made_in(text))?;
        let mut requirements = BTreeMap::new();
        for output in scratch.keys() {
            // Read before the build, since nobody wants to learn of a slip in them after it.
            requirements.insert(output.clone(), Requirement::read(&attributes, output, &scratch)?);
        }
        if requirements.values().any(|required| !required.is_empty()) {
            // What is asked of closures is asked of rows.
            realiser.store.wait_until_settled(&inputs);
        }
        Ok(Self { realiser, derivation, path, original, inputs, scratch, own, attributes, requirements })
    }

    /// Runs the builder in `folder`, which isn't there yet. Tells where each output lies.
    pub(crate) fn run(
        &self,
        folder: &Path,
        surroundings: &Surroundings,
        log: &Path,
    ) -> Result<BTreeMap<String, PathBuf>, Failure> {
        let log = Log::create(log)?;
        match self.derivation.builder.strip_prefix(b"builtin:") {
            Some(name) => {
                let place = self.run_builtin(&name.to_str_lossy(), folder, log)?;
                Ok(BTreeMap::from([("out".to_owned(), place)]))
            }
            None => self.run_sandboxed(folder, surroundings, log),
        }
    }

    fn run_builtin(&self, name: &str, folder: &Path, log: Log) -> Result<PathBuf, Failure> {
        let Self { realiser, derivation, original, inputs, .. } = self;
        if !derivation.outputs.keys().eq(["out"]) {
            return Err(Failure::BuiltinOutputs);
        }
        let builtin = realiser.builtins.get(name).ok_or_else(|| Failure::UnknownBuiltin {
            name: name.into(),
            known: realiser.builtins.keys().map(ToString::to_string).collect(),
        })?;
        crate::store::make_folder(folder, 0o700).map_err(StoreError::io("make", folder))?;
        let output = folder.join("out");
        let locate = |text: &str| {
            let path = StorePath::parse(text).ok()?;
            inputs.contains(&path).then(|| realiser.store.location(&path))
        };
        let log = std::sync::Mutex::new(log);
        let print = |line: &str| {
            let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            log.add(line.as_bytes());
            log.add(b"\n");
            (realiser.events)(Event::Output { derivation: original, bytes: format!("{line}\n").as_bytes() });
        };
        let task = Task {
            derivation,
            original,
            locate: &locate,
            output: &output,
            downloads: realiser.store.folder().join("downloads"),
            print: &print,
            cancelled: realiser.cancelled,
        };
        builtin.run(&task).map_err(Failure::Builtin)?;
        Ok(output)
    }

    /// What the builder runs in.
    pub(crate) fn sandbox(&self, folder: &Path, surroundings: &Surroundings) -> Result<Sandbox, Failure> {
        let Self { realiser, derivation, inputs, scratch, own, .. } = self;
        let given = self.attributes.given(realiser.store, scratch, inputs)?;
        let mut environment = base_environment(surroundings.cores);
        environment.extend(surroundings.environment.clone());
        environment.extend(given.environment);
        Ok(Sandbox {
            folder: folder.into(),
            objects: realiser.store.objects(),
            inputs: inputs.clone(),
            program: own.made_in(&derivation.builder),
            arguments: derivation.arguments.iter().map(|argument| own.made_in(argument)).collect(),
            environment,
            files: given.files,
            limits: realiser.limits,
            conditions: surroundings.conditions.clone(),
            visit: None,
        })
    }

    fn run_sandboxed(
        &self,
        folder: &Path,
        surroundings: &Surroundings,
        mut log: Log,
    ) -> Result<BTreeMap<String, PathBuf>, Failure> {
        let Self { realiser, original, scratch, .. } = self;
        let sandbox = self.sandbox(folder, surroundings)?;
        let exit = sandbox::run(&sandbox, realiser.cancelled, |bytes| {
            log.add(bytes);
            (realiser.events)(Event::Output { derivation: original, bytes });
        });
        let exit =
            exit.map_err(|reason| Failure::Sandbox { reason, tail: log.tail(), log: log.path.clone() })?;
        if exit != Exit::Code(0) {
            let most_processes = realiser.limits.processes;
            return Err(Failure::Builder { exit, tail: log.tail(), log: log.path, most_processes });
        }
        self.refuse_strangers(&sandbox)?;
        Ok(scratch.iter().map(|(output, path)| (output.clone(), sandbox.output(path))).collect())
    }

    /// Refuses anything in the builder's `/sx/store` that is neither input nor output.
    fn refuse_strangers(&self, sandbox: &Sandbox) -> Result<(), Failure> {
        let is_expected = |name: &str| {
            StorePath::parse_base_name(name).is_ok_and(|path| {
                self.inputs.contains(&path) || self.scratch.values().any(|own| *own == path)
            })
        };
        let store = sandbox.store();
        let failed = StoreError::io("read", &store);
        let entries =
            std::fs::read_dir(&store).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
        let strange = entries
            .into_iter()
            .map(|entry| entry.file_name())
            .find(|name| name.to_str().is_none_or(|name| !is_expected(name)));
        strange
            .map_or(Ok(()), |name| Err(Failure::StrangeOutput(format!("{STORE_FOLDER}/{}", name.display()))))
    }

    /// Takes the outputs into the store, where they are still to be settled.
    fn outputs(
        &self,
        places: &BTreeMap<String, PathBuf>,
    ) -> Result<(BTreeMap<String, StorePath>, Vec<Unsettled>), Failure> {
        self.make_accessible(places)?;
        let (mut taken, mut unsettled) = (BTreeMap::new(), Vec::new());
        for output in self.order(places)? {
            let (path, placed) = self.output(&output, &places[&output], &taken)?;
            taken.insert(output, path);
            unsettled.push(placed);
            if self.requirements.values().any(|required| !required.is_empty()) {
                // The next output's may ask for this one's row.
                self.realiser.store.settle(std::mem::take(&mut unsettled))?;
            }
        }
        Ok((taken, unsettled))
    }

    /// Lets us read the outputs, which have to be there and no larger than they may: a file with a hole, which costs its builder
    /// nothing, would be copied as long as it is.
    pub(crate) fn make_accessible(&self, places: &BTreeMap<String, PathBuf>) -> Result<(), Failure> {
        let limits = &self.realiser.limits;
        let mut sum = 0u64;
        for (output, place) in places {
            let found = match object::make_accessible(place) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Failure::NoOutput(output.clone()));
                }
                found => found.map_err(StoreError::io("read the output", place))?,
            };
            if let Some(limit) = limits.output_bytes.filter(|&limit| found > limit) {
                return Err(Failure::OutputLimit { output: output.clone(), limit, found });
            }
            sum = sum.saturating_add(found);
        }
        match limits.disk_bytes {
            Some(limit) if sum > limit => Err(Failure::OutputsOnDisk { limit, found: sum }),
            _ => Ok(()),
        }
    }

    /// Has `work` go through an output. The user may call that off, and it may take as long as a builder may run.
    fn through<T, E: Into<StoreError>>(
        &self,
        output: &str,
        work: impl FnOnce(&CalledOff<'_>) -> Result<T, E>,
    ) -> Result<T, Failure> {
        let Realiser { cancelled, limits, .. } = self.realiser;
        let begin = Instant::now();
        let is_late = || limits.time.is_some_and(|limit| begin.elapsed() > limit);
        let done = work(&|| cancelled.load(Ordering::Relaxed) || is_late());
        done.map_err(|error| match (error.into(), limits.time) {
            (StoreError::Interrupted, Some(limit)) if !cancelled.load(Ordering::Relaxed) => {
                Failure::OutputTime { output: output.into(), limit }
            }
            (StoreError::Interrupted, _) => Failure::Interrupted,
            (error, _) => error.into(),
        })
    }

    /// The outputs, each after those that it mentions: their final paths enter its contents.
    fn order(&self, places: &BTreeMap<String, PathBuf>) -> Result<Vec<String>, Failure> {
        if places.len() == 1 {
            return Ok(places.keys().cloned().collect());
        }
        let texts: BTreeMap<DigestText, &String> =
            self.scratch.iter().map(|(output, path)| (digest_text(path), output)).collect();
        let wanted = Wanted { references: Arc::new(texts.keys().copied().collect()), ..Wanted::default() };
        let mut waiting = BTreeMap::new();
        for (output, place) in places {
            let contents =
                self.through(output, |called_off| object::read(place, &wanted, None, called_off))?;
            let others = contents.references.keys().map(|text| texts[text]).filter(|other| *other != output);
            waiting.insert(output.clone(), others.cloned().collect::<BTreeSet<_>>());
        }
        let mut order: Vec<String> = Vec::new();
        while order.len() < places.len() {
            let is_next =
                |(_, others): &(&String, &BTreeSet<String>)| others.iter().all(|other| order.contains(other));
            let Some(next) = waiting.iter().find(is_next).map(|(output, _)| output.clone()) else {
                return Err(Failure::Cycle(waiting.into_keys().collect()));
            };
            waiting.remove(&next);
            order.push(next);
        }
        Ok(order)
    }

    fn output(
        &self,
        output: &str,
        place: &Path,
        taken: &BTreeMap<String, StorePath>,
    ) -> Result<(StorePath, Unsettled), Failure> {
        let name = output_name(&self.derivation.name, output);
        let store = self.realiser.store;
        let new = self.copy_in(output, place, taken)?;
        let references = self.references(new.contents(), taken);
        self.check_pin(output, place, &new, references.keys().next())?;
        let mentioned: BTreeSet<StorePath> = references.keys().cloned().collect();
        let path = new.contents().store_path(&name, &mentioned)?;
        let made = Made { name: output, path, contents: new.contents(), references: &references };
        for requirement in &self.requirements[output] {
            requirement.check(store, &made, taken)?;
        }
        let (path, mut unsettled) = store.place(new, &name, mentioned)?;
        unsettled.said = self.realiser.said(self.original, [(output, &path)]);
        unsettled.said.realisations.push((self.path.clone(), output.to_owned(), path.clone()));
        unsettled.said.derivations.push((self.path.clone(), self.derivation.encode()));
        Ok((path, unsettled))
    }

    /// Copies an output into the store, not valid yet, with `taken` in place of the outputs that it mentions.
    pub(crate) fn copy_in(
        &self,
        output: &str,
        place: &Path,
        taken: &BTreeMap<String, StorePath>,
    ) -> Result<New, Failure> {
        let wanted = self.wanted(output, taken);
        let store = self.realiser.store;
        let copied = self.through(output, |called_off| store.copy_in(place, &wanted, None, called_off));
        copied.map_err(|failure| match failure {
            Failure::Store(StoreError::Object(ObjectError::BadKind { path, kind })) => {
                let below = Path::new(&path).strip_prefix(place).map(|below| below.display().to_string());
                let path = below.ok().filter(|below| !below.is_empty()).unwrap_or_else(|| ".".into());
                Failure::BadOutput { output: output.into(), path, kind }
            }
            other => other,
        })
    }

    /// The path that an output would have in the store, which it isn't taken into.
    pub(crate) fn path_of(
        &self,
        output: &str,
        place: &Path,
        taken: &BTreeMap<String, StorePath>,
    ) -> Result<StorePath, Failure> {
        let wanted = self.wanted(output, taken);
        let contents = self.through(output, |called_off| object::read(place, &wanted, None, called_off))?;
        let references = self.references(&contents, taken).into_keys().collect();
        Ok(contents.store_path(&output_name(&self.derivation.name, output), &references)?)
    }

    /// What is looked for in an output.
    fn wanted(&self, output: &str, taken: &BTreeMap<String, StorePath>) -> Wanted {
        let replaced =
            taken.iter().map(|(other, path)| (digest_text(&self.scratch[other]), digest_text(path)));
        Wanted {
            references: Arc::new(digest_texts(&self.inputs).into_keys().collect()),
            replacements: replaced.collect(),
            own: Some(digest_text(&self.scratch[output])),
        }
    }

    /// The paths of what was found in an output, each with the first file that mentions it.
    fn references(
        &self,
        contents: &Contents,
        taken: &BTreeMap<String, StorePath>,
    ) -> BTreeMap<StorePath, PathBuf> {
        let mut known = digest_texts(&self.inputs);
        known.extend(taken.iter().map(|(other, path)| (digest_text(&self.scratch[other]), path)));
        contents.references.iter().map(|(text, file)| (known[text].clone(), file.clone())).collect()
    }

    /// Compares an output that is known in advance with what came out.
    fn check_pin(
        &self,
        output: &str,
        place: &Path,
        new: &New,
        reference: Option<&StorePath>,
    ) -> Result<(), Failure> {
        let (expected, found) = match &self.derivation.outputs[output] {
            Output::Floating => return Ok(()),
            Output::FixedFile(expected) => {
                let found =
                    pin::of_file(place, expected.algorithm()).map_err(StoreError::io("hash", place))?;
                (expected, found.ok_or_else(|| Failure::PinnedDirectory(output.into()))?)
            }
            Output::FixedTree(expected) => (expected, pin::of_tree(new.contents().tree)),
        };
        if *expected != found {
            return Err(Failure::Pin { output: output.into(), expected: expected.clone(), found });
        }
        match reference {
            Some(reference) => {
                Err(Failure::PinnedReference { output: output.into(), reference: reference.clone() })
            }
            None => Ok(()),
        }
    }
}

/// What every builder finds set. What the derivation sets itself comes over it.
fn base_environment(cores: usize) -> BTreeMap<BString, BString> {
    let build = sandbox::BUILD_FOLDER;
    let mut environment: BTreeMap<BString, BString> =
        ["TMPDIR", "TEMPDIR", "TMP", "TEMP", "PWD", "NIX_BUILD_TOP"]
            .map(|name| (name.into(), build.into()))
            .into();
    for (name, value) in [
        // Programs that insist on them shall fail rather than find something.
        ("HOME", "/homeless-shelter"),
        ("PATH", "/path-not-set"),
        ("NIX_STORE", STORE_FOLDER),
        ("TERM", "xterm-256color"),
    ] {
        environment.insert(name.into(), value.into());
    }
    environment.insert("NIX_BUILD_CORES".into(), cores.to_string().into());
    environment
}

/// A builder's output: whole in a file, its last lines in memory.
struct Log {
    path: PathBuf,
    file: File,
    tail: Vec<u8>,
}

impl Log {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(StoreError::io("write the log", path))?;
        Ok(Self { path: path.into(), file, tail: Vec::new() })
    }

    fn add(&mut self, bytes: &[u8]) {
        // A log that can't be written (a full disk) is no reason to fail a build that may yet succeed.
        let _ = self.file.write_all(bytes);
        self.tail.extend_from_slice(bytes);
        let excess = self.tail.len().saturating_sub(2 * TAIL_LINES * TAIL_LINE_BYTES);
        self.tail.drain(..excess);
    }

    fn tail(&self) -> Vec<String> {
        let text = self.tail.to_str_lossy();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(TAIL_LINES)..].iter();
        last.map(|line| {
            line.chars().take(TAIL_LINE_BYTES).filter(|c| !c.is_control() || *c == '\t').collect()
        })
        .collect()
    }
}

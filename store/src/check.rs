//! Builds a derivation once more, with everything otherwise that a builder shouldn't depend on, and compares the outputs.
//!
//! What is valid stays as it is, whatever comes out: what was built again is only compared, and then deleted or kept aside.
//!
//! | variation | the second build |
//! |---|---|
//! | [`Cores`](Variation::Cores) | is told to use another number of cores, and has one processor where it had several |
//! | [`Clocks`](Variation::Clocks) | runs 1,000 days later by the clocks that count from the machine's start |
//! | [`Day`](Variation::Day) | runs 1,000 days and some hours later by the time of day, but for times of files |
//! | [`Umask`](Variation::Umask) | has umask 077 |
//! | [`HostName`](Variation::HostName) | is on host `elsewhere` |
//! | [`Locale`](Variation::Locale) | has `LANG`, `LC_ALL` and `TZ` set |
//! | [`Environment`](Variation::Environment) | has a variable of 8 KiB more, which moves all that lies above it in memory |
//! | [`WorkingOrder`](Variation::WorkingOrder) | has its working files in memory, where folders list them in another order |
//! | [`InputOrder`](Variation::InputOrder) | sees inputs whose folders list their files in the opposite order |
//!
//! Two builds begin at different times anyway, and times of files are the host's; so the caller sees to it that they begin in
//! different seconds.
//!
//! If something differs and [`Isolation`] says so, the derivation is built again as usual, which tells whether it is stable
//! at all, and then with each variation alone, which tells whose the difference is.

use crate::build::{Build, Surroundings};
use crate::difference::{self, Comparison, Suspicion, Witness};
use crate::realise::{Event, FailedBuilds, Failure, RealiseError, Realiser, resolve};
use crate::sandbox::{Conditions, Processors, WorkingFiles};
use crate::store::{New, RemoveOnDrop, StoreError};
use bstr::BString;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use sx_derivation::{Derivation, Output, StorePath};

/// Inputs are copied to be reversed as long as they have no more bytes than this together, the smallest first.
const REVERSED_BYTES: u64 = 1 << 30;

/// Something that a second build finds otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variation {
    /// How many cores it is told to use, and how many processors there are.
    Cores,
    /// Clocks that count from the machine's start.
    Clocks,
    /// The time of day.
    Day,
    /// The umask.
    Umask,
    /// The host's name.
    HostName,
    /// Language and time zone.
    Locale,
    /// The size of the environment.
    Environment,
    /// The order in which folders list working files.
    WorkingOrder,
    /// The order in which folders list inputs.
    InputOrder,
}

impl Variation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cores,
        Self::Clocks,
        Self::Day,
        Self::Umask,
        Self::HostName,
        Self::Locale,
        Self::Environment,
        Self::WorkingOrder,
        Self::InputOrder,
    ];

    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cores => "cores",
            Self::Clocks => "clocks",
            Self::Day => "day",
            Self::Umask => "umask",
            Self::HostName => "host-name",
            Self::Locale => "locale",
            Self::Environment => "environment",
            Self::WorkingOrder => "working-order",
            Self::InputOrder => "input-order",
        }
    }
}

/// The name of the host in a second build.
pub const OTHER_HOST: &str = "elsewhere";
/// The variable that makes the environment larger.
pub const PADDING: &str = "SX_CHECK";
const OTHER_UMASK: u32 = 0o077;
/// How far clocks are ahead that count from the machine's start.
pub const CLOCKS_AHEAD: Duration = Duration::from_secs(1000 * 86_400);
/// How far the time of day is ahead: so far that year, month, day, hour and minute are all others.
pub const DAY_AHEAD: Duration = Duration::from_secs(1000 * 86_400 + 7 * 3600 + 7 * 60);
const LOCALE: [(&str, &str); 3] = [("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8"), ("TZ", "CHECK-14")];

/// Whether to find out whose a difference is, by more builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// No.
    Never,
    /// If the second build took no longer than this.
    Within(Duration),
}

/// How to check.
pub struct Check<'a> {
    /// What is otherwise.
    pub variations: &'a BTreeSet<Variation>,
    /// Whether to look whose a difference is.
    pub isolation: Isolation,
    /// Tells the time of day, which differences are searched for.
    pub clock: &'a (dyn Fn() -> SystemTime + Sync),
}

/// What came out for one derivation.
#[derive(Debug)]
pub struct Checked {
    /// Which, as it was asked for.
    pub derivation: StorePath,
    /// What of it was valid before.
    pub outputs: BTreeMap<String, StorePath>,
    /// Whether it was so again.
    pub verdict: Verdict,
    /// How long the second build took.
    pub time: Duration,
    /// How many of its inputs were too large to be reversed.
    pub inputs_as_they_were: usize,
}

/// Whether a derivation came out the same.
#[derive(Debug)]
pub enum Verdict {
    /// Byte for byte.
    Same,
    /// It fetches what a hash is known of: nothing is built, so nothing can differ.
    Fetched,
    /// These outputs differ.
    Different(Vec<Different>),
}

/// An output that came out otherwise.
#[derive(Debug)]
pub struct Different {
    /// Its name.
    pub output: String,
    /// What is valid.
    pub first: StorePath,
    /// What the second build's would be called.
    pub second: StorePath,
    /// Where they differ.
    pub comparison: Comparison,
    /// Whose the difference seems to be.
    pub suspicions: Vec<Suspicion>,
    /// What was isolated.
    pub isolated: Isolated,
    /// Where the second build's lies, until this is dropped.
    pub rebuilt: Rebuilt,
}

/// What more builds told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolated {
    /// There were none.
    NotTried,
    /// It differs even when nothing is otherwise.
    Unstable,
    /// Each of these alone makes it differ.
    Variations(Vec<Variation>),
    /// It differs only when several things are otherwise at once, or not each time.
    Together,
}

/// A tree of a second build.
#[derive(Debug)]
pub struct Rebuilt(Kept);

#[derive(Debug)]
enum Kept {
    Until(New),
    For(PathBuf),
}

impl Rebuilt {
    /// Where it lies.
    pub fn location(&self) -> &Path {
        match &self.0 {
            Kept::Until(new) => new.location(),
            Kept::For(place) => place,
        }
    }

    /// Where it stays, if it does.
    pub fn kept(&self) -> Option<&Path> {
        match &self.0 {
            Kept::Until(_) => None,
            Kept::For(place) => Some(place),
        }
    }
}

impl Realiser<'_> {
    /// Builds the derivation at `path` once more. It is realised first, if it isn't yet.
    pub fn check(&self, path: &StorePath, check: &Check<'_>) -> Result<Checked, RealiseError> {
        let failed = |failure| RealiseError { derivation: path.clone(), failure: Box::new(failure) };
        let (resolved, outputs) = self.resolved(path)?;
        let is_fetched = resolved.builder.starts_with(b"builtin:")
            && resolved.outputs.values().all(|output| matches!(output, Output::FixedFile(_)));
        if is_fetched {
            let verdict = Verdict::Fetched;
            let (time, inputs_as_they_were) = (Duration::ZERO, 0);
            return Ok(Checked { derivation: path.clone(), outputs, verdict, time, inputs_as_they_were });
        }
        (self.events)(Event::Started(path));
        let checked = resolved.path().map_err(Failure::from).and_then(|resolved_path| {
            let build = Build::new(self, &resolved, &resolved_path, path)?;
            let second = Second { realiser: self, build, original: path, outputs: &outputs, check };
            second.check()
        });
        match checked {
            Ok(checked) => {
                (self.events)(Event::Finished { derivation: path, built: true });
                Ok(checked)
            }
            Err(failure) => {
                (self.events)(Event::Failed(path));
                Err(failed(failure))
            }
        }
    }

    /// All derivations below the wanted ones, themselves included, each after its inputs.
    pub fn all_below(&self, wanted: &[StorePath]) -> Result<Vec<StorePath>, RealiseError> {
        let (mut order, mut begun) = (Vec::new(), BTreeSet::new());
        let mut open: Vec<(StorePath, bool)> =
            wanted.iter().rev().map(|path| (path.clone(), false)).collect();
        while let Some((path, is_left)) = open.pop() {
            if is_left {
                order.push(path);
            } else if begun.insert(path.clone()) {
                let derivation = self.derivation(&path);
                let failed = |failure| RealiseError { derivation: path.clone(), failure: Box::new(failure) };
                let inputs = derivation.map_err(failed)?.input_derivations;
                open.push((path, true));
                open.extend(inputs.into_keys().rev().map(|input| (input, false)));
            }
        }
        Ok(order)
    }

    /// The derivation with the contents of its inputs in it, and its outputs. All of them are realised first.
    pub fn resolved(
        &self,
        path: &StorePath,
    ) -> Result<(Derivation, BTreeMap<String, StorePath>), RealiseError> {
        let (resolved, outputs) = self.resolved_inputs(path)?;
        let outputs = self.outputs_of(path, outputs.iter().map(String::as_str))?;
        Ok((resolved, outputs))
    }

    /// The derivation with the contents of its inputs in it, which are realised first, and the names of its outputs.
    pub(crate) fn resolved_inputs(
        &self,
        path: &StorePath,
    ) -> Result<(Derivation, Vec<String>), RealiseError> {
        let failed = |failure| RealiseError { derivation: path.clone(), failure: Box::new(failure) };
        let derivation = self.derivation(path).map_err(failed)?;
        let mut realised = BTreeMap::new();
        for (input, outputs) in &derivation.input_derivations {
            let outputs = outputs.iter().map(String::as_str);
            realised.insert(input.clone(), self.outputs_of(input, outputs)?);
        }
        let resolved = resolve(&derivation, &realised).map_err(failed)?;
        Ok((resolved, derivation.outputs.into_keys().collect()))
    }

    fn outputs_of<'a>(
        &self,
        path: &StorePath,
        outputs: impl Iterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, StorePath>, RealiseError> {
        let wanted: Vec<(StorePath, String)> =
            outputs.map(|output| (path.clone(), output.to_owned())).collect();
        let mut found = BTreeMap::new();
        for (path, output) in &wanted {
            let held = self.store.hold_realisation(path, output);
            let failed = |error: StoreError| RealiseError {
                derivation: path.clone(),
                failure: Box::new(error.into()),
            };
            if let Some(held) = held.map_err(failed)? {
                found.insert(output.clone(), held);
            }
        }
        if found.len() < wanted.len() {
            let paths = self.realise(&wanted).map_err(|mut errors| errors.remove(0))?;
            found = wanted.into_iter().map(|(_, output)| output).zip(paths).collect();
        }
        Ok(found)
    }
}

/// One derivation that is built again.
struct Second<'a> {
    realiser: &'a Realiser<'a>,
    build: Build<'a>,
    original: &'a StorePath,
    outputs: &'a BTreeMap<String, StorePath>,
    check: &'a Check<'a>,
}

impl Second<'_> {
    fn check(&self) -> Result<Checked, Failure> {
        let begin = Instant::now();
        let began_at = (self.check.clock)();
        let (surroundings, inputs_as_they_were) = self.surroundings(self.check.variations)?;
        let mut different = Vec::new();
        self.build_with(&surroundings, |output, place| {
            let second = self.path_of(output, place)?;
            let first = &self.outputs[output];
            if second != *first {
                different.push((output.to_owned(), second, self.copy(output, place)?));
            }
            Ok(())
        })?;
        let (time, ended_at) = (begin.elapsed(), (self.check.clock)());
        let isolated = if different.is_empty() { Isolated::NotTried } else { self.isolate(time)? };
        let witness = Witness { began_at, ended_at, isolated: &isolated };
        let different = different.into_iter().map(|(output, second, new)| {
            let first = self.outputs[&output].clone();
            let location = self.realiser.store.location(&first);
            let comparison = difference::compare(&location, new.location());
            let comparison = comparison.map_err(StoreError::io("compare", &location))?;
            let suspicions = difference::suspicions(&comparison, &witness);
            let rebuilt = self.keep(new)?;
            let isolated = isolated.clone();
            Ok(Different { output, first, second, comparison, suspicions, isolated, rebuilt })
        });
        let different: Vec<Different> = different.collect::<Result<_, Failure>>()?;
        Ok(Checked {
            derivation: self.original.clone(),
            outputs: self.outputs.clone(),
            verdict: if different.is_empty() { Verdict::Same } else { Verdict::Different(different) },
            time,
            inputs_as_they_were,
        })
    }

    /// Builds, and calls `look` for each output with the place where it lies.
    fn build_with(
        &self,
        surroundings: &Surroundings,
        mut look: impl FnMut(&str, &Path) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let store = self.realiser.store;
        let folder = store.new_build_folder()?;
        let _removed_at_the_end = RemoveOnDrop(folder.clone());
        // Not the first build's log, which stays.
        let log = store.log(self.original).with_extension("check");
        let places = self.build.run(&folder, surroundings, &log)?;
        self.build.make_accessible(&places)?;
        places.iter().try_for_each(|(output, place)| look(output, place))
    }

    /// The store path of a second build's output, with the first build's in place of other outputs that it mentions.
    fn path_of(&self, output: &str, place: &Path) -> Result<StorePath, Failure> {
        self.build.path_of(output, place, &self.others(output))
    }

    fn copy(&self, output: &str, place: &Path) -> Result<New, Failure> {
        let new = self.build.copy_in(output, place, &self.others(output))?;
        // So that mentions of itself are no differences.
        new.fill_in(&self.outputs[output])?;
        Ok(new)
    }

    fn others(&self, output: &str) -> BTreeMap<String, StorePath> {
        let others = self.outputs.iter().filter(|(other, _)| *other != output);
        others.map(|(other, path)| (other.clone(), path.clone())).collect()
    }

    fn keep(&self, new: New) -> Result<Rebuilt, Failure> {
        if self.realiser.failed_builds == FailedBuilds::Delete {
            return Ok(Rebuilt(Kept::Until(new)));
        }
        let place = self.realiser.store.keep_failed(new.location(), self.original);
        self.realiser.tell_kept(self.original, &place);
        Ok(Rebuilt(place.map_or(Kept::Until(new), Kept::For)))
    }

    fn isolate(&self, time: Duration) -> Result<Isolated, Failure> {
        match self.check.isolation {
            Isolation::Within(longest) if time <= longest => {}
            _ => return Ok(Isolated::NotTried),
        }
        if self.differs_with(&BTreeSet::new())? {
            return Ok(Isolated::Unstable);
        }
        let mut found = Vec::new();
        for &variation in self.check.variations {
            if self.differs_with(&BTreeSet::from([variation]))? {
                found.push(variation);
            }
        }
        Ok(if found.is_empty() { Isolated::Together } else { Isolated::Variations(found) })
    }

    fn differs_with(&self, variations: &BTreeSet<Variation>) -> Result<bool, Failure> {
        let mut differs = false;
        self.build_with(&self.surroundings(variations)?.0, |output, place| {
            differs |= self.path_of(output, place)? != self.outputs[output];
            Ok(())
        })?;
        Ok(differs)
    }

    /// The surroundings of a build in which so much is otherwise, and how many inputs are too large to be reversed.
    fn surroundings(&self, variations: &BTreeSet<Variation>) -> Result<(Surroundings, usize), Failure> {
        let usual = Surroundings::usual(self.realiser);
        let has = |variation| variations.contains(&variation);
        let mut environment: BTreeMap<BString, BString> = BTreeMap::new();
        if has(Variation::Locale) {
            environment.extend(LOCALE.map(|(name, value)| (name.into(), value.into())));
        }
        if has(Variation::Environment) {
            environment.insert(PADDING.into(), "x".repeat(8 * 1024).into());
        }
        let (reversed, left) =
            if has(Variation::InputOrder) { self.reversed()? } else { (BTreeSet::new(), 0) };
        let single = has(Variation::Cores) && usual.cores > 1;
        let conditions = Conditions {
            host_name: if has(Variation::HostName) { OTHER_HOST } else { usual.conditions.host_name },
            umask: if has(Variation::Umask) { OTHER_UMASK } else { usual.conditions.umask },
            clocks_ahead: has(Variation::Clocks).then_some(CLOCKS_AHEAD),
            day_ahead: has(Variation::Day).then_some(DAY_AHEAD),
            processors: if single { Processors::One } else { Processors::All },
            working_files: match has(Variation::WorkingOrder) {
                true => WorkingFiles::InMemory,
                false => WorkingFiles::OnDisk,
            },
            reversed,
        };
        let cores = match (has(Variation::Cores), usual.cores) {
            (false, cores) => cores,
            (true, 1) => 2,
            (true, _) => 1,
        };
        Ok((Surroundings { cores, environment, conditions }, left))
    }

    /// The inputs to reverse, and how many are left.
    fn reversed(&self) -> Result<(BTreeSet<StorePath>, usize), Failure> {
        let mut sizes = Vec::new();
        for input in &self.build.inputs {
            let object = self.realiser.store.database().object(input).map_err(StoreError::from)?;
            sizes.push((object.map_or(0, |object| object.size_bytes), input));
        }
        sizes.sort();
        let mut sum = 0_u64;
        let fitting = sizes.iter().take_while(|(size, _)| {
            sum = sum.saturating_add(*size);
            sum <= REVERSED_BYTES
        });
        let reversed: BTreeSet<StorePath> = fitting.map(|(_, path)| (*path).clone()).collect();
        let left = sizes.len() - reversed.len();
        Ok((reversed, left))
    }
}

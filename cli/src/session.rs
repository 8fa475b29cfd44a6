//! What the verbs share that need a store: the store, and the way to realise.

use crate::builtins;
use crate::cargo;
use crate::command::{Building, General, Target};
use crate::configuration::{Configuration, Environment};
use crate::failure::{Failure, Kind};
use crate::surroundings::Surroundings;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use sx_derivation::{Derivations, StorePath};
use sx_signing::Statement;
use sx_source::fetch::Proxies;
use sx_source::{FetchOptions, apt};
use sx_store::check::{Check, Checked};
use sx_store::explain::Reason;
use sx_store::realise::{AfterFailure, FailedBuilds, Plan, RealiseError};
use sx_store::sandbox::Limits;
use sx_store::site::{KeptError, Site};
use sx_store::{Realiser, Store, StoreError};

/// How much is built once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDepth {
    /// What was asked for.
    LastStep,
    /// All that it is built from too.
    ToTheSeed,
}

/// One run of the command with a store.
pub struct Session {
    store: Store,
    surroundings: Surroundings,
}

impl Deref for Session {
    type Target = Surroundings;

    fn deref(&self) -> &Surroundings {
        &self.surroundings
    }
}

impl Session {
    /// Reads the configuration, opens the store, which is made if it isn't there and has to be writable, and listens for Ctrl-C.
    pub fn new(general: &General) -> Result<Self, Failure> {
        let session = Self::with(general, |folder, _| Store::open(folder))?;
        session.store.require_writing()?;
        Ok(session)
    }

    /// The same for what makes no objects: a store that somebody named has to be there, or a wrong name would be taken for an
    /// empty store. The usual one, which nobody has to name, is made. One that can't be written is read.
    pub fn of_what_is_there(general: &General) -> Result<Self, Failure> {
        Self::with(
            general,
            |folder, is_named| {
                if is_named { Store::open_existing(folder) } else { Store::open(folder) }
            },
        )
    }

    /// The same for what deletes: on a full disk it takes the room that is kept for it.
    pub fn for_collection(general: &General) -> Result<Self, Failure> {
        let mut session = Self::of_what_is_there(general)?;
        session.store = session.store.with_reserved_room();
        Ok(session)
    }

    /// Whichever of them these need: what leads to objects is only read.
    pub fn for_target(general: &General, target: &Target, more: &[String]) -> Result<Self, Failure> {
        let mut texts = target.attribute.iter().chain(more).peekable();
        let are_objects = texts.peek().is_some() && texts.all(|text| target.leads_to_object(text));
        if are_objects { Self::of_what_is_there(general) } else { Self::new(general) }
    }

    /// `open` is given the store's folder, and whether somebody named it.
    fn with(
        general: &General,
        open: impl FnOnce(&Path, bool) -> Result<Store, StoreError>,
    ) -> Result<Self, Failure> {
        let surroundings = Surroundings::new(general)?;
        let (configuration, environment) = (surroundings.configuration(), surroundings.environment());
        let named = general.store.as_deref();
        let folder = configuration.store_folder(named, environment)?;
        let is_named = configuration.named_store(named, environment).is_some();
        // A making that is interrupted is gone on with.
        let store = surroundings.endable(|| open(&folder, is_named))?;
        Ok(Self { store, surroundings })
    }

    /// The folder of the store that a session would open.
    pub fn store_folder(general: &General) -> Result<PathBuf, Failure> {
        let environment = Environment::read();
        Configuration::read(&environment)?.store_folder(general.store.as_deref(), &environment)
    }

    /// The store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Realises what is wanted. Gives the store paths in the order asked for.
    pub fn realise(
        &self,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<Vec<StorePath>, Failure> {
        let result = self.with_realiser(building, derivations, |realiser| realiser.realise(wanted));
        self.progress().clear();
        result.map_err(|mut errors| {
            // What failed by itself tells more than what was interrupted because of it.
            let first =
                errors.iter().position(|error| !matches!(*error.failure, sx_store::Failure::Interrupted));
            let last: Failure = errors.remove(first.unwrap_or(0)).into();
            // With `--keep-going` there may be several; the one that ends this process comes last.
            for error in
                errors.into_iter().filter(|error| !matches!(*error.failure, sx_store::Failure::Interrupted))
            {
                self.progress().print(Failure::from(error).render(crate::has_colour()).trim_end());
            }
            last
        })
    }

    /// Builds damaged objects again. Gives those that can't be had so.
    pub fn rebuild(
        &self,
        building: &Building,
        damaged: &BTreeSet<StorePath>,
    ) -> Vec<(StorePath, sx_store::Failure)> {
        let failures =
            self.with_realiser(building, &Derivations::new(), |realiser| realiser.rebuild(damaged));
        self.progress().clear();
        failures
    }

    /// A place like the one that the derivation at `path` is built in. Its inputs are realised first.
    pub fn site(
        &self,
        building: &Building,
        derivations: &Derivations,
        path: &StorePath,
    ) -> Result<Site, Failure> {
        let site = self.with_realiser(building, derivations, |realiser| realiser.site(path));
        self.progress().clear();
        Ok(site?)
    }

    /// The place of the failed build that was kept in `folder`.
    pub fn kept_site(&self, building: &Building, folder: &Path) -> Result<Site, KeptError> {
        self.with_realiser(building, &Derivations::new(), |realiser| realiser.kept_site(folder))
    }

    /// What realising would do.
    pub fn plan(
        &self,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<Plan, Failure> {
        Ok(self.with_realiser(building, derivations, |realiser| realiser.plan(wanted))?)
    }

    /// Why each of these derivations, which aren't realised, is to be built.
    pub fn explain(
        &self,
        building: &Building,
        derivations: &Derivations,
        paths: &[StorePath],
    ) -> Result<Vec<Reason>, Failure> {
        Ok(self.with_realiser(building, derivations, |realiser| realiser.explain(paths))?)
    }

    /// Realises what is wanted, builds it once more, or all that it is built from too, and compares. Gives what came out for
    /// each derivation, those before others that these are inputs of.
    pub fn check(
        &self,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
        depth: CheckDepth,
        check: &Check<'_>,
    ) -> Result<Vec<Result<Checked, RealiseError>>, Failure> {
        let paths = self.realise(building, derivations, wanted)?;
        self.wait_for_another_second(&paths);
        let results = self.with_realiser(building, derivations, |realiser| {
            let unique: BTreeSet<StorePath> = wanted.iter().map(|(path, _)| path.clone()).collect();
            let unique: Vec<StorePath> = unique.into_iter().collect();
            let list = match depth {
                CheckDepth::LastStep => unique,
                CheckDepth::ToTheSeed => realiser.all_below(&unique)?,
            };
            (realiser.events)(sx_store::Event::Planned(list.len()));
            let results: Vec<Mutex<Option<_>>> = list.iter().map(|_| Mutex::new(None)).collect();
            let next = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..realiser.jobs.clamp(1, list.len().max(1)) {
                    scope.spawn(|| {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            let Some(path) = list.get(number) else { break };
                            let result = realiser.check(path, check);
                            *results[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                        }
                    });
                }
            });
            let results = results.into_iter();
            let results = results
                .filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner))
                .collect();
            Ok(results)
        });
        self.progress().clear();
        if self.cancelled().load(Ordering::Relaxed) {
            return Err(Failure::new(Kind::Interrupted, "interrupted"));
        }
        results.map_err(|error: RealiseError| error.into())
    }

    /// What the outputs of derivations are claims of: the derivation with its inputs' contents in it, the output, and what it
    /// is. All of them are realised. On the way to the seed these are also the sources that are fetched by their hashes: who
    /// takes what is built of them needn't fetch them to learn what they are called here.
    pub fn statements(
        &self,
        building: &Building,
        derivations: &Derivations,
        wanted: &[StorePath],
        depth: CheckDepth,
    ) -> Result<Vec<(StorePath, Statement)>, Failure> {
        let statements = self.with_realiser(building, derivations, |realiser| {
            let list = match depth {
                CheckDepth::LastStep => wanted.to_vec(),
                CheckDepth::ToTheSeed => realiser.all_below(wanted)?,
            };
            let mut statements = Vec::new();
            for path in list {
                let (resolved, outputs) = realiser.resolved(&path)?;
                if depth == CheckDepth::LastStep && resolved.builder == "builtin:fetch" {
                    continue;
                }
                for (output, content) in outputs {
                    let name = resolved.path().map_err(StoreError::from)?;
                    let statement = Statement::new(name, &output, content)?;
                    statements.push((path.clone(), statement));
                }
            }
            Ok(statements)
        });
        self.progress().clear();
        statements
    }

    /// Builds that are compared begin in different seconds, or a time that one of them wrote down might not be seen.
    fn wait_for_another_second(&self, paths: &[StorePath]) {
        let moved_in = |path: &StorePath| {
            let found = std::fs::symlink_metadata(self.store.location(path)).ok()?;
            Some(found.ctime())
        };
        let Some(newest) = paths.iter().filter_map(moved_in).max() else { return };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if i64::try_from(now.as_secs()).is_ok_and(|second| second == newest) {
            std::thread::sleep(Duration::from_secs(1) - Duration::from_nanos(now.subsec_nanos().into()));
        }
    }

    pub(crate) fn with_realiser<T>(
        &self,
        building: &Building,
        derivations: &Derivations,
        work: impl FnOnce(&Realiser<'_>) -> T,
    ) -> T {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = building.jobs.map(usize::from).or(self.configuration().jobs).unwrap_or(processors);
        let of_builds = &self.configuration().limits;
        let limits = Limits {
            time: Some(Duration::from_secs(building.timeout)),
            silence: building.max_silent_time.or(of_builds.silence_seconds).map(Duration::from_secs),
            memory_bytes: building.limit_memory.or(of_builds.memory),
            processes: building.limit_processes.or(of_builds.processes),
            disk_bytes: building.limit_disk.or(of_builds.disk),
            output_bytes: building.limit_output.or(of_builds.output),
            ..Limits::default()
        };
        let events = |event: sx_store::Event<'_>| self.progress().show(&event);
        let realiser = Realiser {
            store: &self.store,
            derivations,
            builtins: builtins::all(|downloads| self.fetch_options(building, downloads), self.progress()),
            jobs,
            cores: building.cores.map_or(processors, usize::from),
            limits,
            after_failure: if building.keep_going { AfterFailure::GoOn } else { AfterFailure::Stop },
            failed_builds: if building.keep_failed { FailedBuilds::Keep } else { FailedBuilds::Delete },
            events: &events,
            cancelled: self.cancelled(),
        };
        work(&realiser)
    }

    fn fetch_options(&self, building: &Building, downloads: PathBuf) -> FetchOptions {
        let variable = |lower: &str, upper: &str| {
            self.environment().text(lower).or_else(|| self.environment().text(upper))
        };
        let mut options = FetchOptions::new(downloads);
        options.source_folders.clone_from(&building.source_folders);
        options.source_folders.extend(self.configuration().source_folders.iter().cloned());
        options.debian_mirrors.clone_from(&building.debian_mirrors);
        options.debian_mirrors.extend(self.configuration().debian_mirrors.iter().cloned());
        options.apt = apt::read_host();
        options.crate_registries.clone_from(&building.crate_registries);
        options.crate_registries.extend(self.configuration().crate_registries.iter().cloned());
        if let Some(home) = self.environment().cargo_home() {
            let sources = cargo::read(&home);
            options.crate_indexes = sources.indexes;
            options.source_folders.extend(sources.folders);
        }
        options.certificate_file = self.environment().get("SSL_CERT_FILE").map(PathBuf::from);
        options.proxies = Proxies::from_variables(
            // The upper-case form of this one can be set by a stranger's request where sx runs as a CGI program.
            self.environment().text("http_proxy"),
            variable("https_proxy", "HTTPS_PROXY"),
            variable("no_proxy", "NO_PROXY").as_deref(),
        );
        options
    }
}

//! What keeps objects from being collected: temporary roots of running processes, links, and failed builds that were kept.
//!
//! ```text
//! FOLDER/
//!   gate                  locked, see below; empty; closed to all but its owner
//!   processes/<process>   locked while that process lives; the paths that it holds, a line each
//!   roots/…               links to objects, in folders of any depth: whatever is linked is kept
//!   roots/results/<digest of the place>   links to links elsewhere, such as `result`, that point to objects
//!   failed/<build>/derivation   whose inputs are kept for as long as it is there, see crate::site
//! ```
//!
//! The protocol, by which nobody loses what he relies on while collectors run beside him:
//!
//! 1. Who wants to rely on an object enters the [gate](Gate) beside others, writes its path to the file of his process,
//!    looks whether it is valid, and leaves. If it is, it stays valid until the process ends. If it isn't, it has to be
//!    made; its maker holds it before he moves it into place.
//! 2. A collector enters the gate alone. It reads what processes hold, then the links and what was kept, in this order: a
//!    process that ends between has made them by then. What these reach is alive. It deletes the rows of others in one
//!    transaction, renames their files away, and leaves. So nobody looks between its reading and its deleting.
//! 3. It deletes the renamed files at leisure.
//!
//! Everything that a process makes on its way (`store/.new-…`, `builds/…`) carries the process's name: when nobody
//! holds the lock on `processes/<process>`, it is garbage. The kernel lets go of the lock when the last process that
//! inherited the file ends: a program started by `sx run` keeps its closure.
//!
//! Who may not write to the store holds nothing, and so has no business inside the gate: what he reads stays for as long as those
//! want it who may. The files of processes he can open, since `sx gc roots` shows him what they hold. Who finds no room on the disk
//! holds nothing either: he has the database for himself, and no collector comes.

use crate::lock::{Gate, try_flock};
use crate::site;
use crate::store::{Store, StoreError};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use sx_derivation::{Digest, StorePath};

/// Something that keeps an object, and all that it refers to, from being collected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// The object.
    pub path: StorePath,
}

/// The kinds of roots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKind {
    /// A link in the store's folder of roots: its place.
    Link(PathBuf),
    /// A link elsewhere that a realisation made: its place.
    Result(PathBuf),
    /// A failed build that was kept, which needs it to be entered: its folder.
    Failed(PathBuf),
    /// A running process: its number, as it is known where it runs.
    Process(u32),
}

/// What this process holds.
#[derive(Debug)]
pub(crate) struct Holder {
    folder: PathBuf,
    process: Mutex<Option<Process>>,
    /// Why nothing can be written, if so.
    refusal: Option<Errno>,
}

#[derive(Debug)]
struct Process {
    name: String,
    /// Locked; appended to.
    file: File,
    paths: BTreeSet<StorePath>,
}

/// Inside the gate: no collector deletes anything until this is dropped. Outside it, if nothing can be written.
pub(crate) struct Inside<'a> {
    holder: &'a Holder,
    _gate: Option<Gate>,
}

impl Holder {
    /// `refusal` says why nothing can be written, if so.
    pub(crate) fn new(folder: &Path, refusal: Option<Errno>) -> Self {
        Self { folder: folder.into(), process: Mutex::new(None), refusal }
    }

    /// Why nothing can be written, if so.
    pub(crate) const fn refusal(&self) -> Option<Errno> {
        self.refusal
    }

    /// Fails if nothing can be written, with why.
    pub(crate) fn require_writing(&self) -> Result<(), StoreError> {
        match self.refusal {
            Some(refusal) => Err(StoreError::io("write to the store", &self.folder)(refusal.into())),
            None => Ok(()),
        }
    }

    /// Enters the gate, if anything can be written.
    pub(crate) fn enter(&self) -> Result<Inside<'_>, StoreError> {
        let gate = self.folder.join("gate");
        let entered = self.refusal.is_none().then(|| Gate::enter(&gate)).transpose();
        Ok(Inside { holder: self, _gate: entered.map_err(StoreError::io("lock", &gate))? })
    }

    /// The same when nobody else is inside. Waits until `cancelled` is set.
    pub(crate) fn enter_alone(&self, cancelled: &AtomicBool) -> Result<Option<Gate>, StoreError> {
        if self.refusal.is_some() {
            return Ok(None);
        }
        // The name of this process, by which others know its files, can't be had from inside.
        self.new_name()?;
        let gate = self.folder.join("gate");
        let entered = Gate::enter_alone(&gate, cancelled).map_err(StoreError::io("lock", &gate))?;
        entered.map(Some).ok_or(StoreError::Interrupted)
    }

    /// A name that begins with the process's own, used by no other call.
    pub(crate) fn new_name(&self) -> Result<String, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let process = match &*self.lock() {
            Some(process) => process.name.clone(),
            None => String::new(),
        };
        let process = if process.is_empty() { self.begin()? } else { process };
        Ok(format!("{process}-{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Lets programs that this process becomes or starts hold what it holds.
    pub(crate) fn let_inherit(&self) -> Result<(), StoreError> {
        if self.refusal == Some(Errno::NOSPC) {
            // A collector that finds room may come while they run.
            return self.require_writing();
        }
        let Some(process) = &*self.lock() else { return Ok(()) };
        let cleared = rustix::io::fcntl_setfd(&process.file, rustix::io::FdFlags::empty());
        cleared
            .map_err(|error| StoreError::io("let programs inherit", &self.place(&process.name))(error.into()))
    }

    /// Makes the file of this process, if it isn't there, and gives its name.
    fn begin(&self) -> Result<String, StoreError> {
        // Inside the gate, or a collector might take a file that isn't locked yet for a dead process's.
        let _inside = self.enter()?;
        self.begin_inside(&mut self.lock())
    }

    fn begin_inside(&self, process: &mut Option<Process>) -> Result<String, StoreError> {
        if let Some(process) = process {
            return Ok(process.name.clone());
        }
        self.require_writing()?;
        // The number says something to people; the rest tells processes of several containers apart.
        let random = std::hash::RandomState::new().build_hasher().finish();
        let name = format!("{}-{random:016x}", std::process::id());
        let place = self.place(&name);
        let failed = |action| StoreError::io(action, &place);
        let file = File::create_new(&place).map_err(failed("make"))?;
        // Who lists roots may hold it for a moment.
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))
            .map_err(|error| failed("lock")(error.into()))?;
        *process = Some(Process { name: name.clone(), file, paths: BTreeSet::new() });
        Ok(name)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join("processes").join(name)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        // A panic left at worst a path in the file that isn't in the set, which is then written again.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(process) = &*self.lock() {
            // A file that stays isn't locked any more, and is taken for what it is.
            let _ = std::fs::remove_file(self.place(&process.name));
        }
    }
}

impl Inside<'_> {
    /// Holds `path`, valid or not, until this process ends.
    pub(crate) fn hold(&self, path: &StorePath) -> Result<(), StoreError> {
        if self.holder.refusal.is_some() {
            return Ok(());
        }
        let mut process = self.holder.lock();
        let name = self.holder.begin_inside(&mut process)?;
        let process = process.as_mut().expect("it was begun in the line before");
        if process.paths.contains(path) {
            return Ok(());
        }
        let written = process.file.write_all(format!("{path}\n").as_bytes());
        written.map_err(StoreError::io("write", &self.holder.place(&name)))?;
        process.paths.insert(path.clone());
        Ok(())
    }
}

/// What processes hold, by their names.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Names of the processes that live.
    processes: BTreeSet<String>,
    /// What they hold.
    pub(crate) roots: BTreeSet<Root>,
    /// Files of processes that are gone.
    pub(crate) dead: Vec<PathBuf>,
}

impl Held {
    /// Reads the files of all processes. Alone inside the gate, it is the whole truth.
    pub(crate) fn read(folder: &Path) -> Result<Self, StoreError> {
        let mut held = Self::default();
        let processes = folder.join("processes");
        for place in entries(&processes)? {
            let failed = |action| StoreError::io(action, &place);
            let file = match File::open(&place) {
                // It ended in the meantime.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                opened => opened.map_err(failed("read"))?,
            };
            if try_flock(&file, FlockOperation::NonBlockingLockShared).map_err(failed("lock"))? {
                held.dead.push(place);
                continue;
            }
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let number = name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
            // Through what is open: a process that ends now takes its file away.
            let text = std::io::read_to_string(&file).map_err(failed("read"))?;
            let paths = text.lines().filter_map(|line| StorePath::parse(line).ok());
            held.roots.extend(paths.map(|path| Root { kind: RootKind::Process(number), path }));
            held.processes.insert(name);
        }
        Ok(held)
    }

    /// Whether no process lives that holds anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Whether a process that lives gave this name, made by [`Holder::new_name`], perhaps with `.new-` or `.old-` before.
    pub(crate) fn owns(&self, name: &str) -> bool {
        let name = name.strip_prefix(".new-").or_else(|| name.strip_prefix(".old-")).unwrap_or(name);
        name.rsplit_once('-').is_some_and(|(process, _)| self.processes.contains(process))
    }
}

/// The links that are roots, and what kept builds need.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) roots: BTreeSet<Root>,
    /// Links to results that aren't links to objects any more, and links that a crash left unfinished.
    pub(crate) stale: Vec<PathBuf>,
}

impl Links {
    pub(crate) fn read(store: &Store, held: &Held) -> Result<Self, StoreError> {
        let OwnLinks { roots, results, unfinished, idle: _ } = OwnLinks::read(store.folder())?;
        let is_owned = |place: &PathBuf| held.owns(&place.file_name().unwrap_or_default().to_string_lossy());
        let stale = unfinished.into_iter().filter(|place| !is_owned(place)).collect();
        let mut links = Self { roots, stale };
        for (place, target) in results {
            match std::fs::read_link(&target) {
                Ok(end) => match object_of(&end) {
                    Some(path) => {
                        links.roots.insert(Root { kind: RootKind::Result(target), path });
                    }
                    None => links.stale.push(place),
                },
                Err(error) if is_gone(&error) => links.stale.push(place),
                // What can't be read may point to anything: nothing is deleted then.
                Err(source) => return Err(StoreError::Root { place, target, source }),
            }
        }
        if store.require_writing().is_ok() {
            // Who may only read can't look there, and collects nothing.
            let kept = site::inputs_of_kept(store.folder())?.into_iter();
            links.roots.extend(kept.map(|(place, path)| Root { kind: RootKind::Failed(place), path }));
        }
        Ok(links)
    }
}

/// What lies in the store's own folder of roots.
#[derive(Debug, Default)]
struct OwnLinks {
    roots: BTreeSet<Root>,
    /// Links to links elsewhere, and where these are to be.
    results: Vec<(PathBuf, PathBuf)>,
    /// Links that are being made, or were when a process was killed.
    unfinished: Vec<PathBuf>,
    /// Links that lead to no object, and what isn't a link.
    idle: Vec<PathBuf>,
}

impl OwnLinks {
    fn read(folder: &Path) -> Result<Self, StoreError> {
        let mut links = Self::default();
        let roots = folder.join("roots");
        let results = roots.join("results");
        let mut folders = vec![roots];
        while let Some(folder) = folders.pop() {
            for place in entries(&folder)? {
                let failed = |action| StoreError::io(action, &place);
                let kind = match std::fs::symlink_metadata(&place) {
                    // Its owner took it away in the meantime.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    found => found.map_err(failed("read the root"))?.file_type(),
                };
                if place.file_name().is_some_and(|name| name.as_bytes().starts_with(b".new-")) {
                    links.unfinished.push(place);
                } else if kind.is_dir() {
                    folders.push(place);
                } else if kind.is_symlink() {
                    let target = match std::fs::read_link(&place) {
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                        found => found.map_err(failed("read the root"))?,
                    };
                    match object_of(&target) {
                        _ if folder == results => links.results.push((place, target)),
                        Some(path) => {
                            links.roots.insert(Root { kind: RootKind::Link(place), path });
                        }
                        None => links.idle.push(place),
                    }
                } else {
                    links.idle.push(place);
                }
            }
        }
        Ok(links)
    }
}

/// Not there, or not a link any more.
pub(crate) fn is_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidInput)
}

/// The object that a link's target lies in, wherever the store lies: its first component that is one's name.
fn object_of(target: &Path) -> Option<StorePath> {
    target.components().find_map(|part| StorePath::parse_base_name(part.as_os_str().to_str()?).ok())
}

/// What lies in a folder, in order. A folder that isn't there is empty.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = StoreError::io("read", folder);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?,
    };
    let mut places: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    places.sort();
    Ok(places)
}

impl Store {
    /// Holds the object at `path` until this process ends, and tells whether it is valid: if so, it stays so.
    pub fn hold(&self, path: &StorePath) -> Result<bool, StoreError> {
        let inside = self.holder().enter()?;
        inside.hold(path)?;
        Ok(self.database().is_valid(path)?)
    }

    /// The same, but for objects too that this process has placed and not settled.
    pub(crate) fn hold_placed(&self, path: &StorePath) -> Result<bool, StoreError> {
        Ok(self.is_known(path) || self.hold(path)?)
    }

    /// Finds what an output was realised to, and holds it.
    pub fn hold_realisation(
        &self,
        derivation: &StorePath,
        output: &str,
    ) -> Result<Option<StorePath>, StoreError> {
        let inside = self.holder().enter()?;
        let found = self.database().realisation(derivation, output)?;
        if let Some(path) = &found {
            inside.hold(path)?;
        }
        Ok(found)
    }

    /// Lets what this process becomes, or starts, hold what it holds.
    pub fn let_programs_hold(&self) -> Result<(), StoreError> {
        self.holder().let_inherit()
    }

    /// All roots, those of running processes first.
    pub fn roots(&self) -> Result<Vec<Root>, StoreError> {
        let held = Held::read(self.folder())?;
        let links = Links::read(self, &held)?;
        Ok(held.roots.into_iter().chain(links.roots).collect())
    }

    /// What lies in the store's folder of roots and keeps nothing: what is no link to an object, and links to objects that
    /// aren't valid.
    pub fn idle_roots(&self) -> Result<Vec<PathBuf>, StoreError> {
        let OwnLinks { roots, mut idle, .. } = OwnLinks::read(self.folder())?;
        for root in roots {
            if let RootKind::Link(place) = root.kind
                && !self.database().is_valid(&root.path)?
            {
                idle.push(place);
            }
        }
        idle.sort();
        Ok(idle)
    }

    /// Makes the link `name` in the store's folder of roots, in place of an older one. Hold `path` before.
    pub fn add_root(&self, name: &str, path: &StorePath) -> Result<(), StoreError> {
        let place = self.folder().join("roots").join(name);
        self.link(&self.location(path), &place)
    }

    /// Makes a link to an object at `place`, an absolute path, in place of an older link, and keeps the object for as
    /// long as the link points to it. Hold `path` before.
    pub fn add_result(&self, place: &Path, path: &StorePath) -> Result<(), StoreError> {
        match std::fs::symlink_metadata(place) {
            Ok(found) if !found.file_type().is_symlink() => {
                return Err(StoreError::NotALink { place: place.into() });
            }
            _ => {}
        }
        self.link(&self.location(path), place)?;
        let name = Digest::of(place.as_os_str().as_bytes()).to_string();
        self.link(place, &self.folder().join("roots/results").join(name))
    }

    /// Makes a link, in one step for whoever looks.
    fn link(&self, target: &Path, place: &Path) -> Result<(), StoreError> {
        let folder = place.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
        let mut name = OsStr::new(".new-").to_owned();
        name.push(self.holder().new_name()?);
        let new = folder.join(name);
        std::os::unix::fs::symlink(target, &new).map_err(StoreError::io("make the link", &new))?;
        std::fs::rename(&new, place).map_err(StoreError::io("make the link", place))
    }
}

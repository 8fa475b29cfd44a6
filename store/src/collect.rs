//! Deletes what nobody needs, beside processes that build. The protocol stands in [`crate::root`].
//!
//! Garbage is: objects that no root reaches; files of the store's folder without a row that nobody makes; what dead
//! processes left in `builds`, `locks`, `downloads`, `processes`, or beside the second record; logs of derivations that the store doesn't know and
//! nobody builds, such as of builds that failed, when they are old enough; layers of images whose first object isn't
//! needed; files that no object shares any more; links to results that aren't there any more.
//!
//! An object goes after all that refer to it, so that whatever stays has its references. Among those that may go, the
//! one that came in first goes first.

use crate::database::ObjectGraph;
use crate::lock::{Lock, try_flock};
use crate::object;
use crate::record;
use crate::reserve;
use crate::root::{Held, Links, Root, entries};
use crate::share;
use crate::step::Step;
use crate::store::{Store, StoreError};
use rustix::fs::FlockOperation;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use sx_derivation::StorePath;

/// What to collect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Collection {
    /// Only look.
    pub mode: Mode,
    /// No more objects when so much is freed, in bytes.
    pub max_freed_bytes: Option<u64>,
    /// Only objects that came into the store before.
    pub older_than: Option<SystemTime>,
    /// Of the logs of what isn't realised, as after a failed build, only those that were last written to before.
    pub logs_older_than: Option<SystemTime>,
}

/// Whether anything is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Yes.
    #[default]
    Delete,
    /// No: what would be deleted is told.
    DryRun,
}

/// What was collected, or would be.
#[derive(Debug, Default)]
pub struct Collected {
    /// Objects with their sizes in bytes, each before those that it refers to.
    pub objects: Vec<(StorePath, u64)>,
    /// Files that belonged to no object and no process, with their sizes in bytes.
    pub strays: Vec<(PathBuf, u64)>,
    /// Objects that are needed.
    pub alive: usize,
    /// What could not be deleted. It is garbage still.
    pub failures: Vec<(PathBuf, std::io::Error)>,
    /// Why the second record of realisations stays longer than it has to be, if it could not be written anew.
    pub record: Option<StoreError>,
}

impl Collected {
    /// Sum of the sizes in bytes.
    pub fn freed_bytes(&self) -> u64 {
        let objects = self.objects.iter().map(|(_, size)| size);
        objects.chain(self.strays.iter().map(|(_, size)| size)).sum()
    }
}

impl Store {
    /// Collects garbage. Waits while others look at what they need. Ends early when `cancelled` is set: a store is whole at every
    /// step.
    pub fn collect(&self, what: &Collection, cancelled: &AtomicBool) -> Result<Collected, StoreError> {
        let mut all = Collected::default();
        loop {
            let freed = all.objects.iter().map(|(_, size)| size).sum();
            let max_freed_bytes = what.max_freed_bytes.map(|most| most.saturating_sub(freed));
            let (some, part) = self.collect_some(&Collection { max_freed_bytes, ..*what }, cancelled)?;
            all.objects.extend(some.objects);
            all.strays.extend(some.strays);
            all.failures.extend(some.failures);
            all.alive = some.alive;
            all.record = some.record;
            if part == Part::All {
                break;
            }
        }
        if what.mode == Mode::Delete {
            reserve::make(self.folder());
        }
        Ok(all)
    }

    /// Collects as much as there is room on the disk to forget at once.
    fn collect_some(
        &self,
        what: &Collection,
        cancelled: &AtomicBool,
    ) -> Result<(Collected, Part), StoreError> {
        if what.mode == Mode::Delete {
            self.require_writing()?;
        }
        let gate = self.holder().enter_alone(cancelled)?;
        let held = Held::read(self.folder())?;
        let links = Links::read(self, &held)?;
        let graph = self.database().graph()?;
        let roots: BTreeSet<&StorePath> =
            held.roots.iter().chain(&links.roots).map(|root| &root.path).collect();
        let alive = alive(&graph, &roots);
        let mut strays = self.strays(&graph, &alive, &held, &roots, &links)?;
        strays.extend(self.stray_logs(what.logs_older_than)?);
        let mut collected =
            Collected { alive: alive.iter().filter(|alive| **alive).count(), ..Collected::default() };
        collected.objects = self.condemn(&graph, &alive, what)?;
        if what.mode == Mode::DryRun {
            let sized = |place: PathBuf| (place.clone(), size(&place));
            collected.strays.extend(strays.into_iter().map(sized));
            return Ok((collected, Part::All));
        }
        let (forgotten, part) = self.forget(&mut collected)?;
        let discarded = self.discard(&mut collected, strays, &forgotten)?;
        // Rows are gone by now: what they were of goes too, whatever this comes to, such as on a full disk.
        collected.record = record::shorten(self).err();
        // From here on nobody waits for us.
        drop(gate);
        // What is left of it when it is called off goes with the next collection.
        let goes_on = || !cancelled.load(Ordering::Relaxed);
        for Discarded { was, is, is_stray } in discarded.into_iter().take_while(|_| goes_on()) {
            if is_stray {
                collected.strays.push((was.clone(), size(&is)));
            }
            if let Err(error) = object::remove(&is) {
                collected.failures.push((was, error));
            }
            self.passed(Step::Deleted);
        }
        let links = self.folder().join("links");
        share::sweep(&links, |name| held.owns(name), goes_on).map_err(StoreError::io("sweep", &links))?;
        if goes_on() { Ok((collected, part)) } else { Err(StoreError::Interrupted) }
    }

    /// Files without a row that nobody makes.
    fn strays(
        &self,
        graph: &ObjectGraph,
        alive: &[bool],
        held: &Held,
        roots: &BTreeSet<&StorePath>,
        links: &Links,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let mut strays: Vec<PathBuf> = links.stale.iter().chain(&held.dead).cloned().collect();
        let objects: BTreeSet<&StorePath> = graph.objects.iter().map(|(path, _)| path).collect();
        let is_unfinished = |place: &PathBuf| name(place).starts_with(".new-") && !held.owns(&name(place));
        strays.extend(entries(self.folder())?.into_iter().filter(is_unfinished));
        for place in entries(&self.folder().join("store"))? {
            let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_kept = if name.starts_with(".new-") || name.starts_with(".old-") {
                held.owns(name)
            } else {
                // What is no name of ours isn't ours to delete; `sx store verify` tells of it.
                StorePath::parse_base_name(name)
                    .map_or(true, |path| roots.contains(&path) || objects.contains(&path))
            };
            if !is_kept {
                strays.push(place);
            }
        }
        strays.extend(
            entries(&self.folder().join("builds"))?.into_iter().filter(|place| !held.owns(&name(place))),
        );
        for place in entries(&self.folder().join("downloads"))? {
            if is_unlocked(&place)? {
                strays.push(place);
            }
        }
        for place in entries(&self.folder().join("locks"))? {
            if is_unlocked(&place)? {
                strays.push(place);
            }
        }
        // Kept layers of images are named by the digest of an object in them; new ones are locked.
        let needed = graph.objects.iter().zip(alive).filter(|(_, alive)| **alive);
        let needed: BTreeSet<String> = needed.map(|((path, _), _)| path.digest().to_string()).collect();
        for place in entries(&self.folder().join("layers"))? {
            let name = name(&place);
            let is_kept = match name.starts_with(".new-") {
                true => !is_unlocked(&place)?,
                false => needed.contains(name.split('-').next().unwrap_or_default()),
            };
            if !is_kept {
                strays.push(place);
            }
        }
        Ok(strays)
    }

    /// Logs of derivations that aren't realised and that nobody builds.
    fn stray_logs(&self, older_than: Option<SystemTime>) -> Result<Vec<PathBuf>, StoreError> {
        let known: BTreeSet<String> =
            self.database().derivations()?.iter().map(|path| path.digest().to_string()).collect();
        let mut strays = Vec::new();
        for place in entries(&self.folder().join("logs"))? {
            let written = || std::fs::symlink_metadata(&place).and_then(|found| found.modified());
            // What can't be told, nobody can read.
            let is_old = older_than.is_none_or(|limit| written().map_or(true, |written| written < limit));
            let lock = self.folder().join("locks").join(name(&place));
            if is_old && !known.contains(&name(&place)) && (!lock.exists() || is_unlocked(&lock)?) {
                strays.push(place);
            }
        }
        Ok(strays)
    }

    /// Chooses among what isn't alive: referrers before what they refer to, then the oldest first.
    fn condemn(
        &self,
        graph: &ObjectGraph,
        alive: &[bool],
        what: &Collection,
    ) -> Result<Vec<(StorePath, u64)>, StoreError> {
        let mut referrers = vec![0usize; graph.objects.len()];
        let mut references: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &(referrer, reference) in graph.references.iter().filter(|(referrer, _)| !alive[*referrer]) {
            referrers[reference] += 1;
            references.entry(referrer).or_default().push(reference);
        }
        let mut ready = BinaryHeap::new();
        let add = |number: usize, ready: &mut BinaryHeap<Reverse<(SystemTime, usize)>>| {
            let since = came_in(&self.location(&graph.objects[number].0));
            // What refers to it is gone or going, but it came in too lately itself.
            if what.older_than.is_none_or(|limit| since < limit) {
                ready.push(Reverse((since, number)));
            }
        };
        for number in (0..alive.len()).filter(|&number| !alive[number] && referrers[number] == 0) {
            add(number, &mut ready);
        }
        let (mut condemned, mut freed) = (Vec::new(), 0);
        while let Some(Reverse((_, number))) = ready.pop() {
            if what.max_freed_bytes.is_some_and(|most| freed >= most) {
                break;
            }
            let (path, size) = &graph.objects[number];
            freed += size;
            condemned.push((path.clone(), *size));
            for &reference in references.get(&number).into_iter().flatten() {
                referrers[reference] -= 1;
                if referrers[reference] == 0 && !alive[reference] {
                    add(reference, &mut ready);
                }
            }
        }
        Ok(condemned)
    }

    /// Takes the rows away: on a full disk of the first objects only, for which there is room. Gives the derivations that are
    /// forgotten with them.
    fn forget(&self, collected: &mut Collected) -> Result<(Vec<StorePath>, Part), StoreError> {
        let mut part = Part::All;
        let forgotten = loop {
            match self.database().invalidate(collected.objects.iter().map(|(path, _)| path)) {
                Err(error) if error.is_full() => {
                    if !reserve::give_up(self.folder()) {
                        if collected.objects.len() < 2 {
                            return Err(error.into());
                        }
                        collected.objects.truncate(collected.objects.len() / 2);
                        part = Part::Some;
                    }
                }
                forgotten => break forgotten?,
            }
        };
        self.passed(Step::Invalidated);
        Ok((forgotten, part))
    }

    /// Takes the names away.
    fn discard(
        &self,
        collected: &mut Collected,
        strays: Vec<PathBuf>,
        forgotten: &[StorePath],
    ) -> Result<Vec<Discarded>, StoreError> {
        let [store, builds, locks, downloads] =
            ["store", "builds", "locks", "downloads"].map(|name| self.folder().join(name));
        let objects: Vec<PathBuf> = collected.objects.iter().map(|(path, _)| self.location(path)).collect();
        let logs = forgotten.iter().map(|derivation| self.log(derivation)).filter(|log| log.exists());
        let strays = strays.into_iter().chain(logs).map(|place| (place, true));
        let mut discarded = Vec::new();
        for (was, is_stray) in objects.into_iter().map(|place| (place, false)).chain(strays) {
            let parent = was.parent().unwrap_or(Path::new("/"));
            let is = parent.join(format!(".old-{}", self.holder().new_name()?));
            let renamed = match parent == store || parent == builds {
                true => std::fs::rename(&was, &is).map(|()| true),
                false => Ok(false),
            };
            let done = match renamed {
                Ok(true) => {
                    discarded.push(Discarded { was: was.clone(), is, is_stray });
                    Ok(())
                }
                Err(error) if !is_about_room(&error) => Err(error),
                // Not even a new name finds room on a full disk.
                Ok(false) | Err(_) => {
                    let size = size(&was);
                    let removed = if parent == locks || parent == downloads {
                        // Deleted while it is held: whoever opened it before sees that it is gone.
                        Lock::try_take(&was).map(drop)
                    } else {
                        object::remove(&was)
                    };
                    removed.map(|()| collected.strays.extend(is_stray.then(|| (was.clone(), size))))
                }
            };
            match done {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    collected.failures.push((was, error));
                }
                _ => self.passed(Step::Discarded),
            }
        }
        Ok(discarded)
    }

    /// For each root that keeps `path` alive, the shortest chain of references from the root's object to it.
    pub fn why_alive(&self, path: &StorePath) -> Result<Vec<(Root, Vec<StorePath>)>, StoreError> {
        // Backwards from the object, once for all roots: what each reaches it by.
        let mut reaches_by: BTreeMap<StorePath, Option<StorePath>> = BTreeMap::from([(path.clone(), None)]);
        let mut open = VecDeque::from([path.clone()]);
        while let Some(path) = open.pop_front() {
            for referrer in self.database().referrers(&path)? {
                if !reaches_by.contains_key(&referrer) {
                    reaches_by.insert(referrer.clone(), Some(path.clone()));
                    open.push_back(referrer);
                }
            }
        }
        let roots = self.roots()?.into_iter().filter(|root| reaches_by.contains_key(&root.path));
        let chain = |root: Root| {
            let next = |path: &StorePath| reaches_by.get(path).cloned().flatten();
            let chain = std::iter::successors(Some(root.path.clone()), next).collect();
            (root, chain)
        };
        Ok(roots.map(chain).collect())
    }

    /// The shortest chain of references from `from` to `to`, both included; `None` if there is none.
    pub fn why_depends(
        &self,
        from: &StorePath,
        to: &StorePath,
    ) -> Result<Option<Vec<StorePath>>, StoreError> {
        let mut came_from: BTreeMap<StorePath, Option<StorePath>> = BTreeMap::from([(from.clone(), None)]);
        let mut open = VecDeque::from([from.clone()]);
        while let Some(path) = open.pop_front() {
            if path == *to {
                let mut chain = vec![path];
                while let Some(Some(before)) = chain.last().and_then(|last| came_from.get(last)) {
                    chain.push(before.clone());
                }
                chain.reverse();
                return Ok(Some(chain));
            }
            for reference in self.database().references(&path)? {
                if !came_from.contains_key(&reference) {
                    came_from.insert(reference.clone(), Some(path.clone()));
                    open.push_back(reference);
                }
            }
        }
        Ok(None)
    }
}

/// How much of the garbage went at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Some,
}

/// Something that lost its name and waits for its end.
struct Discarded {
    was: PathBuf,
    is: PathBuf,
    is_stray: bool,
}

/// For each object, whether a root reaches it.
fn alive(graph: &ObjectGraph, roots: &BTreeSet<&StorePath>) -> Vec<bool> {
    let mut references = vec![Vec::new(); graph.objects.len()];
    for &(referrer, reference) in &graph.references {
        references[referrer].push(reference);
    }
    let mut alive = vec![false; graph.objects.len()];
    let is_root = |(number, (path, _)): (usize, &(StorePath, u64))| roots.contains(path).then_some(number);
    let mut open: Vec<usize> = graph.objects.iter().enumerate().filter_map(is_root).collect();
    while let Some(number) = open.pop() {
        if !std::mem::replace(&mut alive[number], true) {
            open.extend(&references[number]);
        }
    }
    alive
}

/// When a file got its name or its mode: for an object, when it came into the store. Long ago if it can't be told.
fn came_in(place: &Path) -> SystemTime {
    let Ok(found) = std::fs::symlink_metadata(place) else { return SystemTime::UNIX_EPOCH };
    SystemTime::UNIX_EPOCH + Duration::from_secs(found.ctime().unsigned_abs())
}

fn is_about_room(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Whether nobody holds the lock on a file.
fn is_unlocked(place: &Path) -> Result<bool, StoreError> {
    match File::open(place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        opened => opened
            .and_then(|file| try_flock(&file, FlockOperation::NonBlockingLockExclusive))
            .map_err(StoreError::io("lock", place)),
    }
}

fn name(place: &Path) -> String {
    place.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Sum of the lengths of the files below, in bytes, as far as they can be read.
fn size(place: &Path) -> u64 {
    let (mut sum, mut open) = (0, vec![place.to_owned()]);
    while let Some(place) = open.pop() {
        let Ok(found) = std::fs::symlink_metadata(&place) else { continue };
        if found.is_dir() {
            open.extend(std::fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else {
            sum += found.len();
        }
    }
    sum
}

//! Mends what [`Store::verify`] found: modes and times in place, rows from files, files from a copy or by building again.

use crate::build;
use crate::database::{Database, Object, Said};
use crate::folder::make_folders;
use crate::inspect::{make_canonical, remove_attribute, set_owner};
use crate::object::{self, join};
use crate::realise::{Event, Failure, Realiser};
use crate::record::{self, Realisation};
use crate::root::{Held, entries};
use crate::scan::Wanted;
use crate::store::{Store, StoreError, digest_texts};
use crate::verify::Damage;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use sx_derivation::{Derivation, StorePath};

/// What is to be done about a damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is set right where it is.
    InPlace,
    /// The object is taken from the copy, if it is whole there.
    Copy,
    /// The object is built again by this derivation.
    Build(StorePath),
    /// Nothing can be done here: the store knows no derivation that makes the object.
    Unmade,
    /// It is for others to take away what they put there.
    Foreign,
}

/// What SQLite appends to a database's name.
const ENDINGS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

impl Store {
    /// Does what [`recover`](Self::recover) does if the database in `folder` is damaged; `None` if it isn't. Without the folder of
    /// the objects no store can be opened: it is made, and [`verify`](Self::verify) tells what was in it.
    pub fn recover_if_damaged(folder: &Path) -> Result<Option<(usize, Option<PathBuf>)>, StoreError> {
        let opened = match Self::open_existing(folder) {
            Err(StoreError::NoObjects { .. }) => {
                make_folders(folder)?;
                Self::open_existing(folder)
            }
            opened => opened,
        };
        let audit = opened.and_then(|store| Ok(store.database().audit()?));
        let is_damaged = match audit {
            Ok(audit) => !audit.faults.is_empty(),
            Err(StoreError::Database(error)) if error.is_damage() => true,
            Err(StoreError::Missing { .. }) => false,
            Err(error) => return Err(error),
        };
        if !is_damaged {
            return Ok(None);
        }
        Self::recover(folder).map(|(_, count, aside)| Some((count, aside)))
    }

    /// Opens a store whose database can't be read any more: makes a new one from the objects, each of which proves its own
    /// path, and what derivations were realised to from the second record of it. Gives the store, how many objects it found,
    /// and where the old database is, if there was one.
    ///
    /// Fails if another process has the store open.
    pub fn recover(folder: &Path) -> Result<(Self, usize, Option<PathBuf>), StoreError> {
        if !Held::read(folder)?.is_empty() {
            return Err(StoreError::InUse { folder: folder.into() });
        }
        // Beside the old one until it is whole: to a collector, an object without a row is garbage.
        let new = folder.join("database.new");
        for ending in ENDINGS {
            let left = with_ending(&new, ending);
            match std::fs::remove_file(&left) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(StoreError::io("remove", &left))?,
            }
        }
        make_folders(folder)?;
        let store = Self::with_database(folder, Database::open(&new)?, None);
        let count = store.fill_database()?;
        store.database().gather()?;
        drop(store);
        let aside = put_in_place(folder, &new, |from, to| std::fs::rename(from, to))?;
        Ok((Self::open(folder)?, count, aside))
    }

    /// Writes the rows of all objects into a database that has none. Gives the number of those that prove themselves.
    fn fill_database(&self) -> Result<usize, StoreError> {
        let folder = self.folder();
        let mut found = BTreeSet::new();
        for place in entries(&folder.join("store"))? {
            let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            found.extend(StorePath::parse_base_name(name));
        }
        let restored = self.restore_rows(&found, &found)?;
        let record = record::read(folder)?;
        let is_there = |(_, object): &(_, StorePath)| restored.contains(object);
        let realisations: Vec<Realisation> = record
            .realisations
            .into_iter()
            .filter(is_there)
            .map(|((derivation, output), object)| (derivation, output, object))
            .collect();
        let realised: BTreeSet<&StorePath> = realisations.iter().map(|(derivation, ..)| derivation).collect();
        let is_known = |(path, _): &(StorePath, Vec<u8>)| realised.contains(path);
        let derivations: Vec<_> = record.derivations.into_iter().filter(is_known).collect();
        self.database().register(&[], &Said { realisations, derivations, ..Said::default() })?;
        Ok(restored.len())
    }

    /// What [`repair`](Self::repair) and [`Realiser::rebuild`] would do about each damage.
    pub fn remedies(&self, damage: &[Damage], copy: Option<&Path>) -> Vec<Remedy> {
        let lost: BTreeSet<&StorePath> = damage.iter().filter_map(Damage::lost).collect();
        let of_lost = |path: &StorePath| {
            let has_copy = |copy: &Path| copy.join("store").join(path.base_name()).symlink_metadata().is_ok();
            if copy.is_some_and(has_copy) {
                return Remedy::Copy;
            }
            // If the database can't tell, nothing will be built.
            let maker = self.makers(path).unwrap_or_default().into_iter().next();
            maker.map_or(Remedy::Unmade, |(derivation, _)| Remedy::Build(derivation))
        };
        let of_one = |damage: &Damage| match damage.object().filter(|path| lost.contains(path)) {
            Some(path) => of_lost(path),
            None if matches!(damage, Damage::Foreign(_) | Damage::IdleRoot(_)) => Remedy::Foreign,
            None => Remedy::InPlace,
        };
        damage.iter().map(of_one).collect()
    }

    /// The derivations by which the object at `path` can be built again.
    fn makers(&self, path: &StorePath) -> Result<Vec<(StorePath, Derivation)>, StoreError> {
        let mut makers = Vec::new();
        for (maker, _) in self.database().makers(path)? {
            let derivation = self.database().derivation(&maker)?;
            // One that isn't resolved is kept beside one that is.
            let resolved = derivation.filter(|found| found.input_derivations.is_empty());
            makers.extend(resolved.map(|derivation| (maker, derivation)));
        }
        Ok(makers)
    }

    /// Mends what can be mended without a build; `copy` is the folder of a store with the same objects. Verify again to
    /// see what is left. An object with other contents than it came in with keeps its modes and times, which are the cheapest sign of
    /// that.
    pub fn repair(&self, damage: &[Damage], copy: Option<&Path>) -> Result<(), StoreError> {
        let mut wrong_rows = BTreeSet::new();
        let mut lost = BTreeSet::new();
        let mut suspects: BTreeMap<&StorePath, Vec<&Damage>> = BTreeMap::new();
        let mut is_record_wrong = false;
        for damage in damage {
            match damage {
                Damage::Mode { path, .. }
                | Damage::Time { path, .. }
                | Damage::Owner { path, .. }
                | Damage::Attribute { path, .. }
                | Damage::Size { path, .. } => suspects.entry(path).or_default().push(damage),
                Damage::PlaceOwner { place, expected, .. } => {
                    set_owner(place, *expected).map_err(StoreError::io("set the owner of", place))?;
                }
                Damage::PlaceMode { place, mode, most } => {
                    std::fs::set_permissions(place, Permissions::from_mode(mode & most))
                        .map_err(StoreError::io("set the mode of", place))?;
                }
                Damage::NoPlace(_) => make_folders(self.folder())?,
                Damage::Record { .. } => is_record_wrong = true,
                Damage::Contradiction { derivation, output, .. } => {
                    // Neither can be believed: it is realised again.
                    self.database().forget_realisation(derivation, output)?;
                    is_record_wrong = true;
                }
                Damage::Row(path) | Damage::NoRow(path) => {
                    wrong_rows.insert(path.clone());
                }
                Damage::Name(text) => self.database().forget(text)?,
                Damage::Derivation(path) => self.database().forget(&path.to_string())?,
                _ => lost.extend(damage.lost().cloned()),
            }
        }
        let known: BTreeSet<StorePath> =
            self.database().paths()?.into_iter().chain(wrong_rows.clone()).collect();
        let restored = self.restore_rows(&wrong_rows, &known)?;
        for path in wrong_rows.iter().filter(|path| !restored.contains(path)) {
            // Neither row nor files can be believed: what was realised to it is built again.
            self.database().forget(&path.to_string())?;
        }
        for (path, faults) in suspects {
            self.set_right(path, &faults)?;
        }
        if let Some(copy) = copy {
            for path in lost {
                self.copy_from(&copy.join("store").join(path.base_name()), &path)?;
            }
        }
        if is_record_wrong {
            let _alone = self.holder().enter_alone(&AtomicBool::new(false))?;
            record::rewrite(self)?;
        }
        Ok(())
    }

    /// Mends what surrounds an object's contents, if these are whole.
    fn set_right(&self, path: &StorePath, faults: &[&Damage]) -> Result<(), StoreError> {
        let Some(object) = self.database().object(path)? else { return Ok(()) };
        let location = self.location(path);
        object::make_readable(&location).map_err(StoreError::io("set modes of", &location))?;
        let contents = match object::read(&location, &Wanted::of(path, &Arc::default()), None, object::NEVER)
        {
            Ok(contents) if contents.tree == object.tree => contents,
            _ => return Ok(()),
        };
        for fault in faults {
            match fault {
                Damage::Owner { file, expected, .. } => {
                    let place = join(&location, file);
                    set_owner(&place, *expected).map_err(StoreError::io("set the owner of", &place))?;
                }
                Damage::Attribute { file, name, .. } => {
                    let removed = remove_attribute(&location, file, name);
                    removed.map_err(StoreError::io("remove attributes of", &location))?;
                }
                _ => {}
            }
        }
        let is_size = |fault: &&Damage| matches!(fault, Damage::Size { .. });
        if !faults.iter().all(is_size) {
            make_canonical(&location).map_err(StoreError::io("set modes of", &location))?;
        }
        if faults.iter().any(is_size) {
            self.database().restore(&[Object { size_bytes: contents.size_bytes, ..object }])?;
        }
        Ok(())
    }

    /// Makes rows from files, where these prove their paths. What they refer to is looked for among `known`.
    fn restore_rows(
        &self,
        paths: &BTreeSet<StorePath>,
        known: &BTreeSet<StorePath>,
    ) -> Result<BTreeSet<StorePath>, StoreError> {
        let texts = digest_texts(known);
        let looked_for = Arc::new(texts.keys().copied().collect());
        let mut objects = BTreeMap::new();
        for path in paths {
            let wanted = Wanted::of(path, &looked_for);
            let Ok(contents) = object::read(&self.location(path), &wanted, None, object::NEVER) else {
                continue;
            };
            let references: BTreeSet<StorePath> =
                contents.references.keys().map(|text| texts[text].clone()).collect();
            if contents.store_path(path.name(), &references).as_ref() == Ok(path) {
                let object = Object {
                    path: path.clone(),
                    tree: contents.tree,
                    size_bytes: contents.size_bytes,
                    refers_to_itself: contents.refers_to_itself(),
                    references,
                };
                objects.insert(path.clone(), object);
            }
        }
        // An object of which a reference is lost is lost too, until that is made again.
        loop {
            let is_lost = |reference: &StorePath| {
                !objects.contains_key(reference) && !matches!(self.database().is_valid(reference), Ok(true))
            };
            let lost: Vec<StorePath> = objects
                .values()
                .filter(|object| object.references.iter().any(is_lost))
                .map(|object| object.path.clone())
                .collect();
            if lost.is_empty() {
                break;
            }
            objects.retain(|path, _| !lost.contains(path));
        }
        let restored: BTreeSet<StorePath> = objects.keys().cloned().collect();
        let objects: Vec<Object> = objects.into_values().collect();
        self.database().restore(&objects)?;
        Ok(restored)
    }

    /// Takes the object at `path` from a copy of it, if that is whole.
    fn copy_from(&self, copy: &Path, path: &StorePath) -> Result<(), StoreError> {
        let Some(object) = self.database().object(path)? else { return Ok(()) };
        if std::fs::symlink_metadata(copy).is_err() {
            return Ok(());
        }
        let wanted = Wanted::of(path, &Arc::default());
        let new = self.copy_in(copy, &wanted, None, object::NEVER)?;
        if new.contents().tree == object.tree {
            self.move_in(&new, path)?;
            self.make_durable(&[(self.location(path), new.contents().files)])?;
        }
        Ok(())
    }
}

impl Realiser<'_> {
    /// Builds damaged objects again, each after those among them that its build needs, and puts them in place of what is
    /// there. Gives those that could not be made, and why.
    pub fn rebuild(&self, damaged: &BTreeSet<StorePath>) -> Vec<(StorePath, Failure)> {
        self.store.lock_damaged().extend(damaged.iter().cloned());
        // Several of them may be outputs of one derivation.
        let makers = damaged.iter().filter_map(|path| self.store.makers(path).ok()?.into_iter().next());
        let planned: BTreeSet<StorePath> = makers.map(|(derivation, _)| derivation).collect();
        (self.events)(Event::Planned(planned.len()));
        let mut failures = BTreeMap::new();
        loop {
            let left = self.store.lock_damaged().clone();
            let mut progress = false;
            for path in &left {
                if !self.store.lock_damaged().contains(path) {
                    // Another output of what was built for one before.
                    continue;
                }
                match self.rebuild_one(path) {
                    Ok(()) => progress = true,
                    Err(failure) => drop(failures.insert(path.clone(), failure)),
                }
            }
            if !progress {
                break;
            }
            failures.clear();
        }
        self.store.lock_damaged().clear();
        failures.into_iter().collect()
    }

    fn rebuild_one(&self, damaged: &StorePath) -> Result<(), Failure> {
        let mut failure = Failure::NoMaker;
        for (path, derivation) in self.store.makers(damaged)? {
            let closure = self.store.closure(&derivation.input_sources)?;
            let needed = closure.into_iter().find(|input| self.store.lock_damaged().contains(input));
            if let Some(input) = needed {
                failure = Failure::DamagedInput(input);
                continue;
            }
            let _lock = self.lock(&path, &path)?;
            (self.events)(Event::Started(&path));
            let built = build::build(self, &derivation, &path, &path);
            let settled = built.and_then(|(outputs, unsettled)| {
                self.store.settle(unsettled)?;
                Ok(outputs)
            });
            match settled {
                Ok(_) if !self.store.lock_damaged().contains(damaged) => {
                    (self.events)(Event::Finished { derivation: &path, built: true });
                    return Ok(());
                }
                Ok(outputs) => failure = Failure::OtherContents(outputs.into_values().collect()),
                Err(error) => failure = error,
            }
            (self.events)(Event::Failed(&path));
        }
        Err(failure)
    }
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Puts a new database in place of the old one, which is moved aside. Gives where that is, if there was one. `rename` is
/// [`std::fs::rename`]. A crash on the way leaves a store without a database, which is told and mended as any that lost it.
fn put_in_place(
    folder: &Path,
    new: &Path,
    mut rename: impl FnMut(&Path, &Path) -> std::io::Result<()>,
) -> Result<Option<PathBuf>, StoreError> {
    let file = folder.join("database");
    let aside = (0..).map(|number| folder.join(format!("database.damaged-{number}")));
    let aside = aside.into_iter().find(|place| !place.exists()).expect("some number is free");
    let mut was_there = false;
    // The file itself first: without the log beside it, it would be taken for a whole one that lacks what was written last.
    for ending in ENDINGS {
        let from = with_ending(&file, ending);
        match rename(&from, &with_ending(&aside, ending)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            moved => {
                moved.map_err(StoreError::io("move aside", &from))?;
                was_there |= ending.is_empty();
            }
        }
    }
    rename(new, &file).map_err(StoreError::io("move into place", &file))?;
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(StoreError::io("make durable", folder))?;
    Ok(was_there.then_some(aside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Depth;
    use std::fs;

    /// A store with a text that stands in the database's log alone, as one leaves it who is killed.
    fn killed(folder: &Path) -> StorePath {
        Store::open(folder).unwrap().add_text("first", b"first", BTreeSet::new()).unwrap();
        let store = Store::open(folder).unwrap();
        let text = store.add_text("text", b"text", BTreeSet::new()).unwrap();
        let copies = ENDINGS.map(|ending| {
            let file = with_ending(&folder.join("database"), ending);
            (fs::read(&file).ok(), file)
        });
        drop(store);
        for (bytes, file) in copies {
            bytes.into_iter().for_each(|bytes| fs::write(&file, bytes).unwrap());
        }
        text
    }

    #[test]
    fn a_recovery_that_ends_at_any_rename_is_done_again() {
        for most in 0.. {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("sx");
            let text = killed(&folder);
            let (new, mut count) = (folder.join("database.new"), 0);
            drop(Database::open(&new).unwrap());
            let put = put_in_place(&folder, &new, |from, to| {
                if count == most {
                    return Err(std::io::ErrorKind::Interrupted.into());
                }
                count += 1;
                fs::rename(from, to)
            });
            Store::recover_if_damaged(&folder).unwrap();
            let store = Store::open_existing(&folder).unwrap();
            let never = AtomicBool::new(false);
            let verification = store.verify(Depth::Contents, 1, &never).unwrap();
            assert_eq!(verification.damage, [], "after {most} renames");
            // The new one is empty here, where a real recovery's has the text.
            assert_eq!(store.database().is_valid(&text).unwrap(), put.is_err(), "after {most} renames");
            if put.is_ok() {
                break;
            }
        }
    }
}

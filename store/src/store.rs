//! A store's folder.
//!
//! ```text
//! FOLDER/
//!   store/<digest>-<name>     objects, read-only, seen at /sx/store/ inside sandboxes
//!   store/.new-…              objects on their way in
//!   store/.old-…              objects on their way out
//!   links/…                   files of objects by their contents, see crate::share
//!   database                  SQLite, see crate::database
//!   realisations              some of that once more, see crate::record
//!   .new-…                    the same on its way in
//!   reserved                  room for a collector on a full disk, see crate::reserve
//!   builds/…                  sandboxes of running builds, mode 0700
//!   failed/<name>-<number>    sandboxes of failed builds that were to be kept
//!   logs/<digest>             what the builder of the derivation with that digest printed
//!   locks/<digest>            held by the process that makes the path with that digest
//!   downloads/                sources on their way in, each locked by who fetches it
//!   gate, processes/, roots/  what keeps objects from being collected, see crate::root
//! ```

use crate::database::{Database, DatabaseError, Object, Said};
use crate::folder::{Content, make_folders, require_folder};
use crate::lock::{Gate, Lock};
use crate::object::{self, CalledOff, Contents, Copied, Destination, Filter, NEVER, ObjectError};
use crate::record;
use crate::reserve;
use crate::root::Holder;
use crate::scan::{DigestText, Wanted};
use crate::share::Sharing;
use crate::step::{Observer, Step};
use rustix::fs::{Access, CWD, RenameFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use sx_derivation::store_path::StorePathError;
use sx_derivation::{Digest, StorePath};

/// An open store. Threads share it; processes open the same folder side by side.
pub struct Store {
    folder: PathBuf,
    database: Database,
    holder: Holder,
    observer: Observer,
    /// Valid objects whose files are damaged: whoever makes one puts it in the old one's place.
    damaged: Mutex<BTreeSet<StorePath>>,
    /// Objects that are kept for this process because it placed them or had them in view.
    known: Mutex<BTreeMap<StorePath, Known>>,
    /// More are settled.
    settled: Condvar,
}

/// What this process knows of an object.
#[derive(Debug)]
pub(crate) struct Known {
    /// What it refers to, which its path tells: it never changes.
    references: BTreeSet<StorePath>,
    /// If not, it was placed and is about to be.
    is_settled: bool,
}

/// What can't be done with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A tree can't become an object.
    #[error(transparent)]
    Object(ObjectError),
    /// A name can't be a store path's.
    #[error(transparent)]
    StorePath(#[from] StorePathError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// There is no store.
    #[error("there is no store at `{folder}`")]
    Missing {
        /// The folder, which isn't there or is empty.
        folder: PathBuf,
    },
    /// The folder is in use for something else.
    #[error("`{folder}` is not an sx store: it holds `{holds}`")]
    NotAStore {
        /// The folder.
        folder: PathBuf,
        /// Something in it that isn't a store's.
        holds: PathBuf,
    },
    /// A link elsewhere that is a root may point to anything.
    #[error("cannot read where the root `{target}` points to")]
    Root {
        /// The store's own link to it.
        place: PathBuf,
        /// Where it is.
        target: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What lies there is no folder.
    #[error("`{folder}` {found}, expected the folder of a store")]
    NotAFolder {
        /// Where it was to be.
        folder: PathBuf,
        /// What is wrong with it.
        found: &'static str,
    },
    /// What is no link of ours isn't replaced by one.
    #[error("`{place}` is there already and is no link, so it is not replaced by one")]
    NotALink {
        /// Where the link was to be.
        place: PathBuf,
    },
    /// A valid object isn't what it was.
    #[error("`{path}` is damaged: it has a tree with digest {found}, it came in with {expected}")]
    Damaged {
        /// The object.
        path: StorePath,
        /// The digest of its tree.
        found: Digest,
        /// What its row says.
        expected: Digest,
    },
    /// Somebody deleted the folder of the objects.
    #[error("the store's folder `{folder}` is missing, and with it all objects")]
    NoObjects {
        /// The folder.
        folder: PathBuf,
    },
    /// What needs the store for itself alone can't be done.
    #[error("the store `{folder}` is in use by another process")]
    InUse {
        /// The store.
        folder: PathBuf,
    },
    /// A wait for another process, or the way through a tree, was called off.
    #[error("it was interrupted")]
    Interrupted,
}

impl From<ObjectError> for StoreError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::CalledOff => Self::Interrupted,
            error => Self::Object(error),
        }
    }
}

impl StoreError {
    /// For `map_err`: names the action and the path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }
}

impl Store {
    /// Opens the store in `folder`, an absolute path, and makes it if nothing is there. What is there otherwise and has no
    /// database of a store is left as it is. One that can't be written is opened all the same, to be read: whatever would write
    /// fails.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self::open_if(folder, |content| matches!(content, Content::Nothing | Content::Begun))?;
        if store.require_writing().is_ok() {
            reserve::make(folder);
        }
        Ok(store)
    }

    /// Opens the store in `folder`, an absolute path, which has to be there.
    pub fn open_existing(folder: &Path) -> Result<Self, StoreError> {
        Self::open_if(folder, |content| *content == Content::Begun)
    }

    /// This store, to be written too where a full disk let it only be read and room is kept for a collector: that is given up.
    /// Others still wait for the database: the file by which processes share it, mapped on a full disk, would end this one.
    pub fn with_reserved_room(mut self) -> Self {
        if self.holder.refusal() == Some(Errno::NOSPC) && reserve::give_up(&self.folder) {
            self.holder = Holder::new(&self.folder, None);
        }
        self
    }

    /// Opens the store in `folder`, and makes it if nothing but what `makes` accepts is there.
    fn open_if(folder: &Path, makes: impl FnOnce(&Content) -> bool) -> Result<Self, StoreError> {
        let mut refusal = match rustix::fs::access(folder, Access::WRITE_OK) {
            Ok(()) | Err(Errno::NOENT) => None,
            Err(refusal) => Some(refusal),
        };
        let file = folder.join("database");
        let may_write = refusal.is_none();
        let find = || match may_write {
            true => Database::find(&file),
            false => Database::find_to_read(&file),
        };
        let database = match find() {
            Ok(Some(database)) => database,
            Err(error) if error.is_full() && may_write => {
                refusal = Some(Errno::NOSPC);
                Database::find_alone(&file)?.ok_or(error)?
            }
            _ => {
                // Another process may be making it now. What it puts there comes after the database, so that is looked for
                // once more after everything else.
                require_folder(folder)?;
                let content = Content::of(folder)?;
                match (find(), content) {
                    (Ok(Some(database)), _) => database,
                    (Ok(None), content) if makes(&content) => {
                        make_folders(folder)?;
                        Database::open(&file)?
                    }
                    (Ok(None), Content::Nothing | Content::Begun) => {
                        return Err(StoreError::Missing { folder: folder.into() });
                    }
                    (Ok(None), Content::Store) => {
                        let found = if file.exists() { "is empty" } else { "is missing" };
                        return Err(DatabaseError::Lost { path: file, found }.into());
                    }
                    (Ok(None), Content::Foreign(holds)) => return Err(not_a_store(folder, holds)),
                    (Err(error), Content::Nothing | Content::Foreign(_)) if error.is_damage() => {
                        return Err(not_a_store(folder, "database".into()));
                    }
                    (Err(error), _) => return Err(error.into()),
                }
            }
        };
        if refusal.is_none() {
            complete(folder)?;
        }
        Ok(Self::with_database(folder, database, refusal))
    }

    /// The store in `folder` with this database; `refusal` says why nothing can be written, if so.
    pub(crate) fn with_database(folder: &Path, database: Database, refusal: Option<Errno>) -> Self {
        Self {
            folder: folder.into(),
            database,
            holder: Holder::new(folder, refusal),
            observer: Box::new(|_| {}),
            damaged: Mutex::default(),
            known: Mutex::default(),
            settled: Condvar::new(),
        }
    }

    /// Fails if the store was only opened to be read, with why: for who would find out late.
    pub fn require_writing(&self) -> Result<(), StoreError> {
        self.holder.require_writing()
    }

    /// Has `observer` told of every [`Step`] from now on.
    pub fn observe(&mut self, observer: impl Fn(Step) + Send + Sync + 'static) {
        self.observer = Box::new(observer);
    }

    pub(crate) fn passed(&self, step: Step) {
        (self.observer)(step);
    }

    pub(crate) const fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Where the object at `path` lies, if it is valid.
    pub fn location(&self, path: &StorePath) -> PathBuf {
        self.objects().join(path.base_name())
    }

    /// Whether anything lies where the object at `path` does if it is valid: what is valid and isn't there was lost.
    pub fn is_there(&self, path: &StorePath) -> bool {
        std::fs::symlink_metadata(self.location(path)).is_ok()
    }

    /// The folder that objects lie in.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// A place for the sandbox of a build or for other passing files, nothing there yet.
    pub fn new_build_folder(&self) -> Result<PathBuf, StoreError> {
        Ok(self.folder.join("builds").join(self.holder.new_name()?))
    }

    /// Moves the folder of a failed build to where no collector looks. Gives its new place.
    pub(crate) fn keep_failed(&self, folder: &Path, derivation: &StorePath) -> Result<PathBuf, StoreError> {
        let failed = self.folder.join("failed");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&failed);
        made.map_err(StoreError::io("make the folder", &failed))?;
        object::take_set_id(folder).map_err(StoreError::io("take set-id bits from", folder))?;
        let name = derivation.plain_name();
        let mut places = (0..).map(|number| failed.join(format!("{name}-{number}")));
        loop {
            let place = places.next().expect("there is always another number");
            // Another process may have found the same one free.
            match rustix::fs::renameat_with(CWD, folder, CWD, &place, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => continue,
                moved => {
                    moved.map_err(|error| StoreError::io("keep the failed build in", &place)(error.into()))?
                }
            }
            self.passed(Step::Kept);
            return Ok(place);
        }
    }

    /// Takes the lock on whatever makes the path `path`. If another holds it, calls `waiting` once and waits.
    pub fn lock(
        &self,
        path: &StorePath,
        cancelled: &AtomicBool,
        waiting: impl FnOnce(),
    ) -> Result<Lock, StoreError> {
        let location = self.folder.join("locks").join(path.digest().to_string());
        let lock = Lock::take(&location, cancelled, waiting).map_err(StoreError::io("lock", &location))?;
        lock.ok_or(StoreError::Interrupted)
    }

    /// All that the `paths` reach by references, themselves included.
    pub fn closure<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a StorePath>,
    ) -> Result<BTreeSet<StorePath>, StoreError> {
        Ok(self.database.closure(paths)?)
    }

    /// The same in an order that only the references decide: each after all that it refers to.
    pub fn closure_in_order<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a StorePath>,
    ) -> Result<Vec<StorePath>, StoreError> {
        let roots: BTreeSet<StorePath> = paths.into_iter().cloned().collect();
        let (mut order, mut begun) = (Vec::new(), BTreeSet::new());
        // Without recursion, since chains may be long: a path is entered, then left when what it refers to is in.
        let mut open: Vec<(StorePath, bool)> = roots.into_iter().rev().map(|path| (path, false)).collect();
        while let Some((path, is_left)) = open.pop() {
            if is_left {
                order.push(path);
            } else if begun.insert(path.clone()) {
                let references = self.database.references(&path)?;
                open.push((path, true));
                open.extend(references.into_iter().rev().map(|reference| (reference, false)));
            }
        }
        Ok(order)
    }

    /// Adds the tree at `source` under `name`, leaving out what `filter` doesn't accept. It refers to nothing.
    /// What is there already is only read. It is held.
    pub fn add_source(
        &self,
        source: &Path,
        name: &str,
        mut filter: Option<&mut Filter<'_>>,
    ) -> Result<StorePath, StoreError> {
        let wanted = Wanted::default();
        // Reborrowed by hand: `as_deref_mut` would tie the trait object's lifetime to this borrow.
        let contents = match &mut filter {
            Some(filter) => object::read(source, &wanted, Some(&mut **filter), NEVER)?,
            None => object::read(source, &wanted, None, NEVER)?,
        };
        let path = contents.store_path(name, &BTreeSet::new())?;
        if !self.hold(&path)? || !self.is_there(&path) {
            let new = self.copy_in(source, &wanted, filter, NEVER)?;
            return self.commit(new, name, BTreeSet::new());
        }
        Ok(path)
    }

    /// Adds a file with these bytes under `name`, which refers to `references`. It is held.
    pub fn add_text(
        &self,
        name: &str,
        text: &[u8],
        references: BTreeSet<StorePath>,
    ) -> Result<StorePath, StoreError> {
        let node = sx_derivation::tree::Node::File { digest: Digest::of(text), executable: false };
        let path = StorePath::of_object(name, node.tree_digest(), &references, false)?;
        if !self.hold(&path)? || !self.is_there(&path) {
            let source = self.new_build_folder()?;
            std::fs::write(&source, text).map_err(StoreError::io("write", &source))?;
            let new = self.copy_in(&source, &Wanted::default(), None, NEVER);
            let removed = object::remove(&source).map_err(StoreError::io("remove", &source));
            let new = new?;
            removed?;
            self.commit(new, name, references)?;
        }
        Ok(path)
    }

    /// Where a tree is put that is to become an object, nothing there yet.
    pub(crate) fn new_place(&self) -> Result<PathBuf, StoreError> {
        Ok(self.folder.join("store").join(format!(".new-{}", self.holder.new_name()?)))
    }

    /// Takes the tree that was made at a [new place](Self::new_place), not valid yet.
    pub(crate) fn take_in(&self, guard: RemoveOnDrop, wanted: &Wanted) -> Result<New, StoreError> {
        crate::inspect::make_canonical(&guard.0).map_err(StoreError::io("set modes of", &guard.0))?;
        let copied = object::adopt(&guard.0, wanted)?;
        self.passed(Step::Copied);
        Ok(New { copied, guard })
    }

    /// Copies the tree at `source` in, not valid yet.
    pub(crate) fn copy_in(
        &self,
        source: &Path,
        wanted: &Wanted,
        filter: Option<&mut Filter<'_>>,
        called_off: &CalledOff<'_>,
    ) -> Result<New, StoreError> {
        let location = self.new_place()?;
        let guard = RemoveOnDrop(location.clone());
        let sharing = Sharing::new(&self.folder.join("links"), &format!(".new-{}", self.holder.new_name()?));
        let copied =
            object::copy(source, Destination { place: &location, sharing }, wanted, filter, called_off)?;
        self.passed(Step::Copied);
        Ok(New { copied, guard })
    }

    /// Makes what was copied in durable and then valid.
    pub(crate) fn commit(
        &self,
        new: New,
        name: &str,
        references: BTreeSet<StorePath>,
    ) -> Result<StorePath, StoreError> {
        let (path, unsettled) = self.place(new, name, references)?;
        self.settle(vec![unsettled])?;
        Ok(path)
    }

    /// Moves what was copied in into its place, where it is no more than a file without a row until it is settled.
    pub(crate) fn place(
        &self,
        new: New,
        name: &str,
        references: BTreeSet<StorePath>,
    ) -> Result<(StorePath, Unsettled), StoreError> {
        let contents = &new.copied.contents;
        let path = contents.store_path(name, &references)?;
        // Others hold it while they do the same, for no longer than that takes.
        let lock = self.lock(&path, &AtomicBool::new(false), || {})?;
        let mut unsettled = Unsettled { locks: vec![lock], ..Unsettled::default() };
        self.holder.enter()?.hold(&path)?;
        // What isn't there isn't valid, or lost its file: the database needn't be asked.
        let is_valid = self.is_there(&path) && self.database.is_valid(&path)?;
        if !is_valid || self.lock_damaged().contains(&path) {
            self.move_in(&new, &path)?;
            unsettled.moved = Some((self.location(&path), contents.files));
        }
        if !is_valid {
            unsettled.object = Some(Object {
                path: path.clone(),
                tree: contents.tree,
                size_bytes: contents.size_bytes,
                references,
                refers_to_itself: contents.refers_to_itself(),
            });
        }
        Ok((path, unsettled))
    }

    /// Makes durable and then valid what was placed, in this order, and all that is said of it in the same transaction.
    /// A crash on the way leaves garbage, never a lie: placed, files durable, folder durable, rows.
    pub(crate) fn settle(&self, unsettled: Vec<Unsettled>) -> Result<(), StoreError> {
        let (mut moved, mut objects, mut said) = (vec![], vec![], Said::default());
        let (mut locks, mut folders) = (vec![], vec![]);
        for one in unsettled {
            moved.extend(one.moved);
            objects.extend(one.object);
            said.append(one.said);
            locks.extend(one.locks);
            folders.extend(one.folder);
        }
        let settled = self.settle_all(&moved, &objects, &said);
        {
            let mut known = self.lock_known();
            for object in &objects {
                if settled.is_err() {
                    known.remove(&object.path);
                } else if let Some(known) = known.get_mut(&object.path) {
                    known.is_settled = true;
                }
            }
        }
        self.settled.notify_all();
        // Others may go on before the folders are deleted.
        drop(locks);
        drop(folders);
        settled
    }

    fn settle_all(
        &self,
        moved: &[(PathBuf, u64)],
        objects: &[Object],
        said: &Said,
    ) -> Result<(), StoreError> {
        if !moved.is_empty() {
            self.make_durable(moved)?;
            let mut damaged = self.lock_damaged();
            damaged.retain(|path| moved.iter().all(|(location, _)| *location != self.location(path)));
        }
        self.register(objects, said)
    }

    /// Lets builds of this process have what was placed, before somebody settles it.
    pub(crate) fn announce(&self, unsettled: &[Unsettled]) {
        let mut known = self.lock_known();
        for object in unsettled.iter().filter_map(|one| one.object.as_ref()) {
            let references = object.references.clone();
            known.insert(object.path.clone(), Known { references, is_settled: false });
        }
    }

    /// Waits until none of the paths is only placed.
    pub(crate) fn wait_until_settled(&self, paths: &BTreeSet<StorePath>) {
        let mut known = self.lock_known();
        while paths.iter().any(|path| known.get(path).is_some_and(|known| !known.is_settled)) {
            known = self.settled.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What [`closure`](Self::closure) gives of paths that are held, with what is placed and not settled.
    pub(crate) fn closure_of_placed(
        &self,
        paths: &BTreeSet<StorePath>,
    ) -> Result<BTreeSet<StorePath>, StoreError> {
        let (mut closure, mut open) = (BTreeSet::new(), paths.iter().cloned().collect::<Vec<_>>());
        let mut known = self.lock_known();
        while let Some(path) = open.pop() {
            if closure.contains(&path) {
                continue;
            }
            if let Some(Known { references, .. }) = known.get(&path) {
                open.extend(references.iter().cloned());
            } else {
                let references = self.database.references(&path)?;
                open.extend(references.iter().cloned());
                known.insert(path.clone(), Known { references, is_settled: true });
            }
            closure.insert(path);
        }
        Ok(closure)
    }

    /// Whether an object is known, and so kept until this process ends.
    pub(crate) fn is_known(&self, path: &StorePath) -> bool {
        self.lock_known().contains_key(path)
    }

    fn lock_known(&self) -> MutexGuard<'_, BTreeMap<StorePath, Known>> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What [`Database::register`] does, and adds to the second record.
    fn register(&self, objects: &[Object], said: &Said) -> Result<(), StoreError> {
        // A collector may write the record anew from the database, which doesn't have this yet.
        let _inside = self.holder.enter()?;
        // Before the database, so that a crash leaves nothing there that the record lacks. What it lacks all the same is built
        // again if the database is ever lost: no reason to fail.
        let _ = record::add(&self.folder, &said.realisations, &said.derivations);
        self.passed(Step::Recorded);
        self.database.register(objects, said)?;
        self.passed(Step::Registered);
        Ok(())
    }

    /// Valid objects whose files are damaged.
    pub(crate) fn lock_damaged(&self) -> MutexGuard<'_, BTreeSet<StorePath>> {
        // A panic left at worst one too many, which is then made once more.
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a tree into the place of `path`, whatever is there.
    pub(crate) fn move_in(&self, new: &New, path: &StorePath) -> Result<(), StoreError> {
        new.copied.fill_in(path)?;
        let location = self.location(path);
        // What a crash or damage left there changes places with it, and is deleted as the new one would have been.
        let flags = if self.is_there(path) { RenameFlags::EXCHANGE } else { RenameFlags::empty() };
        rustix::fs::renameat_with(CWD, &new.guard.0, CWD, &location, flags)
            .map_err(|error| StoreError::io("move into place", &location)(error.into()))?;
        self.passed(Step::Moved);
        Ok(())
    }

    /// Makes objects durable that were moved into place, each with the number of its files.
    pub(crate) fn make_durable(&self, moved: &[(PathBuf, u64)]) -> Result<(), StoreError> {
        let folder = self.objects();
        // Only now: what makes the files durable makes their new names durable too, on file systems with one journal,
        // and the folder's own flush finds nothing left to do.
        object::flush(&folder, moved).map_err(StoreError::io("make durable files in", &folder))?;
        self.passed(Step::Flushed);
        let synced = File::open(&folder).and_then(|folder| folder.sync_all());
        synced.map_err(StoreError::io("make durable", &folder))?;
        self.passed(Step::Named);
        Ok(())
    }
}

/// What was placed and is not valid yet, with what is to be said of it. Nobody else makes it while this is kept; dropped, it is
/// garbage.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    /// Where it was moved, if it wasn't there, and the number of its files.
    pub(crate) moved: Option<(PathBuf, u64)>,
    /// Its row, if it has none.
    pub(crate) object: Option<Object>,
    pub(crate) said: Said,
    pub(crate) locks: Vec<Lock>,
    /// Where it was built.
    pub(crate) folder: Option<RemoveOnDrop>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A tree on its way in. Dropped before it is committed, it is deleted.
#[derive(Debug)]
pub(crate) struct New {
    copied: Copied,
    guard: RemoveOnDrop,
}

impl New {
    /// What was copied.
    pub(crate) const fn contents(&self) -> &Contents {
        &self.copied.contents
    }

    /// Where it lies by now.
    pub(crate) fn location(&self) -> &Path {
        &self.guard.0
    }

    /// Writes `path`'s digest wherever the tree mentions itself.
    pub(crate) fn fill_in(&self, path: &StorePath) -> Result<(), StoreError> {
        Ok(self.copied.fill_in(path)?)
    }
}

/// Deletes a tree when it is dropped.
#[derive(Debug)]
pub(crate) struct RemoveOnDrop(pub(crate) PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        // What can't be deleted has no row, so the collector finds it.
        let _ = object::remove(&self.0);
    }
}

/// Where digests of these paths are looked for.
pub(crate) fn digest_texts<'a>(
    paths: impl IntoIterator<Item = &'a StorePath>,
) -> BTreeMap<DigestText, &'a StorePath> {
    paths.into_iter().map(|path| (digest_text(path), path)).collect()
}

/// The text of a path's digest.
pub(crate) fn digest_text(path: &StorePath) -> DigestText {
    path.digest().to_string().into_bytes().try_into().expect("a digest's text has a fixed length")
}

/// Makes folders that an older sx didn't have, the one of objects open to readers, and the gate, which isn't.
fn complete(folder: &Path) -> Result<(), StoreError> {
    // The last one made.
    if !folder.join("links").exists() {
        make_folders(folder)?;
    }
    let gate = folder.join("gate");
    Gate::make(&gate).map_err(StoreError::io("make", &gate))?;
    // Builds of root run as somebody else, who has to get through whatever root's umask was.
    let objects = folder.join("store");
    let look = || {
        let found = std::fs::metadata(&objects)?;
        if found.permissions().mode() & 0o777 == 0o755 {
            return Ok(());
        }
        std::fs::set_permissions(&objects, std::fs::Permissions::from_mode(0o755))
    };
    look().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StoreError::NoObjects { folder: objects.clone() },
        _ => StoreError::io("open to readers", &objects)(error),
    })
}

fn not_a_store(folder: &Path, holds: PathBuf) -> StoreError {
    StoreError::NotAStore { folder: folder.into(), holds }
}

/// Makes a directory with exactly this mode, whatever the umask.
pub(crate) fn make_folder(path: &Path, mode: u32) -> std::io::Result<()> {
    DirBuilder::new().mode(mode).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

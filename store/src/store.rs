//! A store's folder.
//!
//! ```text
//! FOLDER/
//!   store/<digest>-<name>     objects, read-only, seen at /sx/store/ inside sandboxes
//!   store/.new-…              objects on their way in
//!   database                  SQLite, see crate::database
//!   builds/…                  sandboxes of running builds, mode 0700
//!   logs/<digest>             what the builder of the derivation with that digest printed
//!   locks/<digest>            held by the process that makes the path with that digest
//!   downloads/                sources on their way in
//! ```

use crate::database::{Database, DatabaseError, Object};
use crate::lock::Lock;
use crate::object::{self, Contents, Copied, Filter, ObjectError};
use crate::scan::{DigestText, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use sx_derivation::StorePath;
use sx_derivation::store_path::StorePathError;

/// An open store. Threads share it; processes open the same folder side by side.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    database: Database,
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
    Object(#[from] ObjectError),
    /// A name can't be a store path's.
    #[error(transparent)]
    StorePath(#[from] StorePathError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl StoreError {
    /// For `map_err`: names the action and the path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }
}

impl Store {
    /// Opens the store in `folder`, an absolute path, and makes it if it isn't there.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let database = folder.join("database");
        if !database.exists() {
            for (name, mode) in
                [("store", 0o755), ("builds", 0o700), ("logs", 0o755), ("locks", 0o755), ("downloads", 0o755)]
            {
                let path = folder.join(name);
                let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
                made.map_err(StoreError::io("make the store's folder", &path))?;
            }
        }
        Ok(Self { folder: folder.into(), database: Database::open(&database)? })
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
        self.folder.join("store").join(path.base_name())
    }

    /// Where the log of the builder of the derivation at `path` lies.
    pub fn log(&self, path: &StorePath) -> PathBuf {
        self.folder.join("logs").join(path.digest().to_string())
    }

    /// A folder for the sandbox of a build, not there yet.
    pub fn new_build_folder(&self) -> PathBuf {
        self.folder.join("builds").join(unique())
    }

    /// Waits for and takes the lock on whatever makes the path `path`.
    pub fn lock(&self, path: &StorePath) -> Result<Lock, StoreError> {
        let location = self.folder.join("locks").join(path.digest().to_string());
        Lock::take(&location).map_err(StoreError::io("lock", &location))
    }

    /// All that the `paths` reach by references, themselves included.
    pub fn closure<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a StorePath>,
    ) -> Result<BTreeSet<StorePath>, StoreError> {
        Ok(self.closure_in_order(paths)?.into_iter().collect())
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
    /// What is there already is only read.
    pub fn add_source(
        &self,
        source: &Path,
        name: &str,
        mut filter: Option<&mut Filter<'_>>,
    ) -> Result<StorePath, StoreError> {
        let wanted = Wanted::default();
        // Reborrowed by hand: `as_deref_mut` would tie the trait object's lifetime to this borrow.
        let contents = match &mut filter {
            Some(filter) => object::read(source, &wanted, Some(&mut **filter))?,
            None => object::read(source, &wanted, None)?,
        };
        let path = contents.store_path(name, &BTreeSet::new())?;
        if !self.database.is_valid(&path)? {
            let new = self.copy_in(source, &wanted, filter)?;
            return self.commit(new, name, BTreeSet::new(), &[], &[]);
        }
        Ok(path)
    }

    /// Adds a file with these bytes under `name`, which refers to `references`.
    pub fn add_text(
        &self,
        name: &str,
        text: &[u8],
        references: BTreeSet<StorePath>,
    ) -> Result<StorePath, StoreError> {
        let node =
            sx_derivation::tree::Node::File { digest: sx_derivation::Digest::of(text), executable: false };
        let path = StorePath::of_object(name, node.tree_digest(), &references, false)?;
        if !self.database.is_valid(&path)? {
            let source = self.new_build_folder();
            std::fs::write(&source, text).map_err(StoreError::io("write", &source))?;
            let new = self.copy_in(&source, &Wanted::default(), None);
            let removed = object::remove(&source).map_err(StoreError::io("remove", &source));
            let new = new?;
            removed?;
            self.commit(new, name, references, &[], &[])?;
        }
        Ok(path)
    }

    /// Copies the tree at `source` in, not valid yet.
    pub(crate) fn copy_in(
        &self,
        source: &Path,
        wanted: &Wanted,
        filter: Option<&mut Filter<'_>>,
    ) -> Result<New, StoreError> {
        let location = self.folder.join("store").join(format!(".new-{}", unique()));
        let guard = RemoveOnDrop(location.clone());
        let copied = object::copy(source, &location, wanted, filter)?;
        Ok(New { copied, guard })
    }

    /// Makes what was copied in durable and then valid, with all realisations of it in the same transaction.
    /// Order: files durable, renamed into place, folder durable, row. A crash between leaves garbage, never a lie.
    pub(crate) fn commit(
        &self,
        new: New,
        name: &str,
        references: BTreeSet<StorePath>,
        realisations: &[(StorePath, String)],
        derivations: &[(StorePath, Vec<u8>)],
    ) -> Result<StorePath, StoreError> {
        let contents = &new.copied.contents;
        let path = contents.store_path(name, &references)?;
        let _lock = self.lock(&path)?;
        let mut objects = Vec::new();
        if !self.database.is_valid(&path)? {
            new.copied.finish(&path)?;
            let location = self.location(&path);
            object::remove(&location).map_err(StoreError::io("remove what a crash left at", &location))?;
            std::fs::rename(&new.guard.0, &location).map_err(StoreError::io("move into place", &location))?;
            let folder = self.folder.join("store");
            let synced = File::open(&folder).and_then(|folder| folder.sync_all());
            synced.map_err(StoreError::io("make durable", &folder))?;
            objects.push(Object {
                path: path.clone(),
                tree: contents.tree,
                size_bytes: contents.size_bytes,
                references,
                refers_to_itself: contents.refers_to_itself(),
            });
        }
        let named =
            |(derivation, output): &(StorePath, String)| (derivation.clone(), output.clone(), path.clone());
        let realisations: Vec<_> = realisations.iter().map(named).collect();
        self.database.register(&objects, &realisations, derivations)?;
        Ok(path)
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

/// A name that no other process and no other call uses.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Makes a directory with exactly this mode, whatever the umask.
pub(crate) fn make_folder(path: &Path, mode: u32) -> std::io::Result<()> {
    DirBuilder::new().mode(mode).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

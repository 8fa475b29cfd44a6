//! The evaluator's world: one folder tree of the user's, and the store.

use crate::failure::Failure;
use crate::progress::Progress;
use bstr::{BStr, ByteSlice};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use sx_derivation::store_path::STORE_FOLDER;
use sx_derivation::{Derivations, Hash, Instantiated, StorePath};
use sx_evaluator::host::{FilterFailed, Method};
use sx_evaluator::{AddPath, FileType, Host, HostError};
use sx_store::{Store, StoreError, object, pin};

/// What a host does with the derivations that it is told of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Keeps them: they will be realised, or shown.
    All,
    /// Forgets them: only the value is asked for, and thousands of them take much memory.
    Nothing,
}

/// Answers the evaluator from the tree at `root` and from the store, and collects the derivations.
pub struct TreeHost<'a> {
    store: &'a Store,
    /// The only folder that expressions may read, without links.
    root: PathBuf,
    progress: &'a Progress,
    /// No file with more bytes is read.
    most_bytes: u64,
    keeping: Keeping,
    derivations: Mutex<Derivations>,
    trouble: Mutex<Option<Failure>>,
}

impl<'a> TreeHost<'a> {
    /// For expressions in the tree at `root`, an absolute path without links.
    pub fn new(
        store: &'a Store,
        root: PathBuf,
        progress: &'a Progress,
        most_bytes: u64,
        keeping: Keeping,
    ) -> Self {
        let (derivations, trouble) = (Mutex::default(), Mutex::default());
        Self { store, root, progress, most_bytes, keeping, derivations, trouble }
    }

    /// What was instantiated.
    pub fn into_derivations(self) -> Derivations {
        self.derivations.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the machine, and no expression, is to blame for among what the evaluation was told. It ends with that.
    pub fn take_trouble(&self) -> Option<Failure> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn failed_store(&self, error: StoreError) -> HostError {
        let failure = Failure::from(&error);
        if failure.is_trouble_of_host() {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
        HostError::Failed(error.into())
    }

    /// Where a path of the language lies, if this evaluation may read it.
    fn locate(&self, path: &BStr) -> Result<PathBuf, HostError> {
        let given = Path::new(OsStr::from_bytes(path));
        if let Ok(below) = given.strip_prefix(STORE_FOLDER) {
            return self.locate_in_store(below);
        }
        // The folder's links are followed, the last component's kind is the caller's question.
        let (folder, name) = match (given.parent(), given.file_name()) {
            (Some(folder), Some(name)) => (folder, Some(name)),
            _ => (given, None),
        };
        let folder = std::fs::canonicalize(folder).map_err(failed)?;
        let found = name.map_or_else(|| folder.clone(), |name| folder.join(name));
        self.allow(found)
    }

    fn allow(&self, found: PathBuf) -> Result<PathBuf, HostError> {
        if found.starts_with(&self.root) { Ok(found) } else { Err(HostError::Forbidden) }
    }

    fn locate_in_store(&self, below: &Path) -> Result<PathBuf, HostError> {
        let mut components = below.components();
        let base =
            components.next().and_then(|base| base.as_os_str().to_str()).ok_or(HostError::Forbidden)?;
        let object = StorePath::parse_base_name(base).map_err(|_| HostError::NotFound)?;
        // What was read once may be mentioned by what this evaluation makes.
        if !self.store.hold(&object).map_err(|error| self.failed_store(error))? {
            return Err(HostError::NotBuilt);
        }
        Ok(self.store.location(&object).join(components.as_path()))
    }

    /// The same with the last component's links followed, for reading.
    fn locate_target(&self, path: &BStr) -> Result<PathBuf, HostError> {
        let found = self.locate(path)?;
        let target = std::fs::canonicalize(&found).map_err(failed)?;
        if path.starts_with_str(STORE_FOLDER) {
            let store = self.store.folder().join("store");
            let store = std::fs::canonicalize(store).map_err(failed)?;
            return if target.starts_with(store) { Ok(target) } else { Err(HostError::Forbidden) };
        }
        self.allow(target)
    }
}

impl Host for TreeHost<'_> {
    fn read_file(&self, path: &BStr) -> Result<Vec<u8>, HostError> {
        // Opening a pipe would wait for someone who writes to it.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(self.locate_target(path)?);
        let file = file.map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if kind(metadata.file_type()) == FileType::Unknown {
            return Err(HostError::Special);
        }
        let expected_bytes = metadata.len();
        let mut bytes = Vec::new();
        if expected_bytes <= self.most_bytes {
            bytes.reserve_exact(usize::try_from(expected_bytes).unwrap_or_default());
            // It may grow meanwhile.
            file.take(self.most_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        }
        if expected_bytes.max(bytes.len() as u64) > self.most_bytes {
            return Err(HostError::TooLarge { most_mebibytes: self.most_bytes >> 20 });
        }
        Ok(bytes)
    }

    fn read_directory(&self, path: &BStr) -> Result<Vec<(Vec<u8>, FileType)>, HostError> {
        let entries = std::fs::read_dir(self.locate_target(path)?).map_err(failed)?;
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name().as_bytes().to_vec(), kind(entry.file_type()?)))
        };
        entries.map(|entry| read(entry).map_err(failed)).collect()
    }

    fn file_type(&self, path: &BStr) -> Result<FileType, HostError> {
        let metadata = std::fs::symlink_metadata(self.locate(path)?).map_err(failed)?;
        Ok(kind(metadata.file_type()))
    }

    fn add_path(&self, request: AddPath<'_, '_>) -> Result<StorePath, HostError> {
        let location = self.locate_target(request.path)?;
        let path = match request.filter {
            None => self.store.add_source(&location, request.name, None),
            Some(filter) => {
                // The filter speaks of the path as the expression does, not of where it lies.
                let mut filter = |below: &Path, kind: rustix::fs::FileType| {
                    let rest = below.strip_prefix(&location).unwrap_or(below);
                    let shown = Path::new(OsStr::from_bytes(request.path)).join(rest);
                    let kind = match kind {
                        rustix::fs::FileType::RegularFile => FileType::Regular,
                        rustix::fs::FileType::Directory => FileType::Directory,
                        rustix::fs::FileType::Symlink => FileType::Symlink,
                        _ => FileType::Unknown,
                    };
                    filter(shown.as_os_str().as_bytes().as_bstr(), kind).map_err(Into::into)
                };
                self.store.add_source(&location, request.name, Some(&mut filter))
            }
        };
        let path = path.map_err(|error| match error {
            StoreError::Object(object::ObjectError::Filter { source, .. }) if source.is::<FilterFailed>() => {
                HostError::Filter(FilterFailed)
            }
            other => self.failed_store(other),
        })?;
        if let Some((expected, method)) = request.expected {
            self.check(&path, expected, *method)?;
        }
        Ok(path)
    }

    fn add_text(
        &self,
        name: &str,
        text: &[u8],
        references: &BTreeSet<StorePath>,
    ) -> Result<StorePath, HostError> {
        self.store.add_text(name, text, references.clone()).map_err(|error| self.failed_store(error))
    }

    fn add_derivation(&self, derivation: Instantiated) -> Result<(), HostError> {
        if self.keeping == Keeping::Nothing {
            return Ok(());
        }
        let mut derivations = self.derivations.lock().unwrap_or_else(PoisonError::into_inner);
        derivations.insert(derivation);
        Ok(())
    }

    fn trace(&self, message: &BStr) {
        self.progress.print(&format!("trace: {message}"));
    }

    fn warn(&self, message: &BStr) {
        self.progress.print(&format!("evaluation warning: {message}"));
    }
}

impl TreeHost<'_> {
    fn check(&self, path: &StorePath, expected: &Hash, method: Method) -> Result<(), HostError> {
        let found = match method {
            Method::Flat => pin::of_file(&self.store.location(path), expected.algorithm()).map_err(failed)?,
            Method::Tree => {
                let object =
                    self.store.database().object(path).map_err(|error| self.failed_store(error.into()))?;
                object.map(|object| pin::of_tree(object.tree))
            }
        };
        match found {
            Some(found) if found == *expected => Ok(()),
            Some(found) => {
                Err(HostError::Failed(format!("it has hash {found}, the expression says {expected}").into()))
            }
            None => Err(HostError::Failed(format!("it has no hash to compare with {expected}").into())),
        }
    }
}

fn kind(found: std::fs::FileType) -> FileType {
    if found.is_file() {
        FileType::Regular
    } else if found.is_dir() {
        FileType::Directory
    } else if found.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Unknown
    }
}

fn failed(error: std::io::Error) -> HostError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => HostError::NotFound,
        _ => HostError::Failed(error.into()),
    }
}

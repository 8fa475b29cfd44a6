//! Where a derivation is built, for a person to work in: the builder's view, with its inputs and variables, and nobody at work.
//!
//! A failed build that was kept says in its folder what it was:
//!
//! ```text
//! failed/<name>-<number>/
//!   build/, tmp/  what the builder saw as /build and /tmp
//!   store/        its outputs
//!   derivation    by which its inputs are kept too; three lines: the path of the derivation, that of the resolved one, and the resolved one's text
//! ```

use crate::build::{Build, Surroundings};
use crate::realise::{Event, Failure, RealiseError, Realiser};
use crate::root::{entries, is_gone};
use crate::sandbox::Sandbox;
use crate::store::{RemoveOnDrop, StoreError};
use bstr::ByteSlice;
use std::path::{Path, PathBuf};
use sx_derivation::derivation::DecodeError;
use sx_derivation::{Derivation, StorePath};

/// The file that says what a failed build was of.
const DESCRIPTION: &str = "derivation";

/// A place to build in. Dropped, it is deleted, but for one that was kept.
#[derive(Debug)]
pub struct Site {
    /// The derivation, resolved.
    pub derivation: Derivation,
    /// What its builder would run in, builder included.
    pub sandbox: Sandbox,
    _folder: Option<RemoveOnDrop>,
}

/// Why a kept build can't be entered.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// There is no such folder, or it is no kept build.
    #[error("`{folder}` is no folder of a failed build: it has no readable file `{DESCRIPTION}`")]
    NotKept {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its description isn't one.
    #[error("`{folder}` does not say what it was a build of")]
    Description {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with the derivation, if the lines before it are right.
        #[source]
        source: Option<DecodeError>,
    },
    /// An input was collected since.
    #[error("the failed build needs `{0}`, which is not in the store any more")]
    MissingInput(StorePath),
    /// The rest.
    #[error(transparent)]
    Build(Box<Failure>),
}

impl Realiser<'_> {
    /// A new place for the derivation at `path`. Its inputs are realised first.
    pub fn site(&self, path: &StorePath) -> Result<Site, RealiseError> {
        let failed = |failure: Failure| RealiseError { derivation: path.clone(), failure: Box::new(failure) };
        let (derivation, _) = self.resolved_inputs(path)?;
        for input in &derivation.input_sources {
            if !self.store.hold(input).map_err(|error| failed(error.into()))? {
                return Err(failed(Failure::MissingInput(input.clone())));
            }
        }
        let folder = self.store.new_build_folder().map_err(|error| failed(error.into()))?;
        let sandbox = self.sandbox(&derivation, path, &folder).map_err(failed)?;
        Ok(Site { derivation, sandbox, _folder: Some(RemoveOnDrop(folder)) })
    }

    /// The place of a failed build that was kept in `folder`.
    pub fn kept_site(&self, folder: &Path) -> Result<Site, KeptError> {
        let (original, derivation) = read_description(folder)?;
        for input in &derivation.input_sources {
            if !self.store.hold(input).map_err(|error| KeptError::Build(Box::new(error.into())))? {
                return Err(KeptError::MissingInput(input.clone()));
            }
        }
        let sandbox = self.sandbox(&derivation, &original, folder);
        let mut sandbox = sandbox.map_err(|failure| KeptError::Build(Box::new(failure)))?;
        // They are there, perhaps changed.
        sandbox.files.clear();
        Ok(Site { derivation, sandbox, _folder: None })
    }

    /// Tells where a failed build was kept, or why it wasn't.
    pub(crate) fn tell_kept(&self, derivation: &StorePath, kept: &Result<PathBuf, StoreError>) {
        (self.events)(match kept {
            Ok(folder) => Event::Kept { derivation, folder },
            Err(reason) => Event::NotKept { derivation, reason },
        });
    }

    fn sandbox(
        &self,
        derivation: &Derivation,
        original: &StorePath,
        folder: &Path,
    ) -> Result<Sandbox, Failure> {
        let build_path = derivation.path()?;
        let build = Build::new(self, derivation, &build_path, original)?;
        build.sandbox(folder, &Surroundings::usual(self))
    }
}

/// Writes into the folder of a failed build what it was.
pub(crate) fn describe(
    folder: &Path,
    derivation: &Derivation,
    original: &StorePath,
) -> Result<(), StoreError> {
    let mut text = format!("{original}\n{}\n", derivation.path()?).into_bytes();
    text.extend(derivation.encode());
    let place = folder.join(DESCRIPTION);
    std::fs::write(&place, text).map_err(StoreError::io("write", &place))
}

/// The inputs of the failed builds that are kept in the store's folder, each with its build's folder. What doesn't say what it was
/// can't be entered, and needs nothing.
pub(crate) fn inputs_of_kept(store: &Path) -> Result<Vec<(PathBuf, StorePath)>, StoreError> {
    let mut inputs = Vec::new();
    for folder in entries(&store.join("failed"))? {
        match read_description(&folder) {
            Ok((_, derivation)) => {
                inputs.extend(derivation.input_sources.into_iter().map(|input| (folder.clone(), input)));
            }
            Err(KeptError::NotKept { source, .. }) if !is_gone(&source) => {
                return Err(StoreError::io("read what was built in", &folder)(source));
            }
            Err(_) => {}
        }
    }
    Ok(inputs)
}

fn read_description(folder: &Path) -> Result<(StorePath, Derivation), KeptError> {
    let not_kept = |source| KeptError::NotKept { folder: folder.into(), source };
    let text = std::fs::read(folder.join(DESCRIPTION)).map_err(not_kept)?;
    let wrong = |source| KeptError::Description { folder: folder.into(), source };
    let mut lines = text.splitn(3, |&byte| byte == b'\n');
    let mut line = || lines.next().ok_or_else(|| wrong(None));
    let (original, resolved, encoded) = (line()?, line()?, line()?);
    let path = |text: &[u8]| StorePath::parse(text.to_str().ok()?).ok();
    let (original, path) = path(original).zip(path(resolved)).ok_or_else(|| wrong(None))?;
    let name = path.plain_name();
    let derivation = Derivation::decode(name, encoded).map_err(|error| wrong(Some(error)))?;
    Ok((original, derivation))
}

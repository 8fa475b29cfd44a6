//! What can go wrong in an export.

use crate::config::ConfigError;
use std::io;
use std::path::{Path, PathBuf};
use sx_derivation::StorePath;

/// Why a closure could not be exported. Nothing new is at the destination then.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// An image has at least one layer, so something must go in.
    #[error("there is nothing to export: the closure has no store path")]
    EmptyClosure,
    /// The caller listed an object twice.
    #[error("`{path}` is twice in the closure")]
    Duplicate {
        /// The object.
        path: StorePath,
    },
    /// The object isn't where it should lie.
    #[error("`{path}` is missing from the store: there is nothing at `{location}`")]
    MissingObject {
        /// The object.
        path: StorePath,
        /// Where it was looked for.
        location: PathBuf,
    },
    /// A root that isn't among the objects.
    #[error("`{path}` is to be in the image, but not in its closure")]
    ForeignRoot {
        /// The root.
        path: StorePath,
    },
    /// Two things would stand at the same place.
    #[error("`{path}` is in both `{}` and `{}`; expected it in one", between[0], between[1])]
    Conflict {
        /// The place in the image.
        path: PathBuf,
        /// What brings it: store paths, `links` or `files`.
        between: [String; 2],
    },
    /// A merged root has no store.
    #[error("`{holder}` refers to `{reference}`, which the image does not have")]
    StoreReference {
        /// An object, or a field of the image's configuration.
        holder: String,
        /// What it refers to.
        reference: String,
    },
    /// A file that is given can't be in an image.
    #[error("the image's file `{path}` is wrong; expected {expected}")]
    BadFile {
        /// Its path as it is given.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The format has no such level.
    #[error("there is no compression level {found}; expected {lowest} to {highest}")]
    BadLevel {
        /// The level asked for.
        found: i32,
        /// The fastest.
        lowest: i32,
        /// The smallest.
        highest: i32,
    },
    /// Clients that read docker archives alone can't unpack zstd.
    #[error("layers of a docker archive can't be packed with zstd; expected gzip or none")]
    DockerZstd,
    /// Only OCI images have what is attached to them.
    #[error("nothing can be attached to a docker archive or a tar; expected an OCI archive or layout")]
    NothingAttached,
    /// A device, FIFO or socket.
    #[error("`{path}` is a {kind}; an image holds only files, directories and symbolic links")]
    BadKind {
        /// Where it lies on disk.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// Deeper than the store allows.
    #[error("`{path}` is nested deeper than {} directories", crate::tree::MAX_DEPTH)]
    TooDeep {
        /// Where it lies on disk.
        path: PathBuf,
    },
    /// Someone writes to the store while it is read.
    #[error("`{path}` changed while it was read: it should have {expected} bytes")]
    Changed {
        /// Where it lies on disk.
        path: PathBuf,
        /// Its length when it was opened, in bytes.
        expected: u64,
    },
    /// An object could not be proved.
    #[error(transparent)]
    Unproved(Box<dyn std::error::Error + Send + Sync>),
    /// An object could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Where it lies on disk.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No space left for the image.
    #[error("the disk is full: cannot write `{path}`")]
    DiskFull {
        /// The destination.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The image could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The destination.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The destination is something that must not be replaced.
    #[error("`{path}` is already there and is {found}; expected nothing or {expected}")]
    Occupied {
        /// The destination.
        path: PathBuf,
        /// What is there.
        found: &'static str,
        /// What could be replaced.
        expected: &'static str,
    },
    /// The image's configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ExportError {
    pub(crate) fn read(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Read { path: path.into(), source: source.into() }
    }

    pub(crate) fn write(path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.into(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            _ => Self::Write { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_apart_from_other_failures() {
        let error = |errno: Errno| ExportError::write(Path::new("image.tar"), errno);
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert_eq!(error(errno).to_string(), "the disk is full: cannot write `image.tar`");
        }
        assert!(matches!(error(Errno::IO), ExportError::Write { .. }));
    }
}

//! Why a database can't be used.

use super::SCHEMA_VERSION;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// Longest path of a database in bytes: SQLite's 512 less what it appends.
const MOST_PATH_BYTES: usize = 504;

/// What the database can't do.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It was made by a newer sx.
    #[error("the store's database `{path}` has version {found}; this sx reads up to {SCHEMA_VERSION}")]
    NewerVersion {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// It was made by an older sx, and can't be brought up to date.
    #[error(
        "the store's database `{path}` has version {found}, and cannot be written to make it {SCHEMA_VERSION}"
    )]
    OlderVersion {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// Who may write changed it while it was read by one who may not, so what was read may never have been true.
    #[error("the store's database `{path}` was changed by another user while it was read")]
    Changed {
        /// The database file.
        path: PathBuf,
    },
    /// The store has been in use, and this is no database of one.
    #[error("the store's database `{path}` {found}, and the store is not new")]
    Lost {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        found: &'static str,
    },
    /// A row can't have been written by sx.
    #[error("the store's database holds `{found}`, which is no {expected}")]
    Damaged {
        /// The text found.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The disk is full.
    #[error("there is no room for the store's database `{path}`: the disk is full")]
    NoRoom {
        /// The database file.
        path: PathBuf,
    },
    /// Its name, links followed, has more bytes than SQLite takes.
    #[error(
        "the path of the store's database has {found} bytes, expected no more than {MOST_PATH_BYTES}: `{path}`"
    )]
    LongPath {
        /// The database file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// SQLite refused.
    #[error("the store's database `{path}` failed")]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

impl DatabaseError {
    /// Whether the file itself is damaged, so that only [`crate::Store::recover`] helps.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let code = match self {
            Self::Lost { .. } => return true,
            Self::Sqlite { source, .. } => source.sqlite_error_code(),
            _ => None,
        };
        matches!(code, Some(DatabaseCorrupt | NotADatabase))
    }

    /// Whether the disk is full.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::NoRoom { .. })
    }

    /// What SQLite says about the file at `path`, in words of ours where it doesn't tell them apart.
    pub(super) fn of_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let code = source.sqlite_error().map(|error| (error.code, error.extended_code));
        match code {
            // The second is about the file by which processes share the database.
            Some((ErrorCode::DiskFull, _) | (_, rusqlite::ffi::SQLITE_IOERR_SHMSIZE)) => {
                Self::NoRoom { path: path.into() }
            }
            Some((ErrorCode::CannotOpen, _)) => {
                let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
                let path = folder
                    .map_or_else(|| path.into(), |folder| folder.join(path.file_name().unwrap_or_default()));
                let found = path.as_os_str().len();
                match found > MOST_PATH_BYTES {
                    true => Self::LongPath { path, found },
                    false if path.is_dir() => Self::Lost { path, found: "is a folder" },
                    false => Self::Sqlite { path, source },
                }
            }
            _ => Self::Sqlite { path: path.into(), source },
        }
    }
}

//! The steps after which a crash must leave a store that is whole: an object's way in, and its way out; a build's; a new
//! database's.
//!
//! A store tells its observer of each as it is passed. Tests end the process there, one step after the other, so that
//! "a crash at any step" is a list and not a sample. See [`crate::Store::observe`].
//!
//! What other ways share isn't listed twice: an object that is substituted, imported or mended comes in by the same steps as one
//! that is built, a damaged one changing places with it at [`Moved`](Step::Moved).

/// A step that was just passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A builder ended, its outputs lie where it left them. Left behind: a folder of a process that is gone.
    Built,
    /// The folder of a build that failed was moved to `failed`, with what it was a build of.
    Kept,
    /// A tree was copied to `store/.new-…`. Left behind: a file without a row.
    Copied,
    /// It was held and renamed to its path, nothing flushed. Left behind: a file without a row.
    Moved,
    /// Its files are durable.
    Flushed,
    /// The store's folder is durable, and so is its name.
    Named,
    /// What was realised to it stands in the second record. Left behind: lines that the database doesn't have.
    Recorded,
    /// Its row is durable: from here on it is valid.
    Registered,
    /// A collector's rows are gone. Left behind: files without rows.
    Invalidated,
    /// One of a collector's files was renamed to `store/.old-…`.
    Discarded,
    /// One of a collector's files is gone.
    Deleted,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Built,
        Self::Kept,
        Self::Copied,
        Self::Moved,
        Self::Flushed,
        Self::Named,
        Self::Recorded,
        Self::Registered,
        Self::Invalidated,
        Self::Discarded,
        Self::Deleted,
    ];
}

/// Told of every step.
pub(crate) type Observer = Box<dyn Fn(Step) + Send + Sync>;

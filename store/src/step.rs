//! The steps after which a crash must leave a store that is whole: an object's way in, and its way out.
//!
//! A store tells its observer of each as it is passed. Tests end the process there, one step after the other, so that
//! "a crash at any step" is a list and not a sample. See [`crate::Store::observe`].

/// A step that was just passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A tree was copied to `store/.new-…`. Left behind: a file without a row.
    Copied,
    /// It was held and renamed to its path, nothing flushed. Left behind: a file without a row.
    Moved,
    /// Its files are durable.
    Flushed,
    /// The store's folder is durable, and so is its name.
    Named,
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
    pub const ALL: [Self; 8] = [
        Self::Copied,
        Self::Moved,
        Self::Flushed,
        Self::Named,
        Self::Registered,
        Self::Invalidated,
        Self::Discarded,
        Self::Deleted,
    ];
}

/// Told of every step.
pub(crate) type Observer = Box<dyn Fn(Step) + Send + Sync>;

//! Finds damage and names it: bits that flipped, files that came or went, rows that lie.
//!
//! A store path is its own proof: it is the hash of a name, a tree and references. So a row is checked by making its
//! path anew from what it says, and an object's files by making the tree's digest anew.
//!
//! Files without a row are told of and no damage: a crash leaves them, and the collector takes them.

use crate::audit::{Audit, ObjectRow};
use crate::database::DatabaseError;
use crate::folder::FOLDERS;
use crate::inspect::{Fault, inspect, is_trusted};
use crate::object::{self, CalledOff, ObjectError};
use crate::record::{self, Differences};
use crate::root::entries;
use crate::scan::Wanted;
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use sx_derivation::{Derivation, Digest, StorePath};

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Rows, and the files' lengths, kinds, modes, times, owners and attributes; every byte of an object in which one of these is
    /// wrong.
    Metadata,
    /// All that, and every byte.
    Contents,
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Verification {
    /// Number of objects.
    pub objects: usize,
    /// Sum of their sizes in bytes.
    pub size_bytes: u64,
    /// What is wrong, database first, then by path.
    pub damage: Vec<Damage>,
    /// What has an object's name and no row: left by a crash, being made, or put there by somebody. The collector takes what
    /// nobody holds.
    pub unregistered: Vec<PathBuf>,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// SQLite can't read the file, or finds that it contradicts itself.
    #[error("the database is damaged: {}", on_one_line(.0))]
    Database(String),
    /// A row holds a text that is no store path.
    #[error("a row of the database names the object `{}`, which is no store path", on_one_line(.0))]
    Name(String),
    /// A row's digest, references and name belong to another path: one of them was changed.
    #[error("the database's row of `{0}` does not say what that path is the hash of")]
    Row(StorePath),
    /// A row tells the size of an object wrongly, whose files are whole.
    #[error(
        "the database's row of `{path}` says that it has {row} bytes, its files, which are whole, have {found}"
    )]
    Size {
        /// The object.
        path: StorePath,
        /// What the row says.
        row: i64,
        /// Its size.
        found: u64,
    },
    /// A row mentions an object that has none itself.
    #[error("the database mentions `{0}` but has no row of it")]
    NoRow(StorePath),
    /// A derivation's text isn't what its path is the hash of.
    #[error("the database's text of the derivation `{0}` is damaged")]
    Derivation(StorePath),
    /// An object isn't there.
    #[error("`{0}` is valid, but its file is missing")]
    Missing(StorePath),
    /// An object's files are longer or shorter than they were.
    #[error("`{path}` has {found} bytes, it came in with {expected}")]
    Length {
        /// The object.
        path: StorePath,
        /// Its size then.
        expected: u64,
        /// Its size now.
        found: u64,
    },
    /// An object's files aren't what its path is the hash of.
    #[error("`{path}` has a tree with digest {found}, it came in with {expected}")]
    Contents {
        /// The object.
        path: StorePath,
        /// Digest then.
        expected: Digest,
        /// Digest now.
        found: Digest,
    },
    /// A file's mode was changed.
    #[error("{} has mode {mode:04o}, expected {expected}", within(path, file))]
    Mode {
        /// The object.
        path: StorePath,
        /// The file below it, empty for itself.
        file: PathBuf,
        /// Its mode.
        mode: u32,
        /// What modes a file of its kind may have.
        expected: &'static str,
    },
    /// A file's time was changed.
    #[error("{} has another time of modification than all of the store", within(path, file))]
    Time {
        /// The object.
        path: StorePath,
        /// The file below it, empty for itself.
        file: PathBuf,
    },
    /// A file belongs to somebody who could change it.
    #[error("{} belongs to user {user}, expected {expected}", within(path, file))]
    Owner {
        /// The object.
        path: StorePath,
        /// The file below it, empty for itself.
        file: PathBuf,
        /// Number of its user.
        user: u32,
        /// Number of the store's user.
        expected: u32,
    },
    /// A file has capabilities, or something else that isn't hashed.
    #[error("{} has the extended attribute `{}`, expected none", within(path, file), on_one_line(name))]
    Attribute {
        /// The object.
        path: StorePath,
        /// The file below it, empty for itself.
        file: PathBuf,
        /// The attribute.
        name: String,
    },
    /// One of the store's own folders or files is open to others.
    #[error("{} has mode {mode:04o}, expected no more than {most:04o}", quoted(place))]
    PlaceMode {
        /// Which.
        place: PathBuf,
        /// Its mode.
        mode: u32,
        /// All that it may have.
        most: u32,
    },
    /// One of the store's own folders or files belongs to somebody else.
    #[error("{} belongs to user {user}, expected {expected}", quoted(place))]
    PlaceOwner {
        /// Which.
        place: PathBuf,
        /// Number of its user.
        user: u32,
        /// Number of the store's user.
        expected: u32,
    },
    /// One of the store's own folders is gone.
    #[error("the store's folder {} is missing", quoted(.0))]
    NoPlace(PathBuf),
    /// The second record doesn't say what the database says.
    #[error(
        "the file `realisations` lacks {lacking} of {all} realisations, which would be forgotten if the database were lost"
    )]
    Record {
        /// How many.
        lacking: usize,
        /// Of how many.
        all: usize,
    },
    /// The second record says otherwise than the database, and of two objects that are both valid nothing tells which is right.
    #[error(
        "the database says that output `{}` of `{derivation}` was realised to `{row}`, the file `realisations` says `{record}`",
        on_one_line(output)
    )]
    Contradiction {
        /// What was realised.
        derivation: StorePath,
        /// Which output of it.
        output: String,
        /// To what by the database.
        row: StorePath,
        /// To what by the file.
        record: StorePath,
    },
    /// An object can't be read, or holds what none may hold.
    #[error("`{path}` cannot be read: {}", on_one_line(reason))]
    Unreadable {
        /// The object.
        path: StorePath,
        /// Why.
        reason: String,
    },
    /// A root that isn't one.
    #[error("{} is no link to an object of the store, so it keeps nothing", quoted(.0))]
    IdleRoot(PathBuf),
    /// Something in the store's folder that sx doesn't put there.
    #[error("{} is no object; sx did not put it there", quoted(.0))]
    Foreign(PathBuf),
}

impl Damage {
    /// The object whose files are damaged in a way that only a whole copy mends.
    pub const fn lost(&self) -> Option<&StorePath> {
        match self {
            Self::Missing(path)
            | Self::Length { path, .. }
            | Self::Contents { path, .. }
            | Self::Unreadable { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The object in whose files, or of whose files, something is wrong.
    pub(crate) const fn object(&self) -> Option<&StorePath> {
        match self {
            Self::Mode { path, .. }
            | Self::Time { path, .. }
            | Self::Owner { path, .. }
            | Self::Attribute { path, .. }
            | Self::Size { path, .. } => Some(path),
            _ => self.lost(),
        }
    }

    /// What it is about: an object or a derivation.
    pub const fn path(&self) -> Option<&StorePath> {
        match self {
            Self::Row(path) | Self::NoRow(path) | Self::Derivation(path) => Some(path),
            Self::Contradiction { derivation, .. } => Some(derivation),
            _ => self.object(),
        }
    }

    /// The file that it is about: below the object, empty for itself; or else on disk.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Mode { file, .. }
            | Self::Time { file, .. }
            | Self::Owner { file, .. }
            | Self::Attribute { file, .. } => Some(file),
            Self::PlaceMode { place, .. }
            | Self::PlaceOwner { place, .. }
            | Self::NoPlace(place)
            | Self::IdleRoot(place)
            | Self::Foreign(place) => Some(place),
            _ => None,
        }
    }

    /// A word for its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Database(_) => "database",
            Self::Name(_) => "name",
            Self::Row(_) => "row",
            Self::Size { .. } => "size",
            Self::NoRow(_) => "no_row",
            Self::Derivation(_) => "derivation",
            Self::Missing(_) => "missing",
            Self::Length { .. } => "length",
            Self::Contents { .. } => "contents",
            Self::Mode { .. } => "mode",
            Self::Time { .. } => "time",
            Self::Owner { .. } => "owner",
            Self::Attribute { .. } => "attribute",
            Self::PlaceMode { .. } => "place_mode",
            Self::PlaceOwner { .. } => "place_owner",
            Self::NoPlace(_) => "no_place",
            Self::Record { .. } => "record",
            Self::Contradiction { .. } => "contradiction",
            Self::Unreadable { .. } => "unreadable",
            Self::IdleRoot(_) => "idle_root",
            Self::Foreign(_) => "foreign",
        }
    }
}

/// A file's name between backticks; one that would break a line, or is no text, as Rust writes it.
fn quoted(name: &Path) -> String {
    let is_plain = |text: &&str| !text.contains(char::is_control);
    name.to_str().filter(is_plain).map_or_else(|| format!("{name:?}"), |text| format!("`{text}`"))
}

/// A file of an object, or the object itself.
fn within(path: &StorePath, file: &Path) -> String {
    if file.as_os_str().is_empty() { format!("`{path}`") } else { format!("`{path}`: {}", quoted(file)) }
}

fn on_one_line(text: &str) -> String {
    let escaped = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// What beside the folders is the store's own, with all that its mode may have. Of the whole only that nobody else may write to it:
/// who made it for sx gave it a mode of his own.
const OTHERS: [(&str, u32); 8] = [
    ("", 0o775),
    ("failed", 0o700),
    ("database", 0o664),
    ("database-wal", 0o664),
    ("database-shm", 0o664),
    ("realisations", 0o664),
    ("reserved", 0o664),
    ("gate", 0o664),
];

/// How an object is looked at.
#[derive(Clone, Copy)]
struct Look<'a> {
    depth: Depth,
    /// Number of the user whom the store belongs to.
    owner: u32,
    cancelled: &'a AtomicBool,
}

impl Store {
    /// Reads all of a valid object, and fails if it isn't what it was.
    pub fn prove(&self, path: &StorePath, called_off: &CalledOff<'_>) -> Result<(), StoreError> {
        let found =
            object::read(&self.location(path), &Wanted::of(path, &Arc::default()), None, called_off)?.tree;
        match self.database().object(path)?.map(|object| object.tree) {
            Some(expected) if expected != found => {
                Err(StoreError::Damaged { path: path.clone(), found, expected })
            }
            _ => Ok(()),
        }
    }

    /// Looks at everything, with as many threads as `jobs`. Fails only if it can't look; what is wrong is told.
    pub fn verify(
        &self,
        depth: Depth,
        jobs: usize,
        cancelled: &AtomicBool,
    ) -> Result<Verification, StoreError> {
        let audit = match self.database().audit() {
            Err(error @ DatabaseError::Sqlite { .. }) if error.is_damage() => {
                let reason = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
                let damage = vec![Damage::Database(reason)];
                return Ok(Verification { damage, ..Verification::default() });
            }
            audit => audit?,
        };
        let mut verification = Verification { objects: audit.objects.len(), ..Verification::default() };
        verification.damage.extend(audit.faults.iter().cloned().map(Damage::Database));
        verification.damage.extend(of_rows(&audit));
        // What can't be asked because of a damaged row is named by that.
        if let Ok(differences) = record::differences(self) {
            let Differences { lacking, all, contradictions } = differences;
            verification.damage.extend((lacking > 0).then_some(Damage::Record { lacking, all }));
            verification.damage.extend(contradictions);
        }
        let owner = std::fs::metadata(self.folder()).map_err(StoreError::io("look at", self.folder()))?.uid();
        verification.damage.extend(self.of_places(owner)?);
        let look = Look { depth, owner, cancelled };
        let (rows, damage) = (Rows::new(&audit), Mutex::new(BTreeMap::new()));
        let sizes = rows.0.iter().map(|(_, row)| row.size_bytes.unsigned_abs());
        verification.size_bytes = sizes.fold(0, u64::saturating_add);
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), StoreError> {
            while let Some((path, row)) = rows.0.get(next.fetch_add(1, Ordering::Relaxed)) {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(StoreError::Interrupted);
                }
                // What a collector took since isn't damaged.
                if self.hold(path)? {
                    let found = self.of_object(path, row, look)?;
                    damage.lock().unwrap_or_else(PoisonError::into_inner).insert((*path).clone(), found);
                }
            }
            Ok(())
        };
        let looked: Result<(), StoreError> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
            let mut ended = threads.into_iter().map(|thread| thread.join());
            ended.try_for_each(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        looked?;
        let found = damage.into_inner().unwrap_or_else(PoisonError::into_inner);
        verification.damage.extend(found.into_values().flatten());
        for place in entries(&self.folder().join("store"))? {
            let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_passing = name.starts_with(".new-") || name.starts_with(".old-");
            match StorePath::parse_base_name(name) {
                Ok(path) if audit.objects.contains_key(&path.to_string()) => {}
                // Another process may have made it valid since.
                Ok(path) if self.database().is_valid(&path)? => {}
                Ok(_) => verification.unregistered.push(place),
                Err(_) if is_passing => {}
                Err(_) => verification.damage.push(Damage::Foreign(place)),
            }
        }
        verification.damage.extend(self.idle_roots()?.into_iter().map(Damage::IdleRoot));
        Ok(verification)
    }

    /// What is wrong with the store's own folders and files, whatever they hold.
    fn of_places(&self, owner: u32) -> Result<Vec<Damage>, StoreError> {
        let mut damage = Vec::new();
        let folders = FOLDERS.map(|(name, most)| (name, most, true));
        let others = OTHERS.map(|(name, most)| (name, most, false));
        for (name, most, is_needed) in folders.into_iter().chain(others) {
            let place = if name.is_empty() { self.folder().into() } else { self.folder().join(name) };
            let found = match std::fs::metadata(&place) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    damage.extend(is_needed.then_some(Damage::NoPlace(place)));
                    continue;
                }
                found => found.map_err(StoreError::io("look at", &place))?,
            };
            let mode = found.mode() & 0o777;
            if mode & !most != 0 {
                damage.push(Damage::PlaceMode { place: place.clone(), mode, most });
            }
            if !is_trusted(found.uid(), owner) {
                damage.push(Damage::PlaceOwner { place, user: found.uid(), expected: owner });
            }
        }
        Ok(damage)
    }

    /// What is wrong with an object's files.
    fn of_object(
        &self,
        path: &StorePath,
        row: &ObjectRow,
        Look { depth, owner, cancelled }: Look<'_>,
    ) -> Result<Vec<Damage>, StoreError> {
        let location = self.location(path);
        let inspection = match inspect(&location, owner) {
            Ok(inspection) => inspection,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(vec![Damage::Missing(path.clone())]);
            }
            Err(error) => {
                return Ok(vec![Damage::Unreadable { path: path.clone(), reason: error.to_string() }]);
            }
        };
        let row_size = u64::try_from(row.size_bytes).ok();
        let (length, found) = (row.size_bytes.unsigned_abs(), inspection.size_bytes);
        let has_length = row_size == Some(found);
        // Who changed a file left another time, most often, and nothing else that is cheap to see.
        let is_read = depth == Depth::Contents || !has_length || !inspection.faults.is_empty();
        let mut damage: Vec<Damage> = inspection
            .faults
            .into_iter()
            .filter_map(|(file, fault)| match (path.clone(), fault) {
                (path, Fault::Mode(mode, expected)) => Some(Damage::Mode { path, file, mode, expected }),
                (path, Fault::Time) => Some(Damage::Time { path, file }),
                (path, Fault::Owner(user)) => Some(Damage::Owner { path, file, user, expected: owner }),
                (path, Fault::Attribute(name)) => Some(Damage::Attribute { path, file, name }),
                (_, Fault::Kind) => None,
            })
            .collect();
        if !is_read {
            return Ok(damage);
        }
        let wanted = Wanted::of(path, &Arc::default());
        let expected = row.tree.as_slice().try_into().map_or(Digest::of(b""), Digest::from_bytes);
        let read = object::read(&location, &wanted, None, &|| cancelled.load(Ordering::Relaxed));
        let path = path.clone();
        match read {
            Ok(contents) if contents.tree == expected => {
                damage.extend((!has_length).then_some(Damage::Size { path, row: row.size_bytes, found }));
                return Ok(damage);
            }
            Ok(contents) => {
                damage.push(Damage::Contents { path: path.clone(), expected, found: contents.tree })
            }
            Err(ObjectError::CalledOff) => return Err(StoreError::Interrupted),
            Err(error) => damage.push(Damage::Unreadable { path: path.clone(), reason: error.to_string() }),
        }
        damage.extend((!has_length).then_some(Damage::Length { path, expected: length, found }));
        Ok(damage)
    }
}

/// The rows whose paths can be read.
struct Rows<'a>(Vec<(StorePath, &'a ObjectRow)>);

impl<'a> Rows<'a> {
    fn new(audit: &'a Audit) -> Self {
        let rows = audit.objects.iter();
        Self(rows.filter_map(|(text, row)| Some((StorePath::parse(text).ok()?, row))).collect())
    }
}

/// What is wrong with rows, whatever the files are.
fn of_rows(audit: &Audit) -> Vec<Damage> {
    let mut damage = Vec::new();
    for (text, row) in &audit.objects {
        match StorePath::parse(text) {
            Err(_) => damage.push(Damage::Name(text.clone())),
            Ok(path) if path_of_row(&path, row).as_ref() != Some(&path) => damage.push(Damage::Row(path)),
            Ok(_) => {}
        }
    }
    for text in &audit.dangling {
        damage.push(StorePath::parse(text).map_or_else(|_| Damage::Name(text.clone()), Damage::NoRow));
    }
    for (text, encoded) in &audit.derivations {
        let Ok(path) = StorePath::parse(text) else {
            damage.push(Damage::Name(text.clone()));
            continue;
        };
        let name = path.plain_name();
        let decoded = Derivation::decode(name, encoded).ok();
        if decoded.and_then(|derivation| derivation.path().ok()).as_ref() != Some(&path) {
            damage.push(Damage::Derivation(path));
        }
    }
    damage
}

/// The path that a row's facts belong to.
fn path_of_row(path: &StorePath, row: &ObjectRow) -> Option<StorePath> {
    let tree = Digest::from_bytes(row.tree.as_slice().try_into().ok()?);
    let references = row.references.iter().map(|text| StorePath::parse(text).ok());
    let references: BTreeSet<StorePath> = references.collect::<Option<_>>()?;
    StorePath::of_object(path.name(), tree, &references, row.refers_to_itself).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn each_damage_is_a_line_that_names_the_file() {
        let path = StorePath::new(Digest::of(b"x"), "x").unwrap();
        let mode = |file: &[u8], mode, expected| {
            let file = OsStr::from_bytes(file).into();
            Damage::Mode { path: path.clone(), file, mode, expected }.to_string()
        };
        assert_eq!(mode(b"", 0o755, "0555"), format!("`{path}` has mode 0755, expected 0555"));
        assert_eq!(mode(b"a/b", 0, "0555"), format!("`{path}`: `a/b` has mode 0000, expected 0555"));
        assert!(mode(b"a\nb", 0, "").contains("`: \"a\\nb\" has"), "{}", mode(b"a\nb", 0, ""));
        assert!(mode(b"a\xff", 0, "").contains("`: \"a\\xFF\" has"), "{}", mode(b"a\xff", 0, ""));
        let reason = "cannot read `a\nb`".to_owned();
        for damage in [
            Damage::Unreadable { path, reason: reason.clone() },
            Damage::Name(reason.clone()),
            Damage::Database(reason),
            Damage::Foreign("a\nb".into()),
        ] {
            assert_eq!(damage.to_string().lines().count(), 1, "{damage}");
        }
    }
}

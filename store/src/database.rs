//! The store's database: which objects are valid, what they refer to, and what derivations were realised to.
//!
//! SQLite in WAL mode with `synchronous=FULL`: what was committed outlives a power cut. An object gets its row last,
//! when its files are durable, so the database never names what isn't there; files without a row are garbage.

mod error;

pub use error::DatabaseError;

use crate::explain::{self, Earlier};
use crate::lock::Pause;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use sx_derivation::{Derivation, Digest, StorePath};

/// The layout of the tables. A store with a higher number is from a newer sx.
pub const SCHEMA_VERSION: i64 = 3;

/// Marks the file as a store's database, in SQLite's header: `sxst`. With another one it is somebody else's. Stores that were
/// made before have none, and get it when they are opened.
const APPLICATION: i64 = 0x7378_7374;

/// How long to wait for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// How many prepared statements are kept.
const STATEMENTS: usize = 32;

/// What is known of a valid object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its path.
    pub path: StorePath,
    /// Digest of its tree with mentions of itself blanked: its path is made from it.
    pub tree: Digest,
    /// Sum of the files' and links' lengths in bytes.
    pub size_bytes: u64,
    /// Objects that it mentions, itself excepted.
    pub references: BTreeSet<StorePath>,
    /// Whether it mentions itself.
    pub refers_to_itself: bool,
}

/// What is said of derivations.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// A derivation's output, and the object that it was realised to.
    pub realisations: Vec<(StorePath, String, StorePath)>,
    /// Texts to keep.
    pub derivations: Vec<(StorePath, Vec<u8>)>,
    /// Derivations to tell differences from later.
    pub earlier: Vec<Earlier>,
}

impl Said {
    pub(crate) fn append(&mut self, other: Self) {
        self.realisations.extend(other.realisations);
        self.derivations.extend(other.derivations);
        self.earlier.extend(other.earlier);
    }
}

/// All objects and how they refer to one another.
#[derive(Clone, Debug, Default)]
pub struct ObjectGraph {
    /// Each object and its size in bytes.
    pub objects: Vec<(StorePath, u64)>,
    /// Positions in `objects`: who refers, to what.
    pub references: Vec<(usize, usize)>,
}

/// An open database. Threads share it, processes open their own.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// What the file was, if SQLite reads it without any lock.
    unlocked: Option<Stamp>,
}

/// Changes when a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    file: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        let changed = (found.mtime(), found.mtime_nsec());
        Some(Self { file: found.ino(), length: found.len(), changed })
    }
}

const SCHEMA: &str = "
    create table object (
        path text primary key,
        tree blob not null,
        size integer not null,
        refers_to_itself integer not null
    ) strict, without rowid;
    create table reference (
        referrer text not null references object(path) on delete cascade,
        reference text not null references object(path),
        primary key (referrer, reference)
    ) strict, without rowid;
    create index referrers on reference (reference);
    create table realisation (
        derivation text not null,
        output text not null,
        path text not null references object(path) on delete cascade,
        primary key (derivation, output)
    ) strict, without rowid;
    create table derivation (
        path text primary key,
        text blob not null
    ) strict, without rowid;
";

/// What each version adds to the one before. Without the index, each deleted object would look at all realisations.
const MIGRATIONS: [&str; 2] = [
    "create index realised on realisation (path);",
    "alter table realisation add column substituted integer not null default 0;",
];

type Rows<T> = Result<T, rusqlite::Error>;

impl Database {
    /// Opens the database at `path`, and makes it if there is none.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        if let Some(database) = Self::find(path)? {
            return Ok(database);
        }
        let failed = |source| DatabaseError::of_sqlite(path, source);
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        when_free(|| prepare(&mut connection, None)).map_err(failed)?;
        Ok(Self::new(path, connection))
    }

    fn new(path: &Path, connection: Connection) -> Self {
        Self { path: path.into(), connection: Mutex::new(connection), unlocked: None }
    }

    /// Opens the database at `path`. `None` if there is no file, or if nobody has made a table in it yet.
    pub(crate) fn find(path: &Path) -> Result<Option<Self>, DatabaseError> {
        if std::fs::symlink_metadata(path).is_err() {
            return Ok(None);
        }
        let failed = |source| DatabaseError::of_sqlite(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        let Some(header) = Header::checked(path, &connection)? else { return Ok(None) };
        when_free(|| prepare(&mut connection, Some(&header))).map_err(failed)?;
        Ok(Some(Self::new(path, connection)))
    }

    /// The same where nothing can be written. Gives what is in it now: rows that somebody adds may be seen or not.
    pub(crate) fn find_to_read(path: &Path) -> Result<Option<Self>, DatabaseError> {
        let Some(stamp) = Stamp::of(path) else { return Ok(None) };
        let failed = |source| DatabaseError::of_sqlite(path, source);
        let log = std::fs::metadata(path.with_file_name("database-wal"));
        // SQLite would make files beside it, where nobody may. All is in the file itself, so none are needed.
        let unlocked = log.map_or(true, |log| log.len() == 0).then_some(stamp);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match unlocked {
            Some(_) => Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI),
            None => Connection::open_with_flags(path, flags),
        };
        let found = Self::to_read(path, connection.map_err(failed)?)?;
        Ok(found.map(|database| Self { unlocked, ..database }))
    }

    /// The same where there is no room for the file by which processes share the database: nobody else has it meanwhile.
    pub(crate) fn find_alone(path: &Path) -> Result<Option<Self>, DatabaseError> {
        let failed = |source| DatabaseError::of_sqlite(path, source);
        // The lock on it takes the right to write.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.pragma_update(None, "locking_mode", "exclusive").map_err(failed)?;
        secure(&connection).map_err(failed)?;
        Self::to_read(path, connection)
    }

    fn to_read(path: &Path, connection: Connection) -> Result<Option<Self>, DatabaseError> {
        let Some(header) = Header::checked(path, &connection)? else { return Ok(None) };
        if header.version < SCHEMA_VERSION {
            return Err(DatabaseError::OlderVersion { path: path.into(), found: header.version });
        }
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Some(Self::new(path, connection)))
    }

    /// Brings all that was committed into the one file, durably, so that it can be moved without those beside it.
    pub(crate) fn gather(&self) -> Result<(), DatabaseError> {
        let sql = "pragma wal_checkpoint(truncate)";
        let is_busy: bool = self.run(|connection| connection.query_row(sql, [], |row| row.get(0)))?;
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        if is_busy { Err(self.failed(rusqlite::Error::SqliteFailure(busy, None))) } else { Ok(()) }
    }

    /// Whether `path` is a valid object.
    pub fn is_valid(&self, path: &StorePath) -> Result<bool, DatabaseError> {
        let sql = "select 1 from object where path = ?";
        let found = self.run(|connection| {
            connection.prepare_cached(sql)?.query_row([path.to_string()], |_| Ok(())).optional()
        })?;
        Ok(found.is_some())
    }

    /// What is known of the object at `path`, `None` if it isn't valid.
    pub fn object(&self, path: &StorePath) -> Result<Option<Object>, DatabaseError> {
        let sql = "select tree, size, refers_to_itself from object where path = ?";
        let row = self.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?));
            statement.query_row([path.to_string()], row).optional()
        })?;
        let Some((tree, size, refers_to_itself)) = row else { return Ok(None) };
        Ok(Some(Object {
            path: path.clone(),
            tree: Digest::from_bytes(tree),
            size_bytes: size.unsigned_abs(),
            references: self.references(path)?,
            refers_to_itself,
        }))
    }

    /// What `path` mentions, itself excepted.
    pub fn references(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, DatabaseError> {
        let sql = "select reference from reference where referrer = ?";
        let texts: Vec<String> = self.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([path.to_string()], |row| row.get(0))?.collect()
        })?;
        texts.into_iter().map(read_path).collect()
    }

    /// What mentions `path`, itself excepted.
    pub(crate) fn referrers(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, DatabaseError> {
        let sql = "select referrer from reference where reference = ?";
        let texts: Vec<String> = self.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([path.to_string()], |row| row.get(0))?.collect()
        })?;
        texts.into_iter().map(read_path).collect()
    }

    /// All that the `paths` reach by references, themselves included, valid or not.
    pub fn closure<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a StorePath>,
    ) -> Result<BTreeSet<StorePath>, DatabaseError> {
        let sql = "with recursive reached (path) as (
                values (?) union select reference from reference join reached on referrer = path
            ) select path from reached";
        let mut reached = BTreeSet::new();
        for path in paths {
            if reached.contains(path) {
                continue;
            }
            let texts: Vec<String> = self.run(|connection| {
                let mut statement = connection.prepare_cached(sql)?;
                statement.query_map([path.to_string()], |row| row.get(0))?.collect()
            })?;
            for text in texts {
                reached.insert(read_path(text)?);
            }
        }
        Ok(reached)
    }

    /// What output `output` of the derivation at `derivation` was realised to.
    pub fn realisation(
        &self,
        derivation: &StorePath,
        output: &str,
    ) -> Result<Option<StorePath>, DatabaseError> {
        let sql = "select path from realisation where derivation = ? and output = ?";
        let text: Option<String> = self.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row([&derivation.to_string(), output], |row| row.get(0)).optional()
        })?;
        text.map(read_path).transpose()
    }

    /// The derivation at `path`, if it was kept.
    pub fn derivation(&self, path: &StorePath) -> Result<Option<Derivation>, DatabaseError> {
        let sql = "select text from derivation where path = ?";
        let text: Option<Vec<u8>> = self.run(|connection| {
            connection.prepare_cached(sql)?.query_row([path.to_string()], |row| row.get(0)).optional()
        })?;
        let Some(text) = text else { return Ok(None) };
        let name = path.plain_name();
        let damaged = || DatabaseError::Damaged { found: path.to_string(), expected: "derivation" };
        Derivation::decode(name, &text).map(Some).map_err(|_| damaged())
    }

    /// Makes objects valid and says what derivations were realised to, all or nothing.
    /// Objects come after the ones that they refer to. What is there already stays as it is.
    pub fn register(&self, objects: &[Object], said: &Said) -> Result<(), DatabaseError> {
        self.write(|transaction| {
            for object in objects {
                let mut insert =
                    transaction.prepare_cached("insert or ignore into object values (?, ?, ?, ?)")?;
                let size = i64::try_from(object.size_bytes).unwrap_or(i64::MAX);
                let path = object.path.to_string();
                insert.execute(params![path, object.tree.as_bytes(), size, object.refers_to_itself])?;
                let mut insert =
                    transaction.prepare_cached("insert or ignore into reference values (?, ?)")?;
                for reference in &object.references {
                    insert.execute([&path, &reference.to_string()])?;
                }
            }
            for (derivation, output, path) in &said.realisations {
                let sql = "insert or replace into realisation (derivation, output, path) values (?, ?, ?)";
                let row = [&derivation.to_string(), output, &path.to_string()];
                transaction.prepare_cached(sql)?.execute(row)?;
            }
            insert_derivations(transaction, &said.derivations)?;
            said.earlier.iter().try_for_each(|earlier| earlier.insert(transaction))
        })
    }

    /// Says what derivations were realised to elsewhere, all or nothing; the objects are valid. What was built here stays as it
    /// is.
    pub(crate) fn register_substituted(
        &self,
        realisations: &[(StorePath, String, StorePath)],
        derivations: &[(StorePath, Vec<u8>)],
    ) -> Result<(), DatabaseError> {
        self.write(|transaction| {
            for (derivation, output, path) in realisations {
                let sql = "insert or ignore into realisation (derivation, output, path, substituted) values (?, ?, ?, 1)";
                let row = [&derivation.to_string(), output, &path.to_string()];
                transaction.prepare_cached(sql)?.execute(row)?;
            }
            insert_derivations(transaction, derivations)
        })
    }

    /// Whether what the output was realised to came from elsewhere, so that nobody here has seen it come out so.
    pub fn is_substituted(&self, derivation: &StorePath, output: &str) -> Result<bool, DatabaseError> {
        let sql = "select 1 from realisation where derivation = ? and output = ? and substituted";
        let found = self.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row([&derivation.to_string(), output], |_| Ok(())).optional()
        })?;
        Ok(found.is_some())
    }

    /// The paths of all objects with their sizes in bytes, and all references as positions in that list, each with
    /// the referrer first. Both in the order of the paths' texts.
    pub fn graph(&self) -> Result<ObjectGraph, DatabaseError> {
        let (objects, references) = self.run(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut all = transaction.prepare("select path, size from object order by path")?;
            let objects = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let objects = objects.collect::<Rows<Vec<(String, i64)>>>()?;
            let mut all = transaction.prepare("select referrer, reference from reference")?;
            let references = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((objects, references.collect::<Rows<Vec<(String, String)>>>()?))
        })?;
        let position = |text: &String| objects.binary_search_by(|(path, _)| path.cmp(text));
        let references = references.iter().map(|(referrer, reference)| {
            let dangling = |_| DatabaseError::Damaged { found: reference.clone(), expected: "object" };
            Ok((position(referrer).map_err(dangling)?, position(reference).map_err(dangling)?))
        });
        let references = references.collect::<Result<_, DatabaseError>>()?;
        let objects = objects.into_iter().map(|(text, size)| Ok((read_path(text)?, size.unsigned_abs())));
        Ok(ObjectGraph { objects: objects.collect::<Result<_, DatabaseError>>()?, references })
    }

    /// The paths of all derivations that were kept.
    pub fn derivations(&self) -> Result<Vec<StorePath>, DatabaseError> {
        let texts: Vec<String> = self.run(|connection| {
            let mut all = connection.prepare_cached("select path from derivation order by path")?;
            all.query_map([], |row| row.get(0))?.collect()
        })?;
        texts.into_iter().map(read_path).collect()
    }

    /// The paths of all objects.
    pub fn paths(&self) -> Result<Vec<StorePath>, DatabaseError> {
        let texts: Vec<String> = self.run(|connection| {
            let mut all = connection.prepare_cached("select path from object order by path")?;
            all.query_map([], |row| row.get(0))?.collect()
        })?;
        texts.into_iter().map(read_path).collect()
    }

    /// The derivations, and which of their outputs, that were realised to `path`.
    pub fn makers(&self, path: &StorePath) -> Result<Vec<(StorePath, String)>, DatabaseError> {
        let sql = "select derivation, output from realisation where path = ? order by derivation, output";
        let rows: Vec<(String, String)> = self.run(|connection| {
            let mut all = connection.prepare_cached(sql)?;
            all.query_map([path.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        rows.into_iter().map(|(derivation, output)| Ok((read_path(derivation)?, output))).collect()
    }

    /// Deletes every row about a path that was found to be wrong.
    pub(crate) fn forget(&self, text: &str) -> Result<(), DatabaseError> {
        self.write_unchecked(|transaction| {
            for sql in [
                "delete from reference where referrer = ?1 or reference = ?1",
                "delete from realisation where derivation = ?1 or path = ?1",
                "delete from derivation where path = ?1",
                "delete from object where path = ?1",
            ] {
                transaction.execute(sql, [text])?;
            }
            Ok(())
        })
    }

    /// Deletes what an output is said to be realised to.
    pub(crate) fn forget_realisation(
        &self,
        derivation: &StorePath,
        output: &str,
    ) -> Result<(), DatabaseError> {
        let sql = "delete from realisation where derivation = ? and output = ?";
        self.write(|transaction| transaction.execute(sql, [&derivation.to_string(), output]).map(drop))
    }

    /// Writes the rows of objects anew, whatever they were.
    pub(crate) fn restore(&self, objects: &[Object]) -> Result<(), DatabaseError> {
        self.write_unchecked(|transaction| {
            for object in objects {
                let path = object.path.to_string();
                transaction.execute("delete from reference where referrer = ?", [&path])?;
                let size = i64::try_from(object.size_bytes).unwrap_or(i64::MAX);
                let row = params![path, object.tree.as_bytes(), size, object.refers_to_itself];
                transaction.execute("insert or replace into object values (?, ?, ?, ?)", row)?;
                for reference in &object.references {
                    let row = [&path, &reference.to_string()];
                    transaction.execute("insert into reference values (?, ?)", row)?;
                }
            }
            Ok(())
        })
    }

    /// Changes rows that contradict one another already.
    fn write_unchecked(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Rows<()>,
    ) -> Result<(), DatabaseError> {
        let check =
            |value: bool| self.run(|connection| connection.pragma_update(None, "foreign_keys", value));
        check(false)?;
        let done = self.write(change);
        check(true)?;
        done
    }

    /// Makes objects invalid, each before those that it refers to, with what derivations were realised to them, and
    /// forgets derivations that aren't realised to anything. All or nothing. Gives the paths of the forgotten.
    pub fn invalidate<'a>(
        &self,
        objects: impl IntoIterator<Item = &'a StorePath>,
    ) -> Result<Vec<StorePath>, DatabaseError> {
        let texts: Vec<String> = self.write(|transaction| {
            let mut delete = transaction.prepare_cached("delete from object where path = ?")?;
            for path in objects {
                delete.execute([path.to_string()])?;
            }
            let sql = "delete from derivation where path not in (select derivation from realisation) returning path";
            transaction.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect()
        })?;
        texts.into_iter().map(read_path).collect()
    }

    pub(crate) fn run<T>(&self, query: impl FnOnce(&Connection) -> Rows<T>) -> Result<T, DatabaseError> {
        let result = query(&self.lock()).map_err(|source| self.failed(source));
        if self.unlocked.is_some() && self.unlocked != Stamp::of(&self.path) {
            return Err(DatabaseError::Changed { path: self.path.clone() });
        }
        result
    }

    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Rows<T>) -> Result<T, DatabaseError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let done = transaction.and_then(|transaction| {
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        done.map_err(|source| self.failed(source))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while it was held rolled its transaction back, so the connection is sound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: rusqlite::Error) -> DatabaseError {
        DatabaseError::of_sqlite(&self.path, source)
    }
}

fn insert_derivations(transaction: &Transaction<'_>, derivations: &[(StorePath, Vec<u8>)]) -> Rows<()> {
    for (path, text) in derivations {
        let sql = "insert or ignore into derivation values (?, ?)";
        transaction.prepare_cached(sql)?.execute(params![path.to_string(), text])?;
    }
    Ok(())
}

/// The address of a file that SQLite may take for one that never changes.
fn immutable(path: &Path) -> String {
    let mut address = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => address.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => address.push(byte.into()),
            _ => address.push_str(&format!("%{byte:02x}")),
        }
    }
    address + "?immutable=1"
}

/// What a file says of itself.
struct Header {
    application: i64,
    version: i64,
    /// Number of tables of any name.
    tables: i64,
    /// Number of those that the first version has already.
    own_tables: i64,
}

impl Header {
    /// Of one moment: another process may be making the tables.
    fn read(connection: &Connection) -> Rows<Self> {
        let sql = "select (select application_id from pragma_application_id), (select user_version from pragma_user_version),
            (select count(*) from sqlite_schema where type = 'table'),
            (select count(*) from sqlite_schema where type = 'table'
                and name in ('object', 'reference', 'realisation', 'derivation'))";
        let transaction = connection.unchecked_transaction()?;
        transaction.query_row(sql, [], |row| {
            Ok(Self {
                application: row.get(0)?,
                version: row.get(1)?,
                tables: row.get(2)?,
                own_tables: row.get(3)?,
            })
        })
    }

    /// What it says, if it is a store's and of a version that can be read; `None` if there is nothing in it.
    fn checked(path: &Path, connection: &Connection) -> Result<Option<Self>, DatabaseError> {
        let failed = |source| DatabaseError::of_sqlite(path, source);
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let header = when_free(|| Self::read(connection)).map_err(failed)?;
        if header.tables == 0 && header.version == 0 {
            return Ok(None);
        }
        if let Some(found) = header.what_is_wrong() {
            return Err(DatabaseError::Lost { path: path.into(), found });
        }
        if header.version > SCHEMA_VERSION {
            return Err(DatabaseError::NewerVersion { path: path.into(), found: header.version });
        }
        Ok(Some(header))
    }

    /// Why it is no store's. One of a newer version may have other tables.
    fn what_is_wrong(&self) -> Option<&'static str> {
        match self.application {
            APPLICATION if self.version > SCHEMA_VERSION => None,
            APPLICATION | 0 if self.own_tables == 4 => None,
            APPLICATION | 0 => Some("lacks tables of a store"),
            _ => Some("is another program's"),
        }
    }
}

/// Does `work` as soon as nobody has the database locked. While one becomes a database with a log (WAL), SQLite waits for nobody, whatever
/// timeout it was given: of two that make a store at once, one would fail.
fn when_free<T>(mut work: impl FnMut() -> Rows<T>) -> Rows<T> {
    let (begin, mut pause) = (Instant::now(), Pause::default());
    loop {
        match work() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begin.elapsed() < BUSY_TIMEOUT =>
            {
                pause.sleep();
            }
            done => return done,
        }
    }
}

/// Sets the connection up, makes the tables if there are none, and adds what later versions have. `found` is what the file said.
fn prepare(connection: &mut Connection, found: Option<&Header>) -> Rows<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if found.is_none_or(|found| found.version < SCHEMA_VERSION || found.application != APPLICATION) {
        connection.pragma_update(None, "journal_mode", "wal")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "select user_version from pragma_user_version";
        let mut found: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
        if found == 0 {
            transaction.execute_batch(SCHEMA)?;
            found = 1;
        }
        for migration in MIGRATIONS.iter().skip(usize::try_from(found - 1).unwrap_or(usize::MAX)) {
            transaction.execute_batch(migration)?;
            found += 1;
        }
        transaction.pragma_update(None, "user_version", found)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.commit()?;
    }
    connection.execute_batch(explain::TABLE)?;
    secure(connection)
}

/// Lets nothing be lost that was committed, and no row refer to one that isn't there.
fn secure(connection: &Connection) -> Rows<()> {
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)
}

pub(crate) fn read_path(text: String) -> Result<StorePath, DatabaseError> {
    StorePath::parse(&text).map_err(|_| DatabaseError::Damaged { found: text, expected: "store path" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, references: &[&Object]) -> Object {
        let references: BTreeSet<_> = references.iter().map(|object| object.path.clone()).collect();
        let tree = Digest::of(name.as_bytes());
        let path = StorePath::of_object(name, tree, &references, false).unwrap();
        Object { path, tree, size_bytes: 7, references, refers_to_itself: false }
    }

    #[test]
    fn what_was_registered_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        let leaf = object("leaf", &[]);
        let tool = object("tool", &[&leaf]);
        let derivation = StorePath::of_derivation("tool", b"").unwrap();
        let database = Database::open(&file).unwrap();
        let realisations = vec![(derivation.clone(), "out".into(), tool.path.clone())];
        let said = Said { realisations, ..Said::default() };
        database.register(&[leaf.clone(), tool.clone()], &said).unwrap();
        drop(database);
        let database = Database::open(&file).unwrap();
        assert!(database.is_valid(&leaf.path).unwrap());
        assert_eq!(database.object(&tool.path).unwrap(), Some(tool.clone()));
        assert_eq!(database.realisation(&derivation, "out").unwrap(), Some(tool.path));
        assert_eq!(database.realisation(&derivation, "dev").unwrap(), None);
    }

    #[test]
    fn an_object_that_refers_to_what_is_not_valid_is_refused_whole() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db")).unwrap();
        let (first, missing) = (object("first", &[]), object("missing", &[]));
        let dangling = object("dangling", &[&missing]);
        assert!(database.register(&[first.clone(), dangling], &Said::default()).is_err());
        assert!(!database.is_valid(&first.path).unwrap());
    }

    #[test]
    fn one_who_may_not_write_reads_all_that_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a b%3f?").join("database");
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        let names = || -> BTreeSet<_> {
            let beside = std::fs::read_dir(file.parent().unwrap()).unwrap();
            beside.map(|entry| entry.unwrap().file_name()).collect()
        };
        assert!(Database::find_to_read(&file).unwrap().is_none());
        let (first, second) = (object("first", &[]), object("second", &[]));
        let database = Database::open(&file).unwrap();
        database.register(std::slice::from_ref(&first), &Said::default()).unwrap();
        drop(database);
        let reader = Database::find_to_read(&file).unwrap().unwrap();
        assert!(reader.is_valid(&first.path).unwrap());
        assert_eq!(names(), BTreeSet::from(["database".into()]), "it makes no files");
        assert!(reader.register(std::slice::from_ref(&second), &Said::default()).is_err());
        // Committed, but not in the file itself yet.
        let database = Database::open(&file).unwrap();
        database.register(std::slice::from_ref(&second), &Said::default()).unwrap();
        assert!(Database::find_to_read(&file).unwrap().unwrap().is_valid(&second.path).unwrap());
        assert!(!reader.is_valid(&second.path).unwrap());
        // It comes into the file, under the eyes of who reads that without a lock.
        drop(database);
        assert!(matches!(reader.is_valid(&first.path), Err(DatabaseError::Changed { .. })));
    }

    #[test]
    fn one_who_has_it_alone_reads_all_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("database");
        let first = object("first", &[]);
        Database::open(&file).unwrap().register(std::slice::from_ref(&first), &Said::default()).unwrap();
        let alone = Database::find_alone(&file).unwrap().unwrap();
        assert!(alone.is_valid(&first.path).unwrap());
        assert!(!folder.path().join("database-shm").exists());
        let other = Connection::open(&file).unwrap();
        assert!(other.query_row("select count(*) from object", [], |_| Ok(())).is_err());
        drop(alone);
        other.query_row("select count(*) from object", [], |_| Ok(())).unwrap();
    }

    #[test]
    fn an_older_database_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("database");
        drop(Database::open(&file).unwrap());
        Connection::open(&file).unwrap().pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(Database::find_to_read(&file), Err(DatabaseError::OlderVersion { found: 2, .. })));
    }

    #[test]
    fn a_newer_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        drop(Database::open(&file).unwrap());
        Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Database::open(&file), Err(DatabaseError::NewerVersion { found: 99, .. })));
    }
}

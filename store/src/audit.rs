//! The database's rows as they are, for who doubts them.

use crate::database::{Database, DatabaseError};
use std::collections::{BTreeMap, BTreeSet};

/// All rows. Whatever is stored is given, whether it makes sense or not.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// What SQLite finds wrong with the file.
    pub(crate) faults: Vec<String>,
    /// By path.
    pub(crate) objects: BTreeMap<String, ObjectRow>,
    /// Path and text.
    pub(crate) derivations: Vec<(String, Vec<u8>)>,
    /// Derivation, output, path.
    pub(crate) realisations: Vec<(String, String, String)>,
    /// Objects that a row mentions and that have none.
    pub(crate) dangling: BTreeSet<String>,
}

/// What is said of an object.
#[derive(Debug, Default)]
pub(crate) struct ObjectRow {
    pub(crate) tree: Vec<u8>,
    pub(crate) size_bytes: i64,
    pub(crate) refers_to_itself: bool,
    pub(crate) references: Vec<String>,
}

impl Database {
    /// Reads everything, of one moment. Fails with what SQLite says if the file is too damaged to be read.
    pub(crate) fn audit(&self) -> Result<Audit, DatabaseError> {
        self.run(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut audit = Audit::default();
            let mut check = transaction.prepare("pragma integrity_check(20)")?;
            audit.faults = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            audit.faults.retain(|fault| fault != "ok");
            let mut all = transaction.prepare("select path, tree, size, refers_to_itself from object")?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let object = ObjectRow {
                    tree: row.get(1)?,
                    size_bytes: row.get(2)?,
                    refers_to_itself: row.get(3)?,
                    references: Vec::new(),
                };
                audit.objects.insert(row.get(0)?, object);
            }
            let mut all = transaction.prepare("select referrer, reference from reference")?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let (referrer, reference): (String, String) = (row.get(0)?, row.get(1)?);
                for path in [&referrer, &reference] {
                    if !audit.objects.contains_key(path) {
                        audit.dangling.insert(path.clone());
                    }
                }
                if let Some(object) = audit.objects.get_mut(&referrer) {
                    object.references.push(reference);
                }
            }
            let mut all = transaction.prepare("select derivation, output, path from realisation")?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let (derivation, output, path): (String, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                if !audit.objects.contains_key(&path) {
                    audit.dangling.insert(path.clone());
                }
                audit.realisations.push((derivation, output, path));
            }
            let mut all = transaction.prepare("select path, text from derivation")?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                audit.derivations.push((row.get(0)?, row.get(1)?));
            }
            Ok(audit)
        })
    }
}

//! What derivations were realised to, a second time: lines at the end of a file, for the day when the database is lost.
//!
//! ```text
//! realisation <derivation> <output> <object> <digest of the line before this space>
//! derivation <derivation> <text> <digest of the line before this space>
//! ```
//!
//! Objects prove themselves, what was realised to them doesn't: so each line has a digest, and what isn't a line with the
//! right one, half written or damaged, is nothing. They are durable before the database says the same. The last line of a
//! derivation's output counts. A collector writes the file anew from the database when more than half of it is of the past.

use crate::database::{Database, DatabaseError, read_path};
use crate::store::{RemoveOnDrop, Store, StoreError};
use crate::verify::Damage;
use bstr::{ByteSlice, ByteVec};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use sx_derivation::{Derivation, Digest, StorePath};

/// A derivation's output and the object that it was realised to.
pub(crate) type Realisation = (StorePath, String, StorePath);

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) realisations: BTreeMap<(StorePath, String), StorePath>,
    pub(crate) derivations: BTreeMap<StorePath, Vec<u8>>,
}

fn place(folder: &Path) -> PathBuf {
    folder.join("realisations")
}

fn line(text: &mut Vec<u8>, words: &[&[u8]]) {
    let line = bstr::join(" ", words);
    text.push_str(&line);
    text.push_str(format!(" {}\n", Digest::of(&line)));
}

fn lines<'a>(
    realisations: impl IntoIterator<Item = (&'a StorePath, &'a String, &'a StorePath)>,
    derivations: impl IntoIterator<Item = (&'a StorePath, &'a Vec<u8>)>,
) -> Vec<u8> {
    let mut text = Vec::new();
    for (derivation, output, object) in realisations {
        let (derivation, object) = (derivation.to_string(), object.to_string());
        line(&mut text, &[b"realisation", derivation.as_bytes(), output.as_bytes(), object.as_bytes()]);
    }
    for (path, derivation) in derivations {
        line(&mut text, &[b"derivation", path.to_string().as_bytes(), derivation]);
    }
    text
}

/// Adds to the file of the store in `folder`.
pub(crate) fn add(
    folder: &Path,
    realisations: &[Realisation],
    derivations: &[(StorePath, Vec<u8>)],
) -> Result<(), StoreError> {
    if realisations.is_empty() && derivations.is_empty() {
        return Ok(());
    }
    let realisations = realisations.iter().map(|(derivation, output, object)| (derivation, output, object));
    let text = lines(realisations, derivations.iter().map(|(path, text)| (path, text)));
    let place = place(folder);
    // In one piece, since others add to it too.
    let added = File::options().append(true).create(true).open(&place).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_data()
    });
    added.map_err(StoreError::io("write", &place))
}

/// Writes the file anew if most of it is of the past. Nobody else is inside the gate.
pub(crate) fn shorten(store: &Store) -> Result<(), StoreError> {
    let place = place(store.folder());
    let found = std::fs::metadata(&place).map_or(0, |found| found.len());
    if found / 2 <= store.database().record_bytes()? {
        return Ok(());
    }
    rewrite(store)
}

/// Writes the file anew from the database. Nobody else is inside the gate.
pub(crate) fn rewrite(store: &Store) -> Result<(), StoreError> {
    let place = place(store.folder());
    let record = store.database().record()?;
    let realisations = record.realisations.iter().map(|((path, output), object)| (path, output, object));
    let text = lines(realisations, &record.derivations);
    // Beside it, since `builds` may lie on another disk.
    let new = RemoveOnDrop(store.folder().join(format!(".new-{}", store.holder().new_name()?)));
    // Durable before it takes the old one's place, or a power cut could leave neither.
    let written = File::create(&new.0).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(StoreError::io("write", &new.0))?;
    std::fs::rename(&new.0, &place).map_err(StoreError::io("replace", &place))?;
    let synced = File::open(store.folder()).and_then(|folder| folder.sync_all());
    synced.map_err(StoreError::io("make durable", store.folder()))
}

/// Where the file doesn't say what the database says.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// How many realisations it lacks, themselves or their derivations.
    pub(crate) lacking: usize,
    /// How many there are.
    pub(crate) all: usize,
    /// Realisations of which it says something else.
    pub(crate) contradictions: Vec<Damage>,
}

/// Compares the file with the database.
pub(crate) fn differences(store: &Store) -> Result<Differences, StoreError> {
    let known = store.database().record()?;
    // One that can't be read says nothing.
    let found = read(store.folder()).unwrap_or_default();
    let mut differences = Differences { all: known.realisations.len(), ..Differences::default() };
    for (realisation, row) in &known.realisations {
        let (derivation, output) = realisation;
        let lacks_derivation =
            known.derivations.contains_key(derivation) && !found.derivations.contains_key(derivation);
        match found.realisations.get(realisation) {
            Some(record) if record == row => differences.lacking += usize::from(lacks_derivation),
            // What isn't valid was written before a crash that kept it from the database, and is of the past.
            Some(record) if store.database().is_valid(record)? => {
                differences.contradictions.push(Damage::Contradiction {
                    derivation: derivation.clone(),
                    output: output.clone(),
                    row: row.clone(),
                    record: record.clone(),
                });
            }
            _ => differences.lacking += 1,
        }
    }
    Ok(differences)
}

impl Database {
    /// What derivations were realised to here, and the texts that are kept. What came from elsewhere is to be had from there
    /// again.
    fn record(&self) -> Result<Record, DatabaseError> {
        let realisations: Vec<(String, String, String)> = self.run(|connection| {
            let sql = "select derivation, output, path from realisation where not substituted";
            let mut all = connection.prepare(sql)?;
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })?;
        let derivations: Vec<(String, Vec<u8>)> = self.run(|connection| {
            let mut all = connection.prepare("select path, text from derivation")?;
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let mut record = Record::default();
        for (derivation, output, object) in realisations {
            record.realisations.insert((read_path(derivation)?, output), read_path(object)?);
        }
        for (path, text) in derivations {
            record.derivations.insert(read_path(path)?, text);
        }
        Ok(record)
    }

    /// About how many bytes a file of it has.
    fn record_bytes(&self) -> Result<u64, DatabaseError> {
        let sql = "select (select coalesce(sum(length(text) + 200), 0) from derivation)
            + (select count(*) * 300 from realisation)";
        let bytes: i64 = self.run(|connection| connection.query_row(sql, [], |row| row.get(0)))?;
        Ok(bytes.unsigned_abs())
    }
}

/// Reads the file of the store in `folder`. No file says nothing.
pub(crate) fn read(folder: &Path) -> Result<Record, StoreError> {
    let place = place(folder);
    let text = match std::fs::read(&place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Record::default()),
        read => read.map_err(StoreError::io("read", &place))?,
    };
    let mut record = Record::default();
    for line in text.split(|&byte| byte == b'\n') {
        // A line that was cut stands before another's beginning.
        read_line(line, &mut record);
    }
    Ok(record)
}

fn read_line(line: &[u8], record: &mut Record) -> Option<()> {
    let at = line.rfind_byte(b' ')?;
    let (said, digest) = (&line[..at], &line[at + 1..]);
    if Digest::of(said).to_string().as_bytes() != digest {
        return None;
    }
    let path = |text: &[u8]| StorePath::parse(text.to_str().ok()?).ok();
    let mut words = said.splitn(3, |&byte| byte == b' ');
    match (words.next()?, path(words.next()?)?, words.next()?) {
        (b"realisation", derivation, rest) => {
            let (output, object) = rest.split_once_str(" ")?;
            let output = output.to_str().ok()?.to_owned();
            record.realisations.insert((derivation, output), path(object)?);
        }
        (b"derivation", derivation, text) => {
            let name = derivation.name().strip_suffix(".drv")?;
            let proven = Derivation::decode(name, text).ok()?.path().ok()? == derivation;
            if proven {
                record.derivations.insert(derivation, text.to_owned());
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_come_back_and_others_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| StorePath::new(Digest::of(name.as_bytes()), name).unwrap();
        let realisation = |object| (path("x.drv"), "out".to_owned(), path(object));
        add(folder.path(), &[realisation("one"), realisation("two")], &[]).unwrap();
        let place = place(folder.path());
        let mut text = std::fs::read(&place).unwrap();
        let whole = Record {
            realisations: BTreeMap::from([((path("x.drv"), "out".into()), path("two"))]),
            ..Record::default()
        };
        assert_eq!(read(folder.path()).unwrap(), whole);
        // One that was cut, and one with a bit that flipped.
        let third = {
            add(folder.path(), &[realisation("three")], &[]).unwrap();
            std::fs::read(&place).unwrap()[text.len()..].to_owned()
        };
        text.extend(&third[..third.len() / 2]);
        text.push(b'\n');
        text.extend(third.replace("-three", "-thref"));
        std::fs::write(&place, text).unwrap();
        assert_eq!(read(folder.path()).unwrap(), whole);
    }
}

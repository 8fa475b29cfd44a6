//! Why a derivation is to be built: how it differs from what was realised here under its name before.
//!
//! For that the database keeps the texts of the last few derivations of each name, without the version in it, that were
//! realised; a collector leaves them.

use crate::database::{Database, DatabaseError};
use crate::realise::{Failure, RealiseError, Realiser};
use crate::store::StoreError;
use bstr::{BStr, BString, ByteSlice};
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};
use sx_derivation::digest::TEXT_LENGTH;
use sx_derivation::store_path::STORE_FOLDER;
use sx_derivation::{Derivation, StorePath};

/// Versions of sx that don't know of it need not, so that it doesn't raise the database's number.
pub(crate) const TABLE: &str = "
    create table if not exists earlier (
        path text primary key,
        name text not null,
        number integer not null,
        text blob not null
    ) strict, without rowid;
    create index if not exists earlier_names on earlier (name, number);
    create index if not exists earlier_numbers on earlier (number);
";

/// Why a derivation is to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing of its name was realised here.
    New,
    /// It was realised itself, and its outputs were collected since.
    Collected,
    /// Another of its name was.
    Changed {
        /// The one that is most like it.
        before: StorePath,
        /// How they differ, at least one.
        changes: Vec<Change>,
    },
}

/// How a derivation differs from an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What.
    pub what: What,
    /// How.
    pub how: How,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A source with this name.
    Source(String),
    /// A derivation with this name, outputs of which are inputs.
    Input(String),
    /// A variable, or a structured attribute, beyond the paths in it.
    Attribute(BString),
    /// The builder, beyond its digest.
    Builder,
    /// The arguments, beyond the paths in them.
    Arguments,
    /// The system.
    System,
    /// The outputs: their names, or the hashes that are given for them.
    Outputs,
    /// The name: its version.
    Name,
}

/// How it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It is another.
    Changed,
    /// There was none.
    New,
    /// There is none any more.
    Gone,
}

impl Display for Reason {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::New => write!(formatter, "nothing of its name was realised here"),
            Self::Collected => write!(formatter, "it was realised before, and its outputs were collected"),
            Self::Changed { changes, .. } => {
                let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                write!(formatter, "{}", changes.join("; "))
            }
        }
    }
}

impl Display for Change {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            What::Source(name) => write!(formatter, "the source `{name}`")?,
            What::Input(name) => write!(formatter, "the input `{name}`")?,
            What::Attribute(name) => write!(formatter, "the attribute `{name}`")?,
            What::Builder => write!(formatter, "the builder")?,
            What::Arguments => write!(formatter, "the arguments")?,
            What::System => write!(formatter, "the system")?,
            What::Outputs => write!(formatter, "the outputs")?,
            What::Name => write!(formatter, "the version in the name")?,
        }
        let plural = matches!(self.what, What::Arguments | What::Outputs);
        match (self.how, plural) {
            (How::Changed, _) => write!(formatter, " changed"),
            (How::New, false) => write!(formatter, " is new"),
            (How::New, true) => write!(formatter, " are new"),
            (How::Gone, false) => write!(formatter, " is gone"),
            (How::Gone, true) => write!(formatter, " are gone"),
        }
    }
}

/// A derivation that was realised, as it is kept.
#[derive(Clone, Debug)]
pub struct Earlier {
    path: StorePath,
    name: String,
    text: Vec<u8>,
}

impl Earlier {
    pub(crate) fn new(path: &StorePath, text: &[u8]) -> Self {
        let name = name_without_version(path.plain_name()).to_owned();
        Self { path: path.clone(), name, text: text.to_owned() }
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        let Self { path, name, text } = self;
        let sql = "insert or replace into earlier values (?, ?, (select coalesce(max(number), 0) + 1 from earlier), ?)";
        transaction.prepare_cached(sql)?.execute(params![path.to_string(), name, text])?;
        // Eight of one name are kept.
        let sql = "select number from earlier where name = ? order by number desc limit 1 offset 8";
        let last: Option<i64> =
            transaction.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
        if let Some(last) = last {
            let sql = "delete from earlier where name = ? and number <= ?";
            transaction.prepare_cached(sql)?.execute(params![name, last])?;
        }
        Ok(())
    }
}

impl Database {
    /// Derivations that were realised, whose names are `name` but for their versions; the last one first.
    fn earlier(&self, name: &str) -> Result<Vec<(StorePath, Derivation)>, DatabaseError> {
        let sql = "select path, text from earlier where name = ? order by number desc";
        let rows: Vec<(String, Vec<u8>)> = self.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        // What can't be read any more explains nothing, and nothing else needs it.
        let read = |(path, text): (String, Vec<u8>)| {
            let path = StorePath::parse(&path).ok()?;
            let derivation = Derivation::decode(path.plain_name(), &text).ok()?;
            Some((path, derivation))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}

impl Realiser<'_> {
    /// Why each of the derivations at `paths`, which aren't realised, is to be built.
    pub fn explain(&self, paths: &[StorePath]) -> Result<Vec<Reason>, RealiseError> {
        let explain = |path: &StorePath| -> Result<Reason, Failure> {
            let derivation = self.derivation(path)?;
            let name = name_without_version(&derivation.name);
            let earlier = self.store.database().earlier(name).map_err(StoreError::from)?;
            let mut closest: Option<(StorePath, Vec<Change>)> = None;
            for (before, earlier) in earlier {
                if before == *path {
                    return Ok(Reason::Collected);
                }
                let changes = changes(&earlier, &derivation);
                // They come newest first, so of two that are as like it the newer one counts.
                if closest.as_ref().is_none_or(|(_, fewest)| changes.len() < fewest.len()) {
                    closest = Some((before, changes));
                }
            }
            Ok(closest.map_or(Reason::New, |(before, changes)| Reason::Changed { before, changes }))
        };
        let failed = |path: &StorePath, failure: Failure| RealiseError {
            derivation: path.clone(),
            failure: Box::new(failure),
        };
        paths.iter().map(|path| explain(path).map_err(|failure| failed(path, failure))).collect()
    }
}

/// A derivation's name up to a hyphen that no letter follows: what stays when the version changes.
pub(crate) fn name_without_version(name: &str) -> &str {
    let is_end = |at: &usize| {
        name.as_bytes()[*at] == b'-'
            && name.as_bytes().get(at + 1).is_some_and(|byte| !byte.is_ascii_alphabetic())
    };
    (0..name.len()).find(is_end).map_or(name, |end| &name[..end])
}

fn changes(before: &Derivation, now: &Derivation) -> Vec<Change> {
    let mut changes = BTreeSet::new();
    let by_name = |paths: &mut dyn Iterator<Item = &StorePath>| {
        let mut names: BTreeMap<String, BTreeSet<StorePath>> = BTreeMap::new();
        for path in paths {
            let name = path.plain_name().to_owned();
            names.entry(name).or_default().insert(path.clone());
        }
        names
    };
    let sources = [before, now].map(|derivation| by_name(&mut derivation.input_sources.iter()));
    changes.extend(compared(&sources[0], &sources[1], |name| What::Source(name.clone())));
    let inputs = [before, now].map(|derivation| by_name(&mut derivation.input_derivations.keys()));
    changes.extend(compared(&inputs[0], &inputs[1], |name| What::Input(name.clone())));
    let attributes = [before, now].map(attributes);
    changes.extend(compared(&attributes[0], &attributes[1], |name| What::Attribute(name.clone())));
    let arguments = |derivation: &Derivation| -> Vec<BString> {
        derivation.arguments.iter().map(|argument| without_digests(argument.as_bstr())).collect()
    };
    let builder = |derivation: &Derivation| without_digests(derivation.builder.as_bstr());
    for (what, is_same) in [
        (What::Builder, builder(before) == builder(now)),
        (What::Arguments, arguments(before) == arguments(now)),
        (What::System, before.system == now.system),
        (What::Outputs, before.outputs == now.outputs),
        (What::Name, before.name == now.name),
    ] {
        if !is_same {
            changes.insert(Change { what, how: How::Changed });
        }
    }
    changes.into_iter().collect()
}

/// What two maps differ in.
fn compared<K: Ord, V: PartialEq>(
    before: &BTreeMap<K, V>,
    now: &BTreeMap<K, V>,
    what: impl Fn(&K) -> What,
) -> Vec<Change> {
    let keys: BTreeSet<&K> = before.keys().chain(now.keys()).collect();
    let change = |key: &K| {
        let how = match (before.get(key), now.get(key)) {
            (Some(before), Some(now)) if before == now => return None,
            (Some(_), Some(_)) => How::Changed,
            (None, _) => How::New,
            (_, None) => How::Gone,
        };
        Some(Change { what: what(key), how })
    };
    keys.into_iter().filter_map(change).collect()
}

/// Variables, or structured attributes, without the digests in them: an input that changed is told as such.
fn attributes(derivation: &Derivation) -> BTreeMap<BString, BString> {
    let structured = derivation.environment.get(b"__json".as_bstr());
    let structured = structured.and_then(|text| {
        serde_json::from_slice::<BTreeMap<String, Box<serde_json::value::RawValue>>>(text).ok()
    });
    match structured {
        Some(values) => {
            let text = |value: &str| without_digests(value.as_bytes().as_bstr());
            values.into_iter().map(|(name, value)| (name.into(), text(value.get()))).collect()
        }
        None => {
            let variables = derivation.environment.iter();
            variables.map(|(name, value)| (name.clone(), without_digests(value.as_bstr()))).collect()
        }
    }
}

fn without_digests(text: &BStr) -> BString {
    let mut plain = BString::default();
    let mut rest = text.as_bytes();
    while let Some(at) = rest.find(STORE_FOLDER) {
        let end = (at + STORE_FOLDER.len() + 1).min(rest.len());
        plain.extend_from_slice(&rest[..end]);
        rest = rest.get(end + TEXT_LENGTH..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use sx_derivation::{Digest, Output};

    fn path(content: &str, name: &str) -> StorePath {
        StorePath::new(Digest::of(content.as_bytes()), name).unwrap()
    }

    fn derivation() -> Derivation {
        let (source, tool) = (path("1", "hello.c"), path("1", "tcc-0.9.drv"));
        Derivation {
            name: "hello-1.0".into(),
            outputs: BTreeMap::from([("out".into(), Output::Floating)]),
            system: "x86_64-linux".into(),
            builder: format!("{}/bin/tcc", path("1", "tcc-0.9")).into(),
            arguments: vec![source.to_string().into(), "-o".into()],
            environment: BTreeMap::from([("src".into(), source.to_string().into())]),
            input_derivations: BTreeMap::from([(tool, BTreeSet::from(["out".into()]))]),
            input_sources: BTreeSet::from([source]),
        }
    }

    fn told(now: &Derivation) -> Vec<String> {
        changes(&derivation(), now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_changed_is_named_and_what_follows_from_it_is_not() {
        assert_eq!(told(&derivation()), [""; 0]);
        let mut now = derivation();
        let source = path("2", "hello.c");
        now.input_sources = BTreeSet::from([source.clone()]);
        now.arguments[0] = source.to_string().into();
        now.environment.insert("src".into(), source.to_string().into());
        assert_eq!(told(&now), ["the source `hello.c` changed"]);
        let mut now = derivation();
        now.input_derivations = BTreeMap::from([
            (path("2", "tcc-0.9.drv"), BTreeSet::from(["out".into()])),
            (path("2", "make-4.drv"), BTreeSet::from(["out".into()])),
        ]);
        now.builder = format!("{}/bin/tcc", path("2", "tcc-0.9")).into();
        now.arguments.push("-g".into());
        now.environment = BTreeMap::from([("CFLAGS".into(), "-O1".into())]);
        let expected = [
            "the input `make-4` is new",
            "the input `tcc-0.9` changed",
            "the attribute `CFLAGS` is new",
            "the attribute `src` is gone",
            "the arguments changed",
        ];
        assert_eq!(told(&now), expected);
        let mut now = derivation();
        now.name = "hello-1.1".into();
        assert_eq!(told(&now), ["the version in the name changed"]);
    }

    #[test]
    fn structured_attributes_are_compared_one_by_one() {
        let with = |json: &str| {
            let mut derivation = derivation();
            derivation.environment = BTreeMap::from([("__json".into(), json.into())]);
            derivation
        };
        let changes = changes(&with(r#"{"a":1,"b":2}"#), &with(r#"{"a":1,"b":3}"#));
        assert_eq!(changes, [Change { what: What::Attribute("b".into()), how: How::Changed }]);
    }

    #[test]
    fn a_name_is_one_whatever_its_version() {
        for (name, expected) in
            [("zlib-1.3.1", "zlib"), ("gcc-pass1-3.4", "gcc-pass1"), ("x-", "x-"), ("a", "a")]
        {
            assert_eq!(name_without_version(name), expected);
        }
    }
}

//! The functions that the evaluator brings: one table, a file for each family.
//!
//! To add one: write `fn name<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a>` in its family's file and
//! an entry in that file's table. `arguments` has as many values as the entry has names; an argument in `strict` is
//! evaluated already, any other may be a thunk to be forced.

mod arguments;
mod arithmetic;
mod attribute;
mod closure;
mod context;
mod control;
mod derivation;
mod documentation;
mod file;
mod flake;
mod format;
mod hash;
mod list;
mod refused;
mod regex;
mod string;
mod types;
mod version;

pub use documentation::{Entry, documentation, page};

use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::Outcome;
use crate::source::Location;
use crate::symbol::{Symbol, known};
use crate::value::{State, Thunk, Value};
use std::cell::Cell;

/// A function of the evaluator.
pub struct Builtin {
    /// Its name in `builtins`.
    pub name: &'static str,
    /// What its arguments are called.
    pub arguments: &'static [&'static str],
    /// Which arguments it always needs: bit 0 is the first.
    pub strict: u8,
    /// Whether its bare name is a variable everywhere. The others are with two underscores before it.
    pub is_global: bool,
    /// What it does, in a line.
    pub documentation: &'static str,
    /// What to do instead, if sx refuses to do this.
    pub refused: Option<&'static str>,
    /// Does it.
    pub function: Function,
}

/// Takes as many values as there are arguments.
pub type Function = for<'a> fn(&Evaluator<'a>, &[Value<'a>]) -> Outcome<'a>;

/// The most arguments that a builtin has.
pub const MAX_ARITY: usize = 3;

/// Every builtin, by family.
pub const FAMILIES: &[&[Builtin]] = &[
    types::TABLE,
    arithmetic::TABLE,
    string::TABLE,
    list::TABLE,
    closure::TABLE,
    regex::TABLE,
    format::TABLE,
    attribute::TABLE,
    control::TABLE,
    file::TABLE,
    context::TABLE,
    derivation::TABLE,
    hash::TABLE,
    version::TABLE,
    flake::TABLE,
    refused::TABLE,
];

impl Builtin {
    const fn new(
        name: &'static str,
        arguments: &'static [&'static str],
        strict: u8,
        function: Function,
        documentation: &'static str,
    ) -> Self {
        assert!(!arguments.is_empty() && arguments.len() <= MAX_ARITY);
        Self { name, arguments, strict, is_global: false, documentation, refused: None, function }
    }

    /// Also a variable.
    const fn global(self) -> Self {
        Self { is_global: true, ..self }
    }

    /// Never done.
    const fn refused(self, instead: &'static str) -> Self {
        Self { refused: Some(instead), ..self }
    }

    /// How many arguments it takes.
    #[inline]
    pub const fn arity(&self) -> usize {
        self.arguments.len()
    }
}

impl std::fmt::Display for Builtin {
    /// Its name, its arguments, and below them what it does.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "builtins.{} {}\n\n{}", self.name, self.arguments.join(" "), self.documentation)?;
        if let Some(instead) = self.refused {
            write!(formatter, "\n\nsx refuses it: {instead}")?;
        }
        Ok(())
    }
}

/// Every builtin, sorted by name.
pub fn all() -> Vec<&'static Builtin> {
    let mut all: Vec<_> = FAMILIES.iter().copied().flatten().collect();
    all.sort_by_key(|builtin| builtin.name);
    all
}

/// The values in `builtins` that are no functions.
fn constants<'a>(evaluator: &Evaluator<'a>) -> Vec<(&'static str, Value<'a>)> {
    let search_path = evaluator.options.search_path.iter().map(|(prefix, path)| {
        let path = evaluator.string(path.as_bytes());
        evaluator.attributes([("prefix", evaluator.string(prefix.as_bytes())), ("path", path)])
    });
    let search_path: Vec<_> = search_path.collect();
    vec![
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("null", Value::Null),
        ("currentSystem", evaluator.string(evaluator.options.system.as_bytes())),
        ("langVersion", Value::Int(6)),
        ("nixPath", evaluator.list(&search_path)),
        ("nixVersion", evaluator.string(b"2.34.0")),
        ("storeDir", evaluator.string(sx_derivation::store_path::STORE_FOLDER.as_bytes())),
    ]
}

/// The set `builtins`.
fn set<'a>(evaluator: &Evaluator<'a>) -> Value<'a> {
    *evaluator.builtins.get_or_init(|| {
        let functions =
            FAMILIES.iter().copied().flatten().map(|builtin| (builtin.name, Value::Builtin(builtin)));
        let attributes = functions.chain(constants(evaluator)).map(|(name, value)| Attribute {
            name: evaluator.symbols.intern(name.as_bytes()),
            position: 0,
            value,
        });
        // It contains itself.
        let itself: &Thunk<'a> = evaluator.arena.put(Thunk(Cell::new(State::Running)));
        let own = Attribute {
            name: evaluator.symbols.intern(b"builtins"),
            position: 0,
            value: Value::Thunk(itself),
        };
        let attributes = attributes.chain([own]).collect();
        let set = Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes));
        itself.0.set(State::Done(set));
        set
    })
}

/// What a name means where nothing binds it.
pub(crate) fn global<'a>(evaluator: &Evaluator<'a>, name: Symbol) -> Option<Value<'a>> {
    let bytes = evaluator.symbols.name(name);
    let set = set(evaluator);
    let Value::Attributes(builtins) = set else { return None };
    match bytes {
        b"builtins" => return Some(set),
        b"true" | b"false" | b"null" => return builtins.get(name).map(|found| found.value),
        _ => {}
    }
    let bare = bytes.strip_prefix(b"__").unwrap_or(bytes);
    let has_prefix = bare.len() < bytes.len();
    let value = builtins.get(evaluator.symbols.find(bare)?)?.value;
    match value.if_known()? {
        Value::Builtin(builtin) if builtin.is_global => (!has_prefix).then_some(value),
        Value::Attributes(_) | Value::Null | Value::Bool(_) => None,
        _ => has_prefix.then_some(value),
    }
}

/// The bare names that mean something everywhere.
pub(crate) fn global_names() -> impl Iterator<Item = String> {
    let functions =
        FAMILIES.iter().copied().flatten().filter(|builtin| builtin.is_global).map(|builtin| builtin.name);
    functions.chain(["builtins", "true", "false", "null"]).map(str::to_owned)
}

/// `{ file, line, column }`
pub(crate) fn position<'a>(evaluator: &Evaluator<'a>, location: &Location) -> Value<'a> {
    let number = |number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let make = |name, value| Attribute { name, position: 0, value };
    let attributes = vec![
        make(known::FILE, evaluator.string(location.source.name.as_bytes())),
        make(known::LINE, number(location.line)),
        make(known::COLUMN, number(location.column)),
    ];
    Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_has_its_own_name_and_a_documentation_line() {
        let all = all();
        assert!(all.is_sorted_by(|left, right| left.name < right.name));
        for builtin in all {
            assert!(builtin.documentation.ends_with('.'), "{}", builtin.name);
            assert_eq!(u32::from(builtin.strict) >> builtin.arity(), 0, "{}", builtin.name);
        }
    }
}

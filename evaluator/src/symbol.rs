//! Names as small numbers.

use crate::arena::Arena;
use crate::context::Context;
use crate::value::{Text, Value};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

/// An interned name. Ordered by first appearance, not by spelling: what people see is sorted by
/// [`Symbols::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

/// Every name of an evaluation.
pub struct Symbols<'a> {
    arena: &'a Arena,
    names: RefCell<Vec<&'a Text<'a>>>,
    numbers: RefCell<FxHashMap<&'a [u8], Symbol>>,
}

impl<'a> Symbols<'a> {
    /// None yet but the [`known`] ones.
    pub fn new(arena: &'a Arena) -> Self {
        let symbols = Self { arena, names: RefCell::default(), numbers: RefCell::default() };
        for name in known::NAMES {
            symbols.intern(name.as_bytes());
        }
        symbols
    }

    /// The number of `name`, a new one if it is seen for the first time.
    pub fn intern(&self, name: &[u8]) -> Symbol {
        if let Some(&symbol) = self.numbers.borrow().get(name) {
            return symbol;
        }
        let name = self.arena.bytes(name);
        let mut names = self.names.borrow_mut();
        let number =
            u32::try_from(names.len()).expect("this holds because 4 billion names exceed every memory limit");
        names.push(self.arena.put(Text { bytes: name, context: Context::NONE }));
        self.numbers.borrow_mut().insert(name, Symbol(number));
        Symbol(number)
    }

    /// The number of `name` if any expression mentioned it.
    pub fn find(&self, name: &[u8]) -> Option<Symbol> {
        self.numbers.borrow().get(name).copied()
    }

    /// How it is spelled.
    pub fn name(&self, symbol: Symbol) -> &'a [u8] {
        self.names.borrow()[symbol.0 as usize].bytes
    }

    /// Its name as a value; all of them share one text.
    pub fn value(&self, symbol: Symbol) -> Value<'a> {
        Value::String(self.names.borrow()[symbol.0 as usize])
    }

    /// How it is spelled, for messages.
    pub fn text(&self, symbol: Symbol) -> String {
        String::from_utf8_lossy(self.name(symbol)).into_owned()
    }
}

/// Names that the evaluator itself looks up.
pub mod known {
    use super::Symbol;

    macro_rules! known {
        ($($constant:ident = $name:literal,)*) => {
            /// Their spelling, by number.
            pub(super) const NAMES: &[&str] = &[$($name),*];
            #[derive(Clone, Copy)]
            #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "they are numbers for the constants below")]
            enum Number { $($constant),* }
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: Symbol = Symbol(Number::$constant as u32);
            )*
        };
    }

    known! {
        ALL = "all",
        ARGS = "args",
        BODY = "body",
        BUILDER = "builder",
        COLUMN = "column",
        DRV_ATTRS = "drvAttrs",
        DRV_PATH = "drvPath",
        FILE = "file",
        FILTER = "filter",
        FUNCTOR = "__functor",
        HASH = "hash",
        HASH_ALGO = "hashAlgo",
        IGNORE_NULLS = "__ignoreNulls",
        KEY = "key",
        LINE = "line",
        NAME = "name",
        ALL_OUTPUTS = "allOutputs",
        OPERATOR = "operator",
        OUT = "out",
        OUT_PATH = "outPath",
        OUTPUT_HASH = "outputHash",
        OUTPUT_HASH_ALGO = "outputHashAlgo",
        OUTPUT_HASH_MODE = "outputHashMode",
        OUTPUT_NAME = "outputName",
        OUTPUTS = "outputs",
        OVERRIDES = "__overrides",
        PATH = "path",
        PREFIX = "prefix",
        RECURSIVE = "recursive",
        RIGHT = "right",
        SHA256 = "sha256",
        START_SET = "startSet",
        STRUCTURED_ATTRS = "__structuredAttrs",
        SUCCESS = "success",
        SYSTEM = "system",
        TO_HASH_FORMAT = "toHashFormat",
        TO_STRING = "__toString",
        TYPE = "type",
        VALUE = "value",
        VERSION = "version",
        WRONG = "wrong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_and_known_names_have_theirs() {
        let arena = Arena::new(None);
        let symbols = Symbols::new(&arena);
        let new = symbols.intern(b"something");
        assert_eq!(symbols.intern(b"something"), new);
        assert_eq!(symbols.name(new), b"something");
        assert_eq!(symbols.find(b"outPath"), Some(known::OUT_PATH));
        assert_eq!(symbols.name(known::WRONG), b"wrong");
    }
}

//! What becomes a string where one is wanted.

use super::Evaluator;
use crate::context::{Collected, Context, Element};
use crate::error::{Error, Outcome};
use crate::host::AddPath;
use crate::source::Span;
use crate::symbol::known;
use crate::value::{Text, Value};
use bstr::ByteSlice;

/// Which values become strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepting {
    /// Strings, paths, and sets that say how.
    Strings,
    /// Numbers, Booleans, null and lists too, as for `toString` and a derivation's environment.
    Everything,
}

/// What becomes of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// They are added to the store; the string is the store path.
    ToStore,
    /// The string is the path.
    Never,
}

/// How values become strings.
#[derive(Clone, Copy, Debug)]
pub struct Coercion {
    accepting: Accepting,
    copying: Copying,
}

impl Coercion {
    /// As in `"${value}"`.
    pub const INTERPOLATED: Self = Self { accepting: Accepting::Strings, copying: Copying::ToStore };
    /// As in `toString value`.
    pub const TO_STRING: Self = Self { accepting: Accepting::Everything, copying: Copying::Never };
    /// As in a derivation's environment.
    pub const ENVIRONMENT: Self = Self { accepting: Accepting::Everything, copying: Copying::ToStore };

    /// The same, but for paths.
    pub const fn copying(self, copying: Copying) -> Self {
        Self { copying, ..self }
    }
}

impl<'a> Evaluator<'a> {
    /// Makes a string of a value.
    pub fn coerce(&self, value: Value<'a>, how: Coercion) -> Outcome<'a, Text<'a>> {
        let value = self.force(value)?;
        let plain = |bytes: &'a [u8]| Ok(Text { bytes, context: Context::NONE });
        match value {
            Value::String(text) => return Ok(*text),
            Value::Path(path) if how.copying == Copying::Never => return plain(path.bytes),
            Value::Path(path) => return self.copied_path(path.bytes),
            Value::Attributes(set) => {
                self.check_step()?;
                if let Some(function) = set.get(known::TO_STRING) {
                    let string = self.call(function.value, &[value])?;
                    return self.coerce(string, how);
                }
                if let Some(path) = set.get(known::OUT_PATH) {
                    return self.coerce(path.value, how).map_err(|error| {
                        let position = Span { start: path.position, end: path.position };
                        error.while_doing(|| "while evaluating the attribute `outPath`".to_owned(), position)
                    });
                }
            }
            _ if how.accepting == Accepting::Strings => {}
            Value::Null | Value::Bool(false) => return plain(b""),
            Value::Bool(true) => return plain(b"1"),
            Value::Int(number) => return plain(self.arena.bytes(number.to_string().as_bytes())),
            Value::Float(number) => return plain(self.arena.bytes(format!("{number:.6}").as_bytes())),
            Value::List(list) => {
                self.check_step()?;
                return self.coerce_list(list.items, how);
            }
            _ => {}
        }
        let shown = crate::print::short(self, value);
        let shown = if shown.is_empty() { shown } else { format!(": {shown}") };
        let error = Error::type_error(format!("cannot coerce {} to a string{shown}", value.described()));
        let is_easy = matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_));
        Err(error.with_hint(is_easy.then(|| "`toString` makes a string of it".to_owned())))
    }

    /// Elements with a space between them, but none after an empty list.
    fn coerce_list(&self, items: &'a [Value<'a>], how: Coercion) -> Outcome<'a, Text<'a>> {
        let (mut bytes, mut contexts) = (Vec::new(), Collected::default());
        for (n, item) in items.iter().enumerate() {
            let item = self.force(*item)?;
            let text = self.coerce(item, how)?;
            bytes.extend_from_slice(text.bytes);
            contexts.add(text.context);
            let is_empty_list = matches!(item, Value::List(list) if list.items.is_empty());
            if n + 1 < items.len() && !is_empty_list {
                bytes.push(b' ');
            }
        }
        Ok(Text { bytes: self.arena.bytes(&bytes), context: contexts.finish(self.arena) })
    }

    /// The store path of a file or folder, which is added to the store.
    pub(crate) fn copied_path(&self, path: &'a [u8]) -> Outcome<'a, Text<'a>> {
        let known = self.added_paths.borrow().get(path).copied();
        let stored = match known {
            Some(stored) => stored,
            None => {
                let name = super::path::base_name(path).to_str().map_err(|_| {
                    Error::value(format!(
                        "path `{}` is not UTF-8, so it can't be in the store",
                        path.as_bstr()
                    ))
                })?;
                let request = AddPath { path: path.as_bstr(), name, filter: None, expected: None };
                let stored = self
                    .host
                    .add_path(request)
                    .map_err(|error| self.host_error(error, "add to the store", path))?;
                let stored = self.arena_str(&stored.to_string());
                self.added_paths.borrow_mut().insert(path, stored);
                stored
            }
        };
        Ok(Text { bytes: stored.as_bytes(), context: Context::of(self.arena, Element::Object(stored)) })
    }

    /// A copy of a text.
    pub(crate) fn arena_str(&self, text: &str) -> &'a str {
        self.arena.str(text)
    }
}

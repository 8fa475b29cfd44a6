//! Arguments of the types that builtins want.

use crate::Evaluator;
use crate::attributes::Attributes;
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::evaluate::coerce::{Coercion, Copying};
use crate::evaluate::path::absolute;
use crate::value::{Text, Value};
use bstr::ByteSlice;

impl<'a> Evaluator<'a> {
    pub(super) fn int(&self, value: Value<'a>) -> Outcome<'a, i64> {
        match self.force(value)? {
            Value::Int(number) => Ok(number),
            other => Err(self.expected("an integer", other)),
        }
    }

    pub(super) fn bool(&self, value: Value<'a>) -> Outcome<'a, bool> {
        match self.force(value)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(self.expected("a Boolean", other)),
        }
    }

    pub(super) fn items(&self, value: Value<'a>) -> Outcome<'a, &'a [Value<'a>]> {
        match self.force(value)? {
            Value::List(list) => Ok(list.items),
            other => Err(self.expected("a list", other)),
        }
    }

    pub(super) fn set(&self, value: Value<'a>) -> Outcome<'a, &'a Attributes<'a>> {
        match self.force(value)? {
            Value::Attributes(set) => Ok(set),
            other => Err(self.expected("a set", other)),
        }
    }

    pub(super) fn function(&self, value: Value<'a>) -> Outcome<'a> {
        let value = self.force(value)?;
        match value {
            Value::Closure(_) | Value::Builtin(_) | Value::Partial(_) => Ok(value),
            Value::Attributes(set) if set.get(crate::symbol::known::FUNCTOR).is_some() => Ok(value),
            other => Err(self.expected("a function", other)),
        }
    }

    /// A string, nothing else.
    pub(super) fn string_text(&self, value: Value<'a>) -> Outcome<'a, Text<'a>> {
        match self.force(value)? {
            Value::String(text) => Ok(*text),
            other => Err(self.expected("a string", other)),
        }
    }

    /// A string that depends on nothing.
    pub(super) fn plain_string(&self, value: Value<'a>) -> Outcome<'a, &'a [u8]> {
        let text = self.string_text(value)?;
        if text.context.is_none() {
            return Ok(text.bytes);
        }
        let shown = text.bytes.as_bstr();
        Err(Error::value(format!("the string `{shown}` is not allowed to refer to a store path")))
    }

    /// A path or an absolute path's text, and what it depends on.
    pub(super) fn path_text(&self, value: Value<'a>) -> Outcome<'a, (Vec<u8>, Context<'a>)> {
        let text = self.coerce(value, Coercion::INTERPOLATED.copying(Copying::Never))?;
        if text.bytes.first() != Some(&b'/') {
            let shown = text.bytes.as_bstr();
            return Err(Error::value(format!("string `{shown}` doesn't represent an absolute path")));
        }
        Ok((absolute(text.bytes), text.context))
    }
}

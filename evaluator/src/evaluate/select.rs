//! Looking up attributes.

use super::Evaluator;
use super::expression::outer;
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind, Outcome};
use crate::expression::{Code, Key, KeyName, Place, Select};
use crate::frame::Frame;
use crate::source::Span;
use crate::symbol::Symbol;
use crate::value::Value;
use bstr::ByteSlice;

impl<'a> Evaluator<'a> {
    /// `base.path or default`
    #[inline(never)]
    pub(super) fn select(&self, select: &'a Select<'a>, frame: Frame<'a>, span: Span) -> Outcome<'a> {
        let mut value = self.operand(select.base, frame)?;
        let last = select.path.len().saturating_sub(1);
        for (n, key) in select.path.iter().enumerate() {
            let name = self.key(key, frame)?;
            let Value::Attributes(set) = value else {
                return match select.default {
                    Some(default) => self.evaluate(default, frame),
                    None => Err(self.no_set(value, name, key.span)),
                };
            };
            let Some(found) = set.get(name) else {
                return match select.default {
                    Some(default) => self.evaluate(default, frame),
                    None => Err(self.missing(set, name, key.span)),
                };
            };
            value = match self.force(found.value) {
                Ok(value) => value,
                Err(error) => {
                    return Err(self.in_attribute(
                        error,
                        name,
                        if n == last { span } else { key.span },
                        found.position,
                    ));
                }
            };
        }
        Ok(value)
    }

    #[inline]
    fn key(&self, key: &Key<'a>, frame: Frame<'a>) -> Outcome<'a, Symbol> {
        match key.name {
            KeyName::Static(name) => Ok(name),
            KeyName::Dynamic(code) => self.attribute_name(self.evaluate(code, frame)?, code.span),
        }
    }

    /// The name that a value is: a string that depends on nothing.
    pub(super) fn attribute_name(&self, value: Value<'a>, span: Span) -> Outcome<'a, Symbol> {
        match value {
            Value::String(text) if text.context.is_none() => Ok(self.symbols.intern(text.bytes)),
            Value::String(text) => {
                let shown = text.bytes.as_bstr();
                let message = format!("the attribute name `{shown}` is not allowed to refer to a store path");
                Err(Error::value(message).at(span))
            }
            other => Err(self.expected("a string as an attribute's name", other).at(span)),
        }
    }

    /// `base ? path`
    #[inline(never)]
    pub(super) fn has_attribute(
        &self,
        base: Code<'a>,
        path: &'a [Key<'a>],
        frame: Frame<'a>,
    ) -> Outcome<'a, bool> {
        let mut value = self.evaluate(base, frame)?;
        for (n, key) in path.iter().enumerate() {
            let name = self.key(key, frame)?;
            let Value::Attributes(set) = value else { return Ok(false) };
            let Some(found) = set.get(name) else { return Ok(false) };
            if n + 1 < path.len() {
                value = self.force(found.value)?;
            }
        }
        Ok(true)
    }

    /// A name that only a `with` may bind.
    #[inline(never)]
    pub(super) fn with_variable(
        &self,
        name: Symbol,
        scopes: &'a [Place],
        frame: Frame<'a>,
        span: Span,
    ) -> Outcome<'a> {
        for &place in scopes {
            let scope = self.force(outer(frame, place)).map_err(|error| error.at(span))?;
            let Value::Attributes(set) = scope else {
                return Err(self.expected("a set after `with`", scope).at(span));
            };
            if let Some(found) = set.get(name) {
                return self.force(found.value).map_err(|error| error.at(span));
            }
        }
        let text = self.symbols.text(name);
        let known = scopes.iter().filter_map(|&place| match outer(frame, place).if_known() {
            Some(Value::Attributes(set)) => Some(set.all(self.arena)),
            _ => None,
        });
        let known = known.flatten().map(|attribute| self.symbols.text(attribute.name));
        let hint = crate::suggest::did_you_mean(&text, known);
        let error = Error::new(ErrorKind::UndefinedVariable, format!("undefined variable `{text}`"));
        Err(error.at(span).with_hint(hint))
    }

    /// The attribute of a set.
    pub fn attribute(&self, set: Value<'a>, name: Symbol) -> Outcome<'a> {
        match self.force(set)? {
            Value::Attributes(set) => match set.get(name) {
                Some(found) => {
                    let value = self.force(found.value);
                    value.map_err(|error| self.in_attribute(error, name, Span::NOWHERE, found.position))
                }
                None => Err(self.missing(set, name, Span::NOWHERE)),
            },
            other => Err(self.no_set(other, name, Span::NOWHERE)),
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn missing(&self, set: &'a Attributes<'a>, name: Symbol, span: Span) -> Box<Error> {
        let text = self.symbols.text(name);
        let names = set.all(self.arena).iter().map(|attribute| self.symbols.text(attribute.name));
        let hint = crate::suggest::did_you_mean_one_of(&text, names);
        Error::new(ErrorKind::MissingAttribute, format!("attribute `{text}` missing"))
            .at(span)
            .with_hint(hint)
    }

    #[cold]
    #[inline(never)]
    fn no_set(&self, value: Value<'a>, name: Symbol, span: Span) -> Box<Error> {
        let wanted = format!("a set with an attribute `{}`", self.symbols.text(name));
        self.expected(&wanted, value).at(span)
    }

    #[cold]
    #[inline(never)]
    fn in_attribute(&self, error: Box<Error>, name: Symbol, span: Span, position: u32) -> Box<Error> {
        let defined = Span { start: position, end: position };
        error
            .at(span)
            .while_doing(|| format!("while evaluating the attribute `{}`", self.symbols.text(name)), defined)
    }
}

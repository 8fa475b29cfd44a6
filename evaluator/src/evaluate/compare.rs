//! Equality and order.

use super::Evaluator;
use crate::error::{Error, Outcome};
use crate::symbol::known;
use crate::value::Value;
use std::cmp::Ordering;

impl<'a> Evaluator<'a> {
    /// `left == right`. Functions equal nothing, unless they are the same element of a list or set.
    pub fn equal(&self, left: Value<'a>, right: Value<'a>) -> Outcome<'a, bool> {
        let (left, right) = (self.force(left)?, self.force(right)?);
        Ok(match (left, right) {
            (Value::Int(left), Value::Int(right)) => left == right,
            (Value::Float(left), Value::Float(right)) => left == right,
            (Value::Int(left), Value::Float(right)) => left as f64 == right,
            (Value::Float(left), Value::Int(right)) => left == right as f64,
            (Value::Null, Value::Null) => true,
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::String(left), Value::String(right)) | (Value::Path(left), Value::Path(right)) => {
                left.bytes == right.bytes
            }
            (Value::List(left), Value::List(right)) => {
                if left.items.len() != right.items.len() {
                    return Ok(false);
                }
                self.check_step()?;
                for (left, right) in left.items.iter().zip(right.items) {
                    if !self.equal_elements(*left, *right)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Attributes(left_set), Value::Attributes(right_set)) => {
                if self.is_derivation(left)? && self.is_derivation(right)? {
                    let paths = (left_set.get(known::OUT_PATH), right_set.get(known::OUT_PATH));
                    if let (Some(left), Some(right)) = paths {
                        return self.equal(left.value, right.value);
                    }
                }
                if left_set.len() != right_set.len() {
                    return Ok(false);
                }
                self.check_step()?;
                let (left, right) = (left_set.all(self.arena), right_set.all(self.arena));
                for (left, right) in left.iter().zip(right) {
                    if left.name != right.name || !self.equal_elements(left.value, right.value)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => false,
        })
    }

    /// The same for what stands in a list or set.
    pub(crate) fn equal_elements(&self, left: Value<'a>, right: Value<'a>) -> Outcome<'a, bool> {
        let is_same = match (left, right) {
            (Value::Thunk(left), Value::Thunk(right)) => std::ptr::eq(left, right),
            (Value::Closure(left), Value::Closure(right)) => std::ptr::eq(left, right),
            (Value::Builtin(left), Value::Builtin(right)) => std::ptr::eq(left, right),
            (Value::Partial(left), Value::Partial(right)) => std::ptr::eq(left, right),
            (Value::Attributes(left), Value::Attributes(right)) => std::ptr::eq(left, right),
            (Value::List(left), Value::List(right)) => std::ptr::eq(left, right),
            _ => false,
        };
        if is_same {
            // What fails isn't equal to itself either.
            self.force(left)?;
            return Ok(true);
        }
        self.equal(left, right)
    }

    /// Whether it is a set whose `type` is `"derivation"`.
    pub(crate) fn is_derivation(&self, value: Value<'a>) -> Outcome<'a, bool> {
        let Value::Attributes(set) = value else { return Ok(false) };
        let Some(kind) = set.get(known::TYPE) else { return Ok(false) };
        Ok(matches!(self.force(kind.value)?, Value::String(text) if text.bytes == b"derivation"))
    }

    /// `left < right`
    pub fn less(&self, left: Value<'a>, right: Value<'a>) -> Outcome<'a, bool> {
        let (left, right) = (self.force(left)?, self.force(right)?);
        Ok(match (left, right) {
            (Value::Int(left), Value::Int(right)) => left < right,
            (Value::Float(left), Value::Float(right)) => left < right,
            (Value::Int(left), Value::Float(right)) => (left as f64) < right,
            (Value::Float(left), Value::Int(right)) => left < right as f64,
            (Value::String(left), Value::String(right)) | (Value::Path(left), Value::Path(right)) => {
                left.bytes.cmp(right.bytes) == Ordering::Less
            }
            (Value::List(left), Value::List(right)) => {
                self.check_step()?;
                for (n, right) in right.items.iter().enumerate() {
                    let Some(left) = left.items.get(n) else { return Ok(true) };
                    if !self.equal_elements(*left, *right)? {
                        return self.less(*left, *right);
                    }
                }
                false
            }
            (left, right) => {
                let message = format!("cannot compare {} with {}", left.described(), right.described());
                return Err(Error::type_error(message));
            }
        })
    }
}

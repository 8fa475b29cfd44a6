//! Operators.

use super::Evaluator;
use super::coerce::{Coercion, Copying};
use super::path::absolute;
use crate::error::{Error, Outcome};
use crate::expression::{Code, Expression, Operator};
use crate::frame::Frame;
use crate::source::Span;
use crate::value::{Text, Value};

/// Parts of a string that are put together without a list of them.
const FEW_PARTS: usize = 12;

impl<'a> Evaluator<'a> {
    /// An operator that needs both operands.
    #[inline(never)]
    pub(super) fn binary(
        &self,
        operator: Operator,
        operands: &'a (Expression<'a>, Expression<'a>),
        frame: Frame<'a>,
        span: Span,
    ) -> Outcome<'a> {
        let left = self.operand(&operands.0, frame)?;
        let right = self.operand(&operands.1, frame)?;
        if let (Value::Int(left), Value::Int(right)) = (left, right) {
            return integers(operator, left, right).map_err(|error| error.at(span));
        }
        match operator {
            Operator::Add => self.add(left, right, operands, span),
            Operator::Subtract | Operator::Multiply | Operator::Divide => {
                self.calculate(operator, left, right, operands)
            }
            Operator::Less => self.less(left, right).map(Value::Bool).map_err(|error| error.at(span)),
            Operator::Greater => self.less(right, left).map(Value::Bool).map_err(|error| error.at(span)),
            Operator::LessOrEqual => {
                self.less(right, left).map(|less| Value::Bool(!less)).map_err(|error| error.at(span))
            }
            Operator::GreaterOrEqual => {
                self.less(left, right).map(|less| Value::Bool(!less)).map_err(|error| error.at(span))
            }
            Operator::Equal => self.equal(left, right).map(Value::Bool).map_err(|error| error.at(span)),
            Operator::NotEqual => {
                self.equal(left, right).map(|equal| Value::Bool(!equal)).map_err(|error| error.at(span))
            }
            Operator::Concatenate => self.concatenate(left, right, operands),
            Operator::Update => match (left, right) {
                (Value::Attributes(left), Value::Attributes(right)) => {
                    self.check_memory(
                        (left.len() + right.len()) * size_of::<crate::attributes::Attribute<'_>>(),
                    )?;
                    Ok(Value::Attributes(left.update(right, self.arena)))
                }
                (Value::Attributes(_), other) => Err(self.expected("a set", other).at(operands.1.span)),
                (other, _) => Err(self.expected("a set", other).at(operands.0.span)),
            },
            Operator::And | Operator::Or | Operator::Implies => {
                unreachable!("this holds because these are evaluated where they stand")
            }
        }
    }

    #[inline(never)]
    fn concatenate(
        &self,
        left: Value<'a>,
        right: Value<'a>,
        operands: &(Expression<'a>, Expression<'a>),
    ) -> Outcome<'a> {
        let (Value::List(first), Value::List(second)) = (left, right) else {
            let (wrong, place) =
                if matches!(left, Value::List(_)) { (right, &operands.1) } else { (left, &operands.0) };
            return Err(self.expected("a list", wrong).at(place.span));
        };
        if first.items.is_empty() {
            return Ok(right);
        }
        if second.items.is_empty() {
            return Ok(left);
        }
        self.concatenate_lists(&[first.items, second.items])
    }

    /// One list of several.
    pub(crate) fn concatenate_lists(&self, lists: &[&'a [Value<'a>]]) -> Outcome<'a> {
        let length = lists.iter().map(|items| items.len()).sum::<usize>();
        self.check_memory(length * size_of::<Value<'_>>())?;
        Ok(Value::list(self.arena, self.arena.concat(lists, Value::Null)))
    }

    /// `+` of anything but two integers.
    #[inline(never)]
    fn add(
        &self,
        left: Value<'a>,
        right: Value<'a>,
        operands: &(Expression<'a>, Expression<'a>),
        span: Span,
    ) -> Outcome<'a> {
        match (left, right) {
            (Value::Float(left), Value::Float(right)) => Ok(Value::Float(left + right)),
            (Value::Float(left), Value::Int(right)) => Ok(Value::Float(left + right as f64)),
            (Value::Int(left), Value::Float(right)) => Ok(Value::Float(left as f64 + right)),
            (Value::String(first), Value::String(second)) => self.join(*first, *second),
            (Value::Path(path), other) => {
                let added = self
                    .coerce(other, Coercion::INTERPOLATED.copying(Copying::Never))
                    .map_err(|e| e.at(operands.1.span))?;
                self.append_to_path(path.bytes, added).map_err(|error| error.at(operands.1.span))
            }
            (Value::Int(_) | Value::Float(_), other) => Err(self.cannot_add(left, other).at(span)),
            (other, added) => {
                let added_type_matters = matches!(added, Value::Int(_) | Value::Float(_));
                if added_type_matters {
                    return Err(self.cannot_add(other, added).at(span));
                }
                // As in the reference, a path is copied when it is added to a string, not when a set makes the string.
                let copying =
                    if matches!(other, Value::String(_)) { Copying::ToStore } else { Copying::Never };
                let how = Coercion::INTERPOLATED.copying(copying);
                let first = self.coerce(other, how).map_err(|error| error.at(operands.0.span))?;
                let second = self.coerce(added, how).map_err(|error| error.at(operands.1.span))?;
                self.join(first, second)
            }
        }
    }

    #[cold]
    fn cannot_add(&self, left: Value<'a>, right: Value<'a>) -> Box<Error> {
        let is_string = |value| matches!(value, Value::String(_));
        let hint =
            (is_string(left) || is_string(right)).then(|| "`toString` makes a string of a number".to_owned());
        Error::type_error(format!("cannot add {} to {}", right.described(), left.described())).with_hint(hint)
    }

    fn join(&self, first: Text<'a>, second: Text<'a>) -> Outcome<'a> {
        let context = first.context.union(second.context, self.arena);
        if second.bytes.is_empty() {
            return Ok(self.text(Text { bytes: first.bytes, context }));
        }
        let (left, right) = (first.bytes, second.bytes);
        self.check_memory(left.len() + right.len())?;
        Ok(self.text(Text { bytes: self.arena.concat(&[left, right], 0), context }))
    }

    fn append_to_path(&self, path: &[u8], added: Text<'a>) -> Outcome<'a> {
        if !added.context.is_none() {
            return Err(Error::value("a string that refers to a store path cannot be appended to a path"));
        }
        Ok(self.path_value(&absolute(&[path, added.bytes].concat())))
    }

    #[inline(never)]
    fn calculate(
        &self,
        operator: Operator,
        left: Value<'a>,
        right: Value<'a>,
        operands: &(Expression<'a>, Expression<'a>),
    ) -> Outcome<'a> {
        let number = |value, code: &Expression<'a>| match value {
            Value::Int(number) => Ok(number as f64),
            Value::Float(number) => Ok(number),
            other => Err(self.expected("a number", other).at(code.span)),
        };
        let (left, right) = (number(left, &operands.0)?, number(right, &operands.1)?);
        match operator {
            Operator::Subtract => Ok(Value::Float(left - right)),
            Operator::Multiply => Ok(Value::Float(left * right)),
            _ if right == 0.0 => Err(Error::value("division by zero").at(operands.1.span)),
            _ => Ok(Value::Float(left / right)),
        }
    }

    /// What `builtins.add` and its like compute.
    pub(crate) fn arithmetic(&self, operator: Operator, left: Value<'a>, right: Value<'a>) -> Outcome<'a> {
        let (left, right) = (self.force(left)?, self.force(right)?);
        let number = |value| match value {
            Value::Int(number) => Ok(number as f64),
            Value::Float(number) => Ok(number),
            other => Err(self.expected("a number", other)),
        };
        if let (Value::Int(left), Value::Int(right)) = (left, right) {
            return integers(operator, left, right);
        }
        let (left, right) = (number(left)?, number(right)?);
        Ok(Value::Float(match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            _ if right == 0.0 => return Err(Error::value("division by zero")),
            _ => left / right,
        }))
    }

    #[inline(never)]
    pub(super) fn negate(&self, operand: Code<'a>, frame: Frame<'a>, span: Span) -> Outcome<'a> {
        match self.evaluate(operand, frame)? {
            Value::Int(number) => integers(Operator::Subtract, 0, number).map_err(|error| error.at(span)),
            Value::Float(number) => Ok(Value::Float(0.0 - number)),
            other => Err(self.expected("a number", other).at(operand.span)),
        }
    }

    /// `"…${…}…"`
    #[inline(never)]
    pub(super) fn interpolation(&self, parts: &'a [Code<'a>], frame: Frame<'a>) -> Outcome<'a> {
        let mut few = [&b""[..]; FEW_PARTS];
        let mut many = Vec::new();
        let texts = if parts.len() <= FEW_PARTS {
            &mut few[..parts.len()]
        } else {
            many.resize(parts.len(), &b""[..]);
            &mut many[..]
        };
        let (mut length, mut context) = (0, crate::context::Context::NONE);
        for (part, place) in parts.iter().zip(&mut *texts) {
            let value = self.evaluate(part, frame)?;
            let text = match value {
                Value::String(text) => *text,
                other => self.coerce(other, Coercion::INTERPOLATED).map_err(|error| error.at(part.span))?,
            };
            if parts.len() == 1 {
                return Ok(self.text(text));
            }
            *place = text.bytes;
            length += text.bytes.len();
            context = context.union(text.context, self.arena);
        }
        self.check_memory(length)?;
        Ok(self.text(Text { bytes: self.arena.concat(texts, 0), context }))
    }

    /// `./…${…}…`
    #[inline(never)]
    pub(super) fn path_interpolation(&self, parts: &'a [Code<'a>], frame: Frame<'a>) -> Outcome<'a> {
        let mut bytes = Vec::new();
        for part in parts {
            let value = self.evaluate(part, frame)?;
            let text = self
                .coerce(value, Coercion::INTERPOLATED.copying(Copying::Never))
                .map_err(|error| error.at(part.span))?;
            if !text.context.is_none() {
                let error = Error::value("a string that refers to a store path cannot be appended to a path");
                return Err(error.at(part.span));
            }
            bytes.extend_from_slice(text.bytes);
        }
        Ok(self.path_value(&absolute(&bytes)))
    }
}

#[inline]
fn integers<'a>(operator: Operator, left: i64, right: i64) -> Outcome<'a> {
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide if right == 0 => return Err(Error::value("division by zero")),
        Operator::Divide => left.checked_div(right),
        Operator::Less => return Ok(Value::Bool(left < right)),
        Operator::LessOrEqual => return Ok(Value::Bool(left <= right)),
        Operator::Greater => return Ok(Value::Bool(left > right)),
        Operator::GreaterOrEqual => return Ok(Value::Bool(left >= right)),
        Operator::Equal => return Ok(Value::Bool(left == right)),
        Operator::NotEqual => return Ok(Value::Bool(left != right)),
        _ => {
            return Err(Error::type_error(format!(
                "expected {} but found an integer: {left}",
                wanted(operator)
            )));
        }
    };
    result.map(Value::Int).ok_or_else(|| overflow(operator, left, right))
}

fn wanted(operator: Operator) -> &'static str {
    match operator {
        Operator::Concatenate => "a list",
        _ => "a set",
    }
}

#[cold]
#[inline(never)]
fn overflow(operator: Operator, left: i64, right: i64) -> Box<Error> {
    let (doing, sign) = match operator {
        Operator::Add => ("adding", '+'),
        Operator::Subtract => ("subtracting", '-'),
        Operator::Multiply => ("multiplying", '*'),
        _ => ("dividing", '/'),
    };
    Error::value(format!("integer overflow in {doing} {left} {sign} {right}"))
}

//! What is not needed yet: a thunk, or at once a value where that costs no more and cannot fail.

use super::Evaluator;
use super::expression::outer;
use crate::attributes::Attributes;
use crate::expression::{Code, Expression, KeyName, Kind, Operator};
use crate::frame::Frame;
use crate::value::{Closure, State, Thunk, Value};
use std::cell::Cell;

impl<'a> Evaluator<'a> {
    /// The expression's value, to be had later.
    #[inline]
    pub(crate) fn delay(&self, code: Code<'a>, frame: Frame<'a>) -> Value<'a> {
        match &code.kind {
            Kind::Constant(value) => *value,
            Kind::SelectedBuiltin(builtin) => {
                Value::Thunk(self.arena.put(Thunk(Cell::new(State::Done(Value::Builtin(builtin))))))
            }
            Kind::Local(slot) => match frame.slots()[*slot as usize].get() {
                Value::Unset => self.suspend(code, frame),
                value => value,
            },
            Kind::Outer(place) => match outer(frame, *place) {
                Value::Unset => self.suspend(code, frame),
                value => value,
            },
            Kind::ConstantSet(attributes) => {
                Value::Attributes(Attributes::from_sorted(self.arena, attributes))
            }
            Kind::ConstantList(items) => Value::list(self.arena, items),
            Kind::Lambda(lambda) => {
                frame.capture();
                Value::Closure(self.arena.put(Closure { lambda, frame }))
            }
            Kind::Binary(operator, operands) => {
                arithmetic(*operator, operands, frame).unwrap_or_else(|| self.suspend(code, frame))
            }
            Kind::Select(select) => match (select.path, known(select.base, frame)) {
                ([key], Some(Value::Attributes(set))) => match key.name {
                    KeyName::Static(name) => {
                        set.get(name).map_or_else(|| self.suspend(code, frame), |found| found.value)
                    }
                    KeyName::Dynamic(_) => self.suspend(code, frame),
                },
                _ => self.suspend(code, frame),
            },
            _ => self.suspend(code, frame),
        }
    }

    /// A thunk.
    #[inline]
    pub(super) fn suspend(&self, code: Code<'a>, frame: Frame<'a>) -> Value<'a> {
        frame.capture();
        Value::Thunk(self.arena.put(Thunk(Cell::new(State::Suspended(code, frame)))))
    }
}

/// The value of a variable or constant that is known already.
#[inline]
fn known<'a>(code: &Expression<'a>, frame: Frame<'a>) -> Option<Value<'a>> {
    match &code.kind {
        Kind::Constant(value) => value.if_known(),
        Kind::Local(slot) => frame.slots()[*slot as usize].get().if_known(),
        Kind::Outer(place) => outer(frame, *place).if_known(),
        _ => None,
    }
}

/// What an operator makes of integers that are known, unless it fails.
#[inline]
fn arithmetic<'a>(
    operator: Operator,
    operands: &(Expression<'a>, Expression<'a>),
    frame: Frame<'a>,
) -> Option<Value<'a>> {
    let Some(Value::Int(left)) = known(&operands.0, frame) else { return None };
    let Some(Value::Int(right)) = known(&operands.1, frame) else { return None };
    match operator {
        Operator::Add => left.checked_add(right).map(Value::Int),
        Operator::Subtract => left.checked_sub(right).map(Value::Int),
        Operator::Multiply => left.checked_mul(right).map(Value::Int),
        Operator::Less => Some(Value::Bool(left < right)),
        Operator::LessOrEqual => Some(Value::Bool(left <= right)),
        Operator::Greater => Some(Value::Bool(left > right)),
        Operator::GreaterOrEqual => Some(Value::Bool(left >= right)),
        Operator::Equal => Some(Value::Bool(left == right)),
        Operator::NotEqual => Some(Value::Bool(left != right)),
        _ => None,
    }
}

//! One expression to its value.

use super::Evaluator;
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind, Outcome};
use crate::expression::{Binding, Code, Kind, Operator, Place};
use crate::frame::Frame;
use crate::source::Span;
use crate::value::{Closure, State, Value};

impl<'a> Evaluator<'a> {
    /// Evaluates an expression. What is in tail position doesn't nest, but for calls, whose errors would be hard to
    /// understand without the way to them.
    pub(crate) fn evaluate(&self, mut code: Code<'a>, mut frame: Frame<'a>) -> Outcome<'a> {
        loop {
            match &code.kind {
                Kind::Constant(value) => return self.force(*value),
                Kind::SelectedBuiltin(builtin) => return Ok(Value::Builtin(builtin)),
                Kind::ConstantSet(attributes) => {
                    return Ok(Value::Attributes(Attributes::from_sorted(self.arena, attributes)));
                }
                Kind::ConstantList(items) => return Ok(Value::list(self.arena, items)),
                Kind::Local(slot) => return self.variable(frame.slots()[*slot as usize].get(), code.span),
                Kind::Outer(place) => return self.variable(outer(frame, *place), code.span),
                Kind::WithVariable(name, scopes) => {
                    return self.with_variable(*name, scopes, frame, code.span);
                }
                Kind::Select(select) => return self.select(select, frame, code.span),
                Kind::HasAttribute(base, path) => {
                    return self.has_attribute(base, path, frame).map(Value::Bool);
                }
                Kind::Lambda(lambda) => {
                    frame.capture();
                    return Ok(Value::Closure(self.arena.put(Closure { lambda, frame })));
                }
                Kind::Apply(function, arguments) => return self.apply(function, arguments, frame, code.span),
                Kind::Let(bindings, body) => {
                    self.bind(bindings, frame);
                    code = body;
                }
                Kind::Frame(slots, body) => {
                    frame.capture();
                    frame = self.frame(Some(frame), *slots);
                    code = body;
                }
                Kind::Attributes(set) => return self.attribute_set(set, frame),
                Kind::List(items) => return Ok(self.list_expression(items, frame)),
                Kind::If(condition, choices) => {
                    code = if self.condition(condition, frame)? { &choices.0 } else { &choices.1 };
                }
                Kind::Assert(condition, body) => {
                    if !self.condition(condition, frame)? {
                        return Err(self.assertion_failed(condition.span));
                    }
                    code = body;
                }
                Kind::With(slot, parts) => {
                    frame.slots()[*slot as usize].set(self.delay(&parts.0, frame));
                    code = &parts.1;
                }
                Kind::Binary(operator, operands) => match operator {
                    Operator::And => {
                        if !self.condition(&operands.0, frame)? {
                            return Ok(Value::Bool(false));
                        }
                        return self.condition(&operands.1, frame).map(Value::Bool);
                    }
                    Operator::Or => {
                        if self.condition(&operands.0, frame)? {
                            return Ok(Value::Bool(true));
                        }
                        return self.condition(&operands.1, frame).map(Value::Bool);
                    }
                    Operator::Implies => {
                        if !self.condition(&operands.0, frame)? {
                            return Ok(Value::Bool(true));
                        }
                        return self.condition(&operands.1, frame).map(Value::Bool);
                    }
                    operator => return self.binary(*operator, operands, frame, code.span),
                },
                Kind::Not(operand) => return self.condition(operand, frame).map(|truth| Value::Bool(!truth)),
                Kind::Negate(operand) => return self.negate(operand, frame, code.span),
                Kind::Interpolation(parts) => return self.interpolation(parts, frame),
                Kind::PathInterpolation(parts) => return self.path_interpolation(parts, frame),
            }
        }
    }

    /// Evaluates an expression that is often a constant or a variable whose value is known.
    #[inline]
    pub(super) fn operand(&self, code: Code<'a>, frame: Frame<'a>) -> Outcome<'a> {
        let value = match &code.kind {
            Kind::Constant(value) => *value,
            Kind::SelectedBuiltin(builtin) => return Ok(Value::Builtin(builtin)),
            Kind::Local(slot) => frame.slots()[*slot as usize].get(),
            Kind::Outer(place) => outer(frame, *place),
            _ => return self.evaluate(code, frame),
        };
        match value {
            Value::Thunk(thunk) => match thunk.0.get() {
                State::Done(value) => Ok(value),
                _ => self.evaluate(code, frame),
            },
            Value::Unset => self.evaluate(code, frame),
            value => Ok(value),
        }
    }

    #[inline]
    fn variable(&self, value: Value<'a>, span: Span) -> Outcome<'a> {
        match value {
            Value::Thunk(_) => match self.force(value) {
                Ok(value) => Ok(value),
                Err(error) => Err(error.at(span)),
            },
            Value::Unset => Err(self.unset(span)),
            value => Ok(value),
        }
    }

    #[cold]
    #[inline(never)]
    fn unset(&self, span: Span) -> Box<Error> {
        Error::new(ErrorKind::InfiniteRecursion, "infinite recursion: this value needs itself").at(span)
    }

    #[cold]
    #[inline(never)]
    fn assertion_failed(&self, span: Span) -> Box<Error> {
        let source = self.sources.locate(span);
        let text = source.and_then(|location| Some(location.source.text.get(location.range)?.to_owned()));
        let text = text.unwrap_or_default();
        Error::new(ErrorKind::Assertion, format!("assertion `{text}` failed")).at(span)
    }

    #[inline]
    fn condition(&self, code: Code<'a>, frame: Frame<'a>) -> Outcome<'a, bool> {
        match self.evaluate(code, frame)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(self.expected("a Boolean", other).at(code.span)),
        }
    }

    #[inline(never)]
    fn bind(&self, bindings: &'a [Binding<'a>], frame: Frame<'a>) {
        for binding in bindings {
            frame.slots()[binding.slot as usize].set(self.delay(binding.value, frame));
        }
    }

    #[inline(never)]
    pub(super) fn list_expression(&self, items: &'a [Code<'a>], frame: Frame<'a>) -> Value<'a> {
        let items = self.arena.fill(items.len(), |n| self.delay(items[n], frame));
        Value::list(self.arena, items)
    }

    /// The message for a value of the wrong type.
    #[cold]
    #[inline(never)]
    pub(crate) fn expected(&self, wanted: &str, found: Value<'a>) -> Box<Error> {
        let shown = crate::print::short(self, found);
        let shown = if shown.is_empty() { shown } else { format!(": {shown}") };
        Error::type_error(format!("expected {wanted} but found {}{shown}", found.described()))
    }
}

/// A variable of a frame further out.
#[inline]
pub(super) fn outer<'a>(mut frame: Frame<'a>, place: Place) -> Value<'a> {
    for _ in 0..place.depth {
        frame = frame.parent().expect("this holds because names are resolved to frames that are there");
    }
    frame.slots()[place.slot as usize].get()
}

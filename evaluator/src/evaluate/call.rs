//! Calling functions.

use super::Evaluator;
use crate::builtins::{Builtin, MAX_ARITY};
use crate::error::{Error, ErrorKind, Outcome};
use crate::expression::{Code, Kind, Lambda, Parameter, Pattern};
use crate::frame::Frame;
use crate::source::Span;
use crate::symbol::known;
use crate::value::{Closure, Partial, State, Thunk, Value};
use std::cell::Cell;

impl<'a> Evaluator<'a> {
    /// `function a b c`
    #[inline(never)]
    pub(super) fn apply(
        &self,
        function: Code<'a>,
        arguments: &'a [Code<'a>],
        frame: Frame<'a>,
        span: Span,
    ) -> Outcome<'a> {
        let mut callee = self.operand(function, frame)?;
        let mut rest = arguments;
        while let [first, others @ ..] = rest {
            callee = match callee {
                Value::Closure(closure) => {
                    let called = self.call_closure(closure, |lambda| {
                        let [next, others @ ..] = rest else { return Ok(None) };
                        rest = others;
                        Ok(Some(match lambda.parameter {
                            Parameter::Name => self.delay(next, frame),
                            Parameter::Pattern(_) => self.evaluate(next, frame)?,
                        }))
                    });
                    match called {
                        Ok(value) => value,
                        Err(error) => return Err(self.while_calling(error, closure.lambda, span)),
                    }
                }
                Value::Builtin(builtin) if rest.len() >= builtin.arity() => {
                    let (given, others) = rest.split_at(builtin.arity());
                    rest = others;
                    self.apply_builtin(builtin, given, frame, span)?
                }
                other => {
                    rest = others;
                    let argument = self.delay(first, frame);
                    self.call(other, &[argument]).map_err(|error| error.at(span))?
                }
            };
        }
        Ok(callee)
    }

    #[inline(never)]
    fn apply_builtin(
        &self,
        builtin: &'static Builtin,
        given: &'a [Code<'a>],
        frame: Frame<'a>,
        span: Span,
    ) -> Outcome<'a> {
        self.check_stack()?;
        let mut arguments = [Value::Null; MAX_ARITY];
        for (n, code) in given.iter().enumerate() {
            arguments[n] = if builtin.strict >> n & 1 == 1 {
                match self.evaluate(code, frame) {
                    Ok(value) => value,
                    Err(error) => {
                        let error = self.first_failure(builtin, given, (arguments, n), error, frame);
                        return Err(while_calling_builtin(error, builtin, span));
                    }
                }
            } else {
                self.delay(code, frame)
            };
        }
        (builtin.function)(self, &arguments[..given.len()])
            .map_err(|error| while_calling_builtin(error, builtin, span))
    }

    /// What a builtin fails with one of whose arguments failed, before it was called: perhaps it refuses another first. That matters
    /// where one of both failures is caught.
    #[cold]
    fn first_failure(
        &self,
        builtin: &'static Builtin,
        given: &'a [Code<'a>],
        (mut arguments, failed): ([Value<'a>; MAX_ARITY], usize),
        error: Box<Error>,
        frame: Frame<'a>,
    ) -> Box<Error> {
        if !error.kind.is_caught_by_try() || given.len() == 1 {
            return error;
        }
        // Whoever needs it is told that it needs itself.
        arguments[failed] = Value::Thunk(self.arena.put(Thunk(Cell::new(State::Running))));
        for n in failed + 1..given.len() {
            arguments[n] = self.delay(given[n], frame);
        }
        match (builtin.function)(self, &arguments[..given.len()]) {
            Err(other) if other.kind != ErrorKind::InfiniteRecursion => other,
            _ => error,
        }
    }

    /// Calls a function with arguments, one after the other.
    pub fn call(&self, function: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
        let mut callee = self.force(function)?;
        let mut rest = arguments;
        while !rest.is_empty() {
            callee = match callee {
                Value::Closure(closure) => {
                    let called = self.call_closure(closure, |_| {
                        let [next, others @ ..] = rest else { return Ok(None) };
                        rest = others;
                        Ok(Some(*next))
                    });
                    match called {
                        Ok(value) => value,
                        Err(error) => return Err(self.while_calling(error, closure.lambda, Span::NOWHERE)),
                    }
                }
                Value::Builtin(builtin) => {
                    let (given, others) = rest.split_at(rest.len().min(builtin.arity()));
                    rest = others;
                    self.call_builtin(builtin, given)?
                }
                Value::Partial(partial) => {
                    let held = partial.arguments.len();
                    let taken = rest.len().min(partial.builtin.arity() - held);
                    let (given, others) = rest.split_at(taken);
                    rest = others;
                    let mut all = [Value::Null; MAX_ARITY];
                    all[..held].copy_from_slice(partial.arguments);
                    all[held..held + taken].copy_from_slice(given);
                    self.call_builtin(partial.builtin, &all[..held + taken])?
                }
                Value::Attributes(set) => match set.get(known::FUNCTOR) {
                    // The functor takes the set, and what it gives the same arguments. This nests, so that a
                    // functor that gives itself ends.
                    Some(functor) => return self.call(self.call(functor.value, &[callee])?, rest),
                    None => return Err(self.not_callable(callee)),
                },
                other => return Err(self.not_callable(other)),
            };
        }
        Ok(callee)
    }

    fn call_builtin(&self, builtin: &'static Builtin, arguments: &[Value<'a>]) -> Outcome<'a> {
        if arguments.len() < builtin.arity() {
            let arguments = self.arena.slice(arguments);
            return Ok(Value::Partial(self.arena.put(Partial { builtin, arguments })));
        }
        self.check_step()?;
        (builtin.function)(self, arguments)
            .map_err(|error| while_calling_builtin(error, builtin, Span::NOWHERE))
    }

    /// Calls a function with the next argument, and while the body is itself a function and there are more arguments,
    /// that one too, without making a value of it.
    #[inline]
    fn call_closure(
        &self,
        closure: &'a Closure<'a>,
        mut next: impl FnMut(&'a Lambda<'a>) -> Outcome<'a, Option<Value<'a>>>,
    ) -> Outcome<'a> {
        self.check_step()?;
        let (mut lambda, mut frame, mut nesting) = (closure.lambda, closure.frame, 0);
        let mut code = lambda.body;
        while let Some(argument) = next(lambda)? {
            let inner = self.frame(Some(frame), lambda.slots);
            match &lambda.parameter {
                Parameter::Name => inner.slots()[0].set(argument),
                Parameter::Pattern(pattern) => self.bind_pattern(pattern, lambda, argument, inner)?,
            }
            frame = inner;
            nesting += 1;
            code = lambda.body;
            match &code.kind {
                Kind::Lambda(body) => lambda = body,
                _ => break,
            }
        }
        let value = self.evaluate(code, frame)?;
        for _ in 0..nesting {
            let outer = frame.parent();
            if !frame.is_captured() {
                self.leave_frame(frame);
            } else if let Some(outer) = outer {
                outer.capture();
            }
            let Some(outer) = outer else { break };
            frame = outer;
        }
        Ok(value)
    }

    #[inline(never)]
    fn bind_pattern(
        &self,
        pattern: &'a Pattern<'a>,
        lambda: &'a Lambda<'a>,
        argument: Value<'a>,
        frame: Frame<'a>,
    ) -> Outcome<'a, ()> {
        let argument = self.force(argument)?;
        let Value::Attributes(set) = argument else {
            return Err(self.expected("a set", argument).with_note("the function takes a set", lambda.span));
        };
        if pattern.is_bound {
            frame.slots()[0].set(argument);
        }
        let (mut found, mut has_defaults) = (0, false);
        for formal in pattern.formals {
            match set.get(formal.name) {
                Some(attribute) => {
                    found += 1;
                    frame.slots()[formal.slot as usize].set(attribute.value);
                }
                None if formal.default.is_some() => has_defaults = true,
                None => return Err(self.missing_argument(pattern, lambda, set, formal)),
            }
        }
        if !pattern.is_open && found < set.len() {
            return Err(self.unexpected_argument(pattern, lambda, argument));
        }
        if has_defaults {
            for formal in pattern.formals {
                if let (Some(default), Value::Unset) =
                    (formal.default, frame.slots()[formal.slot as usize].get())
                {
                    frame.slots()[formal.slot as usize].set(self.delay(default, frame));
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn missing_argument(
        &self,
        pattern: &Pattern<'a>,
        lambda: &Lambda<'a>,
        set: &'a crate::attributes::Attributes<'a>,
        missing: &crate::expression::Formal<'a>,
    ) -> Box<Error> {
        let name = self.symbols.text(missing.name);
        let is_formal = |name| pattern.formals.iter().any(|formal| formal.name == name);
        let given =
            set.all(self.arena).iter().map(|attribute| attribute.name).filter(|&name| !is_formal(name));
        let near = crate::suggest::nearest(&name, given.map(|name| self.symbols.text(name)));
        let hint = near.first().map(|given| format!("it was given `{given}`, which it has no argument for"));
        let function = self.function_name(lambda);
        Error::new(ErrorKind::Call, format!("{function} called without required argument `{name}`"))
            .with_note("it is required here", missing.span)
            .with_hint(hint)
    }

    #[cold]
    fn unexpected_argument(
        &self,
        pattern: &Pattern<'a>,
        lambda: &Lambda<'a>,
        argument: Value<'a>,
    ) -> Box<Error> {
        let Value::Attributes(set) = argument else { return self.expected("a set", argument) };
        let is_formal = |name| pattern.formals.iter().any(|formal| formal.name == name);
        let unexpected = set.by_name(self.arena, &self.symbols).find(|attribute| !is_formal(attribute.name));
        let name = unexpected.map(|attribute| self.symbols.text(attribute.name)).unwrap_or_default();
        let formals = pattern.formals.iter().map(|formal| self.symbols.text(formal.name));
        let hint = crate::suggest::did_you_mean(&name, formals);
        let function = self.function_name(lambda);
        Error::new(ErrorKind::Call, format!("{function} called with unexpected argument `{name}`"))
            .with_hint(hint)
            .with_note("the function is defined here", lambda.span)
    }

    #[cold]
    #[inline(never)]
    fn not_callable(&self, value: Value<'a>) -> Box<Error> {
        let shown = crate::print::short(self, value);
        let shown = if shown.is_empty() { shown } else { format!(": {shown}") };
        let what = value.described();
        Error::type_error(format!("attempt to call something which is not a function but {what}{shown}"))
    }

    #[cold]
    #[inline(never)]
    fn while_calling(&self, error: Box<Error>, lambda: &Lambda<'a>, span: Span) -> Box<Error> {
        // A pattern's error is the caller's.
        error.at(span).while_doing(|| format!("while calling {}", self.function_name(lambda)), span)
    }

    fn function_name(&self, lambda: &Lambda<'a>) -> String {
        match lambda.name {
            Some(name) => format!("function `{}`", self.symbols.text(name)),
            None => "an anonymous function".to_owned(),
        }
    }
}

#[cold]
#[inline(never)]
fn while_calling_builtin(error: Box<Error>, builtin: &'static Builtin, span: Span) -> Box<Error> {
    let error = error.at(span);
    // What it says is in the chain already.
    if builtin.name == "addErrorContext" {
        return error;
    }
    error.while_doing(|| format!("while calling `builtins.{}`", builtin.name), span)
}

//! Values: small copies that point into the evaluation's [arena](crate::arena).

use crate::Evaluator;
use crate::arena::Arena;
use crate::attributes::{Attribute, Attributes};
use crate::builtins::Builtin;
use crate::context::Context;
use crate::error::Outcome;
use crate::expression::{Code, Lambda};
use crate::frame::Frame;
use std::cell::Cell;

/// A value of the language: 16 bytes. Two variants are no results of evaluation: [`Thunk`](Self::Thunk), which
/// [`Evaluator::force`](crate::Evaluator::force) replaces, and [`Unset`](Self::Unset), a variable not yet bound.
#[derive(Clone, Copy)]
// With a tag of one byte, copies would move the bytes beside it in overlapping pieces, which processors wait for.
#[repr(u64)]
pub enum Value<'a> {
    /// Only in frames: the variable's binding was not reached yet.
    Unset,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Bytes with their context.
    String(&'a Text<'a>),
    /// An absolute path, in normal form.
    Path(&'a Text<'a>),
    /// Elements, lazy.
    List(&'a List<'a>),
    /// Named values, lazy.
    Attributes(&'a Attributes<'a>),
    /// A function written in the language.
    Closure(&'a Closure<'a>),
    /// A function of the evaluator.
    Builtin(&'static Builtin),
    /// A function of the evaluator with some of its arguments.
    Partial(&'a Partial<'a>),
    /// Not evaluated yet, or a value after all.
    Thunk(&'a Thunk<'a>),
}

/// Bytes of a string or path, shared with other strings where it was cut out of one.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// Any bytes but NUL.
    pub bytes: &'a [u8],
    /// What the string depends on.
    pub context: Context<'a>,
}

/// The elements of a list.
pub struct List<'a> {
    /// In order; possibly thunks.
    pub items: &'a [Value<'a>],
}

/// A function and the variables around it.
pub struct Closure<'a> {
    /// The function.
    pub lambda: &'a Lambda<'a>,
    /// Where it was made.
    pub frame: Frame<'a>,
}

/// A builtin that waits for more arguments.
pub struct Partial<'a> {
    /// The function.
    pub builtin: &'static Builtin,
    /// Fewer than it takes.
    pub arguments: &'a [Value<'a>],
}

/// Something to be evaluated at most once.
pub struct Thunk<'a>(pub Cell<State<'a>>);

/// How far a thunk is.
#[derive(Clone, Copy)]
#[repr(u64)]
pub enum State<'a> {
    /// Evaluated; never itself a thunk.
    Done(Value<'a>),
    /// An expression in its frame.
    Suspended(Code<'a>, Frame<'a>),
    /// A function applied to an argument.
    Call(&'a (Value<'a>, Value<'a>)),
    /// What a function makes of one of many things.
    Each(&'a Each<'a>, usize),
    /// The value at a path of attributes: a value and a name.
    Attribute(&'a (Value<'a>, crate::symbol::Symbol)),
    /// Being evaluated; needing it now means that it needs itself.
    Running,
}

/// A function and what it is applied to, one by one, each when that is needed. It is shared, so that none of them costs more than
/// its thunk.
pub enum Each<'a> {
    /// Applied to 0, 1, 2, …
    Index(Value<'a>),
    /// Applied to each of these.
    Item(Value<'a>, &'a [Value<'a>]),
    /// Applied to each one's name and value.
    Attribute(Value<'a>, &'a [Attribute<'a>]),
}

impl<'a> Each<'a> {
    /// What the function makes of the thing at `place`, to be had later.
    pub fn later(&'a self, arena: &'a Arena, place: usize) -> Value<'a> {
        Value::Thunk(arena.put(Thunk(Cell::new(State::Each(self, place)))))
    }

    /// The list of what the function makes of the first so many things.
    pub fn list(&'a self, evaluator: &Evaluator<'a>, length: usize) -> Outcome<'a> {
        let items = evaluator.arena.try_fill(length, |place| -> Outcome<'a> {
            evaluator.check_step()?;
            Ok(self.later(evaluator.arena, place))
        })?;
        Ok(Value::list(evaluator.arena, items))
    }
}

impl<'a> Value<'a> {
    /// A string without context.
    pub fn string(arena: &'a Arena, bytes: &'a [u8]) -> Self {
        Self::String(arena.put(Text { bytes, context: Context::NONE }))
    }

    /// A list of these.
    pub fn list(arena: &'a Arena, items: &'a [Value<'a>]) -> Self {
        Self::List(arena.put(List { items }))
    }

    /// A function's application, to be done when it is needed.
    pub fn call_later(arena: &'a Arena, function: Value<'a>, argument: Value<'a>) -> Self {
        Self::Thunk(arena.put(Thunk(Cell::new(State::Call(arena.put((function, argument)))))))
    }

    /// The value if it is known already.
    #[inline]
    pub fn if_known(self) -> Option<Self> {
        match self {
            Self::Thunk(thunk) => match thunk.0.get() {
                State::Done(value) => Some(value),
                _ => None,
            },
            Self::Unset => None,
            value => Some(value),
        }
    }

    /// `builtins.typeOf`'s answer.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) => "string",
            Self::Path(_) => "path",
            Self::List(_) => "list",
            Self::Attributes(_) => "set",
            Self::Closure(_) | Self::Builtin(_) | Self::Partial(_) => "lambda",
            Self::Thunk(_) | Self::Unset => "thunk",
        }
    }

    /// What messages call it, with its article.
    pub const fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a Boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::String(_) => "a string",
            Self::Path(_) => "a path",
            Self::List(_) => "a list",
            Self::Attributes(_) => "a set",
            Self::Closure(_) => "a function",
            Self::Builtin(_) => "a built-in function",
            Self::Partial(_) => "a partially applied built-in function",
            Self::Thunk(_) | Self::Unset => "a value not evaluated yet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_small() {
        assert_eq!(size_of::<Value<'_>>(), 16);
        assert_eq!(size_of::<Thunk<'_>>(), 24);
        assert_eq!(size_of::<Outcome<'_>>(), 16);
    }
}

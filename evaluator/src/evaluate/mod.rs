//! Evaluation: expressions to values.
//!
//! [`Evaluator::evaluate`] is the heart: it takes an expression and the frame of its variables to a value in *weak
//! head normal form*, a value that is no thunk but may contain some. What may not be needed is
//! [delayed](Evaluator::delay): constants, variables, functions and what can be computed at once without failing
//! become values; the rest thunks. Recursion uses the native stack, which is large and whose end is watched.

mod call;
pub mod coerce;
mod compare;
mod delay;
mod expression;
mod operator;
pub mod path;
mod select;
mod set;
pub mod sort;

use crate::arena::Arena;
use crate::attributes::Attribute;
use crate::builtins;
use crate::error::{Error, ErrorKind, Outcome};
use crate::frame::Frame;
use crate::host::Host;
use crate::options::Options;
use crate::regex::Regex;
use crate::source::{Sources, Span};
use crate::symbol::Symbols;
use crate::value::{Each, State, Text, Thunk, Value};
use rustc_hash::FxHashMap;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// An evaluation: everything that values, expressions and builtins share. All methods take `&self`.
pub struct Evaluator<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) symbols: Symbols<'a>,
    pub(crate) sources: Sources,
    pub(crate) host: &'a dyn Host,
    pub(crate) options: &'a Options,
    pub(crate) builtins: OnceCell<Value<'a>>,
    /// By the name that an expression uses, filled as they are asked for.
    pub(crate) imported: RefCell<FxHashMap<&'a [u8], Value<'a>>>,
    /// Store paths of the files and folders that were added, by path.
    pub(crate) added_paths: RefCell<FxHashMap<&'a [u8], &'a str>>,
    /// Compiled regular expressions, by their text.
    pub(crate) regexes: RefCell<FxHashMap<&'a [u8], Rc<Regex>>>,
    stack_end: usize,
    steps: Cell<u32>,
    spare_frames: [Cell<Option<Frame<'a>>>; SPARE_SIZES],
}

/// Frames of up to this many slots are used again when nothing refers to them any more.
const SPARE_SIZES: usize = 9;

/// Calls and forces between looks at the clock's substitutes: cancellation and the memory limit.
const STEPS_BETWEEN_LOOKS: u32 = 4096;

/// Bytes of stack that are kept free for what doesn't watch it: a builtin, rendering an error.
const STACK_RESERVE_BYTES: usize = 192 << 10;

impl<'a> Evaluator<'a> {
    /// Starts on this thread, whose stack has `stack_bytes` from here on.
    pub(crate) fn new(
        arena: &'a Arena,
        host: &'a dyn Host,
        options: &'a Options,
        stack_bytes: usize,
    ) -> Self {
        Self {
            arena,
            symbols: Symbols::new(arena),
            sources: Sources::default(),
            host,
            options,
            builtins: OnceCell::new(),
            imported: RefCell::default(),
            added_paths: RefCell::default(),
            regexes: RefCell::default(),
            stack_end: stack_position().saturating_sub(stack_bytes.saturating_sub(STACK_RESERVE_BYTES)),
            steps: Cell::new(0),
            spare_frames: Default::default(),
        }
    }

    /// Evaluates until the value is no thunk.
    #[inline]
    pub fn force(&self, value: Value<'a>) -> Outcome<'a> {
        match value {
            Value::Thunk(thunk) => match thunk.0.get() {
                State::Done(value) => Ok(value),
                state => self.run(thunk, state),
            },
            value => Ok(value),
        }
    }

    #[inline(never)]
    fn run(&self, thunk: &'a Thunk<'a>, state: State<'a>) -> Outcome<'a> {
        self.check_step()?;
        thunk.0.set(State::Running);
        let outcome = match state {
            State::Suspended(code, frame) => self.evaluate(code, frame),
            State::Call(&(function, argument)) => self.call(function, &[argument]),
            State::Each(each, place) => self.each(each, place),
            State::Attribute(&(set, name)) => self.attribute(set, name),
            State::Done(value) => Ok(value),
            State::Running => Err(infinite_recursion()),
        };
        match outcome {
            Ok(value) => {
                thunk.0.set(State::Done(value));
                Ok(value)
            }
            Err(error) => {
                thunk.0.set(state);
                Err(error)
            }
        }
    }

    #[inline]
    fn each(&self, each: &Each<'a>, place: usize) -> Outcome<'a> {
        match *each {
            Each::Index(function) => self.call(function, &[Value::Int(place as i64)]),
            Each::Item(function, items) => self.call(function, &[items[place]]),
            Each::Attribute(function, attributes) => {
                let Attribute { name, value, .. } = attributes[place];
                self.call(function, &[self.symbols.value(name), value])
            }
        }
    }

    /// Fails when the stack is nearly used up, and now and then when someone asked to stop or memory is.
    #[inline]
    pub(crate) fn check_step(&self) -> Outcome<'a, ()> {
        let steps = self.steps.get().wrapping_add(1);
        self.steps.set(steps);
        if steps.is_multiple_of(STEPS_BETWEEN_LOOKS) {
            self.look_around()?;
        }
        self.check_stack()
    }

    /// What a builtin asks in its loops: as [`Self::check_step`], and fails if `bytes`, what it holds outside of the arena, don't
    /// fit below the memory limit beside what the arena has.
    #[inline]
    pub(crate) fn check_work(&self, bytes: usize) -> Outcome<'a, ()> {
        self.check_step()?;
        self.check_memory(bytes)
    }

    /// The same before a builtin collects up to `length` things of type `T`.
    #[inline]
    pub(crate) fn check_collecting<T>(&self, length: usize) -> Outcome<'a, ()> {
        self.check_work(length.saturating_mul(size_of::<T>()))
    }

    /// Fails when the stack is nearly used up.
    #[inline]
    pub(crate) fn check_stack(&self) -> Outcome<'a, ()> {
        if stack_position() < self.stack_end { Err(stack_overflow()) } else { Ok(()) }
    }

    /// Bytes of stack that are left.
    pub(crate) fn remaining_stack(&self) -> usize {
        stack_position().saturating_sub(self.stack_end)
    }

    /// Fails when someone asked to stop or memory is used up.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_around(&self) -> Outcome<'a, ()> {
        if self.options.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "the evaluation was interrupted"));
        }
        self.check_memory(0)
    }

    /// Fails if `more_bytes` would exceed the memory limit. To be asked before anything large is made.
    #[inline]
    pub(crate) fn check_memory(&self, more_bytes: usize) -> Outcome<'a, ()> {
        if self.arena.would_exceed(more_bytes) { Err(self.out_of_memory()) } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn out_of_memory(&self) -> Box<Error> {
        let limit = self.arena.limit_bytes() >> 20;
        Error::new(ErrorKind::Memory, format!("the evaluation needs more than its limit of {limit} MiB"))
    }

    /// A new frame with unset variables.
    #[inline]
    pub(crate) fn frame(&self, parent: Option<Frame<'a>>, slots: u32) -> Frame<'a> {
        let slots = slots as usize;
        if let Some(spare) = self.spare_frames.get(slots)
            && let Some(frame) = spare.get()
        {
            spare.set(frame.parent());
            for slot in frame.slots() {
                slot.set(Value::Unset);
            }
            frame.set_parent(parent);
            return frame;
        }
        Frame::new(self.arena, parent, slots)
    }

    /// Keeps a frame for later use if nothing refers to it.
    #[inline]
    pub(crate) fn leave_frame(&self, frame: Frame<'a>) {
        if !frame.is_captured()
            && let Some(spare) = self.spare_frames.get(frame.slots().len())
        {
            frame.set_parent(spare.get());
            spare.set(Some(frame));
        }
    }

    /// A string without context.
    pub(crate) fn string(&self, bytes: &[u8]) -> Value<'a> {
        Value::string(self.arena, self.arena.bytes(bytes))
    }

    /// A string.
    pub(crate) fn text(&self, text: Text<'a>) -> Value<'a> {
        Value::String(self.arena.put(text))
    }

    /// A path in normal form.
    pub(crate) fn path_value(&self, path: &[u8]) -> Value<'a> {
        Value::Path(
            self.arena.put(Text { bytes: self.arena.bytes(path), context: crate::context::Context::NONE }),
        )
    }

    /// A list of these.
    pub(crate) fn list(&self, items: &[Value<'a>]) -> Value<'a> {
        Value::list(self.arena, self.arena.slice(items))
    }

    /// `{ file, line, column }` of a place in a file; null elsewhere.
    pub(crate) fn position(&self, start: u32) -> Value<'a> {
        match self.sources.locate(Span { start, end: start }) {
            Some(location) if location.source.is_file => builtins::position(self, &location),
            _ => Value::Null,
        }
    }
}

/// Roughly where the stack is now: it grows downward.
#[inline(always)]
fn stack_position() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

#[cold]
#[inline(never)]
fn stack_overflow() -> Box<Error> {
    let hint = "the recursion has no end, or a list is built by recursion where `builtins.genList` would do";
    Error::new(ErrorKind::StackOverflow, "stack overflow: the evaluation is nested too deeply")
        .with_hint(Some(hint.to_owned()))
}

#[cold]
#[inline(never)]
fn infinite_recursion() -> Box<Error> {
    Error::new(ErrorKind::InfiniteRecursion, "infinite recursion: this value needs itself")
}

//! What can go wrong in an evaluation, as it travels outward.

use crate::source::Span;

/// What went wrong, coarsely: what a program can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is no expression.
    Syntax,
    /// A name that nothing binds.
    UndefinedVariable,
    /// An attribute that isn't there.
    MissingAttribute,
    /// A value of another type was expected.
    Type,
    /// A function was called with the wrong attributes.
    Call,
    /// A value of the right type that can't be used.
    Value,
    /// `assert`
    Assertion,
    /// `throw`
    Throw,
    /// `abort`
    Abort,
    /// A value that needs itself.
    InfiniteRecursion,
    /// The evaluation is nested too deeply.
    StackOverflow,
    /// The evaluation needs more memory than allowed.
    Memory,
    /// Someone asked to stop.
    Cancelled,
    /// A file could not be had.
    File,
    /// What would need building during evaluation.
    ImportFromDerivation,
    /// Outside of what pure evaluation allows.
    Impure,
}

impl ErrorKind {
    /// Whether `builtins.tryEval` turns it into a value.
    pub const fn is_caught_by_try(self) -> bool {
        matches!(self, Self::Assertion | Self::Throw)
    }
}

/// An error on its way outward.
#[derive(Clone, Debug)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// In words.
    pub message: String,
    /// Where; nowhere until someone on the way outward knows.
    pub span: Span,
    /// What helps.
    pub hint: Option<String>,
    /// Other places that belong to it.
    pub notes: Vec<(String, Span)>,
    /// What was being done, innermost first.
    pub frames: Vec<Step>,
    /// Frames that were left out of the middle.
    pub frames_omitted: usize,
    /// Further errors of the same file.
    pub others: Vec<Error>,
}

/// A step on the way to an error.
#[derive(Clone, Debug)]
pub struct Step {
    /// What was being done.
    pub what: String,
    /// Where.
    pub span: Span,
    /// Whether the expression itself says it, with `builtins.addErrorContext`: such a step means more to people than a call.
    pub is_context: bool,
}

/// A value, or why there is none.
pub type Outcome<'a, T = crate::value::Value<'a>> = Result<T, Box<Error>>;

/// Frames kept of each end of a long chain.
const FRAMES_KEPT: usize = 64;

impl Error {
    /// Of this kind, nowhere yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            kind,
            message: message.into(),
            span: Span::NOWHERE,
            hint: None,
            notes: Vec::new(),
            frames: Vec::new(),
            frames_omitted: 0,
            others: Vec::new(),
        })
    }

    /// A value of the wrong type.
    pub fn type_error(message: impl Into<String>) -> Box<Self> {
        Self::new(ErrorKind::Type, message)
    }

    /// A value that can't be used.
    pub fn value(message: impl Into<String>) -> Box<Self> {
        Self::new(ErrorKind::Value, message)
    }

    /// Says where, if nobody further inward did.
    #[must_use]
    pub fn at(mut self: Box<Self>, span: Span) -> Box<Self> {
        if self.span.is_nowhere() {
            self.span = span;
        }
        self
    }

    /// Says what helps.
    #[must_use]
    pub fn with_hint(mut self: Box<Self>, hint: Option<String>) -> Box<Self> {
        self.hint = hint;
        self
    }

    /// Points to another place.
    #[must_use]
    pub fn with_note(mut self: Box<Self>, message: impl Into<String>, span: Span) -> Box<Self> {
        self.notes.push((message.into(), span));
        self
    }

    /// Says what was being done.
    #[must_use]
    pub fn while_doing(mut self: Box<Self>, what: impl FnOnce() -> String, span: Span) -> Box<Self> {
        self.add(Step { what: what(), span, is_context: false });
        self
    }

    /// Says what was being done in the words of the expression itself.
    #[must_use]
    pub fn in_context(mut self: Box<Self>, what: String) -> Box<Self> {
        self.add(Step { what, span: Span::NOWHERE, is_context: true });
        self
    }

    /// Adds a step, and leaves out one from the middle if there are too many: a call before what the expression says.
    fn add(&mut self, step: Step) {
        if self.frames.len() >= 2 * FRAMES_KEPT {
            let middle = &self.frames[FRAMES_KEPT..];
            let call = middle.iter().position(|step| !step.is_context).unwrap_or(0);
            self.frames.remove(FRAMES_KEPT + call);
            self.frames_omitted += 1;
        }
        self.frames.push(step);
    }
}

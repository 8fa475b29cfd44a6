//! Expressions as they are evaluated: names resolved, sugar gone, places kept.
//!
//! Variables live in *frames*. A function's activation has one frame, and so has each file; `let`, `rec` and `with`
//! inside take slots of the frame around them, since they are entered at most once in it, unless there are so
//! many that a frame of their own is better. A variable is a frame, counted outward, and a slot.

use crate::attributes::Attribute;
use crate::builtins::Builtin;
use crate::source::Span;
use crate::symbol::Symbol;
use crate::value::Value;

/// An expression and where it stands.
pub struct Expression<'a> {
    /// What it is.
    pub kind: Kind<'a>,
    /// The whole of it.
    pub span: Span,
}

/// A reference to an expression.
pub type Code<'a> = &'a Expression<'a>;

/// Where a variable lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many frames outward.
    pub depth: u32,
    /// Which slot of that frame.
    pub slot: u32,
}

/// The kinds of expressions.
pub enum Kind<'a> {
    /// Known without evaluation.
    Constant(Value<'a>),
    /// A builtin that was selected, such as `builtins.map`; each evaluation gives another value, since functions equal only themselves.
    SelectedBuiltin(&'static Builtin),
    /// A set of constants; each evaluation gives another set, since people see where one set stands twice.
    ConstantSet(&'a [Attribute<'a>]),
    /// A list of constants.
    ConstantList(&'a [Value<'a>]),
    /// A variable of the innermost frame.
    Local(u32),
    /// A variable of a frame further out.
    Outer(Place),
    /// A name that only a `with` may bind, and the scopes of those, innermost first.
    WithVariable(Symbol, &'a [Place]),
    /// `base.path or default`
    Select(&'a Select<'a>),
    /// `base ? path`
    HasAttribute(Code<'a>, &'a [Key<'a>]),
    /// `parameter: body`
    Lambda(&'a Lambda<'a>),
    /// `function a b c`
    Apply(Code<'a>, &'a [Code<'a>]),
    /// `let … in body`
    Let(&'a [Binding<'a>], Code<'a>),
    /// A new frame with so many slots, around the expression.
    Frame(u32, Code<'a>),
    /// `{ … }`
    Attributes(&'a AttributeSet<'a>),
    /// `[ … ]`
    List(&'a [Code<'a>]),
    /// `if condition then yes else no`
    If(Code<'a>, &'a (Expression<'a>, Expression<'a>)),
    /// `assert condition; body`
    Assert(Code<'a>, Code<'a>),
    /// `with scope; body`; the scope is kept in the slot.
    With(u32, &'a (Expression<'a>, Expression<'a>)),
    /// `left operator right`
    Binary(Operator, &'a (Expression<'a>, Expression<'a>)),
    /// `!operand`
    Not(Code<'a>),
    /// `-operand`
    Negate(Code<'a>),
    /// `"…${…}…"`
    Interpolation(&'a [Code<'a>]),
    /// `./…${…}…`
    PathInterpolation(&'a [Code<'a>]),
}

/// The operators that take two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `->`
    Implies,
    /// `++`
    Concatenate,
    /// `//`
    Update,
}

/// `base.path or default`
pub struct Select<'a> {
    /// What is selected from.
    pub base: Code<'a>,
    /// At least one.
    pub path: &'a [Key<'a>],
    /// Instead of what is missing.
    pub default: Option<Code<'a>>,
}

/// One part of an attribute path.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// The name.
    pub name: KeyName<'a>,
    /// Where it stands.
    pub span: Span,
}

/// The name of an attribute.
#[derive(Clone, Copy)]
pub enum KeyName<'a> {
    /// Written down.
    Static(Symbol),
    /// `${…}`
    Dynamic(Code<'a>),
}

/// A slot and what is put there.
#[derive(Clone, Copy)]
pub struct Binding<'a> {
    /// Of the innermost frame.
    pub slot: u32,
    /// What it will be.
    pub value: Code<'a>,
}

/// `parameter: body`
pub struct Lambda<'a> {
    /// The attribute or variable that it was bound to, for messages.
    pub name: Option<Symbol>,
    /// What it takes.
    pub parameter: Parameter<'a>,
    /// The variable that the whole argument is bound to.
    pub argument: Option<Symbol>,
    /// What it gives.
    pub body: Code<'a>,
    /// Slots of its frame.
    pub slots: u32,
    /// Where it stands.
    pub span: Span,
}

/// What a function takes.
pub enum Parameter<'a> {
    /// Anything, in slot 0.
    Name,
    /// A set with these attributes.
    Pattern(Pattern<'a>),
}

/// `{ a, b ? c, ... }@all`; `all` is slot 0, the attributes follow.
pub struct Pattern<'a> {
    /// Sorted by symbol.
    pub formals: &'a [Formal<'a>],
    /// Whether there may be others (`...`).
    pub is_open: bool,
    /// Whether the whole set is bound to a name.
    pub is_bound: bool,
}

/// One attribute of a pattern.
#[derive(Clone, Copy)]
pub struct Formal<'a> {
    /// Its name.
    pub name: Symbol,
    /// Its slot.
    pub slot: u32,
    /// What is taken instead.
    pub default: Option<Code<'a>>,
    /// Where it stands.
    pub span: Span,
}

/// `{ … }` or `rec { … }`
pub struct AttributeSet<'a> {
    /// For `inherit (…)`: filled first.
    pub origins: &'a [Binding<'a>],
    /// Sorted by symbol, without duplicates.
    pub attributes: &'a [StaticAttribute<'a>],
    /// In order of appearance.
    pub dynamic: &'a [DynamicAttribute<'a>],
    /// Whether it is `rec` and has an attribute `__overrides`.
    pub has_overrides: bool,
}

/// `name = value;`
#[derive(Clone, Copy)]
pub struct StaticAttribute<'a> {
    /// Its name.
    pub name: Symbol,
    /// Where its attribute path begins.
    pub position: u32,
    /// In a `rec` set: where the others see it.
    pub slot: Option<u32>,
    /// Its value.
    pub value: Code<'a>,
}

/// `${name} = value;`
#[derive(Clone, Copy)]
pub struct DynamicAttribute<'a> {
    /// A string, or null for no attribute.
    pub name: Code<'a>,
    /// Where its attribute path begins.
    pub position: u32,
    /// Its value.
    pub value: Code<'a>,
}

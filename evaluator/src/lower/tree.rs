//! A file as it is written, as plain data: what [parsing](super::parse) makes and lowering reads and drops.

use crate::expression::Operator;
use crate::source::Span;

/// An expression.
#[derive(Clone, Copy)]
pub(super) struct Tree<'t> {
    pub(super) form: Form<'t>,
    pub(super) span: Span,
}

/// The forms of expressions.
#[derive(Clone, Copy)]
pub(super) enum Form<'t> {
    Parentheses(&'t Tree<'t>),
    Integer(&'t str),
    Float(&'t str),
    Uri(&'t str),
    String(&'t Quoted<'t>),
    /// The first part is text and tells whether it is absolute, relative or in the home folder.
    Path(&'t [Part<'t>]),
    /// With its angle brackets.
    SearchPath(&'t str),
    Name(&'t str),
    CurrentPosition,
    List(&'t [Tree<'t>]),
    Set(&'t [Entry<'t>]),
    RecursiveSet(&'t [Entry<'t>]),
    LegacyLet(&'t [Entry<'t>]),
    Let(&'t (&'t [Entry<'t>], Tree<'t>)),
    Function(&'t (Parameter<'t>, Tree<'t>)),
    Apply(&'t (Tree<'t>, &'t [Tree<'t>])),
    With(&'t (Tree<'t>, Tree<'t>)),
    Assert(&'t (Tree<'t>, Tree<'t>)),
    If(&'t (Tree<'t>, Tree<'t>, Tree<'t>)),
    Binary(Operator, &'t (Tree<'t>, Tree<'t>)),
    /// `argument |> function`
    PipeRight(&'t (Tree<'t>, Tree<'t>)),
    /// `function <| argument`
    PipeLeft(&'t (Tree<'t>, Tree<'t>)),
    Not(&'t Tree<'t>),
    Negate(&'t Tree<'t>),
    Select(&'t Selection<'t>),
    HasAttribute(&'t (Tree<'t>, &'t [Attribute<'t>])),
}

/// A string, its quotes left out.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'t> {
    /// Whether it stands between `''`.
    pub(super) is_indented: bool,
    pub(super) parts: &'t [Part<'t>],
}

/// A part of a string or path.
#[derive(Clone, Copy)]
pub(super) enum Part<'t> {
    /// As it is written, with its escapes.
    Text(&'t str),
    Interpolation(Tree<'t>),
}

/// `base.path or default`
#[derive(Clone, Copy)]
pub(super) struct Selection<'t> {
    pub(super) base: Tree<'t>,
    pub(super) path: &'t [Attribute<'t>],
    pub(super) default: Option<Tree<'t>>,
}

/// One part of an attribute path.
#[derive(Clone, Copy)]
pub(super) struct Attribute<'t> {
    pub(super) form: AttributeForm<'t>,
    pub(super) span: Span,
}

/// How an attribute is named.
#[derive(Clone, Copy)]
pub(super) enum AttributeForm<'t> {
    Name(&'t str),
    String(&'t Quoted<'t>),
    /// `${…}`
    Dynamic(&'t Tree<'t>),
}

/// What stands between braces.
#[derive(Clone, Copy)]
pub(super) enum Entry<'t> {
    Define(&'t [Attribute<'t>], Tree<'t>),
    Inherit(Option<&'t Tree<'t>>, &'t [Attribute<'t>]),
}

/// What a function takes.
#[derive(Clone, Copy)]
pub(super) enum Parameter<'t> {
    Name(Name<'t>),
    Pattern { bound: Option<Name<'t>>, formals: &'t [Formal<'t>], is_open: bool },
}

/// A name where it is bound.
#[derive(Clone, Copy)]
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    pub(super) span: Span,
}

/// `name` or `name ? default` in a pattern.
#[derive(Clone, Copy)]
pub(super) struct Formal<'t> {
    pub(super) name: Name<'t>,
    pub(super) default: Option<Tree<'t>>,
}

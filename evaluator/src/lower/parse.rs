//! Parsing: from rnix's tokens straight to a [tree](super::tree), for texts without mistakes.
//!
//! rnix's own parser keeps every space and makes a tree that can be edited, at five times the cost. It is asked only
//! when this one finds a mistake, because it can go on after one.

use super::tree::{
    Attribute, AttributeForm, Entry, Form, Formal, Name, Parameter, Part, Quoted, Selection, Tree,
};
use crate::expression::Operator;
use crate::source::Span;
use bumpalo::Bump;
use rnix::SyntaxKind::{self as K, *};

/// The first thing that is wrong.
pub(super) struct Mistake {
    pub(super) message: &'static str,
    pub(super) span: Span,
}

type Parsed<T> = Result<T, Mistake>;

/// Parses a text that begins at `start` of all sources. `is_too_deep` says whether the stack is nearly used up.
pub(super) fn parse<'t>(
    text: &'t str,
    start: u32,
    memory: &'t Bump,
    is_too_deep: &dyn Fn() -> bool,
) -> Parsed<Tree<'t>> {
    if let Some(place) = text.find('\0') {
        // This holds because sources together have at most 4 GiB.
        let place = start + place as u32;
        return Err(Mistake {
            message: "the text has a NUL byte",
            span: Span { start: place, end: place + 1 },
        });
    }
    if let Some(place) = super::syntax::slow_run(text) {
        let place = start + place.start as u32;
        return Err(Mistake { message: "too many operators", span: Span { start: place, end: place + 1 } });
    }
    let mut parser = Parser {
        tokens: rnix::tokenize(text),
        window: [None; 3],
        read: start,
        end: start,
        memory,
        is_too_deep,
        trees: Vec::new(),
        parts: Vec::new(),
        attributes: Vec::new(),
        entries: Vec::new(),
    };
    for _ in 0..3 {
        parser.advance();
    }
    parser.end = start;
    let tree = parser.expression()?;
    match parser.kind() {
        None => Ok(tree),
        Some(_) => Err(parser.mistake("the expression ends before this")),
    }
}

#[derive(Clone, Copy)]
struct Token<'t> {
    kind: K,
    text: &'t str,
    start: u32,
}

impl Token<'_> {
    fn end(&self) -> u32 {
        // This holds because sources together have at most 4 GiB.
        self.start + self.text.len() as u32
    }
}

struct Parser<'t, 'p, I> {
    tokens: I,
    /// The next tokens but spaces and comments.
    window: [Option<Token<'t>>; 3],
    /// Up to where tokens were read.
    read: u32,
    /// Where the last token that was taken ends.
    end: u32,
    memory: &'t Bump,
    is_too_deep: &'p dyn Fn() -> bool,
    // What is being gathered: each list takes what it put above its beginning.
    trees: Vec<Tree<'t>>,
    parts: Vec<Part<'t>>,
    attributes: Vec<Attribute<'t>>,
    entries: Vec<Entry<'t>>,
}

/// Why `a |> b <| c` and `a <| b |> c` are refused, as in Nix; rnix takes them.
pub(super) const MIXED_PIPES: &str = "`<|` and `|>` stand side by side";

/// How tightly `!` binds: looser than `+`, tighter than `//`.
const NOT: u8 = 9;

/// How tightly an operator binds, and to which side.
fn binding(kind: K) -> Option<(u8, Side)> {
    Some(match kind {
        TOKEN_PIPE_LEFT => (1, Side::Right),
        TOKEN_PIPE_RIGHT => (2, Side::Left),
        TOKEN_IMPLICATION => (3, Side::Right),
        TOKEN_OR_OR => (4, Side::Left),
        TOKEN_AND_AND => (5, Side::Left),
        TOKEN_EQUAL | TOKEN_NOT_EQUAL => (6, Side::Neither),
        TOKEN_LESS | TOKEN_LESS_OR_EQ | TOKEN_MORE | TOKEN_MORE_OR_EQ => (7, Side::Neither),
        TOKEN_UPDATE => (8, Side::Right),
        TOKEN_ADD | TOKEN_SUB => (10, Side::Left),
        TOKEN_MUL | TOKEN_DIV => (11, Side::Left),
        TOKEN_CONCAT => (12, Side::Right),
        TOKEN_QUESTION => (13, Side::Left),
        _ => return None,
    })
}

/// Which operands may have the same operator without parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Neither,
}

fn operator(kind: K) -> Option<Operator> {
    Some(match kind {
        TOKEN_IMPLICATION => Operator::Implies,
        TOKEN_OR_OR => Operator::Or,
        TOKEN_AND_AND => Operator::And,
        TOKEN_EQUAL => Operator::Equal,
        TOKEN_NOT_EQUAL => Operator::NotEqual,
        TOKEN_LESS => Operator::Less,
        TOKEN_LESS_OR_EQ => Operator::LessOrEqual,
        TOKEN_MORE => Operator::Greater,
        TOKEN_MORE_OR_EQ => Operator::GreaterOrEqual,
        TOKEN_UPDATE => Operator::Update,
        TOKEN_ADD => Operator::Add,
        TOKEN_SUB => Operator::Subtract,
        TOKEN_MUL => Operator::Multiply,
        TOKEN_DIV => Operator::Divide,
        TOKEN_CONCAT => Operator::Concatenate,
        _ => return None,
    })
}

fn begins_argument(kind: K) -> bool {
    matches!(
        kind,
        TOKEN_REC | TOKEN_L_BRACE | TOKEN_L_BRACK | TOKEN_L_PAREN | TOKEN_STRING_START | TOKEN_IDENT
    ) || kind.is_literal()
}

impl<'t, I: Iterator<Item = (K, &'t str)>> Parser<'t, '_, I> {
    /// Takes the next token.
    fn advance(&mut self) {
        if let Some(token) = self.window[0] {
            self.end = token.end();
        }
        let next = loop {
            let Some((kind, text)) = self.tokens.next() else { break None };
            let token = Token { kind, text, start: self.read };
            self.read = token.end();
            if !kind.is_trivia() {
                break Some(token);
            }
        };
        self.window = [self.window[1], self.window[2], next];
    }

    fn kind(&self) -> Option<K> {
        self.window[0].map(|token| token.kind)
    }

    fn is(&self, kind: K) -> bool {
        self.kind() == Some(kind)
    }

    fn kind_after(&self, count: usize) -> Option<K> {
        self.window[count].map(|token| token.kind)
    }

    fn start(&self) -> u32 {
        self.window[0].map_or(self.end, |token| token.start)
    }

    fn text(&self) -> &'t str {
        self.window[0].map_or("", |token| token.text)
    }

    fn span_from(&self, start: u32) -> Span {
        Span { start, end: self.end }
    }

    /// At the next token.
    fn mistake(&self, message: &'static str) -> Mistake {
        let span = self.window[0].map_or(Span { start: self.end, end: self.end }, |token| Span {
            start: token.start,
            end: token.end(),
        });
        Mistake { message, span }
    }

    fn expect(&mut self, kind: K, message: &'static str) -> Parsed<()> {
        if !self.is(kind) {
            return Err(self.mistake(message));
        }
        self.advance();
        Ok(())
    }

    fn check_depth(&self) -> Parsed<()> {
        if (self.is_too_deep)() {
            return Err(self.mistake("the expression is nested too deeply here"));
        }
        Ok(())
    }

    fn keep(&self, tree: Tree<'t>) -> &'t Tree<'t> {
        self.memory.alloc(tree)
    }

    fn expression(&mut self) -> Parsed<Tree<'t>> {
        self.check_depth()?;
        let start = self.start();
        let form = match self.kind() {
            Some(TOKEN_LET) => {
                self.advance();
                if self.is(TOKEN_L_BRACE) {
                    // It may be selected from, applied and combined as any set.
                    let begun = Form::LegacyLet(self.braces()?);
                    return self.binary(0, Some((start, begun)));
                }
                let entries = self.entries(TOKEN_IN)?;
                Form::Let(self.memory.alloc((entries, self.expression()?)))
            }
            Some(TOKEN_WITH) => {
                self.advance();
                let scope = self.expression()?;
                self.expect(TOKEN_SEMICOLON, "expected `;`")?;
                Form::With(self.memory.alloc((scope, self.expression()?)))
            }
            Some(TOKEN_ASSERT) => {
                self.advance();
                let condition = self.expression()?;
                self.expect(TOKEN_SEMICOLON, "expected `;`")?;
                Form::Assert(self.memory.alloc((condition, self.expression()?)))
            }
            Some(TOKEN_IF) => {
                self.advance();
                let condition = self.expression()?;
                self.expect(TOKEN_THEN, "expected `then`")?;
                let yes = self.expression()?;
                self.expect(TOKEN_ELSE, "expected `else`")?;
                Form::If(self.memory.alloc((condition, yes, self.expression()?)))
            }
            _ if self.begins_function() => {
                let parameter = self.parameter()?;
                self.expect(TOKEN_COLON, "expected `:`")?;
                Form::Function(self.memory.alloc((parameter, self.expression()?)))
            }
            _ => return self.binary(0, None),
        };
        Ok(Tree { form, span: self.span_from(start) })
    }

    /// Whether what follows is a function's parameter.
    fn begins_function(&self) -> bool {
        match self.kind() {
            Some(TOKEN_IDENT) => matches!(self.kind_after(1), Some(TOKEN_COLON | TOKEN_AT)),
            Some(TOKEN_L_BRACE) => matches!(
                (self.kind_after(1), self.kind_after(2)),
                (Some(TOKEN_IDENT), Some(TOKEN_COMMA | TOKEN_QUESTION | TOKEN_R_BRACE))
                    | (Some(TOKEN_ELLIPSIS), Some(TOKEN_R_BRACE))
                    | (Some(TOKEN_R_BRACE), Some(TOKEN_COLON | TOKEN_AT))
            ),
            _ => false,
        }
    }

    fn parameter(&mut self) -> Parsed<Parameter<'t>> {
        let mut bound = None;
        if self.is(TOKEN_IDENT) {
            let name = self.name()?;
            if !self.is(TOKEN_AT) {
                return Ok(Parameter::Name(name));
            }
            self.advance();
            bound = Some(name);
        }
        self.expect(TOKEN_L_BRACE, "expected `{`")?;
        let mut formals = Vec::new();
        let mut is_open = false;
        loop {
            match self.kind() {
                Some(TOKEN_R_BRACE) => break,
                Some(TOKEN_ELLIPSIS) => {
                    self.advance();
                    is_open = true;
                    break;
                }
                _ => {}
            }
            let name = self.name()?;
            let mut default = None;
            if self.is(TOKEN_QUESTION) {
                self.advance();
                default = Some(self.expression()?);
            }
            formals.push(Formal { name, default });
            if !self.is(TOKEN_COMMA) {
                break;
            }
            self.advance();
        }
        self.expect(TOKEN_R_BRACE, "expected `}`")?;
        if self.is(TOKEN_AT) {
            if bound.is_some() {
                return Err(self.mistake("the arguments have a name already"));
            }
            self.advance();
            bound = Some(self.name()?);
        }
        Ok(Parameter::Pattern { bound, formals: self.memory.alloc_slice_copy(&formals), is_open })
    }

    fn name(&mut self) -> Parsed<Name<'t>> {
        let (text, start) = (self.text(), self.start());
        self.expect(TOKEN_IDENT, "expected a name")?;
        Ok(Name { text, span: self.span_from(start) })
    }

    /// Operators that bind at least so tightly, and their operands. The first may have been begun.
    fn binary(&mut self, least: u8, begun: Option<(u32, Form<'t>)>) -> Parsed<Tree<'t>> {
        self.check_depth()?;
        let start = begun.map_or_else(|| self.start(), |(start, _)| start);
        let mut left = if let Some((start, form)) = begun {
            let first = Tree { form, span: self.span_from(start) };
            let first = self.selected(first)?;
            self.applied(first)?
        } else if self.is(TOKEN_INVERT) {
            self.advance();
            let operand = self.not_operand()?;
            Tree { form: Form::Not(self.keep(operand)), span: self.span_from(start) }
        } else {
            self.negation()?
        };
        let mut most = u8::MAX;
        while let Some((kind, (level, side))) = self.kind().and_then(|kind| Some((kind, binding(kind)?))) {
            if level < least || level > most {
                break;
            }
            let mixed = self.mistake(MIXED_PIPES);
            self.advance();
            let form = if kind == TOKEN_QUESTION {
                Form::HasAttribute(self.memory.alloc((left, self.path()?)))
            } else {
                let right = self.binary(if side == Side::Right { level } else { level + 1 }, None)?;
                let is_mixed = |tree: &Tree<'_>| matches!(tree.form, Form::PipeRight(_));
                if kind == TOKEN_PIPE_LEFT && (is_mixed(&left) || is_mixed(&right)) {
                    return Err(mixed);
                }
                let operands = self.memory.alloc((left, right));
                match operator(kind) {
                    Some(operator) => Form::Binary(operator, operands),
                    None if kind == TOKEN_PIPE_LEFT => Form::PipeLeft(operands),
                    None => Form::PipeRight(operands),
                }
            };
            left = Tree { form, span: self.span_from(start) };
            if side == Side::Neither {
                most = level - 1;
            }
        }
        Ok(left)
    }

    /// What `!` negates.
    fn not_operand(&mut self) -> Parsed<Tree<'t>> {
        self.binary(NOT + 1, None)
    }

    fn negation(&mut self) -> Parsed<Tree<'t>> {
        if !self.is(TOKEN_SUB) {
            let function = self.simple()?;
            return self.applied(function);
        }
        self.check_depth()?;
        let start = self.start();
        self.advance();
        let operand = self.negation()?;
        Ok(Tree { form: Form::Negate(self.keep(operand)), span: self.span_from(start) })
    }

    fn applied(&mut self, function: Tree<'t>) -> Parsed<Tree<'t>> {
        let first = self.trees.len();
        while self.kind().is_some_and(begins_argument) {
            let argument = self.simple()?;
            self.trees.push(argument);
        }
        if self.trees.len() == first {
            return Ok(function);
        }
        let arguments = &*self.memory.alloc_slice_copy(&self.trees[first..]);
        self.trees.truncate(first);
        let form = Form::Apply(self.memory.alloc((function, arguments)));
        Ok(Tree { form, span: self.span_from(function.span.start) })
    }

    /// What needs no parentheses as an argument.
    fn simple(&mut self) -> Parsed<Tree<'t>> {
        self.check_depth()?;
        if self.begins_function() {
            return Err(self.mistake("a function must stand in parentheses here"));
        }
        let (start, text) = (self.start(), self.text());
        let form = match self.kind() {
            Some(TOKEN_L_PAREN) => {
                let open = self.mistake("`(` is never closed");
                self.advance();
                let inner = self.expression()?;
                if !self.is(TOKEN_R_PAREN) {
                    return Err(open);
                }
                self.advance();
                Form::Parentheses(self.keep(inner))
            }
            Some(TOKEN_REC) => {
                self.advance();
                Form::RecursiveSet(self.braces()?)
            }
            Some(TOKEN_L_BRACE) => Form::Set(self.braces()?),
            Some(TOKEN_L_BRACK) => Form::List(self.list()?),
            Some(TOKEN_STRING_START) => Form::String(self.string()?),
            Some(TOKEN_PATH_ABS | TOKEN_PATH_REL | TOKEN_PATH_HOME) => Form::Path(self.path_parts()?),
            // Only other numbers than zero may end with their point.
            Some(TOKEN_FLOAT) if text == "0." => {
                self.advance();
                let zero = Tree { form: Form::Integer("0"), span: self.span_from(start) };
                return self.selection(zero);
            }
            Some(TOKEN_FLOAT) if text.starts_with("0.e") || text.starts_with("0.E") => {
                return Err(self.mistake("expected a digit after `0.`"));
            }
            kind => {
                let form = match kind {
                    Some(TOKEN_PATH_SEARCH) => Form::SearchPath(text),
                    Some(TOKEN_INTEGER) => Form::Integer(text),
                    Some(TOKEN_FLOAT) => Form::Float(text),
                    Some(TOKEN_URI) => Form::Uri(text),
                    Some(TOKEN_IDENT) if text == "__curPos" => Form::CurrentPosition,
                    Some(TOKEN_IDENT) => Form::Name(text),
                    _ => return Err(self.mistake("expected an expression")),
                };
                self.advance();
                form
            }
        };
        let tree = Tree { form, span: self.span_from(start) };
        self.selected(tree)
    }

    /// `.path or default` after an expression. Without a path, `or` is a name and an argument: so it is in the
    /// reference, for the sake of code older than the keyword.
    fn selected(&mut self, base: Tree<'t>) -> Parsed<Tree<'t>> {
        let start = base.span.start;
        if self.is(TOKEN_DOT) {
            self.advance();
            return self.selection(base);
        }
        if self.is(TOKEN_OR) {
            let (text, or) = (self.text(), self.start());
            self.advance();
            let argument = Tree { form: Form::Name(text), span: self.span_from(or) };
            let arguments = &*self.memory.alloc_slice_copy(&[argument]);
            let form = Form::Apply(self.memory.alloc((base, arguments)));
            return Ok(Tree { form, span: self.span_from(start) });
        }
        Ok(base)
    }

    /// `path or default` after an expression and its dot.
    fn selection(&mut self, base: Tree<'t>) -> Parsed<Tree<'t>> {
        let start = base.span.start;
        let path = self.path()?;
        let mut default = None;
        if self.is(TOKEN_OR) {
            self.advance();
            default = Some(self.simple()?);
        }
        let form = Form::Select(self.memory.alloc(Selection { base, path, default }));
        Ok(Tree { form, span: self.span_from(start) })
    }

    fn list(&mut self) -> Parsed<&'t [Tree<'t>]> {
        self.advance();
        let first = self.trees.len();
        while !self.is(TOKEN_R_BRACK) {
            let item = self.simple()?;
            self.trees.push(item);
        }
        self.advance();
        let items = self.memory.alloc_slice_copy(&self.trees[first..]);
        self.trees.truncate(first);
        Ok(items)
    }

    fn string(&mut self) -> Parsed<&'t Quoted<'t>> {
        let is_indented = self.text() == "''";
        self.advance();
        let first = self.parts.len();
        loop {
            match self.kind() {
                Some(TOKEN_STRING_CONTENT) => {
                    self.parts.push(Part::Text(self.text()));
                    self.advance();
                }
                Some(TOKEN_INTERPOL_START) => {
                    let interpolated = self.interpolation()?;
                    self.parts.push(Part::Interpolation(interpolated));
                }
                _ => break,
            }
        }
        self.expect(TOKEN_STRING_END, "expected the end of the string")?;
        let parts = self.memory.alloc_slice_copy(&self.parts[first..]);
        self.parts.truncate(first);
        Ok(self.memory.alloc(Quoted { is_indented, parts }))
    }

    /// `${…}`
    fn interpolation(&mut self) -> Parsed<Tree<'t>> {
        self.advance();
        let tree = self.expression()?;
        self.expect(TOKEN_INTERPOL_END, "expected `}`")?;
        Ok(tree)
    }

    fn path_parts(&mut self) -> Parsed<&'t [Part<'t>]> {
        let mut parts = vec![Part::Text(self.text())];
        self.advance();
        while self.start() == self.end {
            match self.kind() {
                Some(TOKEN_INTERPOL_START) => parts.push(Part::Interpolation(self.interpolation()?)),
                Some(TOKEN_PATH_ABS | TOKEN_PATH_REL | TOKEN_PATH_HOME) if parts.len() > 1 => {
                    parts.push(Part::Text(self.text()));
                    self.advance();
                }
                _ => break,
            }
        }
        Ok(self.memory.alloc_slice_copy(&parts))
    }

    fn path(&mut self) -> Parsed<&'t [Attribute<'t>]> {
        let first = self.attributes.len();
        loop {
            let attribute = self.attribute()?;
            self.attributes.push(attribute);
            if !self.is(TOKEN_DOT) {
                break;
            }
            self.advance();
        }
        Ok(self.take_attributes(first))
    }

    fn take_attributes(&mut self, first: usize) -> &'t [Attribute<'t>] {
        let attributes = self.memory.alloc_slice_copy(&self.attributes[first..]);
        self.attributes.truncate(first);
        attributes
    }

    fn attribute(&mut self) -> Parsed<Attribute<'t>> {
        let start = self.start();
        let form = match self.kind() {
            Some(TOKEN_INTERPOL_START) => {
                let tree = self.interpolation()?;
                AttributeForm::Dynamic(self.keep(tree))
            }
            Some(TOKEN_STRING_START) => AttributeForm::String(self.string()?),
            Some(TOKEN_IDENT | TOKEN_OR) => {
                let text = self.text();
                self.advance();
                AttributeForm::Name(text)
            }
            _ => return Err(self.mistake("expected an attribute's name")),
        };
        Ok(Attribute { form, span: self.span_from(start) })
    }

    fn braces(&mut self) -> Parsed<&'t [Entry<'t>]> {
        self.expect(TOKEN_L_BRACE, "expected `{`")?;
        self.entries(TOKEN_R_BRACE)
    }

    /// Bindings, up to and with what ends them.
    fn entries(&mut self, end: K) -> Parsed<&'t [Entry<'t>]> {
        let first = self.entries.len();
        while !self.is(end) {
            let entry = if self.is(TOKEN_INHERIT) {
                self.inherit()?
            } else {
                let path = self.path()?;
                self.expect(TOKEN_ASSIGN, "expected `=`")?;
                Entry::Define(path, self.expression()?)
            };
            self.expect(TOKEN_SEMICOLON, "expected `;`")?;
            self.entries.push(entry);
        }
        self.advance();
        let entries = self.memory.alloc_slice_copy(&self.entries[first..]);
        self.entries.truncate(first);
        Ok(entries)
    }

    fn inherit(&mut self) -> Parsed<Entry<'t>> {
        self.advance();
        let mut origin = None;
        if self.is(TOKEN_L_PAREN) {
            self.advance();
            let tree = self.expression()?;
            self.expect(TOKEN_R_PAREN, "expected `)`")?;
            origin = Some(self.keep(tree));
        }
        let first = self.attributes.len();
        while !self.is(TOKEN_SEMICOLON) {
            let attribute = self.attribute()?;
            self.attributes.push(attribute);
        }
        Ok(Entry::Inherit(origin, self.take_attributes(first)))
    }
}

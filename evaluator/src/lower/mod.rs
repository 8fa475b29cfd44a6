//! From text to [expressions](crate::expression): parses a file, resolves its names, drops the tree.
//!
//! Never fails early: [`Lowering::errors`] collects everything that is wrong with a file.

mod bindings;
mod parse;
mod scope;
mod string;
mod syntax;
mod tree;

use crate::Evaluator;
use crate::builtins;
use crate::error::{Error, ErrorKind, Outcome};
use crate::evaluate::path::absolute;
use crate::expression::{
    Code, Expression, Formal, Key, KeyName, Kind, Lambda, Operator, Parameter, Pattern, Select,
};
use crate::source::Span;
use crate::stand_in::meant;
use crate::symbol::Symbol;
use crate::value::Value;
use bumpalo::Bump;
use scope::Scopes;
use tree::{AttributeForm, Form, Name, Parameter as Bound, Part, Tree};

/// A text in lowered form.
pub struct Program<'a> {
    /// The whole expression.
    pub code: Code<'a>,
    /// Slots of its frame.
    pub slots: u32,
}

/// Lowers the text at `start` of all sources; relative paths are relative to `directory`. `outer` are names that are
/// bound in the program's first slots.
pub fn lower<'a>(
    evaluator: &Evaluator<'a>,
    text: &str,
    start: u32,
    directory: &'a [u8],
    outer: &[Symbol],
) -> Outcome<'a, Program<'a>> {
    let normal = syntax::normalised(text);
    let text = normal.as_deref().unwrap_or(text);
    let memory = Bump::new();
    let (tree, mut errors) = match parse::parse(text, start, &memory, &|| evaluator.check_stack().is_err()) {
        Ok(tree) => (Some(tree), Vec::new()),
        Err(mistake) => {
            let first = (mistake.message, mistake.span);
            (None, syntax::errors(text, start, evaluator.remaining_stack(), first))
        }
    };
    let mut lowering = Lowering { evaluator, directory, scopes: Scopes::default(), errors: Vec::new() };
    lowering.scopes.enter_frame();
    for &name in outer {
        let slot = lowering.scopes.take_slot();
        lowering.scopes.bind(name, slot);
    }
    let code = tree.map(|tree| lowering.lower(&tree, None));
    errors.append(&mut lowering.errors);
    let mut errors = errors.into_iter();
    if let Some(mut first) = errors.next() {
        first.others = errors.collect();
        return Err(Box::new(first));
    }
    let code = code.ok_or_else(|| Error::new(ErrorKind::Syntax, "there is no expression"))?;
    Ok(Program { code: evaluator.arena.put(code), slots: lowering.scopes.leave_frame() })
}

pub use syntax::{is_shallow, is_unfinished};

struct Lowering<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    directory: &'a [u8],
    scopes: Scopes<'a>,
    errors: Vec<Error>,
}

impl<'a> Lowering<'_, 'a> {
    fn complain(&mut self, message: impl Into<String>, span: Span) {
        self.errors.push(*Error::new(ErrorKind::Syntax, message).at(span));
    }

    fn put(&self, expression: Expression<'a>) -> Code<'a> {
        self.evaluator.arena.put(expression)
    }

    fn code(&mut self, tree: &Tree<'_>) -> Code<'a> {
        let expression = self.lower(tree, None);
        self.put(expression)
    }

    fn pair(&mut self, left: &Tree<'_>, right: &Tree<'_>) -> &'a (Expression<'a>, Expression<'a>) {
        let left = self.lower(left, None);
        let right = self.lower(right, None);
        self.evaluator.arena.put((left, right))
    }

    /// Lowers an expression that is bound to `name`.
    fn lower(&mut self, tree: &Tree<'_>, name: Option<Symbol>) -> Expression<'a> {
        let span = tree.span;
        if let Err(error) = self.evaluator.check_step() {
            self.errors.push(*error.at(span));
            return Expression { kind: Kind::Constant(Value::Null), span };
        }
        let kind = match &tree.form {
            Form::Parentheses(inner) => return self.lower(inner, name),
            Form::Integer(digits) => self.integer(digits, span),
            Form::Float(digits) => self.float(digits, span),
            Form::Uri(text) => Kind::Constant(self.text(text.as_bytes())),
            Form::String(string) => self.string(string),
            Form::Path(parts) => self.path(parts, span),
            Form::SearchPath(path) => self.search_path(path, span),
            Form::Name(name) => {
                let name = self.evaluator.symbols.intern(name.as_bytes());
                self.name(name, span)
            }
            Form::CurrentPosition => Kind::Constant(self.evaluator.position(span.start)),
            Form::List(items) => self.list(items),
            Form::Set(entries) => {
                let bindings = self.collect(entries);
                self.plain(bindings)
            }
            Form::RecursiveSet(entries) => {
                let bindings = self.collect(entries);
                self.recursive(bindings, span)
            }
            Form::LegacyLet(entries) => self.legacy_let(entries, span),
            Form::Let((entries, body)) => {
                let bindings = self.collect(entries);
                self.let_body(bindings, span, |lowering| lowering.code(body))
            }
            Form::Function((parameter, body)) => self.lambda(parameter, body, name, span),
            Form::Apply((function, arguments)) => {
                let function = self.code(function);
                let arguments: Vec<_> = arguments.iter().map(|argument| self.lower(argument, None)).collect();
                Kind::Apply(function, self.codes(arguments))
            }
            Form::With((scope, body)) => self.with(scope, body),
            Form::Assert((condition, body)) => Kind::Assert(self.code(condition), self.code(body)),
            Form::If((condition, yes, no)) => {
                let condition = self.code(condition);
                Kind::If(condition, self.pair(yes, no))
            }
            Form::Binary(operator, (left, right)) => self.binary(*operator, left, right, span),
            Form::PipeRight((argument, function)) => {
                let argument = self.lower(argument, None);
                let function = self.code(function);
                Kind::Apply(function, self.codes(vec![argument]))
            }
            Form::PipeLeft((function, argument)) => {
                let function = self.code(function);
                let argument = self.lower(argument, None);
                Kind::Apply(function, self.codes(vec![argument]))
            }
            Form::Not(operand) => Kind::Not(self.code(operand)),
            Form::Negate(operand) => match self.shadowed(b"__sub", span) {
                None => Kind::Negate(self.code(operand)),
                Some(subtract) => {
                    let zero = Expression { kind: Kind::Constant(Value::Int(0)), span };
                    let operands = vec![zero, self.lower(operand, None)];
                    Kind::Apply(self.put(subtract), self.codes(operands))
                }
            },
            Form::Select(selection) => self.select(selection),
            Form::HasAttribute((base, path)) => {
                let base = self.code(base);
                Kind::HasAttribute(base, self.attribute_path(path))
            }
        };
        Expression { kind, span }
    }

    fn integer(&mut self, digits: &str, span: Span) -> Kind<'a> {
        Kind::Constant(digits.parse().map_or_else(
            |_| {
                self.complain(format!("`{digits}` does not fit into 64 bits"), span);
                Value::Null
            },
            Value::Int,
        ))
    }

    fn float(&mut self, digits: &str, span: Span) -> Kind<'a> {
        Kind::Constant(match digits.parse::<f64>() {
            Ok(number) if number.is_normal() || is_zero(digits) => Value::Float(number),
            found => {
                self.complain(
                    match found {
                        Ok(number) if number.is_infinite() => format!("`{digits}` is too large for a float"),
                        Ok(_) => format!("`{digits}` is too close to zero for a float"),
                        Err(_) => format!("`{digits}` is no number"),
                    },
                    span,
                );
                Value::Null
            }
        })
    }

    fn text(&self, bytes: &[u8]) -> Value<'a> {
        Value::string(self.evaluator.arena, self.evaluator.arena.bytes(&meant(bytes)))
    }

    fn path(&mut self, parts: &[Part<'_>], span: Span) -> Kind<'a> {
        let mut pieces = Vec::with_capacity(parts.len());
        for (position, part) in parts.iter().enumerate() {
            match part {
                Part::Text(text) => {
                    if position == 0 && text.starts_with('~') {
                        let error = Error::new(ErrorKind::Impure, "a path in the home folder is not pure");
                        let hint = "keep the file in the tree, and name it from here: `./file`";
                        self.errors.push(*error.at(span).with_hint(Some(hint.to_owned())));
                    }
                    let mut bytes = Vec::new();
                    if position == 0 && !text.starts_with('/') {
                        bytes.extend(self.directory);
                        bytes.push(b'/');
                    }
                    bytes.extend(text.as_bytes());
                    if parts.len() == 1 {
                        return Kind::Constant(self.evaluator.path_value(&absolute(&bytes)));
                    }
                    pieces.push(Expression { kind: Kind::Constant(self.text(&bytes)), span });
                }
                Part::Interpolation(tree) => pieces.push(self.lower(tree, None)),
            }
        }
        Kind::PathInterpolation(self.codes(pieces))
    }

    /// Some operators are calls of builtins, whose names can be bound anew: so it is in the reference.
    fn binary(&mut self, operator: Operator, left: &Tree<'_>, right: &Tree<'_>, span: Span) -> Kind<'a> {
        let function = match operator {
            Operator::Subtract => self.shadowed(b"__sub", span),
            Operator::Multiply => self.shadowed(b"__mul", span),
            Operator::Divide => self.shadowed(b"__div", span),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                self.shadowed(b"__lessThan", span)
            }
            _ => None,
        };
        let Some(function) = function else { return Kind::Binary(operator, self.pair(left, right)) };
        let (first, second) = match operator {
            Operator::Greater | Operator::LessOrEqual => (right, left),
            _ => (left, right),
        };
        let operands = vec![self.lower(first, None), self.lower(second, None)];
        let call = Kind::Apply(self.put(function), self.codes(operands));
        match operator {
            Operator::LessOrEqual | Operator::GreaterOrEqual => {
                Kind::Not(self.put(Expression { kind: call, span }))
            }
            _ => call,
        }
    }

    /// The variable that is bound by this name, if there is one.
    fn shadowed(&mut self, name: &[u8], span: Span) -> Option<Expression<'a>> {
        let name = self.evaluator.symbols.find(name)?;
        self.scopes.find(name)?;
        Some(Expression { kind: self.name(name, span), span })
    }

    fn codes(&self, expressions: Vec<Expression<'a>>) -> &'a [Code<'a>] {
        let codes: Vec<_> = expressions.into_iter().map(|expression| self.put(expression)).collect();
        self.evaluator.arena.slice(&codes)
    }

    /// `<a/b>` is `__findFile __nixPath "a/b"`, and both names can be bound anew.
    fn search_path(&mut self, path: &str, span: Span) -> Kind<'a> {
        let name = path.trim_start_matches('<').trim_end_matches('>');
        let find = self.name(self.evaluator.symbols.intern(b"__findFile"), span);
        let search = self.name(self.evaluator.symbols.intern(b"__nixPath"), span);
        let wanted = Kind::Constant(self.text(name.as_bytes()));
        let pieces = vec![Expression { kind: search, span }, Expression { kind: wanted, span }];
        Kind::Apply(self.put(Expression { kind: find, span }), self.codes(pieces))
    }

    /// What a name means here.
    fn name(&mut self, name: Symbol, span: Span) -> Kind<'a> {
        if let Some(place) = self.scopes.find(name) {
            return if place.depth == 0 { Kind::Local(place.slot) } else { Kind::Outer(place) };
        }
        if let Some(value) = builtins::global(self.evaluator, name) {
            return Kind::Constant(value);
        }
        if let Some(scopes) = self.scopes.with_scopes(self.evaluator.arena) {
            return Kind::WithVariable(name, scopes);
        }
        let text = self.evaluator.symbols.text(name);
        let known = self.scopes.names().map(|symbol| self.evaluator.symbols.text(symbol));
        let hint = crate::suggest::did_you_mean(&text, known.chain(builtins::global_names()));
        let error = Error::new(ErrorKind::UndefinedVariable, format!("undefined variable `{text}`"));
        self.errors.push(*error.at(span).with_hint(hint));
        Kind::Constant(Value::Null)
    }

    fn list(&mut self, items: &[Tree<'_>]) -> Kind<'a> {
        let items: Vec<_> = items.iter().map(|item| self.lower(item, None)).collect();
        let constants: Option<Vec<_>> = items
            .iter()
            .map(|item| if let Kind::Constant(value) = item.kind { Some(value) } else { None })
            .collect();
        match constants {
            Some(values) => Kind::ConstantList(self.evaluator.arena.slice(&values)),
            None => Kind::List(self.codes(items)),
        }
    }

    fn lambda(
        &mut self,
        parameter: &Bound<'_>,
        body: &Tree<'_>,
        name: Option<Symbol>,
        span: Span,
    ) -> Kind<'a> {
        self.scopes.enter_frame();
        let (parameter, argument) = match parameter {
            Bound::Name(name) => {
                let slot = self.scopes.take_slot();
                let name = self.symbol(name);
                self.scopes.bind(name, slot);
                (Parameter::Name, Some(name))
            }
            Bound::Pattern { bound, formals, is_open } => {
                let bound = bound.as_ref().map(|bound| self.symbol(bound));
                (Parameter::Pattern(self.pattern(bound, formals, *is_open)), bound)
            }
        };
        let body = self.code(body);
        let slots = self.scopes.leave_frame();
        Kind::Lambda(self.evaluator.arena.put(Lambda { name, parameter, argument, body, slots, span }))
    }

    fn symbol(&self, name: &Name<'_>) -> Symbol {
        self.evaluator.symbols.intern(name.text.as_bytes())
    }

    fn pattern(&mut self, bound: Option<Symbol>, given: &[tree::Formal<'_>], is_open: bool) -> Pattern<'a> {
        if let Some(name) = bound {
            let slot = self.scopes.take_slot();
            self.scopes.bind(name, slot);
        }
        let mut formals: Vec<Formal<'a>> = Vec::with_capacity(given.len());
        for formal in given {
            let (name, span) = (self.symbol(&formal.name), formal.name.span);
            let slot = self.scopes.take_slot();
            self.scopes.bind(name, slot);
            formals.push(Formal { name, slot, default: None, span });
        }
        for (formal, given) in formals.iter_mut().zip(given) {
            formal.default = given.default.as_ref().map(|default| self.code(default));
        }
        // Stable, so that of two with one name the later is the one complained about.
        formals.sort_by_key(|formal| formal.name);
        for (n, formal) in formals.iter().enumerate() {
            if bound == Some(formal.name) || n > 0 && formals[n - 1].name == formal.name {
                let text = self.evaluator.symbols.text(formal.name);
                self.complain(format!("duplicate formal function argument `{text}`"), formal.span);
            }
        }
        Pattern { formals: self.evaluator.arena.slice(&formals), is_open, is_bound: bound.is_some() }
    }

    fn with(&mut self, scope: &Tree<'_>, body: &Tree<'_>) -> Kind<'a> {
        let scope = self.lower(scope, None);
        let slot = self.scopes.take_slot();
        self.scopes.enter_with(slot);
        let body = self.lower(body, None);
        self.scopes.leave_with();
        Kind::With(slot, self.evaluator.arena.put((scope, body)))
    }

    fn select(&mut self, selection: &tree::Selection<'_>) -> Kind<'a> {
        let base = self.lower(&selection.base, None);
        let path = self.attribute_path(selection.path);
        let default = selection.default.as_ref().map(|default| self.code(default));
        // Such as `builtins.map`.
        if let (Kind::Constant(Value::Attributes(set)), [Key { name: KeyName::Static(name), .. }]) =
            (&base.kind, path)
            && let Some(found) = set.get(*name)
            && !matches!(found.value, Value::Thunk(_))
        {
            return match found.value {
                Value::Builtin(builtin) => Kind::SelectedBuiltin(builtin),
                value => Kind::Constant(value),
            };
        }
        Kind::Select(self.evaluator.arena.put(Select { base: self.put(base), path, default }))
    }

    fn attribute_path(&mut self, path: &[tree::Attribute<'_>]) -> &'a [Key<'a>] {
        if let [attribute] = path {
            let key = self.key(attribute);
            return self.evaluator.arena.slice(&[key]);
        }
        let keys: Vec<_> = path.iter().map(|attribute| self.key(attribute)).collect();
        self.evaluator.arena.slice(&keys)
    }

    fn key(&mut self, attribute: &tree::Attribute<'_>) -> Key<'a> {
        let name = match self.static_key(attribute) {
            Some(name) => KeyName::Static(name),
            None => KeyName::Dynamic(self.dynamic_key(attribute)),
        };
        Key { name, span: attribute.span }
    }

    /// The name of an attribute if it doesn't depend on evaluation.
    fn static_key(&mut self, attribute: &tree::Attribute<'_>) -> Option<Symbol> {
        let string = match attribute.form {
            AttributeForm::Name(name) => return Some(self.evaluator.symbols.intern(name.as_bytes())),
            AttributeForm::String(string) => string,
            AttributeForm::Dynamic(Tree { form: Form::String(string), .. }) => string,
            AttributeForm::Dynamic(_) => return None,
        };
        if string.parts.iter().any(|part| matches!(part, Part::Interpolation(_))) {
            return None;
        }
        match self.string(string) {
            Kind::Constant(Value::String(text)) => Some(self.evaluator.symbols.intern(text.bytes)),
            _ => None,
        }
    }

    fn dynamic_key(&mut self, attribute: &tree::Attribute<'_>) -> Code<'a> {
        let form = match attribute.form {
            AttributeForm::Dynamic(tree) => return self.code(tree),
            AttributeForm::String(string) => Form::String(string),
            AttributeForm::Name(name) => Form::Name(name),
        };
        self.code(&Tree { form, span: attribute.span })
    }
}

/// Whether a float's digits, but for those of its exponent, are all zero.
fn is_zero(digits: &str) -> bool {
    digits
        .bytes()
        .take_while(|byte| !byte.eq_ignore_ascii_case(&b'e'))
        .all(|byte| matches!(byte, b'0' | b'.'))
}

//! From text to [expressions](crate::expression): parses a file with rnix, resolves its names, drops the tree.
//!
//! Never fails early: [`Lowering::errors`] collects everything that is wrong with a file.

mod bindings;
mod scope;
mod string;
mod syntax_error;

use crate::Evaluator;
use crate::builtins;
use crate::error::{Error, ErrorKind, Outcome};
use crate::evaluate::path::absolute;
use crate::expression::{
    Code, Expression, Formal, Key, KeyName, Kind, Lambda, Operator, Parameter, Pattern, Select,
};
use crate::source::Span;
use crate::symbol::{Symbol, known};
use crate::value::Value;
use rnix::ast::{self, AstToken, Expr, HasEntry, InterpolPart};
use rowan::ast::AstNode;
use scope::Scopes;

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
    let parsed = rnix::Root::parse(text);
    let mut errors = syntax_error::describe(parsed.errors(), text, start);
    let mut lowering =
        Lowering { evaluator, start, directory, scopes: Scopes::default(), errors: Vec::new() };
    lowering.scopes.enter_frame();
    for &name in outer {
        let slot = lowering.scopes.take_slot();
        lowering.scopes.bind(name, slot);
    }
    let code =
        if errors.is_empty() { parsed.tree().expr().map(|expr| lowering.lower(&expr, None)) } else { None };
    errors.append(&mut lowering.errors);
    let mut errors = errors.into_iter();
    if let Some(mut first) = errors.next() {
        first.others = errors.collect();
        return Err(Box::new(first));
    }
    let code = code.ok_or_else(|| Error::new(ErrorKind::Syntax, "there is no expression"))?;
    Ok(Program { code: evaluator.arena.put(code), slots: lowering.scopes.leave_frame() })
}

struct Lowering<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    start: u32,
    directory: &'a [u8],
    scopes: Scopes<'a>,
    errors: Vec<Error>,
}

impl<'a> Lowering<'_, 'a> {
    fn span(&self, node: &impl AstNode<Language = rnix::NixLanguage>) -> Span {
        self.range(node.syntax().text_range())
    }

    fn range(&self, range: rnix::TextRange) -> Span {
        Span { start: self.start + u32::from(range.start()), end: self.start + u32::from(range.end()) }
    }

    fn complain(&mut self, message: impl Into<String>, span: Span) {
        self.errors.push(*Error::new(ErrorKind::Syntax, message).at(span));
    }

    fn put(&self, expression: Expression<'a>) -> Code<'a> {
        self.evaluator.arena.put(expression)
    }

    fn code(&mut self, expr: Option<Expr>) -> Code<'a> {
        let expression = self.required(expr);
        self.put(expression)
    }

    fn required(&mut self, expr: Option<Expr>) -> Expression<'a> {
        match expr {
            Some(expr) => self.lower(&expr, None),
            None => {
                self.complain("an expression is missing", Span::NOWHERE);
                Expression { kind: Kind::Constant(Value::Null), span: Span::NOWHERE }
            }
        }
    }

    fn pair(&mut self, left: Option<Expr>, right: Option<Expr>) -> &'a (Expression<'a>, Expression<'a>) {
        let left = self.required(left);
        let right = self.required(right);
        self.evaluator.arena.put((left, right))
    }

    /// Lowers an expression that is bound to `name`.
    fn lower(&mut self, expr: &Expr, name: Option<Symbol>) -> Expression<'a> {
        let span = self.span(expr);
        if let Err(error) = self.evaluator.check_stack() {
            self.errors.push(*error.at(span));
            return Expression { kind: Kind::Constant(Value::Null), span };
        }
        let kind = match expr {
            Expr::Paren(paren) => return self.required_in(paren.expr(), name),
            Expr::Root(root) => return self.required_in(root.expr(), name),
            Expr::Literal(literal) => self.literal(literal, span),
            Expr::Str(string) => self.string(string),
            Expr::PathAbs(path) => self.path(path.parts(), span),
            Expr::PathRel(path) => self.path(path.parts(), span),
            Expr::PathHome(_) => {
                self.errors
                    .push(*Error::new(ErrorKind::Impure, "a path in the home folder is not pure").at(span));
                Kind::Constant(Value::Null)
            }
            Expr::PathSearch(path) => self.search_path(path, span),
            Expr::Ident(ident) => self.variable(ident, span),
            Expr::CurPos(_) => Kind::Constant(self.evaluator.position(span.start)),
            Expr::List(list) => self.list(list),
            Expr::AttrSet(set) => self.attribute_set(set),
            Expr::LegacyLet(set) => self.legacy_let(set, span),
            Expr::LetIn(let_in) => self.let_in(let_in, span),
            Expr::Lambda(lambda) => self.lambda(lambda, name, span),
            Expr::Apply(apply) => self.apply(apply),
            Expr::With(with) => self.with(with),
            Expr::Assert(assert) => Kind::Assert(self.code(assert.condition()), self.code(assert.body())),
            Expr::IfElse(choice) => {
                let condition = self.code(choice.condition());
                Kind::If(condition, self.pair(choice.body(), choice.else_body()))
            }
            Expr::BinOp(operation) => self.binary(operation),
            Expr::UnaryOp(operation) => {
                let operand = self.code(operation.expr());
                match operation.operator() {
                    Some(ast::UnaryOpKind::Negate) => Kind::Negate(operand),
                    _ => Kind::Not(operand),
                }
            }
            Expr::Select(select) => self.select(select),
            Expr::HasAttr(has) => {
                let base = self.code(has.expr());
                Kind::HasAttribute(base, self.attribute_path(has.attrpath()))
            }
            Expr::Error(_) => {
                self.complain("this is no expression", span);
                Kind::Constant(Value::Null)
            }
        };
        Expression { kind, span }
    }

    fn required_in(&mut self, expr: Option<Expr>, name: Option<Symbol>) -> Expression<'a> {
        match expr {
            Some(expr) => self.lower(&expr, name),
            None => self.required(None),
        }
    }

    fn literal(&mut self, literal: &ast::Literal, span: Span) -> Kind<'a> {
        Kind::Constant(match literal.kind() {
            ast::LiteralKind::Integer(token) => token.value().map_or_else(
                |_| {
                    self.complain(format!("`{}` does not fit into 64 bits", token.syntax().text()), span);
                    Value::Null
                },
                Value::Int,
            ),
            ast::LiteralKind::Float(token) => match token.value() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => {
                    self.complain(format!("`{}` is no number", token.syntax().text()), span);
                    Value::Null
                }
            },
            ast::LiteralKind::Uri(token) => self.text(token.syntax().text().as_bytes()),
        })
    }

    fn text(&self, bytes: &[u8]) -> Value<'a> {
        Value::string(self.evaluator.arena, self.evaluator.arena.bytes(bytes))
    }

    fn path(&mut self, parts: Vec<InterpolPart<ast::PathContent>>, span: Span) -> Kind<'a> {
        let mut pieces = Vec::new();
        for (position, part) in parts.iter().enumerate() {
            match part {
                InterpolPart::Literal(literal) => {
                    let mut bytes = Vec::new();
                    if position == 0 && !literal.is_absolute() {
                        bytes.extend(self.directory);
                        bytes.push(b'/');
                    }
                    bytes.extend(literal.text().as_bytes());
                    if parts.len() == 1 {
                        return Kind::Constant(self.evaluator.path_value(&absolute(&bytes)));
                    }
                    pieces.push(Expression { kind: Kind::Constant(self.text(&bytes)), span });
                }
                InterpolPart::Interpolation(interpolation) => {
                    pieces.push(self.required(interpolation.expr()))
                }
            }
        }
        Kind::PathInterpolation(self.codes(pieces))
    }

    fn codes(&self, expressions: Vec<Expression<'a>>) -> &'a [Code<'a>] {
        let codes: Vec<_> = expressions.into_iter().map(|expression| self.put(expression)).collect();
        self.evaluator.arena.slice(&codes)
    }

    /// `<a/b>` is `__findFile __nixPath "a/b"`, and both names can be bound anew.
    fn search_path(&mut self, path: &ast::PathSearch, span: Span) -> Kind<'a> {
        let text = path.content().map(|content| content.text().to_owned()).unwrap_or_default();
        let name = text.trim_start_matches('<').trim_end_matches('>');
        let find = self.name(self.evaluator.symbols.intern(b"__findFile"), span);
        let search = self.name(self.evaluator.symbols.intern(b"__nixPath"), span);
        let wanted = Kind::Constant(self.text(name.as_bytes()));
        let pieces = vec![Expression { kind: search, span }, Expression { kind: wanted, span }];
        Kind::Apply(self.put(Expression { kind: find, span }), self.codes(pieces))
    }

    fn variable(&mut self, ident: &ast::Ident, span: Span) -> Kind<'a> {
        match self.identifier(Some(ident.clone())) {
            Some(name) => self.name(name, span),
            None => Kind::Constant(Value::Null),
        }
    }

    fn identifier(&mut self, ident: Option<ast::Ident>) -> Option<Symbol> {
        let token = ident.as_ref().and_then(ast::Ident::ident_token);
        if token.is_none() {
            self.complain("a name is missing", ident.map_or(Span::NOWHERE, |ident| self.span(&ident)));
        }
        token.map(|token| self.evaluator.symbols.intern(token.text().as_bytes()))
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

    fn list(&mut self, list: &ast::List) -> Kind<'a> {
        let items: Vec<_> = list.items().map(|item| self.lower(&item, None)).collect();
        let constants: Option<Vec<_>> = items
            .iter()
            .map(|item| if let Kind::Constant(value) = item.kind { Some(value) } else { None })
            .collect();
        match constants {
            Some(values) => Kind::ConstantList(self.evaluator.arena.slice(&values)),
            None => Kind::List(self.codes(items)),
        }
    }

    fn lambda(&mut self, lambda: &ast::Lambda, name: Option<Symbol>, span: Span) -> Kind<'a> {
        self.scopes.enter_frame();
        let parameter = match lambda.param() {
            Some(ast::Param::IdentParam(parameter)) => {
                let slot = self.scopes.take_slot();
                if let Some(name) = self.identifier(parameter.ident()) {
                    self.scopes.bind(name, slot);
                }
                Parameter::Name
            }
            Some(ast::Param::Pattern(pattern)) => Parameter::Pattern(self.pattern(&pattern)),
            None => {
                self.complain("a function's parameter is missing", span);
                Parameter::Name
            }
        };
        let body = self.code(lambda.body());
        let slots = self.scopes.leave_frame();
        Kind::Lambda(self.evaluator.arena.put(Lambda { name, parameter, body, slots, span }))
    }

    fn pattern(&mut self, pattern: &ast::Pattern) -> Pattern<'a> {
        let bound = pattern.pat_bind().map(|bind| (self.identifier(bind.ident()), self.span(&bind)));
        if let Some((Some(name), _)) = bound {
            let slot = self.scopes.take_slot();
            self.scopes.bind(name, slot);
        }
        let mut entries: Vec<(Symbol, u32, ast::PatEntry, Span)> = Vec::new();
        for entry in pattern.pat_entries() {
            let span = entry.ident().map_or(Span::NOWHERE, |ident| self.span(&ident));
            let Some(name) = self.identifier(entry.ident()) else { continue };
            let is_twice = entries.iter().any(|(other, ..)| *other == name)
                || bound.is_some_and(|(all, _)| all == Some(name));
            if is_twice {
                let text = self.evaluator.symbols.text(name);
                self.complain(format!("duplicate formal function argument `{text}`"), span);
            }
            let slot = self.scopes.take_slot();
            self.scopes.bind(name, slot);
            entries.push((name, slot, entry, span));
        }
        let mut formals = Vec::with_capacity(entries.len());
        for (name, slot, entry, span) in entries {
            let default = entry.question_token().map(|_| {
                // The first expression of an entry is its identifier.
                let expr = entry.syntax().children().filter_map(Expr::cast).nth(1);
                self.code(expr)
            });
            formals.push(Formal { name, slot, default, span });
        }
        formals.sort_by_key(|formal| formal.name);
        Pattern {
            formals: self.evaluator.arena.slice(&formals),
            is_open: pattern.ellipsis_token().is_some(),
            is_bound: bound.is_some(),
        }
    }

    fn apply(&mut self, apply: &ast::Apply) -> Kind<'a> {
        let mut arguments = vec![apply.argument()];
        let mut function = apply.lambda();
        while let Some(Expr::Apply(inner)) = &function {
            arguments.push(inner.argument());
            function = inner.lambda();
        }
        let function = self.code(function);
        let arguments = arguments.into_iter().rev().map(|argument| self.required(argument)).collect();
        Kind::Apply(function, self.codes(arguments))
    }

    fn with(&mut self, with: &ast::With) -> Kind<'a> {
        let namespace = self.required(with.namespace());
        let slot = self.scopes.take_slot();
        self.scopes.enter_with(slot);
        let body = self.required(with.body());
        self.scopes.leave_with();
        Kind::With(slot, self.evaluator.arena.put((namespace, body)))
    }

    fn binary(&mut self, operation: &ast::BinOp) -> Kind<'a> {
        use ast::BinOpKind as Ast;
        let operator = match operation.operator() {
            Some(Ast::PipeRight) => {
                let argument = self.required(operation.lhs());
                let function = self.code(operation.rhs());
                return Kind::Apply(function, self.codes(vec![argument]));
            }
            Some(Ast::PipeLeft) => {
                let function = self.code(operation.lhs());
                let argument = self.required(operation.rhs());
                return Kind::Apply(function, self.codes(vec![argument]));
            }
            Some(Ast::Concat) => Operator::Concatenate,
            Some(Ast::Update) => Operator::Update,
            Some(Ast::Add) => Operator::Add,
            Some(Ast::Sub) => Operator::Subtract,
            Some(Ast::Mul) => Operator::Multiply,
            Some(Ast::Div) => Operator::Divide,
            Some(Ast::And) => Operator::And,
            Some(Ast::Or) => Operator::Or,
            Some(Ast::Implication) => Operator::Implies,
            Some(Ast::Equal) => Operator::Equal,
            Some(Ast::NotEqual) => Operator::NotEqual,
            Some(Ast::Less) => Operator::Less,
            Some(Ast::LessOrEq) => Operator::LessOrEqual,
            Some(Ast::More) => Operator::Greater,
            Some(Ast::MoreOrEq) => Operator::GreaterOrEqual,
            None => {
                let span = self.span(operation);
                self.complain("an operator is missing", span);
                return Kind::Constant(Value::Null);
            }
        };
        Kind::Binary(operator, self.pair(operation.lhs(), operation.rhs()))
    }

    fn select(&mut self, select: &ast::Select) -> Kind<'a> {
        let base = self.required(select.expr());
        let path = self.attribute_path(select.attrpath());
        let default = select.default_expr().map(|default| self.code(Some(default)));
        // Such as `builtins.map`.
        if let (Kind::Constant(Value::Attributes(set)), [Key { name: KeyName::Static(name), .. }]) =
            (&base.kind, path)
            && let Some(found) = set.get(*name)
            && !matches!(found.value, Value::Thunk(_))
        {
            return Kind::Constant(found.value);
        }
        Kind::Select(self.evaluator.arena.put(Select { base: self.put(base), path, default }))
    }

    fn attribute_path(&mut self, path: Option<ast::Attrpath>) -> &'a [Key<'a>] {
        let Some(path) = path else { return &[] };
        let keys: Vec<_> = path.attrs().map(|attr| self.key(&attr)).collect();
        self.evaluator.arena.slice(&keys)
    }

    fn key(&mut self, attr: &ast::Attr) -> Key<'a> {
        let span = self.span(attr);
        let name = match self.static_key(attr) {
            Some(name) => KeyName::Static(name),
            None => KeyName::Dynamic(self.dynamic_key(attr)),
        };
        Key { name, span }
    }

    /// The name of an attribute if it doesn't depend on evaluation.
    fn static_key(&mut self, attr: &ast::Attr) -> Option<Symbol> {
        let string = match attr {
            ast::Attr::Ident(ident) => {
                return Some(self.identifier(Some(ident.clone())).unwrap_or(known::NAME));
            }
            ast::Attr::Str(string) => string.clone(),
            ast::Attr::Dynamic(dynamic) => match dynamic.expr() {
                Some(Expr::Str(string)) => string,
                _ => return None,
            },
        };
        if string.parts().any(|part| matches!(part, InterpolPart::Interpolation(_))) {
            return None;
        }
        match self.string(&string) {
            Kind::Constant(Value::String(text)) => Some(self.evaluator.symbols.intern(text.bytes)),
            _ => None,
        }
    }

    fn dynamic_key(&mut self, attr: &ast::Attr) -> Code<'a> {
        match attr {
            ast::Attr::Dynamic(dynamic) => self.code(dynamic.expr()),
            ast::Attr::Str(string) => self.code(Some(Expr::Str(string.clone()))),
            ast::Attr::Ident(ident) => self.code(Some(Expr::Ident(ident.clone()))),
        }
    }

    fn let_in(&mut self, let_in: &ast::LetIn, span: Span) -> Kind<'a> {
        let bindings = self.collect(let_in.entries());
        self.let_body(bindings, span, |lowering| lowering.code(let_in.body()))
    }
}

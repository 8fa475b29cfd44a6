//! The bindings of attribute sets and `let`: attribute paths become nested sets, parts of one set are put together.

use super::Lowering;
use crate::attributes::{Attribute, Attributes};
use crate::error::{Error, ErrorKind};
use crate::expression::{
    AttributeSet, Binding, Code, DynamicAttribute, Expression, Key, KeyName, Kind, Select, StaticAttribute,
};
use crate::source::Span;
use crate::symbol::{Symbol, known};
use crate::value::Value;
use rnix::ast::{self, Expr, HasEntry};
use rowan::ast::AstNode;
use rustc_hash::FxHashMap;

/// A `let` or `rec` in a function gets a frame of its own if its frame would have more slots than this.
const MANY_SLOTS: u32 = 24;

/// The bindings between braces, or of a `let`.
#[derive(Default)]
pub(super) struct Bindings {
    named: Vec<Named>,
    places: FxHashMap<Symbol, usize>,
    dynamic: Vec<(ast::Attr, Definition)>,
    origins: Vec<Expr>,
}

struct Named {
    name: Symbol,
    span: Span,
    definition: Definition,
}

enum Definition {
    /// `= expression`
    Expression(Expr),
    /// `inherit name`
    Inherited,
    /// `inherit (origin) name`
    From(usize),
    /// Put together of attribute paths and sets.
    Nested { is_recursive: bool, bindings: Bindings },
}

impl Bindings {
    /// How many slots they take.
    fn slots(&self) -> u32 {
        u32::try_from(self.named.len() + self.origins.len()).unwrap_or(u32::MAX)
    }
}

/// Bindings that are resolved.
struct Lowered<'a> {
    origins: Vec<Binding<'a>>,
    named: Vec<(Symbol, Span, Option<u32>, Code<'a>)>,
    dynamic: Vec<DynamicAttribute<'a>>,
}

impl<'a> Lowering<'_, 'a> {
    pub(super) fn collect(&mut self, entries: impl Iterator<Item = ast::Entry>) -> Bindings {
        let mut bindings = Bindings::default();
        for entry in entries {
            match entry {
                ast::Entry::Inherit(inherit) => self.collect_inherit(&mut bindings, &inherit),
                ast::Entry::AttrpathValue(definition) => {
                    let path: Vec<_> =
                        definition.attrpath().into_iter().flat_map(|path| path.attrs()).collect();
                    let value = strip_parentheses(definition.value());
                    match (path.is_empty(), value) {
                        (false, Some(value)) => self.add(&mut bindings, &path, value),
                        _ => self.complain("a definition is incomplete", self.span(&definition)),
                    }
                }
            }
        }
        bindings
    }

    fn collect_inherit(&mut self, bindings: &mut Bindings, inherit: &ast::Inherit) {
        let origin = inherit.from().map(|from| {
            bindings.origins.extend(from.expr());
            bindings.origins.len().saturating_sub(1)
        });
        for attr in inherit.attrs() {
            let span = self.span(&attr);
            match self.static_key(&attr) {
                Some(name) => {
                    let definition = origin.map_or(Definition::Inherited, Definition::From);
                    self.insert(bindings, Named { name, span, definition });
                }
                None => self.complain("dynamic attributes are not allowed in inherit", span),
            }
        }
    }

    /// Adds `path = value;`.
    fn add(&mut self, bindings: &mut Bindings, path: &[ast::Attr], value: Expr) {
        let [first, rest @ ..] = path else { return };
        let span = self.span(first);
        let Some(name) = self.static_key(first) else {
            let definition = self.nest(rest, value);
            bindings.dynamic.push((first.clone(), definition));
            return;
        };
        if rest.is_empty() {
            return self.insert(bindings, Named { name, span, definition: Definition::Expression(value) });
        }
        let Some(&place) = bindings.places.get(&name) else {
            let definition = self.nest(rest, value);
            return self.insert(bindings, Named { name, span, definition });
        };
        match self.open(&mut bindings.named[place].definition) {
            Some(inner) => self.add(inner, rest, value),
            None => self.duplicate(name, span, bindings.named[place].span),
        }
    }

    /// What `path = value` makes of nothing.
    fn nest(&mut self, path: &[ast::Attr], value: Expr) -> Definition {
        if path.is_empty() {
            return Definition::Expression(value);
        }
        let mut bindings = Bindings::default();
        self.add(&mut bindings, path, value);
        Definition::Nested { is_recursive: false, bindings }
    }

    /// The bindings of a definition that is a set.
    fn open<'d>(&mut self, definition: &'d mut Definition) -> Option<&'d mut Bindings> {
        if let Definition::Expression(Expr::AttrSet(set)) = definition {
            let is_recursive = set.rec_token().is_some();
            let bindings = self.collect(set.entries());
            *definition = Definition::Nested { is_recursive, bindings };
        }
        match definition {
            Definition::Nested { bindings, .. } => Some(bindings),
            _ => None,
        }
    }

    fn insert(&mut self, bindings: &mut Bindings, mut named: Named) {
        let Some(&place) = bindings.places.get(&named.name) else {
            bindings.places.insert(named.name, bindings.named.len());
            bindings.named.push(named);
            return;
        };
        let earlier = &mut bindings.named[place];
        let is_set = |definition: &Definition| {
            matches!(definition, Definition::Nested { .. } | Definition::Expression(Expr::AttrSet(_)))
        };
        if !is_set(&earlier.definition) || !is_set(&named.definition) {
            return self.duplicate(named.name, named.span, earlier.span);
        }
        let Some(later) = self.open(&mut named.definition).map(std::mem::take) else { return };
        if let Some(inner) = self.open(&mut earlier.definition) {
            self.merge(inner, later);
        }
    }

    /// Adds the attributes of a second set of the same name; none may be there already.
    fn merge(&mut self, bindings: &mut Bindings, later: Bindings) {
        let offset = bindings.origins.len();
        bindings.origins.extend(later.origins);
        for mut named in later.named {
            if let Some(&place) = bindings.places.get(&named.name) {
                self.duplicate(named.name, named.span, bindings.named[place].span);
                continue;
            }
            if let Definition::From(origin) = &mut named.definition {
                *origin += offset;
            }
            bindings.places.insert(named.name, bindings.named.len());
            bindings.named.push(named);
        }
        bindings.dynamic.extend(later.dynamic);
    }

    fn duplicate(&mut self, name: Symbol, span: Span, earlier: Span) {
        let text = self.evaluator.symbols.text(name);
        let error = Error::new(ErrorKind::Syntax, format!("attribute `{text}` is already defined"));
        self.errors.push(*error.at(span).with_note("it is defined first here", earlier));
    }

    pub(super) fn attribute_set(&mut self, set: &ast::AttrSet) -> Kind<'a> {
        let bindings = self.collect(set.entries());
        let span = self.span(set);
        if set.rec_token().is_some() { self.recursive(bindings, span) } else { self.plain(bindings) }
    }

    fn definition(&mut self, definition: Definition, named: Option<Symbol>, span: Span) -> Expression<'a> {
        let kind = match definition {
            Definition::Expression(expr) => return self.lower(&expr, named),
            Definition::Nested { is_recursive: false, bindings } => self.plain(bindings),
            Definition::Nested { is_recursive: true, bindings } => self.recursive(bindings, span),
            Definition::Inherited | Definition::From(_) => Kind::Constant(Value::Null),
        };
        Expression { kind, span }
    }

    /// `{ … }`
    fn plain(&mut self, bindings: Bindings) -> Kind<'a> {
        let lowered = self.resolve(bindings, false);
        let is_constant = |(_, _, _, code): &(_, _, _, Code<'a>)| matches!(code.kind, Kind::Constant(_));
        if lowered.dynamic.is_empty() && lowered.named.iter().all(is_constant) {
            let attributes = lowered.named.iter().filter_map(|&(name, span, _, code)| match code.kind {
                Kind::Constant(value) => Some(Attribute { name, position: span.start, value }),
                _ => None,
            });
            let arena = self.evaluator.arena;
            return Kind::ConstantSet(Attributes::from_unsorted(arena, attributes.collect()).all(arena));
        }
        self.set(lowered, false)
    }

    /// `rec { … }`
    fn recursive(&mut self, bindings: Bindings, span: Span) -> Kind<'a> {
        let has_overrides = bindings.places.contains_key(&known::OVERRIDES);
        let needed = bindings.slots();
        self.in_frame(needed, span, |lowering| {
            let block = lowering.scopes.enter_block();
            let lowered = lowering.resolve(bindings, true);
            lowering.scopes.leave_block(&block);
            lowering.set(lowered, has_overrides)
        })
    }

    /// Lowers in a frame of its own if the bindings are many.
    fn in_frame(&mut self, needed: u32, span: Span, lower: impl FnOnce(&mut Self) -> Kind<'a>) -> Kind<'a> {
        if self.scopes.slots_of_function().is_none_or(|taken| taken.saturating_add(needed) <= MANY_SLOTS) {
            return lower(self);
        }
        self.scopes.enter_frame();
        let kind = lower(self);
        let slots = self.scopes.leave_frame();
        Kind::Frame(slots, self.put(Expression { kind, span }))
    }

    fn set(&mut self, lowered: Lowered<'a>, has_overrides: bool) -> Kind<'a> {
        let arena = self.evaluator.arena;
        let mut attributes: Vec<_> = lowered
            .named
            .into_iter()
            .map(|(name, span, slot, value)| StaticAttribute { name, position: span.start, slot, value })
            .collect();
        attributes.sort_by_key(|attribute| attribute.name);
        Kind::Attributes(arena.put(AttributeSet {
            origins: arena.slice(&lowered.origins),
            attributes: arena.slice(&attributes),
            dynamic: arena.slice(&lowered.dynamic),
            has_overrides,
        }))
    }

    /// Resolves definitions, in a scope of their own names if `is_recursive`. The caller ends that scope.
    fn resolve(&mut self, bindings: Bindings, is_recursive: bool) -> Lowered<'a> {
        let mut inherited = FxHashMap::default();
        for named in &bindings.named {
            if matches!(named.definition, Definition::Inherited) {
                let kind = self.name(named.name, named.span);
                inherited.insert(named.name, self.put(Expression { kind, span: named.span }));
            }
        }
        let mut slots = FxHashMap::default();
        if is_recursive {
            for named in &bindings.named {
                let slot = self.scopes.take_slot();
                self.scopes.bind(named.name, slot);
                slots.insert(named.name, slot);
            }
        }
        let mut origins = Vec::with_capacity(bindings.origins.len());
        for origin in bindings.origins {
            let value = self.code(Some(origin));
            origins.push(Binding { slot: self.scopes.take_slot(), value });
        }
        let mut lowered =
            Lowered { origins, named: Vec::with_capacity(bindings.named.len()), dynamic: Vec::new() };
        for Named { name, span, definition } in bindings.named {
            let code = match definition {
                Definition::Inherited => inherited[&name],
                Definition::From(origin) => match lowered.origins.get(origin) {
                    Some(origin) => self.selected(origin.slot, name, span),
                    None => self.code(None),
                },
                other => {
                    let expression = self.definition(other, Some(name), span);
                    self.put(expression)
                }
            };
            lowered.named.push((name, span, slots.get(&name).copied(), code));
        }
        for (attr, definition) in bindings.dynamic {
            let name = self.dynamic_key(&attr);
            let span = self.span(&attr);
            let value = self.definition(definition, None, span);
            lowered.dynamic.push(DynamicAttribute { name, value: self.put(value) });
        }
        lowered
    }

    fn selected(&mut self, slot: u32, name: Symbol, span: Span) -> Code<'a> {
        let arena = self.evaluator.arena;
        let base = self.put(Expression { kind: Kind::Local(slot), span });
        let path = arena.slice(&[Key { name: KeyName::Static(name), span }]);
        self.put(Expression { kind: Kind::Select(arena.put(Select { base, path, default: None })), span })
    }

    /// `let { …; body = …; }`
    pub(super) fn legacy_let(&mut self, set: &ast::LegacyLet, span: Span) -> Kind<'a> {
        let bindings = self.collect(set.entries());
        let kind = self.recursive(bindings, span);
        let arena = self.evaluator.arena;
        let path = arena.slice(&[Key { name: KeyName::Static(known::BODY), span }]);
        let base = self.put(Expression { kind, span });
        Kind::Select(arena.put(Select { base, path, default: None }))
    }

    pub(super) fn let_body(
        &mut self,
        bindings: Bindings,
        span: Span,
        body: impl FnOnce(&mut Self) -> Code<'a>,
    ) -> Kind<'a> {
        if let Some((attr, _)) = bindings.dynamic.first() {
            let span = self.range(attr.syntax().text_range());
            self.complain("dynamic attributes are not allowed in let", span);
        }
        let needed = bindings.slots();
        self.in_frame(needed, span, |lowering| {
            let block = lowering.scopes.enter_block();
            let lowered = lowering.resolve(bindings, true);
            let named =
                lowered.named.iter().filter_map(|&(_, _, slot, value)| Some(Binding { slot: slot?, value }));
            let bindings: Vec<_> = lowered.origins.iter().copied().chain(named).collect();
            let body = body(lowering);
            lowering.scopes.leave_block(&block);
            Kind::Let(lowering.evaluator.arena.slice(&bindings), body)
        })
    }
}

fn strip_parentheses(mut expr: Option<Expr>) -> Option<Expr> {
    while let Some(Expr::Paren(paren)) = &expr {
        expr = paren.expr();
    }
    expr
}

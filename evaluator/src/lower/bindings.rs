//! The bindings of attribute sets and `let`: attribute paths become nested sets, parts of one set are put together.

use super::Lowering;
use super::tree::{self, Entry, Form, Tree};
use crate::attributes::{Attribute, Attributes};
use crate::error::{Error, ErrorKind};
use crate::expression::{
    AttributeSet, Binding, Code, DynamicAttribute, Expression, Key, KeyName, Kind, Select, StaticAttribute,
};
use crate::source::Span;
use crate::symbol::{Symbol, known};
use crate::value::Value;
use rustc_hash::FxHashMap;

/// A `let` or `rec` in a function gets a frame of its own if its frame would have more slots than this.
const MANY_SLOTS: u32 = 24;

/// The bindings between braces, or of a `let`.
#[derive(Default)]
pub(super) struct Bindings<'t> {
    named: Vec<Named<'t>>,
    /// Where a name is in `named`, once there are many.
    places: FxHashMap<Symbol, usize>,
    dynamic: Vec<Unnamed<'t>>,
    origins: Vec<&'t Tree<'t>>,
}

struct Named<'t> {
    name: Symbol,
    span: Span,
    /// Where the path begins that it is a part of: what Nix takes for its position.
    position: u32,
    definition: Definition<'t>,
}

/// A binding whose name is known when it is evaluated.
struct Unnamed<'t> {
    attribute: tree::Attribute<'t>,
    /// As in [`Named`].
    position: u32,
    definition: Definition<'t>,
}

enum Definition<'t> {
    /// `= expression`
    Expression(Tree<'t>),
    /// `inherit name`
    Inherited,
    /// `inherit (origin) name`
    From(usize),
    /// Put together of attribute paths and sets.
    Nested { is_recursive: bool, bindings: Bindings<'t> },
}

/// From this number of names on, a table finds them faster than looking at each.
const TABLE_FROM: usize = 12;

impl<'t> Bindings<'t> {
    fn place(&self, name: Symbol) -> Option<usize> {
        if self.named.len() < TABLE_FROM {
            return self.named.iter().position(|named| named.name == name);
        }
        self.places.get(&name).copied()
    }

    fn push(&mut self, named: Named<'t>) {
        self.named.push(named);
        match self.named.len() {
            TABLE_FROM => {
                self.places = self.named.iter().enumerate().map(|(n, named)| (named.name, n)).collect()
            }
            length if length > TABLE_FROM => {
                self.places.insert(self.named[length - 1].name, length - 1);
            }
            _ => {}
        }
    }

    /// How many slots they take.
    fn slots(&self) -> u32 {
        u32::try_from(self.named.len() + self.origins.len()).unwrap_or(u32::MAX)
    }
}

/// Bindings that are resolved.
struct Lowered<'a> {
    origins: Vec<Binding<'a>>,
    named: Vec<StaticAttribute<'a>>,
    dynamic: Vec<DynamicAttribute<'a>>,
}

impl<'a> Lowering<'_, 'a> {
    pub(super) fn collect<'t>(&mut self, entries: &'t [Entry<'t>]) -> Bindings<'t> {
        let mut bindings = Bindings { named: Vec::with_capacity(entries.len()), ..Bindings::default() };
        for entry in entries {
            match *entry {
                Entry::Inherit(origin, attributes) => self.collect_inherit(&mut bindings, origin, attributes),
                Entry::Define(path, value) => {
                    let position = path.first().map_or(0, |first| first.span.start);
                    self.add(&mut bindings, path, position, strip_parentheses(value));
                }
            }
        }
        bindings
    }

    fn collect_inherit<'t>(
        &mut self,
        bindings: &mut Bindings<'t>,
        origin: Option<&'t Tree<'t>>,
        attributes: &[tree::Attribute<'t>],
    ) {
        let origin = origin.map(|origin| {
            bindings.origins.push(origin);
            bindings.origins.len() - 1
        });
        for attribute in attributes {
            let span = attribute.span;
            match self.static_key(attribute) {
                Some(name) => {
                    let definition = origin.map_or(Definition::Inherited, Definition::From);
                    self.insert(bindings, Named { name, span, position: span.start, definition });
                }
                None => self.complain("dynamic attributes are not allowed in inherit", span),
            }
        }
    }

    /// Adds `path = value;`; the whole of the path begins at `position`.
    fn add<'t>(
        &mut self,
        bindings: &mut Bindings<'t>,
        path: &'t [tree::Attribute<'t>],
        position: u32,
        value: Tree<'t>,
    ) {
        let [first, rest @ ..] = path else { return };
        let span = first.span;
        let Some(name) = self.static_key(first) else {
            let definition = self.nest(rest, position, value);
            bindings.dynamic.push(Unnamed { attribute: *first, position, definition });
            return;
        };
        if rest.is_empty() {
            let definition = Definition::Expression(value);
            return self.insert(bindings, Named { name, span, position, definition });
        }
        let Some(place) = bindings.place(name) else {
            let definition = self.nest(rest, position, value);
            return self.insert(bindings, Named { name, span, position, definition });
        };
        match self.open(&mut bindings.named[place].definition) {
            Some(inner) => self.add(inner, rest, position, value),
            None => self.duplicate(name, span, bindings.named[place].span),
        }
    }

    /// What `path = value` makes of nothing.
    fn nest<'t>(
        &mut self,
        path: &'t [tree::Attribute<'t>],
        position: u32,
        value: Tree<'t>,
    ) -> Definition<'t> {
        if path.is_empty() {
            return Definition::Expression(value);
        }
        let mut bindings = Bindings::default();
        self.add(&mut bindings, path, position, value);
        Definition::Nested { is_recursive: false, bindings }
    }

    /// The bindings of a definition that is a set.
    fn open<'d, 't>(&mut self, definition: &'d mut Definition<'t>) -> Option<&'d mut Bindings<'t>> {
        if let Definition::Expression(Tree {
            form: Form::Set(entries) | Form::RecursiveSet(entries), ..
        }) = definition
        {
            let bindings = self.collect(entries);
            let is_recursive =
                matches!(definition, Definition::Expression(Tree { form: Form::RecursiveSet(_), .. }));
            *definition = Definition::Nested { is_recursive, bindings };
        }
        match definition {
            Definition::Nested { bindings, .. } => Some(bindings),
            _ => None,
        }
    }

    fn insert<'t>(&mut self, bindings: &mut Bindings<'t>, mut named: Named<'t>) {
        let Some(place) = bindings.place(named.name) else {
            bindings.push(named);
            return;
        };
        let earlier = &mut bindings.named[place];
        let is_set = |definition: &Definition<'_>| {
            matches!(
                definition,
                Definition::Nested { .. }
                    | Definition::Expression(Tree { form: Form::Set(_) | Form::RecursiveSet(_), .. })
            )
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
    fn merge<'t>(&mut self, bindings: &mut Bindings<'t>, later: Bindings<'t>) {
        let offset = bindings.origins.len();
        bindings.origins.extend(later.origins);
        for mut named in later.named {
            if let Some(place) = bindings.place(named.name) {
                self.duplicate(named.name, named.span, bindings.named[place].span);
                continue;
            }
            if let Definition::From(origin) = &mut named.definition {
                *origin += offset;
            }
            bindings.push(named);
        }
        bindings.dynamic.extend(later.dynamic);
    }

    fn duplicate(&mut self, name: Symbol, span: Span, earlier: Span) {
        let text = self.evaluator.symbols.text(name);
        let error = Error::new(ErrorKind::Syntax, format!("attribute `{text}` is already defined"));
        self.errors.push(*error.at(span).with_note("it is defined first here", earlier));
    }

    fn definition(
        &mut self,
        definition: Definition<'_>,
        named: Option<Symbol>,
        span: Span,
    ) -> Expression<'a> {
        let kind = match definition {
            Definition::Expression(expr) => return self.lower(&expr, named),
            Definition::Nested { is_recursive: false, bindings } => self.plain(bindings),
            Definition::Nested { is_recursive: true, bindings } => self.recursive(bindings, span),
            Definition::Inherited | Definition::From(_) => Kind::Constant(Value::Null),
        };
        Expression { kind, span }
    }

    /// `{ … }`
    pub(super) fn plain(&mut self, bindings: Bindings<'_>) -> Kind<'a> {
        let lowered = self.resolve(bindings, false);
        let is_constant = |named: &StaticAttribute<'a>| matches!(named.value.kind, Kind::Constant(_));
        if lowered.dynamic.is_empty() && lowered.named.iter().all(is_constant) {
            let attributes = lowered.named.iter().filter_map(|named| match named.value.kind {
                Kind::Constant(value) => {
                    Some(Attribute { name: named.name, position: named.position, value })
                }
                _ => None,
            });
            let arena = self.evaluator.arena;
            return Kind::ConstantSet(Attributes::from_unsorted(arena, attributes.collect()).all(arena));
        }
        self.set(lowered, false)
    }

    /// `rec { … }`
    pub(super) fn recursive(&mut self, bindings: Bindings<'_>, span: Span) -> Kind<'a> {
        let has_overrides = bindings.place(known::OVERRIDES).is_some();
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
        let mut attributes = lowered.named;
        attributes.sort_by_key(|attribute| attribute.name);
        Kind::Attributes(arena.put(AttributeSet {
            origins: arena.slice(&lowered.origins),
            attributes: arena.slice(&attributes),
            dynamic: arena.slice(&lowered.dynamic),
            has_overrides,
        }))
    }

    /// Resolves definitions, in a scope of their own names if `is_recursive`. The caller ends that scope.
    fn resolve(&mut self, bindings: Bindings<'_>, is_recursive: bool) -> Lowered<'a> {
        // What is inherited means what the name means outside.
        let mut inherited = Vec::new();
        for named in &bindings.named {
            if matches!(named.definition, Definition::Inherited) {
                let kind = self.name(named.name, named.span);
                inherited.push(self.put(Expression { kind, span: named.span }));
            }
        }
        let mut inherited = inherited.into_iter();
        let mut slots = Vec::new();
        if is_recursive {
            for named in &bindings.named {
                let slot = self.scopes.take_slot();
                self.scopes.bind(named.name, slot);
                slots.push(slot);
            }
        }
        let mut origins = Vec::with_capacity(bindings.origins.len());
        for origin in bindings.origins {
            let value = self.code(origin);
            origins.push(Binding { slot: self.scopes.take_slot(), value });
        }
        let mut lowered =
            Lowered { origins, named: Vec::with_capacity(bindings.named.len()), dynamic: Vec::new() };
        for (n, Named { name, span, position, definition }) in bindings.named.into_iter().enumerate() {
            let value = match definition {
                Definition::Inherited => {
                    inherited.next().expect("this holds because each was resolved above")
                }
                Definition::From(origin) => self.selected(lowered.origins[origin].slot, name, span),
                other => {
                    let expression = self.definition(other, Some(name), span);
                    self.put(expression)
                }
            };
            lowered.named.push(StaticAttribute { name, position, slot: slots.get(n).copied(), value });
        }
        for Unnamed { attribute, position, definition } in bindings.dynamic {
            let name = self.dynamic_key(&attribute);
            let value = self.definition(definition, None, attribute.span);
            lowered.dynamic.push(DynamicAttribute { name, position, value: self.put(value) });
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
    pub(super) fn legacy_let(&mut self, entries: &[Entry<'_>], span: Span) -> Kind<'a> {
        let bindings = self.collect(entries);
        let kind = self.recursive(bindings, span);
        let arena = self.evaluator.arena;
        let path = arena.slice(&[Key { name: KeyName::Static(known::BODY), span }]);
        let base = self.put(Expression { kind, span });
        Kind::Select(arena.put(Select { base, path, default: None }))
    }

    pub(super) fn let_body(
        &mut self,
        bindings: Bindings<'_>,
        span: Span,
        body: impl FnOnce(&mut Self) -> Code<'a>,
    ) -> Kind<'a> {
        if let Some(Unnamed { attribute, .. }) = bindings.dynamic.first() {
            self.complain("dynamic attributes are not allowed in let", attribute.span);
        }
        let needed = bindings.slots();
        self.in_frame(needed, span, |lowering| {
            let block = lowering.scopes.enter_block();
            let lowered = lowering.resolve(bindings, true);
            let bind = |named: &StaticAttribute<'a>| Some(Binding { slot: named.slot?, value: named.value });
            let named = lowered.named.iter().filter_map(bind);
            let bindings: Vec<_> = lowered.origins.iter().copied().chain(named).collect();
            let body = body(lowering);
            lowering.scopes.leave_block(&block);
            Kind::Let(lowering.evaluator.arena.slice(&bindings), body)
        })
    }
}

fn strip_parentheses(mut tree: Tree<'_>) -> Tree<'_> {
    while let Form::Parentheses(inner) = tree.form {
        tree = *inner;
    }
    tree
}

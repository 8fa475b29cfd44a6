//! Attribute sets: arrays sorted by symbol.
//!
//! `a // b` with a large `a` keeps `a`'s array as a base under a small array of what changed, so that growing a set one
//! attribute at a time doesn't copy it each time. When the small one outgrows the square root of the base, or when the set is
//! enumerated, both become one array, in place.

use crate::arena::Arena;
use crate::symbol::{Symbol, Symbols};
use crate::value::Value;
use std::cell::Cell;

/// An attribute.
#[derive(Clone, Copy)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: Symbol,
    /// Where it was defined: an offset as in [`crate::source::Span`].
    pub position: u32,
    /// Possibly a thunk.
    pub value: Value<'a>,
}

/// An attribute set.
pub struct Attributes<'a> {
    top: Cell<&'a [Attribute<'a>]>,
    more: Cell<Option<&'a More<'a>>>,
}

/// What only some sets have.
#[derive(Clone, Copy)]
struct More<'a> {
    /// What `top` overrides; empty once both are one.
    base: &'a [Attribute<'a>],
    /// Attributes in all.
    length: usize,
    /// Positions in `top` in the order of names, once someone asked. Valid while `base` is empty.
    by_name: Option<&'a [u32]>,
}

/// Below this, sets are copied whole: it's cheaper than anything cleverer.
const LAYERED_FROM: usize = 48;

impl<'a> Attributes<'a> {
    /// Of attributes sorted by symbol without duplicates.
    pub fn from_sorted(arena: &'a Arena, attributes: &'a [Attribute<'a>]) -> &'a Self {
        arena.put(Self { top: Cell::new(attributes), more: Cell::new(None) })
    }

    /// Of attributes in any order. Of those with one name the first stays.
    pub fn from_unsorted(arena: &'a Arena, mut attributes: Vec<Attribute<'a>>) -> &'a Self {
        if !attributes.is_sorted_by(|left, right| left.name < right.name) {
            attributes.sort_by_key(|attribute| attribute.name);
            attributes.dedup_by_key(|attribute| attribute.name);
        }
        Self::from_sorted(arena, arena.slice(&attributes))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.more.get().map_or(self.top.get().len(), |more| more.length)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds one.
    #[inline]
    pub fn get(&self, name: Symbol) -> Option<Attribute<'a>> {
        if let Some(found) = find(self.top.get(), name) {
            return Some(*found);
        }
        self.more.get().and_then(|more| find(more.base, name)).copied()
    }

    /// All, sorted by symbol.
    pub fn all(&self, arena: &'a Arena) -> &'a [Attribute<'a>] {
        if let Some(more) = self.more.get()
            && !more.base.is_empty()
        {
            self.top.set(merge(arena, more.base, self.top.get()));
            self.more.set(None);
        }
        self.top.get()
    }

    /// All, sorted by name.
    pub fn by_name(
        &self,
        arena: &'a Arena,
        symbols: &Symbols<'a>,
    ) -> impl ExactSizeIterator<Item = Attribute<'a>> + use<'a> {
        let all = self.all(arena);
        let order = self.more.get().and_then(|more| more.by_name).unwrap_or_else(|| {
            let mut order: Vec<(&[u8], u32)> =
                (0u32..).zip(all).map(|(n, each)| (symbols.name(each.name), n)).collect();
            order.sort_unstable_by_key(|&(name, _)| name);
            let order = arena.fill(order.len(), |n| order[n].1);
            self.more.set(Some(arena.put(More { base: &[], length: all.len(), by_name: Some(order) })));
            order
        });
        order.iter().map(move |&n| all[n as usize])
    }

    /// `self // other`
    pub fn update(&'a self, other: &'a Self, arena: &'a Arena) -> &'a Self {
        if other.is_empty() {
            return self;
        }
        if self.is_empty() {
            return other;
        }
        if self.len() < LAYERED_FROM || other.len() * 4 > self.len() {
            return Self::from_sorted(arena, merge(arena, self.all(arena), other.all(arena)));
        }
        let other = other.all(arena);
        let (base, top) = match self.more.get() {
            Some(more) if !more.base.is_empty() => (more.base, merge(arena, self.top.get(), other)),
            _ => (self.top.get(), other),
        };
        if top.len() * top.len() > base.len() * 4 {
            return Self::from_sorted(arena, merge(arena, base, top));
        }
        let added = other.iter().filter(|each| self.get(each.name).is_none()).count();
        let more = More { base, length: self.len() + added, by_name: None };
        arena.put(Self { top: Cell::new(top), more: Cell::new(Some(arena.put(more))) })
    }
}

#[inline]
fn find<'s, 'a>(sorted: &'s [Attribute<'a>], name: Symbol) -> Option<&'s Attribute<'a>> {
    if sorted.len() <= 8 {
        return sorted.iter().find(|each| each.name == name);
    }
    sorted.binary_search_by_key(&name, |each| each.name).ok().map(|place| &sorted[place])
}

/// Both, `over` winning, in one array.
fn merge<'a>(arena: &'a Arena, under: &[Attribute<'a>], over: &[Attribute<'a>]) -> &'a [Attribute<'a>] {
    let mut both = 0;
    walk(under, over, |_, is_both| both += usize::from(is_both));
    let (mut left, mut right) = (0, 0);
    arena.fill(under.len() + over.len() - both, |_| match (under.get(left), over.get(right)) {
        (Some(from_under), Some(from_over)) if from_under.name < from_over.name => {
            left += 1;
            *from_under
        }
        (Some(from_under), None) => {
            left += 1;
            *from_under
        }
        (from_under, Some(from_over)) => {
            left += usize::from(from_under.is_some_and(|each| each.name == from_over.name));
            right += 1;
            *from_over
        }
        (None, None) => unreachable!("this holds because duplicates were counted"),
    })
}

fn walk<'a>(under: &[Attribute<'a>], over: &[Attribute<'a>], mut each: impl FnMut(Symbol, bool)) {
    let (mut left, mut right) = (0, 0);
    while let (Some(from_under), Some(from_over)) = (under.get(left), over.get(right)) {
        let order = from_under.name.cmp(&from_over.name);
        each(from_over.name, order.is_eq());
        left += usize::from(order.is_le());
        right += usize::from(order.is_ge());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<'a>(arena: &'a Arena, symbols: &Symbols<'a>, pairs: &[(String, i64)]) -> &'a Attributes<'a> {
        let make = |(name, value): &(String, i64)| Attribute {
            name: symbols.intern(name.as_bytes()),
            position: 0,
            value: Value::Int(*value),
        };
        Attributes::from_unsorted(arena, pairs.iter().map(make).collect())
    }

    #[test]
    fn a_set_grown_by_single_updates_equals_the_set_made_at_once() {
        let arena = Arena::new(None);
        let symbols = Symbols::new(&arena);
        let name = |n: i64| format!("a{}", n * 7919 % 701);
        let mut grown = set(&arena, &symbols, &[]);
        let mut expected = std::collections::BTreeMap::new();
        for n in 0..1500 {
            grown = grown.update(set(&arena, &symbols, &[(name(n), n)]), &arena);
            expected.insert(name(n), n);
            assert_eq!(grown.len(), expected.len());
        }
        for (name, value) in &expected {
            let found = grown.get(symbols.intern(name.as_bytes())).unwrap().value;
            assert!(matches!(found, Value::Int(n) if n == *value));
        }
        let names: Vec<_> = grown.by_name(&arena, &symbols).map(|each| symbols.text(each.name)).collect();
        assert_eq!(names, expected.into_keys().collect::<Vec<_>>());
    }
}

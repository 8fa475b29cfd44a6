//! What strings depend on: the store paths that went into them.

use crate::arena::Arena;

/// One store path that a string mentions, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element<'a> {
    /// An object: a source, or a derivation's own file.
    Object(&'a str),
    /// An output of the derivation at this path.
    Output {
        /// The derivation's store path.
        derivation: &'a str,
        /// The output's name.
        output: &'a str,
    },
    /// A derivation with everything that it needs and makes.
    Closure(&'a str),
}

/// A set of [elements](Element), shared: most strings have none. Sorted.
#[derive(Clone, Copy)]
pub struct Context<'a>(Option<&'a &'a [Element<'a>]>);

impl<'a> Context<'a> {
    /// Of a string that depends on nothing.
    pub const NONE: Self = Self(None);

    /// Of a string that mentions one path.
    pub fn of(arena: &'a Arena, element: Element<'a>) -> Self {
        Self(Some(arena.put(arena.slice(&[element]))))
    }

    /// Of these, in any order.
    pub fn from_elements(arena: &'a Arena, mut elements: Vec<Element<'a>>) -> Self {
        if elements.is_empty() {
            return Self::NONE;
        }
        elements.sort_unstable();
        elements.dedup();
        Self(Some(arena.put(arena.slice(&elements))))
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0.is_none()
    }

    /// The elements, sorted.
    pub fn elements(self) -> &'a [Element<'a>] {
        self.0.map_or(&[], |elements| elements)
    }

    /// Of a string made of two.
    #[inline]
    pub fn union(self, other: Self, arena: &'a Arena) -> Self {
        match (self.0, other.0) {
            (_, None) => self,
            (None, _) => other,
            (Some(left), Some(right)) => {
                if std::ptr::eq(left, right)
                    || right.iter().all(|element| left.binary_search(element).is_ok())
                {
                    self
                } else {
                    Self::from_elements(arena, [*left, *right].concat())
                }
            }
        }
    }
}

/// Collects the contexts of many strings, in time that grows with their sum: one [`union`](Context::union) after the other would
/// sort what there is again for each.
#[derive(Default)]
pub struct Collected<'a> {
    /// The only one so far.
    only: Option<&'a &'a [Element<'a>]>,
    /// The elements of several, in any order, some more than once.
    elements: Vec<Element<'a>>,
    /// When to drop doubles.
    limit: usize,
}

impl<'a> Collected<'a> {
    /// Adds one.
    pub fn add(&mut self, context: Context<'a>) {
        let Some(new) = context.0 else { return };
        match self.only {
            None => self.only = Some(new),
            Some(only) if self.elements.is_empty() && std::ptr::eq(only, new) => {}
            Some(only) => {
                if self.elements.is_empty() {
                    self.elements.extend_from_slice(only);
                }
                self.elements.extend_from_slice(new);
                if self.elements.len() > self.limit {
                    self.elements.sort_unstable();
                    self.elements.dedup();
                    self.limit = 2 * self.elements.len() + 64;
                }
            }
        }
    }

    /// All of them.
    pub fn finish(self, arena: &'a Arena) -> Context<'a> {
        if self.elements.is_empty() {
            Context(self.only)
        } else {
            Context::from_elements(arena, self.elements)
        }
    }
}

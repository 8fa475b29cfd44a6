//! Which names are bound where, while a file is lowered.

use crate::arena::Arena;
use crate::expression::Place;
use crate::symbol::Symbol;
use rustc_hash::FxHashMap;

/// A frame, counted from the file's, and a slot of it.
#[derive(Clone, Copy)]
struct Bound {
    level: u32,
    slot: u32,
}

/// The names in scope.
#[derive(Default)]
pub struct Scopes<'a> {
    bound: FxHashMap<Symbol, Vec<Bound>>,
    /// What each frame bound, in order, to be undone.
    undo: Vec<Vec<Symbol>>,
    slots: Vec<u32>,
    withs: Vec<Bound>,
    /// The scopes as they were last asked for: how many, in which frame.
    with_scopes: Option<(usize, usize, &'a [Place])>,
}

/// Names that a block binds, for [`Scopes::leave_block`].
pub struct Block(usize);

impl<'a> Scopes<'a> {
    /// Begins a function's frame, or another one.
    pub fn enter_frame(&mut self) {
        self.slots.push(0);
        self.undo.push(Vec::new());
        self.with_scopes = None;
    }

    /// Ends it and returns how many slots it needs.
    pub fn leave_frame(&mut self) -> u32 {
        for name in self.undo.pop().unwrap_or_default() {
            self.bound.get_mut(&name).and_then(Vec::pop);
        }
        self.with_scopes = None;
        self.slots.pop().unwrap_or_default()
    }

    /// Begins a block of names within the frame.
    pub fn enter_block(&self) -> Block {
        Block(self.undo.last().map_or(0, Vec::len))
    }

    /// Ends it; its slots stay taken.
    pub fn leave_block(&mut self, block: &Block) {
        let Some(undo) = self.undo.last_mut() else { return };
        for name in undo.drain(block.0..) {
            self.bound.get_mut(&name).and_then(Vec::pop);
        }
    }

    /// Takes a slot of the innermost frame.
    pub fn take_slot(&mut self) -> u32 {
        let slots = self.slots.last_mut().expect("this holds because a file has a frame");
        *slots += 1;
        *slots - 1
    }

    /// Slots taken in the innermost frame, if it is a function's and not the file's.
    pub fn slots_of_function(&self) -> Option<u32> {
        if self.slots.len() > 1 { self.slots.last().copied() } else { None }
    }

    /// Binds a name to a slot of the innermost frame.
    pub fn bind(&mut self, name: Symbol, slot: u32) {
        let level = self.level();
        self.bound.entry(name).or_default().push(Bound { level, slot });
        if let Some(undo) = self.undo.last_mut() {
            undo.push(name);
        }
    }

    /// Where a name is bound.
    pub fn find(&self, name: Symbol) -> Option<Place> {
        self.bound.get(&name)?.last().map(|&bound| self.place(bound))
    }

    /// Begins the body of a `with` whose scope is in a slot of the innermost frame.
    pub fn enter_with(&mut self, slot: u32) {
        self.withs.push(Bound { level: self.level(), slot });
        self.with_scopes = None;
    }

    /// Ends it.
    pub fn leave_with(&mut self) {
        self.withs.pop();
        self.with_scopes = None;
    }

    /// The scopes of every `with` around, innermost first; `None` if there is none.
    pub fn with_scopes(&mut self, arena: &'a Arena) -> Option<&'a [Place]> {
        if self.withs.is_empty() {
            return None;
        }
        let key = (self.withs.len(), self.slots.len());
        if let Some((withs, frames, scopes)) = self.with_scopes
            && (withs, frames) == key
        {
            return Some(scopes);
        }
        let places: Vec<_> = self.withs.iter().rev().map(|&bound| self.place(bound)).collect();
        let scopes = arena.slice(&places);
        self.with_scopes = Some((key.0, key.1, scopes));
        Some(scopes)
    }

    /// All names in scope, in no order.
    pub fn names(&self) -> impl Iterator<Item = Symbol> {
        self.bound.iter().filter(|(_, bound)| !bound.is_empty()).map(|(&name, _)| name)
    }

    fn level(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("this holds because the stack is shorter")
    }

    fn place(&self, bound: Bound) -> Place {
        Place { depth: self.level() - bound.level, slot: bound.slot }
    }
}

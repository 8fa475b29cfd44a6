//! Frames: the variables of one activation.
//!
//! Most evaluations are made of little else than frames and thunks, and most frames have one or two variables, so a frame is one
//! piece of memory, its variables behind its head, and a reference to it is one pointer:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the frame around it |
//! | 4 | the number of variables |
//! | 4 | whether it is captured |
//! | 16 each | the variables |
//!
//! A head with a slice of them took 16 bytes more and one more load for each variable. Rust has no type for such a thing, so this is
//! the evaluator's only file with unsafe code: reaching the head and the variables through the pointer.
#![expect(unsafe_code, reason = "what lies behind the head is reached by a pointer")]

use crate::arena::Arena;
use crate::value::Value;
use std::alloc::Layout;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// The variables of one activation. A copy is the same frame.
#[derive(Clone, Copy)]
pub struct Frame<'a>(NonNull<Head<'a>>, PhantomData<&'a Head<'a>>);

/// What stands before the variables.
struct Head<'a> {
    parent: Cell<Option<Frame<'a>>>,
    slots: u32,
    is_captured: Cell<bool>,
}

impl<'a> Frame<'a> {
    /// With unset variables.
    pub fn new(arena: &'a Arena, parent: Option<Self>, slots: usize) -> Self {
        let length = u32::try_from(slots).expect("this holds because lowering counts slots in 32 bits");
        let head = Head { parent: Cell::new(parent), slots: length, is_captured: Cell::new(false) };
        // So the variables begin just where the head ends.
        const { assert!(size_of::<Head<'_>>().is_multiple_of(align_of::<Value<'_>>())) };
        let behind = Layout::array::<Cell<Value<'a>>>(slots);
        let layout = behind.and_then(|behind| Layout::new::<Head<'a>>().extend(behind));
        let (layout, _) = layout.expect("this holds because 32 bits of slots fit into the address space");
        let place = arena.space(layout).cast::<Head<'a>>();
        // SAFETY: the space is new, aligned for a head, and begins with one.
        unsafe { place.write(head) };
        // SAFETY: the head lies within the space.
        let first = unsafe { place.add(1) }.cast::<Cell<Value<'a>>>();
        for n in 0..slots {
            // SAFETY: the layout has room for so many behind the head.
            let slot = unsafe { first.add(n) };
            // SAFETY: the space is new and aligned.
            unsafe { slot.write(Cell::new(Value::Unset)) };
        }
        Self(place, PhantomData)
    }

    #[inline]
    fn head(&self) -> &'a Head<'a> {
        // SAFETY: `new` had it written there, the arena outlives 'a, and nobody has it as mutable.
        unsafe { self.0.as_ref() }
    }

    /// The variables.
    #[inline]
    pub fn slots(&self) -> &'a [Cell<Value<'a>>] {
        let length = self.head().slots as usize;
        // SAFETY: the pointer is to the whole piece, in which the slots begin where the head ends: `new` made it so.
        let first = unsafe { self.0.add(1) }.cast::<Cell<Value<'a>>>();
        // SAFETY: that many were written there; the arena outlives 'a, and all access is through cells.
        unsafe { std::slice::from_raw_parts(first.as_ptr(), length) }
    }

    /// The frame around it.
    #[inline]
    pub fn parent(&self) -> Option<Self> {
        self.head().parent.get()
    }

    /// Puts it into another frame.
    #[inline]
    pub fn set_parent(&self, parent: Option<Self>) {
        self.head().parent.set(parent);
    }

    /// Whether something that may outlive the activation refers to it.
    #[inline]
    pub fn is_captured(&self) -> bool {
        self.head().is_captured.get()
    }

    /// Says that something does.
    #[inline]
    pub fn capture(&self) {
        self.head().is_captured.set(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_pointer_and_keeps_its_variables_apart() {
        assert_eq!(size_of::<Option<Frame<'_>>>(), 8);
        assert_eq!(size_of::<Head<'_>>(), 16);
        let arena = Arena::new(None);
        let outer = Frame::new(&arena, None, 0);
        assert!(outer.slots().is_empty() && outer.parent().is_none());
        let frames: Vec<_> = (0..100).map(|slots| Frame::new(&arena, Some(outer), slots)).collect();
        for (slots, frame) in frames.iter().enumerate() {
            assert_eq!(frame.slots().len(), slots);
            assert!(frame.slots().iter().all(|slot| matches!(slot.get(), Value::Unset)));
            frame.slots().iter().zip(0..).for_each(|(slot, n)| slot.set(Value::Int(n + slots as i64)));
        }
        frames[7].capture();
        for (slots, frame) in frames.iter().enumerate() {
            let is_kept = |(slot, n): (&Cell<Value<'_>>, i64)| matches!(slot.get(), Value::Int(m) if m == n);
            assert!(frame.slots().iter().zip(slots as i64..).all(is_kept));
            assert_eq!(frame.is_captured(), slots == 7);
            assert!(frame.parent().is_some());
        }
    }
}

//! The memory of an evaluation: allocated in order, dropped whole at its end.
//!
//! Nothing in it is dropped on its own, so only plain data (`Copy` types, `Cell`s of them) may be put there.

use bumpalo::Bump;
use std::alloc::Layout;
use std::ptr::NonNull;

/// Memory for expressions and values.
pub struct Arena {
    chunks: Bump,
    limit_bytes: usize,
}

impl Arena {
    /// Empty, and to be filled up to `limit_bytes`.
    pub fn new(limit_bytes: Option<usize>) -> Self {
        Self { chunks: Bump::new(), limit_bytes: limit_bytes.unwrap_or(usize::MAX) }
    }

    /// Puts one thing there.
    #[inline]
    pub fn put<T>(&self, thing: T) -> &T {
        const { assert!(!std::mem::needs_drop::<T>(), "the arena drops nothing") };
        self.chunks.alloc(thing)
    }

    /// Puts a copy of `items` there.
    #[inline]
    pub fn slice<T: Copy>(&self, items: &[T]) -> &[T] {
        self.chunks.alloc_slice_copy(items)
    }

    /// Puts a copy of `bytes` there.
    #[inline]
    pub fn bytes(&self, bytes: &[u8]) -> &[u8] {
        self.chunks.alloc_slice_copy(bytes)
    }

    /// Puts copies of `parts` there, one after the other. `filler` is what no reader sees.
    pub fn concat<T: Copy>(&self, parts: &[&[T]], filler: T) -> &[T] {
        let length = parts.iter().map(|part| part.len()).sum();
        let all = self.chunks.alloc_slice_fill_copy(length, filler);
        let mut rest = &mut *all;
        for part in parts {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        all
    }

    /// Puts a copy of `text` there.
    pub fn str(&self, text: &str) -> &str {
        self.chunks.alloc_str(text)
    }

    /// Puts `length` things there, made by their position.
    #[inline]
    pub fn fill<T>(&self, length: usize, make: impl FnMut(usize) -> T) -> &[T] {
        const { assert!(!std::mem::needs_drop::<T>(), "the arena drops nothing") };
        self.chunks.alloc_slice_fill_with(length, make)
    }

    /// The same with things that may be lacking; the first that is ends it.
    pub fn try_fill<T, E>(&self, length: usize, make: impl FnMut(usize) -> Result<T, E>) -> Result<&[T], E> {
        const { assert!(!std::mem::needs_drop::<T>(), "the arena drops nothing") };
        self.chunks.alloc_slice_try_fill_with(length, make).map(|all| &*all)
    }

    /// Space for what no type describes, not written yet.
    #[inline]
    pub fn space(&self, layout: Layout) -> NonNull<u8> {
        self.chunks.alloc_layout(layout)
    }

    /// Bytes taken from the system so far.
    pub fn used_bytes(&self) -> usize {
        self.chunks.allocated_bytes()
    }

    /// Whether `more_bytes` would go over the limit.
    pub fn would_exceed(&self, more_bytes: usize) -> bool {
        self.used_bytes().saturating_add(more_bytes) > self.limit_bytes
    }

    /// The limit, in bytes.
    pub const fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }
}

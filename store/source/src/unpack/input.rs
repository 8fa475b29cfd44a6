//! The archive's own bytes: buffered, counted, and given up at once when the caller cancels.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Read};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

const BUFFER_BYTES: usize = 64 << 10;

/// A reader that decoders own, with a [`Watch`] outside them.
pub(super) struct Input<'a> {
    reader: &'a mut dyn Read,
    cancel: &'a AtomicBool,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    watch: Rc<Watch>,
}

/// What happened to an [`Input`], which decoders would hide in errors of their own.
#[derive(Default)]
pub(super) struct Watch {
    /// Bytes that were taken.
    pub(super) consumed: Cell<u64>,
    /// Whether somebody wanted more than there is.
    pub(super) ended: Cell<bool>,
    /// Whether the caller's flag was seen.
    pub(super) cancelled: Cell<bool>,
    /// The error of the reader below.
    pub(super) failure: RefCell<Option<io::Error>>,
}

impl<'a> Input<'a> {
    pub(super) fn new(reader: &'a mut dyn Read, cancel: &'a AtomicBool) -> (Self, Rc<Watch>) {
        let watch = Rc::new(Watch::default());
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        (Self { reader, cancel, buffer, start: 0, end: 0, watch: Rc::clone(&watch) }, watch)
    }

    /// The next bytes without taking them: `count` (at most 1024), or fewer at the end.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < count && self.fill()? > 0 {}
        Ok(&self.buffer[..self.end.min(count)])
    }

    /// Reads more behind what is buffered, where there is room.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                self.watch.cancelled.set(true);
                return Err(io::Error::other("cancelled"));
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                // A reader that says more than it was given room for is broken; believing it would be worse.
                Ok(count) => {
                    let count = count.min(self.buffer.len() - self.end);
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    *self.watch.failure.borrow_mut() = Some(error);
                    return Err(io::Error::other("the archive could not be read"));
                }
            }
        }
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.fill()? == 0 {
                self.watch.ended.set(true);
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.watch.consumed.set(self.watch.consumed.get() + count as u64);
    }
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(into.len());
        into[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

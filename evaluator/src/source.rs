//! The texts that are evaluated, and places in them.

use std::cell::RefCell;
use std::rc::Rc;

/// A place: offsets in bytes in all sources one after the other. 0 to 0 is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Of the first byte.
    pub start: u32,
    /// After the last byte.
    pub end: u32,
}

impl Span {
    /// In no source.
    pub const NOWHERE: Self = Self { start: 0, end: 0 };

    /// Whether it is in no source.
    pub const fn is_nowhere(self) -> bool {
        self.start == 0
    }
}

/// One text.
pub struct Source {
    /// What people call it: a path, or `«expression»`.
    pub name: String,
    /// Its whole text.
    pub text: String,
    /// Whether it is a file, whose places the language may show.
    pub is_file: bool,
    start: u32,
}

impl Source {
    /// The offset of its first byte in all sources.
    pub const fn start(&self) -> u32 {
        self.start
    }
}

/// A place in one text.
pub struct Location {
    /// The text.
    pub source: Rc<Source>,
    /// Offsets in it, in bytes.
    pub range: std::ops::Range<usize>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// All texts of an evaluation.
#[derive(Default)]
pub struct Sources(RefCell<Vec<Rc<Source>>>);

impl Sources {
    /// Adds a text and returns the offset of its first byte; `None` when all texts exceed 4 GiB.
    pub fn add(&self, name: String, text: String, is_file: bool) -> Option<u32> {
        let mut all = self.0.borrow_mut();
        let start = all.last().map_or(1, |last| last.start as usize + last.text.len() + 1);
        u32::try_from(start + text.len()).ok()?;
        let start = u32::try_from(start).ok()?;
        all.push(Rc::new(Source { name, text, is_file, start }));
        Some(start)
    }

    /// The text that begins at `start`, as [`add`](Self::add) returned it.
    pub fn text(&self, start: u32) -> Rc<Source> {
        let all = self.0.borrow();
        let place = all.partition_point(|source| source.start < start);
        Rc::clone(&all[place])
    }

    /// Finds the text, the line and the column.
    pub fn locate(&self, span: Span) -> Option<Location> {
        if span.is_nowhere() {
            return None;
        }
        let all = self.0.borrow();
        let after = all.partition_point(|source| source.start <= span.start);
        let source = Rc::clone(all.get(after.checked_sub(1)?)?);
        let offset = |place: u32| ((place.saturating_sub(source.start)) as usize).min(source.text.len());
        let range = offset(span.start)..offset(span.end.max(span.start));
        let before = source.text.get(..range.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        Some(Location { source, range, line, column })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_in_its_text() {
        let sources = Sources::default();
        let first = sources.add("a".into(), "12\n45".into(), true).unwrap();
        let second = sources.add("b".into(), "x\ny\nzz".into(), true).unwrap();
        let at = |start, end| {
            let location = sources.locate(Span { start, end }).unwrap();
            (location.source.name.clone(), location.line, location.column, location.range)
        };
        assert_eq!(at(first + 4, first + 5), ("a".into(), 2, 2, 4..5));
        assert_eq!(at(second, second + 1), ("b".into(), 1, 1, 0..1));
        assert_eq!(at(second + 4, second + 6), ("b".into(), 3, 1, 4..6));
        assert!(sources.locate(Span::NOWHERE).is_none());
    }
}

//! Where the bytes of two files differ.

use super::structure;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Most places of one file that are described.
const MAX_PLACES: usize = 5;
/// Bytes of a place that are kept.
pub(super) const SHOWN_BYTES: usize = 64;
/// Places that are so close are one.
const GAP_BYTES: usize = 8;
/// Files up to this length are read whole; of longer ones only the first place is found.
const WHOLE_BYTES: u64 = 256 << 20;

/// Where two files differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDifference {
    /// Length of the first in bytes.
    pub first_bytes: u64,
    /// Length of the second in bytes.
    pub second_bytes: u64,
    /// How many bytes differ, if both are of one length.
    pub differing_bytes: Option<u64>,
    /// Whether both hold the same bytes, or the same lines, in another order.
    pub is_reordered: bool,
    /// The first places, from the beginning.
    pub places: Vec<Place>,
    /// Whether there are more.
    pub has_more: bool,
}

/// A place where bytes differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From the file's beginning.
    pub offset: u64,
    /// What the place is part of, from the outside inward: a member of an archive, a section of a program.
    pub inside: Vec<String>,
    /// What the first has there, cut after some bytes; whole lines if it is text.
    pub first: Vec<u8>,
    /// What the second has there.
    pub second: Vec<u8>,
}

/// Compares two regular files.
pub(super) fn compare(first: &Path, second: &Path) -> io::Result<Option<ContentDifference>> {
    let lengths = (fs::metadata(first)?.len(), fs::metadata(second)?.len());
    if lengths.0.max(lengths.1) > WHOLE_BYTES {
        return compare_long(first, second, lengths);
    }
    let (first, second) = (fs::read(first)?, fs::read(second)?);
    if first == second {
        return Ok(None);
    }
    let mut ranges = if first.len() == second.len() { runs(&first, &second) } else { vec![] };
    let differing = if first.len() == second.len() {
        Some(first.iter().zip(&second).filter(|(first, second)| first != second).count() as u64)
    } else {
        ranges.push(middle(&first, &second));
        None
    };
    let has_more = ranges.len() > MAX_PLACES;
    let is_text = [&first, &second].iter().all(|bytes| is_text(bytes));
    let places = ranges.iter().take(MAX_PLACES).map(|&Range { begin, end, second_end }| Place {
        offset: begin as u64,
        inside: structure::inside(&first, begin),
        first: shown(&first, begin, end, is_text),
        second: shown(&second, begin, second_end, is_text),
    });
    Ok(Some(ContentDifference {
        first_bytes: lengths.0,
        second_bytes: lengths.1,
        differing_bytes: differing,
        is_reordered: is_reordered(&first, &second, is_text),
        places: places.collect(),
        has_more,
    }))
}

/// From `begin` to `end` of the first, to `second_end` of the second.
struct Range {
    begin: usize,
    end: usize,
    second_end: usize,
}

/// Where two contents of one length differ, close places together. One more than is shown at most.
fn runs(first: &[u8], second: &[u8]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for at in (0..first.len()).filter(|&at| first[at] != second[at]) {
        let count = ranges.len();
        match ranges.last_mut().filter(|range| at - range.end < GAP_BYTES) {
            Some(range) => (range.end, range.second_end) = (at + 1, at + 1),
            None if count > MAX_PLACES => break,
            None => ranges.push(Range { begin: at, end: at + 1, second_end: at + 1 }),
        }
    }
    ranges
}

/// What lies between the common beginning and the common end of two contents.
fn middle(first: &[u8], second: &[u8]) -> Range {
    let same = first.iter().zip(second).take_while(|(first, second)| first == second).count();
    let ends = first[same..].iter().rev().zip(second[same..].iter().rev());
    let end = ends.take_while(|(first, second)| first == second).count();
    Range { begin: same, end: first.len() - end, second_end: second.len() - end }
}

/// The bytes of a place; of text, the whole lines that it lies in.
fn shown(bytes: &[u8], begin: usize, end: usize, is_text: bool) -> Vec<u8> {
    let (mut begin, mut end) = (begin.min(bytes.len()), end.min(bytes.len()));
    if is_text {
        let before = bytes[..begin].iter().rev().take(SHOWN_BYTES).take_while(|&&byte| byte != b'\n');
        begin -= before.count();
        end += bytes[end..].iter().take(SHOWN_BYTES).take_while(|&&byte| byte != b'\n').count();
        return bytes[begin..end.min(begin + 3 * SHOWN_BYTES)].to_vec();
    }
    end = end.min(begin + SHOWN_BYTES);
    bytes[begin..end].to_vec()
}

/// Whether the bytes are printable ASCII or UTF-8 beyond it, as far as the beginning tells.
fn is_text(bytes: &[u8]) -> bool {
    let beginning = &bytes[..bytes.len().min(64 * 1024)];
    beginning.iter().all(|&byte| byte >= b' ' || matches!(byte, b'\n' | b'\t' | b'\r'))
}

fn is_reordered(first: &[u8], second: &[u8], is_text: bool) -> bool {
    if first.len() != second.len() {
        return false;
    }
    if is_text {
        let sorted = |bytes: &[u8]| {
            let mut words: Vec<Vec<u8>> = bytes.split(u8::is_ascii_whitespace).map(<[u8]>::to_vec).collect();
            words.sort();
            words
        };
        return sorted(first) == sorted(second);
    }
    let counts = |bytes: &[u8]| {
        let mut counts = [0_u64; 256];
        bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        counts
    };
    counts(first) == counts(second)
}

fn compare_long(first: &Path, second: &Path, lengths: (u64, u64)) -> io::Result<Option<ContentDifference>> {
    let (mut first, mut second) = (File::open(first)?, File::open(second)?);
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut offset = 0_u64;
    loop {
        let (have, other) = (fill(&mut first, &mut left)?, fill(&mut second, &mut right)?);
        let common = have.min(other);
        let at = (0..common).find(|&at| left[at] != right[at]);
        let Some(at) = at.or((have != other).then_some(common)) else {
            if have == 0 {
                return Ok(None);
            }
            offset += have as u64;
            continue;
        };
        let place = Place {
            offset: offset + at as u64,
            inside: Vec::new(),
            first: shown(&left[..have], at, have, false),
            second: shown(&right[..other], at, other, false),
        };
        return Ok(Some(ContentDifference {
            first_bytes: lengths.0,
            second_bytes: lengths.1,
            differing_bytes: None,
            is_reordered: false,
            places: vec![place],
            has_more: true,
        }));
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(first: &[u8], second: &[u8]) -> ContentDifference {
        let folder = tempfile::tempdir().unwrap();
        let [left, right] = [("a", first), ("b", second)].map(|(name, bytes)| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        });
        compare(&left, &right).unwrap().unwrap()
    }

    #[test]
    fn lines_are_shown_whole() {
        let found = difference(b"a\nbuilt at 12:00 here\nc\n", b"a\nbuilt at 12:59 here\nc\n");
        assert_eq!(found.places.len(), 1);
        assert_eq!(found.places[0].first, b"built at 12:00 here");
        assert_eq!(found.places[0].second, b"built at 12:59 here");
        assert_eq!(found.differing_bytes, Some(2));
    }

    #[test]
    fn an_insertion_is_one_place() {
        let found = difference(b"\0begin-end", b"\0begin-more-end");
        assert_eq!(found.places.len(), 1);
        assert_eq!((found.places[0].offset, &*found.places[0].second), (7, &b"more-"[..]));
    }

    #[test]
    fn another_order_is_seen_in_text_and_in_bytes() {
        assert!(difference(b"b\na\n", b"a\nb\n").is_reordered);
        assert!(difference(b"\x01\x02", b"\x02\x01").is_reordered);
        assert!(!difference(b"ab\n", b"ba\n").is_reordered);
    }

    #[test]
    fn far_places_are_apart_and_counted() {
        let (first, mut second) = (vec![0; 1000], vec![0; 1000]);
        for at in (0..1000).step_by(100) {
            second[at] = 1;
        }
        let found = difference(&first, &second);
        assert_eq!((found.places.len(), found.has_more, found.differing_bytes), (MAX_PLACES, true, Some(10)));
    }
}

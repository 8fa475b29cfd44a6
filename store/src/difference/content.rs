//! Where the bytes of two files differ.

use super::structure::{self, Inside};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Most places of one file that are described.
const MAX_PLACES: usize = 5;
/// Bytes of a place that are kept.
pub(super) const SHOWN_BYTES: usize = 64;
/// Places that are so close are one, if they are in the same part.
const GAP_BYTES: usize = 8;
/// So many bytes have to differ before their number tells anything of their order: two can be each other's by chance.
const MIN_REORDERED_BYTES: u64 = 32;
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
    /// What both hold, in another order.
    pub reordered: Option<Reordered>,
    /// The first places, from the beginning.
    pub places: Vec<Place>,
    /// Whether there are more.
    pub has_more: bool,
}

/// What two files hold in another order; the first that fits is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reordered {
    /// Members of these names, in archives.
    Members,
    /// Lines of text.
    Lines,
    /// Words of text.
    Words,
    /// Bytes, many of which differ.
    Bytes,
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
    let (ranges, differing) = if first.len() == second.len() {
        let differing = first.iter().zip(&second).filter(|(first, second)| first != second).count();
        (runs(&first, &second), Some(differing as u64))
    } else {
        (vec![middle(&first, &second)], None)
    };
    let has_more = ranges.len() > MAX_PLACES;
    let is_text = [&first, &second].iter().all(|bytes| is_text(bytes));
    let places = ranges.into_iter().take(MAX_PLACES).map(|Range { begin, end, second_end, inside }| Place {
        offset: begin as u64,
        inside: inside.parts,
        first: shown(&first, begin, end, is_text),
        second: shown(&second, begin, second_end, is_text),
    });
    Ok(Some(ContentDifference {
        first_bytes: lengths.0,
        second_bytes: lengths.1,
        differing_bytes: differing,
        reordered: reordered(&first, &second, differing, is_text),
        places: places.collect(),
        has_more,
    }))
}

/// From `begin` to `end` of the first, to `second_end` of the second.
struct Range {
    begin: usize,
    end: usize,
    second_end: usize,
    /// What the first byte is part of, in the first.
    inside: Inside,
}

/// Where two contents of one length differ, close places of one part together. One more than is shown at most.
fn runs(first: &[u8], second: &[u8]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for at in (0..first.len()).filter(|&at| first[at] != second[at]) {
        let count = ranges.len();
        match ranges.last_mut().filter(|range| at - range.end < GAP_BYTES && at < range.inside.end) {
            Some(range) => (range.end, range.second_end) = (at + 1, at + 1),
            None if count > MAX_PLACES => break,
            None => {
                let inside = structure::inside(first, at);
                ranges.push(Range { begin: at, end: at + 1, second_end: at + 1, inside });
            }
        }
    }
    ranges
}

/// What lies between the common beginning and the common end of two contents.
fn middle(first: &[u8], second: &[u8]) -> Range {
    let same = first.iter().zip(second).take_while(|(first, second)| first == second).count();
    let ends = first[same..].iter().rev().zip(second[same..].iter().rev());
    let end = ends.take_while(|(first, second)| first == second).count();
    let inside = structure::inside(first, same);
    Range { begin: same, end: first.len() - end, second_end: second.len() - end, inside }
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

fn reordered(first: &[u8], second: &[u8], differing: Option<u64>, is_text: bool) -> Option<Reordered> {
    let names = structure::member_names(first).zip(structure::member_names(second));
    if names.is_some_and(|(first, second)| first != second && sorted(first) == sorted(second)) {
        return Some(Reordered::Members);
    }
    // None if the lengths aren't the same.
    let differing = differing?;
    if is_text {
        let lines = |bytes| sorted(<[u8]>::split(bytes, |&byte| byte == b'\n').collect());
        let words = |bytes| sorted(<[u8]>::split(bytes, u8::is_ascii_whitespace).collect());
        return if lines(first) == lines(second) {
            Some(Reordered::Lines)
        } else {
            (words(first) == words(second)).then_some(Reordered::Words)
        };
    }
    let counts = |bytes: &[u8]| {
        let mut counts = [0_u64; 256];
        bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        counts
    };
    (differing >= MIN_REORDERED_BYTES && counts(first) == counts(second)).then_some(Reordered::Bytes)
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
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
            reordered: None,
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
    fn another_order_is_seen_where_it_can_be_no_chance() {
        let order = |first: &[u8], second: &[u8]| difference(first, second).reordered;
        assert_eq!(order(b"b\na\n", b"a\nb\n"), Some(Reordered::Lines));
        assert_eq!(order(b"x b a\n", b"x a b\n"), Some(Reordered::Words));
        assert_eq!(order(b"ab\n", b"ba\n"), None);
        assert_eq!(order(b"\x01\x02", b"\x02\x01"), None);
        let (first, second): (Vec<u8>, Vec<u8>) = ((0..64).collect(), (0..64).rev().collect());
        assert_eq!(order(&first, &second), Some(Reordered::Bytes));
        let (a, b) = (member("a.o/", b"1"), member("b.o/", b"222"));
        let archive = |members: [&[u8]; 2]| [b"!<arch>\n".to_vec(), members.concat()].concat();
        assert_eq!(order(&archive([&a, &b]), &archive([&b, &a])), Some(Reordered::Members));
    }

    /// A member of an `ar` archive.
    fn member(name: &str, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut bytes =
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{length:<10}`\n", 1_790_000_000, 0, 0, 644).into_bytes();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
        bytes
    }

    #[test]
    fn close_differences_of_two_fields_are_two_places() {
        let first = [b"!<arch>\n".to_vec(), member("a.o/", b"x")].concat();
        let mut second = first.clone();
        // The last digit of the time stamp, and the first of the owner, three bytes on.
        (second[8 + 25], second[8 + 28]) = (b'1', b'7');
        let found = difference(&first, &second).places;
        let inside: Vec<&str> = found.iter().map(|place| place.inside[0].as_str()).collect();
        assert_eq!(inside, ["member `a.o`: time stamp", "member `a.o`: owner"]);
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

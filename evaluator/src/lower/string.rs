//! Strings: escapes, and the indentation that `''` strings lose.

use super::Lowering;
use super::tree::{Part, Quoted, Tree};
use crate::expression::{Expression, Kind};
use crate::source::Span;
use std::borrow::Cow;

/// A part of an indented string.
enum Piece<'t> {
    /// Text as it stands, whose indentation counts.
    Plain(&'t str),
    /// An escape: ends the indentation of its line.
    Escaped(Cow<'t, [u8]>),
    /// `${…}`: ends it too.
    Interpolation(&'t Tree<'t>),
}

/// A part of a string as it is meant.
enum Meant<'t> {
    Text(Cow<'t, [u8]>),
    Interpolation(&'t Tree<'t>),
}

impl<'a> Lowering<'_, 'a> {
    pub(super) fn string(&mut self, string: &Quoted<'_>) -> Kind<'a> {
        match string.parts {
            [] => return Kind::Constant(self.text(b"")),
            [Part::Text(text)] if !string.is_indented => {
                return Kind::Constant(self.text(&unescape(text)));
            }
            _ => {}
        }
        let parts: Vec<Meant<'_>> = if string.is_indented {
            strip_indentation(string.parts)
        } else {
            let unescaped = string.parts.iter().map(|part| match part {
                Part::Text(text) => Meant::Text(unescape(text)),
                Part::Interpolation(tree) => Meant::Interpolation(tree),
            });
            unescaped.collect()
        };
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            pieces.push(match part {
                Meant::Text(text) if text.is_empty() => continue,
                Meant::Text(text) => {
                    Expression { kind: Kind::Constant(self.text(&text)), span: Span::NOWHERE }
                }
                Meant::Interpolation(tree) => self.lower(tree, None),
            });
        }
        match pieces.as_slice() {
            [] => Kind::Constant(self.text(b"")),
            [Expression { kind: Kind::Constant(text), span: Span::NOWHERE }] => Kind::Constant(*text),
            _ => Kind::Interpolation(self.codes(pieces)),
        }
    }
}

/// Replaces the escapes of a `"` string. Line ends become `\n`.
fn unescape(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'\\') && !bytes.contains(&b'\r') {
        return Cow::Borrowed(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        plain.push(match byte {
            b'\\' => match rest.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(other) => other,
                None => break,
            },
            b'\r' => {
                rest.next_if_eq(&b'\n');
                b'\n'
            }
            other => other,
        });
    }
    Cow::Owned(plain)
}

/// Takes away the spaces that all lines with text begin with, a first line of spaces and a last one.
fn strip_indentation<'t>(parts: &'t [Part<'t>]) -> Vec<Meant<'t>> {
    let mut pieces = Vec::new();
    for (position, part) in parts.iter().enumerate() {
        match part {
            Part::Interpolation(tree) => pieces.push(Piece::Interpolation(tree)),
            Part::Text(text) => {
                let mut text = *text;
                if position == 0
                    && let Some(rest) = text.trim_start_matches(' ').strip_prefix('\n')
                {
                    text = rest;
                }
                split(text, &mut pieces);
            }
        }
    }
    let indentation = least_indentation(&pieces);
    let mut stripped: Vec<Meant<'t>> = Vec::with_capacity(pieces.len());
    let (mut is_line_start, mut dropped) = (true, 0);
    let last = pieces.len().saturating_sub(1);
    for (position, piece) in pieces.into_iter().enumerate() {
        let text = match &piece {
            Piece::Plain(text) => text.as_bytes(),
            Piece::Escaped(text) => text,
            Piece::Interpolation(tree) => {
                (is_line_start, dropped) = (false, 0);
                stripped.push(Meant::Interpolation(tree));
                continue;
            }
        };
        let mut kept = Vec::with_capacity(text.len());
        for &byte in text {
            if is_line_start && byte == b' ' {
                if dropped >= indentation {
                    kept.push(b' ');
                }
                dropped += 1;
                continue;
            }
            if is_line_start {
                is_line_start = byte == b'\n';
                dropped = 0;
            } else if byte == b'\n' {
                is_line_start = true;
            }
            kept.push(byte);
        }
        if position == last
            && let Some(newline) = kept.iter().rposition(|&byte| byte == b'\n')
            && kept[newline + 1..].iter().all(|&byte| byte == b' ')
        {
            kept.truncate(newline + 1);
        }
        match stripped.last_mut() {
            Some(Meant::Text(text)) => text.to_mut().extend(kept),
            _ => stripped.push(Meant::Text(Cow::Owned(kept))),
        }
    }
    stripped
}

/// Spaces before the text of the line that has the fewest.
fn least_indentation(pieces: &[Piece<'_>]) -> usize {
    let (mut is_line_start, mut current, mut least) = (true, 0, usize::MAX);
    for piece in pieces {
        let Piece::Plain(text) = piece else {
            if is_line_start {
                is_line_start = false;
                least = least.min(current);
            }
            continue;
        };
        for byte in text.bytes() {
            match byte {
                b' ' if is_line_start => current += 1,
                b'\n' => (is_line_start, current) = (true, 0),
                _ if is_line_start => {
                    is_line_start = false;
                    least = least.min(current);
                }
                _ => {}
            }
        }
    }
    least
}

/// Tells escapes from text. `$` and `'` before something special count as escapes, as in the reference's lexer.
fn split<'t>(mut text: &'t str, pieces: &mut Vec<Piece<'t>>) {
    while !text.is_empty() {
        let bytes = text.as_bytes();
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            let next = bytes.get(end + 1);
            match (byte, next) {
                (b'$', Some(next)) if !b"{'".contains(next) => end += 2,
                (b'\'', Some(next)) if !b"'$".contains(next) => end += 2,
                (b'$' | b'\'', _) => break,
                _ => end += 1,
            }
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        if end > 0 {
            pieces.push(Piece::Plain(&text[..end]));
            text = &text[end..];
            continue;
        }
        let (escaped, length) = if text.starts_with("''$") {
            (Cow::Borrowed(&b"$"[..]), 3)
        } else if text.starts_with("'''") {
            (Cow::Borrowed(&b"''"[..]), 3)
        } else if let Some(rest) = text.strip_prefix("''\\") {
            let length = rest.chars().next().map_or(0, char::len_utf8);
            (unescape(&text[2..3 + length]), 3 + length)
        } else {
            (Cow::Borrowed(&text.as_bytes()[..1]), 1)
        };
        pieces.push(Piece::Escaped(escaped));
        text = &text[length..];
    }
}

//! Strings: escapes, and the indentation that `''` strings lose.

use super::Lowering;
use crate::expression::{Expression, Kind};
use crate::source::Span;
use rnix::ast::{self, AstToken, InterpolPart};
use rowan::ast::AstNode;

/// A part of an indented string.
enum Piece<'t> {
    /// Text as it stands, whose indentation counts.
    Plain(&'t str),
    /// An escape: ends the indentation of its line.
    Escaped(String),
    /// `${…}`: ends it too.
    Interpolation(ast::Interpol),
}

impl<'a> Lowering<'_, 'a> {
    pub(super) fn string(&mut self, string: &ast::Str) -> Kind<'a> {
        let is_indented = string.syntax().first_token().is_some_and(|token| token.text().starts_with("''"));
        let parts: Vec<_> = string.parts().collect();
        let parts: Vec<InterpolPart<String>> = if is_indented {
            strip_indentation(&parts)
        } else {
            let unescaped = parts.into_iter().map(|part| match part {
                InterpolPart::Literal(content) => InterpolPart::Literal(unescape(content.syntax().text())),
                InterpolPart::Interpolation(interpolation) => InterpolPart::Interpolation(interpolation),
            });
            unescaped.collect()
        };
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            pieces.push(match part {
                InterpolPart::Literal(text) if text.is_empty() => continue,
                InterpolPart::Literal(text) => {
                    Expression { kind: Kind::Constant(self.text(text.as_bytes())), span: Span::NOWHERE }
                }
                InterpolPart::Interpolation(interpolation) => self.required(interpolation.expr()),
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
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => break,
            },
            '\r' => {
                characters.next_if_eq(&'\n');
                '\n'
            }
            other => other,
        });
    }
    plain
}

/// Takes away the spaces that all lines with text begin with, a first line of spaces and a last one.
fn strip_indentation(parts: &[InterpolPart<ast::StrContent>]) -> Vec<InterpolPart<String>> {
    let mut pieces = Vec::new();
    for (position, part) in parts.iter().enumerate() {
        match part {
            InterpolPart::Interpolation(interpolation) => {
                pieces.push(Piece::Interpolation(interpolation.clone()))
            }
            InterpolPart::Literal(content) => {
                let mut text = content.syntax().text();
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
    let mut stripped: Vec<InterpolPart<String>> = Vec::with_capacity(pieces.len());
    let (mut is_line_start, mut dropped) = (true, 0);
    let last = pieces.len().saturating_sub(1);
    for (position, piece) in pieces.into_iter().enumerate() {
        let text = match &piece {
            Piece::Plain(text) => *text,
            Piece::Escaped(text) => text,
            Piece::Interpolation(interpolation) => {
                (is_line_start, dropped) = (false, 0);
                stripped.push(InterpolPart::Interpolation(interpolation.clone()));
                continue;
            }
        };
        let mut kept = String::with_capacity(text.len());
        for character in text.chars() {
            if is_line_start && character == ' ' {
                if dropped >= indentation {
                    kept.push(' ');
                }
                dropped += 1;
                continue;
            }
            if is_line_start {
                is_line_start = character == '\n';
                dropped = 0;
            } else if character == '\n' {
                is_line_start = true;
            }
            kept.push(character);
        }
        if position == last
            && let Some(newline) = kept.rfind('\n')
            && kept[newline + 1..].bytes().all(|byte| byte == b' ')
        {
            kept.truncate(newline + 1);
        }
        match stripped.last_mut() {
            Some(InterpolPart::Literal(text)) => text.push_str(&kept),
            _ => stripped.push(InterpolPart::Literal(kept)),
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
            ("$".to_owned(), 3)
        } else if text.starts_with("'''") {
            ("''".to_owned(), 3)
        } else if let Some(rest) = text.strip_prefix("''\\") {
            let length = rest.chars().next().map_or(0, char::len_utf8);
            (unescape(&text[2..3 + length]), 3 + length)
        } else {
            (text[..1].to_owned(), 1)
        };
        pieces.push(Piece::Escaped(escaped));
        text = &text[length..];
    }
}

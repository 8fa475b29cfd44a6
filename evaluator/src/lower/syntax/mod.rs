//! From text to rnix's tree, or to every independent syntax error.
//!
//! rnix recovers from an error by skipping until something fits, which makes many errors of one. So only its first is
//! believed: the binding or bracket around it is blanked and the rest parsed again, as long as that
//! finds more. [Brackets](groups) are matched first, since one that isn't closed puts everything after it into doubt.

mod groups;
mod line_end;
mod message;
mod words;

pub(super) use line_end::normalised;

use crate::error::{Error, ErrorKind};
use crate::source::Span;
use groups::{Checked, Groups, Part};
use rnix::{ParseError, SyntaxKind};
use std::ops::Range;

/// A token that is neither space nor comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    kind: SyntaxKind,
    start: usize,
    end: usize,
}

/// What is wrong, where, and what else helps to understand it.
struct Mistake {
    message: String,
    range: Range<usize>,
    hint: Option<String>,
    note: Option<(String, Range<usize>)>,
}

impl Mistake {
    fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), range, hint: None, note: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn note(mut self, note: impl Into<String>, range: Range<usize>) -> Self {
        self.note = Some((note.into(), range));
        self
    }
}

/// Errors that are searched for in one text.
const MOST_ERRORS: usize = 20;

/// Stack that one level of nesting may need in rnix, which doesn't watch the stack: its parser's frames in an unoptimised
/// build, and dropping the tree.
const BYTES_PER_LEVEL: usize = 2 << 10;

/// Levels of nesting that rnix is asked about: rowan hashes the whole tree again at each.
const MOST_LEVELS: usize = 4000;

const TOO_DEEP: &str = "the expression is nested too deeply here";

/// Whether rnix can parse a text without much stack or time.
pub fn is_shallow(text: &str) -> bool {
    slow_run(text).is_none() && groups::deepest(&tokens(text)).0 <= MOST_LEVELS
}

/// What is wrong in a text that begins at `start` of all sources, with so much stack left; `first` is what the parser found
/// and where, for what rnix takes.
pub(super) fn errors(text: &str, start: u32, stack_bytes: usize, first: (&str, Span)) -> Vec<Error> {
    let only_first = || {
        let (message, span) = first;
        let offset = |place: u32| place.saturating_sub(start) as usize;
        vec![message::unknown(message, text, &tokens(text), offset(span.start)..offset(span.end))]
    };
    let mistakes = match try_parse(text, stack_bytes) {
        Err(mistakes) if !mistakes.iter().any(|mistake| mistake.message == TOO_DEEP) => mistakes,
        _ => only_first(),
    };
    let span = |range: &Range<usize>| {
        let place = |offset: usize| start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        Span { start: place(range.start), end: place(range.end) }
    };
    let error = |mistake: Mistake| {
        let error = Error::new(ErrorKind::Syntax, mistake.message).with_hint(mistake.hint);
        let error = match mistake.note {
            Some((note, range)) => error.with_note(note, span(&range)),
            None => error,
        };
        *error.at(span(&mistake.range))
    };
    mistakes.into_iter().map(error).collect()
}

/// Whether a text ends where something must follow.
pub fn is_unfinished(text: &str) -> bool {
    if !is_shallow(text) {
        return false;
    }
    let is_end =
        |error: &ParseError| matches!(error, ParseError::UnexpectedEOF | ParseError::UnexpectedEOFWanted(_));
    let parsed = rnix::Root::parse(text);
    let errors = parsed.errors();
    match errors {
        [] => false,
        errors if errors.iter().all(is_end) => true,
        // What follows an open string is an error token.
        _ => Groups::check(text, &tokens(text)).is_open,
    }
}

fn try_parse(text: &str, stack_bytes: usize) -> Result<rnix::Root, Vec<Mistake>> {
    if let Some(place) = text.find('\0') {
        return Err(vec![Mistake::new("the text has a NUL byte", place..place + 1)]);
    }
    let normal = normalised(text);
    let text = normal.as_deref().unwrap_or(text);
    if let Some(place) = slow_run(text) {
        let hint = "write spaces around operators";
        return Err(vec![Mistake::new("too many operators without a space between them", place).hint(hint)]);
    }
    let most_levels = (stack_bytes / BYTES_PER_LEVEL).min(MOST_LEVELS);
    // Every level takes a byte.
    if text.len() > most_levels {
        let (levels, place) = groups::deepest(&tokens(text));
        if levels > most_levels {
            return Err(vec![too_deep(place)]);
        }
    }
    let parsed = rnix::Root::parse(text);
    if parsed.errors().is_empty() {
        return Ok(parsed.tree());
    }
    drop(parsed);
    Err(mistakes(text))
}

/// Every independent mistake in a text that has some, in order.
fn mistakes(text: &str) -> Vec<Mistake> {
    let original = tokens(text);
    if original.is_empty() {
        let hint = "a file holds one expression, such as `{ }`";
        return vec![Mistake::new("there is no expression", 0..0).hint(hint)];
    }
    let Checked { mistakes: mut found, repairs, tail, is_sound, .. } = Groups::check(text, &original);
    let mut repaired = text.as_bytes().to_vec();
    for repair in &repairs {
        blank(&mut repaired, repair);
    }
    while is_sound && found.len() < MOST_ERRORS {
        let mut current = String::from_utf8_lossy(&repaired).into_owned();
        current += tail;
        let tokens = tokens(&current);
        let parsed = rnix::Root::parse(&current);
        let Some(error) = parsed.errors().iter().min_by_key(|error| place(error, current.len())) else {
            break;
        };
        let at = place(error, current.len());
        if matches!(error, ParseError::RecursionLimitExceeded) {
            found.push(too_deep(groups::deepest(&tokens).1));
            break;
        }
        found.push(message::describe(error, &current, &tokens, text.len()));
        let parts = (0..).map_while(|outward| Groups::part_around(&tokens, at, outward));
        let mut parts =
            parts.map(|part| Part { range: part.range.start..part.range.end.min(text.len()), ..part });
        let Some(part) = parts.find(|part| !is_blank(&repaired, part)) else { break };
        blank(&mut repaired, &part);
    }
    found.sort_by_key(|mistake| mistake.range.start);
    found
}

fn is_blank(text: &[u8], part: &Part) -> bool {
    let bytes = text.get(part.range.clone()).unwrap_or_default().trim_ascii();
    bytes.is_empty() || part.filler.is_some_and(|filler| bytes == [filler])
}

fn too_deep(place: Range<usize>) -> Mistake {
    Mistake::new(TOO_DEEP, place).hint("keep large data in a file that `builtins.fromJSON` reads")
}

/// Overwrites a part with spaces, but for what must stand there.
fn blank(text: &mut [u8], part: &Part) {
    let Some(bytes) = text.get_mut(part.range.clone()) else { return };
    for byte in &mut *bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
    if let (Some(filler), Some(first)) = (part.filler, bytes.first_mut()) {
        *first = filler;
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut end = 0;
    let mut tokens = Vec::new();
    for (kind, token) in rnix::tokenize(text) {
        let start = end;
        end += token.len();
        if !matches!(kind, SyntaxKind::TOKEN_WHITESPACE | SyntaxKind::TOKEN_COMMENT) {
            tokens.push(Token { kind, start, end });
        }
    }
    tokens
}

/// Characters that rnix's tokenizer looks ahead over at each token, to see whether a path begins there.
const fn may_be_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'.' | b'+' | b'-' | b'<')
}

/// A run of characters of paths in which the tokenizer would look ahead too often: its time is quadratic there.
pub(super) fn slow_run(text: &str) -> Option<Range<usize>> {
    const LONG_RUN: usize = 2 << 10;
    const MOST_LOOKS: usize = 100 << 20;
    let runs = text.as_bytes().chunk_by(|left, right| may_be_path(*left) == may_be_path(*right));
    if text.len() < LONG_RUN || runs.map(<[u8]>::len).max() < Some(LONG_RUN) {
        return None;
    }
    let (mut end, mut run_end, mut looks) = (0, 0, 0);
    for (kind, token) in rnix::tokenize(text) {
        let start = end;
        end += token.len();
        if start >= run_end {
            let rest = &text.as_bytes()[start..];
            run_end = start + rest.iter().position(|&byte| !may_be_path(byte)).unwrap_or(rest.len());
        }
        if !matches!(kind, SyntaxKind::TOKEN_STRING_CONTENT | SyntaxKind::TOKEN_COMMENT) {
            looks += run_end.saturating_sub(start);
        }
        if looks > MOST_LOOKS {
            return Some(start..end);
        }
    }
    None
}

/// Where an error begins.
fn place(error: &ParseError, end: usize) -> usize {
    match error {
        ParseError::Unexpected(range)
        | ParseError::UnexpectedExtra(range)
        | ParseError::UnexpectedWanted(_, range, _)
        | ParseError::UnexpectedDoubleBind(range)
        | ParseError::DuplicatedArgs(range, _) => usize::from(range.start()),
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        match try_parse(text, 64 << 20) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.into_iter().map(|mistake| mistake.message).collect(),
        }
    }

    #[test]
    fn one_mistake_is_one_error() {
        for text in [
            "{ a = [ 1 2; b = 3; }",
            "{ a = ( 1; b = 3; }",
            "{ a = { b = 1; c = 2; }",
            "let a = 1; b = 2 in a",
            "{ a = 1 b = 2; c = 3; }",
            "[ 1, 2, 3 ]",
            "{ a = \"text; b = 1; }",
            "{ a = if true then 1; b = 2; }",
            "{ a = ''text; }",
            "{ a: 1; b = 2; }",
        ] {
            assert_eq!(messages(text).len(), 1, "{text}: {:#?}", messages(text));
        }
    }

    #[test]
    fn independent_mistakes_are_all_found() {
        let text = "{ a = ; b = 1; c = [ 2; d = { e = 1 2 = 3; f = 4; }; g = 1 + ; }";
        assert_eq!(messages(text).len(), 4, "{:#?}", messages(text));
    }

    #[test]
    fn the_tokenizer_has_no_quadratic_time() {
        for repeated in ["-", "<", "1.", "a.", "+"] {
            let found = messages(&repeated.repeat(1 << 18));
            assert_eq!(found, ["too many operators without a space between them"], "{repeated}");
        }
        let text = format!("\"{}\" # {}", "a.".repeat(1 << 20), "a.".repeat(1 << 20));
        assert!(messages(&text).is_empty());
    }

    #[test]
    fn nesting_is_bounded_before_parsing() {
        for repeated in ["[", "- ", "!", "a.b or ", "a ++ ", "(", "{a=", "\"${"] {
            let text = repeated.repeat(1 << 18);
            assert_eq!(messages(&text), ["the expression is nested too deeply here"], "{repeated}");
        }
    }
}

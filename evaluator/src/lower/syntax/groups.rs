//! What belongs together: brackets, strings, `let … in`, and the bindings in them.

use super::{Mistake, Token};
use rnix::SyntaxKind as K;
use std::ops::Range;

/// What began a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    File,
    Brace,
    Let,
    Parenthesis,
    Bracket,
    Interpolation,
    String,
}

impl Opener {
    /// Whether `;` separates what is in it.
    pub(super) const fn has_bindings(self) -> bool {
        matches!(self, Self::Brace | Self::Let)
    }

    const fn closer(self) -> &'static str {
        match self {
            Self::Brace | Self::Interpolation => "`}`",
            Self::Let => "`in`",
            Self::Parenthesis => "`)`",
            Self::Bracket => "`]`",
            Self::String => "its closing quotes",
            Self::File => "the end of the file",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) opener: Opener,
    pub(super) open: Token,
    /// Each `with` and `assert` takes a `;`.
    pub(super) pending: usize,
    /// Where its current binding begins.
    pub(super) part: usize,
}

/// A part of the text, and what must stand there if it is blanked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) range: Range<usize>,
    pub(super) filler: Option<u8>,
}

/// What [`Groups::check`] finds.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) mistakes: Vec<Mistake>,
    /// To be blanked.
    pub(super) repairs: Vec<Part>,
    /// To be put after the end.
    pub(super) tail: &'static str,
    /// Whether the text ends inside of a group, and nothing else is wrong with its groups.
    pub(super) is_open: bool,
    /// Whether what remains can be understood.
    pub(super) is_sound: bool,
}

/// The groups around a place, outermost first.
#[derive(Clone)]
pub(super) struct Groups(Vec<Group>);

impl Groups {
    fn new() -> Self {
        let nothing = Token { kind: K::NODE_ROOT, start: 0, end: 0 };
        Self(vec![Group { opener: Opener::File, open: nothing, pending: 0, part: 0 }])
    }

    /// The innermost.
    pub(super) fn top(&self) -> Group {
        *self.0.last().expect("this holds because the file's group is never closed")
    }

    /// The groups around the token that begins at `at` or contains it.
    pub(super) fn around(tokens: &[Token], at: usize) -> Self {
        let mut groups = Self::new();
        for (n, token) in tokens.iter().enumerate().take_while(|(_, token)| token.end <= at) {
            groups.step(*token, tokens.get(n + 1).copied(), &mut Checked::default());
        }
        groups
    }

    /// The binding, or content of brackets, around `at`; `outward` groups further out. `None` for the file itself.
    pub(super) fn part_around(tokens: &[Token], at: usize, outward: usize) -> Option<Part> {
        let mut groups = Self::new();
        let mut steps = tokens.iter().enumerate();
        for (n, token) in steps.by_ref() {
            if token.end > at {
                break;
            }
            groups.step(*token, tokens.get(n + 1).copied(), &mut Checked::default());
        }
        let level = groups.0.len().checked_sub(outward + 1).filter(|&level| level > 0)?;
        let group = groups.0[level];
        let first = tokens.partition_point(|token| token.end <= at);
        let mut end = tokens.last().map_or(0, |token| token.end);
        for (n, token) in tokens.iter().enumerate().skip(first) {
            groups.step(*token, tokens.get(n + 1).copied(), &mut Checked::default());
            if groups.0.len() <= level {
                end = token.start;
                break;
            }
            if groups.0.len() == level + 1 && groups.0[level].part > group.part {
                end = token.end;
                break;
            }
        }
        Some(group.part_to(end))
    }

    /// Finds brackets that don't match.
    pub(super) fn check(text: &str, tokens: &[Token]) -> Checked {
        let mut checked = Checked { is_sound: true, ..Checked::default() };
        if let Some(token) = tokens.last().filter(|token| is_open_comment(text, token)) {
            checked.mistakes.push(Mistake::new("this comment is never closed", token.start..token.start + 2));
            checked.is_sound = false;
            checked.is_open = true;
            return checked;
        }
        let mut groups = Self::new();
        let mut suspect = None;
        for (n, token) in tokens.iter().enumerate() {
            let before = groups.top();
            groups.step(*token, tokens.get(n + 1).copied(), &mut checked);
            let is_closed = groups.0.len() > 1 || before.opener != Opener::File;
            if is_closed && suspect.is_none() && closes(token.kind) == Some(before.opener) {
                suspect = Some(before.open).filter(|open| is_indented_less(text, *token, *open));
            }
        }
        groups.at_end(text, tokens, suspect, &mut checked);
        checked
    }

    fn at_end(&self, text: &str, tokens: &[Token], suspect: Option<Token>, checked: &mut Checked) {
        let [_, outermost, ..] = self.0.as_slice() else { return };
        checked.is_open = checked.mistakes.is_empty();
        let innermost = self.top();
        let range = innermost.open.start..innermost.open.end;
        let mistake = match innermost.opener {
            Opener::String if self.is_after_interpolation(text) => {
                let open = self.0[self.0.len() - 2].open;
                Mistake::new("`${` is never closed", open.start..open.end)
                    .note("so this begins another string", range)
            }
            Opener::String => {
                let mistake = Mistake::new("this string is never closed", range);
                match earlier_string(text, tokens, innermost.open) {
                    Some(earlier) => mistake.note("perhaps this string should end earlier", earlier),
                    None => mistake,
                }
            }
            Opener::Let => Mistake::new("this `let` has no `in`", range),
            opener => {
                let found = &text[range.clone()];
                let mistake = Mistake::new(format!("`{found}` is never closed"), range);
                match suspect {
                    Some(open) => mistake.note(
                        format!(
                            "or this one: by its indentation, the {} that closes it belongs further out",
                            opener.closer()
                        ),
                        open.start..open.end,
                    ),
                    None => mistake,
                }
            }
        };
        checked.mistakes.push(mistake);
        if outermost.opener.has_bindings() {
            checked.repairs.push(Part { range: outermost.part..text.len(), filler: None });
            checked.tail = if outermost.opener == Opener::Let { " in 0" } else { "}" };
        } else {
            checked.repairs.push(Part { range: outermost.open.start..text.len(), filler: Some(b'0') });
        }
    }

    /// Whether the innermost string begins in an interpolation of another in the same line: more likely the first should end.
    fn is_after_interpolation(&self, text: &str) -> bool {
        let [.., outer, interpolation, string] = self.0.as_slice() else { return false };
        outer.opener == Opener::String
            && interpolation.opener == Opener::Interpolation
            && !text[interpolation.open.start..string.open.start].contains('\n')
    }

    fn step(&mut self, token: Token, next: Option<Token>, checked: &mut Checked) {
        let opener = match token.kind {
            K::TOKEN_L_BRACE => Some(Opener::Brace),
            K::TOKEN_LET if next.is_none_or(|next| next.kind != K::TOKEN_L_BRACE) => Some(Opener::Let),
            K::TOKEN_L_PAREN => Some(Opener::Parenthesis),
            K::TOKEN_L_BRACK => Some(Opener::Bracket),
            K::TOKEN_INTERPOL_START => Some(Opener::Interpolation),
            K::TOKEN_STRING_START => Some(Opener::String),
            _ => None,
        };
        if let Some(opener) = opener {
            return self.0.push(Group { opener, open: token, pending: 0, part: token.end });
        }
        match token.kind {
            K::TOKEN_WITH | K::TOKEN_ASSERT => self.change_top(|top| top.pending += 1),
            K::TOKEN_SEMICOLON => self.separate(token, checked),
            kind => {
                if let Some(opener) = closes(kind) {
                    self.close(opener, token, checked);
                }
            }
        }
    }

    fn change_top(&mut self, change: impl FnOnce(&mut Group)) {
        if let Some(top) = self.0.last_mut() {
            change(top);
        }
    }

    fn separate(&mut self, token: Token, checked: &mut Checked) {
        if self.top().pending > 0 {
            return self.change_top(|top| top.pending -= 1);
        }
        let is_open = |group: &Group| matches!(group.opener, Opener::Parenthesis | Opener::Bracket);
        let Some(level) = self.0.iter().rposition(|group| !is_open(group)) else { return };
        if !self.0[level].opener.has_bindings() {
            return;
        }
        if self.0[level].pending > 0 {
            return self.change_top(|top| top.pending = top.pending.saturating_sub(1));
        }
        if self.0.len() > level + 1 {
            self.unclosed(level, token, checked);
            checked.repairs.push(self.top().part_to(token.end));
        }
        self.change_top(|top| top.part = token.end);
    }

    fn close(&mut self, opener: Opener, token: Token, checked: &mut Checked) {
        let is_boundary = |group: &Group| {
            matches!(group.opener, Opener::Interpolation | Opener::String) && group.opener != opener
        };
        let fence = self.0.iter().rposition(is_boundary).unwrap_or(0);
        let Some(level) = self.0.iter().rposition(|group| group.opener == opener).filter(|&at| at > fence)
        else {
            // A stray `in` is no bracket: what it means is rnix's to say.
            if opener != Opener::Let {
                let message = format!("{} closes nothing", opener.closer());
                checked.mistakes.push(Mistake::new(message, token.start..token.end));
                checked.repairs.push(Part { range: token.start..token.end, filler: None });
            }
            return;
        };
        if self.0.len() > level + 1 {
            self.unclosed(level, token, checked);
            checked.repairs.push(self.top().part_to(token.start));
        }
        self.0.pop();
    }

    /// Closes all groups inside the one at `level`, which lack their closers where `token` is.
    fn unclosed(&mut self, level: usize, token: Token, checked: &mut Checked) {
        while self.0.len() > level + 1 {
            let group = self.top();
            self.0.pop();
            let range = group.open.start..group.open.end;
            let message = match group.opener {
                Opener::Let => "this `let` has no `in`".to_owned(),
                Opener::Brace => "`{` is not closed".to_owned(),
                Opener::Bracket => "`[` is not closed".to_owned(),
                Opener::Interpolation => "`${` is not closed".to_owned(),
                Opener::Parenthesis => "`(` is not closed".to_owned(),
                Opener::String | Opener::File => "this string is not closed".to_owned(),
            };
            let found = super::words::name(token.kind);
            let note = format!("found {found} instead of {}", group.opener.closer());
            checked.mistakes.push(Mistake::new(message, range).note(note, token.start..token.end));
        }
    }
}

impl Group {
    /// What to blank if something is wrong between its current binding's begin and `end`.
    fn part_to(&self, end: usize) -> Part {
        let filler = match self.opener {
            Opener::Parenthesis | Opener::Interpolation => Some(b'0'),
            _ => None,
        };
        Part { range: self.part..end.max(self.part), filler }
    }
}

const fn closes(kind: K) -> Option<Opener> {
    Some(match kind {
        K::TOKEN_R_BRACE => Opener::Brace,
        K::TOKEN_IN => Opener::Let,
        K::TOKEN_R_PAREN => Opener::Parenthesis,
        K::TOKEN_R_BRACK => Opener::Bracket,
        K::TOKEN_INTERPOL_END => Opener::Interpolation,
        K::TOKEN_STRING_END => Opener::String,
        _ => return None,
    })
}

fn is_open_comment(text: &str, token: &Token) -> bool {
    token.kind == K::TOKEN_ERROR && text[token.start..token.end].starts_with("/*")
}

/// Whether a closer begins a line that is indented less than the line of its opener.
fn is_indented_less(text: &str, close: Token, open: Token) -> bool {
    let line = |place: usize| &text[text[..place].rfind('\n').map_or(0, |newline| newline + 1)..place];
    let indent = |place: usize| {
        let before = line(place);
        before.len() - before.trim_start().len()
    };
    line(close.start).trim().is_empty()
        && text[open.start..close.start].contains('\n')
        && indent(close.start) < indent(open.start)
}

/// A string with double quotes before `last` that spans lines and after which a word follows without a space: that is where
/// strings and code changed places.
fn earlier_string(text: &str, tokens: &[Token], last: Token) -> Option<Range<usize>> {
    let mut open = None;
    for (n, token) in tokens.iter().enumerate().take_while(|(_, token)| token.start < last.start) {
        match token.kind {
            K::TOKEN_STRING_START if text[token.start..].starts_with('"') => open = Some(*token),
            K::TOKEN_STRING_END => {
                let Some(start) = open.take() else { continue };
                let follows =
                    text[token.end..].starts_with(|next: char| next.is_alphanumeric() || next == '.');
                let is_next = tokens.get(n + 1).is_some_and(|next| next.start == token.end);
                if follows && is_next && text[start.start..token.end].contains('\n') {
                    return Some(start.start..start.end);
                }
            }
            _ => {}
        }
    }
    None
}

/// How deeply rnix's parser may nest on these tokens at most, and where.
pub(super) fn deepest(tokens: &[Token]) -> (usize, Range<usize>) {
    let (mut total, mut most, mut place) = (0_usize, 0_usize, 0..0);
    // Of each group: what may chain in it, and whether that is only `or`, as in a list.
    let mut stack = vec![(0_usize, false)];
    for token in tokens {
        match token.kind {
            K::TOKEN_L_BRACE | K::TOKEN_L_PAREN | K::TOKEN_INTERPOL_START => {
                stack.push((1, false));
                total += 1;
            }
            K::TOKEN_L_BRACK | K::TOKEN_STRING_START => {
                stack.push((1, true));
                total += 1;
            }
            K::TOKEN_R_BRACE
            | K::TOKEN_R_PAREN
            | K::TOKEN_R_BRACK
            | K::TOKEN_INTERPOL_END
            | K::TOKEN_STRING_END
                if stack.len() > 1 =>
            {
                let (count, _) = stack.pop().unwrap_or_default();
                total -= count;
            }
            kind => {
                let Some((count, is_list)) = stack.last_mut() else { continue };
                if matches!(kind, K::TOKEN_SEMICOLON | K::TOKEN_COMMA) {
                    total -= *count;
                    *count = 0;
                } else if !*is_list || kind == K::TOKEN_OR {
                    *count += 1;
                    total += 1;
                }
            }
        }
        if total > most {
            (most, place) = (total, token.start..token.end);
        }
    }
    (most, place)
}

//! The lines of a source around a place, as a terminal shows them.

use crate::source::{Location, Sources, Span};
use std::fmt::{self, Write};
use std::rc::Rc;
use unicode_width::UnicodeWidthChar;

/// Some lines of a source with something marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The source's name.
    pub file: String,
    /// Of the first line, from 1.
    pub line: usize,
    /// Of the mark's begin in the first line, from 1, in characters.
    pub column: usize,
    /// The lines that the mark touches, but of many only the first few and the last; with their numbers, as they are
    /// shown: tabs and control characters replaced.
    lines: Vec<(usize, String)>,
    /// Cells of the terminal before the mark, in the first line.
    from: usize,
    /// Cells before the mark's end, in the last line.
    to: usize,
}

/// How many cells of a line are shown: a line of machine-made text can be long.
const WIDEST: usize = 160;
/// Lines of a mark that are shown before the rest is left out.
const FIRST_LINES: usize = 3;
/// Cells that a tab takes.
const TAB: usize = 4;

/// What is painted, for the one who knows the colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Margin,
    Mark,
}

impl Excerpt {
    pub(crate) fn new(sources: &Sources, span: Span) -> Option<Self> {
        let Location { source, range, line, column } = sources.locate(span)?;
        let text = &source.text;
        let begin = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = floor(text, range.end);
        let marked = text[begin..end].trim_end();
        let lines: Vec<&str> = text[begin..].split('\n').take(marked.matches('\n').count() + 1).collect();
        let from = shown(&text[begin..range.start]).1;
        let last = marked.rsplit('\n').next().unwrap_or_default();
        let to = shown(last).1.max(if lines.len() == 1 { from + 1 } else { 1 });
        let is_kept = |n: &usize| *n < FIRST_LINES || n + 1 == lines.len();
        let kept = (0..lines.len()).filter(is_kept);
        let lines = kept.map(|n| (line + n, shown(lines[n].trim_end()).0)).collect();
        Some(Self { file: Rc::clone(&source).name.clone(), line, column, lines, from, to })
    }

    /// Whether both mark only something in one line, the same.
    pub(crate) fn shares_line_with(&self, other: &Self) -> bool {
        self.lines.len() == 1 && other.lines.len() == 1 && self.file == other.file && self.line == other.line
    }

    /// Writes the place and the lines; `more` are marks in the same line, with what they say.
    pub(crate) fn write(
        &self,
        text: &mut String,
        mark: char,
        more: &[(&str, &Self)],
        paint: impl Fn(Part, &str) -> String,
    ) -> fmt::Result {
        let digits = self.lines.last().map_or(1, |(number, _)| number.to_string().len());
        let margin = " ".repeat(digits);
        let bar = paint(Part::Margin, "|");
        let arrow = paint(Part::Margin, "-->");
        writeln!(text, "{margin}{arrow} {}:{}:{}", self.file, self.line, self.column)?;
        if let [(number, line)] = self.lines.as_slice() {
            let skipped = if self.to > WIDEST { self.from.saturating_sub(WIDEST / 4) } else { 0 };
            let number = paint(Part::Margin, &format!("{number:>digits$}"));
            writeln!(text, "{}", format!("{number} {bar} {}", cut(line, skipped)).trim_end())?;
            let before = self.from - skipped;
            let width = (self.to - self.from).min(WIDEST.saturating_sub(before)).max(1);
            let marks = paint(Part::Mark, &mark.to_string().repeat(width));
            writeln!(text, "{margin} {bar} {}{marks}", " ".repeat(before))?;
            for (message, other) in more {
                let before = other.from.saturating_sub(skipped);
                let width = (other.to - other.from).min(WIDEST.saturating_sub(before)).max(1);
                let marks = paint(Part::Mark, &"-".repeat(width));
                writeln!(text, "{margin} {bar} {}{marks} {message}", " ".repeat(before))?;
            }
            return Ok(());
        }
        // A mark over several lines runs down their left side.
        let down = paint(Part::Mark, "|");
        let mut previous = self.line;
        for (n, (number, line)) in self.lines.iter().enumerate() {
            if *number > previous + 1 {
                writeln!(text, "{margin} {bar} {down} …")?;
            }
            previous = *number;
            let number = paint(Part::Margin, &format!("{number:>digits$}"));
            let side = if n == 0 { " " } else { &down };
            writeln!(text, "{}", format!("{number} {bar} {side} {}", cut(line, 0)).trim_end())?;
            if n == 0 {
                let across = format!(" {}{mark}", "_".repeat(self.from.min(WIDEST) + 1));
                writeln!(text, "{margin} {bar} {}", paint(Part::Mark, &across))?;
            }
        }
        let across = format!("|{}{mark}", "_".repeat(self.to.min(WIDEST)));
        writeln!(text, "{margin} {bar} {}", paint(Part::Mark, &across))
    }
}

/// The text as it is shown, and how many cells it takes.
fn shown(text: &str) -> (String, usize) {
    let (mut shown, mut cells) = (String::with_capacity(text.len()), 0);
    for character in text.chars() {
        match character {
            '\t' => {
                let width = TAB - cells % TAB;
                shown.extend(std::iter::repeat_n(' ', width));
                cells += width;
            }
            // A terminal would obey it.
            control if control.is_control() || crate::stand_in::byte(control).is_some() => {
                shown.push('\u{fffd}');
                cells += 1;
            }
            other => {
                shown.push(other);
                cells += other.width().unwrap_or(0);
            }
        }
    }
    (shown, cells)
}

/// As much of a line as is shown, from so many cells on.
fn cut(line: &str, skipped: usize) -> String {
    let mut cells = 0;
    let mut kept = String::new();
    for character in line.chars() {
        let width = character.width().unwrap_or(0);
        if cells >= skipped && cells + width <= skipped + WIDEST {
            kept.push(character);
        } else if cells < skipped && cells + width > skipped {
            kept.push(' ');
        }
        cells += width;
    }
    kept
}

/// The nearest begin of a character at or before the place.
fn floor(text: &str, place: usize) -> usize {
    (0..=place.min(text.len())).rev().find(|&place| text.is_char_boundary(place)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, marked: &str) -> String {
        let sources = Sources::default();
        let start = sources.add("f".into(), text.into(), true).unwrap();
        let place = text.find(marked).unwrap();
        let at = |offset: usize| start + u32::try_from(offset).unwrap();
        let span = Span { start: at(place), end: at(place + marked.len()) };
        let mut shown = String::new();
        Excerpt::new(&sources, span).unwrap().write(&mut shown, '^', &[], |_, text| text.to_owned()).unwrap();
        shown
    }

    #[test]
    fn marks_stand_below_what_they_mark_after_tabs_and_wide_characters() {
        assert_eq!(excerpt("\tx = y;", "y"), " --> f:1:6\n1 |     x = y;\n  |         ^\n");
        assert_eq!(excerpt("\"数\" + y", "y"), " --> f:1:7\n1 | \"数\" + y\n  |        ^\n");
        assert_eq!(excerpt("\"e\u{301}\" + y", "y"), " --> f:1:8\n1 | \"e\u{301}\" + y\n  |       ^\n");
        assert_eq!(excerpt("\u{1b}[2J y", "y"), " --> f:1:6\n1 | \u{fffd}[2J y\n  |      ^\n");
    }

    #[test]
    fn a_mark_over_lines_runs_down_their_side() {
        let expected = " --> f:1:3\n1 |   a {\n  |  ___^\n2 | |   b\n3 | | } c\n  | |_^\n";
        assert_eq!(excerpt("a {\n  b\n} c", "{\n  b\n}"), expected);
        let long = format!("[{}] c", "\n 1".repeat(20));
        let expected =
            "  --> f:1:1\n 1 |   [\n   |  _^\n 2 | |  1\n 3 | |  1\n   | | …\n21 | |  1] c\n   | |___^\n";
        assert_eq!(excerpt(&long, &long[..long.len() - 2]), expected);
    }

    #[test]
    fn the_mark_in_a_long_line_is_shown() {
        let text = format!("{} y {}", "x".repeat(1000), "z".repeat(1000));
        let shown = excerpt(&text, "y");
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[1].find('y'), lines[2].find('^'));
        assert!(lines.iter().all(|line| line.len() < 200));
    }
}

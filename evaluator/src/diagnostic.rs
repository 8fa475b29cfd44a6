//! Errors as people read them: with the source around them. They outlive the evaluation.

use crate::error::{Error, ErrorKind};
use crate::source::{Sources, Span};
use std::fmt::{self, Write};

/// An error with the excerpts of the sources that it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    kind: ErrorKind,
    message: String,
    excerpt: Option<Excerpt>,
    notes: Vec<(String, Option<Excerpt>)>,
    frames: Vec<(String, Option<Excerpt>)>,
    frames_omitted: usize,
    hint: Option<String>,
    others: Vec<Self>,
}

/// A line of a source with something marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The source's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The whole line, tabs as spaces.
    pub text: String,
    /// Characters marked, at least 1.
    pub width: usize,
}

/// Whether to use the terminal's colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Off,
    /// Escape sequences.
    On,
}

/// How much of the way to an error is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// The few steps next to it.
    Short,
    /// All of it.
    Whole,
}

/// Steps shown in a short trace.
const SHORT_TRACE: usize = 4;

impl Diagnostic {
    pub(crate) fn new(error: Error, sources: &Sources) -> Self {
        let excerpt = |span| Excerpt::new(sources, span);
        let mut frames: Vec<(String, Option<Excerpt>)> = Vec::new();
        for (message, span) in error.frames {
            let frame = (message, excerpt(span));
            if frames.last() != Some(&frame) {
                frames.push(frame);
            }
        }
        Self {
            kind: error.kind,
            message: error.message,
            excerpt: excerpt(error.span),
            notes: error.notes.into_iter().map(|(message, span)| (message, excerpt(span))).collect(),
            frames,
            frames_omitted: error.frames_omitted,
            hint: error.hint,
            others: error.others.into_iter().map(|other| Self::new(other, sources)).collect(),
        }
    }

    /// What went wrong, coarsely.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What went wrong, in words, without a place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What helps.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Where.
    pub const fn excerpt(&self) -> Option<&Excerpt> {
        self.excerpt.as_ref()
    }

    /// The whole text, several lines, ending with a line end.
    pub fn render(&self, colour: Colour, trace: Trace) -> String {
        let mut text = String::new();
        let paint = Paint(colour);
        // Writing to a String can't fail.
        let _ = self.write(&mut text, paint, trace);
        text
    }

    fn write(&self, text: &mut String, paint: Paint, trace: Trace) -> fmt::Result {
        writeln!(text, "{}", paint.red(&format!("error: {}", self.message)))?;
        if let Some(excerpt) = &self.excerpt {
            excerpt.write(text, paint, '^')?;
        }
        for (message, excerpt) in &self.notes {
            writeln!(text, "{}", paint.bold(&format!("note: {message}")))?;
            if let Some(excerpt) = excerpt {
                excerpt.write(text, paint, '-')?;
            }
        }
        let is_news = |excerpt: &Option<Excerpt>| excerpt.is_some() && *excerpt != self.excerpt;
        let placed = self.frames.iter().filter(|(_, excerpt)| trace == Trace::Whole || is_news(excerpt));
        let shown = if trace == Trace::Whole { usize::MAX } else { SHORT_TRACE };
        let total = placed.clone().count();
        for (message, excerpt) in placed.take(shown) {
            match excerpt {
                Some(excerpt) if trace == Trace::Whole => {
                    writeln!(text, "{message}")?;
                    excerpt.write(text, paint, '-')?;
                }
                Some(Excerpt { file, line, column, .. }) => {
                    writeln!(text, "  {message} ({file}:{line}:{column})")?
                }
                None => writeln!(text, "{message}")?,
            }
        }
        let hidden = total.saturating_sub(shown) + self.frames_omitted;
        if hidden > 0 {
            writeln!(text, "  and {hidden} more steps")?;
        }
        if let Some(hint) = &self.hint {
            writeln!(text, "{} {hint}", paint.bold("hint:"))?;
        }
        for other in &self.others {
            other.write(text, paint, trace)?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.render(Colour::Off, Trace::Short).trim_end())
    }
}

impl std::error::Error for Diagnostic {}

impl Excerpt {
    fn new(sources: &Sources, span: Span) -> Option<Self> {
        let location = sources.locate(span)?;
        let text = location.source.text.lines().nth(location.line - 1).unwrap_or_default();
        let marked = location.source.text.get(location.range).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
        Some(Self {
            file: location.source.name.clone(),
            line: location.line,
            column: location.column,
            text: text.replace('\t', " "),
            width,
        })
    }

    fn write(&self, text: &mut String, paint: Paint, mark: char) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // A line of machine-made text can be long.
        const WIDEST: usize = 160;
        let skipped = if self.column > WIDEST / 2 { self.column - WIDEST / 4 } else { 0 };
        let line: String = self.text.chars().skip(skipped).take(WIDEST).collect();
        let before = " ".repeat(self.column - 1 - skipped.min(self.column - 1));
        let marks: String =
            std::iter::repeat_n(mark, self.width.min(WIDEST - before.len().min(WIDEST - 1))).collect();
        writeln!(text, "{margin}{} {}:{}:{}", paint.blue("-->"), self.file, self.line, self.column)?;
        let separator = if line.trim_end().is_empty() { "" } else { " " };
        writeln!(text, "{} {}{separator}{}", paint.blue(&number), paint.blue("|"), line.trim_end())?;
        writeln!(text, "{margin} {} {before}{}", paint.blue("|"), paint.red(&marks))
    }
}

#[derive(Clone, Copy)]
struct Paint(Colour);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        match self.0 {
            Colour::Off => text.to_owned(),
            Colour::On => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn blue(self, text: &str) -> String {
        self.with("34", text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

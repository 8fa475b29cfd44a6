//! Errors as people read them: with the source around them. They outlive the evaluation.

use crate::definition;
use crate::error::{Error, ErrorKind};
use crate::excerpt::{Excerpt, Part};
use crate::source::{Location, Sources, Span};
use std::fmt::{self, Write};

/// An error with the excerpts of the sources that it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    kind: ErrorKind,
    message: String,
    excerpt: Option<Excerpt>,
    notes: Vec<(String, Option<Excerpt>)>,
    frames: Vec<Frame>,
    frames_omitted: usize,
    hint: Option<String>,
    others: Vec<Self>,
}

/// A step on the way to an error, with the source around it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    what: String,
    excerpt: Option<Excerpt>,
    is_context: bool,
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
    /// The few steps next to it, and what the expression itself says about the way.
    Short,
    /// All of it.
    Whole,
}

/// Steps shown in a short trace, and lines of what the expression says itself.
const SHORT_TRACE: usize = 4;
const SHORT_CONTEXT: usize = 6;

/// The longest message that is shown whole, and how much is shown of another at its beginning and end, in bytes.
const LONG_MESSAGE: usize = 2000;
const MESSAGE_BEGIN: usize = 600;
const MESSAGE_END: usize = 300;

impl Diagnostic {
    pub(crate) fn new(mut error: Error, sources: &Sources) -> Self {
        add_definitions(&mut error, sources);
        let excerpt = |span| Excerpt::new(sources, span);
        let mut frames: Vec<Frame> = Vec::new();
        for step in error.frames {
            let frame = Frame { what: step.what, excerpt: excerpt(step.span), is_context: step.is_context };
            if frames.last() != Some(&frame) {
                frames.push(frame);
            }
        }
        Self {
            kind: error.kind,
            message: shortened(error.kind, error.message),
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
        let paint_part = |part, text: &str| paint.part(part, text);
        let is_beside = |note: &&(String, Option<Excerpt>)| match (&note.1, &self.excerpt) {
            (Some(note), Some(main)) => note.shares_line_with(main),
            _ => false,
        };
        if let Some(excerpt) = &self.excerpt {
            let beside = self.notes.iter().filter(is_beside);
            let beside = beside.filter_map(|(message, place)| Some((message.as_str(), place.as_ref()?)));
            excerpt.write(text, '^', &beside.collect::<Vec<_>>(), paint_part)?;
        }
        for (message, excerpt) in self.notes.iter().filter(|note| !is_beside(note)) {
            writeln!(text, "{}", paint.bold(&format!("note: {message}")))?;
            if let Some(excerpt) = excerpt {
                excerpt.write(text, '-', &[], paint_part)?;
            }
        }
        self.write_frames(text, paint, trace)?;
        if let Some(hint) = &self.hint {
            writeln!(text, "{} {hint}", paint.bold("hint:"))?;
        }
        for other in &self.others {
            other.write(text, paint, trace)?;
        }
        Ok(())
    }

    fn write_frames(&self, text: &mut String, paint: Paint, trace: Trace) -> fmt::Result {
        let mut hidden = self.frames_omitted;
        let (mut steps, mut contexts) = (0, 0);
        for Frame { what, excerpt, is_context } in &self.frames {
            if trace == Trace::Whole {
                writeln!(text, "{what}")?;
                if let Some(excerpt) = excerpt {
                    excerpt.write(text, '-', &[], |part, text: &str| paint.part(part, text))?;
                }
                continue;
            }
            let is_news = excerpt.is_some() && *excerpt != self.excerpt;
            let (shown, most) =
                if *is_context { (&mut contexts, SHORT_CONTEXT) } else { (&mut steps, SHORT_TRACE) };
            if *shown == most {
                hidden += usize::from(*is_context || is_news);
            } else if *is_context {
                *shown += 1;
                writeln!(text, "  {}", paint.bold(what))?;
            } else if is_news && let Some(Excerpt { file, line, column, .. }) = excerpt {
                *shown += 1;
                writeln!(text, "  {what} ({file}:{line}:{column})")?;
            }
        }
        if hidden > 0 {
            let plural = if hidden == 1 { "" } else { "s" };
            writeln!(text, "  and {hidden} more step{plural}")?;
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

/// Says where the values that an error is about were defined, if a binding in the same text shows it.
fn add_definitions(error: &mut Error, sources: &Sources) {
    if !matches!(error.kind, ErrorKind::Type | ErrorKind::MissingAttribute) {
        return;
    }
    let Some(Location { source, range, .. }) = sources.locate(error.span) else { return };
    if !crate::lower::is_shallow(&source.text) {
        return;
    }
    let offset = |place: usize| source.start().saturating_add(u32::try_from(place).unwrap_or(u32::MAX));
    let span = |range: std::ops::Range<usize>| Span { start: offset(range.start), end: offset(range.end) };
    if error.kind == ErrorKind::MissingAttribute {
        if let Some((owner, place)) = definition::of_owner(&source.text, &range) {
            error.message += &format!(" in `{owner}`");
            if let Some(place) = place {
                error.notes.insert(0, (format!("`{owner}` is defined here"), span(place)));
            }
        }
    } else if !error.notes.is_empty() {
        // It says itself where to look.
    } else if let Some((owner, place)) = definition::of_owner(&source.text, &range) {
        error.notes.extend(place.map(|place| (format!("`{owner}` is defined here"), span(place))));
    } else {
        for (name, place) in definition::of_operands(&source.text, &range) {
            error.notes.push((format!("`{name}` is defined here"), span(place)));
        }
    }
}

/// A message without the middle of what it quotes, if that is gigantic. What the expression says itself stays whole.
fn shortened(kind: ErrorKind, message: String) -> String {
    if message.len() <= LONG_MESSAGE || matches!(kind, ErrorKind::Throw | ErrorKind::Abort) {
        return message;
    }
    let begin = message.floor_char_boundary(MESSAGE_BEGIN);
    let end = message.ceil_char_boundary(message.len() - MESSAGE_END);
    format!("{} … {} bytes … {}", &message[..begin], end - begin, &message[end..])
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

    fn part(self, part: Part, text: &str) -> String {
        match part {
            Part::Margin => self.blue(text),
            Part::Mark => self.red(text),
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

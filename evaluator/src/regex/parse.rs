//! From the text of an expression to its steps.

use super::bracket::bracket;
use super::{ByteSet, Step};

/// A compiled expression.
#[derive(Debug)]
pub struct Regex {
    pub(super) steps: Vec<Step>,
    pub(super) sets: Vec<ByteSet>,
    pub(super) start: u32,
    pub(super) groups: u32,
    pub(super) repeats: u32,
    /// With which bytes a match can begin; any place will do if there is none.
    pub(super) first: Option<Box<ByteSet>>,
}

/// What is wrong with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// A parenthesis without its partner.
    #[error("a parenthesis has no partner")]
    Parenthesis,
    /// `[` without `]`.
    #[error("a bracket has no partner")]
    Bracket,
    /// A range that runs backwards, or a `-` where no range can be.
    #[error("a range between brackets is wrong; a `-` that means itself stands first or last")]
    Range,
    /// A class or character by an unknown name.
    #[error("there is no such class or character, expected one like `[:alpha:]`")]
    Class,
    /// `*`, `+`, `?` or `{` after nothing.
    #[error("there is nothing to repeat before `*`, `+`, `?` or `{{`")]
    Repeat,
    /// Not of the form `{2}`, `{2,}` or `{2,3}`.
    #[error("a repetition between braces is wrong, expected one like `{{2}}`, `{{2,}}` or `{{2,3}}`")]
    Braces,
    /// A backslash before what needs none.
    #[error(
        "a backslash stands before a character that has no other meaning; classes such as `\\d` are written `[[:digit:]]`"
    )]
    Escape,
    /// Repetitions of repetitions.
    #[error("the expression is too large")]
    Size,
}

/// The most steps; so that repetitions of repetitions end.
const MOST_STEPS: usize = 100_000;

/// The deepest nesting of groups.
const DEEPEST: u32 = 1_000;

/// A part of the steps with one way in and one way out: the step `end` leads nowhere yet.
#[derive(Clone, Copy)]
struct Part {
    start: u32,
    end: u32,
}

/// Leads nowhere yet.
const NOWHERE: u32 = u32::MAX;

impl Regex {
    /// Reads an expression.
    pub fn parse(text: &[u8]) -> Result<Self, RegexError> {
        let regex =
            Self { steps: Vec::new(), sets: Vec::new(), start: 0, groups: 1, repeats: 0, first: None };
        let mut parser = Parser { text, offset: 0, depth: 0, regex };
        let whole = parser.alternatives()?;
        if parser.offset < text.len() {
            return Err(RegexError::Parenthesis);
        }
        let accept = parser.add(Step::Accept)?;
        parser.lead(whole.end, accept);
        let mut regex = parser.regex;
        regex.start = whole.start;
        regex.first = regex.first_bytes().map(Box::new);
        Ok(regex)
    }

    /// With which bytes a match can begin; `None` if it can be empty.
    fn first_bytes(&self) -> Option<ByteSet> {
        let (mut first, mut seen, mut waiting) =
            ([false; 256], vec![false; self.steps.len()], vec![self.start]);
        while let Some(step) = waiting.pop() {
            if std::mem::replace(&mut seen[step as usize], true) {
                continue;
            }
            match self.steps[step as usize] {
                Step::Accept => return None,
                Step::Byte(set, _) => {
                    let set = &self.sets[set as usize];
                    first.iter_mut().zip(set).for_each(|(first, is_in)| *first |= is_in);
                }
                Step::Skip(next)
                | Step::Begin(_, next)
                | Step::End(_, next)
                | Step::TextBegin(next)
                | Step::TextEnd(next) => waiting.push(next),
                Step::Either(left, right) => waiting.extend([left, right]),
                Step::Repeat { body, next, .. } => waiting.extend([body, next]),
            }
        }
        Some(first)
    }
}

struct Parser<'t> {
    text: &'t [u8],
    offset: usize,
    depth: u32,
    regex: Regex,
}

impl Parser<'_> {
    fn add(&mut self, step: Step) -> Result<u32, RegexError> {
        if self.regex.steps.len() >= MOST_STEPS {
            return Err(RegexError::Size);
        }
        self.regex.steps.push(step);
        Ok(u32::try_from(self.regex.steps.len() - 1).unwrap_or(NOWHERE))
    }

    fn one(&mut self, step: Step) -> Result<Part, RegexError> {
        let step = self.add(step)?;
        Ok(Part { start: step, end: step })
    }

    /// Lets a step lead to another.
    fn lead(&mut self, from: u32, to: u32) {
        match &mut self.regex.steps[from as usize] {
            Step::Skip(next)
            | Step::Byte(_, next)
            | Step::Begin(_, next)
            | Step::End(_, next)
            | Step::TextBegin(next)
            | Step::TextEnd(next)
            | Step::Repeat { next, .. } => *next = to,
            Step::Accept | Step::Either(..) => {}
        }
    }

    fn append(&mut self, first: Part, second: Part) -> Part {
        self.lead(first.end, second.start);
        Part { start: first.start, end: second.end }
    }

    fn byte_in(&mut self, set: ByteSet) -> Result<Part, RegexError> {
        let known = self.regex.sets.iter().position(|known| *known == set);
        let number = known.unwrap_or_else(|| {
            self.regex.sets.push(set);
            self.regex.sets.len() - 1
        });
        self.one(Step::Byte(u32::try_from(number).unwrap_or(NOWHERE), NOWHERE))
    }

    fn alternatives(&mut self) -> Result<Part, RegexError> {
        let mut whole = self.sequence()?;
        while self.text.get(self.offset) == Some(&b'|') {
            self.offset += 1;
            let other = self.sequence()?;
            let end = self.add(Step::Skip(NOWHERE))?;
            self.lead(whole.end, end);
            self.lead(other.end, end);
            whole = Part { start: self.add(Step::Either(whole.start, other.start))?, end };
        }
        Ok(whole)
    }

    fn sequence(&mut self) -> Result<Part, RegexError> {
        let mut whole = self.one(Step::Skip(NOWHERE))?;
        while let Some(part) = self.term()? {
            whole = self.append(whole, part);
        }
        Ok(whole)
    }

    fn term(&mut self) -> Result<Option<Part>, RegexError> {
        let Some(&byte) = self.text.get(self.offset) else { return Ok(None) };
        self.offset += 1;
        let part = match byte {
            // Nothing may be repeated that matches between bytes.
            b'^' => return self.one(Step::TextBegin(NOWHERE)).map(Some),
            b'$' => return self.one(Step::TextEnd(NOWHERE)).map(Some),
            b'|' | b')' => {
                self.offset -= 1;
                return Ok(None);
            }
            b'*' | b'+' | b'?' | b'{' => return Err(RegexError::Repeat),
            b'.' => self.byte_in(std::array::from_fn(|byte| byte != 0))?,
            b'[' => {
                let set = bracket(self.text, &mut self.offset)?;
                self.byte_in(set)?
            }
            b'(' => self.group()?,
            b'\\' => {
                let escaped = *self.text.get(self.offset).ok_or(RegexError::Escape)?;
                if !b".[\\()*+?{|^$".contains(&escaped) {
                    return Err(RegexError::Escape);
                }
                self.offset += 1;
                self.byte_in(std::array::from_fn(|byte| byte == usize::from(escaped)))?
            }
            other => self.byte_in(std::array::from_fn(|byte| byte == usize::from(other)))?,
        };
        self.repeated(part).map(Some)
    }

    fn group(&mut self) -> Result<Part, RegexError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(RegexError::Size);
        }
        let number = self.regex.groups;
        self.regex.groups += 1;
        let begin = self.one(Step::Begin(number, NOWHERE))?;
        let inner = self.alternatives()?;
        if self.text.get(self.offset) != Some(&b')') {
            return Err(RegexError::Parenthesis);
        }
        self.offset += 1;
        self.depth -= 1;
        let end = self.one(Step::End(number, NOWHERE))?;
        let whole = self.append(begin, inner);
        Ok(self.append(whole, end))
    }

    fn repeat(&mut self, body: u32, next: u32) -> Result<u32, RegexError> {
        let number = self.regex.repeats;
        self.regex.repeats += 1;
        self.add(Step::Repeat { body, next, number })
    }

    /// The part with the repetitions that follow it; they can be heaped.
    fn repeated(&mut self, mut part: Part) -> Result<Part, RegexError> {
        loop {
            match self.text.get(self.offset) {
                Some(b'*') => {
                    let repeat = self.repeat(part.start, NOWHERE)?;
                    self.lead(part.end, repeat);
                    part = Part { start: repeat, end: repeat };
                }
                Some(b'+') => {
                    let repeat = self.repeat(part.start, NOWHERE)?;
                    self.lead(part.end, repeat);
                    part = Part { start: part.start, end: repeat };
                }
                Some(b'?') => {
                    let end = self.add(Step::Skip(NOWHERE))?;
                    let repeat = self.repeat(part.start, end)?;
                    self.lead(part.end, end);
                    part = Part { start: repeat, end };
                }
                Some(b'{') => {
                    self.offset += 1;
                    part = self.counted(part)?;
                    continue;
                }
                _ => return Ok(part),
            }
            self.offset += 1;
        }
    }

    /// After `{`: so many copies of the part, then up to so many more.
    fn counted(&mut self, part: Part) -> Result<Part, RegexError> {
        let least = self.count()?.ok_or(RegexError::Braces)?;
        let mut most = Some(least);
        if self.text.get(self.offset) == Some(&b',') {
            self.offset += 1;
            most = self.count()?;
        }
        if self.text.get(self.offset) != Some(&b'}') || most.is_some_and(|most| most < least) {
            return Err(RegexError::Braces);
        }
        self.offset += 1;
        let mut whole = self.one(Step::Skip(NOWHERE))?;
        for _ in 0..least {
            let copy = self.copy(part)?;
            whole = self.append(whole, copy);
        }
        let Some(most) = most else {
            let copy = self.copy(part)?;
            let repeat = self.repeat(copy.start, NOWHERE)?;
            self.lead(copy.end, repeat);
            return Ok(self.append(whole, Part { start: repeat, end: repeat }));
        };
        let end = self.add(Step::Skip(NOWHERE))?;
        for _ in least..most {
            let copy = self.copy(part)?;
            let repeat = self.repeat(copy.start, end)?;
            whole = self.append(whole, Part { start: repeat, end: copy.end });
        }
        Ok(self.append(whole, Part { start: end, end }))
    }

    fn count(&mut self) -> Result<Option<usize>, RegexError> {
        let rest = &self.text[self.offset..];
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if length == 0 {
            return Ok(None);
        }
        self.offset += length;
        let digits = std::str::from_utf8(&rest[..length]).map_err(|_| RegexError::Braces)?;
        digits.parse().map(Some).map_err(|_| RegexError::Size)
    }

    /// The same steps once more.
    fn copy(&mut self, part: Part) -> Result<Part, RegexError> {
        let mut copies = rustc_hash::FxHashMap::from_iter([(NOWHERE, NOWHERE)]);
        let mut waiting = vec![part.start];
        let mut order = Vec::new();
        while let Some(step) = waiting.pop() {
            if copies.contains_key(&step) {
                continue;
            }
            let mut copied = self.regex.steps[step as usize];
            if let Step::Repeat { number, .. } = &mut copied {
                *number = self.regex.repeats;
                self.regex.repeats += 1;
            }
            let copy = self.add(copied)?;
            copies.insert(step, copy);
            order.push(copy);
            if step == part.end {
                // What it led to when it was copied before isn't part of it; a repetition's body is.
                self.lead(copy, NOWHERE);
            }
            self.regex.steps[copy as usize].leads_to(|next| waiting.push(*next));
        }
        for copy in order {
            self.regex.steps[copy as usize].leads_to(|next| *next = copies[next]);
        }
        Ok(Part { start: copies[&part.start], end: copies[&part.end] })
    }
}

impl Step {
    /// Calls a function with each step that may follow.
    fn leads_to(&mut self, mut each: impl FnMut(&mut u32)) {
        match self {
            Self::Accept => {}
            Self::Skip(next)
            | Self::Byte(_, next)
            | Self::Begin(_, next)
            | Self::End(_, next)
            | Self::TextBegin(next)
            | Self::TextEnd(next) => each(next),
            Self::Either(left, right) => {
                each(left);
                each(right);
            }
            Self::Repeat { body, next, .. } => {
                each(body);
                each(next);
            }
        }
    }
}

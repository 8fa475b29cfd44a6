//! Trying an expression on a text.

use super::parse::Regex;
use super::{ByteSet, Step};
use rustc_hash::FxHashMap;

/// Where groups matched: start and end, for each from 1; the whole match is the first.
pub type Groups = Vec<Option<(usize, usize)>>;

/// The outcome of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A match.
    Match(Groups),
    /// None.
    Nothing,
    /// To find out would take too much memory.
    TooLarge,
}

/// Asked now and then with the bytes that a search holds; when it fails, so does the search.
pub type Check<'c, E> = &'c mut dyn FnMut(usize) -> Result<(), E>;

/// Trials, or places where a match may begin, between two questions.
const TRIALS_BETWEEN_CHECKS: usize = 1024;

/// Bytes of an entry of what waits or is remembered, about.
const ENTRY_BYTES: usize = 64;

/// The whole text, or what begins at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Prefix,
}

/// Trials before failures are remembered: most searches never need it.
const TRIALS_WITHOUT_MEMORY: usize = 4_096;

/// The most that is remembered, and the most that waits, in entries of some 32 bytes.
const MOST_ENTRIES: usize = 16 << 20;

impl Regex {
    /// Matches the whole of a text.
    pub fn matches<E>(&self, text: &[u8], check: Check<'_, E>) -> Result<Found, E> {
        self.trial(text, 0, Extent::Whole, false, check)
    }

    /// The first match in a text that begins at `start` or later. `is_empty_allowed` is whether it may be empty where it begins at
    /// `start`; if not, there has to be one just there, or the next place is tried, as a C++ iterator over matches does.
    pub fn find<E>(
        &self,
        text: &[u8],
        start: usize,
        is_empty_allowed: bool,
        check: Check<'_, E>,
    ) -> Result<Found, E> {
        let mut begin = start;
        if !is_empty_allowed {
            match self.trial(text, begin, Extent::Prefix, true, check)? {
                Found::Nothing => begin += 1,
                found => return Ok(found),
            }
        }
        while begin <= text.len() {
            if (begin - start) % TRIALS_BETWEEN_CHECKS == TRIALS_BETWEEN_CHECKS - 1 {
                check(0)?;
            }
            if let Some(first) = &self.first {
                match text[begin..].iter().position(|&byte| first[usize::from(byte)]) {
                    Some(distance) => begin += distance,
                    None => return Ok(Found::Nothing),
                }
            }
            match self.trial(text, begin, Extent::Prefix, false, check)? {
                Found::Nothing => begin += 1,
                found => return Ok(found),
            }
        }
        Ok(Found::Nothing)
    }

    fn trial<E>(
        &self,
        text: &[u8],
        begin: usize,
        extent: Extent,
        needs_bytes: bool,
        check: Check<'_, E>,
    ) -> Result<Found, E> {
        let mut trial = Trial {
            regex: self,
            text,
            begin,
            extent,
            needs_bytes,
            groups: vec![Group::default(); self.groups as usize],
            counts: vec![(usize::MAX, 0); self.repeats as usize],
            waiting: Vec::new(),
            has_solution: false,
            best: None,
            known: None,
            trials: 0,
        };
        let is_done = trial.run(check)? || {
            trial.groups.fill(Group::default());
            trial.counts.fill((usize::MAX, 0));
            trial.waiting.clear();
            trial.best = None;
            trial.known = Some(FxHashMap::default());
            trial.run(check)?
        };
        Ok(match (is_done, trial.best) {
            (false, _) => Found::TooLarge,
            (true, None) => Found::Nothing,
            (true, Some((end, groups))) => {
                let found =
                    groups.iter().skip(1).map(|group| group.has_matched.then_some((group.start, group.end)));
                Found::Match(std::iter::once(Some((begin, end))).chain(found).collect())
            }
        })
    }
}

#[derive(Clone, Copy, Default)]
struct Group {
    start: usize,
    end: usize,
    has_matched: bool,
}

/// A step at a place, and how often each repetition has been entered there already.
type Situation = (u32, usize, Vec<(u32, u8)>);

/// What remains to be done, innermost last.
enum Waiting {
    GroupStart(u32, usize),
    Group(u32, Group),
    Count(u32, (usize, u8)),
    /// Unless there is a solution: on from here.
    Unless(u32, usize),
    /// The same with each place back to the first.
    Run {
        next: u32,
        first: usize,
        last: usize,
    },
    /// The other alternative.
    Other(u32, usize),
    /// Whether the first alternative had a solution.
    Join(bool),
    /// What is known now.
    Known(Situation),
}

struct Trial<'r, 't> {
    regex: &'r Regex,
    text: &'t [u8],
    begin: usize,
    extent: Extent,
    needs_bytes: bool,
    groups: Vec<Group>,
    /// Where each repetition was entered last, and how often there.
    counts: Vec<(usize, u8)>,
    waiting: Vec<Waiting>,
    /// Whether the last trial that ended has led to a match.
    has_solution: bool,
    /// The longest, of those the first.
    best: Option<(usize, Vec<Group>)>,
    known: Option<FxHashMap<Situation, bool>>,
    trials: usize,
}

impl Trial<'_, '_> {
    /// Tries everything. False if that was given up.
    fn run<E>(&mut self, check: Check<'_, E>) -> Result<bool, E> {
        let mut turns = 0_usize;
        self.follow(self.regex.start, self.begin);
        while let Some(waiting) = self.waiting.pop() {
            match waiting {
                Waiting::GroupStart(group, start) => self.groups[group as usize].start = start,
                Waiting::Group(group, old) => self.groups[group as usize] = old,
                Waiting::Count(number, old) => self.counts[number as usize] = old,
                Waiting::Unless(next, place) => {
                    if !self.has_solution {
                        self.follow(next, place);
                    }
                }
                Waiting::Run { next, first, last } => {
                    if !self.has_solution {
                        if last > first {
                            self.waiting.push(Waiting::Run { next, first, last: last - 1 });
                        }
                        self.follow(next, last);
                    }
                }
                Waiting::Other(next, place) => {
                    self.waiting.push(Waiting::Join(self.has_solution));
                    self.follow(next, place);
                }
                Waiting::Join(had_solution) => self.has_solution |= had_solution,
                Waiting::Known(situation) => {
                    if let Some(known) = &mut self.known {
                        known.insert(situation, self.has_solution);
                    }
                }
            }
            turns += 1;
            let entries = self.waiting.len() + self.known.as_ref().map_or(0, FxHashMap::len);
            if entries > MOST_ENTRIES || (self.known.is_none() && self.trials > TRIALS_WITHOUT_MEMORY) {
                return Ok(false);
            }
            if turns.is_multiple_of(TRIALS_BETWEEN_CHECKS) {
                check(entries * ENTRY_BYTES)?;
            }
        }
        Ok(true)
    }

    /// Goes from a step as far as there is no choice.
    fn follow(&mut self, mut step: u32, mut place: usize) {
        self.has_solution = false;
        loop {
            match self.regex.steps[step as usize] {
                Step::Accept => return self.accept(place),
                Step::Skip(next) => step = next,
                Step::Byte(set, next) => {
                    if !self.has(&self.regex.sets[set as usize], place) {
                        return;
                    }
                    place += 1;
                    step = next;
                }
                Step::Begin(group, next) => {
                    let group_now = &mut self.groups[group as usize];
                    self.waiting.push(Waiting::GroupStart(group, group_now.start));
                    group_now.start = place;
                    step = next;
                }
                Step::End(group, next) => {
                    let group_now = &mut self.groups[group as usize];
                    self.waiting.push(Waiting::Group(group, *group_now));
                    group_now.end = place;
                    group_now.has_matched = true;
                    step = next;
                }
                Step::TextBegin(next) if place == 0 => step = next,
                Step::TextEnd(next) if place == self.text.len() => step = next,
                Step::TextBegin(_) | Step::TextEnd(_) => return,
                Step::Either(left, right) => {
                    if self.is_known(step, place) {
                        return;
                    }
                    self.waiting.push(Waiting::Other(right, place));
                    step = left;
                }
                Step::Repeat { body, next, number } => {
                    if self.is_known(step, place) {
                        return;
                    }
                    let (last, times) = self.counts[number as usize];
                    let times = if last == place { times } else { 0 };
                    if times >= 2 {
                        step = next;
                        continue;
                    }
                    if let Step::Byte(set, after) = self.regex.steps[body as usize]
                        && after == step
                    {
                        let set = &self.regex.sets[set as usize];
                        let end = place
                            + self.text[place..].iter().take_while(|&&byte| set[usize::from(byte)]).count();
                        if end > place {
                            self.waiting.push(Waiting::Run { next, first: place, last: end - 1 });
                        }
                        (step, place) = (next, end);
                        continue;
                    }
                    self.waiting.push(Waiting::Unless(next, place));
                    self.waiting.push(Waiting::Count(number, (last, self.counts[number as usize].1)));
                    self.counts[number as usize] = (place, times + 1);
                    step = body;
                }
            }
        }
    }

    fn has(&self, set: &ByteSet, place: usize) -> bool {
        self.text.get(place).is_some_and(|&byte| set[usize::from(byte)])
    }

    fn accept(&mut self, place: usize) {
        let is_long_enough = match self.extent {
            Extent::Whole => place == self.text.len(),
            Extent::Prefix => !self.needs_bytes || place > self.begin,
        };
        if !is_long_enough {
            return;
        }
        self.has_solution = true;
        if self.best.as_ref().is_none_or(|(end, _)| *end < place) {
            self.best = Some((place, self.groups.clone()));
        }
    }

    /// Whether it was tried before what follows from here; a second trial finds no longer match than the first. If not, it
    /// will be known once it has been tried.
    fn is_known(&mut self, step: u32, place: usize) -> bool {
        self.trials += 1;
        let Some(known) = &self.known else { return false };
        let here = (0..).zip(&self.counts).filter(|(_, (last, times))| *last == place && *times > 0);
        let situation = (step, place, here.map(|(number, (_, times))| (number, *times)).collect());
        if let Some(&had_solution) = known.get(&situation) {
            self.has_solution = had_solution;
            return true;
        }
        self.waiting.push(Waiting::Known(situation));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(regex: &str, text: &str) -> Option<Vec<Option<String>>> {
        let mut never = |_| Ok::<_, std::convert::Infallible>(());
        match Regex::parse(regex.as_bytes()).unwrap().matches(text.as_bytes(), &mut never).unwrap() {
            Found::Match(groups) => {
                let shown =
                    |group: &Option<(usize, usize)>| group.map(|(start, end)| text[start..end].to_owned());
                Some(groups.iter().skip(1).map(shown).collect())
            }
            Found::Nothing => None,
            Found::TooLarge => panic!("too large"),
        }
    }

    #[test]
    fn groups_hold_what_they_matched_last() {
        let some = |texts: &[&str]| Some(texts.iter().map(|text| Some((*text).to_owned())).collect());
        assert_eq!(matched("(a|ab)(c|bcd)(d*)", "abcd"), some(&["a", "bcd", ""]));
        assert_eq!(matched("(a|b*)*", "ab"), some(&[""]));
        assert_eq!(matched("((a)|b)*", "ab"), some(&["b", "a"]));
        assert_eq!(matched("(x)?y", "y"), Some(vec![None]));
        assert_eq!(matched("(a{2}){2}", "aaaa"), some(&["aa"]));
    }

    #[test]
    fn nested_repetitions_take_no_exponential_time() {
        for regex in
            ["(a*)*b", "(a|a)*b", "(a?){50}a{50}b", "((a*)*)*b", "(a*a*a*a*)*b", "(.*)(.*)(.*)(.*)(.*)[c]"]
        {
            assert_eq!(matched(regex, &"a".repeat(200)), None, "{regex}");
        }
    }

    #[test]
    fn a_long_text_is_matched_without_recursion() {
        let text = "ab".repeat(200_000);
        assert!(matched("(a|b)*", &text).is_some());
        assert!(matched("((a|b)*c)?(ab)*", &text).is_some());
    }
}

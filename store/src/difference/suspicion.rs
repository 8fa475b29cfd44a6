//! Guesses at why two builds differ, from the bytes that do and from what more builds told.

use super::content::{ContentDifference, Place, Reordered};
use super::{Comparison, FileDifferenceKind};
use crate::check::{CLOCKS_AHEAD, DAY_AHEAD, Isolated, OTHER_HOST, PADDING, Variation};
use bstr::ByteSlice;
use std::fmt;
use std::time::SystemTime;

/// What a difference may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The time of day, or a clock.
    Time,
    /// The order in which something is listed or ends.
    Order,
    /// Where something lies.
    Path,
    /// Random numbers, or addresses in memory.
    Randomness,
    /// How many cores there are.
    Cores,
    /// The umask.
    Umask,
    /// The host's name.
    HostName,
    /// Language or time zone.
    Locale,
    /// The environment.
    Environment,
}

impl Cause {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Order => "order",
            Self::Path => "path",
            Self::Randomness => "randomness",
            Self::Cores => "cores",
            Self::Umask => "umask",
            Self::HostName => "host name",
            Self::Locale => "locale",
            Self::Environment => "environment",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A cause, and why it is suspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The cause.
    pub cause: Cause,
    /// What speaks for it.
    pub because: String,
}

/// What is known of a second build.
pub struct Witness<'a> {
    /// When it began.
    pub began_at: SystemTime,
    /// When it ended.
    pub ended_at: SystemTime,
    /// What more builds told.
    pub isolated: &'a Isolated,
}

/// Guesses, the most certain first, each cause once.
pub fn suspicions(comparison: &Comparison, witness: &Witness<'_>) -> Vec<Suspicion> {
    let mut found: Vec<Suspicion> = Vec::new();
    let mut add = |cause, because: String| {
        if !found.iter().any(|suspicion| suspicion.cause == cause) {
            found.push(Suspicion { cause, because });
        }
    };
    if let Isolated::Variations(variations) = witness.isolated {
        for variation in variations {
            add(cause_of(*variation), format!("varying `{}` alone makes it differ", variation.name()));
        }
        return found;
    }
    for file in &comparison.files {
        if let FileDifferenceKind::Content(content) = &file.kind {
            of_content(content, witness, &mut add);
        }
    }
    if found.is_empty() && *witness.isolated == Isolated::Unstable {
        let because = "it differs from build to build even when nothing is varied, and not by a time".into();
        found.push(Suspicion { cause: Cause::Randomness, because });
    }
    found
}

const fn cause_of(variation: Variation) -> Cause {
    match variation {
        Variation::Cores => Cause::Cores,
        Variation::Clocks | Variation::Day => Cause::Time,
        Variation::Umask => Cause::Umask,
        Variation::HostName => Cause::HostName,
        Variation::Locale => Cause::Locale,
        Variation::Environment => Cause::Environment,
        Variation::WorkingOrder | Variation::InputOrder => Cause::Order,
    }
}

fn of_content(content: &ContentDifference, witness: &Witness<'_>, add: &mut impl FnMut(Cause, String)) {
    for place in &content.places {
        if let Some(because) = time_in(place, witness) {
            add(Cause::Time, because);
        }
        if place.second.contains_str(OTHER_HOST) && !place.first.contains_str(OTHER_HOST) {
            add(Cause::HostName, format!("it has the name of the host, `{OTHER_HOST}`"));
        }
        if place.second.contains_str(PADDING) && !place.first.contains_str(PADDING) {
            add(Cause::Environment, format!("it has the variable `{PADDING}`"));
        }
        if place.inside.last().is_some_and(|part| part.ends_with(": mode")) {
            add(Cause::Umask, format!("it is {}", place.inside[place.inside.len() - 1]));
        }
        let has_path =
            |bytes: &[u8]| ["/build/", "/tmp/", "/proc/"].iter().any(|path| bytes.contains_str(path));
        if has_path(&place.first) && has_path(&place.second) {
            add(Cause::Path, "it has paths of working files".into());
        }
    }
    if let Some(reordered) = content.reordered {
        let what = match reordered {
            Reordered::Members => "members",
            Reordered::Lines => "lines",
            Reordered::Words => "words",
            Reordered::Bytes => "bytes",
        };
        add(Cause::Order, format!("both have the same {what} in another order"));
    }
}

/// A time of the second build in what is its alone, in one of the usual forms.
fn time_in(place: &Place, witness: &Witness<'_>) -> Option<String> {
    if let Some(part) = place.inside.last().filter(|part| part.ends_with("time stamp")) {
        return Some(format!("it is {part}"));
    }
    let seconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    // The second build's own second, and those around it.
    let (begin, end) = (seconds(witness.began_at).saturating_sub(2), seconds(witness.ended_at) + 2);
    // As the host has it, or as the second build sees it.
    let is_now = |found: u64| {
        [0, DAY_AHEAD.as_secs()].iter().any(|ahead| (begin + ahead..=end + ahead).contains(&found))
    };
    if numbers(&place.second)
        .any(|number| is_now(number) || is_now(number / 1000) || is_now(number / 1_000_000_000))
    {
        return Some("it has the seconds since 1970 of the second build".into());
    }
    // Where the first has one number and the second another, which is as much later as its clocks were, and a day at most.
    let ahead = CLOCKS_AHEAD.as_secs();
    let mut pairs = numbers(&place.first).zip(numbers(&place.second));
    if pairs.any(|(first, second)| first < ahead && (first + ahead..first + ahead + 86_400).contains(&second))
    {
        return Some("it has the seconds since the machine's start".into());
    }
    for four in place.second.windows(4) {
        let four: [u8; 4] = four.try_into().expect("a window of four has four bytes");
        if is_now(u32::from_le_bytes(four).into()) || is_now(u32::from_be_bytes(four).into()) {
            return Some("it has the seconds since 1970 of the second build, in four bytes".into());
        }
    }
    let clock = |bytes: &[u8]| {
        bytes.windows(8).any(|found| {
            found[2] == b':'
                && found[5] == b':'
                && [0, 1, 3, 4, 6, 7].iter().all(|&place: &usize| found[place].is_ascii_digit())
        })
    };
    (clock(&place.first) && clock(&place.second)).then(|| "it has a time of day".into())
}

/// The decimal numbers in a text.
fn numbers(text: &[u8]) -> impl Iterator<Item = u64> {
    let digits = text.split(|byte| !byte.is_ascii_digit());
    digits.filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::difference::FileDifference;
    use std::time::Duration;

    const NOW: u64 = 1_790_000_000;

    fn causes(first: &[u8], second: &[u8], inside: &[&str], isolated: &Isolated) -> Vec<Cause> {
        let place = Place {
            offset: 0,
            inside: inside.iter().map(ToString::to_string).collect(),
            first: first.into(),
            second: second.into(),
        };
        let content = ContentDifference {
            first_bytes: 1,
            second_bytes: 1,
            differing_bytes: None,
            reordered: None,
            places: vec![place],
            has_more: false,
        };
        let file = FileDifference { path: "x".into(), kind: FileDifferenceKind::Content(content) };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let witness = Witness { began_at: now, ended_at: now, isolated };
        let comparison = Comparison { files: vec![file], more: 0 };
        suspicions(&comparison, &witness).into_iter().map(|suspicion| suspicion.cause).collect()
    }

    #[test]
    fn times_are_known_in_several_forms() {
        let text = format!("built {NOW}");
        let ahead = format!("built {}", NOW + DAY_AHEAD.as_secs());
        for second in
            [text.as_bytes(), ahead.as_bytes(), &(NOW as u32).to_le_bytes(), &(NOW as u32).to_be_bytes()]
        {
            assert_eq!(causes(b"?", second, &[], &Isolated::NotTried), [Cause::Time]);
        }
        assert_eq!(causes(b"at 12:00:00", b"at 12:00:01", &[], &Isolated::NotTried), [Cause::Time]);
        assert_eq!(causes(b"up 1234.5", b"up 86401250.5", &[], &Isolated::NotTried), [Cause::Time]);
        assert_eq!(causes(b"1", b"2", &["member `x`: time stamp"], &Isolated::NotTried), [Cause::Time]);
        assert!(causes(b"1000000000", b"1000000001", &[], &Isolated::NotTried).is_empty());
    }

    #[test]
    fn what_more_builds_told_comes_before_guesses() {
        let alone = Isolated::Variations(vec![Variation::InputOrder]);
        assert_eq!(causes(b"at 12:00:00", b"at 12:00:01", &[], &alone), [Cause::Order]);
        assert_eq!(causes(b"ab", b"xy", &[], &Isolated::Unstable), [Cause::Randomness]);
    }

    #[test]
    fn names_and_paths_are_known() {
        assert_eq!(causes(b"on localhost", b"on elsewhere", &[], &Isolated::NotTried), [Cause::HostName]);
        assert_eq!(causes(b"/tmp/a1", b"/tmp/b2", &[], &Isolated::NotTried), [Cause::Path]);
    }
}

//! Days of the civil calendar, as `trust.toml` has them: `2027-01-01`, from its first second in UTC.

use serde::Deserialize;
use std::fmt;
use std::time::{Duration, SystemTime};

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// Puts a day together; `None` if there is no such day, or if it is before 1970.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            2 => 28 + u8::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (year >= 1970 && (1..=last).contains(&day)).then_some(Self { year, month, day })
    }

    /// Its first moment.
    pub fn begin(self) -> SystemTime {
        // Years that begin in March put the leap day last; 719,468 days lie between their year 0 and 1970.
        let (year, month) = (u64::from(self.year), u64::from(self.month));
        let year = if month <= 2 { year - 1 } else { year };
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + u64::from(self.day) - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468;
        SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = toml::value::Datetime::deserialize(deserializer)?;
        let bad =
            || serde::de::Error::custom(format!("`{found}` is not a day; expected one such as 2027-01-01"));
        match (found.date, found.time, found.offset) {
            (Some(date), None, None) => Self::new(date.year, date.month, date.day).ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_when_the_calendar_says() {
        for ((year, month, day), seconds) in [
            ((1970, 1, 1), 0),
            ((1972, 2, 29), 68_169_600),
            ((2000, 3, 1), 951_868_800),
            ((2027, 1, 1), 1_798_761_600),
            ((2100, 12, 31), 4_133_894_400),
        ] {
            let begin = Date::new(year, month, day).unwrap().begin();
            assert_eq!(begin.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), seconds);
        }
    }

    #[test]
    fn days_that_are_not_in_the_calendar_are_refused() {
        for (year, month, day) in
            [(2027, 2, 29), (2100, 2, 29), (2027, 13, 1), (2027, 0, 1), (2027, 4, 31), (1969, 1, 1)]
        {
            assert_eq!(Date::new(year, month, day), None);
        }
    }
}

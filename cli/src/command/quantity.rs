//! Sizes and ages as people write and read them.

use std::time::Duration;

/// Reads `4096`, `64K`, `500M`, `2G` or `1T`: bytes, in multiples of 1024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no size; expected bytes, or a number with K, M, G or T");
    let (digits, unit) = split(text);
    let power = match unit {
        "" | "B" => 0,
        "K" | "KiB" => 1,
        "M" | "MiB" => 2,
        "G" | "GiB" => 3,
        "T" | "TiB" => 4,
        _ => return Err(expected()),
    };
    let number: u64 = digits.parse().map_err(|_| expected())?;
    number.checked_mul(1 << (10 * power)).ok_or_else(expected)
}

/// Reads `45s`, `90m`, `12h` or `30d`.
pub fn age(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is no age; expected a number with s, m, h or d");
    let (digits, unit) = split(text);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(expected()),
    };
    let number: u64 = digits.parse().map_err(|_| expected())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(expected)
}

/// Shows a size in bytes: `512 B`, `3.4 MiB`.
pub fn show_bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_read_and_nonsense_is_refused() {
        assert_eq!(bytes("500M"), Ok(500 << 20));
        assert_eq!(bytes("12"), Ok(12));
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86400)));
        for text in ["", "M", "5X", "99999999999T", "-1"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(age("5").is_err() && age("d").is_err());
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!([0, 1023, 1024, 3_565_158].map(show_bytes), ["0 B", "1023 B", "1.0 KiB", "3.4 MiB"]);
    }
}

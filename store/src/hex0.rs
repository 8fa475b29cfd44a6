//! `builtin:hex0`: turns hex digits into the seed, the one program that nothing else builds.
//!
//! The text is read as the seed itself reads it, but strictly: two hex digits a byte, blanks and line ends between
//! them, `#` to the end of a line. Anything else is an error here.

/// Why a text is no program in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hex0Error {
    /// Neither a hex digit, a blank, nor in a comment.
    #[error("line {line} has `{}`; expected hex digits, blanks and comments that begin with `#`", .found.escape_ascii())]
    BadCharacter {
        /// Counted from 1.
        line: usize,
        /// The byte found.
        found: u8,
    },
    /// The last byte has one digit only.
    #[error("the number of hex digits is odd")]
    OddDigits,
}

/// Decodes hex0.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Hex0Error> {
    let mut bytes = Vec::new();
    let mut high = None;
    for (line, text) in text.split(|&byte| byte == b'\n').enumerate() {
        let code = text.split(|&byte| byte == b'#').next().unwrap_or_default();
        for &found in code {
            if matches!(found, b' ' | b'\t' | b'\r') {
                continue;
            }
            let digit = (found as char).to_digit(16).map(|digit| digit as u8);
            let digit = digit.ok_or(Hex0Error::BadCharacter { line: line + 1, found })?;
            match high.take() {
                None => high = Some(digit << 4),
                Some(high) => bytes.push(high | digit),
            }
        }
    }
    if high.is_some() { Err(Hex0Error::OddDigits) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_bytes_and_comments_nothing() {
        assert_eq!(decode(b"7f 45 # ELF\n\n4C4\n6 # F"), Ok(b"\x7fELF".to_vec()));
        assert_eq!(decode(b""), Ok(vec![]));
    }

    #[test]
    fn what_the_seed_would_guess_at_is_refused() {
        assert_eq!(decode(b"00\n0g"), Err(Hex0Error::BadCharacter { line: 2, found: b'g' }));
        assert_eq!(decode(b"000"), Err(Hex0Error::OddDigits));
    }
}

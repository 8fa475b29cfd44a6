//! What stands between brackets: `[^a-z[:digit:]]`.

use super::ByteSet;
use super::parse::RegexError;

/// POSIX's names of the characters that don't name themselves, by code.
const NAMES: [&str; 128] = [
    "NUL",
    "SOH",
    "STX",
    "ETX",
    "EOT",
    "ENQ",
    "ACK",
    "alert",
    "backspace",
    "tab",
    "newline",
    "vertical-tab",
    "form-feed",
    "carriage-return",
    "SO",
    "SI",
    "DLE",
    "DC1",
    "DC2",
    "DC3",
    "DC4",
    "NAK",
    "SYN",
    "ETB",
    "CAN",
    "EM",
    "SUB",
    "ESC",
    "IS4",
    "IS3",
    "IS2",
    "IS1",
    "space",
    "exclamation-mark",
    "quotation-mark",
    "number-sign",
    "dollar-sign",
    "percent-sign",
    "ampersand",
    "apostrophe",
    "left-parenthesis",
    "right-parenthesis",
    "asterisk",
    "plus-sign",
    "comma",
    "hyphen",
    "period",
    "slash",
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "colon",
    "semicolon",
    "less-than-sign",
    "equals-sign",
    "greater-than-sign",
    "question-mark",
    "commercial-at",
    "A",
    "B",
    "C",
    "D",
    "E",
    "F",
    "G",
    "H",
    "I",
    "J",
    "K",
    "L",
    "M",
    "N",
    "O",
    "P",
    "Q",
    "R",
    "S",
    "T",
    "U",
    "V",
    "W",
    "X",
    "Y",
    "Z",
    "left-square-bracket",
    "backslash",
    "right-square-bracket",
    "circumflex",
    "underscore",
    "grave-accent",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
    "i",
    "j",
    "k",
    "l",
    "m",
    "n",
    "o",
    "p",
    "q",
    "r",
    "s",
    "t",
    "u",
    "v",
    "w",
    "x",
    "y",
    "z",
    "left-curly-bracket",
    "vertical-line",
    "right-curly-bracket",
    "tilde",
    "DEL",
];

/// What the last part was, since a `-` may follow it or not.
#[derive(Clone, Copy)]
enum Last {
    Nothing,
    Byte(u8),
    Class,
}

/// A part.
enum Token {
    Byte(u8),
    Dash,
    Symbol(u8),
    Equivalent(u8),
    Class(fn(u8) -> bool),
    End,
}

/// Reads from after the opening bracket to after the closing one.
pub(super) fn bracket(text: &[u8], offset: &mut usize) -> Result<ByteSet, RegexError> {
    let is_negated = text.get(*offset) == Some(&b'^');
    *offset += usize::from(is_negated);
    let mut reader = Reader { text, offset: *offset, is_first: true };
    let mut set = [false; 256];
    let mut last = Last::Nothing;
    let add = |set: &mut ByteSet, last: Last| {
        if let Last::Byte(byte) = last {
            set[usize::from(byte)] = true;
        }
    };
    let mut is_first = true;
    loop {
        let token = reader.token()?;
        let was_first = std::mem::take(&mut is_first);
        match token {
            Token::End => break,
            Token::Byte(byte) | Token::Symbol(byte) => {
                add(&mut set, last);
                last = Last::Byte(byte);
            }
            Token::Equivalent(byte) => {
                add(&mut set, last);
                set[usize::from(byte.to_ascii_lowercase())] = true;
                set[usize::from(byte.to_ascii_uppercase())] = true;
                last = Last::Class;
            }
            Token::Class(has) => {
                add(&mut set, last);
                (0..=255).filter(|&byte| has(byte)).for_each(|byte| set[usize::from(byte)] = true);
                last = Last::Class;
            }
            Token::Dash if was_first => last = Last::Byte(b'-'),
            Token::Dash => match (reader.token()?, last) {
                (Token::End, _) => {
                    add(&mut set, last);
                    last = Last::Byte(b'-');
                    break;
                }
                (Token::Byte(end), Last::Byte(start)) => {
                    range(&mut set, start, end)?;
                    last = Last::Nothing;
                }
                (Token::Dash, Last::Byte(start)) => {
                    range(&mut set, start, b'-')?;
                    last = Last::Nothing;
                }
                _ => return Err(RegexError::Range),
            },
        }
    }
    add(&mut set, last);
    *offset = reader.offset;
    Ok(set.map(|is_in| is_in != is_negated))
}

/// Bytes are ordered as signed numbers there, so that a range can't end in a letter beyond ASCII.
fn range(set: &mut ByteSet, start: u8, end: u8) -> Result<(), RegexError> {
    let (start, end) = (start.cast_signed(), end.cast_signed());
    if start > end {
        return Err(RegexError::Range);
    }
    (start..=end).for_each(|byte| set[usize::from(byte.cast_unsigned())] = true);
    Ok(())
}

struct Reader<'t> {
    text: &'t [u8],
    offset: usize,
    is_first: bool,
}

impl Reader<'_> {
    fn token(&mut self) -> Result<Token, RegexError> {
        let is_first = std::mem::take(&mut self.is_first);
        let byte = *self.text.get(self.offset).ok_or(RegexError::Bracket)?;
        self.offset += 1;
        Ok(match byte {
            b'-' => Token::Dash,
            b']' if !is_first => Token::End,
            b'[' => match self.text.get(self.offset) {
                None => return Err(RegexError::Bracket),
                Some(&kind @ (b'.' | b':' | b'=')) => {
                    let name = self.name(kind)?;
                    match kind {
                        b':' => Token::Class(class(&name).ok_or(RegexError::Class)?),
                        b'.' => Token::Symbol(symbol(&name)?),
                        _ => Token::Equivalent(symbol(&name)?),
                    }
                }
                Some(_) => Token::Byte(byte),
            },
            other => Token::Byte(other),
        })
    }

    /// What stands between `[:` and `:]`.
    fn name(&mut self, kind: u8) -> Result<String, RegexError> {
        let rest = &self.text[self.offset + 1..];
        let length = rest.iter().position(|&byte| byte == kind).ok_or(RegexError::Class)?;
        if rest.get(length + 1) != Some(&b']') {
            return Err(RegexError::Class);
        }
        self.offset += length + 3;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }
}

fn symbol(name: &str) -> Result<u8, RegexError> {
    let place = NAMES.iter().position(|known| *known == name);
    place.and_then(|place| u8::try_from(place).ok()).ok_or(RegexError::Class)
}

/// Outside of ASCII no byte is in any class.
fn class(name: &str) -> Option<fn(u8) -> bool> {
    Some(match name.to_ascii_lowercase().as_str() {
        "d" | "digit" => |byte| byte.is_ascii_digit(),
        "w" => |byte| byte.is_ascii_alphanumeric() || byte == b'_',
        "s" | "space" => |byte| byte.is_ascii_whitespace() || byte == 0x0b,
        "alnum" => |byte| byte.is_ascii_alphanumeric(),
        "alpha" => |byte| byte.is_ascii_alphabetic(),
        "blank" => |byte| byte == b' ' || byte == b'\t',
        "cntrl" => |byte| byte.is_ascii_control(),
        "graph" => |byte| byte.is_ascii_graphic(),
        "lower" => |byte| byte.is_ascii_lowercase(),
        "print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        "punct" => |byte| byte.is_ascii_punctuation(),
        "upper" => |byte| byte.is_ascii_uppercase(),
        "xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

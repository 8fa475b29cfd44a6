//! A second assembler for hex0 and hexm, strict where the bootstrap's own are lax.
//!
//! hexm knows a name by a 16-bit hash and takes any character for a digit; it cannot see a name that is
//! defined twice, never, or confused with another. This one keeps the names and refuses all of that, so
//! that a text it takes means what it says, and must give the bytes that the seed and hexm give.

use std::collections::BTreeMap;

use crate::harness::Test;

/// Where hexm's programs start, and run.
const ORIGIN: usize = 0x1000_1000;
/// What hexm has room for, in bytes: of program, and of text.
const PROGRAM_LIMIT: usize = 0x10_0000 - 0x1000;
const TEXT_LIMIT: usize = 0x70_0000;

/// Decodes hex0: pairs of upper-case digits, blanks between pairs only, `#` comments.
pub fn hex0(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.split('#').next().unwrap_or_default();
        for token in code.split(' ').filter(|token| !token.is_empty()) {
            bytes.extend(digits(token).map_err(|error| format!("line {}: {error}", index + 1))?);
        }
    }
    Ok(bytes)
}

fn digits(token: &str) -> Result<Vec<u8>, String> {
    if !token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) {
        return Err(format!("`{token}` is not made of the digits 0 to 9 and A to F"));
    }
    if !token.len().is_multiple_of(2) {
        return Err(format!("`{token}` has an odd number of digits"));
    }
    let value = |digit: u8| if digit <= b'9' { digit - b'0' } else { digit - b'A' + 10 };
    Ok(token.as_bytes().chunks(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect())
}

/// A part of the program, when every word has been replaced by its body.
#[derive(Clone)]
enum Piece {
    Bytes(Vec<u8>),
    /// The label's address, 4 bytes.
    Absolute(String),
    /// The label's address less that of the byte after these 4.
    Relative(String),
}

/// Assembles hexm's language, all words and labels by their full names.
pub fn hexm(text: &str) -> Result<Vec<u8>, String> {
    if text.len() >= TEXT_LIMIT {
        return Err(format!("the text has {} bytes, hexm takes fewer than {TEXT_LIMIT}", text.len()));
    }
    let mut names = Names::default();
    let mut words: BTreeMap<String, Vec<Piece>> = BTreeMap::new();
    let mut labels: BTreeMap<String, usize> = BTreeMap::new();
    let mut program: Vec<(usize, Piece)> = Vec::new();
    let mut length = 0;
    for (index, line) in text.lines().enumerate() {
        let at_line = |error: String| format!("line {}: {error}", index + 1);
        if let Some(bad) = line.chars().find(|character| !matches!(character, ' '..='~')) {
            return Err(at_line(format!("{bad:?} is no printable ASCII character")));
        }
        let mut tokens = line
            .split(' ')
            .filter(|token| !token.is_empty())
            .take_while(|token| !token.starts_with('#'))
            .peekable();
        if let Some(name) = tokens.peek().and_then(|token| token.strip_prefix('=')) {
            names.define(name).map_err(at_line)?;
            tokens.next();
            let mut body = Vec::new();
            for token in tokens {
                body.extend(pieces(token, &words).map_err(at_line)?);
            }
            words.insert(name.to_owned(), body);
            continue;
        }
        for token in tokens {
            if let Some(name) = token.strip_prefix(':') {
                names.define(name).map_err(at_line)?;
                labels.insert(name.to_owned(), ORIGIN + length);
                continue;
            }
            for piece in pieces(token, &words).map_err(at_line)? {
                length += if let Piece::Bytes(bytes) = &piece { bytes.len() } else { 4 };
                program.push((index + 1, piece));
            }
        }
    }
    if length >= PROGRAM_LIMIT {
        return Err(format!("the program has {length} bytes, hexm makes fewer than {PROGRAM_LIMIT}"));
    }
    link(program, &labels)
}

fn pieces(token: &str, words: &BTreeMap<String, Vec<Piece>>) -> Result<Vec<Piece>, String> {
    let rest = &token[1..];
    Ok(match token.as_bytes()[0] {
        b'"' => vec![Piece::Bytes(rest.into())],
        b'%' => vec![Piece::Relative(rest.to_owned())],
        b'&' => vec![Piece::Absolute(rest.to_owned())],
        b'a'..=b'z' => words.get(token).ok_or_else(|| format!("word `{token}` isn't defined above"))?.clone(),
        _ => vec![Piece::Bytes(digits(token)?)],
    })
}

fn link(program: Vec<(usize, Piece)>, labels: &BTreeMap<String, usize>) -> Result<Vec<u8>, String> {
    let mut bytes: Vec<u8> = Vec::new();
    for (line, piece) in program {
        let after = ORIGIN + bytes.len() + 4;
        let address = |name: &String| {
            labels.get(name).copied().ok_or_else(|| format!("line {line}: label `{name}` isn't defined"))
        };
        let value = match &piece {
            Piece::Bytes(literal) => {
                bytes.extend(literal);
                continue;
            }
            Piece::Absolute(name) => address(name)?,
            Piece::Relative(name) => address(name)?.wrapping_sub(after),
        };
        bytes.extend(&value.to_le_bytes()[..4]);
    }
    Ok(bytes)
}

/// Words and labels together, as hexm keeps them: by hash.
#[derive(Default)]
struct Names(BTreeMap<u16, String>);

impl Names {
    fn define(&mut self, name: &str) -> Result<(), String> {
        let hash = name.bytes().fold(0u16, |hash, byte| hash.wrapping_mul(31).wrapping_add(u16::from(byte)));
        match self.0.insert(hash, name.to_owned()) {
            _ if name.is_empty() => Err("a name is empty".into()),
            None => Ok(()),
            Some(other) if other == name => Err(format!("`{name}` is defined twice")),
            Some(other) => Err(format!("`{name}` and `{other}` have the same hash, {hash:04x}")),
        }
    }
}

/// Returns the tests of this assembler itself: what it must refuse, and a text done by hand.
pub fn tests() -> Vec<Test> {
    vec![
        Test {
            name: "bootstrap: the independent assembler refuses what hexm wouldn't notice",
            requires: &[],
            run: unnoticed_faults_are_refused,
        },
        Test {
            name: "bootstrap: the independent assembler gives the bytes worked out by hand",
            requires: &[],
            run: known_bytes_come_out,
        },
    ]
}

fn unnoticed_faults_are_refused() -> Result<(), String> {
    let texts = [
        (":a 00\n:a 01\n", "`a` is defined twice"),
        ("=ab 00\n=ab 01\n", "`ab` is defined twice"),
        ("=ab 00\n:ab 01\n", "`ab` is defined twice"),
        ("ab 00\n", "word `ab` isn't defined above"),
        ("=ab cd\n=cd 00\n", "word `cd` isn't defined above"),
        ("00 %nowhere\n", "label `nowhere` isn't defined"),
        ("00 &nowhere\n", "label `nowhere` isn't defined"),
        // 31 * 'a' + 'b' + 31 - 31 = 31 * 'b' + 'C'
        (":ab 00\n:bC 00\n", "`bC` and `ab` have the same hash"),
        ("=ab 00\n:bC 00\n", "`bC` and `ab` have the same hash"),
        ("0G\n", "not made of the digits"),
        ("0a\n", "not made of the digits"),
        ("012\n", "odd number of digits"),
        ("00\t01\n", "no printable ASCII"),
        (": 00\n", "a name is empty"),
    ];
    for (text, expected) in texts {
        match hexm(text) {
            Err(error) if error.contains(expected) => {}
            other => return Err(format!("{text:?} gave {other:?}, expected an error with {expected:?}")),
        }
    }
    for (text, expected) in
        [("0", "odd number"), ("GG", "not made of"), ("00\n0 0", "line 2"), ("aa", "not made of")]
    {
        match hex0(text) {
            Err(error) if error.contains(expected) => {}
            other => return Err(format!("{text:?} gave {other:?}, expected an error with {expected:?}")),
        }
    }
    Ok(())
}

fn known_bytes_come_out() -> Result<(), String> {
    let text =
        "=two 0102 # a word\n=four two two\n:start four \"x# %end &start # text, labels\n:end %start\n";
    let expected =
        [&[1, 2, 1, 2, b'x', b'#'][..], &[4, 0, 0, 0], &[0x00, 0x10, 0x00, 0x10], &(-18i32).to_le_bytes()]
            .concat();
    let found = hexm(text)?;
    if found == expected { Ok(()) } else { Err(format!("expected {expected:x?}, found {found:x?}")) }
}

//! Characters that stand for bytes: the reference takes any bytes in strings and comments, the parser here only characters.
//!
//! Each byte that begins no character becomes one of the last 128 code points, which nobody may give a meaning. So that these
//! always stand for bytes, a text that has them itself gets four of them for each, one for each of its bytes.

use std::borrow::Cow;

/// What stands for the byte 0.
const FIRST: u32 = 0x0010_ff00;

/// What all of them, and few others, begin with in UTF-8.
const BEGIN: u8 = 0xf4;

/// A text that the parser takes.
pub fn readable(bytes: Vec<u8>) -> String {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if !text.as_bytes().contains(&BEGIN) => return text,
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match byte(character) {
                None => text.push(character),
                Some(_) => text.extend(character.encode_utf8(&mut [0; 4]).bytes().map(stand_in)),
            }
        }
        text.extend(chunk.invalid().iter().copied().map(stand_in));
    }
    text
}

/// The bytes of a part of such a text.
pub fn meant(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&BEGIN) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match byte(character) {
                None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Some(byte) => bytes.push(byte),
            }
        }
        bytes.extend_from_slice(chunk.invalid());
    }
    Cow::Owned(bytes)
}

/// The byte that a character stands for.
pub fn byte(character: char) -> Option<u8> {
    u32::from(character)
        .checked_sub(FIRST)
        .and_then(|byte| u8::try_from(byte).ok())
        .filter(|byte| *byte >= 0x80)
}

fn stand_in(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (1..=255).chain("é\u{10ff80}\u{10ffff}\u{10ff7f}".bytes()).collect();
        for bytes in [all, b"plain".to_vec(), "é".into(), "\u{10fffe}".into(), b"\xf4\x8f\xbe".to_vec()] {
            let text = readable(bytes.clone());
            assert_eq!(meant(text.as_bytes()).as_ref(), bytes);
        }
        assert_eq!(readable(b"a\xff".to_vec()), "a\u{10ffff}");
        assert_eq!(readable("é".into()), "é");
    }
}

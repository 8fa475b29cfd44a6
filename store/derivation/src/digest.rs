//! BLAKE3-256 digests and their text forms.

use std::fmt;

/// A BLAKE3-256 digest: 32 bytes. Shown in [`base32`], 52 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Characters of a digest in base32.
pub const TEXT_LENGTH: usize = 52;

/// The digits of Nix's base32: no `e`, `o`, `t`, `u`, so that no words come about.
/// Changing one changes every store path.
const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// What each character stands for as a digit.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Of a character that is no digit.
const NO_DIGIT: u8 = u8::MAX;

impl Digest {
    /// Takes the digest's bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Hashes `bytes` as `b3sum` does.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Hashes `bytes` in BLAKE3's key derivation mode, so that no digest of one context equals one of another.
    pub fn in_context(context: &str, bytes: &[u8]) -> Self {
        Self(blake3::derive_key(context, bytes))
    }

    /// The digest's 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 52 characters of base32. `None` for any other length or character.
    pub fn from_base32(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        read_base32(text, &mut bytes).then_some(Self(bytes))
    }

    /// [`base32`] of it, as ASCII.
    pub(crate) fn text(&self) -> [u8; TEXT_LENGTH] {
        let mut digits = [0; TEXT_LENGTH];
        write_base32(&self.0, &mut digits);
        digits
    }

    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.text()).expect("this holds because digits are ASCII"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Nix's base32 of any bytes: five bits a digit, the least significant digit last.
pub fn base32(bytes: &[u8]) -> String {
    let mut digits = vec![0; (bytes.len() * 8).div_ceil(5)];
    write_base32(bytes, &mut digits);
    String::from_utf8(digits).expect("this holds because digits are ASCII")
}

/// Five bytes are eight digits. The last digit has the first byte's lowest bits.
fn write_base32(bytes: &[u8], digits: &mut [u8]) {
    for (group, places) in bytes.chunks(5).zip(digits.rchunks_mut(8)) {
        let mut bits = group.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte));
        for place in places.iter_mut().rev() {
            *place = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
    }
}

/// Reads Nix's base32 of `length` bytes. `None` for another length, another character or a digit too large.
pub fn from_base32(text: &str, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    read_base32(text, &mut bytes).then_some(bytes)
}

/// Tells whether it could be read.
fn read_base32(text: &str, bytes: &mut [u8]) -> bool {
    if text.len() != (bytes.len() * 8).div_ceil(5) {
        return false;
    }
    for (group, digits) in bytes.chunks_mut(5).zip(text.as_bytes().rchunks(8)) {
        let mut bits = 0;
        for &digit in digits {
            let value = VALUES[usize::from(digit)];
            if value == NO_DIGIT {
                return false;
            }
            bits = bits << 5 | u64::from(value);
        }
        for byte in group {
            *byte = bits as u8;
            bits >>= 8;
        }
        if bits != 0 {
            return false;
        }
    }
    true
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads hexadecimal of either case. `None` for an odd length or another character.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |character: u8| (character as char).to_digit(16).map(|value| value as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_digest_of_nothing_is_the_one_that_b3sum_prints() {
        let hex = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Digest::of(b"").to_hex(), hex);
    }

    #[test]
    fn base32_is_the_one_of_nix() {
        // `nix-hash --type sha256 --to-base32` of the same bytes.
        let sha256 = from_hex("d63c113bcdd657f51c8ee197a0b0a24203603313e19a52b5f678d40ab7f5df35").unwrap();
        assert_eq!(base32(&sha256), "0dfzynvhmm3qyssm56p12crn00s2laqa15z1iqfgamynrlxi2g6n");
        assert_eq!(base32(b""), "");
    }

    #[test]
    fn a_digit_that_overflows_is_refused() {
        assert_eq!(Digest::from_base32(&"z".repeat(52)), None);
        assert_eq!(Digest::from_base32(&"0".repeat(51)), None);
    }

    proptest! {
        #[test]
        fn base32_and_hex_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            prop_assert_eq!(from_base32(&base32(&bytes), bytes.len()), Some(bytes.clone()));
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        }
    }
}

//! Hashes that people pin: of source archives and of outputs known in advance.

use crate::digest::{from_base32, from_hex, to_hex};
use std::fmt;

/// A hash function by which a source may be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 16 bytes; broken, never accepted for a pin.
    Md5,
    /// 20 bytes; broken, never accepted for a pin.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
    /// 32 bytes.
    Blake3,
}

/// A digest with the function that made it. Shown in SRI form: `sha256-` and base64.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash {
    algorithm: Algorithm,
    digest: Vec<u8>,
}

/// What is wrong with the text of a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The prefix names no function that sx knows.
    #[error("`{0}` is not a hash function; expected one of md5, sha1, sha256, sha512, blake3")]
    UnknownAlgorithm(String),
    /// Neither the text nor its surroundings name a function.
    #[error("hash `{0}` does not say its function; expected the SRI form, like `sha256-…`")]
    MissingAlgorithm(String),
    /// The text names one function, its surroundings another.
    #[error("hash `{text}` should have function {expected}")]
    OtherAlgorithm {
        /// The text as given.
        text: String,
        /// What the surroundings ask for.
        expected: Algorithm,
    },
    /// The digits are no encoding of the right number of bytes.
    #[error("hash `{text}` has the wrong length for {algorithm}: expected {} bytes in base16, base32 or base64", algorithm.digest_bytes())]
    WrongLength {
        /// The text as given.
        text: String,
        /// The function that fixes the length.
        algorithm: Algorithm,
    },
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512, Self::Blake3];

    /// The lower-case name, as in `sha256-…`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        }
    }

    /// Finds a function by [`name`](Self::name).
    pub fn from_name(name: &str) -> Result<Self, HashError> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        known.ok_or_else(|| HashError::UnknownAlgorithm(name.into()))
    }

    /// Length of a digest in bytes.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Whether nobody knows how to make two inputs with the same digest.
    pub const fn is_collision_resistant(self) -> bool {
        !matches!(self, Self::Md5 | Self::Sha1)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Hash {
    /// Puts a digest and its function together. `None` if the length is not the function's.
    pub fn new(algorithm: Algorithm, digest: Vec<u8>) -> Option<Self> {
        (digest.len() == algorithm.digest_bytes()).then_some(Self { algorithm, digest })
    }

    /// Reads `sha256-BASE64` (SRI), `sha256:DIGITS`, or, when `expected` says the function, bare digits in
    /// base16, Nix's base32 or base64.
    pub fn parse(text: &str, expected: Option<Algorithm>) -> Result<Self, HashError> {
        let (named, digits) = match text.split_once(['-', ':']) {
            Some((name, digits)) => (Some(Algorithm::from_name(name)?), digits),
            None => (None, text),
        };
        if let (Some(named), Some(expected)) = (named, expected)
            && named != expected
        {
            return Err(HashError::OtherAlgorithm { text: text.into(), expected });
        }
        let algorithm = named.or(expected).ok_or_else(|| HashError::MissingAlgorithm(text.into()))?;
        let wrong = || HashError::WrongLength { text: text.into(), algorithm };
        let length = algorithm.digest_bytes();
        let digest = if digits.len() == length * 2 {
            from_hex(digits)
        } else if digits.len() == (length * 8).div_ceil(5) && named.is_none_or(|_| !text.contains('-')) {
            from_base32(digits, length)
        } else {
            data_encoding::BASE64.decode(digits.as_bytes()).ok()
        };
        Self::new(algorithm, digest.ok_or_else(wrong)?).ok_or_else(wrong)
    }

    /// The function.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest's bytes, as many as [`Algorithm::digest_bytes`].
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Lower-case hexadecimal without the function's name.
    pub fn to_hex(&self) -> String {
        to_hex(&self.digest)
    }

    /// Nix's base32 without the function's name.
    pub fn to_base32(&self) -> String {
        crate::digest::base32(&self.digest)
    }

    /// Base64 with padding, without the function's name.
    pub fn to_base64(&self) -> String {
        data_encoding::BASE64.encode(&self.digest)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.algorithm, self.to_base64())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "d63c113bcdd657f51c8ee197a0b0a24203603313e19a52b5f678d40ab7f5df35";
    const SRI: &str = "sha256-1jwRO83WV/UcjuGXoLCiQgNgMxPhmlK19njUCrf13zU=";

    #[test]
    fn every_form_of_a_hash_is_read_to_the_same() {
        let hash = Hash::parse(SRI, None).unwrap();
        assert_eq!(hash.to_hex(), HEX);
        assert_eq!(hash.to_string(), SRI);
        let sha256 = Some(Algorithm::Sha256);
        for text in [HEX, &hash.to_base32(), &hash.to_base64(), &format!("sha256:{HEX}"), SRI] {
            assert_eq!(Hash::parse(text, sha256).as_ref(), Ok(&hash), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_hash_is_said() {
        let error = |text, expected| Hash::parse(text, expected).unwrap_err().to_string();
        assert!(error("sha257-AAAA", None).starts_with("`sha257` is not a hash function"));
        assert!(error(HEX, None).contains("does not say its function"));
        assert!(error("sha256-AAAA", None).contains("expected 32 bytes"));
        assert!(error(SRI, Some(Algorithm::Sha512)).contains("should have function sha512"));
    }
}

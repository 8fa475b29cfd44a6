//! Keys of machines: Ed25519, and envelopes (DSSE version 1) around what they sign.
//!
//! | text | form |
//! |---|---|
//! | public key | `ed25519:` and base64 of its 32 bytes |
//! | secret key | `ed25519-secret:` and base64 of the 32 bytes that it is derived from |
//! | envelope | `{"payload":"<base64>","payloadType":"…","signatures":[{"keyid":"<hex of the public key>","sig":"<base64>"}]}` |
//! | what is signed | `DSSEv1 <length of type> <type> <length of payload> <payload>`, lengths decimal |
//!
//! Base64 is the standard one with padding. An envelope has one signature: more signers are more files.

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use sx_derivation::digest::to_hex;

const PUBLIC: &str = "ed25519:";
const SECRET: &str = "ed25519-secret:";

/// Longest envelope that is read.
pub const MAX_ENVELOPE_BYTES: usize = 16 * 1024;

/// A machine's public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineKey(VerifyingKey);

/// A machine's secret key; not shown.
pub struct MachineSecret(SigningKey);

/// What an envelope holds: nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload says it is.
    pub payload_type: String,
    /// What was signed.
    pub payload: Vec<u8>,
    /// The public key's digits.
    pub key: String,
    signature: [u8; 64],
}

/// Why a text is no key, or bytes no envelope.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Not the text of a key.
    #[error("not an Ed25519 key; expected `{0}` and the base64 of 32 bytes")]
    BadKey(&'static str),
    /// A key that would accept signatures of others.
    #[error("the Ed25519 key is weak: its signatures prove nothing")]
    WeakKey,
    /// Too many bytes.
    #[error("the envelope has {0} bytes; at most {MAX_ENVELOPE_BYTES} are allowed")]
    Long(usize),
    /// Not the JSON of an envelope.
    #[error("not an envelope with one signature")]
    Json(#[source] serde_json::Error),
    /// Not base64, or not of a signature's length.
    #[error("the envelope's `{0}` is malformed")]
    Field(&'static str),
    /// The same in other bytes.
    #[error("the envelope is not in canonical form")]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: [DocumentSignature; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentSignature {
    keyid: String,
    sig: String,
}

impl MachineKey {
    /// Reads `ed25519:` and base64.
    pub fn parse(text: &str) -> Result<Self, MachineError> {
        let key = VerifyingKey::from_bytes(&thirty_two(text, PUBLIC)?);
        let key = key.map_err(|_| MachineError::BadKey(PUBLIC))?;
        if key.is_weak() { Err(MachineError::WeakKey) } else { Ok(Self(key)) }
    }

    /// Names the key: its 32 bytes in hexadecimal.
    pub fn fingerprint(&self) -> String {
        to_hex(self.0.as_bytes())
    }

    /// Whether the envelope's signature is this key's.
    pub fn has_signed(&self, envelope: &Envelope) -> bool {
        let message = encoded(&envelope.payload_type, &envelope.payload);
        self.has_signed_bytes(&message, &envelope.signature)
    }

    /// Whether the signature over the bytes themselves is this key's.
    pub fn has_signed_bytes(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok()
    }

    /// The key as other tools read it: a PEM file with a `SubjectPublicKeyInfo` (RFC 8410).
    pub fn to_pem(&self) -> String {
        // A sequence of the algorithm, 1.3.101.112, and a string of bits; only the key varies.
        let mut bytes = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        bytes.extend(self.0.as_bytes());
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&bytes))
    }
}

impl fmt::Display for MachineKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PUBLIC}{}", BASE64.encode(self.0.as_bytes()))
    }
}

impl MachineSecret {
    /// Derives the key from 32 bytes, which must be random.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads `ed25519-secret:` and base64; white space around it is no part of it.
    pub fn parse(text: &str) -> Result<Self, MachineError> {
        thirty_two(text.trim(), SECRET).map(Self::from_seed)
    }

    /// Whether a key file is one of these, rather than of OpenPGP.
    pub fn is_in(bytes: &[u8]) -> bool {
        bytes.trim_ascii_start().starts_with(SECRET.as_bytes())
    }

    /// The text of a key file. Whoever has it can sign.
    pub fn to_secret_text(&self) -> String {
        format!("{SECRET}{}", BASE64.encode(self.0.as_bytes()))
    }

    /// The public key.
    pub fn public(&self) -> MachineKey {
        MachineKey(self.0.verifying_key())
    }

    /// Signs the bytes themselves.
    pub fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }

    /// Signs, and puts it into an envelope.
    pub fn sign(&self, payload_type: &str, payload: &[u8]) -> Envelope {
        let signature = self.0.sign(&encoded(payload_type, payload));
        Envelope {
            payload_type: payload_type.into(),
            payload: payload.into(),
            key: self.public().fingerprint(),
            signature: signature.to_bytes(),
        }
    }
}

impl Envelope {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let signature = DocumentSignature { keyid: self.key.clone(), sig: BASE64.encode(&self.signature) };
        let document = Document {
            payload: BASE64.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: [signature],
        };
        serde_json::to_vec(&document).expect("a record of texts is always JSON")
    }

    /// Reads a file's bytes, in canonical form only.
    pub fn decode(bytes: &[u8]) -> Result<Self, MachineError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(MachineError::Long(bytes.len()));
        }
        let Document { payload, payload_type, signatures: [signature] } =
            serde_json::from_slice(bytes).map_err(MachineError::Json)?;
        let base64 =
            |text: &str, field| BASE64.decode(text.as_bytes()).map_err(|_| MachineError::Field(field));
        let envelope = Self {
            payload_type,
            payload: base64(&payload, "payload")?,
            key: signature.keyid,
            signature: base64(&signature.sig, "sig")?.try_into().map_err(|_| MachineError::Field("sig"))?,
        };
        if envelope.encode() == bytes { Ok(envelope) } else { Err(MachineError::NotCanonical) }
    }
}

fn thirty_two(text: &str, prefix: &'static str) -> Result<[u8; 32], MachineError> {
    let digits = text.strip_prefix(prefix).ok_or(MachineError::BadKey(prefix))?;
    let bytes = BASE64.decode(digits.as_bytes()).map_err(|_| MachineError::BadKey(prefix))?;
    bytes.try_into().map_err(|_| MachineError::BadKey(prefix))
}

/// DSSE's pre-authentication encoding: a payload of one type is never one of another.
fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> MachineSecret {
        MachineSecret::from_seed([7; 32])
    }

    #[test]
    fn what_is_signed_is_as_dsse_has_it() {
        assert_eq!(
            encoded("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn golden_keys_and_envelope() {
        let envelope = String::from_utf8(secret().sign("t", b"payload").encode()).unwrap();
        assert_eq!(
            [secret().public().to_string(), secret().to_secret_text(), envelope],
            [
                "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=",
                "ed25519-secret:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
                concat!(
                    r#"{"payload":"cGF5bG9hZA==","payloadType":"t","signatures":[{"keyid":"#,
                    r#""ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","sig":"#,
                    r#""gQYcKa9IyYB4suDfFblAfEG17o/ATlyP5LzLGdo2CUdDtw4xtERML62KyOHBnRPr9AKagg4lGIDlfKQiikNuDA=="}]}"#,
                ),
            ]
        );
    }

    #[test]
    fn golden_pem() {
        assert_eq!(
            secret().public().to_pem(),
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=\n-----END PUBLIC KEY-----\n"
        );
    }

    #[test]
    fn keys_come_back_from_their_texts() {
        let key = secret().public();
        assert_eq!(MachineKey::parse(&key.to_string()).unwrap(), key);
        let again = MachineSecret::parse(&format!("{}\n", secret().to_secret_text())).unwrap();
        assert_eq!(again.public(), key);
    }

    #[test]
    fn weak_and_malformed_keys_are_refused() {
        let weak = format!("{PUBLIC}{}", BASE64.encode(&[0; 32]));
        assert!(matches!(MachineKey::parse(&weak), Err(MachineError::WeakKey)));
        for text in ["", "ed25519:", "ed25519:AAAA", "ed25519-secret:AAAA", "ed25519:6kpsY+KcUgq"] {
            assert!(matches!(MachineKey::parse(text), Err(MachineError::BadKey(_))), "{text}");
        }
    }

    #[test]
    fn an_envelope_that_is_changed_in_any_bit_is_refused() {
        let bytes = secret().sign("t", b"payload").encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let accepted = Envelope::decode(&changed).is_ok_and(|envelope| {
                envelope.key == secret().public().fingerprint() && secret().public().has_signed(&envelope)
            });
            assert!(!accepted, "bit {bit}");
        }
    }
}

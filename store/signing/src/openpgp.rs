//! Keys of people: OpenPGP certificates, detached signatures over statements, inline signed messages over images.
//!
//! Stricter than gpg where the two could differ, so that what sx accepts the tools accept: a signature covers binary data
//! and has a strong hash; a message is one-pass signature, literal data, signature, perhaps compressed, and nothing more;
//! a key counts only while it is alive, not revoked and for signing *now*, since a signature's own date proves nothing.

use sequoia_openpgp as openpgp;

use openpgp::armor;
use openpgp::cert::prelude::*;
use openpgp::crypto::KeyPair;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, Signature, key};
use openpgp::parse::{PacketParser, PacketParserBuilder, PacketParserResult, Parse};
use openpgp::policy::{HashAlgoSecurity, Policy, StandardPolicy};
use openpgp::serialize::stream::{LiteralWriter, Message, Signer};
use openpgp::serialize::{Serialize, SerializeInto};
use openpgp::types::{HashAlgorithm, RevocationStatus, SignatureType};
use openpgp::{Cert, Packet};
use std::io::{Read, Write};
use std::time::SystemTime;

/// Longest signature, detached or with its message, that is read.
pub const MAX_SIGNATURE_BYTES: usize = 64 * 1024;
/// Longest file of certificates that is read.
pub const MAX_CERTIFICATE_BYTES: usize = 1024 * 1024;

/// A person's public key with its subkeys.
#[derive(Clone, Debug)]
pub struct Certificate(Cert);

/// A person's key that can sign, unlocked.
pub struct PersonSecret(KeyPair);

/// One key or subkey of a certificate, at one moment.
#[derive(Clone, Debug)]
pub struct PersonKey {
    key: Key<key::PublicParts, key::UnspecifiedRole>,
    is_primary: bool,
    fault: Option<KeyFault>,
}

/// Why a key's signatures don't count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Its certificate, or it alone.
    #[error("its key is revoked")]
    Revoked,
    /// Or not valid yet.
    #[error("its key is expired, or not valid yet")]
    NotAlive,
    /// It is for encryption, or for certificates alone.
    #[error("its key is not for signing")]
    NotForSigning,
    /// No binding signature holds, or they are too weak.
    #[error("its key is not bound to its certificate by a strong signature: {0}")]
    Unbound(String),
}

/// A signature whose bytes could be read; nothing of it is verified.
#[derive(Clone, Debug)]
pub struct PersonSignature(Signature);

/// Why OpenPGP data can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenPgpError {
    /// Too many bytes.
    #[error("the OpenPGP data has {found} bytes; at most {allowed} are allowed")]
    Long {
        /// How many there are.
        found: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// Not OpenPGP, or cut off.
    #[error("not valid OpenPGP data: {0}")]
    Malformed(String),
    /// A packet where another one belongs.
    #[error("the OpenPGP data has {found}; expected {expected}")]
    Shape {
        /// What there is.
        found: String,
        /// What there should be.
        expected: &'static str,
    },
    /// Nobody knows whose it is, since who has the key doesn't say so.
    #[error(
        "the certificate `{certificate}` has no user ID, so it does not say whose it is; expected one at least"
    )]
    NoUserId {
        /// Its fingerprint.
        certificate: String,
    },
    /// Somebody else wrote whose it is, or it was changed.
    #[error(
        "the user ID `{user_id}` is not bound to its certificate `{certificate}` by a signature of its key"
    )]
    UnboundUserId {
        /// What it says.
        user_id: String,
        /// The certificate's fingerprint.
        certificate: String,
    },
    /// Nothing in the key file can sign.
    #[error(
        "the key `{0}` has no secret part that can sign: it must be there, without a passphrase, neither expired nor revoked"
    )]
    NoSigningKey(String),
    /// Signing failed.
    #[error("cannot sign: {0}")]
    Sign(String),
}

impl Certificate {
    /// Reads a file with one or more certificates, armored or not.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, OpenPgpError> {
        limit(bytes, MAX_CERTIFICATE_BYTES)?;
        let certificates = CertParser::from_bytes(bytes).map_err(|error| malformed(&error))?;
        let certificates =
            certificates.map(|found| found.map(|found| Self(found.strip_secret_key_material())));
        let certificates: Vec<_> =
            certificates.collect::<Result<_, _>>().map_err(|error| malformed(&error))?;
        if certificates.is_empty() {
            return Err(OpenPgpError::Shape { found: "nothing".into(), expected: "a certificate" });
        }
        certificates.iter().try_for_each(Self::check_user_ids)?;
        Ok(certificates)
    }

    /// Refuses a certificate whose user IDs aren't what its key has signed.
    ///
    /// gpg leaves such user IDs out as it imports, and takes no certificate that has no others, so that container tools can't
    /// use it. Here all of them must be bound: people write keys into a trust file by what the user IDs say. How strong
    /// the binding is, and whether it has expired, is looked at when a signature is judged.
    fn check_user_ids(&self) -> Result<(), OpenPgpError> {
        let certificate = self.fingerprint();
        for user in self.0.userids() {
            // These are verified; a revocation is of the key as well.
            if user.self_signatures().next().is_none() && user.self_revocations().next().is_none() {
                let user_id = String::from_utf8_lossy(user.userid().value()).escape_debug().to_string();
                return Err(OpenPgpError::UnboundUserId { user_id, certificate });
            }
        }
        match self.0.userids().next() {
            Some(_) => Ok(()),
            None => Err(OpenPgpError::NoUserId { certificate }),
        }
    }

    /// The primary key's fingerprint, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint().to_hex().to_lowercase()
    }

    /// The certificate's bytes, not armored: what tools import.
    pub fn encode(&self) -> Vec<u8> {
        self.0.to_vec().expect("a certificate that was read can be written to memory")
    }

    /// Its keys, and whether they count at `now`.
    pub fn keys(&self, now: SystemTime) -> Vec<PersonKey> {
        let policy = StandardPolicy::at(now);
        let valid = self.0.with_policy(&policy, now);
        let fault = |any: &ErasedKeyAmalgamation<'_, key::PublicParts>| {
            let certificate = valid.as_ref().map_err(|error| KeyFault::Unbound(error.to_string()))?;
            let bound = any.clone().with_policy(&policy, now);
            let bound = bound.map_err(|error| KeyFault::Unbound(error.to_string()))?;
            let is_revoked = |status| matches!(status, RevocationStatus::Revoked(_));
            if is_revoked(certificate.revocation_status()) || is_revoked(bound.revocation_status()) {
                return Err(KeyFault::Revoked);
            }
            if certificate.alive().is_err() || bound.alive().is_err() {
                return Err(KeyFault::NotAlive);
            }
            if bound.for_signing() { Ok(()) } else { Err(KeyFault::NotForSigning) }
        };
        let keys = self.0.keys().map(|any| PersonKey {
            key: any.key().clone(),
            is_primary: any.primary(),
            fault: fault(&any).err(),
        });
        keys.collect()
    }
}

impl PersonKey {
    /// The key's own fingerprint, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint().to_hex().to_lowercase()
    }

    /// Whether it is the certificate's own key rather than a subkey.
    pub const fn is_primary(&self) -> bool {
        self.is_primary
    }

    /// What is wrong with it.
    pub const fn fault(&self) -> Option<&KeyFault> {
        self.fault.as_ref()
    }

    /// Whether the signature says that it is of this key.
    pub fn is_named_by(&self, signature: &PersonSignature) -> bool {
        signature.0.get_issuers().iter().any(|issuer| issuer.aliases(self.key.key_handle()))
    }

    /// Whether the signature over `message` is of this key.
    pub fn has_signed(&self, signature: &PersonSignature, message: &[u8]) -> bool {
        signature.0.verify_message(&self.key, message).is_ok()
    }

    /// Whether the key existed when the signature says that it was made.
    pub fn is_older_than(&self, signature: &PersonSignature) -> bool {
        signature.0.signature_creation_time().is_some_and(|time| time >= self.key.creation_time())
    }
}

impl PersonSignature {
    /// Reads a detached signature, armored or not: one packet.
    pub fn parse_detached(bytes: &[u8]) -> Result<Self, OpenPgpError> {
        let mut packets = read_packets(bytes, 0)?;
        match (packets.pop(), packets.is_empty()) {
            (Some(Part::Signature(signature)), true) => Ok(Self(*signature)),
            (found, _) => Err(OpenPgpError::Shape {
                found: found.map_or_else(|| "nothing".into(), |part| part.describe(packets.len())),
                expected: "one signature",
            }),
        }
    }

    /// Reads an inline signed message of at most `limit_bytes`. Gives the signature and the message.
    pub fn parse_inline(bytes: &[u8], limit_bytes: usize) -> Result<(Self, Vec<u8>), OpenPgpError> {
        let mut packets = read_packets(bytes, limit_bytes)?;
        if matches!(packets.first(), Some(Part::Compressed)) {
            packets.remove(0);
        }
        match <[Part; 3]>::try_from(packets) {
            Ok([Part::OnePass, Part::Literal(message), Part::Signature(signature)]) => {
                Ok((Self(*signature), message))
            }
            Ok([first, ..]) => Err(shape(&first, 2)),
            Err(other) => Err(match other.first() {
                Some(first) => shape(first, other.len() - 1),
                None => OpenPgpError::Shape { found: "nothing".into(), expected: INLINE },
            }),
        }
    }

    /// Who made it, as it says itself: a fingerprint, or a key's number.
    pub fn issuer(&self) -> Option<String> {
        self.0.get_issuers().into_iter().next().map(|issuer| issuer.to_hex().to_lowercase())
    }

    /// Whether hash and algorithm are strong, and the signature itself isn't expired. If not, says why.
    pub fn check(&self, now: SystemTime) -> Result<(), String> {
        if self.0.typ() != SignatureType::Binary {
            return Err(format!("it is of type `{}`, expected one over binary data", self.0.typ()));
        }
        let policy = StandardPolicy::at(now);
        policy
            .signature(&self.0, HashAlgoSecurity::CollisionResistance)
            .map_err(|error| format!("its hash {} is too weak: {error}", self.0.hash_algo()))?;
        self.0.signature_alive(now, None).map_err(|error| error.to_string())
    }
}

impl PersonSecret {
    /// Reads a key file, armored or not, whose secret part has no passphrase.
    ///
    /// Takes the primary key if it can sign, since many container tools know no subkeys; else the newest that can.
    pub fn parse(bytes: &[u8], now: SystemTime) -> Result<Self, OpenPgpError> {
        limit(bytes, MAX_CERTIFICATE_BYTES)?;
        let cert = Cert::from_bytes(bytes).map_err(|error| malformed(&error))?;
        let none = || OpenPgpError::NoSigningKey(cert.fingerprint().to_hex().to_lowercase());
        let policy = StandardPolicy::at(now);
        let valid = cert.with_policy(&policy, now).map_err(|_| none())?;
        if valid.alive().is_err() || matches!(valid.revocation_status(), RevocationStatus::Revoked(_)) {
            return Err(none());
        }
        let keys = valid.keys().unencrypted_secret().supported().alive().revoked(false).for_signing();
        let best = keys.max_by_key(|any| (any.primary(), any.key().creation_time())).ok_or_else(none)?;
        best.key().clone().into_keypair().map(Self).map_err(|error| OpenPgpError::Sign(error.to_string()))
    }

    /// The signing key's own fingerprint, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.0.public().fingerprint().to_hex().to_lowercase()
    }

    /// Whether bytes are its detached signature over `message`.
    pub fn has_signed(&self, bytes: &[u8], message: &[u8]) -> bool {
        let signature = PersonSignature::parse_detached(bytes);
        signature.is_ok_and(|signature| signature.0.verify_message(self.0.public(), message).is_ok())
    }

    /// A detached signature over `message`, armored, dated `now`.
    pub fn sign_detached(&self, message: &[u8], now: SystemTime) -> Result<Vec<u8>, OpenPgpError> {
        let sign = || {
            let signature = self.template(now)?.sign_message(&mut self.0.clone(), message)?;
            let mut armored = armor::Writer::new(Vec::new(), armor::Kind::Signature)?;
            Packet::from(signature).serialize(&mut armored)?;
            Ok(armored.finalize()?)
        };
        sign().map_err(|error: openpgp::anyhow::Error| OpenPgpError::Sign(error.to_string()))
    }

    /// An inline signed message, not armored and not compressed, dated `now`.
    pub fn sign_inline(&self, message: &[u8], now: SystemTime) -> Result<Vec<u8>, OpenPgpError> {
        let sign = || {
            let mut bytes = Vec::new();
            let signer =
                Signer::with_template(Message::new(&mut bytes), self.0.clone(), self.template(now)?)?;
            let signer = signer.hash_algo(HashAlgorithm::SHA512)?.creation_time(now);
            let mut literal = LiteralWriter::new(signer.build()?).build()?;
            literal.write_all(message)?;
            literal.finalize()?;
            Ok(bytes)
        };
        sign().map_err(|error: openpgp::anyhow::Error| OpenPgpError::Sign(error.to_string()))
    }

    fn template(&self, now: SystemTime) -> openpgp::Result<SignatureBuilder> {
        let builder = SignatureBuilder::new(SignatureType::Binary).set_hash_algo(HashAlgorithm::SHA512);
        builder.set_signature_creation_time(now)
    }
}

const INLINE: &str = "a one-pass signature, literal data and its signature";

/// A packet, reduced to what is looked at.
enum Part {
    Compressed,
    OnePass,
    Literal(Vec<u8>),
    Signature(Box<Signature>),
}

impl Part {
    fn describe(&self, others: usize) -> String {
        let name = match self {
            Self::Compressed => "compressed data",
            Self::OnePass => "a one-pass signature",
            Self::Literal(_) => "literal data",
            Self::Signature(_) => "a signature",
        };
        format!("{name} and {others} other packets")
    }
}

fn shape(first: &Part, others: usize) -> OpenPgpError {
    OpenPgpError::Shape { found: first.describe(others), expected: INLINE }
}

/// Reads at most four packets, one level deep, with at most `limit_bytes` of literal data.
fn read_packets(bytes: &[u8], limit_bytes: usize) -> Result<Vec<Part>, OpenPgpError> {
    limit(bytes, MAX_SIGNATURE_BYTES)?;
    let parser =
        PacketParserBuilder::from_bytes(bytes).and_then(|builder| builder.max_recursion_depth(1).build());
    let mut next = parser.map_err(|error| malformed(&error))?;
    let mut parts = Vec::new();
    while let PacketParserResult::Some(mut parser) = next {
        if parts.len() == 4 {
            return Err(OpenPgpError::Shape { found: "more than four packets".into(), expected: INLINE });
        }
        parts.push(read_part(&mut parser, limit_bytes)?);
        next = parser.recurse().map_err(|error| malformed(&error))?.1;
    }
    Ok(parts)
}

fn read_part(parser: &mut PacketParser<'_>, limit_bytes: usize) -> Result<Part, OpenPgpError> {
    match &parser.packet {
        Packet::CompressedData(_) => Ok(Part::Compressed),
        Packet::OnePassSig(_) => Ok(Part::OnePass),
        Packet::Signature(signature) => Ok(Part::Signature(Box::new(signature.clone()))),
        Packet::Literal(_) => {
            let mut message = Vec::new();
            let allowed = limit_bytes as u64;
            parser.take(allowed + 1).read_to_end(&mut message).map_err(|error| malformed(&error.into()))?;
            limit(&message, limit_bytes)?;
            Ok(Part::Literal(message))
        }
        other => Err(OpenPgpError::Shape {
            found: format!("a packet of type `{}`", other.tag()),
            expected: INLINE,
        }),
    }
}

fn limit(bytes: &[u8], allowed: usize) -> Result<(), OpenPgpError> {
    if bytes.len() > allowed { Err(OpenPgpError::Long { found: bytes.len(), allowed }) } else { Ok(()) }
}

fn malformed(error: &openpgp::anyhow::Error) -> OpenPgpError {
    OpenPgpError::Malformed(error.to_string())
}

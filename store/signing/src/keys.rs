//! Trusted keys at one moment, and what becomes of a signature before them.

use crate::cosign::CosignSignature;
use crate::image::{self, ImageClaim, PayloadError};
use crate::machine::{Envelope, MachineError, MachineKey};
use crate::openpgp::{KeyFault, OpenPgpError, PersonKey, PersonSignature};
use crate::release::{RELEASE_TYPE, Release};
use crate::statement::{PAYLOAD_TYPE, Statement};
use data_encoding::BASE64;
use std::time::SystemTime;

/// The keys of a [trust file](crate::trust) at one moment.
#[derive(Clone, Debug)]
pub struct Keys {
    keys: Vec<TrustedKey>,
    now: SystemTime,
}

/// Who has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who counts.
    pub person: String,
    /// The machine that signs for them.
    pub machine: Option<String>,
}

/// What became of one signature.
#[derive(Debug)]
pub struct Finding {
    /// The file that it was read from.
    pub file: String,
    /// Whose it is; if it is refused, whose it says to be.
    pub owner: Option<Owner>,
    /// Why it doesn't count.
    pub refusal: Option<Refusal>,
}

/// Why a signature doesn't count.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No OpenPGP signature in the file.
    #[error(transparent)]
    OpenPgp(#[from] OpenPgpError),
    /// No envelope in the file.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The file's name says neither.
    #[error("the file is neither `.asc` nor `.dsse.json`")]
    UnknownKind,
    /// Nobody in the trust file has the key.
    #[error("nobody in the trust file has the key `{0}`")]
    UnknownKey(String),
    /// It says nothing about who made it.
    #[error("it does not say whose it is")]
    NoIssuer,
    /// Only keys of one kind are verified in this form.
    #[error("it is not an Ed25519 signature in base64")]
    CosignKind,
    /// None of the keys made it.
    #[error("it is not a signature of these bytes by an Ed25519 key of anybody in the trust file")]
    NobodysKey,
    /// The bytes signed were others, or the signature was changed.
    #[error("it is not a signature of these bytes")]
    Bad,
    /// A statement of another claim.
    #[error("it signs another statement")]
    OtherStatement,
    /// About another image.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// Its hash is weak, or it is expired by itself.
    #[error("{0}")]
    Weak(String),
    /// It says to be older than its key.
    #[error("it says to be older than its key")]
    OlderThanKey,
    /// Many container tools would refuse it.
    #[error("it is made with a subkey; container tools before 2023 accept primary keys only")]
    Subkey,
    /// The key doesn't count.
    #[error(transparent)]
    Key(KeyFault),
    /// Its owner doesn't count.
    #[error("{0}")]
    Owner(String),
}

/// One key.
#[derive(Clone, Debug)]
pub(crate) struct TrustedKey {
    pub owner: Owner,
    pub fault: Option<String>,
    pub material: Material,
}

#[derive(Clone, Debug)]
pub(crate) enum Material {
    Person(Box<PersonKey>),
    Machine(MachineKey),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subkeys {
    Accepted,
    Refused,
}

type Checked = Result<Owner, (Option<Owner>, Refusal)>;

impl Keys {
    pub(crate) const fn new(keys: Vec<TrustedKey>, now: SystemTime) -> Self {
        Self { keys, now }
    }

    /// Verifies a signature over a statement. `.asc` is a detached OpenPGP signature, `.dsse.json` an envelope.
    pub fn check_attestation(&self, file: &str, bytes: &[u8], statement: &Statement) -> Finding {
        self.check_document(file, bytes, PAYLOAD_TYPE, &statement.encode())
    }

    /// Verifies a signature over a release file, of either kind.
    pub fn check_release(&self, file: &str, bytes: &[u8], release: &Release) -> Finding {
        self.check_document(file, bytes, RELEASE_TYPE, &release.encode())
    }

    fn check_document(&self, file: &str, bytes: &[u8], payload_type: &str, message: &[u8]) -> Finding {
        let checked = if file.ends_with(".dsse.json") {
            self.check_envelope(bytes, payload_type, message)
        } else if file.ends_with(".asc") {
            PersonSignature::parse_detached(bytes)
                .map_err(|error| (None, error.into()))
                .and_then(|signature| self.check_person(&signature, message, Subkeys::Accepted))
        } else {
            Err((None, Refusal::UnknownKind))
        };
        finding(file, checked)
    }

    /// Verifies a signature in cosign's form: an Ed25519 key's, over a payload about this image.
    pub fn check_cosign(&self, name: &str, signature: &CosignSignature, claim: &ImageClaim) -> Finding {
        let bytes = BASE64.decode(signature.signature.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        let check = || {
            let Some(bytes) = bytes else { return Err((None, Refusal::CosignKind)) };
            let signed = |trusted: &&TrustedKey| match &trusted.material {
                Material::Machine(key) => key.has_signed_bytes(&signature.payload, &bytes),
                Material::Person(_) => false,
            };
            // It says nothing about who made it.
            let Some(trusted) = self.keys.iter().find(signed) else {
                return Err((None, Refusal::NobodysKey));
            };
            match claim.check_cosign(&signature.payload) {
                Ok(()) => trusted.check_owner(),
                Err(error) => Err((Some(trusted.owner.clone()), error.into())),
            }
        };
        finding(name, check())
    }

    /// Verifies a signature of an image: an inline OpenPGP message about this image.
    pub fn check_image(&self, file: &str, bytes: &[u8], claim: &ImageClaim) -> Finding {
        let parsed = PersonSignature::parse_inline(bytes, image::MAX_PAYLOAD_BYTES);
        let checked = parsed.map_err(|error| (None, error.into())).and_then(|(signature, message)| {
            let owner = self.check_person(&signature, &message, Subkeys::Refused)?;
            match claim.check(&message) {
                Ok(()) => Ok(owner),
                Err(error) => Err((Some(owner), error.into())),
            }
        });
        finding(file, checked)
    }

    fn check_envelope(&self, bytes: &[u8], payload_type: &str, message: &[u8]) -> Checked {
        let envelope = Envelope::decode(bytes).map_err(|error| (None, error.into()))?;
        let known = self.keys.iter().find_map(|trusted| match &trusted.material {
            Material::Machine(key) if key.fingerprint() == envelope.key => Some((trusted, key)),
            _ => None,
        });
        let Some((trusted, key)) = known else {
            return Err((None, Refusal::UnknownKey(envelope.key)));
        };
        let refused = |refusal| Err((Some(trusted.owner.clone()), refusal));
        if !key.has_signed(&envelope) {
            return refused(Refusal::Bad);
        }
        if envelope.payload_type != payload_type || envelope.payload != message {
            return refused(Refusal::OtherStatement);
        }
        trusted.check_owner()
    }

    fn check_person(&self, signature: &PersonSignature, message: &[u8], subkeys: Subkeys) -> Checked {
        let Some(issuer) = signature.issuer() else { return Err((None, Refusal::NoIssuer)) };
        let candidates = self.keys.iter().filter_map(|trusted| match &trusted.material {
            Material::Person(key) if key.is_named_by(signature) => Some((trusted, key)),
            _ => None,
        });
        // Several keys can have the same number, though not the same fingerprint.
        let candidates: Vec<_> = candidates.collect();
        let found = candidates.iter().find(|(_, key)| key.has_signed(signature, message));
        let Some((trusted, key)) = found else {
            return Err(match candidates.first() {
                Some((trusted, _)) => (Some(trusted.owner.clone()), Refusal::Bad),
                None => (None, Refusal::UnknownKey(issuer)),
            });
        };
        let refused = |refusal| Err((Some(trusted.owner.clone()), refusal));
        if let Some(fault) = key.fault() {
            return refused(Refusal::Key(fault.clone()));
        }
        if subkeys == Subkeys::Refused && !key.is_primary() {
            return refused(Refusal::Subkey);
        }
        if let Err(reason) = signature.check(self.now) {
            return refused(Refusal::Weak(reason));
        }
        if !key.is_older_than(signature) {
            return refused(Refusal::OlderThanKey);
        }
        trusted.check_owner()
    }
}

impl TrustedKey {
    fn check_owner(&self) -> Checked {
        match &self.fault {
            Some(fault) => Err((Some(self.owner.clone()), Refusal::Owner(fault.clone()))),
            None => Ok(self.owner.clone()),
        }
    }
}

fn finding(file: &str, checked: Checked) -> Finding {
    let (owner, refusal) = match checked {
        Ok(owner) => (Some(owner), None),
        Err((owner, refusal)) => (owner, Some(refusal)),
    };
    Finding { file: file.into(), owner, refusal }
}

//! A key of any kind, and what is made with it.

use crate::cosign::CosignSignature;
use crate::gpg::{GpgError, GpgKey};
use crate::image::ImageClaim;
use crate::machine::{MachineError, MachineSecret};
use crate::openpgp::{OpenPgpError, PersonSecret};
use crate::release::{RELEASE_TYPE, Release};
use crate::statement::{PAYLOAD_TYPE, Statement};
use std::time::SystemTime;

/// A secret key.
pub enum Secret {
    /// A person's, OpenPGP.
    Person(Box<PersonSecret>),
    /// A machine's, Ed25519.
    Machine(Box<MachineSecret>),
    /// A person's, that only gpg can use.
    Gpg(GpgKey),
}

/// Why a key file can't be used, or not for this.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is no OpenPGP key that can sign.
    #[error(transparent)]
    OpenPgp(#[from] OpenPgpError),
    /// It is no Ed25519 key.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// gpg gave no signature.
    #[error(transparent)]
    Gpg(#[from] GpgError),
    /// A lookaside folder holds OpenPGP only.
    #[error(
        "signatures beside an image are made with OpenPGP keys; this one is Ed25519, which signs in cosign's form"
    )]
    MachineForImage,
    /// cosign's form has no OpenPGP.
    #[error("signatures in cosign's form are made with Ed25519 keys; this one is OpenPGP")]
    PersonForCosign,
}

impl Secret {
    /// Reads a key file; what begins with `ed25519-secret:` is a machine's. `now` says which OpenPGP keys are alive.
    pub fn parse(bytes: &[u8], now: SystemTime) -> Result<Self, SecretError> {
        if MachineSecret::is_in(bytes) {
            let key = MachineSecret::parse(&String::from_utf8_lossy(bytes))?;
            return Ok(Self::Machine(Box::new(key)));
        }
        Ok(Self::Person(Box::new(PersonSecret::parse(bytes, now)?)))
    }

    /// Whether bytes are this key's signature of a statement.
    pub fn has_attested(&self, statement: &Statement, bytes: &[u8]) -> bool {
        let message = statement.encode();
        match self {
            Self::Person(key) => key.has_signed(bytes, &message),
            // It signs the same bytes in the same way each time.
            Self::Machine(key) => key.sign(PAYLOAD_TYPE, &message).encode() == bytes,
            Self::Gpg(key) => key.has_signed(bytes, &message),
        }
    }

    /// Signs a statement. Gives the signature's file name, which is the key's fingerprint, and its bytes.
    pub fn attest(&self, statement: &Statement, now: SystemTime) -> Result<(String, Vec<u8>), SecretError> {
        self.sign(PAYLOAD_TYPE, &statement.encode(), now)
    }

    /// Signs a release file, in the same way.
    pub fn sign_release(&self, release: &Release, now: SystemTime) -> Result<(String, Vec<u8>), SecretError> {
        self.sign(RELEASE_TYPE, &release.encode(), now)
    }

    fn sign(
        &self,
        payload_type: &str,
        message: &[u8],
        now: SystemTime,
    ) -> Result<(String, Vec<u8>), SecretError> {
        Ok(match self {
            Self::Person(key) => (person_file(key), key.sign_detached(message, now)?),
            Self::Machine(key) => (machine_file(key), key.sign(payload_type, message).encode()),
            Self::Gpg(key) => {
                let (fingerprint, bytes) = key.sign_detached(message)?;
                (format!("{fingerprint}.asc"), bytes)
            }
        })
    }

    /// Signs an image: an inline OpenPGP message.
    pub fn sign_image(&self, claim: &ImageClaim, now: SystemTime) -> Result<Vec<u8>, SecretError> {
        match self {
            Self::Person(key) => Ok(key.sign_inline(&claim.payload(), now)?),
            Self::Gpg(key) => Ok(key.sign_inline(&claim.payload())?),
            Self::Machine(_) => Err(SecretError::MachineForImage),
        }
    }

    /// Signs an image in cosign's form.
    pub fn sign_cosign(&self, claim: &ImageClaim) -> Result<CosignSignature, SecretError> {
        match self {
            Self::Machine(key) => Ok(CosignSignature::new(claim, key)),
            Self::Person(_) | Self::Gpg(_) => Err(SecretError::PersonForCosign),
        }
    }
}

fn person_file(key: &PersonSecret) -> String {
    format!("{}.asc", key.fingerprint())
}

fn machine_file(key: &MachineSecret) -> String {
    format!("{}.dsse.json", key.public().fingerprint())
}

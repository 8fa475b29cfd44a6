//! A key file of either kind, and what is made with it.

use crate::image::ImageClaim;
use crate::machine::{MachineError, MachineSecret};
use crate::openpgp::{OpenPgpError, PersonSecret};
use crate::statement::{PAYLOAD_TYPE, Statement};
use std::time::SystemTime;

/// A secret key.
pub enum Secret {
    /// A person's, OpenPGP.
    Person(Box<PersonSecret>),
    /// A machine's, Ed25519.
    Machine(Box<MachineSecret>),
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
    /// Container tools verify OpenPGP only.
    #[error("images are signed with OpenPGP keys; this one is Ed25519")]
    MachineForImage,
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

    /// Signs a statement. Gives the signature's file name, which is the key's fingerprint, and its bytes.
    pub fn attest(&self, statement: &Statement, now: SystemTime) -> Result<(String, Vec<u8>), SecretError> {
        let message = statement.encode();
        Ok(match self {
            Self::Person(key) => (format!("{}.asc", key.fingerprint()), key.sign_detached(&message, now)?),
            Self::Machine(key) => {
                let file = format!("{}.dsse.json", key.public().fingerprint());
                (file, key.sign(PAYLOAD_TYPE, &message).encode())
            }
        })
    }

    /// Signs an image: an inline OpenPGP message.
    pub fn sign_image(&self, claim: &ImageClaim, now: SystemTime) -> Result<Vec<u8>, SecretError> {
        match self {
            Self::Person(key) => Ok(key.sign_inline(&claim.payload(), now)?),
            Self::Machine(_) => Err(SecretError::MachineForImage),
        }
    }
}

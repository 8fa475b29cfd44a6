//! Signing with a key that only gpg can use: one in a running agent, with a passphrase, or on a smartcard.
//!
//! gpg is run as a program and asked for one signature at a time. What it gives is read as any stranger's signature is before
//! it is used.

use crate::openpgp::{Certificate, OpenPgpError, PersonSignature};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// A key as gpg knows it.
#[derive(Clone, Debug)]
pub struct GpgKey {
    /// The program.
    pub program: PathBuf,
    /// Its folder of keys, if it isn't the usual one.
    pub home: Option<PathBuf>,
    /// Fingerprint, key number or address.
    pub key: String,
}

/// Why gpg gave no signature.
#[derive(Debug, thiserror::Error)]
pub enum GpgError {
    /// It can't be run.
    #[error("cannot run `{}`", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It would not sign.
    #[error("gpg did not sign with the key `{key}`: {told}")]
    Refused {
        /// The key.
        key: String,
        /// What it said.
        told: String,
    },
    /// What it gave is no signature of the form that was asked for.
    #[error("gpg gave something else than a signature")]
    Output(#[from] OpenPgpError),
    /// It is not said whose the signature is.
    #[error("the signature that gpg gave does not say whose it is")]
    NoIssuer,
}

impl GpgKey {
    /// A detached signature, armored, and the fingerprint of who made it.
    pub fn sign_detached(&self, message: &[u8]) -> Result<(String, Vec<u8>), GpgError> {
        let bytes = self.run(&["--armor", "--detach-sign"], message)?;
        let signature = PersonSignature::parse_detached(&bytes)?;
        Ok((signature.issuer().ok_or(GpgError::NoIssuer)?, bytes))
    }

    /// An inline signed message, not armored and not compressed.
    pub fn sign_inline(&self, message: &[u8]) -> Result<Vec<u8>, GpgError> {
        let bytes = self.run(&["--compress-algo=none", "--sign"], message)?;
        PersonSignature::parse_inline(&bytes, message.len())?;
        Ok(bytes)
    }

    /// Whether bytes are its detached signature over `message`. A key that gpg doesn't have has signed nothing.
    pub fn has_signed(&self, bytes: &[u8], message: &[u8]) -> bool {
        let Ok(signature) = PersonSignature::parse_detached(bytes) else { return false };
        let public = self.run(&["--export", &self.key], &[]);
        let certificates = public.ok().and_then(|public| Certificate::parse_all(&public).ok());
        // It doesn't matter whether the key is alive: this is about what it did.
        let keys = certificates.into_iter().flatten().flat_map(|found| found.keys(SystemTime::UNIX_EPOCH));
        { keys }.any(|key| key.has_signed(&signature, message))
    }

    fn run(&self, arguments: &[&str], message: &[u8]) -> Result<Vec<u8>, GpgError> {
        let failed = |source| GpgError::Run { program: self.program.clone(), source };
        let mut command = Command::new(&self.program);
        command.args(self.home.iter().flat_map(|home| [OsStr::new("--homedir"), home.as_os_str()]));
        command.args(["--batch", "--quiet", "--digest-algo=SHA512", "--local-user"]);
        command.arg(&self.key).args(arguments.iter().map(OsStr::new));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let mut input = child.stdin.take().expect("the standard input was asked to be a pipe");
        // Statements are shorter than a pipe is long. If gpg ends before it reads, its own words say why.
        let _ = input.write_all(message);
        drop(input);
        let ended = child.wait_with_output().map_err(failed)?;
        if !ended.status.success() {
            let told = String::from_utf8_lossy(&ended.stderr);
            let told: String = told.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
            return Err(GpgError::Refused { key: self.key.clone(), told: told.trim().into() });
        }
        Ok(ended.stdout)
    }
}

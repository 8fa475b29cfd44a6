//! Why a source could not be had: from one address, and from all.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use sx_derivation::Hash;

/// Why a fetch ended without a file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The pin's function is broken.
    #[error("hash `{hash}` pins nothing, as {} is broken; expected sha256, sha512 or blake3", hash.algorithm())]
    WeakHash {
        /// The pin.
        hash: Hash,
    },
    /// No address gave the file.
    #[error("no address gave a file with hash `{hash}`{}", Attempts(attempts))]
    Failed {
        /// The pin.
        hash: Hash,
        /// What was tried, in order, each with its failure. Empty if the source has no address.
        attempts: Vec<Attempt>,
    },
    /// This machine could not hold the file.
    #[error("`{path}` could not be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The caller's flag was set.
    #[error("fetching was cancelled")]
    Cancelled,
}

/// One address that was tried.
#[derive(Debug)]
pub struct Attempt {
    /// The full address, of a mirror too.
    pub address: String,
    /// Why it did not give the file. Always there in errors.
    pub failure: Option<Failure>,
}

/// Why an address did not give the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The server refused.
    #[error("the server answered {status}{}", status_hint(*status))]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The file is another one.
    #[error(
        "its hash is `{found}` ({bytes} bytes), expected `{expected}`{}",
        if *is_html { "; it is an HTML page, so the server may want a log-in, or the file has moved" } else { "" }
    )]
    Mismatch {
        /// The pin.
        expected: Hash,
        /// What came.
        found: Hash,
        /// The size of what came.
        bytes: u64,
        /// Whether it begins like HTML.
        is_html: bool,
    },
    /// The body ended early.
    #[error("the connection broke after {bytes} bytes")]
    CutOff {
        /// Bytes that came, with those from before.
        bytes: u64,
        /// What the connection says, if anything.
        source: Option<io::Error>,
    },
    /// Nothing came for too long.
    #[error("the server sent nothing for {} s", timeout.as_secs_f32())]
    Silent {
        /// How long.
        timeout: Duration,
    },
    /// The file is too big.
    #[error("it has more than the allowed {limit} bytes")]
    TooBig {
        /// What is allowed.
        limit: u64,
    },
    /// The server gives parts that weren't asked for.
    #[error("the server sent another part of the file than was asked for")]
    WrongPart,
    /// There is no answer.
    #[error("{}", RequestFailure(.0))]
    Request(#[source] ureq::Error),
    /// A proxy's URL is wrong.
    #[error("the proxy `{0}` is no valid URL")]
    Proxy(String),
    /// TLS can't be had.
    #[error("{0}")]
    Certificates(String),
    /// A local file could not be read.
    #[error("the file could not be read: {0}")]
    File(#[source] io::Error),
    /// A registry of crates doesn't say where they lie.
    #[error("it is no `config.json` of an index of crates, which has a text `dl`: {0}")]
    Index(#[source] serde_json::Error),
    /// No mirror is known for a Debian file.
    #[error(
        "no Debian mirror is known, as this host has no apt configuration with one; set a mirror in the configuration"
    )]
    NoMirror,
}

impl Failure {
    /// Whether the same may go well in a moment.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::CutOff { .. } | Self::Silent { .. } => true,
            Self::Request(error) => match error {
                ureq::Error::Timeout(_) => true,
                ureq::Error::Io(error) => matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::BrokenPipe
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::UnexpectedEof
                ),
                _ => false,
            },
            _ => false,
        }
    }
}

/// Renders every address on its own line.
struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str(": the source lists no address");
        }
        for Attempt { address, failure } in self.0 {
            write!(formatter, "\n  {address}: ")?;
            match failure {
                Some(failure) => write!(formatter, "{failure}")?,
                None => formatter.write_str("taken")?,
            }
        }
        Ok(())
    }
}

/// Renders what people run into, in words.
struct RequestFailure<'a>(&'a ureq::Error);

impl fmt::Display for RequestFailure<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ureq::Error::HostNotFound => formatter.write_str("the host is unknown; is there a network?"),
            ureq::Error::TooManyRedirects => formatter.write_str("the server redirects too often"),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                formatter.write_str("the connection was refused")
            }
            ureq::Error::Timeout(which) => write!(formatter, "timed out ({which})"),
            error => write!(formatter, "the request failed: {error}"),
        }
    }
}

fn status_hint(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => " (not allowed)",
        404 | 410 => " (there is no such file)",
        429 => " (too many requests)",
        500..=599 => " (the server is in trouble)",
        _ => "",
    }
}

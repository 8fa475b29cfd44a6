//! Requests to one repository: authorised, repeated when that helps, never further than they should go.

use crate::address::{Address, Insecure};
use crate::authorisation::{Challenge, basic_of, encoded};
use crate::credentials::Credentials;
use crate::error::RegistryError;
use serde::Deserialize;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use sx_export::Sha256Digest;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

/// Longest answer that isn't a blob or a manifest: tokens and errors.
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// Longest part of an answer that an error shows, in characters.
const SHOWN: usize = 300;
/// The first wait before a request is repeated; the next are twice as long each.
const WAIT: Duration = Duration::from_millis(250);

/// How to talk to a registry.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether plain HTTP is allowed beyond loopback.
    pub insecure: Insecure,
    /// Who asks.
    pub credentials: Option<Credentials>,
    /// PEM file of the authorities that TLS trusts, in this order of preference; the first that is there is read.
    pub certificate_files: Vec<PathBuf>,
    /// Blobs that are transferred at a time.
    pub parallel: NonZeroUsize,
    /// How often each request is tried.
    pub attempts: u32,
    /// Repositories of the same registry that blobs may be taken from instead of being sent.
    pub mount_from: Vec<String>,
}

/// What a push or pull does, for a display. Events of several blobs are interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many blobs will be looked at.
    Planned {
        /// How many.
        blobs: usize,
        /// Sum of their lengths in bytes.
        bytes: u64,
    },
    /// A blob is about to be transferred.
    Begun {
        /// Which.
        digest: Sha256Digest,
        /// Its length in bytes.
        size: u64,
    },
    /// So much of it has been.
    Moved {
        /// Which.
        digest: Sha256Digest,
        /// How much, in bytes from its beginning.
        bytes: u64,
    },
    /// It is where it should be.
    Finished {
        /// Which.
        digest: Sha256Digest,
    },
    /// It was there already, or another repository had it.
    Present {
        /// Which.
        digest: Sha256Digest,
    },
}

/// One repository of one registry.
pub struct Client<'a> {
    pub(crate) address: Address,
    pub(crate) base: String,
    pub(crate) options: Options,
    agent: Agent,
    /// The header that the registry was last content with.
    authorisation: Mutex<Option<String>>,
    pub(crate) events: &'a (dyn Fn(Event) + Sync),
    pub(crate) cancelled: &'a AtomicBool,
}

/// What a request sends.
pub(crate) enum Content<'a> {
    None,
    Bytes(&'a [u8]),
    /// What a blob's file has from there on, in bytes.
    File {
        path: &'a Path,
        digest: Sha256Digest,
        from: u64,
    },
}

/// Tells of every so many bytes that are read from a file.
struct Told<'a> {
    file: File,
    digest: Sha256Digest,
    position: u64,
    told: u64,
    events: &'a (dyn Fn(Event) + Sync),
}

/// How much comes between two events of a blob, in bytes.
pub(crate) const TOLD_EVERY: u64 = 1 << 20;

impl Read for Told<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.position += read as u64;
        if self.position - self.told >= TOLD_EVERY {
            self.told = self.position;
            (self.events)(Event::Moved { digest: self.digest, bytes: self.position });
        }
        Ok(read)
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'a> Client<'a> {
    /// Prepares requests; asks nothing yet.
    pub fn new(
        address: Address,
        options: Options,
        events: &'a (dyn Fn(Event) + Sync),
        cancelled: &'a AtomicBool,
    ) -> Result<Self, RegistryError> {
        let base = address.base(options.insecure);
        let roots = if base.starts_with("https") { certificates(&options)? } else { Vec::new() };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .https_only(base.starts_with("https"))
            .user_agent(concat!("sx/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(Duration::from_secs(30)))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .timeout_per_write(Some(Duration::from_secs(60)))
            .build()
            .into();
        Ok(Self { address, base, options, agent, authorisation: Mutex::default(), events, cancelled })
    }

    /// The URL of something in the repository.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.base, self.address.repository)
    }

    /// Sends a request until there is an answer that isn't the registry's, or the network's, trouble.
    pub(crate) fn send(
        &self,
        action: &'static str,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        content: &Content<'_>,
    ) -> Result<Response<Body>, RegistryError> {
        self.send_attempts(action, method, url, headers, content, self.options.attempts)
    }

    /// Does what [`Client::send`] does, with so many attempts.
    pub(crate) fn send_attempts(
        &self,
        action: &'static str,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        content: &Content<'_>,
        attempts: u32,
    ) -> Result<Response<Body>, RegistryError> {
        let (mut attempt, mut asked) = (1, false);
        loop {
            self.check()?;
            let answer = self.once(method, url, headers, content)?;
            let is_last = attempt >= attempts;
            match answer {
                Ok(mut response) if response.status().as_u16() == 401 && !asked && self.is_ours(url) => {
                    asked = true;
                    let header = response.headers().get("www-authenticate");
                    let challenge = header.and_then(|header| Challenge::parse(header.to_str().ok()?));
                    // Read, so that the connection can be used again.
                    let _ = text(&mut response);
                    self.authorise(challenge)?;
                    continue;
                }
                Ok(response) if matches!(response.status().as_u16(), 401 | 403) && self.is_ours(url) => {
                    let registry = self.address.registry.clone();
                    let had_credentials = self.options.credentials.is_some();
                    return Err(RegistryError::Denied { registry, had_credentials });
                }
                Ok(response) if !is_trouble(response.status().as_u16()) || is_last => return Ok(response),
                Err(source) if is_last => {
                    return Err(RegistryError::Request { action, url: url.into(), source: Box::new(source) });
                }
                _ => {}
            }
            self.wait(attempt)?;
            attempt += 1;
        }
    }

    fn once(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        content: &Content<'_>,
    ) -> Result<Result<Response<Body>, ureq::Error>, RegistryError> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if self.is_ours(url) {
            let authorisation = self.authorisation.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(value) = &*authorisation {
                request = request.header("authorization", value);
            }
        }
        let (length, body) = match content {
            Content::None if method == "GET" || method == "HEAD" => (None, SendBody::none()),
            Content::None => (Some(0), SendBody::none()),
            Content::Bytes(bytes) => {
                (Some(bytes.len() as u64), SendBody::from_owned_reader(std::io::Cursor::new(bytes.to_vec())))
            }
            &Content::File { path, digest, from } => {
                let failed = |source| RegistryError::File { path: path.into(), source };
                let mut file = File::open(path).map_err(failed)?;
                let length = file.metadata().map_err(failed)?.len().saturating_sub(from);
                file.seek(SeekFrom::Start(from)).map_err(failed)?;
                let mut told = Told { file, digest, position: from, told: from, events: self.events };
                let request = request.header("content-length", length);
                return Ok(match request.body(SendBody::from_reader(&mut told)) {
                    Ok(request) => self.agent.run(request),
                    Err(error) => Err(error.into()),
                });
            }
        };
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        let request = match request.body(body) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error.into())),
        };
        Ok(self.agent.run(request))
    }

    /// Whether a URL is the registry's own, so that it may see what proves who asks.
    fn is_ours(&self, url: &str) -> bool {
        url.strip_prefix(&self.base).is_some_and(|rest| rest.starts_with('/'))
    }

    fn authorise(&self, challenge: Option<Challenge>) -> Result<(), RegistryError> {
        let credentials = self.options.credentials.as_ref();
        let denied = || RegistryError::Denied {
            registry: self.address.registry.clone(),
            had_credentials: credentials.is_some(),
        };
        let header = match challenge.ok_or_else(denied)? {
            Challenge::Basic => credentials.and_then(basic_of).ok_or_else(denied)?,
            Challenge::Bearer { realm, service, scope } => {
                format!("Bearer {}", self.token(&realm, service, scope)?.ok_or_else(denied)?)
            }
        };
        *self.authorisation.lock().unwrap_or_else(PoisonError::into_inner) = Some(header);
        Ok(())
    }

    /// Asks the server that the registry names for a token.
    fn token(
        &self,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
    ) -> Result<Option<String>, RegistryError> {
        self.check_scheme(realm)?;
        let parameters = [("service", service), ("scope", scope)];
        let query: Vec<String> = parameters
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_deref()?))))
            .collect();
        let query = query.join("&");
        let form;
        let (method, url, mut headers, content) = match &self.options.credentials {
            Some(Credentials::IdentityToken(token)) => {
                form =
                    format!("grant_type=refresh_token&client_id=sx&refresh_token={}&{query}", encoded(token));
                let kind = ("content-type", "application/x-www-form-urlencoded".to_owned());
                ("POST", realm.to_owned(), vec![kind], Content::Bytes(form.as_bytes()))
            }
            _ => {
                let mark = if realm.contains('?') { '&' } else { '?' };
                ("GET", format!("{realm}{mark}{query}"), Vec::new(), Content::None)
            }
        };
        if let Some(basic) = self.options.credentials.as_ref().and_then(basic_of) {
            headers.push(("authorization", basic));
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let failed = |source| RegistryError::Request {
            action: "get a token",
            url: realm.into(),
            source: Box::new(source),
        };
        let mut response = self.once(method, &url, &headers, &content)?.map_err(failed)?;
        if response.status().as_u16() != 200 {
            return Ok(None);
        }
        let answer = || RegistryError::Answer { url: realm.into(), expected: "a token" };
        let bytes = read(&mut response, MAX_ANSWER_BYTES).map_err(failed)?.ok_or_else(answer)?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| answer())?;
        let token = token.token.or(token.access_token).ok_or_else(answer)?;
        // A header can't hold it otherwise.
        if token.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(Some(token)) } else { Err(answer()) }
    }

    /// Refuses plain HTTP where the registry itself is reached with TLS.
    pub(crate) fn check_scheme(&self, url: &str) -> Result<(), RegistryError> {
        if self.base.starts_with("https://") && !url.starts_with("https://") {
            return Err(RegistryError::Downgrade { url: url.chars().take(SHOWN).collect() });
        }
        Ok(())
    }

    /// Whether someone called it off.
    pub(crate) fn check(&self) -> Result<(), RegistryError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(RegistryError::Interrupted) } else { Ok(()) }
    }

    /// Waits before the next attempt, longer each time.
    pub(crate) fn wait(&self, attempt: u32) -> Result<(), RegistryError> {
        std::thread::sleep(WAIT * (1 << attempt.min(6)) / 2);
        self.check()
    }
}

/// An answer that isn't one of `expected` as an error.
pub(crate) fn expect(
    action: &'static str,
    url: &str,
    mut response: Response<Body>,
    expected: &[u16],
) -> Result<Response<Body>, RegistryError> {
    let status = response.status().as_u16();
    if expected.contains(&status) {
        return Ok(response);
    }
    Err(RegistryError::Status { action, url: url.into(), status, message: text(&mut response) })
}

/// The body, `None` if it is longer than `limit` bytes.
pub(crate) fn read(response: &mut Response<Body>, limit: u64) -> Result<Option<Vec<u8>>, ureq::Error> {
    let mut bytes = Vec::new();
    response.body_mut().as_reader().take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// What the registry says about an error, for people: on one line, without control characters.
fn text(response: &mut Response<Body>) -> Option<String> {
    let bytes = read(response, MAX_ANSWER_BYTES).ok()??;
    let text = String::from_utf8_lossy(&bytes);
    let text: String = text.chars().filter(|character| !character.is_control()).take(SHOWN).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Answers that may be others next time.
pub(crate) fn is_trouble(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

fn certificates(options: &Options) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let path = options.certificate_files.iter().find(|path| path.is_file());
    let missing =
        || "this host has no certificates of authorities: install ca-certificates, or set SSL_CERT_FILE";
    let path = path.ok_or_else(|| RegistryError::Certificates(missing().into()))?;
    let bytes = std::fs::read(path).map_err(|source| RegistryError::File { path: path.clone(), source })?;
    // Other items, and broken ones, vouch for nothing.
    let found = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        let text = format!("`{}` has no certificates in it, expected PEM", path.display());
        return Err(RegistryError::Certificates(text));
    }
    Ok(found)
}

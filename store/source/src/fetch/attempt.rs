//! One URL, until it gave the file or is given up: requests, retries, taking up where the last one broke.

use super::partial::{Partial, pause};
use super::transfer::{Event, Head, Transfer};
use super::{Failure, FetchError, Fetcher, Progress, Proxies, Watcher, certificates};
use std::sync::Arc;
use std::time::Duration;
use sx_derivation::Hash;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};

/// Requests for one URL, however much progress each makes.
const REQUESTS: u32 = 100;

/// How a request went.
enum Outcome {
    /// The body is there, whole as far as one can tell.
    Complete,
    /// What is there doesn't fit what the server has.
    StartOver,
    Failed(Failure),
}

impl Fetcher {
    /// Downloads into `partial` until it has the hash. `Some` when this URL can't give it.
    pub(super) fn download(
        &self,
        url: &str,
        proxies: &Proxies,
        hash: &Hash,
        partial: &mut Partial,
        watcher: &mut Watcher<'_>,
    ) -> Result<Option<Failure>, FetchError> {
        let config = match self.config(url, proxies) {
            Ok(config) => config,
            Err(failure) => return Ok(Some(failure)),
        };
        let mut is_pieced_together = partial.length() > 0;
        let mut failed_tries = 0;
        for _ in 0..REQUESTS {
            let before = partial.length();
            (watcher.progress)(Progress::Asking { address: url, from: before });
            let agent = Agent::new_with_config(config.clone());
            let failure = match self.request(agent, url, partial, watcher)? {
                Outcome::Complete => {
                    let found = partial.hash();
                    if found == *hash {
                        return Ok(None);
                    }
                    let (bytes, is_html) = (partial.length(), partial.looks_like_html());
                    partial.reset()?;
                    if !is_pieced_together {
                        let expected = hash.clone();
                        return Ok(Some(Failure::Mismatch { expected, found, bytes, is_html }));
                    }
                    is_pieced_together = false;
                    continue;
                }
                Outcome::StartOver if before > 0 => {
                    partial.reset()?;
                    is_pieced_together = false;
                    continue;
                }
                Outcome::StartOver => return Ok(Some(Failure::WrongPart)),
                Outcome::Failed(failure) => failure,
            };
            failed_tries = if partial.length() > before { 1 } else { failed_tries + 1 };
            if !failure.may_pass() || failed_tries >= self.options.tries {
                return Ok(Some(failure));
            }
            is_pieced_together = partial.length() > 0;
            let wait = self.wait_before(failed_tries, &failure);
            (watcher.progress)(Progress::Retrying { address: url, failure: &failure, wait });
            pause(wait, watcher.cancel)?;
        }
        Ok(Some(Failure::CutOff { bytes: partial.length(), source: None }))
    }

    /// Makes one request and takes its body.
    fn request(
        &self,
        agent: Agent,
        url: &str,
        partial: &mut Partial,
        watcher: &mut Watcher<'_>,
    ) -> Result<Outcome, FetchError> {
        let thread_failed = |error| Failure::Request(ureq::Error::Io(error));
        let transfer = match Transfer::start(agent, url, partial.length()) {
            Ok(transfer) => transfer,
            Err(error) => return Ok(Outcome::Failed(thread_failed(error))),
        };
        // Looking up, connecting and waiting for the head have the sum of both timeouts.
        let mut timeout = self.options.connect_timeout + self.options.idle_timeout;
        let mut total = None;
        loop {
            let Some(event) = transfer.next(timeout, watcher.cancel)? else {
                return Ok(Outcome::Failed(Failure::Silent { timeout }));
            };
            timeout = self.options.idle_timeout;
            match event {
                Event::Head(head) => {
                    if let Some(outcome) = take_head(&head, partial)? {
                        return Ok(outcome);
                    }
                    total = head.length.map(|length| length.saturating_add(partial.length()));
                    if total.is_some_and(|total| total > self.options.max_bytes) {
                        return Ok(Outcome::Failed(Failure::TooBig { limit: self.options.max_bytes }));
                    }
                }
                Event::Piece(piece) => {
                    if partial.length() + piece.len() as u64 > self.options.max_bytes {
                        // Nothing of it is worth keeping.
                        partial.reset()?;
                        return Ok(Outcome::Failed(Failure::TooBig { limit: self.options.max_bytes }));
                    }
                    partial.write(&piece)?;
                    (watcher.progress)(Progress::Received { bytes: partial.length(), total });
                }
                Event::End if total.is_some_and(|total| partial.length() < total) => {
                    return Ok(Outcome::Failed(Failure::CutOff { bytes: partial.length(), source: None }));
                }
                Event::End => return Ok(Outcome::Complete),
                Event::RequestFailed(error) => return Ok(Outcome::Failed(Failure::Request(error))),
                Event::BodyFailed(error) => {
                    return Ok(Outcome::Failed(Failure::CutOff {
                        bytes: partial.length(),
                        source: Some(error),
                    }));
                }
            }
        }
    }

    fn wait_before(&self, failed_tries: u32, failure: &Failure) -> Duration {
        let doubled = self.options.backoff.saturating_mul(1 << (failed_tries - 1).min(16));
        let asked = match failure {
            Failure::Status { retry_after: Some(wait), .. } => *wait,
            _ => Duration::ZERO,
        };
        doubled.max(asked).min(self.options.longest_wait)
    }

    pub(super) fn config(&self, url: &str, proxies: &Proxies) -> Result<Config, Failure> {
        let uri: Uri = url.parse().map_err(|_| Failure::Request(ureq::Error::BadUri(url.into())))?;
        let proxy = match proxies.for_url(&uri) {
            Some(proxy) => {
                Some(ureq::Proxy::new(proxy).map_err(|_| Failure::Proxy(without_password(proxy)))?)
            }
            None => None,
        };
        let certificates =
            self.certificates.get_or_init(|| certificates::load(self.options.certificate_file.as_deref()));
        let roots = match certificates {
            Ok(certificates) => Arc::clone(certificates),
            Err(problem) if uri.scheme_str() == Some("https") => {
                return Err(Failure::Certificates(problem.clone()));
            }
            // Without https there is nothing to trust; a redirect to https will fail and say so.
            Err(_) => Arc::default(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(roots))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        Ok(Agent::config_builder()
            .http_status_as_error(false)
            .proxy(proxy)
            .tls_config(tls)
            .max_redirects(self.options.redirects)
            .user_agent(concat!("sx/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            .accept_encoding("identity")
            .timeout_resolve(Some(self.options.connect_timeout))
            .timeout_connect(Some(self.options.connect_timeout))
            .timeout_per_read(Some(self.options.idle_timeout))
            .timeout_per_write(Some(self.options.idle_timeout))
            .build())
    }
}

/// Looks at status and headers. `None` if a body follows that belongs behind what is there.
fn take_head(head: &Head, partial: &mut Partial) -> Result<Option<Outcome>, FetchError> {
    match head.status {
        200 => {
            // The server doesn't do parts: this is the whole.
            if partial.length() > 0 {
                partial.reset()?;
            }
            Ok(None)
        }
        206 if partial.length() > 0 && head.range_start == Some(partial.length()) => Ok(None),
        206 | 416 => Ok(Some(Outcome::StartOver)),
        status => Ok(Some(Outcome::Failed(Failure::Status { status, retry_after: head.retry_after }))),
    }
}

/// A proxy's URL as it may be shown.
fn without_password(proxy: &str) -> String {
    match proxy.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => proxy.into(),
    }
}

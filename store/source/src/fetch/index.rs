//! A registry's own word for where its crates lie: `config.json` of a sparse index, asked for once.

use super::transfer::{Event, Transfer};
use super::{Failure, FetchError, Fetcher, Progress, Watcher};
use serde::Deserialize;
use ureq::Agent;

/// Bytes that `config.json` may have: it holds two addresses.
const CONFIG_BYTES: usize = 64 << 10;

/// What is read of `config.json`.
#[derive(Deserialize)]
struct IndexConfiguration {
    dl: String,
}

impl Fetcher {
    /// The template of a sparse index, see [`crates`](crate::crates); its address and the reason where there is none.
    pub(super) fn index_template(
        &self,
        index: &str,
        watcher: &mut Watcher<'_>,
    ) -> Result<Result<String, (String, Failure)>, FetchError> {
        // A thread that panicked while it held the lock has put nothing wrong into the map.
        let mut known = self.templates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(template) = known.get(index) {
            return Ok(Ok(template.clone()));
        }
        let url = format!("{}/config.json", index.trim_end_matches('/'));
        (watcher.progress)(Progress::Asking { address: &url, from: 0 });
        let template = self.document(&url, watcher)?.and_then(|bytes| {
            let read: Result<IndexConfiguration, _> = serde_json::from_slice(&bytes);
            read.map(|configuration| configuration.dl).map_err(Failure::Index)
        });
        Ok(match template {
            Ok(template) => {
                known.insert(index.to_owned(), template.clone());
                Ok(template)
            }
            Err(failure) => Err((url, failure)),
        })
    }

    /// Gets a small file that nothing pins.
    fn document(&self, url: &str, watcher: &mut Watcher<'_>) -> Result<Result<Vec<u8>, Failure>, FetchError> {
        let config = match self.config(url, &self.options.proxies) {
            Ok(config) => config,
            Err(failure) => return Ok(Err(failure)),
        };
        let transfer = match Transfer::start(Agent::new_with_config(config), url, 0) {
            Ok(transfer) => transfer,
            Err(error) => return Ok(Err(Failure::Request(ureq::Error::Io(error)))),
        };
        let timeout = self.options.connect_timeout + self.options.idle_timeout;
        let mut bytes = Vec::new();
        loop {
            let failure = match transfer.next(timeout, watcher.cancel)? {
                Some(Event::Head(head)) if head.status == 200 => continue,
                Some(Event::Head(head)) => {
                    Failure::Status { status: head.status, retry_after: head.retry_after }
                }
                Some(Event::Piece(piece)) if bytes.len() + piece.len() <= CONFIG_BYTES => {
                    bytes.extend_from_slice(&piece);
                    continue;
                }
                Some(Event::Piece(_)) => Failure::TooBig { limit: CONFIG_BYTES as u64 },
                Some(Event::End) => return Ok(Ok(bytes)),
                Some(Event::RequestFailed(error)) => Failure::Request(error),
                Some(Event::BodyFailed(error)) => {
                    Failure::CutOff { bytes: bytes.len() as u64, source: Some(error) }
                }
                None => Failure::Silent { timeout },
            };
            return Ok(Err(failure));
        }
    }
}

//! One request, on a thread of its own, so that whoever waits for it can give up at once, even while a name is
//! looked up or a connection made.

use super::FetchError;
use super::partial::POLL;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::HeaderMap;

/// Pieces of the body that wait for the disk.
const QUEUE: usize = 16;

/// A request that is under way. Dropping it ends it.
pub(super) struct Transfer {
    agent: Agent,
    events: Receiver<Event>,
}

/// What comes of a request, in this order: a head, pieces, an end; or a failure at any time.
pub(super) enum Event {
    Head(Head),
    Piece(Vec<u8>),
    End,
    RequestFailed(ureq::Error),
    BodyFailed(io::Error),
}

/// What counts of a response's status and headers.
pub(super) struct Head {
    pub(super) status: u16,
    /// Bytes of this response.
    pub(super) length: Option<u64>,
    /// Where a part begins in the whole.
    pub(super) range_start: Option<u64>,
    pub(super) retry_after: Option<Duration>,
}

impl Transfer {
    /// Asks for `url`, from a byte on.
    pub(super) fn start(agent: Agent, url: &str, from: u64) -> io::Result<Self> {
        let (sender, events) = sync_channel(QUEUE);
        let url = url.to_owned();
        let worker = agent.clone();
        std::thread::Builder::new().name("fetch".into()).spawn(move || run(&worker, &url, from, &sender))?;
        Ok(Self { agent, events })
    }

    /// The next event; `None` if none came in time.
    pub(super) fn next(&self, timeout: Duration, cancel: &AtomicBool) -> Result<Option<Event>, FetchError> {
        let begun = Instant::now();
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(FetchError::Cancelled);
            }
            match self.events.recv_timeout(POLL) {
                Ok(event) => return Ok(Some(event)),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < timeout => {}
                Err(_) => return Ok(None),
            }
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.agent.clone().shutdown();
    }
}

/// The worker. It ends when there is nothing more, or nobody listens any more.
fn run(agent: &Agent, url: &str, from: u64, events: &SyncSender<Event>) {
    let mut request = agent.get(url);
    if from > 0 {
        request = request.header("Range", format!("bytes={from}-"));
    }
    let mut response = match request.call() {
        Ok(response) => response,
        Err(error) => {
            // Nobody listening is the way this thread is told to end, here and below.
            let _ = events.send(Event::RequestFailed(error));
            return;
        }
    };
    let status = response.status().as_u16();
    let headers = response.headers();
    let head = Head {
        status,
        length: header(headers, "content-length").and_then(|value| value.parse().ok()),
        range_start: header(headers, "content-range").and_then(range_start),
        retry_after: header(headers, "retry-after")
            .and_then(|value| value.parse().ok())
            .map(Duration::from_secs),
    };
    if events.send(Event::Head(head)).is_err() {
        return;
    }
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    loop {
        let mut piece = vec![0; 64 << 10];
        let event = match body.read(&mut piece) {
            Ok(0) => Event::End,
            Ok(count) => {
                piece.truncate(count);
                Event::Piece(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Event::BodyFailed(error),
        };
        let is_last = !matches!(event, Event::Piece(_));
        if events.send(event).is_err() || is_last {
            return;
        }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The first number of `bytes 100-199/200`.
fn range_start(value: &str) -> Option<u64> {
    value.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.parse().ok()
}

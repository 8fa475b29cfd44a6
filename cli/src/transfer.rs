//! What people see of a push or pull: on a terminal one line with counts and bytes, elsewhere a line for each blob.

use crate::command::show_bytes;
use crate::progress::Progress;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use sx_export::Sha256Digest;
use sx_registry::Event;

/// The display of one transfer. Threads share it.
pub struct Transfer<'a> {
    progress: &'a Progress,
    line: Option<ProgressBar>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    blobs: usize,
    bytes: u64,
    present: usize,
    finished: usize,
    /// Of what is finished or was there.
    finished_bytes: u64,
    /// Lengths of what is being moved, and how much of each has been.
    moving: BTreeMap<Sha256Digest, (u64, u64)>,
}

impl<'a> Transfer<'a> {
    /// Shows nothing yet.
    pub fn new(progress: &'a Progress) -> Self {
        Self { progress, line: progress.line(), state: Mutex::default() }
    }

    /// Shows an event.
    pub fn show(&self, event: Event) {
        // A display in a wrong state is still worth showing.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = state.take(event) {
            self.progress.tell(&line);
        }
        if let Some(line) = &self.line {
            line.set_message(state.text());
        }
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}

impl State {
    /// Counts an event. Gives what is worth a line of its own.
    fn take(&mut self, event: Event) -> Option<String> {
        let short = |digest: Sha256Digest| digest.digits()[..12].to_owned();
        match event {
            Event::Planned { blobs, bytes } => {
                (self.blobs, self.bytes) = (blobs, bytes);
                None
            }
            Event::Begun { digest, size } => {
                self.moving.insert(digest, (size, 0));
                Some(format!("sx: moving {}, {}", short(digest), show_bytes(size)))
            }
            Event::Moved { digest, bytes } => {
                if let Some((size, moved)) = self.moving.get_mut(&digest) {
                    *moved = bytes.min(*size);
                }
                None
            }
            Event::Finished { digest } => {
                self.finished += 1;
                let (size, _) = self.moving.remove(&digest).unwrap_or_default();
                self.finished_bytes += size;
                Some(format!("sx: moved {} ({}/{})", short(digest), self.present + self.finished, self.blobs))
            }
            Event::Present { digest } => {
                self.present += 1;
                Some(format!("sx: already there: {}", short(digest)))
            }
        }
    }

    /// Such as `3/5 blobs, 1 of them there already, 12.3 MiB`.
    fn text(&self) -> String {
        let moved = self.finished_bytes + self.moving.values().map(|(_, moved)| moved).sum::<u64>();
        let there = match self.present {
            0 => String::new(),
            count => format!(", {count} of them there already"),
        };
        let done = self.present + self.finished;
        format!(
            "{done}/{} blobs{there}; {} moved, {} in all",
            self.blobs,
            show_bytes(moved),
            show_bytes(self.bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_and_bytes_are_counted() {
        let [one, two, three] = [1, 2, 3].map(|number| Sha256Digest::from_bytes([number; 32]));
        let mut state = State::default();
        let mut lines = Vec::new();
        for event in [
            Event::Planned { blobs: 3, bytes: 7 << 20 },
            Event::Present { digest: one },
            Event::Begun { digest: two, size: 4 << 20 },
            Event::Begun { digest: three, size: 2 << 20 },
            Event::Moved { digest: two, bytes: 1 << 20 },
            Event::Moved { digest: two, bytes: 9 << 20 },
            Event::Moved { digest: two, bytes: 1 << 20 },
            Event::Finished { digest: three },
        ] {
            lines.extend(state.take(event));
        }
        assert_eq!(state.text(), "2/3 blobs, 1 of them there already; 3.0 MiB moved, 7.0 MiB in all");
        assert_eq!(lines.len(), 4);
        assert!(lines[3].ends_with("(2/3)"), "{lines:?}");
    }
}

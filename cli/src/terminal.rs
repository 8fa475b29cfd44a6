//! A terminal of its own for what runs in a sandbox, passed on to and from the user's.
//!
//! What has the user's own terminal can type into it when the sandbox is long gone. So the sandbox gets a new one, and sx carries
//! bytes between the two: keys one way, what is printed the other, and the size when it changes.

use crate::failure::{Failure, Kind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use std::io::IsTerminal;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often to look for another size, and for the end.
const INTERVAL: Duration = Duration::from_millis(50);

/// A terminal between the user's and a sandbox. Dropped, it gives the user's its modes back.
pub struct Terminal {
    /// Our end.
    controller: OwnedFd,
    /// The sandbox's end.
    inner: OwnedFd,
    before: Termios,
}

impl Terminal {
    /// A new one, if standard input and output are a terminal.
    pub fn new() -> Result<Option<Self>, Failure> {
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Ok(None);
        }
        let terminal = Self::open().map_err(|error| {
            Failure::new(Kind::Host, format!("cannot make a terminal: {}", std::io::Error::from(error)))
        })?;
        Ok(Some(terminal))
    }

    fn open() -> Result<Self, Errno> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&controller)?;
        rustix::pty::unlockpt(&controller)?;
        let inner = rustix::pty::ioctl_tiocgptpeer(&controller, flags)?;
        // What the sandbox doesn't read yet must not keep us from showing what it prints.
        rustix::fs::fcntl_setfl(&controller, rustix::fs::fcntl_getfl(&controller)? | OFlags::NONBLOCK)?;
        let outer = rustix::stdio::stdin();
        let before = tcgetattr(outer)?;
        tcsetattr(&inner, OptionalActions::Now, &before)?;
        tcsetwinsize(&controller, tcgetwinsize(outer)?)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(outer, OptionalActions::Flush, &raw)?;
        Ok(Self { controller, inner, before })
    }

    /// The sandbox's standard input, output and error.
    pub fn console(&self) -> [RawFd; 3] {
        [self.inner.as_raw_fd(); 3]
    }

    /// Carries bytes until `ended` is set and everything printed was shown.
    pub fn relay(&self, ended: &AtomicBool) -> Result<(), Errno> {
        let (keys, screen) = (rustix::stdio::stdin(), rustix::stdio::stdout());
        let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.as_nanos() as i64 };
        let (mut buffer, mut pending, mut has_keys) = ([0; 4096], Vec::new(), true);
        let mut size = tcgetwinsize(keys)?;
        loop {
            let is_last = ended.load(Ordering::Acquire);
            let wanted = if pending.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
            let mut watched = vec![PollFd::new(&self.controller, wanted)];
            if has_keys && pending.is_empty() {
                watched.push(PollFd::new(&keys, PollFlags::IN));
            }
            rustix::io::retry_on_intr(|| poll(&mut watched, Some(&interval)))?;
            let has_typed = watched.get(1).is_some_and(|keys| !keys.revents().is_empty());
            if has_typed {
                let count = rustix::io::retry_on_intr(|| rustix::io::read(keys, &mut buffer))?;
                has_keys = count > 0;
                pending.extend(&buffer[..count]);
            }
            match rustix::io::write(&self.controller, &pending) {
                Ok(count) => drop(pending.drain(..count)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            match rustix::io::read(&self.controller, &mut buffer) {
                Ok(count) => write_all(screen, &buffer[..count])?,
                Err(Errno::AGAIN) if is_last => return Ok(()),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            let now = tcgetwinsize(keys)?;
            if (now.ws_row, now.ws_col) != (size.ws_row, size.ws_col) {
                tcsetwinsize(&self.controller, now)?;
                size = now;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If the user's terminal is gone, there is nothing to mend.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.before);
    }
}

fn write_all(to: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let count = rustix::io::retry_on_intr(|| rustix::io::write(&to, bytes))?;
        bytes = &bytes[count..];
    }
    Ok(())
}

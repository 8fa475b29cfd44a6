//! Runs a build in a sandbox, from the start of its first process to the kernel's last kill.
//!
//! A [launcher](launcher) clones the [first process](first) into new namespaces; who the build user is has to be said from
//! outside; then it gets a [plan], and what it reports at the end comes back the same way.

mod clocks;
mod copies;
mod first;
mod launcher;
mod plan;
mod root;

pub use self::launcher::{end, prepare};
pub(super) use self::plan::{Reader, Writer};

use self::first::{STAGES, Stage};
use self::launcher::{FirstProcess, send};
use super::usage::{INTERVAL, Watch};
use super::view::{self, Outside, View};
use super::{BUILD_GROUP, BUILD_USER, Exit, Sandbox, SandboxError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Runs the builder to its end, and gives what it prints to `output` as it comes. When this returns, no process of
/// the build is left; the folder stays for the caller to take the outputs from and to delete.
pub fn run(
    sandbox: &Sandbox,
    cancelled: &AtomicBool,
    mut output: impl FnMut(&[u8]),
) -> Result<Exit, SandboxError> {
    let outside = view::outside();
    let view = view::make(sandbox, outside)?;
    let message = plan::write(sandbox, &view, outside)?;
    let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let (log_read, log_write) = pipe.map_err(|e| enter("make a pipe", e))?;
    let mut first = FirstProcess::start()?;
    map_ids(first.number, outside).map_err(|e| enter("map the build user", e))?;
    // The first process waits for this, and knows that we are gone when the channel is closed.
    let console = sandbox.visit.as_ref().map(|visit| visit.console);
    let files: Vec<RawFd> =
        [log_write.as_raw_fd()].into_iter().chain(console.into_iter().flatten()).collect();
    // In one message, so that it is woken once.
    let sent = match send(first.channel.as_raw_fd(), &message, &files) {
        ..0 => return Err(enter("start the sandbox", std::io::Error::last_os_error())),
        sent => sent as usize,
    };
    (&first.channel).write_all(&message[sent..]).map_err(|e| enter("start the sandbox", e))?;
    let mut watch = Watch::new(&sandbox.limits, first.number, &sandbox.folder);
    let stopped = follow(sandbox, cancelled, &mut watch, log_read, &first, &mut output);
    // Kept open until here, so that nobody is woken when the builder closes it.
    drop(log_write);
    if stopped.is_err() {
        first.kill();
    }
    first.wait().map_err(|e| enter("wait for the end", e))?;
    stopped?;
    read_status(sandbox, &view, &first.channel)
}

fn enter(stage: &str, source: impl Into<std::io::Error>) -> SandboxError {
    SandboxError::Enter { stage: stage.into(), source: source.into() }
}

/// Writes the identity maps of the child's user namespace: one user, one group.
fn map_ids(child: Pid, outside: Outside) -> std::io::Result<()> {
    let write = |file: &str, text: String| {
        let path = format!("/proc/{}/{file}", child.as_raw_nonzero());
        std::fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
    };
    if !outside.is_other {
        write("setgroups", "deny".into())?;
    }
    write("gid_map", format!("{BUILD_GROUP} {} 1", outside.group))?;
    write("uid_map", format!("{BUILD_USER} {} 1", outside.user))
}

/// Passes on what the builder prints until it and all its descendants are done, or a limit is reached.
fn follow(
    sandbox: &Sandbox,
    cancelled: &AtomicBool,
    watch: &mut Watch<'_>,
    log: OwnedFd,
    first: &FirstProcess,
    output: &mut impl FnMut(&[u8]),
) -> Result<(), SandboxError> {
    let limits = &sandbox.limits;
    let mut log = File::from(log);
    let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.as_nanos() as i64 };
    let start = Instant::now();
    let (mut last, mut printed) = (start, 0u64);
    let mut buffer = [0; 16 << 10];
    loop {
        // In this order: when the first process is gone, and with it all others, nothing more comes.
        let mut watched = [first.end(), PollFd::new(&log, PollFlags::IN)];
        match poll(&mut watched, Some(&interval)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(enter("follow the build", error)),
        }
        let [gone, readable] = watched.map(|watched| !watched.revents().is_empty());
        if readable {
            let count = log.read(&mut buffer).map_err(|e| enter("read the log", e))?;
            last = Instant::now();
            printed += count as u64;
            if printed > limits.log_bytes {
                return Err(SandboxError::Log(limits.log_bytes));
            }
            output(&buffer[..count]);
        } else if gone {
            return Ok(());
        }
        if cancelled.load(Ordering::Relaxed) {
            return Err(SandboxError::Interrupted);
        }
        watch.look()?;
        if let Some(limit) = limits.time.filter(|&limit| start.elapsed() > limit) {
            return Err(SandboxError::Time(limit));
        }
        if let Some(limit) = limits.silence.filter(|&limit| last.elapsed() > limit) {
            return Err(SandboxError::Silence(limit));
        }
    }
}

fn read_status(sandbox: &Sandbox, view: &View<'_>, mut channel: &UnixStream) -> Result<Exit, SandboxError> {
    let mut report = [0; 12];
    if channel.read_exact(&mut report).is_err() {
        let source = std::io::Error::other("it was killed from outside");
        return Err(SandboxError::Enter { stage: "wait for the builder".into(), source });
    }
    let number = |at: usize| i32::from_ne_bytes([report[at], report[at + 1], report[at + 2], report[at + 3]]);
    let (stage, detail, errno) = (number(0), number(4), number(8));
    let source = std::io::Error::from_raw_os_error(errno);
    match STAGES.iter().find(|(known, _)| *known as i32 == stage) {
        Some((Stage::Exited, _)) if libc::WIFSIGNALED(detail) => match sandbox.limits.disk_bytes {
            // One file had more than all may have.
            Some(limit) if libc::WTERMSIG(detail) == libc::SIGXFSZ => Err(SandboxError::Disk(limit)),
            _ => Ok(Exit::Signal(libc::WTERMSIG(detail))),
        },
        Some((Stage::Exited, _)) => Ok(Exit::Code(libc::WEXITSTATUS(detail))),
        Some((Stage::Tracing, _)) => Err(SandboxError::Tracing(source)),
        Some((Stage::Execute, _)) => Err(SandboxError::Execute { program: sandbox.program.clone(), source }),
        Some((Stage::View, name)) => {
            let entry = usize::try_from(detail).ok().and_then(|detail| view.entries.get(detail));
            let stage = entry.map_or_else(|| (*name).into(), |entry| format!("{name} {entry:?}"));
            Err(SandboxError::Enter { stage, source })
        }
        Some((Stage::Attributes, name)) => {
            let of = usize::try_from(detail).ok().and_then(|detail| view.attributes.get(detail));
            let stage = of.map_or_else(|| (*name).into(), |of| format!("{name} the mount {:?}", of.place));
            Err(SandboxError::Enter { stage, source })
        }
        Some((_, name)) => Err(SandboxError::Enter { stage: (*name).into(), source }),
        None => Err(SandboxError::Enter { stage: format!("pass stage {stage}"), source }),
    }
}

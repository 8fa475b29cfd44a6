//! The process that sandboxes' first processes are copies of: small, of one thread, begun once and early.
//!
//! A copy of sx itself would cost the more the larger sx is: its page tables are copied, and until the copy ends each page that a
//! thread of sx writes to is copied, with all processors that run other threads told of it. For 200 builds side by side
//! that took a third of the time. And no copy of what sx has read lies in a sandbox.
//!
//! The launcher ends with sx: when their socket is closed. All that it starts ends with it. As all between clone and exec it
//! calls the kernel only, since it is copied from a process of many threads.

#![expect(unsafe_code, reason = "the calls between clone and exec have no safe wrapper")]

use super::enter;
use super::first::{Stack, clone_onto, exit, first_process, install, reset_signals};
use crate::sandbox::{SandboxError, seccomp};
use libc::{c_int, c_long, c_ulong, c_void, pid_t, sock_filter};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr::{null, null_mut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most files that one message carries.
const MOST_FILES: usize = 4;

/// Most ended processes that one request tells of.
const MOST_ENDED: usize = 15;

/// The launcher of this process, once it is begun.
static LAUNCHER: Mutex<Option<Launcher>> = Mutex::new(None);

/// The number of a first process and a handle of it, or why there is none.
type Answer = io::Result<(Pid, OwnedFd)>;

struct Launcher {
    socket: OwnedFd,
    process: Pid,
    /// First processes that have ended. Until the launcher is told, their numbers are nobody else's.
    ended: Vec<Pid>,
    has_started: bool,
    /// The channel of a first process that was asked for in advance.
    requested: Option<UnixStream>,
}

/// A sandbox's first process. Dropped before it was waited for, it is killed and waited for.
pub(super) struct FirstProcess {
    /// As it is known here.
    pub(super) number: Pid,
    /// Leads there.
    pub(super) channel: UnixStream,
    handle: OwnedFd,
    is_gone: bool,
}

impl FirstProcess {
    /// Starts one, in namespaces of its own. It waits for its plan.
    pub(super) fn start() -> Result<Self, SandboxError> {
        let failed = |error| enter("start the sandbox", error);
        let mut place = lock();
        let mut launcher = place.take().map_or_else(Launcher::begin, Ok).map_err(failed)?;
        // One that doesn't answer is dropped: the next build has a new one.
        let channel = launcher.requested.take().map_or_else(|| launcher.request(), Ok).map_err(failed)?;
        let answer = launcher.answer().map_err(failed)?;
        if launcher.has_started {
            // Where two builds were there may be a third: its first process is made while this one's builder runs.
            launcher.requested = launcher.request().ok();
        }
        launcher.has_started = true;
        *place = Some(launcher);
        drop(place);
        let (number, handle) = answer.map_err(SandboxError::NoUserNamespace)?;
        Ok(Self { number, channel, handle, is_gone: false })
    }

    /// Kills it, and with it, by the kernel's promise for the first process of a PID namespace, all others.
    pub(super) fn kill(&self) {
        // It may have ended by itself.
        let _ = rustix::process::pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Is ready when it and all others are gone.
    pub(super) fn end(&self) -> PollFd<'_> {
        PollFd::new(&self.handle, PollFlags::IN)
    }

    /// Waits until it and all others are gone.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        let mut watched = [self.end()];
        rustix::io::retry_on_intr(|| poll(&mut watched, None))?;
        self.is_gone = true;
        if let Some(launcher) = &mut *lock() {
            launcher.ended.push(self.number);
        }
        Ok(())
    }
}

impl Drop for FirstProcess {
    fn drop(&mut self) {
        if !self.is_gone {
            self.kill();
            let _ = self.wait();
        }
    }
}

/// Begins the launcher, unless there is one. Early, while this process is small, or builds are begun more slowly.
pub fn prepare() -> io::Result<()> {
    let mut launcher = lock();
    if launcher.is_none() {
        *launcher = Some(Launcher::begin()?);
    }
    Ok(())
}

/// Ends the launcher, if there is one: before this process becomes another program, which knows nothing of it, and at its end, so
/// that what builds used is counted as used by it.
pub fn end() {
    lock().take();
}

fn lock() -> MutexGuard<'static, Option<Launcher>> {
    // A panic left it as it was, or took it away.
    LAUNCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Launcher {
    fn begin() -> io::Result<Self> {
        static STACK: Stack = Stack::new();
        let mut sockets = [-1; 2];
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        // SAFETY: two numbers are written to two numbers.
        if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, sockets.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: they are new, and nobody else's.
        let [socket, theirs] = sockets.map(|socket| unsafe { OwnedFd::from_raw_fd(socket) });
        let filter = seccomp::filter();
        let mut begin =
            Begin { socket: theirs.as_raw_fd(), filter: &filter, heap_start: heap_start().unwrap_or(0) };
        // SAFETY: without shared memory the stack and what is given are the copy's own.
        match unsafe { clone_onto(&STACK, libc::SIGCHLD, launch, (&raw mut begin).cast()) } {
            error @ ..0 => Err(io::Error::from_raw_os_error(-error as i32)),
            process => {
                let process =
                    Pid::from_raw(process as pid_t).expect("clone gives the parent a positive number");
                Ok(Self { socket, process, ended: Vec::new(), has_started: false, requested: None })
            }
        }
    }

    /// Asks for a first process. Gives our end of its channel.
    fn request(&mut self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut request = [0; MOST_ENDED + 1];
        let told = self.ended.len().min(MOST_ENDED);
        for (place, ended) in request.iter_mut().zip(self.ended.drain(..told)) {
            *place = ended.as_raw_nonzero().get();
        }
        match send(self.socket.as_raw_fd(), &request, &[theirs.as_raw_fd()]) {
            ..0 => Err(io::Error::last_os_error()),
            _ => Ok(ours),
        }
    }

    /// What was asked for. The outer error says that there is no launcher any more.
    fn answer(&self) -> io::Result<Answer> {
        let (mut answer, mut files) = ([0_i32; 1], [-1; MOST_FILES]);
        let count = loop {
            match receive(self.socket.as_raw_fd(), &mut answer, &mut files) {
                ..0 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                count => break count,
            }
        };
        let [answer] = answer;
        if count <= 0 {
            return Err(io::Error::other("the process that starts builds is gone"));
        }
        let [handle, ..] = files;
        if answer <= 0 || handle < 0 {
            return Ok(Err(io::Error::from_raw_os_error(answer.wrapping_neg())));
        }
        // SAFETY: it was just received, and is nobody else's.
        let handle = unsafe { OwnedFd::from_raw_fd(handle) };
        let number = Pid::from_raw(answer).expect("this holds because it is greater than 0");
        Ok(Ok((number, handle)))
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // It ends when nobody holds the other end; what it started ends with it.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let options = rustix::process::WaitOptions::empty();
        let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(self.process), options));
    }
}

/// Where this process's heap begins, unless something lies in it that no process can do without.
fn heap_start() -> Option<usize> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, which may hold spaces, is the second field; the heap's start is the 47th.
    let start = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(44)?.parse().ok()?;
    // SAFETY: plain numbers; 0 changes nothing.
    let end = unsafe { libc::syscall(libc::SYS_brk, 0) } as usize;
    // What a thread has for itself, which is there in programs that are linked statically.
    // SAFETY: it is always there.
    let own = unsafe { libc::__errno_location() } as usize;
    (!(start..end).contains(&own)).then_some(start)
}

// ---- The launcher: the kernel only, from here on ----

struct Begin<'a> {
    socket: RawFd,
    filter: &'a [sock_filter],
    /// 0 if it is kept.
    heap_start: usize,
}

extern "C" fn launch(begin: *mut c_void) -> ! {
    // SAFETY: it is what was given with this function, and this process has a copy of it.
    let Begin { socket, filter, heap_start } = unsafe { begin.cast::<Begin<'_>>().read() };
    // Of another session, so that what a terminal tells sx to do isn't told to its builds.
    // SAFETY: plain numbers.
    unsafe { libc::setsid() };
    reset_signals();
    // Nobody waits for this process's end of a pipe, and no folder is in use for its sake.
    // SAFETY: the strings end in a zero byte.
    unsafe { libc::chdir(c"/".as_ptr()) };
    // SAFETY: as above.
    let nothing = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    for standard in 0..3 {
        // SAFETY: plain numbers.
        unsafe { libc::dup2(nothing, standard) };
    }
    close_all_but([socket; 2]);
    // Once for all builders, who would each wait for its translation.
    let filter_error = confine(filter);
    if heap_start > 0 {
        // Each first process would get a copy and give it back, and all that sx has read lies there.
        // SAFETY: nothing of it is used from here on.
        unsafe { libc::syscall(libc::SYS_brk, heap_start) };
    }
    loop {
        let (mut request, mut files) = ([0; MOST_ENDED + 1], [-1; MOST_FILES]);
        let count = receive(socket, &mut request, &mut files);
        if count <= 0 {
            // So that what they used is counted as used by sx.
            // SAFETY: null is allowed there.
            while unsafe { libc::waitpid(-1, null_mut(), libc::WNOHANG) } > 0 {}
            exit(0);
        }
        for ended in request {
            if ended > 0 {
                // SAFETY: null is allowed there.
                unsafe { libc::waitpid(ended, null_mut(), libc::WNOHANG) };
            }
        }
        let [channel, ..] = files;
        let mut handle: c_int = -1;
        let answer = match clone_into_namespaces(&mut handle) {
            0 => first_process(channel, filter_error),
            answer => answer as c_int,
        };
        let handles = [handle];
        send(socket, &[answer], if answer > 0 { &handles } else { &[] });
        for file in [channel, handle] {
            // SAFETY: ours, and not used any more.
            unsafe { libc::close(file) };
        }
    }
}

/// Takes away what no builder may do, as far as this process doesn't need it. Gives the kernel's error, 0 for none.
fn confine(filter: &[sock_filter]) -> c_int {
    // SAFETY: plain numbers.
    let is_refused = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } < 0;
    match is_refused || install(filter) < 0 {
        true => io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL),
        false => 0,
    }
}

/// Clones this process into namespaces of its own, and gives the parent a handle of it. The kernel's answer: 0 to the clone, to
/// the parent its number or less than 0.
fn clone_into_namespaces(handle: &mut c_int) -> c_long {
    let namespaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let flags = namespaces as c_ulong | (libc::CLONE_PIDFD | libc::SIGCHLD) as c_ulong;
    let handle: *mut c_int = handle;
    // SAFETY: without CLONE_VM and a stack this is a fork; the handle's number is written where it belongs.
    match unsafe { libc::syscall(libc::SYS_clone, flags, null::<c_void>(), handle, null::<c_void>(), 0) } {
        -1 => -c_long::from(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)),
        answer => answer,
    }
}

/// Closes what was copied from the parent: its files, locks and ends of pipes, whose ends would go unseen.
pub(super) fn close_all_but(mut kept: [RawFd; 2]) {
    kept.sort_unstable();
    let mut first = 3;
    for descriptor in kept.into_iter().chain([RawFd::MAX]) {
        if first < descriptor {
            let (from, to) = (first as c_ulong, descriptor as c_ulong - 1);
            // SAFETY: nothing of this program's runs any more that could use them.
            unsafe { libc::syscall(libc::SYS_close_range, from, to, 0 as c_ulong) };
        }
        first = first.max(descriptor.saturating_add(1));
    }
}

/// Room for the numbers of [`MOST_FILES`] files behind a header, aligned as that has to be.
type Control = [u64; 8];

/// Sends numbers and at most [`MOST_FILES`] files with them. Gives the number of bytes sent, less than 0 if that fails.
pub(super) fn send<T: Copy>(socket: RawFd, numbers: &[T], files: &[RawFd]) -> isize {
    let mut control: Control = [0; 8];
    let bytes = size_of_val(files) as u32;
    let mut piece =
        libc::iovec { iov_base: numbers.as_ptr().cast_mut().cast(), iov_len: size_of_val(numbers) };
    // SAFETY: all zero bytes are a message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    if !files.is_empty() {
        message.msg_control = (&raw mut control).cast();
        // SAFETY: plain numbers.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(bytes) } as _;
        // SAFETY: there is room for a header.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: the header lies in the control's memory, which is aligned for it.
        let header = unsafe { &mut *header };
        header.cmsg_level = libc::SOL_SOCKET;
        header.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: plain numbers.
        header.cmsg_len = unsafe { libc::CMSG_LEN(bytes) } as _;
        // SAFETY: behind the header is room for the files.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(files.as_ptr().cast::<u8>(), data, bytes as usize) };
    }
    // SAFETY: the message and all that it points to live during the call.
    unsafe { libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL) }
}

/// Receives numbers and the files that come with them. Gives the number of bytes received, 0 if nobody sends any more, less than
/// 0 if that fails.
pub(super) fn receive<T: Copy>(socket: RawFd, numbers: &mut [T], files: &mut [RawFd; MOST_FILES]) -> isize {
    let mut control: Control = [0; 8];
    let mut piece = libc::iovec { iov_base: numbers.as_mut_ptr().cast(), iov_len: size_of_val(numbers) };
    // SAFETY: all zero bytes are a message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the message and all that it points to live during the call; any bytes are numbers.
    let count = unsafe { libc::recvmsg(socket, &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    // SAFETY: the kernel has written the message's header.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    if count < 0 || header.is_null() {
        return count;
    }
    // SAFETY: the header lies in the control's memory, which is aligned for it.
    let found = unsafe { &*header };
    if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_RIGHTS {
        // SAFETY: plain numbers.
        let before = unsafe { libc::CMSG_LEN(0) } as usize;
        let bytes = (found.cmsg_len as usize).saturating_sub(before).min(size_of_val(files));
        // SAFETY: behind the header are as many bytes as it says.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: as above; there is room for them.
        unsafe { std::ptr::copy_nonoverlapping(data, files.as_mut_ptr().cast::<u8>(), bytes) };
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// One test, since they share the launcher.
    #[test]
    fn what_has_ended_is_reaped_and_a_launcher_that_was_killed_is_replaced() {
        let place = |number: Pid| PathBuf::from(format!("/proc/{}", number.as_raw_nonzero()));
        let first = FirstProcess::start().unwrap();
        let number = first.number;
        assert!(place(number).exists());
        let maps = std::fs::read_to_string(place(number).join("maps")).unwrap();
        assert!(!maps.contains("[heap]"), "{maps}");
        drop(first);
        // The second is asked for after the first has ended, and the third in advance.
        let (second, third) = (FirstProcess::start().unwrap(), FirstProcess::start().unwrap());
        assert!(!place(number).exists());
        let launcher = lock().as_ref().unwrap().process;
        rustix::process::kill_process(launcher, Signal::KILL).unwrap();
        assert!(FirstProcess::start().and_then(|_| FirstProcess::start()).is_err());
        FirstProcess::start().unwrap();
        // Another launcher's are told to this one, which knows nothing of them.
        drop((second, third));
        for _ in 0..3 {
            FirstProcess::start().unwrap();
        }
        end();
    }
}

//! Clocks of a builder that are ahead of the host's.
//!
//! Those that count from the machine's start belong to a namespace, which has offsets for them. The time of day has none.
//! So the sandbox's first process traces all that the builder starts, and answers the calls that ask for it. Programs make
//! no call as long as the kernel's page that tells the time without one (vDSO) is in view: at the start of each program its
//! entry in the list that the kernel leaves on the stack is crossed out, and what finds no entry makes the call.
//!
//! A call that waits until a moment of the builder's day is made one that waits until that moment of the host's. Times of
//! files are the host's.
//!
//! What is traced can't be traced by others: a builder that runs a debugger fails.

#![expect(unsafe_code, reason = "tracing a process has no safe wrapper")]

use super::first::install;
use super::plan::{Reader, Writer};
use crate::sandbox::{Conditions, seccomp};
use libc::{c_int, c_long, c_ulong, clockid_t, pid_t, user_regs_struct};
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

/// A namespace of clocks, for children of who asks for it.
const CLONE_NEWTIME: c_int = 0x80;

/// What is traced, with all that it starts; it ends with its tracer.
const TRACED: c_int = libc::PTRACE_O_EXITKILL
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE;

/// An entry that nobody looks for, in place of that of the kernel's page.
const AT_IGNORE: u64 = 1;

/// Bytes of a word.
const WORD: u64 = 8;

/// What a builder's clocks show.
pub(super) struct Clocks<'a> {
    /// Lines for the kernel about the clocks that count from the machine's start.
    offsets: Option<&'a CStr>,
    day: Option<Day>,
}

struct Day {
    ahead_seconds: i64,
}

impl<'a> Clocks<'a> {
    pub(super) fn write(conditions: &Conditions, plan: &mut Writer) {
        let offsets = conditions.clocks_ahead.map(|ahead| {
            let seconds = ahead.as_secs();
            let lines = format!("monotonic {seconds} 0\nboottime {seconds} 0\n");
            CString::new(lines).expect("words and numbers have no zero byte")
        });
        plan.option(offsets, |plan, offsets| plan.text(&offsets));
        plan.option(
            conditions.day_ahead.map(|ahead| ahead.as_secs().min(i64::MAX as u64 / 4)),
            Writer::number,
        );
    }

    pub(super) fn read(plan: &mut Reader<'a>) -> Self {
        let offsets = plan.option(Reader::text);
        let day = plan.option(Reader::number);
        Self { offsets, day: day.map(|seconds| Day { ahead_seconds: seconds as i64 }) }
    }

    /// Whether they show anything else than the host's.
    pub(super) const fn are_ahead(&self) -> bool {
        self.offsets.is_some() || self.day.is_some()
    }

    // ---- From here on as in `process`: the kernel only, negative numbers are failures ----

    /// Sets the clocks of this process's children that count from the machine's start; it keeps the host's itself.
    pub(super) fn set(&self) -> c_long {
        let Some(offsets) = &self.offsets else { return 0 };
        // SAFETY: plain numbers.
        if unsafe { libc::unshare(CLONE_NEWTIME) } < 0 {
            return -1;
        }
        let place = c"/proc/self/timens_offsets".as_ptr();
        // SAFETY: the string ends in a zero byte.
        let file = unsafe { libc::open(place, libc::O_WRONLY | libc::O_CLOEXEC) };
        let bytes = offsets.to_bytes();
        // SAFETY: the bytes are as many as said; a file that isn't open is refused.
        let written = unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
        // SAFETY: the file is ours.
        unsafe { libc::close(file) };
        written as c_long
    }

    /// Makes the place where the builder waits until it is traced.
    pub(super) fn make_gate(&self, gate: &mut [RawFd; 2]) -> c_int {
        if self.day.is_none() {
            return 0;
        }
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        // SAFETY: two numbers are written to two numbers.
        unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, gate.as_mut_ptr()) }
    }

    /// The builder's side.
    pub(super) fn wait_at_gate(&self, [theirs, ours]: [RawFd; 2]) -> c_long {
        if self.day.is_none() {
            return 0;
        }
        // SAFETY: the other side's.
        unsafe { libc::close(theirs) };
        // Only what may be dumped may be traced. No other process of the build runs yet, and this one becomes a program.
        // SAFETY: plain numbers.
        let dumpable = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1 as c_ulong) };
        if dumpable < 0 || send(ours) != 1 || receive(ours) != 1 {
            return -1;
        }
        install(&seccomp::TIME_FILTER)
    }

    /// Traces the builder, which waits.
    pub(super) fn trace(&self, builder: pid_t, [ours, theirs]: [RawFd; 2]) -> c_long {
        if self.day.is_none() {
            return 0;
        }
        // SAFETY: the other side's.
        unsafe { libc::close(theirs) };
        if receive(ours) != 1 {
            return -1;
        }
        let traced = request(libc::PTRACE_SEIZE as c_long, builder, 0, TRACED as u64);
        if traced < 0 || send(ours) != 1 {
            return -1;
        }
        // SAFETY: ours, and not used any more.
        unsafe { libc::close(ours) };
        0
    }

    /// Lets a traced process go on that stopped with this wait status. One that was killed meanwhile is none any more, and
    /// all calls about it fail.
    pub(super) fn go_on(&self, process: pid_t, status: c_int) {
        let signal = libc::WSTOPSIG(status);
        let mut passed_on = 0;
        match (status >> 16, signal) {
            (0, _) => passed_on = signal,
            (libc::PTRACE_EVENT_STOP, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) => {
                // It stays stopped until somebody continues it.
                request(libc::PTRACE_LISTEN as c_long, process, 0, 0);
                return;
            }
            (libc::PTRACE_EVENT_EXEC, _) => hide_page(process),
            (libc::PTRACE_EVENT_SECCOMP, _) => self.answer(process),
            _ => {}
        }
        request(libc::PTRACE_CONT as c_long, process, 0, passed_on as u64);
    }

    fn answer(&self, process: pid_t) {
        let (Some(day), Some(mut registers)) = (&self.day, registers(process)) else { return };
        let (first, second, call) = (registers.rdi, registers.rsi, registers.orig_rax as c_long);
        let clock = if call == libc::SYS_clock_gettime { first as clockid_t } else { libc::CLOCK_REALTIME };
        let time = now(clock);
        let (seconds, mut told) = (time.tv_sec + day.ahead_seconds, 0);
        let is_written = match call {
            libc::SYS_clock_gettime => second != 0 && poke(process, second, &[seconds, time.tv_nsec]),
            libc::SYS_gettimeofday => {
                // Kernels have no time zone.
                poke(process, first, &[seconds, time.tv_nsec / 1000]) && poke(process, second, &[0])
            }
            libc::SYS_time => {
                told = seconds;
                poke(process, first, &[seconds])
            }
            libc::SYS_futex => return day.bring_back(process, registers.r10),
            libc::SYS_clock_nanosleep => return day.bring_back(process, registers.rdx),
            // An interval comes before the moment.
            libc::SYS_timer_settime | libc::SYS_timerfd_settime => {
                return day.bring_back(process, registers.rdx.wrapping_add(2 * WORD));
            }
            _ => return,
        };
        registers.rax = if is_written { told } else { -i64::from(libc::EFAULT) } as u64;
        // The kernel makes no call of this number, and leaves the answer as it is.
        registers.orig_rax = u64::MAX;
        let place = &raw const registers as u64;
        request(libc::PTRACE_SETREGS as c_long, process, 0, place);
    }
}

impl Day {
    /// Makes a moment of the builder's day the host's. One that is none, such as a length of time, stays as it is: it is much
    /// smaller.
    fn bring_back(&self, process: pid_t, place: u64) {
        let Some(seconds) = peek(process, place) else { return };
        let seconds = seconds as i64;
        if seconds > now(libc::CLOCK_REALTIME).tv_sec + self.ahead_seconds / 2 {
            poke(process, place, &[seconds - self.ahead_seconds]);
        }
    }
}

/// Crosses out where the kernel's page is, in the list behind a new program's arguments and environment.
fn hide_page(process: pid_t) {
    let Some(registers) = registers(process) else { return };
    let Some(arguments) = peek(process, registers.rsp) else { return };
    // The number of arguments, they, and a zero.
    let mut place = registers.rsp.wrapping_add(arguments.wrapping_add(2).wrapping_mul(WORD));
    loop {
        match peek(process, place) {
            None => return,
            Some(variable) => {
                place = place.wrapping_add(WORD);
                if variable == 0 {
                    break;
                }
            }
        }
    }
    loop {
        match peek(process, place) {
            None | Some(libc::AT_NULL) => return,
            Some(libc::AT_SYSINFO_EHDR) => {
                poke(process, place, &[AT_IGNORE as i64]);
                return;
            }
            Some(_) => place = place.wrapping_add(2 * WORD),
        }
    }
}

fn now(clock: clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is written to the structure.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time
}

fn registers(process: pid_t) -> Option<user_regs_struct> {
    // SAFETY: all zero bytes are registers.
    let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
    let place = &raw mut registers as u64;
    (request(libc::PTRACE_GETREGS as c_long, process, 0, place) >= 0).then_some(registers)
}

/// A word of a traced process's memory.
fn peek(process: pid_t, place: u64) -> Option<u64> {
    let mut word = 0_u64;
    let into = &raw mut word as u64;
    (request(libc::PTRACE_PEEKDATA as c_long, process, place, into) >= 0).then_some(word)
}

/// Writes words to a traced process's memory, unless the place is null. Whether that could be done.
fn poke(process: pid_t, place: u64, words: &[i64]) -> bool {
    let mut at = place;
    place == 0
        || words.iter().all(|word| {
            let done = request(libc::PTRACE_POKEDATA as c_long, process, at, *word as u64) >= 0;
            at = at.wrapping_add(WORD);
            done
        })
}

/// The kernel's own call, since the C library's changes some of its answers.
fn request(kind: c_long, process: pid_t, address: u64, data: u64) -> c_long {
    // SAFETY: where `data` is a place of ours, what the kernel reads or writes there is a structure of that kind.
    unsafe { libc::syscall(libc::SYS_ptrace, kind, c_long::from(process), address, data) }
}

fn send(to: RawFd) -> isize {
    // SAFETY: one byte is read.
    unsafe { libc::write(to, b"!".as_ptr().cast(), 1) }
}

fn receive(from: RawFd) -> isize {
    let mut byte = 0_u8;
    // SAFETY: one byte is read into one byte.
    unsafe { libc::read(from, (&raw mut byte).cast(), 1) }
}

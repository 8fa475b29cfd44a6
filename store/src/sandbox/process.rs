//! The sandbox's first process, from clone to the kernel's last kill.
//!
//! Between clone and exec the child shares its memory's state with a process of many threads, some of which may have
//! held locks. So everything it needs is made before ([`Plan`]), and it calls the kernel only: no allocation, no
//! standard library, no panic. What fails is reported as three numbers through a pipe.

#![expect(unsafe_code, reason = "the calls between clone and exec have no safe wrapper")]

mod clocks;
mod copies;
mod root;

use self::clocks::Clocks;
use self::copies::copy_reversed;
use self::root::{change_root, leave_old_root, make_entry, open_sources, set_attributes};
use super::usage::{INTERVAL, Watch};
use super::view::{self, Outside, View};
use super::{BUILD_FOLDER, BUILD_GROUP, BUILD_USER, Exit, Processors, Sandbox, SandboxError, Terminal};
use bstr::BString;
use libc::{c_char, c_int, c_long, c_ulong, pid_t};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal};
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Size of the stack on which the builder's last steps before its program run: a few calls deep.
const STACK_BYTES: usize = 256 << 10;

/// Descriptors that a builder may open.
const MAX_OPEN_FILES: u64 = 4096;

/// Steps on the way in, each with what it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
enum Stage {
    Network,
    Clocks,
    Tracing,
    HostName,
    Private,
    Root,
    Identity,
    View,
    Copies,
    Attributes,
    Limits,
    Rights,
    Terminal,
    Filter,
    Fork,
    Execute,
    /// Not a failure: the builder ended, the wait status follows.
    Exited,
}

const STAGES: [(Stage, &str); 17] = [
    (Stage::Network, "bring up the loopback interface"),
    (Stage::Clocks, "set the clocks ahead"),
    (Stage::Tracing, "trace the builder"),
    (Stage::HostName, "set the host name"),
    (Stage::Private, "make the mounts private"),
    (Stage::Root, "change the root"),
    (Stage::Identity, "become the build user"),
    (Stage::View, "make"),
    (Stage::Copies, "copy the inputs into memory"),
    (Stage::Attributes, "set the attributes of"),
    (Stage::Limits, "set the resource limits"),
    (Stage::Rights, "give up rights"),
    (Stage::Terminal, "take the terminal"),
    (Stage::Filter, "install the filter of system calls"),
    (Stage::Fork, "fork"),
    (Stage::Execute, "execute"),
    (Stage::Exited, "end"),
];

/// Everything the child needs, made before the clone.
struct Plan<'a> {
    /// Of the sandbox, and where the root in memory is mounted.
    folder: CString,
    objects: CString,
    build_folder: CString,
    view: View<'a>,
    program: CString,
    /// Null-terminated, pointing into `_strings`.
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    _strings: Vec<CString>,
    becomes_other: bool,
    host_name: &'static str,
    umask: libc::mode_t,
    clocks: Clocks,
    processors: Processors,
    /// The builder's stack until it becomes its program.
    stack: Vec<u8>,
    most_processes: Option<u64>,
    most_file_bytes: Option<u64>,
    filter: Vec<libc::sock_filter>,
    go: RawFd,
    log: RawFd,
    status: RawFd,
    /// Standard input, output and error in place of nothing and the log.
    console: Option<[RawFd; 3]>,
    takes_terminal: bool,
}

/// Runs the builder to its end, and gives what it prints to `output` as it comes. When this returns, no process of
/// the build is left; the folder stays for the caller to take the outputs from and to delete.
pub fn run(
    sandbox: &Sandbox,
    cancelled: &AtomicBool,
    mut output: impl FnMut(&[u8]),
) -> Result<Exit, SandboxError> {
    let outside = view::outside();
    let view = view::make(sandbox, outside)?;
    let conditions = &sandbox.conditions;
    let pipe =
        || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| enter("make a pipe", e));
    let ((go_read, go_write), (log_read, log_write), (status_read, status_write)) =
        (pipe()?, pipe()?, pipe()?);
    let c_string =
        |text: &BString| CString::new(text.as_slice()).map_err(|_| SandboxError::ZeroByte(text.clone()));
    let program = c_string(&sandbox.program)?;
    let variables = sandbox.environment.iter().map(|(name, value)| {
        let mut variable = name.clone();
        variable.push(b'=');
        variable.extend_from_slice(value);
        variable
    });
    let arguments: Vec<CString> = sandbox.arguments.iter().map(c_string).collect::<Result<_, _>>()?;
    let variables: Vec<CString> = variables.map(|text| c_string(&text)).collect::<Result<_, _>>()?;
    let pointers = |first: Option<&CString>, rest: &[CString]| {
        let rest = rest.iter().map(|text| text.as_ptr());
        first.map(|text| text.as_ptr()).into_iter().chain(rest).chain([null()]).collect()
    };
    let plan = Plan {
        folder: view::c_string(&sandbox.folder),
        objects: view::c_string(&sandbox.objects),
        build_folder: CString::new(BUILD_FOLDER).expect("the constant has no zero byte"),
        view,
        arguments: pointers(Some(&program), &arguments),
        environment: pointers(None, &variables),
        program,
        // Their texts stay where they are when the vectors move.
        _strings: arguments.into_iter().chain(variables).collect(),
        becomes_other: outside.is_other,
        host_name: conditions.host_name,
        umask: conditions.umask,
        clocks: Clocks::new(conditions),
        processors: conditions.processors,
        stack: vec![0; STACK_BYTES],
        // The first process is one of the build's user too; and one too many can be seen before it is refused more.
        most_processes: sandbox.limits.processes.map(|most| most.saturating_add(2)),
        most_file_bytes: sandbox.limits.disk_bytes,
        filter: super::seccomp::filter(),
        go: go_read.as_raw_fd(),
        log: log_write.as_raw_fd(),
        status: status_write.as_raw_fd(),
        console: sandbox.visit.as_ref().map(|visit| visit.console),
        takes_terminal: sandbox.visit.as_ref().is_some_and(|visit| visit.terminal == Terminal::Own),
    };
    let child = Child(clone_into_namespaces(&plan).map_err(SandboxError::NoUserNamespace)?);
    drop((go_read, log_write, status_write));
    map_ids(child.0, outside).map_err(|e| enter("map the build user", e))?;
    // Kept open to the end: its closing tells the child that we are gone.
    let mut go = File::from(go_write);
    go.write_all(b"!").map_err(|e| enter("start the sandbox", e))?;
    let mut watch = Watch::new(&sandbox.limits, child.0, &sandbox.folder);
    let stopped = follow(sandbox, cancelled, &mut watch, log_read, &status_read, &mut output);
    if stopped.is_err() {
        child.kill();
    }
    child.wait()?;
    drop(go);
    stopped?;
    read_status(sandbox, &plan, status_read)
}

fn enter(stage: &str, source: impl Into<std::io::Error>) -> SandboxError {
    SandboxError::Enter { stage: stage.into(), source: source.into() }
}

/// The sandbox's first process. Dropped before it was waited for, it is killed and waited for.
struct Child(Pid);

impl Child {
    fn kill(&self) {
        // It is our child and was not waited for, so the number is still its own; it may have ended by itself.
        let _ = rustix::process::kill_process(self.0, Signal::KILL);
    }

    /// Waits until it and, by the kernel's promise for the first process of a PID namespace, all others are gone.
    fn wait(self) -> Result<(), SandboxError> {
        let result = self.reap();
        std::mem::forget(self);
        result.map_err(|e| enter("wait for the end", e))
    }

    fn reap(&self) -> rustix::io::Result<()> {
        let options = rustix::process::WaitOptions::empty();
        rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(self.0), options)).map(drop)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        let _ = self.reap();
    }
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
    status: &OwnedFd,
    output: &mut impl FnMut(&[u8]),
) -> Result<(), SandboxError> {
    let limits = &sandbox.limits;
    let mut log = File::from(log);
    let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.as_nanos() as i64 };
    let start = Instant::now();
    let (mut last, mut printed, mut open) = (start, 0u64, true);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // The status pipe is only written to at the end; its closing says that the first process is gone.
        let mut watched = vec![PollFd::new(status, PollFlags::empty())];
        if open {
            watched.push(PollFd::new(&log, PollFlags::IN));
        }
        match poll(&mut watched, Some(&interval)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(enter("follow the build", error)),
        }
        let gone = watched[0].revents().contains(PollFlags::HUP);
        let readable = watched.get(1).is_some_and(|log| !log.revents().is_empty());
        if readable {
            let count = log.read(&mut buffer).map_err(|e| enter("read the log", e))?;
            open = count > 0;
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

fn read_status(sandbox: &Sandbox, plan: &Plan<'_>, status: OwnedFd) -> Result<Exit, SandboxError> {
    let mut report = [0; 12];
    if File::from(status).read_exact(&mut report).is_err() {
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
            let entry = usize::try_from(detail).ok().and_then(|detail| plan.view.entries.get(detail));
            let stage = entry.map_or_else(|| (*name).into(), |entry| format!("{name} {entry:?}"));
            Err(SandboxError::Enter { stage, source })
        }
        Some((Stage::Attributes, name)) => {
            let of = usize::try_from(detail).ok().and_then(|detail| plan.view.attributes.get(detail));
            let stage = of.map_or_else(|| (*name).into(), |of| format!("{name} the mount {:?}", of.place));
            Err(SandboxError::Enter { stage, source })
        }
        Some((_, name)) => Err(SandboxError::Enter { stage: (*name).into(), source }),
        None => Err(SandboxError::Enter { stage: format!("pass stage {stage}"), source }),
    }
}

/// Clones this process into namespaces of its own. Only the parent returns.
fn clone_into_namespaces(plan: &Plan<'_>) -> std::io::Result<Pid> {
    let namespaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let flags = namespaces as c_ulong | libc::SIGCHLD as c_ulong;
    // SAFETY: without CLONE_VM and a stack this is a fork; the child only runs `first_process`, which never returns.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        -1 => Err(std::io::Error::last_os_error()),
        0 => first_process(plan),
        pid => Ok(Pid::from_raw(pid as pid_t).expect("clone gives the parent a positive number")),
    }
}

// ---- The child: the kernel only, from here on ----

/// Reports a failure and ends the process.
fn fail(plan: &Plan<'_>, stage: Stage, detail: c_int) -> ! {
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    report(plan, stage, detail, errno);
    exit(1)
}

fn report(plan: &Plan<'_>, stage: Stage, detail: c_int, errno: c_int) {
    let numbers: [c_int; 3] = [stage as c_int, detail, errno];
    // SAFETY: the array is 12 bytes long. A pipe takes so few at once; if nobody reads, there is nobody to tell.
    unsafe { libc::write(plan.status, numbers.as_ptr().cast(), 12) };
}

fn exit(code: c_int) -> ! {
    // SAFETY: ends the process without running anything of this program's.
    unsafe { libc::_exit(code) }
}

/// Goes on if the call gave no error.
fn check(plan: &Plan<'_>, stage: Stage, detail: c_int, result: impl Into<c_long>) {
    if result.into() < 0 {
        fail(plan, stage, detail);
    }
}

fn first_process(plan: &Plan<'_>) -> ! {
    let [input, output, errors] = plan.console.unwrap_or([plan.log; 3]);
    close_all_but([plan.go, plan.log, plan.status, input, output, errors]);
    wait_for_go(plan);
    bring_up_loopback(plan);
    check(plan, Stage::Clocks, 0, plan.clocks.set());
    let name = plan.host_name;
    // SAFETY: the name is as long as said.
    check(plan, Stage::HostName, 0, unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) });
    // All before this process becomes the build user, who can't walk to where the store lies.
    let outside = open_sources(plan);
    change_root(plan);
    if plan.becomes_other {
        become_build_user(plan);
    }
    // Modes are given as they shall be.
    // SAFETY: plain numbers.
    unsafe { libc::umask(0) };
    for (position, entry) in plan.view.entries.iter().enumerate() {
        make_entry(plan, entry, &outside, position as c_int);
    }
    if let Some(reversed) = &plan.view.reversed {
        // As the build user, whose the file system in memory is.
        copy_reversed(plan, reversed, outside.objects);
    }
    leave_old_root(plan, &outside);
    for (position, attributes) in plan.view.attributes.iter().enumerate() {
        check(plan, Stage::Attributes, position as c_int, set_attributes(attributes));
    }
    set_limits(plan);
    give_up_rights(plan);
    if plan.takes_terminal {
        take_terminal(plan);
    }
    check(plan, Stage::Filter, 0, install(&plan.filter));
    let mut gate = [-1; 2];
    check(plan, Stage::Tracing, 0, plan.clocks.make_gate(&mut gate));
    // Nothing is copied for the builder: it borrows this process's memory, which stands still until the builder has become
    // its program. But who shares memory stays where the clocks are that its parent has, before Linux 6.0; and who
    // waits for its tracer can't be waited for by it.
    let shared = if plan.clocks.are_ahead() { 0 } else { libc::CLONE_VM | libc::CLONE_VFORK };
    let mut given = (plan, gate);
    // SAFETY: plan and gate outlive the builder's use of them, since this process goes on after that only.
    match unsafe { clone_onto(&plan.stack, shared | libc::SIGCHLD, become_builder, (&raw mut given).cast()) }
    {
        error @ ..0 => {
            report(plan, Stage::Fork, 0, -error as c_int);
            exit(1)
        }
        builder => {
            let builder = builder as pid_t;
            check(plan, Stage::Tracing, 1, plan.clocks.trace(builder, gate));
            wait_for_builder(plan, builder)
        }
    }
}

/// Clones this process; the clone runs `function` with `given` on `stack`. The kernel's answer: the clone's number, or
/// less than 0. The C library's own `clone` may take locks (musl's does), which another thread of sx may have held
/// when this process was made: it would wait forever.
///
/// # Safety
///
/// The stack is nobody else's and large enough for the function, and it and `given` live as long as that uses them.
unsafe fn clone_onto(
    stack: &[u8],
    flags: c_int,
    function: extern "C" fn(*mut libc::c_void) -> !,
    given: *mut libc::c_void,
) -> c_long {
    let top = stack.as_ptr_range().end as usize & !15;
    let answer: c_long;
    // SAFETY: the clone begins on its own stack, aligned as for a call, and never returns from the function; for this process it's
    // a system call, which changes rax, rcx and r11 and, with memory shared, what the function writes.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {given}",
            "call {function}",
            "ud2",
            "2:",
            given = in(reg) given,
            function = in(reg) function,
            inlateout("rax") libc::SYS_clone => answer,
            in("rdi") c_long::from(flags),
            in("rsi") top,
            in("rdx") 0,
            in("r10") 0,
            in("r8") 0,
            out("rcx") _,
            out("r11") _,
        );
    }
    answer
}

extern "C" fn become_builder(given: *mut libc::c_void) -> ! {
    // SAFETY: they are what was given with this function.
    let (plan, gate) = unsafe { *given.cast::<(&Plan<'_>, [RawFd; 2])>() };
    check(plan, Stage::Tracing, 2, plan.clocks.wait_at_gate(gate));
    execute(plan)
}

/// Closes what was copied from the parent: its ends of our pipes and of other builds', whose ends would go unseen.
fn close_all_but(mut kept: [RawFd; 6]) {
    kept.sort_unstable();
    let mut first = 3;
    for descriptor in kept.into_iter().chain([RawFd::MAX]) {
        if first < descriptor {
            // SAFETY: nothing of this program's runs any more that could use them.
            unsafe {
                libc::syscall(
                    libc::SYS_close_range,
                    first as c_ulong,
                    descriptor as c_ulong - 1,
                    0 as c_ulong,
                )
            };
        }
        first = first.max(descriptor.saturating_add(1));
    }
}

fn wait_for_go(plan: &Plan<'_>) {
    let mut byte = 0u8;
    // SAFETY: one byte is read into one byte.
    let count = unsafe { libc::read(plan.go, (&raw mut byte).cast(), 1) };
    if count != 1 {
        exit(1);
    }
}

/// Ends the process if sx is gone.
fn stop_if_alone(plan: &Plan<'_>) {
    let mut watched = libc::pollfd { fd: plan.go, events: 0, revents: 0 };
    // SAFETY: one structure, for no time.
    unsafe { libc::poll(&raw mut watched, 1, 0) };
    if watched.revents & libc::POLLHUP != 0 {
        exit(1);
    }
}

fn bring_up_loopback(plan: &Plan<'_>) {
    // SAFETY: plain numbers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(plan, Stage::Network, 0, socket);
    // SAFETY: all zero bytes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: the kernel reads the request during the call.
    check(plan, Stage::Network, 1, unsafe {
        libc::ioctl(socket, libc::SIOCSIFFLAGS as libc::Ioctl, &raw const request)
    });
    // SAFETY: the socket is ours.
    unsafe { libc::close(socket) };
}

fn become_build_user(plan: &Plan<'_>) {
    // SAFETY: plain numbers; system calls of this thread, the only one of this process.
    check(plan, Stage::Identity, 0, unsafe { libc::syscall(libc::SYS_setgroups, 0, null::<libc::gid_t>()) });
    let (user, group) = (BUILD_USER, BUILD_GROUP);
    // SAFETY: as above.
    check(plan, Stage::Identity, 1, unsafe { libc::syscall(libc::SYS_setresgid, group, group, group) });
    // SAFETY: as above.
    check(plan, Stage::Identity, 2, unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) });
}

fn set_limits(plan: &Plan<'_>) {
    let limits = [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, MAX_OPEN_FILES),
        (libc::RLIMIT_STACK, 8 << 20),
        (libc::RLIMIT_MEMLOCK, 64 << 10),
        (libc::RLIMIT_NPROC, plan.most_processes.unwrap_or(libc::RLIM_INFINITY)),
        (libc::RLIMIT_FSIZE, plan.most_file_bytes.unwrap_or(libc::RLIM_INFINITY)),
    ];
    for (resource, value) in limits {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel writes to and reads from the structure during the calls.
        check(plan, Stage::Limits, resource as c_int, unsafe { libc::getrlimit(resource, &raw mut limit) });
        // What the host allows less of can't be raised; that is the host's to say.
        limit.rlim_cur = value.min(limit.rlim_max);
        if resource != libc::RLIMIT_STACK {
            limit.rlim_max = limit.rlim_cur;
        }
        // SAFETY: as above.
        check(plan, Stage::Limits, resource as c_int, unsafe { libc::setrlimit(resource, &raw const limit) });
    }
}

fn give_up_rights(plan: &Plan<'_>) {
    let prctl = |detail, option: c_int, value: c_ulong| {
        // SAFETY: these options take numbers only.
        check(plan, Stage::Rights, detail, unsafe {
            libc::prctl(option, value, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong)
        });
    };
    let mut capability: c_ulong = 0;
    // SAFETY: as above.
    while unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } >= 0 {
        capability += 1;
    }
    // The kernel knows no more of them; had it refused one that it knows, this would go on to drop nothing.
    let is_beyond = capability > 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
    check(plan, Stage::Rights, 0, if is_beyond { 0 } else { -1 });
    // Version 3 of the call's header, for ourselves; three times two words of no capability at all.
    let header: [u32; 2] = [0x2008_0522, 0];
    let none = [0u32; 6];
    // SAFETY: both structures are as long as that version says.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    check(plan, Stage::Rights, 1, result);
    prctl(2, libc::PR_SET_NO_NEW_PRIVS, 1);
    // Our memory is a copy of sx's, environment included: no builder looks into it.
    prctl(3, libc::PR_SET_DUMPABLE, 0);
    // Changing the user cleared it, so it is set only now; an earlier death is looked for after.
    prctl(4, libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong);
    stop_if_alone(plan);
    // SAFETY: plain numbers.
    check(plan, Stage::Rights, 5, unsafe { libc::setsid() });
}

/// Makes the console the terminal of this session, which has none.
fn take_terminal(plan: &Plan<'_>) {
    let [input, ..] = plan.console.unwrap_or([-1; 3]);
    // SAFETY: plain numbers.
    check(plan, Stage::Terminal, 0, unsafe { libc::ioctl(input, libc::TIOCSCTTY as libc::Ioctl, 0) });
}

/// Installs a filter of system calls. Gives a negative number if that fails.
fn install(filter: &[libc::sock_filter]) -> c_long {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program is as long as said and is only read.
    unsafe { libc::syscall(libc::SYS_seccomp, mode, 0, &raw const program) }
}

/// The builder's side of the last fork.
fn execute(plan: &Plan<'_>) -> ! {
    // SAFETY: the string ends in a zero byte.
    check(plan, Stage::Execute, 0, unsafe { libc::chdir(plan.build_folder.as_ptr()) });
    // SAFETY: as above.
    let nothing = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) };
    check(plan, Stage::Execute, 0, nothing);
    let [input, output, errors] = plan.console.unwrap_or([nothing, plan.log, plan.log]);
    for (from, to) in [(input, 0), (output, 1), (errors, 2)] {
        // SAFETY: plain numbers.
        check(plan, Stage::Execute, 0, unsafe { libc::dup2(from, to) });
    }
    // SAFETY: plain numbers.
    unsafe { libc::umask(plan.umask) };
    if plan.processors == Processors::One {
        keep_one_processor(plan);
    }
    // The C++ compilers of the bootstrap write other bytes at other addresses.
    // SAFETY: plain numbers.
    check(plan, Stage::Execute, 0, unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as c_ulong) });
    reset_signals();
    let (first, last) = (3 as c_ulong, c_ulong::from(u32::MAX));
    let on_exec = c_ulong::from(libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: marks descriptors only; the status pipe stays open until exec succeeds.
    check(plan, Stage::Execute, 0, unsafe { libc::syscall(libc::SYS_close_range, first, last, on_exec) });
    let (arguments, environment) = (plan.arguments.as_ptr(), plan.environment.as_ptr());
    // SAFETY: both arrays end in null and their strings in a zero byte.
    unsafe { libc::execve(plan.program.as_ptr(), arguments, environment) };
    fail(plan, Stage::Execute, 0)
}

/// Confines this process to the first of the processors that it may use.
fn keep_one_processor(plan: &Plan<'_>) {
    let mut allowed = [0u64; 128];
    let size = size_of_val(&allowed);
    // SAFETY: the kernel writes at most as many bytes as said.
    let got = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size, allowed.as_mut_ptr()) };
    check(plan, Stage::Execute, 1, got);
    let mut is_found = false;
    for word in &mut allowed {
        // The lowest bit that is set, in the first word that has one.
        *word = if is_found { 0 } else { *word & word.wrapping_neg() };
        is_found |= *word != 0;
    }
    // SAFETY: as many bytes are read as said.
    let set = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size, allowed.as_ptr()) };
    check(plan, Stage::Execute, 2, set);
}

fn reset_signals() {
    // SAFETY: all zero bytes are an empty set of signals.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: the set is read during the call.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, null_mut()) };
    for signal in 1..=64 {
        // SAFETY: back to the default; numbers that can't be changed answer with an error that doesn't matter.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn wait_for_builder(plan: &Plan<'_>, builder: pid_t) -> ! {
    // The builder alone keeps the log open, so that its end is seen when all its descendants are gone.
    // SAFETY: ours, and not used any more.
    unsafe { libc::close(plan.log) };
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes the status during the call.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if ended > 0 && libc::WIFSTOPPED(status) {
            // Only what is traced is seen to stop.
            plan.clocks.go_on(ended, status);
        } else if ended == builder {
            report(plan, Stage::Exited, status, 0);
            exit(0);
        }
        if ended < 0 && std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            fail(plan, Stage::Fork, 1);
        }
    }
}

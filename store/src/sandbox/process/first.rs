//! The sandbox's first process and, until it becomes its program, the builder.
//!
//! The first process is a copy of the [launcher](super::launcher), which is a copy of a process of many threads, some of which
//! may have held locks. So all that it needs comes as a [`Plan`] or was made before, and it calls the kernel only: no allocation, no
//! standard library, no panic. What fails is reported as three numbers through the channel.

#![expect(unsafe_code, reason = "the calls between clone and exec have no safe wrapper")]

use super::copies::copy_reversed;
use super::launcher::{close_all_but, receive};
use super::plan::Plan;
use super::root::{change_root, leave_old_root, make_entry, open_sources, set_attributes};
use crate::sandbox::view::{Attributes, Entry};
use crate::sandbox::{BUILD_GROUP, BUILD_USER};
use libc::{c_char, c_int, c_long, c_ulong, pid_t, sock_filter};
use std::cell::UnsafeCell;
use std::os::fd::RawFd;
use std::ptr::{null, null_mut};

/// Descriptors that a builder may open.
const MAX_OPEN_FILES: u64 = 4096;

/// Where a builder starts.
const BUILD_FOLDER: &std::ffi::CStr = c"/build";

/// Size of the stack of a launcher, and of a builder's last steps before its program: a few calls deep.
const STACK_BYTES: usize = 64 << 10;

/// A stack for copies of this process, each of which has its own copy of it. Apart from the heap, which the launcher gives up.
#[repr(align(16))]
pub(super) struct Stack(UnsafeCell<[u8; STACK_BYTES]>);

// SAFETY: no thread of this process reads or writes it.
unsafe impl Sync for Stack {}

impl Stack {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new([0; STACK_BYTES]))
    }
}

/// The builder's, until it becomes its program.
static STACK: Stack = Stack::new();

/// Steps on the way in, each with what it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Stage {
    Plan,
    Network,
    Clocks,
    Tracing,
    HostName,
    Private,
    Root,
    Identity,
    View,
    Copies,
    Namespaces,
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

pub(super) const STAGES: [(Stage, &str); 19] = [
    (Stage::Plan, "read the plan"),
    (Stage::Network, "bring up the loopback interface"),
    (Stage::Clocks, "set the clocks ahead"),
    (Stage::Tracing, "trace the builder"),
    (Stage::HostName, "set the host name"),
    (Stage::Private, "make the mounts private"),
    (Stage::Root, "change the root"),
    (Stage::Identity, "become the build user"),
    (Stage::View, "make"),
    (Stage::Copies, "copy the inputs into memory"),
    (Stage::Namespaces, "forbid user namespaces"),
    (Stage::Attributes, "set the attributes of"),
    (Stage::Limits, "set the resource limits"),
    (Stage::Rights, "give up rights"),
    (Stage::Terminal, "take the terminal"),
    (Stage::Filter, "install the filter of system calls"),
    (Stage::Fork, "fork"),
    (Stage::Execute, "execute"),
    (Stage::Exited, "end"),
];

/// Reports a failure and ends the process.
fn fail(plan: &Plan<'_>, stage: Stage, detail: c_int) -> ! {
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    report(plan.channel, stage, detail, errno);
    exit(1)
}

fn report(channel: RawFd, stage: Stage, detail: c_int, errno: c_int) {
    let numbers: [c_int; 3] = [stage as c_int, detail, errno];
    // SAFETY: the array is 12 bytes long. The channel takes so few at once; if nobody reads, there is nobody to tell.
    unsafe { libc::send(channel, numbers.as_ptr().cast(), 12, libc::MSG_NOSIGNAL) };
}

pub(super) fn exit(code: c_int) -> ! {
    // SAFETY: ends the process without running anything of this program's.
    unsafe { libc::_exit(code) }
}

/// Goes on if the call gave no error.
pub(super) fn check(plan: &Plan<'_>, stage: Stage, detail: c_int, result: impl Into<c_long>) {
    if result.into() < 0 {
        fail(plan, stage, detail);
    }
}

/// Reads the plan that comes through the channel, and carries it out.
pub(super) fn first_process(channel: RawFd, filter_error: c_int) -> ! {
    close_all_but([channel; 2]);
    if filter_error != 0 {
        report(channel, Stage::Filter, 0, filter_error);
        exit(1);
    }
    // How many bytes, and of how many pointers.
    let (mut sizes, mut files) = ([0u64; 2], [-1; 4]);
    // Waits until the user is mapped. Nothing comes if sx is gone.
    if receive(channel, &mut sizes, &mut files) != size_of_val(&sizes) as isize {
        exit(1);
    }
    let [bytes_count, pointers_count] = sizes.map(|size| size as usize);
    let pointers_size = pointers_count.wrapping_mul(size_of::<*const c_char>());
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // At once, since all of it is written.
    let flags = flags | libc::MAP_POPULATE;
    let size = pointers_size.wrapping_add(bytes_count);
    // SAFETY: a new piece of memory.
    let memory = unsafe { libc::mmap(null_mut(), size, protection, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        report(channel, Stage::Plan, 0, libc::ENOMEM);
        exit(1);
    }
    // SAFETY: the memory is as long as both, begins at a page, and is all zero bytes, which are null pointers.
    let pointers = unsafe { std::slice::from_raw_parts_mut(memory.cast::<*const c_char>(), pointers_count) };
    // SAFETY: as above.
    let start = unsafe { memory.cast::<u8>().add(pointers_size) };
    let mut done = 0;
    while done < bytes_count {
        // SAFETY: not all was read, so this lies in the memory.
        let place = unsafe { start.add(done) };
        // SAFETY: what is read fits behind what was read.
        let count = unsafe { libc::read(channel, place.cast(), bytes_count.wrapping_sub(done)) };
        if count <= 0 {
            exit(1);
        }
        done = done.wrapping_add(count as usize);
    }
    // SAFETY: as above; they were all read, and nobody writes to them any more.
    let bytes = unsafe { std::slice::from_raw_parts(start, bytes_count) };
    let [log, input, output, errors] = files;
    let console = (input >= 0).then_some([input, output, errors]);
    carry_out(&Plan::read(bytes, pointers, channel, log, console))
}

fn carry_out(plan: &Plan<'_>) -> ! {
    bring_up_loopback(plan);
    check(plan, Stage::Clocks, 0, plan.clocks.set());
    let name = plan.host_name;
    // SAFETY: the name is as long as said.
    check(plan, Stage::HostName, 0, unsafe { libc::sethostname(name.as_ptr(), name.count_bytes()) });
    // All before this process becomes the build user, who can't walk to where the store lies.
    let outside = open_sources(plan);
    change_root(plan);
    if plan.becomes_other {
        become_build_user(plan);
    }
    // Modes are given as they shall be.
    // SAFETY: plain numbers.
    unsafe { libc::umask(0) };
    let (mut entries, mut position) = (plan.entries, 0);
    while !entries.is_empty() {
        make_entry(plan, &Entry::read(&mut entries), &outside, position);
        position = position.wrapping_add(1);
    }
    if let Some(reversed) = plan.reversed {
        // As the build user, whose the file system in memory is.
        copy_reversed(plan, reversed, outside.objects);
    }
    leave_old_root(plan, &outside);
    forbid_user_namespaces(plan);
    let (mut attributes, mut position) = (plan.attributes, 0);
    while !attributes.is_empty() {
        check(plan, Stage::Attributes, position, set_attributes(&Attributes::read(&mut attributes)));
        position = position.wrapping_add(1);
    }
    set_limits(plan);
    give_up_rights(plan);
    if plan.takes_terminal {
        take_terminal(plan);
    }
    let mut gate = [-1; 2];
    check(plan, Stage::Tracing, 0, plan.clocks.make_gate(&mut gate));
    // Nothing is copied for the builder: until it has become its program it borrows this process's memory, which stands still:
    // this process waits for its end. But who shares memory stays where the clocks are that its parent has, before Linux 6.0; and
    // who is to be traced lets its memory be looked into.
    let shared = if plan.clocks.are_ahead() { 0 } else { libc::CLONE_VM };
    let mut given = (plan, gate);
    // SAFETY: plan and gate outlive the builder's use of them, since this process ends after it.
    match unsafe { clone_onto(&STACK, shared | libc::SIGCHLD, become_builder, (&raw mut given).cast()) } {
        error @ ..0 => {
            report(plan.channel, Stage::Fork, 0, -error as c_int);
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
pub(super) unsafe fn clone_onto(
    stack: &Stack,
    flags: c_int,
    function: extern "C" fn(*mut libc::c_void) -> !,
    given: *mut libc::c_void,
) -> c_long {
    let top = stack.0.get() as usize + STACK_BYTES;
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

/// Ends the process if sx is gone.
fn stop_if_alone(plan: &Plan<'_>) {
    let mut watched = libc::pollfd { fd: plan.channel, events: 0, revents: 0 };
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

/// Lets nobody in here make a user namespace, in which he would have all rights again, and with them more of the kernel to try. The
/// number is this namespace's own; it takes rights in it to change it, which are given up after this.
fn forbid_user_namespaces(plan: &Plan<'_>) {
    let place = c"/proc/sys/user/max_user_namespaces";
    // SAFETY: the string ends in a zero byte.
    let file = unsafe { libc::open(place.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    check(plan, Stage::Namespaces, 0, file);
    // SAFETY: one byte is read of one.
    let written = unsafe { libc::write(file, c"0".as_ptr().cast(), 1) };
    check(plan, Stage::Namespaces, 1, written as c_long);
    // SAFETY: ours, and not used any more.
    unsafe { libc::close(file) };
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
    // Our memory is a copy of what sx's was at its start, environment included: no builder looks into it.
    prctl(2, libc::PR_SET_DUMPABLE, 0);
    // Changing the user cleared it, so it is set only now; an earlier death is looked for after.
    prctl(3, libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong);
    stop_if_alone(plan);
    // SAFETY: plain numbers.
    check(plan, Stage::Rights, 4, unsafe { libc::setsid() });
}

/// Makes the console the terminal of this session, which has none.
fn take_terminal(plan: &Plan<'_>) {
    let [input, ..] = plan.console.unwrap_or([-1; 3]);
    // SAFETY: plain numbers.
    check(plan, Stage::Terminal, 0, unsafe { libc::ioctl(input, libc::TIOCSCTTY as libc::Ioctl, 0) });
}

/// Installs a filter of system calls. Gives a negative number if that fails.
pub(super) fn install(filter: &[sock_filter]) -> c_long {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program is as long as said and is only read.
    unsafe { libc::syscall(libc::SYS_seccomp, mode, 0, &raw const program) }
}

/// The builder's side of the last fork.
fn execute(plan: &Plan<'_>) -> ! {
    // SAFETY: the string ends in a zero byte.
    check(plan, Stage::Execute, 0, unsafe { libc::chdir(BUILD_FOLDER.as_ptr()) });
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
    if plan.has_one_processor {
        keep_one_processor(plan);
    }
    // The C++ compilers of the bootstrap write other bytes at other addresses.
    // SAFETY: plain numbers.
    check(plan, Stage::Execute, 0, unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as c_ulong) });
    let (first, last) = (3 as c_ulong, c_ulong::from(u32::MAX));
    let on_exec = c_ulong::from(libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: marks descriptors only; the channel stays open until exec succeeds.
    check(plan, Stage::Execute, 0, unsafe { libc::syscall(libc::SYS_close_range, first, last, on_exec) });
    // SAFETY: the first argument is the program's own name.
    let program = unsafe { *plan.arguments };
    // SAFETY: both arrays end in null and their strings in a zero byte.
    unsafe { libc::execve(program, plan.arguments, plan.environment) };
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

/// Back to the default, whoever started sx and whatever it does with them itself.
pub(super) fn reset_signals() {
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
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes the status during the call.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if ended > 0 && libc::WIFSTOPPED(status) {
            // Only what is traced is seen to stop.
            plan.clocks.go_on(ended, status);
        } else if ended == builder {
            report(plan.channel, Stage::Exited, status, 0);
            exit(0);
        }
        if ended < 0 && std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            fail(plan, Stage::Fork, 1);
        }
    }
}

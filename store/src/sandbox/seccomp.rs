//! The system calls that no builder makes: a filter in classic BPF, for every ABI that the kernel takes calls in.
//!
//! | call | answer | why |
//! |---|---|---|
//! | any, through the i386 or the x32 ABI | `ENOSYS` | their numbers differ: what this filter doesn't read it doesn't let pass |
//! | `chmod`, `open` that creates, `mknod` and kin with a set-user-id or set-group-id bit | `EPERM` | such a file would outlive the build |
//! | `openat2` | `ENOSYS` | its mode lies in memory, where no filter looks; who calls it falls back to `openat` |
//! | setting extended attributes | `EOPNOTSUPP` | the store keeps none |
//! | kernel keyrings, `bpf`, `perf_event_open`, `userfaultfd`, `io_uring` | `ENOSYS` | ways to the host that no build needs |

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, c_long, sock_filter,
};

/// `AUDIT_ARCH_X86_64`: the machine's ELF number with the marks for 64 bits and little-endian.
const X86_64: u32 = 0xC000_003E;

/// Calls from this number on are x32's.
const X32_BIT: u32 = 0x4000_0000;

/// `S_ISUID | S_ISGID`.
const SET_ID: u32 = 0o6000;

/// `fchmodat2`, which the C library's headers don't all know yet.
const FCHMODAT2: c_long = 452;

/// Calls that give a mode, with the position of the mode among their arguments. Not `mkdir` and `mkdirat`, of whose modes the
/// kernel itself takes no such bit.
const MODE_CALLS: [(c_long, u32); 7] = [
    (libc::SYS_chmod, 1),
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (FCHMODAT2, 2),
    (libc::SYS_creat, 1),
    (libc::SYS_mknod, 1),
    (libc::SYS_mknodat, 2),
];

/// Calls that give a mode if they create, with the positions of their flags and of the mode, which else is whatever the register
/// held.
const OPEN_CALLS: [(c_long, u32, u32); 2] = [(libc::SYS_openat, 2, 3), (libc::SYS_open, 1, 2)];

/// `O_CREAT`, and the bit of `O_TMPFILE` that isn't `O_DIRECTORY`'s.
const CREATES: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

/// Calls that set extended attributes; the last one is `setxattrat`.
const ATTRIBUTE_CALLS: [c_long; 4] = [libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr, 463];

/// Calls that the kernel shall seem not to have.
const ABSENT_CALLS: [c_long; 10] = [
    libc::SYS_openat2,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Offsets in the kernel's `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const fn argument_low_half(position: u32) -> u32 {
    16 + 8 * position
}

/// The filter, to be installed with `SECCOMP_SET_MODE_FILTER`.
pub(super) fn filter() -> Vec<sock_filter> {
    let mut code = vec![
        load(ARCHITECTURE),
        jump(BPF_JEQ, X86_64, 1, 0),
        refuse(libc::ENOSYS),
        load(NUMBER),
        jump(BPF_JGE, X32_BIT, 0, 1),
        refuse(libc::ENOSYS),
    ];
    // First, since the kernel goes through all before for each of them; calls that are always let pass it remembers.
    for (number, flags, mode) in OPEN_CALLS {
        code.extend([
            jump(BPF_JEQ, number as u32, 0, 6),
            load(argument_low_half(flags)),
            jump(BPF_JSET, CREATES, 0, 3),
        ]);
        code.extend(unless_set_id(mode));
    }
    for number in ABSENT_CALLS {
        code.extend([jump(BPF_JEQ, number as u32, 0, 1), refuse(libc::ENOSYS)]);
    }
    for number in ATTRIBUTE_CALLS {
        code.extend([jump(BPF_JEQ, number as u32, 0, 1), refuse(libc::EOPNOTSUPP)]);
    }
    for (number, position) in MODE_CALLS {
        code.push(jump(BPF_JEQ, number as u32, 0, 4));
        code.extend(unless_set_id(position));
    }
    code.push(PASS);
    code
}

/// Lets a call pass if its mode, the argument at `position`, has no set-id bit.
fn unless_set_id(position: u32) -> [sock_filter; 4] {
    [load(argument_low_half(position)), jump(BPF_JSET, SET_ID, 0, 1), refuse(libc::EPERM), PASS]
}

/// Lets a call pass.
const PASS: sock_filter = statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW);

/// Asks the tracer.
const TRACE: sock_filter = statement(BPF_RET | BPF_K, libc::SECCOMP_RET_TRACE);

/// A second filter, by which a tracer is asked what time it is, and before a wait until a moment of the day.
pub(super) const TIME_FILTER: [sock_filter; 23] = [
    // Calls of other machines are refused by the first filter.
    load(NUMBER),
    jump(BPF_JEQ, libc::SYS_time as u32, 0, 1),
    TRACE,
    jump(BPF_JEQ, libc::SYS_gettimeofday as u32, 0, 1),
    TRACE,
    jump(BPF_JEQ, libc::SYS_clock_nanosleep as u32, 0, 1),
    TRACE,
    jump(BPF_JEQ, libc::SYS_timer_settime as u32, 0, 1),
    TRACE,
    jump(BPF_JEQ, libc::SYS_timerfd_settime as u32, 0, 1),
    TRACE,
    jump(BPF_JEQ, libc::SYS_clock_gettime as u32, 0, 6),
    load(argument_low_half(0)),
    jump(BPF_JEQ, libc::CLOCK_REALTIME as u32, 2, 0),
    jump(BPF_JEQ, libc::CLOCK_REALTIME_COARSE as u32, 1, 0),
    jump(BPF_JEQ, libc::CLOCK_TAI as u32, 0, 1),
    TRACE,
    PASS,
    jump(BPF_JEQ, libc::SYS_futex as u32, 0, 3),
    load(argument_low_half(1)),
    jump(BPF_JSET, libc::FUTEX_CLOCK_REALTIME as u32, 0, 1),
    TRACE,
    PASS,
];

const fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn refuse(errno: i32) -> sock_filter {
    statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32)
}

const fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

/// Compares the accumulator with `value` and skips `yes` or `no` instructions.
const fn jump(comparison: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | comparison | BPF_K) as u16, jt: yes, jf: no, k: value }
}

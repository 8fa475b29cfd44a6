//! Where builders run: a view of the system made for one build, without network, gone with its last process.
//!
//! The principal function is [`run`]. What a builder sees, and nothing else:
//!
//! ```text
//! /sx/store     its inputs, each mounted read-only; new entries may be made beside them
//! /build        empty, writable, the working directory
//! /tmp          empty, writable
//! /dev/shm      empty, writable, in memory
//! /dev          null, zero, full, random, urandom, fd, stdin, stdout, stderr, shm
//! /proc         its own processes
//! /etc          passwd, group, hosts: one user `builder` (1000), one group (100), localhost
//! /bin/sh       a link to the program that the variable `binSh` names, where the derivation has it
//! ```
//!
//! It refuses to run without a user namespace of its own, also for root: a builder is never the host's root, and never
//! the same user as files that the host's root owns. The way in:
//!
//! 1. `view` makes the folders on disk and lists all else, in the parent, where failing is cheap.
//! 2. `process` has a small process of its own, begun once, clone the sandbox's first process into new namespaces (user, mount,
//!    PID, network, IPC, UTS, cgroup), which mounts a root in memory, makes the view in it, gives up its rights, and starts the
//!    builder as its child.
//! 3. When the builder ends, the first process ends, and the kernel kills whatever is left before the parent is told.

mod process;
mod reversed;
mod seccomp;
mod usage;
mod view;

pub use process::{end, prepare, run};

use bstr::BString;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;
use sx_derivation::StorePath;

/// User id that a builder sees itself as. It enters hashed bytes when a builder writes it down.
pub const BUILD_USER: u32 = 1000;

/// Group id that a builder sees itself as.
pub const BUILD_GROUP: u32 = 100;

/// Where a builder starts.
pub const BUILD_FOLDER: &str = "/build";

/// The variable that names the shell which scripts, and `system` of C libraries, ask for as `/bin/sh`: an input like any
/// other, so that it enters the derivation's name.
pub const SHELL_VARIABLE: &str = "binSh";

/// What to run, and with what in view.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// A folder that isn't there yet, for the builder's files; its parent is closed to other users.
    pub folder: PathBuf,
    /// The folder that objects lie in.
    pub objects: PathBuf,
    /// Those in view.
    pub inputs: BTreeSet<StorePath>,
    /// The program, a path in the builder's view.
    pub program: BString,
    /// Its arguments, without its own name.
    pub arguments: Vec<BString>,
    /// Its whole environment.
    pub environment: BTreeMap<BString, BString>,
    /// Files in its working folder, by their names.
    pub files: BTreeMap<String, Vec<u8>>,
    /// When to give up.
    pub limits: Limits,
    /// What else it finds.
    pub conditions: Conditions,
    /// Set when a person is to work there, not a builder.
    pub visit: Option<Visit>,
}

/// How a person works where a builder would.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Text of `/etc/profile`, which shells read that are told to be login shells.
    pub profile: BString,
    /// Standard input, output and error: numbers of descriptors above 2 that stay open meanwhile. What is printed goes there and
    /// not to the log.
    pub console: [RawFd; 3],
    /// Whether the console is a terminal that nobody else uses: it becomes the sandbox's own.
    pub terminal: Terminal,
    /// What is there of the folders.
    pub folders: Folders,
}

/// What a visitor's console is to the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Its controlling terminal: Ctrl-C there is a signal to what runs in it.
    Own,
    /// Files like others.
    None,
}

/// What is there of a sandbox's folders before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folders {
    /// Nothing.
    New,
    /// What a build left that failed.
    Kept,
}

/// What a builder finds that no derivation says. Builds have the default; [`crate::check`] changes it on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Name of the host.
    pub host_name: &'static str,
    /// Bits that the modes of new files don't get.
    pub umask: u32,
    /// How far the clocks ahead are that count from the machine's start.
    pub clocks_ahead: Option<Duration>,
    /// How far ahead the time of day is. It takes tracing all that the builder starts; times of files are the host's.
    pub day_ahead: Option<Duration>,
    /// Which processors it may use.
    pub processors: Processors,
    /// Where its working files are: folders of a file system in memory list their files in another order.
    pub working_files: WorkingFiles,
    /// Inputs of which it sees copies whose folders list their files in the opposite order. Folders only.
    pub reversed: BTreeSet<StorePath>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            host_name: "localhost",
            umask: 0o022,
            clocks_ahead: None,
            day_ahead: None,
            processors: Processors::All,
            working_files: WorkingFiles::OnDisk,
            reversed: BTreeSet::new(),
        }
    }
}

/// Which processors a builder may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processors {
    /// As many as sx may.
    All,
    /// One of them.
    One,
}

/// Where a builder's working files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkingFiles {
    /// In the store's file system.
    OnDisk,
    /// In memory.
    InMemory,
}

/// When a build is stopped from outside.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest run.
    pub time: Option<Duration>,
    /// Longest run without printing anything.
    pub silence: Option<Duration>,
    /// Most bytes printed.
    pub log_bytes: u64,
    /// Most memory of all its processes together.
    pub memory_bytes: Option<u64>,
    /// Most processes and threads at a time.
    pub processes: Option<u64>,
    /// Most bytes of files at a time, outputs included.
    pub disk_bytes: Option<u64>,
    /// Most bytes of each output.
    pub output_bytes: Option<u64>,
}

impl Default for Limits {
    /// Six hours, 256 MiB of log, no other.
    fn default() -> Self {
        Self {
            time: Some(Duration::from_secs(6 * 3600)),
            silence: None,
            log_bytes: 256 << 20,
            memory_bytes: None,
            processes: None,
            disk_bytes: None,
            output_bytes: None,
        }
    }
}

/// How a builder ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Sandbox {
    /// Where what the builder sees as `/sx/store/<digest>-<name>` lies for us.
    pub fn output(&self, path: &StorePath) -> PathBuf {
        self.store().join(path.base_name())
    }

    /// Where what the builder sees as `/sx/store` lies for us.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }
}

/// Why a build didn't end by itself, or never began.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The host lets nobody, or not this user, make user namespaces.
    #[error("this host does not let the current user make a user namespace, which every build runs in")]
    NoUserNamespace(#[source] std::io::Error),
    /// A file operation before the start failed.
    #[error("cannot {action} `{path}` for the sandbox")]
    Prepare {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The kernel refused something on the way in.
    #[error("cannot {stage} in the sandbox")]
    Enter {
        /// What was tried.
        stage: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The time of day can't be set ahead.
    #[error(
        "this host does not let the builder be traced, by which a check sets its time of day ahead; see \
         `kernel.yama.ptrace_scope`, or leave out the variation `day`"
    )]
    Tracing(#[source] std::io::Error),
    /// The program can't be started.
    #[error("cannot start the builder `{program}`")]
    Execute {
        /// The program.
        program: BString,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An argument or a variable can't be given to any program.
    #[error("`{0}` has a zero byte, which no program can be given")]
    ZeroByte(BString),
    /// It ran longer than allowed.
    #[error("the builder was stopped after {} seconds, the limit on time", .0.as_secs())]
    Time(Duration),
    /// It printed nothing for longer than allowed.
    #[error("the builder was stopped after {} seconds without output, the limit on silence", .0.as_secs())]
    Silence(Duration),
    /// It printed more than allowed.
    #[error("the builder was stopped after printing {0} bytes, the limit on logs")]
    Log(u64),
    /// Its processes had more memory than allowed.
    #[error(
        "the builder was stopped when its processes had more than {0} bytes of memory, the limit on memory"
    )]
    Memory(u64),
    /// It had more processes and threads than allowed.
    #[error("the builder was stopped when it had more than {0} processes, the limit on processes")]
    Processes(u64),
    /// It wrote more than allowed.
    #[error("the builder was stopped when its files had more than {0} bytes, the limit on disk")]
    Disk(u64),
    /// The user, or another build's failure, called it off.
    #[error("the build was interrupted")]
    Interrupted,
}

//! What a command ends with when it fails: a message, a hint, and an exit code that scripts can tell apart.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use sx_export::ExportError;
use sx_store::StoreError;
use sx_store::database::DatabaseError;
use sx_store::realise::{self, RealiseError};
use sx_store::sandbox::SandboxError;
use sx_store::seeds::SeedsError;

/// What kind of failure it was; each has its exit code, which is part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Arguments or configuration are wrong (also clap's own).
    Usage,
    /// The expression is wrong: syntax, evaluation, an attribute that isn't there.
    Expression,
    /// A source can't be had, isn't what its hash says, or can't be unpacked.
    Source,
    /// A builder failed, or what it made can't be stored.
    Build,
    /// The host doesn't give what sx needs: namespaces, a writable folder, room on the disk.
    Host,
    /// The store is damaged.
    Damage,
    /// The answer to the question is no.
    No,
    /// Who reads standard output has read enough.
    Closed,
    /// The user called it off.
    Interrupted,
}

impl Kind {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Expression => 3,
            Self::Source => 4,
            Self::Build => 5,
            Self::Host => 6,
            Self::Damage => 7,
            Self::No => 1,
            // As of a program that the signal ends.
            Self::Closed => 141,
            Self::Interrupted => 130,
        }
    }
}

/// A failure as the user sees it.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    /// Of this kind, with this message, which may have several lines.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// Adds a hint: what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// For a file that can't be used.
    pub fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(Kind::Host, format!("cannot {action} `{}`: {error}", path.display())).about_cause(error)
    }

    /// For standard output that can't be written. Who closed it, such as `head`, needn't be told.
    pub fn output(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::new(Kind::Closed, ""),
            _ => Self::io("write to", Path::new("standard output"), error),
        }
    }

    /// The same as a fault of the expression.
    pub fn of_expression(mut self) -> Self {
        self.kind = Kind::Expression;
        self
    }

    /// Whether the host is to blame, in a way that is known.
    pub fn is_trouble_of_host(&self) -> bool {
        matches!(self.kind, Kind::Host | Kind::Damage) && !self.hints.is_empty()
    }

    /// The same with another message.
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.kind == kind
    }

    /// Whether the expression is to blame.
    pub fn is_of_expression(&self) -> bool {
        self.kind == Kind::Expression
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        self.kind.code()
    }

    /// The whole text: `error:`, the message, and each hint on a line of its own. Nothing where nobody needs to be told.
    pub fn render(&self, colour: bool) -> String {
        if self.kind == Kind::Closed {
            return String::new();
        }
        let (red, blue, plain) = if colour { ("\x1b[1;31m", "\x1b[1;34m", "\x1b[0m") } else { ("", "", "") };
        // Errors of the language come rendered, with their excerpts.
        let prefix = if self.message.starts_with("error") || self.message.starts_with('\x1b') {
            String::new()
        } else {
            format!("{red}error:{plain} ")
        };
        let mut text = format!("{prefix}{}\n", self.message.trim_end());
        for hint in &self.hints {
            let _ = writeln!(text, "{blue}hint:{plain} {hint}");
        }
        text
    }

    /// Adds what is known of causes that the host is to blame for.
    fn about_cause(self, error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(current) = cause {
            let io = current.downcast_ref::<std::io::Error>();
            if io.is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull)
                || current.to_string().contains("disk is full")
            {
                return self
                    .hint("the disk is full: free some room, as `sx gc` does in a store, or choose another disk with `--store DIR`");
            }
            if io.is_some_and(|io| io.kind() == std::io::ErrorKind::QuotaExceeded) {
                return self.hint("the quota on disk space is used up; `sx gc` frees what nobody needs");
            }
            if io.is_some_and(|io| io.raw_os_error() == Some(5))
                || current.to_string().contains("disk I/O error")
            {
                return self
                    .hint("the disk fails: see the kernel's log; `sx store verify --contents` tells what is damaged");
            }
            if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ReadOnlyFilesystem) {
                return self.hint("the file system is read-only: choose another place with `--store DIR`");
            }
            cause = current.source();
        }
        self
    }
}

/// An error with all its causes, on one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        let next = current.to_string();
        // Some errors already say what their cause says.
        if !text.ends_with(&next) {
            let _ = write!(text, ": {next}");
        }
        cause = current.source();
    }
    text
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Interrupted => Self::new(Kind::Interrupted, "interrupted"),
            StoreError::Database(cause) if cause.is_damage() => Self::new(Kind::Damage, chain(error))
                .hint("`sx store verify --repair` makes a new database from the store's objects"),
            StoreError::Database(DatabaseError::NewerVersion { .. }) => Self::new(Kind::Host, chain(error))
                .hint("use the sx that made it, or a newer one; `--store DIR` names another store"),
            StoreError::Database(DatabaseError::OlderVersion { .. }) => Self::new(Kind::Host, chain(error))
                .hint("any `sx store verify` by who may write to it brings it up to date"),
            StoreError::Database(DatabaseError::Changed { .. }) => {
                Self::new(Kind::Host, chain(error)).hint("try again")
            }
            StoreError::Missing { .. } => Self::new(Kind::Usage, chain(error))
                .hint("is `--store`, SX_STORE or the configuration's `store` right, and its disk mounted? what makes objects, such as `sx realise`, makes a store too"),
            StoreError::NotAStore { .. } | StoreError::NotAFolder { .. } => Self::new(Kind::Usage, chain(error))
                .hint("a store needs a folder of its own: name one that is empty, or not there yet, with `--store DIR`"),
            StoreError::Root { place, .. } => Self::new(Kind::Host, chain(error)).hint(format!(
                "what it points to is not known, so nothing is deleted: make it readable, or remove `{}`, by which it keeps anything",
                place.display()
            )),
            StoreError::Damaged { .. } => Self::new(Kind::Damage, chain(error))
                .hint("`sx store verify --contents --repair` mends what can be mended"),
            StoreError::Database(DatabaseError::LongPath { .. }) => Self::new(Kind::Usage, chain(error))
                .hint("a store needs a folder with a shorter path: name one with `--store DIR`"),
            StoreError::Io { action: "write to the store", source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Self::new(Kind::Host, chain(error))
                    .hint("the store belongs to another user: name one of your own with `--store DIR`")
            }
            StoreError::NoObjects { .. } => Self::new(Kind::Damage, chain(error)).hint(
                "`sx store verify --repair` makes it, and then what was in it, from derivations or a copy",
            ),
            _ => Self::new(Kind::Host, chain(error)).about_cause(error),
        }
    }
}

impl From<SeedsError> for Failure {
    fn from(error: SeedsError) -> Self {
        match error {
            SeedsError::Store(error) => error.into(),
            SeedsError::UnknownDerivation(_) | SeedsError::File { .. } => {
                Self::new(Kind::Host, chain(&error)).about_cause(&error)
            }
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let error = match error {
            ExportError::Unproved(error) => match error.downcast::<StoreError>() {
                Ok(error) => return (*error).into(),
                Err(error) => ExportError::Unproved(error),
            },
            error => error,
        };
        let kind = match &error {
            ExportError::Config(_)
            | ExportError::Conflict { .. }
            | ExportError::StoreReference { .. }
            | ExportError::BadFile { .. } => Kind::Expression,
            ExportError::BadLevel { .. } | ExportError::DockerZstd => Kind::Usage,
            _ => Kind::Host,
        };
        let failure = Self::new(kind, chain(&error)).about_cause(&error);
        match error {
            ExportError::StoreReference { .. } => {
                failure.hint("packages that refer to store paths need `--layout store`")
            }
            _ => failure,
        }
    }
}

impl From<RealiseError> for Failure {
    fn from(error: RealiseError) -> Self {
        let name = error.derivation.plain_name().to_owned();
        let kind = match &*error.failure {
            realise::Failure::Interrupted | realise::Failure::Store(StoreError::Interrupted) => {
                return Self::new(Kind::Interrupted, "interrupted");
            }
            realise::Failure::Sandbox { reason: SandboxError::Interrupted, .. } => {
                return Self::new(Kind::Interrupted, "interrupted");
            }
            realise::Failure::Builtin(_) => Kind::Source,
            realise::Failure::LostInput(_) => Kind::Damage,
            realise::Failure::Store(cause) => {
                let failure = Self::from(cause);
                let message = format!("`{name}`: {}", failure.message);
                return failure.with_message(message);
            }
            realise::Failure::Sandbox { reason, .. } => match reason {
                SandboxError::Time(_)
                | SandboxError::Silence(_)
                | SandboxError::Log(_)
                | SandboxError::Memory(_)
                | SandboxError::Processes(_)
                | SandboxError::Disk(_)
                | SandboxError::Execute { .. }
                | SandboxError::ZeroByte(_) => Kind::Build,
                _ => Kind::Host,
            },
            realise::Failure::UnknownOutput { .. }
            | realise::Failure::UnknownBuiltin { .. }
            | realise::Failure::BuiltinOutputs
            | realise::Failure::Attributes(_)
            | realise::Failure::OtherSystem(_) => Kind::Expression,
            _ => Kind::Build,
        };
        let mut message = format!("`{name}`: {}", chain(&*error.failure));
        let mut hints = Vec::new();
        if kind == Kind::Damage {
            hints.push("`sx store verify --repair` mends what was lost, if it can be made again".into());
        }
        let logged = match &*error.failure {
            realise::Failure::Builder { tail, log, most_processes, .. } => {
                hints.extend(most_processes.map(|most| {
                    format!("the limit on processes was {most}: what the kernel refused beyond it, builders tell in words of their own")
                }));
                Some((tail, log))
            }
            realise::Failure::Sandbox { reason, tail, log } => {
                hints.extend(sandbox_hint(reason));
                Some((tail, log))
            }
            _ => None,
        };
        if let Some((tail, log)) = logged.filter(|(tail, _)| !tail.is_empty()) {
            for line in tail {
                let _ = write!(message, "\n  | {line}");
            }
            hints.push(format!("the whole log is `{}`", log.display()));
        }
        let failure = Self { kind, message, hints };
        failure.about_cause(&*error.failure)
    }
}

/// What to do where nobody, or not this user, may make user namespaces.
pub const ALLOW_USER_NAMESPACES: &str = "allow them: `sysctl user.max_user_namespaces` must not be 0, `kernel.unprivileged_userns_clone` must be 1 \
     where it exists; in a container, its seccomp profile must allow `clone` with new namespaces";

/// What to do about a sandbox that can't be made.
pub fn sandbox_hint(error: &SandboxError) -> Option<String> {
    let hint = match error {
        SandboxError::NoUserNamespace(_) => ALLOW_USER_NAMESPACES,
        SandboxError::Enter { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            "the host restricts user namespaces: see `kernel.apparmor_restrict_unprivileged_userns`; in a container, \
             `/proc` must not be masked"
        }
        SandboxError::Enter { source, .. } if source.raw_os_error() == Some(38) => {
            "sx needs Linux 5.12 or later"
        }
        SandboxError::Execute { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "a builder sees its inputs only: is the program an output of another derivation, and is it mentioned?"
        }
        SandboxError::Execute { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            "is the program executable, and the store's disk mounted without `noexec`?"
        }
        SandboxError::Execute { source, .. } if source.kind() == std::io::ErrorKind::ArgumentListTooLong => {
            "Linux gives a program variables and arguments of up to 128 KiB each: name larger attributes in `passAsFile`, \
             or set `__structuredAttrs`"
        }
        _ => return None,
    };
    Some(hint.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_hints_below() {
        let failure = Failure::new(Kind::Build, "`x`: broken").hint("mend it");
        assert_eq!(failure.render(false), "error: `x`: broken\nhint: mend it\n");
        assert_eq!(failure.code(), 5);
    }

    #[test]
    fn a_full_disk_is_recognised_below_other_causes() {
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let failure = Failure::io("write", Path::new("/x"), &source);
        assert!(failure.render(false).contains("hint: the disk is full"));
        let hinted = |source: std::io::Error, hint: &str| {
            let failure = Failure::io("write", Path::new("/x"), &source).render(false);
            assert!(failure.contains(hint), "{failure}");
        };
        hinted(std::io::ErrorKind::QuotaExceeded.into(), "hint: the quota on disk space");
        hinted(std::io::Error::from_raw_os_error(5), "hint: the disk fails");
    }

    /// What a derivation ends with that fails so.
    fn of_build(failure: realise::Failure) -> Failure {
        let derivation = sx_derivation::StorePath::of_derivation("x", b"").unwrap();
        RealiseError { derivation, failure: failure.into() }.into()
    }

    #[test]
    fn a_store_that_fails_during_a_build_is_told_as_at_other_times() {
        let lost = DatabaseError::Lost { path: "/s/database".into(), found: "is missing" };
        let failure = of_build(realise::Failure::Store(lost.into()));
        assert_eq!(failure.code(), 7);
        let text = failure.render(false);
        assert!(text.starts_with("error: `x`: the store's database") && text.contains("--repair"), "{text}");
        let full = DatabaseError::NoRoom { path: "/s/database".into() };
        let failure = of_build(realise::Failure::Store(full.into()));
        assert_eq!(failure.code(), 6);
        assert!(failure.render(false).contains("hint: the disk is full"));
        assert_eq!(
            of_build(realise::Failure::Store(StoreError::Interrupted)).render(false),
            "error: interrupted\n"
        );
    }

    #[test]
    fn causes_in_the_host_have_hints() {
        let text = of_build(realise::Failure::Builder {
            exit: sx_store::sandbox::Exit::Code(2),
            tail: vec!["can't fork".into()],
            log: "/log".into(),
            most_processes: Some(20),
        });
        assert!(text.render(false).contains("hint: the limit on processes was 20"));
        for (kind, hint) in [
            (std::io::ErrorKind::PermissionDenied, "noexec"),
            (std::io::ErrorKind::ArgumentListTooLong, "passAsFile"),
        ] {
            let error = SandboxError::Execute { program: "/x".into(), source: kind.into() };
            assert!(sandbox_hint(&error).is_some_and(|text| text.contains(hint)), "{hint}");
        }
        let source = std::io::ErrorKind::PermissionDenied.into();
        let error = StoreError::Io { action: "write to the store", path: "/s".into(), source };
        assert!(Failure::from(error).render(false).contains("hint: the store belongs to another user"));
    }
}

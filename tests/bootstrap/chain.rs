//! Runs the steps as sx does: `builder args…` without environment, in a folder of their own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::assembler;
use crate::harness;

/// TinyCC's configuration, as in `bootstrap/tinycc.nix`.
const DEFINES: [&str; 5] = [
    "-DONE_SOURCE=1",
    "-DTCC_TARGET_X86_64",
    "-DCONFIG_TCC_STATIC",
    "-DCONFIG_TCCBOOT",
    "-DTCC_VERSION=\"0.9.27\"",
];

/// Finds the repository's bootstrap folder.
pub fn sources() -> Result<PathBuf, String> {
    let folder = harness::repository().join("bootstrap");
    if folder.join("seed.hex0").is_file() {
        Ok(folder)
    } else {
        Err(format!("{} is not there", folder.display()))
    }
}

/// Reads a file, with its path in the error.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, String> {
    let path = path.as_ref();
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads one of the bootstrap's source files.
pub fn source_text(name: &str) -> Result<String, String> {
    let path = sources()?.join(name);
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a program, ready to be run.
pub fn write_program(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs a program without environment and returns what became of it, whatever that is.
///
/// A program that was just written may be busy for a moment: another test's thread has forked while the
/// file was open, and its child, which has the descriptor, hasn't come to its exec yet.
pub fn outcome<A: AsRef<OsStr>>(program: &Path, args: impl IntoIterator<Item = A>) -> Result<Output, String> {
    let mut command = Command::new(program);
    command.args(args).env_clear().stdin(Stdio::null());
    let mut attempts = 0;
    loop {
        match command.output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && attempts < 1000 => {
                attempts += 1;
                thread::sleep(Duration::from_millis(1));
            }
            result => return result.map_err(|error| format!("{}: {error}", program.display())),
        }
    }
}

/// Runs a program without environment; all but exit code 0 is an error.
pub fn run<A: AsRef<OsStr>>(program: &Path, args: impl IntoIterator<Item = A>) -> Result<Output, String> {
    let output = outcome(program, args)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{}: {}: {}", program.display(), output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Compiles a program with one of the host's compilers, which does need the environment.
pub fn host_compile<A: AsRef<OsStr>>(
    compiler: &str,
    args: impl IntoIterator<Item = A>,
) -> Result<(), String> {
    let output =
        Command::new(compiler).args(args).output().map_err(|error| format!("{compiler}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{compiler}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Reports whether two files are the same, by name if they aren't.
pub fn same(one: &Path, other: &Path) -> Result<(), String> {
    let (a, b) = (read(one)?, read(other)?);
    match a.iter().zip(&b).position(|(x, y)| x != y) {
        None if a.len() == b.len() => Ok(()),
        at => Err(format!(
            "{} ({} bytes) and {} ({} bytes) differ at byte {}",
            one.display(),
            a.len(),
            other.display(),
            b.len(),
            at.unwrap_or(a.len().min(b.len()))
        )),
    }
}

/// A folder in which steps leave their outputs under their names.
pub struct Chain {
    folder: TempDir,
    sources: PathBuf,
}

impl Chain {
    /// Makes the folder and the seed in it, decoded here.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("a temporary folder: {error}"))?;
        let chain = Self { folder, sources: sources()? };
        write_program(&chain.at("seed"), &assembler::hex0(&source_text("seed.hex0")?)?)?;
        Ok(chain)
    }

    /// Makes a chain with every step up to cc.
    pub fn up_to_cc() -> Result<Self, String> {
        let chain = Self::new()?;
        for (builder, source, step) in [
            ("seed", "seed.hex0", "hex0"),
            ("hex0", "hexm.hex0", "hexm"),
            ("hexm", "c0.m", "c0"),
            ("c0", "cc.c", "cc"),
        ] {
            run(&chain.at(builder), [chain.source(source), chain.at(step)])?;
        }
        Ok(chain)
    }

    /// Makes a chain with every step.
    pub fn whole() -> Result<Self, String> {
        let chain = Self::up_to_cc()?;
        chain.tcc0("cc", "tcc0")?;
        chain.tcc("tcc0", "tcc1")?;
        chain.tcc("tcc1", "tcc2")?;
        Ok(chain)
    }

    /// The path of a step's output, or of another file in the chain's folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of one of the bootstrap's sources.
    pub fn source(&self, name: &str) -> PathBuf {
        self.sources.join(name)
    }

    /// Compiles TinyCC with a `cc`.
    pub fn tcc0(&self, cc: &str, step: &str) -> Result<(), String> {
        let tinycc = harness::tinycc_source()?;
        let mut args = vec![self.at(step).into_os_string()];
        args.extend([include(&self.source("libc/include")), include(&tinycc)]);
        args.extend(["-D__linux__", "-D__x86_64__", "-D__attribute__(x)="].map(OsString::from));
        args.extend(DEFINES.map(OsString::from));
        args.extend([self.source("libc/libc.c").into(), tinycc.join("tcc.c").into()]);
        run(&self.at(cc), args).map(drop)
    }

    /// Compiles TinyCC with a TinyCC.
    pub fn tcc(&self, compiler: &str, step: &str) -> Result<(), String> {
        let tinycc = harness::tinycc_source()?;
        let mut args = vec![include(&tinycc)];
        args.extend(DEFINES.map(OsString::from));
        args.push(tinycc.join("tcc.c").into());
        self.link(compiler, args, step)
    }

    /// Compiles TinyCC with one of the host's compilers and the host's C library.
    pub fn tcc_by_host(&self, compiler: &str, flags: &[&str], step: &str) -> Result<(), String> {
        let tinycc = harness::tinycc_source()?;
        let configuration = self.at("configuration");
        fs::create_dir_all(&configuration)
            .and_then(|()| fs::write(configuration.join("config.h"), ""))
            .map_err(|error| format!("{}: {error}", configuration.display()))?;
        let mut args: Vec<OsString> = flags.iter().map(OsString::from).collect();
        args.extend(["-w".into(), include(&configuration), include(&tinycc)]);
        args.extend(DEFINES.map(OsString::from));
        args.extend([tinycc.join("tcc.c").into(), "-o".into(), self.at(step).into(), "-lm".into()]);
        host_compile(compiler, args)
    }

    /// Compiles a program with a TinyCC and the bootstrap's C library, as packages do.
    pub fn link(&self, compiler: &str, program: Vec<OsString>, step: &str) -> Result<(), String> {
        let tinycc = harness::tinycc_source()?;
        let mut args: Vec<OsString> = ["-nostdinc", "-nostdlib", "-static"].map(OsString::from).into();
        args.push(include(&self.source("libc/include")));
        args.extend(["-o".into(), self.at(step).into()]);
        args.extend(["libc/start.S", "libc/libc.c"].map(|name| self.source(name).into_os_string()));
        args.extend(program);
        args.extend(["lib/libtcc1.c", "lib/va_list.c"].map(|name| tinycc.join(name).into_os_string()));
        run(&self.at(compiler), args).map(drop)
    }
}

fn include(folder: &Path) -> OsString {
    let mut flag = OsString::from("-I");
    flag.push(folder);
    flag
}

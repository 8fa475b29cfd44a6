//! Every bit of the seed flipped in turn: the self-rebuild notices, or the bit stands in a table with the
//! reason why it cannot. A flipped seed that rebuilds the seed must also refuse what the seed refuses.
//!
//! A flipped program may do anything that its bits say: it runs in a process namespace and a user
//! namespace of its own, with little memory, time and file size, in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::assembler;
use super::chain::{source_text, write_program};
use crate::harness::Test;

/// Bits that may flip unnoticed, in bytes of which at least one does.
struct Unnoticed {
    bytes: Range<usize>,
    /// The bits of each of these bytes; all others are noticed.
    bits: u8,
    reason: &'static str,
}

const fn unnoticed(bytes: Range<usize>, bits: u8, reason: &'static str) -> Unnoticed {
    Unnoticed { bytes, bits, reason }
}

/// Header fields that Linux doesn't read, or not whole, and instructions of which a flipped bit makes
/// another that does the same here. `bootstrap/seed.hex0` says what stands at each position.
const UNNOTICED: [Unnoticed; 45] = [
    unnoticed(0x04..0x10, 0xFF, "e_ident: Linux compares its first four bytes alone"),
    unnoticed(0x14..0x18, 0xFF, "e_version: not read"),
    unnoticed(0x28..0x30, 0xFF, "e_shoff: not read, a running program needs no sections"),
    unnoticed(0x30..0x34, 0xFF, "e_flags: not read on this machine"),
    unnoticed(0x34..0x36, 0xFF, "e_ehsize: not read"),
    unnoticed(
        0x3C..0x3D,
        0xFE,
        "p_flags: execute matters; memory beyond the file can be written to in any case",
    ),
    unnoticed(0x3D..0x40, 0xFF, "p_flags: no such flags"),
    unnoticed(0x50..0x58, 0xFF, "p_paddr: not read"),
    unnoticed(0x58..0x59, 0x22, "p_filesz: more than the file, within its page"),
    unnoticed(0x59..0x5A, 0x0F, "p_filesz: more than the file, within its page"),
    unnoticed(0x60..0x63, 0xFF, "p_memsz: more than is needed"),
    unnoticed(0x63..0x64, 0xFE, "p_memsz: more than is needed, up to what there is"),
    unnoticed(0x68..0x70, 0xFF, "p_align: position and address agree with any"),
    unnoticed(0x70..0x72, 0x07, "pop rcx: into another register that isn't used yet"),
    unnoticed(0x73..0x74, 0xBB, "xor esi,esi: Linux starts programs with 0 in it"),
    unnoticed(0x74..0x75, 0x24, "xor esi,esi: Linux starts programs with 0 in it, and in edx"),
    unnoticed(0x7C..0x7D, 0xFF, "mov esi,10001000: elsewhere in the segment"),
    unnoticed(0x7D..0x7E, 0xEF, "mov esi,10001000: elsewhere in the segment, not over the program"),
    unnoticed(0x7E..0x7F, 0xFF, "mov esi,10001000: elsewhere in the segment"),
    unnoticed(0x81..0x85, 0xFF, "mov edx,FFF000: more or less, and enough for this text"),
    unnoticed(0x85..0x86, 0x02, "xor eax,eax: the same in its other encoding"),
    unnoticed(0x8B..0x8C, 0x02, "jle: jl, and this text isn't empty"),
    unnoticed(0x8C..0x8D, 0x08, "jle exit: to a system call with a number below 0, which fails as well"),
    unnoticed(0x8F..0x90, 0x01, "push rsi: push rdi, which is the same here"),
    unnoticed(0x91..0x92, 0xEE, "mov cl,1: only the lowest bit gets to be the carry"),
    unnoticed(0x95..0x96, 0x02, "je: jbe, and test leaves no carry"),
    unnoticed(0x9A..0x9B, 0x01, "je comment: to its comparison, al isn't 0A"),
    unnoticed(0x9E..0x9F, 0x02, "jb digit: to next, and no byte is half done at a blank"),
    unnoticed(0xA0..0xA1, 0x80, "test al,40: this text is ASCII"),
    unnoticed(0xA1..0xA2, 0x02, "je: jbe, and test leaves no carry"),
    unnoticed(0xA3..0xA4, 0x10, "add: adc, and there is no carry"),
    unnoticed(0xA4..0xA5, 0xF0, "add al,9: the upper half is cleared below"),
    unnoticed(0xA6..0xA7, 0x80, "and al,0F: letters are below 80"),
    unnoticed(0xA8..0xA9, 0x10, "shl: the same in its other encoding"),
    unnoticed(0xA9..0xAA, 0xE0, "shl cl,4: counts are modulo 32"),
    unnoticed(0xAD..0xAE, 0x04, "jnc: ja, and the result isn't 0 when there is no carry"),
    unnoticed(
        0xB4..0xB5,
        0x38,
        "cmp al,0A: another operation that gives 0 if al is 0A, and al isn't used after it",
    ),
    unnoticed(0xB6..0xB7, 0x02, "jne: ja, and nothing below 0A is in a comment"),
    unnoticed(0xB9..0xBA, 0x01, "jmp digit: to the test of al behind it, and al is 0A, which is skipped"),
    unnoticed(0xC2..0xC3, 0x12, "mode: what the umask takes away"),
    unnoticed(0xC3..0xC4, 0xFC, "mode: no such bits, or set-user-id, which writing takes away"),
    unnoticed(0xC4..0xC6, 0xFF, "mode: no such bits"),
    unnoticed(0xD2..0xD3, 0x01, "sub: its low byte says the same here"),
    unnoticed(0xD4..0xD5, 0x01, "neg: its low byte says the same here"),
    unnoticed(0xD6..0xD7, 0x02, "sbb edi,edi: the same in its other encoding"),
];

/// Bits that are noticed or not by chance, as they depend on where Linux puts the stack and the arguments:
/// `xor esi,edi` and `xor esi,esp` make an address the flags to open the text with, `test eax,esp` looks
/// for bits that both have.
const BY_CHANCE: [(usize, u8); 2] = [(0x74, 0x18), (0x8A, 0x24)];

/// How long a flipped seed may take, whose byte should be noticed; others have much longer.
const PATIENCE: Duration = Duration::from_millis(300);
const MUCH_PATIENCE: Duration = Duration::from_secs(20);

/// Returns the test of the flipped bits.
pub fn tests() -> Vec<Test> {
    vec![Test {
        name: "bootstrap: every flipped bit of the seed is noticed by the rebuild, or named with a reason",
        requires: &["prlimit", "unshare"],
        run: every_flipped_bit_is_noticed_or_named,
    }]
}

fn every_flipped_bit_is_noticed_or_named() -> Result<(), String> {
    let text = source_text("seed.hex0")?;
    let seed = assembler::hex0(&text)?;
    let mut named: BTreeMap<usize, &Unnoticed> = BTreeMap::new();
    for row in &UNNOTICED {
        named.extend(row.bytes.clone().map(|byte| (byte, row)));
    }
    let passes = |program: &[u8], patience| {
        let folder = tempfile::tempdir().map_err(|error| format!("a temporary folder: {error}"))?;
        passes(folder.path(), program, &text, &seed, patience)
    };
    if !passes(&seed, MUCH_PATIENCE)? {
        return Err("the unchanged seed isn't taken for the seed".into());
    }
    // The threads take bytes in turn and give the bits that flipped unnoticed.
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<(usize, u8)>, String> {
        let mut unnoticed = Vec::new();
        loop {
            let byte = next.fetch_add(1, Ordering::Relaxed);
            if byte >= seed.len() {
                return Ok(unnoticed);
            }
            let patience = if named.contains_key(&byte) { MUCH_PATIENCE } else { PATIENCE };
            let mut bits = 0;
            for bit in (0..8).map(|shift| 1 << shift) {
                let mut flipped = seed.clone();
                flipped[byte] ^= bit;
                if passes(&flipped, patience)? {
                    bits |= bit;
                }
            }
            unnoticed.push((byte, bits));
        }
    };
    let found = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into())))
            .collect::<Result<Vec<_>, String>>()
    })?;
    let mut faults = Vec::new();
    for (byte, bits) in found.into_iter().flatten() {
        let by_chance: u8 = BY_CHANCE.iter().filter(|(at, _)| *at == byte).map(|(_, bits)| bits).sum();
        let bits = bits & !by_chance;
        let (expected, reason) = named.get(&byte).map_or((0, ""), |row| (row.bits, row.reason));
        if bits & !expected != 0 {
            faults.push(format!(
                "{byte:02X}: bits {:02X} flipped unnoticed, and aren't named",
                bits & !expected
            ));
        }
        if expected != 0 && bits == 0 {
            faults.push(format!("{byte:02X}: named (`{reason}`), but every flipped bit was noticed"));
        }
    }
    faults.sort();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// Whether a program passes for the seed: makes it of its text, and refuses what the seed refuses.
fn passes(
    folder: &Path,
    program: &[u8],
    text: &str,
    seed: &[u8],
    patience: Duration,
) -> Result<bool, String> {
    write_program(&folder.join("program"), program)?;
    fs::write(folder.join("text"), text).map_err(|error| format!("{}: {error}", folder.display()))?;
    let output = folder.join("output");
    let mode = |path: &Path| fs::metadata(path).map(|metadata| metadata.permissions().mode()).ok();
    let rebuilds = exit_code(folder, ["text", "output"], patience)? == Some(0)
        && fs::read(&output).is_ok_and(|bytes| bytes == seed)
        && mode(&output) == mode(&folder.join("program"));
    if !rebuilds {
        return Ok(false);
    }
    fs::remove_file(&output).map_err(|error| format!("{}: {error}", output.display()))?;
    let is_refusal = |code: Option<i32>| code.is_some_and(|code| code != 0);
    Ok(is_refusal(exit_code(folder, ["missing", "output"], patience)?)
        && !output.exists()
        && is_refusal(exit_code(folder, ["text", "/dev/full"], patience)?))
}

/// The exit code of `./program` in its confinement; none if it took too long or a signal ended it.
///
/// unshare gives 126 for a program that can't be run: one that is still busy, see `chain::outcome`.
fn exit_code(folder: &Path, args: [&str; 2], patience: Duration) -> Result<Option<i32>, String> {
    for _ in 0..50 {
        let code = exit_code_once(folder, args, patience)?;
        if code != Some(126) {
            return Ok(code);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(Some(126))
}

fn exit_code_once(folder: &Path, args: [&str; 2], patience: Duration) -> Result<Option<i32>, String> {
    let mut child = Command::new("prlimit")
        .args(["--cpu=1", "--fsize=1000000", "--as=100000000", "--core=0", "--"])
        .args(["unshare", "--user", "--pid", "--fork", "--kill-child", "--", "./program"])
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("prlimit: {error}"))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| format!("prlimit: {error}"))? {
            return Ok(status.code());
        }
        if start.elapsed() > patience {
            child.kill().and_then(|()| child.wait()).map_err(|error| format!("prlimit: {error}"))?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

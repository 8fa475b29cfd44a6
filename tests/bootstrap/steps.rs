//! Each step up to cc against the same thing made another way.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::assembler;
use super::chain::{Chain, host_compile, read, run, same, source_text};
use crate::harness::Test;

/// A program that uses much of what cc knows, and what it prints.
const SMOKE: &str = include_str!("smoke.c");
const SMOKE_OUTPUT: &str = include_str!("smoke.expected");

/// What lets the host's C library carry the program: the call that cc brings itself.
const SYSCALL: &str = "#include <unistd.h>\n\
    long __syscall(int number, long a, long b, int c) { return syscall(number, (int)a, b, (long)c); }\n";

/// Returns the tests of the steps up to cc.
pub fn tests() -> Vec<Test> {
    vec![
        Test { name: "bootstrap: the seed rebuilds itself", requires: &[], run: the_seed_rebuilds_itself },
        Test {
            name: "bootstrap: the independent assembler gives the same hexm and c0",
            requires: &[],
            run: assemblers_agree,
        },
        Test {
            name: "bootstrap: a program compiled by cc prints what it prints compiled by gcc",
            requires: &["gcc"],
            run: cc_and_gcc_agree_on_a_program,
        },
        Test {
            name: "bootstrap: cc compiled by gcc and cc compiled by c0 make the same tcc0",
            requires: &["gcc"],
            run: both_ccs_make_the_same_tcc0,
        },
    ]
}

fn the_seed_rebuilds_itself() -> Result<(), String> {
    let chain = Chain::new()?;
    run(&chain.at("seed"), [chain.source("seed.hex0"), chain.at("hex0")])?;
    same(&chain.at("seed"), &chain.at("hex0"))
}

fn assemblers_agree() -> Result<(), String> {
    let chain = Chain::up_to_cc()?;
    let hexm = assembler::hex0(&source_text("hexm.hex0")?)?;
    if read(chain.at("hexm"))? != hexm {
        return Err("the seed and the independent assembler differ on hexm.hex0".into());
    }
    let c0 = assembler::hexm(&source_text("c0.m")?)?;
    if read(chain.at("c0"))? != c0 {
        return Err("hexm and the independent assembler differ on c0.m".into());
    }
    Ok(())
}

fn cc_and_gcc_agree_on_a_program() -> Result<(), String> {
    let chain = Chain::up_to_cc()?;
    for (name, text) in [("smoke.c", SMOKE), ("syscall.c", SYSCALL)] {
        fs::write(chain.at(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    run(&chain.at("cc"), [chain.at("by_cc"), chain.at("smoke.c")])?;
    let mut args = ["-w", "-std=gnu89", "-o"].map(OsString::from).to_vec();
    args.extend(["by_gcc", "smoke.c", "syscall.c"].map(|name| chain.at(name).into_os_string()));
    host_compile("gcc", args)?;
    for program in ["by_cc", "by_gcc"] {
        let printed = print(&chain.at(program))?;
        if printed != SMOKE_OUTPUT {
            return Err(format!("{program} printed {printed:?}, expected {SMOKE_OUTPUT:?}"));
        }
    }
    Ok(())
}

/// Runs the smoke program, which prints its name and the number of its arguments as well.
fn print(program: &Path) -> Result<String, String> {
    let output = Command::new(program)
        .arg0("smoke")
        .arg("argument")
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{}: {error}", program.display()))
}

fn both_ccs_make_the_same_tcc0() -> Result<(), String> {
    let chain = Chain::up_to_cc()?;
    let mut args = ["-w", "-O1", "-funsigned-char", "-fno-builtin", "-include"].map(OsString::from).to_vec();
    args.extend(
        [chain.source("host.h"), chain.source("cc.c"), "-o".into(), chain.at("cc_by_gcc")]
            .map(OsString::from),
    );
    host_compile("gcc", args)?;
    chain.tcc0("cc", "tcc0")?;
    chain.tcc0("cc_by_gcc", "tcc0_by_gcc")?;
    same(&chain.at("tcc0"), &chain.at("tcc0_by_gcc"))
}

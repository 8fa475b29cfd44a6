//! What a package gets: a program linked with the bootstrap's C library prints, and tells when it couldn't.

use std::fs;
use std::process::{Command, Stdio};

use super::chain::{Chain, outcome};
use crate::harness::Test;

const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    printf("%s %d %5u|%-4d|%04d|%x|%lo|%.2s|%c|%%|%f|%ld|%hd\n", "hello", -42, 7u, 3, -12, 255, 8L, "abc",
        'z', -1L << 40, 5);
    puts("bye");
    return argc > 1 ? atoi(argv[1]) : 0;
}
"#;
const PRINTED: &str = "hello -42     7|3   |-012|ff|10|ab|z|%|%f|-1099511627776|5\nbye\n";

/// Returns the tests of the bootstrap's C library in a program of its own.
pub fn tests() -> Vec<Test> {
    vec![Test {
        name: "bootstrap: a program with the bootstrap's C library prints, and fails if it cannot",
        requires: &[],
        run: hello_prints_or_fails,
    }]
}

fn hello_prints_or_fails() -> Result<(), String> {
    let chain = Chain::whole()?;
    fs::write(chain.at("hello.c"), PROGRAM).map_err(|error| format!("hello.c: {error}"))?;
    chain.link("tcc2", vec![chain.at("hello.c").into()], "hello")?;
    for (args, code) in [(vec![], 0), (vec!["7"], 7)] {
        let output = outcome(&chain.at("hello"), &args)?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if printed != PRINTED || output.status.code() != Some(code) {
            return Err(format!("with {args:?}: {}, printed {printed:?}", output.status));
        }
    }
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .map_err(|error| format!("/dev/full: {error}"))?;
    let status = Command::new(chain.at("hello"))
        .stdin(Stdio::null())
        .stdout(full)
        .status()
        .map_err(|error| format!("hello: {error}"))?;
    if status.code() == Some(1) {
        Ok(())
    } else {
        Err(format!("on a full disk: {status}, expected exit code 1"))
    }
}

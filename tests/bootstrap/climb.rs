//! The climb from TinyCC to GCC, realised step by step in sandboxes: every store path is the one of `bootstrap/golden-climb`, and
//! what the compilers compile runs.
//!
//! Up to GCC 3.4.6 with C++ it takes some CPU-minutes, once for each lasting store; the rest only where `SX_TESTS_WHOLE_CLIMB` is
//! set. `SX_TESTS_SOURCES` names a folder to look for sources in before they are fetched.

use std::process::Command;

use super::chain::{outcome, source_text};
use crate::harness::{self, Test};

/// The last step of `golden-climb` that every run realises.
const SHORT_CLIMB: &str = "gcc-3-pass2";

const C_PROGRAM: &str = r#"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    double root = sqrt(argc * 2.0);
    return printf("%s %.15f %Lg\n", "C", root, 1.0L / 3) < 0;
}
"#;
const C_PRINTED: &str = "C 1.414213562373095 0.333333\n";

const CXX_PROGRAM: &str = r#"
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#if __cplusplus >= 201103L
#include <atomic>
#include <thread>
#endif
int main()
{
    std::map<std::string, int> words;
    words["two"] = 2;
    words["one"] = 1;
    try {
        if (words.size() == 2) throw std::runtime_error("thrown");
    } catch (const std::exception &error) {
        std::cout << error.what() << ' ' << words.begin()->first << ' ' << 0.5;
    }
#if __cplusplus >= 201103L
    std::atomic<int> sum(0);
    std::thread thread([&] { sum += words["two"]; });
    thread.join();
    std::cout << ' ' << sum;
#else
    std::cout << ' ' << words["two"];
#endif
    std::cout << std::endl;
}
"#;
const CXX_PRINTED: &str = "thrown one 0.5 2\n";

/// Returns the tests of the climb, the long one only where it is asked for.
pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    let mut tests = vec![
        test("bootstrap: the steps up to GCC 3.4.6 have the golden store paths", || compare(false)),
        test("bootstrap: what GCC 3.4.6 compiles runs", || {
            runs("gcc-3-pass1", "gcc hello.c", C_PROGRAM, C_PRINTED)?;
            compiles("gcc-3-pass2")
        }),
    ];
    if std::env::var_os("SX_TESTS_WHOLE_CLIMB").is_some() {
        tests.extend([
            test("bootstrap: the steps up to GCC 14 have the golden store paths", || compare(true)),
            test("bootstrap: what the later compilers compile runs", later_compilers),
        ]);
    }
    tests
}

/// `sx realise` in the repository, with the sources that are at hand.
fn realise() -> Command {
    let mut command = harness::sx(["realise", "--quiet"]);
    command.current_dir(harness::repository());
    harness::add_sources(&mut command);
    command
}

fn compare(is_whole: bool) -> Result<(), String> {
    let golden = source_text("golden-climb")?;
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let (step, path) = line.split_once(' ').ok_or_else(|| format!("golden-climb has `{line}`"))?;
        let found = harness::output(realise().arg(format!("bootstrap.{step}")))?;
        if found != path {
            return Err(format!("{step} came to {found}, golden-climb says {path}"));
        }
        if step == SHORT_CLIMB && !is_whole {
            return Ok(());
        }
    }
    if is_whole { Ok(()) } else { Err(format!("golden-climb has no {SHORT_CLIMB}")) }
}

fn later_compilers() -> Result<(), String> {
    ["gcc-10", "gcc-14-pass1", "gcc"].into_iter().try_for_each(compiles)
}

/// C and C++.
fn compiles(compiler: &str) -> Result<(), String> {
    runs(compiler, "gcc hello.c", C_PROGRAM, C_PRINTED)?;
    runs(compiler, "g++ -x c++ hello.c", CXX_PROGRAM, CXX_PRINTED)
}

/// Compiles a program in a sandbox that has the compiler's folder in PATH and no option that helps it, and runs it here.
fn runs(compiler: &str, command: &str, program: &str, printed: &str) -> Result<(), String> {
    let expression = format!(
        r#"let bootstrap = import ./bootstrap; in derivation {{
            name = "hello-{compiler}";
            system = "x86_64-linux";
            builder = "${{bootstrap.bash}}/bin/bash";
            args = [ "-e" "-c" "printf '%s' \"$program\" >hello.c; {command} -o $out" ];
            PATH = "${{bootstrap.{compiler}}}/bin";
            program = ''{program}'';
        }}"#
    );
    let path = harness::output(realise().arg("-E").arg(expression))?;
    let base = path.rsplit('/').next().unwrap_or_default();
    let hello = harness::lasting_folder().join("store/store").join(base);
    let found = outcome::<&str>(&hello, [])?;
    let text = String::from_utf8_lossy(&found.stdout);
    if found.status.success() && text == printed {
        return Ok(());
    }
    Err(format!(
        "{compiler}: `{command}` made a program that ended with {} and printed {text:?}",
        found.status
    ))
}

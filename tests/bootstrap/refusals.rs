//! The first programs don't end as if all were well when it isn't: no input, no output, wrong texts.

use std::ffi::OsString;
use std::fs;

use super::chain::{Chain, outcome};
use crate::harness::Test;

/// Returns the tests of failing inputs.
pub fn tests() -> Vec<Test> {
    vec![
        Test {
            name: "bootstrap: a missing input or an output that cannot be written gives an exit code",
            requires: &[],
            run: missing_files_are_refused,
        },
        Test {
            name: "bootstrap: c0 refuses wrong texts and names the line",
            requires: &[],
            run: c0_names_the_line,
        },
        Test {
            name: "bootstrap: cc refuses wrong texts and names file and line",
            requires: &[],
            run: cc_names_the_line,
        },
    ]
}

fn missing_files_are_refused() -> Result<(), String> {
    let chain = Chain::up_to_cc()?;
    let output = chain.at("output");
    for (program, source) in [("seed", "seed.hex0"), ("hexm", "c0.m"), ("c0", "cc.c")] {
        let source = chain.source(source);
        for (input, output) in [
            (chain.at("missing"), output.clone()),
            (chain.at(""), output.clone()),
            ("/dev/null".into(), output.clone()),
            (source.clone(), chain.at("missing/output")),
            (source, "/dev/full".into()),
        ] {
            refused(&chain, program, [&input, &output].map(OsString::from).into(), "")?;
        }
        if output.exists() {
            return Err(format!("{program} wrote an output without an input"));
        }
    }
    let program = chain.at("program.c");
    fs::write(&program, "void exit(int c) {} int main() { return 0; }\n")
        .map_err(|error| error.to_string())?;
    for (output, input, message) in [
        (output.clone(), chain.at("missing"), "cannot open file"),
        (output, chain.at(""), "cannot read"),
        (chain.at("missing/output"), program.clone(), "cannot create the output"),
        ("/dev/full".into(), program, "cannot write"),
    ] {
        refused(&chain, "cc", [&output, &input].map(OsString::from).into(), message)?;
    }
    Ok(())
}

fn c0_names_the_line() -> Result<(), String> {
    let chain = Chain::up_to_cc()?;
    let source = chain.at("wrong.c");
    for (text, line) in [
        ("long main() {\n\n    return 1 +;\n}\n", "3: "),
        ("long f() { return x; }\n", "1: "),
        ("long a;\nint b;\n", "2: "),
        ("long main() { /* \n*/ while (1 }\n", "2: "),
        ("long f() { return 0; }\n", "2: "),
    ] {
        fs::write(&source, text).map_err(|error| error.to_string())?;
        refused(&chain, "c0", [&source, &chain.at("output")].map(OsString::from).into(), line)?;
    }
    fs::write(&source, "/* */ ".repeat(200_000)).map_err(|error| error.to_string())?;
    refused(&chain, "c0", [&source, &chain.at("output")].map(OsString::from).into(), "1: ")
}

fn cc_names_the_line() -> Result<(), String> {
    let chain = Chain::up_to_cc()?;
    let source = chain.at("wrong.c");
    for (text, message) in [
        ("int main() {\n    return 1 +;\n}\n", "wrong.c:2: expression expected"),
        ("int main() { return f(); }\n", "wrong.c:1: undeclared"),
        ("int f(); void exit(int c) {}\nint main() { return f(); }\n", "f: :0: used and not defined"),
        ("int a;\n/* no end\n", "unfinished comment"),
        ("char *a = \"no end\n;", "wrong.c:1: unfinished string"),
        ("\n#if 1\nint a;\n", "missing #endif"),
        ("\n#include \"nowhere.h\"\n", "wrong.c:2: include file not found"),
        ("#pragma once\n", "wrong.c:1: unknown directive"),
        ("double a = 1;\n", "static floating object"),
        ("int f(double a) { if (a) return 1; return 0; }\n", "a floating condition"),
        ("int f() { return 1.5; }\n", "a fraction"),
        ("struct s { int a; }; int f(); int g() { struct s a; return f(a); }\n", "a struct argument"),
        ("struct s { int a; } f() {}\n", "a struct result"),
        ("int f() { char a[] = \"text\"; return 0; }\n", "a local array"),
        ("int a[] = { [1] = 1 };\n", "a designated initializer"),
        ("int a[1] = { 1, 2 };\n", "too many initializers"),
        ("int f() { return 0; }\nint f() { return 1; }\n", "wrong.c:2: function defined twice"),
        ("int a[2000000];\n", "a table is full"),
    ] {
        fs::write(&source, text).map_err(|error| error.to_string())?;
        refused(&chain, "cc", [&chain.at("output"), &source].map(OsString::from).into(), message)?;
    }
    refused(&chain, "cc", vec![], "usage: cc")?;
    refused(&chain, "cc", ["output", "-x"].map(OsString::from).into(), "unknown option")
}

fn refused(chain: &Chain, program: &str, args: Vec<OsString>, message: &str) -> Result<(), String> {
    let output = outcome(&chain.at(program), &args)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code().is_some_and(|code| code != 0) && said.contains(message) {
        return Ok(());
    }
    Err(format!(
        "{program} {args:?}: {}, said {said:?}, expected an exit code and {message:?}",
        output.status
    ))
}

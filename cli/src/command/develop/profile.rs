//! What a shell reads first where a package is built.

use bstr::{BString, ByteSlice, ByteVec};
use sx_store::sandbox::Sandbox;

/// Text that a shell runs a command by, given as its arguments.
pub const COMMAND: &str = r#"if test $# = 1; then eval "$1"; else "$@"; fi"#;

/// The name of the file of phases that builders on pkgs/stdenv run.
const PHASES: &[u8] = b"-setup.sh";

/// Programs that are shells, by their names.
const SHELLS: [&str; 4] = ["bash", "sh", "dash", "ash"];

/// Whether a program is a shell, as far as its name tells.
pub fn is_shell(program: &[u8]) -> bool {
    let name = program.rsplit_str("/").next().unwrap_or(program);
    SHELLS.iter().any(|shell| shell.as_bytes() == name)
}

/// The text of `/etc/profile` for the build that `sandbox` is of. It is read before anything else happens, as sh or as bash.
pub fn text(name: &str, sandbox: &Sandbox) -> BString {
    let mut text = BString::from("# What `sx develop` gives a shell.\n");
    text.push_str(format!("PS1='[{name}] $PWD $ '\n"));
    text.push_str("# The build, as sx would run it.\ngenericBuild() {\n   ");
    for word in std::iter::once(&sandbox.program).chain(&sandbox.arguments) {
        text.push_str(" ");
        text.push_str(quoted(word));
    }
    text.push_str("\n}\n");
    let phases = sandbox.arguments.last().filter(|last| last.ends_with(PHASES));
    if let Some(phases) = phases.filter(|_| is_shell(&sandbox.program)) {
        let phases = quoted(phases);
        // The phases as functions. A list of none makes the file define them and run nothing.
        text.push_str("sx_phases=${phases-}\nphases=' '\n. ");
        text.push_str(&phases);
        text.push_str(
            "\nif test -n \"$sx_phases\"; then phases=$sx_phases; else unset phases; fi\nunset sx_phases\n",
        );
    }
    text
}

/// A word as shells read it back, whatever bytes it has.
fn quoted(word: &[u8]) -> Vec<u8> {
    let mut quoted = b"'".to_vec();
    quoted.extend(word.replace("'", "'\\''"));
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(quoted(b"a'b \"$c\n").as_bstr(), "'a'\\''b \"$c\n'");
    }

    #[test]
    fn shells_are_known_by_their_names() {
        assert!(
            is_shell(b"/sx/store/x-bash-5.2/bin/bash") && !is_shell(b"/sx/store/x-bash") && is_shell(b"sh")
        );
    }
}

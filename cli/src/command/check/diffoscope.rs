//! Asks diffoscope, where it is installed, what differs: it looks into more formats than sx does.

use super::report::Report;
use crate::session::Session;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use sx_store::check::{Checked, Verdict};
use sx_store::realise::RealiseError;

/// Larger objects take it too long.
const MAX_BYTES: u64 = 32 << 20;
/// Lines of what it says that are kept.
const MAX_LINES: usize = 60;

/// Adds what it says to the report.
pub fn describe(session: &Session, results: &[Result<Checked, RealiseError>], report: &mut Report) {
    let Some(program) = find(session) else { return };
    for (result, derivation) in results.iter().zip(&mut report.derivations) {
        let Ok(Checked { verdict: Verdict::Different(outputs), .. }) = result else { continue };
        for (different, output) in outputs.iter().zip(&mut derivation.different) {
            let object = session.store().database().object(&different.first);
            if !object.is_ok_and(|object| object.is_some_and(|object| object.size_bytes <= MAX_BYTES)) {
                continue;
            }
            let mut command = Command::new(&program);
            command.args([
                "--text",
                "-",
                "--text-color=never",
                "--no-progress",
                "--exclude-directory-metadata=yes",
            ]);
            command.arg(format!("--max-text-report-size={}", 64 * 1024));
            let (first, second) = (session.store().location(&different.first), different.rebuilt.location());
            command.arg(&first).arg(second);
            // It is one opinion more: without it the report is whole.
            let Ok(ended) = command.stdin(Stdio::null()).stderr(Stdio::null()).output() else { continue };
            // Where they lie tells nobody anything.
            let text = String::from_utf8_lossy(&ended.stdout);
            let text = text.replace(&*first.to_string_lossy(), "first");
            let text = text.replace(&*second.to_string_lossy(), "second");
            let clean =
                |line: &str| line.chars().filter(|character| !character.is_control()).collect::<String>();
            let lines: Vec<String> = text.lines().take(MAX_LINES).map(clean).collect();
            output.diffoscope = (!lines.is_empty()).then(|| lines.join("\n"));
        }
    }
}

fn find(session: &Session) -> Option<PathBuf> {
    let path = session.environment().get("PATH")?;
    std::env::split_paths(path).map(|folder| folder.join("diffoscope")).find(|program| program.is_file())
}

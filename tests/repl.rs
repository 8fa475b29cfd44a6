//! `sx repl` on a terminal: what a person types, and sees.

use crate::harness::{Test, sx};
use crate::terminal::Terminal;
use rustix::process::{Signal, kill_process};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

pub fn tests() -> Vec<Test> {
    vec![
        Test { name: "repl::a_conversation_on_a_terminal", requires: &[], run: a_conversation_on_a_terminal },
        Test { name: "repl::what_is_typed_ahead_in_a_pipe_is_obeyed", requires: &[], run: a_pipe_is_obeyed },
    ]
}

fn conversation(folder: &Path) -> Result<Terminal, String> {
    let mut command = sx(["repl"]);
    command.current_dir(folder).env("XDG_STATE_HOME", folder);
    Terminal::open(command)
}

/// Types a line when asked for one, and waits for what answers it.
fn say(terminal: &mut Terminal, line: &str, answer: &str) -> Result<(), String> {
    terminal.see("sx> ")?;
    terminal.press(&format!("{line}\r"))?;
    // First the line itself is shown.
    terminal.see("\n")?;
    terminal.see(answer).map(drop)
}

/// Presses Ctrl-D.
fn close(mut terminal: Terminal) -> Result<(), String> {
    terminal.see("sx> ")?;
    terminal.press("\x04")?;
    terminal.wait()
}

fn a_conversation_on_a_terminal() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("value.nix");
    std::fs::write(file, "{ loaded = 7; /** Adds one. */ next = x: x + 1; }")
        .map_err(|error| error.to_string())?;
    let mut terminal = conversation(folder.path())?;
    say(&mut terminal, "1 + 1", "2")?;
    // What isn't finished goes on, and can be given up.
    say(&mut terminal, "let x = 1;", "  > ")?;
    terminal.press("in x + 41\r")?;
    terminal.see("42")?;
    say(&mut terminal, "{ a =", "  > ")?;
    terminal.press("\x03")?;
    say(&mut terminal, "y = 5", "")?;
    say(&mut terminal, ":t y", "an integer")?;
    say(&mut terminal, ":doc builtins.match", "POSIX")?;
    say(&mut terminal, ":l value.nix", "added 2 variables")?;
    say(&mut terminal, ":doc next", "Adds one.")?;
    say(&mut terminal, ":? ", ":doc EXPRESSION")?;
    say(&mut terminal, ":nonsense", "there is no command `:nonsense`")?;
    say(&mut terminal, "loadde", "did you mean `loaded`?")?;
    // The tabulator completes variables, and attributes of what is before the dot.
    say(&mut terminal, "loa\t + 93", "100")?;
    say(&mut terminal, "builtins.concatStringsS\t \"<\" [ \"a\" \"b\" ]", "\"a<b\"")?;
    // Ctrl-C ends the line, not the conversation.
    let long = "let l = builtins.genList (x: x) 2000; f = builtins.foldl'; in builtins.trace \"begun\" (f (a: b: f (c: d: f builtins.add 0 l) 0 l) 0 l)";
    say(&mut terminal, long, "trace: begun")?;
    kill_process(terminal.process()?, Signal::INT).map_err(|error| error.to_string())?;
    terminal.see("interrupted")?;
    say(&mut terminal, "\"still \" + \"here\"", "\"still here\"")?;
    close(terminal)?;
    // What was typed in one conversation can be had again in the next with the key upward.
    let mut terminal = conversation(folder.path())?;
    say(&mut terminal, "\x1b[A", "\"still here\"")?;
    close(terminal)
}

fn a_pipe_is_obeyed() -> Result<(), String> {
    let mut command = sx(["repl"]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    let text = b"x = 20\nlet\n  y = 1;\nin x + y\n1 +\n1\nthrow \"oh\"\n\"\xff\"\n:t x: x\n:q\nnever read\n";
    let input = child.stdin.take().map(|mut input| input.write_all(text));
    input.ok_or("there is no input")?.map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if shown != "21\n2\na function\n"
        || !errors.contains("oh")
        || !errors.contains("not UTF-8")
        || !output.status.success()
    {
        return Err(format!("{}\n{shown}\n{errors}", output.status));
    }
    Ok(())
}

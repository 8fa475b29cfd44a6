//! `sx repl` on a terminal: what a person types, and sees.

use crate::harness::{Test, sx};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Stdio};

pub fn tests() -> Vec<Test> {
    vec![
        Test { name: "repl::a_conversation_on_a_terminal", requires: &[], run: a_conversation_on_a_terminal },
        Test { name: "repl::what_is_typed_ahead_in_a_pipe_is_obeyed", requires: &[], run: a_pipe_is_obeyed },
    ]
}

/// How long to wait for what should appear at once.
const PATIENCE_SECONDS: i64 = 60;

/// A terminal with `sx repl` in it.
struct Terminal {
    child: Child,
    controller: File,
    /// What was shown and not waited for yet.
    shown: String,
}

impl Terminal {
    fn open(folder: &Path) -> Result<Self, String> {
        let failed = |error: rustix::io::Errno| error.to_string();
        let controller =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).map_err(failed)?;
        grantpt(&controller).map_err(failed)?;
        unlockpt(&controller).map_err(failed)?;
        let name = ptsname(&controller, Vec::new()).map_err(failed)?;
        let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let end = || {
            let file = File::options().read(true).write(true).open(path);
            file.map(Stdio::from).map_err(|error| error.to_string())
        };
        let mut command = sx(["repl"]);
        command.current_dir(folder).env("XDG_STATE_HOME", folder).env("TERM", "xterm");
        let child = command.stdin(end()?).stdout(end()?).stderr(end()?).spawn();
        let child = child.map_err(|error| error.to_string())?;
        Ok(Self { child, controller: File::from(controller), shown: String::new() })
    }

    fn press(&mut self, keys: &str) -> Result<(), String> {
        self.controller.write_all(keys.as_bytes()).map_err(|error| error.to_string())
    }

    /// Waits until a text is shown after what was waited for before.
    fn see(&mut self, text: &str) -> Result<(), String> {
        loop {
            if let Some(place) = self.shown.find(text) {
                self.shown.drain(..place + text.len());
                return Ok(());
            }
            let timeout = rustix::time::Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
            let mut ready = [PollFd::new(&self.controller, PollFlags::IN)];
            let count = poll(&mut ready, Some(&timeout)).map_err(|error| error.to_string())?;
            let mut bytes = [0; 4096];
            let length = if count == 0 { 0 } else { self.controller.read(&mut bytes).unwrap_or(0) };
            if length == 0 {
                return Err(format!("`{text}` isn't shown, but {:?}", self.shown));
            }
            self.shown += &String::from_utf8_lossy(&bytes[..length]);
        }
    }

    /// Types a line when asked for one, and waits for what answers it.
    fn say(&mut self, line: &str, answer: &str) -> Result<(), String> {
        self.see("sx> ")?;
        self.press(&format!("{line}\r"))?;
        // First the line itself is shown.
        self.see("\n")?;
        self.see(answer)
    }

    /// Presses Ctrl-D.
    fn close(mut self) -> Result<(), String> {
        self.see("sx> ")?;
        self.press("\x04")?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("sx repl ended with {status}")) }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn a_conversation_on_a_terminal() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("value.nix");
    std::fs::write(file, "{ loaded = 7; /** Adds one. */ next = x: x + 1; }")
        .map_err(|error| error.to_string())?;
    let mut terminal = Terminal::open(folder.path())?;
    terminal.say("1 + 1", "2")?;
    // What isn't finished goes on, and can be given up.
    terminal.say("let x = 1;", "  > ")?;
    terminal.press("in x + 41\r")?;
    terminal.see("42")?;
    terminal.say("{ a =", "  > ")?;
    terminal.press("\x03")?;
    terminal.say("y = 5", "")?;
    terminal.say(":t y", "an integer")?;
    terminal.say(":doc builtins.match", "POSIX")?;
    terminal.say(":l value.nix", "added 2 variables")?;
    terminal.say(":doc next", "Adds one.")?;
    terminal.say(":? ", ":doc EXPRESSION")?;
    terminal.say(":nonsense", "there is no command `:nonsense`")?;
    terminal.say("loadde", "did you mean `loaded`?")?;
    // The tabulator completes variables, and attributes of what is before the dot.
    terminal.say("loa\t + 93", "100")?;
    terminal.say("builtins.concatStringsS\t \"<\" [ \"a\" \"b\" ]", "\"a<b\"")?;
    // Ctrl-C ends the line, not the conversation.
    let long = "let l = builtins.genList (x: x) 2000; f = builtins.foldl'; in builtins.trace \"begun\" (f (a: b: f (c: d: f builtins.add 0 l) 0 l) 0 l)";
    terminal.say(long, "trace: begun")?;
    let id = i32::try_from(terminal.child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.ok_or("there is no process")?, Signal::INT).map_err(|error| error.to_string())?;
    terminal.see("interrupted")?;
    terminal.say("\"still \" + \"here\"", "\"still here\"")?;
    terminal.close()?;
    // What was typed in one conversation can be had again in the next with the key upward.
    let mut terminal = Terminal::open(folder.path())?;
    terminal.say("\x1b[A", "\"still here\"")?;
    terminal.close()
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

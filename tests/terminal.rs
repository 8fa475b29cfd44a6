//! A terminal with a program in it, and a person before it.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// How long to wait for what should appear at once.
const PATIENCE_SECONDS: i64 = 60;

/// A terminal in which a command runs, until this is dropped.
pub struct Terminal {
    child: Child,
    controller: File,
    /// What was shown and not waited for yet.
    shown: String,
}

impl Terminal {
    pub fn open(mut command: Command) -> Result<Self, String> {
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
        command.env("TERM", "xterm");
        let child = command.stdin(end()?).stdout(end()?).stderr(end()?).spawn();
        let child = child.map_err(|error| error.to_string())?;
        Ok(Self { child, controller: File::from(controller), shown: String::new() })
    }

    pub fn press(&mut self, keys: &str) -> Result<(), String> {
        self.controller.write_all(keys.as_bytes()).map_err(|error| error.to_string())
    }

    /// Waits until a text is shown after what was waited for before. Gives what stands before it.
    pub fn see(&mut self, text: &str) -> Result<String, String> {
        loop {
            if let Some(place) = self.shown.find(text) {
                let mut before: String = self.shown.drain(..place + text.len()).collect();
                before.truncate(place);
                return Ok(before);
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

    pub fn process(&self) -> Result<Pid, String> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        id.ok_or("there is no process".into())
    }

    /// Waits for the command's end, which has to be a good one.
    pub fn wait(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the command ended with {status}: {:?}", self.shown))
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

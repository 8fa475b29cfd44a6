//! What people see while they wait, on standard error: a live display on a terminal, a line for each step elsewhere.

use crate::failure::chain;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use sx_derivation::StorePath;
use sx_store::Event;

/// How much to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// A line, or a moving one, for each step.
    Normal,
    /// What builders print as well.
    Builders,
}

/// The display. Threads share it.
pub struct Progress {
    verbosity: Verbosity,
    live: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    planned: usize,
    finished: usize,
    total: Option<ProgressBar>,
    running: BTreeMap<StorePath, Running>,
}

struct Running {
    since: Instant,
    bar: Option<ProgressBar>,
    /// The line that its builder is printing.
    line: Vec<u8>,
    /// Whether it runs in another process.
    waits: bool,
}

impl State {
    /// How many run and wait, as the total's line has it.
    fn counts(&self) -> String {
        let waiting = self.running.values().filter(|running| running.waits).count();
        let running = self.running.len() - waiting;
        match waiting {
            0 => format!("{running} running"),
            _ => format!("{running} running, {waiting} waited for"),
        }
    }

    fn count(&self) {
        if let Some(total) = &self.total {
            total.set_message(self.counts());
        }
    }
}

/// The line of all.
const TOTAL: &str = "{spinner} {pos}/{len} realised, {msg}, {elapsed}";

/// The line of one build.
const BUILD: &str = "  {prefix:.bold} {elapsed} {wide_msg:.dim}";

fn bar(live: &MultiProgress, name: &str) -> ProgressBar {
    let bar = live.insert(0, ProgressBar::no_length());
    bar.set_style(style(BUILD));
    bar.set_prefix(name.to_owned());
    bar
}

/// Longest piece of a builder's line that is shown, in bytes.
const LINE_BYTES: usize = 4096;

impl Progress {
    /// On a terminal that can move its cursor the display is live.
    pub fn new(verbosity: Verbosity, term: Option<&str>) -> Self {
        let terminal = std::io::stderr().is_terminal() && term.is_some_and(|term| term != "dumb");
        let is_live = terminal && verbosity == Verbosity::Normal;
        let live = is_live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { verbosity, live, state: Mutex::default() }
    }

    /// Prints a line, whatever the verbosity.
    pub fn print(&self, line: &str) {
        let write = || {
            // In one piece, whoever else writes there. With nobody to read, there is nobody to tell.
            let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
        };
        match &self.live {
            Some(live) => live.suspend(write),
            None => write(),
        }
    }

    /// A line of the live display, for who has something to count; nothing where the display isn't live.
    pub fn line(&self) -> Option<ProgressBar> {
        let line = self.live.as_ref()?.add(ProgressBar::no_length());
        line.set_style(style("{spinner} {wide_msg} {elapsed}"));
        line.enable_steady_tick(Duration::from_millis(120));
        Some(line)
    }

    /// Shows how much of something is there, where that is worth a line of its own.
    pub fn amount(&self, derivation: &StorePath, text: &str) {
        if let Some(bar) = self.lock().running.get(derivation).and_then(|running| running.bar.as_ref()) {
            bar.set_message(text.to_owned());
        }
    }

    /// Shows an event of the realiser.
    pub fn show(&self, event: &Event<'_>) {
        let mut state = self.lock();
        match event {
            Event::Planned(count) => {
                state.planned = *count;
                if let Some(live) = self.live.as_ref().filter(|_| *count > 0) {
                    let bar = live.add(ProgressBar::new(*count as u64));
                    bar.set_style(style(TOTAL));
                    bar.set_message(state.counts());
                    bar.enable_steady_tick(Duration::from_millis(120));
                    state.total = Some(bar);
                }
            }
            Event::Waiting(derivation) => {
                let bar = self.live.as_ref().map(|live| bar(live, name(derivation)));
                if let Some(bar) = &bar {
                    bar.set_message("is being built by another process, which is waited for");
                }
                let waiting = Running { since: Instant::now(), bar, line: Vec::new(), waits: true };
                state.running.insert((*derivation).clone(), waiting);
                state.count();
                self.tell(&format!("sx: waiting for {}, which is being built", name(derivation)));
            }
            Event::Started(derivation) => {
                // It was waited for before, if another process began it and failed.
                end(&mut state, derivation);
                let bar = self.live.as_ref().map(|live| bar(live, name(derivation)));
                self.tell(&format!("sx: building {}", name(derivation)));
                let running = Running { since: Instant::now(), bar, line: Vec::new(), waits: false };
                state.running.insert((*derivation).clone(), running);
                state.count();
            }
            Event::Output { derivation, bytes } => {
                if let Some(running) = state.running.get_mut(*derivation) {
                    self.show_output(name(derivation), running, bytes);
                }
            }
            Event::Finished { derivation, built } => {
                state.finished += 1;
                let (finished, planned) = (state.finished, state.planned);
                let time = end(&mut state, derivation).map(|time| format!(" in {:.1} s", time.as_secs_f64()));
                let verb = if *built { "built" } else { "found" };
                let time = time.unwrap_or_default();
                self.tell(&format!("sx: {verb} {}{time} ({finished}/{planned})", name(derivation)));
            }
            Event::Kept { derivation, folder } => {
                let line = format!("sx: the failed build of {} is in {}", name(derivation), folder.display());
                self.print(&line);
            }
            Event::NotKept { derivation, reason } => {
                let (name, reason) = (name(derivation), chain(*reason));
                self.print(&format!("warning: the failed build of {name} is not kept: {reason}"));
            }
            Event::Failed(derivation) => {
                end(&mut state, derivation);
                self.tell(&format!("sx: {} failed", name(derivation)));
            }
        }
    }

    /// Shows how far something is that is counted: a line each time, or a moving one.
    pub fn count(&self, done: usize, total: Option<usize>, text: &str) {
        self.tell(text);
        let Some(live) = &self.live else { return };
        let mut state = self.lock();
        let bar = state.total.get_or_insert_with(|| {
            let bar =
                live.add(total.map_or_else(ProgressBar::no_length, |total| ProgressBar::new(total as u64)));
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_position(done as u64);
        bar.set_message(text.to_owned());
    }

    /// Takes the live display away; what comes after it stands alone.
    pub fn clear(&self) {
        let state = std::mem::take(&mut *self.lock());
        for bar in state.running.into_values().filter_map(|running| running.bar).chain(state.total) {
            bar.finish_and_clear();
        }
    }

    /// Prints a line of the log that takes the live display's place, unless it has to be quiet.
    pub fn tell(&self, line: &str) {
        if self.live.is_none() && self.verbosity > Verbosity::Quiet {
            self.print(line);
        }
    }

    fn show_output(&self, name: &str, running: &mut Running, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(running.line.len());
            running.line.extend(&piece[..piece.len().min(room)]);
            if !piece.ends_with(b"\n") {
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut running.line)).into_owned();
            let line: String = line.chars().filter(|character| !character.is_control()).collect();
            match &running.bar {
                Some(bar) => bar.set_message(line),
                None if self.verbosity == Verbosity::Builders => self.print(&format!("{name}> {line}")),
                None => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A display in a wrong state is still worth showing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(state: &mut State, derivation: &StorePath) -> Option<Duration> {
    if let Some(bar) = &state.total {
        bar.set_position(state.finished as u64);
    }
    let running = state.running.remove(derivation)?;
    state.count();
    if let Some(bar) = running.bar {
        bar.finish_and_clear();
    }
    Some(running.since.elapsed())
}

fn name(derivation: &StorePath) -> &str {
    derivation.plain_name()
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant that a test renders")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid() {
        style(TOTAL);
        style(BUILD);
        style("{spinner} {wide_msg} {elapsed}");
        style("{spinner} {wide_msg}");
    }

    #[test]
    fn what_runs_and_what_is_waited_for_is_counted() {
        let path = |name: &str| StorePath::new(sx_derivation::Digest::of(name.as_bytes()), name).unwrap();
        let [one, two] = [path("one.drv"), path("two.drv")];
        let progress = Progress::new(Verbosity::Quiet, None);
        progress.show(&Event::Planned(2));
        let shown = |event: &Event<'_>| {
            progress.show(event);
            progress.lock().counts()
        };
        assert_eq!(shown(&Event::Started(&one)), "1 running");
        assert_eq!(shown(&Event::Waiting(&two)), "1 running, 1 waited for");
        let output = Event::Output { derivation: &one, bytes: b"a line\nan unfinished" };
        assert_eq!(shown(&output), "1 running, 1 waited for");
        assert_eq!(shown(&Event::Finished { derivation: &one, built: true }), "0 running, 1 waited for");
        assert_eq!(shown(&Event::Started(&two)), "1 running");
        assert_eq!(shown(&Event::Failed(&two)), "0 running");
    }
}

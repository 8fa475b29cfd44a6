//! What the verbs share that need no store: the environment, the configuration, the display, and what ends everything.

use crate::command::General;
use crate::configuration::{Configuration, Environment};
use crate::failure::{Failure, Kind};
use crate::progress::Progress;
use serde::Serialize;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What one run of the command finds and shows, whatever it does.
pub struct Surroundings {
    environment: Environment,
    configuration: Configuration,
    progress: Progress,
    cancelled: Arc<AtomicBool>,
    /// How often what Ctrl-C may end at any place began and ended: odd during it.
    endable: Arc<AtomicUsize>,
}

/// How long what is [endable](Surroundings::endable) may take to notice Ctrl-C before it is ended as it is.
const PATIENCE: Duration = Duration::from_millis(200);

impl Surroundings {
    /// Reads the environment and the configuration, and listens for Ctrl-C. Once in a process.
    pub fn new(general: &General) -> Result<Self, Failure> {
        let environment = Environment::read();
        let configuration = Configuration::read(&environment)?;
        let progress = Progress::new(general.verbosity(), environment.text("TERM").as_deref());
        let (cancelled, endable) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (flag, current) = (Arc::clone(&cancelled), Arc::clone(&endable));
        let handler = move || {
            if flag.swap(true, Ordering::Relaxed) {
                // Asked twice: builds die with this process, and the store needs no farewell.
                std::process::exit(Kind::Interrupted.code().into());
            }
            let begun = current.load(Ordering::Relaxed);
            if begun % 2 == 1 {
                // Most of it notices at once. Not a library that reads a long text, nor memory that is given back, nor what waits
                // for a slow reader or writer.
                std::thread::sleep(PATIENCE);
                if current.load(Ordering::Relaxed) == begun {
                    let failure = Failure::new(Kind::Interrupted, "interrupted");
                    // With nobody to read, there is nobody to tell.
                    let _ = write!(std::io::stderr(), "{}", failure.render(crate::has_colour()));
                    std::process::exit(Kind::Interrupted.code().into());
                }
            }
        };
        ctrlc::set_handler(handler)
            .map_err(|error| Failure::new(Kind::Host, format!("cannot listen for Ctrl-C: {error}")))?;
        Ok(Self { environment, configuration, progress, cancelled, endable })
    }

    /// The display.
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The environment as it was at the start.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The configuration.
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The flag that ends everything.
    pub const fn cancelled(&self) -> &Arc<AtomicBool> {
        &self.cancelled
    }

    /// Does what Ctrl-C may end at any place, also where it waits for others: evaluates, reads standard input, writes streams. It
    /// leaves nothing behind that needs a farewell.
    pub fn endable<T>(&self, work: impl FnOnce() -> T) -> T {
        self.endable.fetch_add(1, Ordering::Relaxed);
        let result = work();
        self.endable.fetch_add(1, Ordering::Relaxed);
        result
    }

    /// Prints data.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut output = std::io::stdout().lock();
        let written = writeln!(output, "{text}").and_then(|()| output.flush());
        written.map_err(|error| Failure::output(&error))
    }

    /// Prints a record as JSON.
    pub fn print_json(&self, record: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(record).expect("records of ours have text keys only");
        self.print(&text)
    }
}

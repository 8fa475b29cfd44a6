//! What sx does itself for derivations whose builder is `builtin:` and a name: fetching, unpacking, the seed.
//!
//! | builder | variables | output |
//! |---|---|---|
//! | `builtin:fetch` | `urls`: addresses in the order to try | one file, which must have the pinned hash |
//! | `builtin:unpack` | `src`: an archive | its tree; a single folder at its top is left away |
//! | `builtin:hex0` | `src`: hex digits and comments | the bytes, executable |

use crate::progress::Progress;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use sx_derivation::{Output, StorePath};
use sx_source::fetch::Progress as FetchProgress;
use sx_source::{Address, FetchOptions, Fetcher, Limits, unpack};
use sx_store::{Builtin, Task, hex0};

/// How often the amount of a download is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(100);

/// All of them.
pub fn all<'a>(
    options: impl Fn(PathBuf) -> FetchOptions + Send + Sync + 'a,
    progress: &'a Progress,
) -> BTreeMap<&'static str, Box<dyn Builtin + 'a>> {
    let fetch = Fetch { options: Box::new(options), fetcher: OnceLock::new(), progress };
    BTreeMap::from([
        ("fetch", Box::new(fetch) as Box<dyn Builtin>),
        ("unpack", Box::new(Unpack)),
        ("hex0", Box::new(Hex0)),
    ])
}

type Done = Result<(), Box<dyn Error + Send + Sync>>;

struct Fetch<'a> {
    /// Gives the options for a folder of downloads; asked once, when something is to be fetched at all.
    options: Box<dyn Fn(PathBuf) -> FetchOptions + Send + Sync + 'a>,
    fetcher: OnceLock<Fetcher>,
    progress: &'a Progress,
}

impl Builtin for Fetch<'_> {
    fn run(&self, task: &Task<'_>) -> Done {
        let Some(Output::FixedFile(hash)) = task.derivation.outputs.get("out") else {
            return Err("a source needs an `outputHash` of a file".into());
        };
        let urls = task.derivation.variable("urls").ok_or("a source needs `urls`, a list of addresses")?;
        let addresses: Vec<Address> =
            urls.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let fetcher = self.fetcher.get_or_init(|| Fetcher::new((self.options)(task.downloads.clone())));
        let mut shown: Option<Instant> = None;
        let mut watch = |event: FetchProgress<'_>| match event {
            FetchProgress::Received { bytes, total }
                if shown.is_none_or(|last| last.elapsed() >= SHOWN_EVERY) =>
            {
                shown = Some(Instant::now());
                self.progress.amount(task.original, &amount(bytes, total));
            }
            FetchProgress::Asking { address, .. } => (task.print)(&format!("fetching {address}")),
            FetchProgress::WaitingForOther => {
                (task.print)("waiting for another process that fetches the same")
            }
            FetchProgress::Retrying { address, failure, wait } => {
                (task.print)(&format!("{address}: {failure}; trying again in {} s", wait.as_secs()));
            }
            FetchProgress::GivenUp { address, failure } => (task.print)(&format!("{address}: {failure}")),
            _ => {}
        };
        fetcher.fetch(&addresses, hash, task.output, &mut watch, task.cancelled)?;
        Ok(())
    }
}

fn amount(bytes: u64, total: Option<u64>) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    match total {
        Some(total) => format!("{:.1} of {:.1} MiB", mebibytes(bytes), mebibytes(total)),
        None => format!("{:.1} MiB", mebibytes(bytes)),
    }
}

struct Unpack;

impl Builtin for Unpack {
    fn run(&self, task: &Task<'_>) -> Done {
        let mut archive = File::open(source(task)?)?;
        let (Some(parent), Some(name)) =
            (task.output.parent(), task.output.file_name().and_then(|name| name.to_str()))
        else {
            return Err("the output has no folder to lie in".into());
        };
        let parent = File::open(parent)?;
        unpack(&mut archive, parent.as_fd(), name, &Limits::default(), task.cancelled)?;
        Ok(())
    }
}

struct Hex0;

impl Builtin for Hex0 {
    fn run(&self, task: &Task<'_>) -> Done {
        let bytes = hex0::decode(&std::fs::read(source(task)?)?)?;
        let mut file = File::options().write(true).create_new(true).mode(0o755).open(task.output)?;
        Ok(file.write_all(&bytes)?)
    }
}

/// Where the file that `src` names lies.
fn source(task: &Task<'_>) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let name = task.derivation.variable("src").ok_or("it needs `src`, the file to read")?;
    let path = (task.locate)(name).ok_or_else(|| {
        let expected = StorePath::parse(name).map_or("a store path", |_| "one of its inputs");
        format!("`src` is `{name}`; expected {expected}")
    })?;
    Ok(path)
}

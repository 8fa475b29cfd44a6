//! Fetching: a pinned hash and a list of addresses become one verified file.
//!
//! The hash alone says whether a file is right. So plain http, redirects of every kind (from https to http too)
//! and mirrors of strangers are fine: whoever stands between can refuse, or see what is asked for, but not change
//! what is accepted. For the same reason a download is taken up where an earlier one stopped, even from another
//! address and without `If-Range`: if the parts don't fit, the hash is wrong, and it is fetched again from the start
//! before anybody is blamed. Bodies are taken as they are stored: no `Content-Encoding` is asked for or undone.
//!
//! The order: folders of sources on this machine, then the addresses as listed; a `debian:` address stands for
//! itself at each mirror, and a `crate:` address at each registry. A failure that may pass (a timeout, a broken connection, 408, 429, 5xx) is tried again
//! at the same address; any other goes to the next one at once. At the end every address is told with its reason.
//!
//! The download grows in [`FetchOptions::download_folder`] in a file named by the hash, under a lock: a second
//! process that wants the same waits, and finds it at the destination if that is the same too.

mod attempt;
mod certificates;
mod failure;
mod index;
mod partial;
mod proxy;
mod transfer;

pub use failure::{Attempt, Failure, FetchError};
pub use proxy::Proxies;

use crate::address::{Address, pool_path};
use crate::apt::AptConfiguration;
use crate::crates::{self, CRATES_IO};
use crate::hasher::Hasher;
use partial::Partial;
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use sx_derivation::Hash;
use ureq::tls::Certificate;

/// How to fetch. [`new`](Self::new) gives what suits most.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Where downloads grow. Created if missing; best on the destination's file system.
    pub download_folder: PathBuf,
    /// Folders where files may lie already, by their own names. Looked at first.
    pub source_folders: Vec<PathBuf>,
    /// Bases of Debian mirrors that the user configured, tried before the host's.
    pub debian_mirrors: Vec<String>,
    /// Templates of registries that have the crates of crates.io, tried before it; see [`crates`].
    pub crate_registries: Vec<String>,
    /// Sparse indexes of such registries, asked for their templates; tried after those that are given.
    pub crate_indexes: Vec<String>,
    /// The host's apt configuration, see [`read_host`](crate::apt::read_host). Its proxies are used for its mirrors.
    pub apt: Option<AptConfiguration>,
    /// Proxies for all other addresses.
    pub proxies: Proxies,
    /// Certificates of authorities, PEM; the host's usual file if not given.
    pub certificate_file: Option<PathBuf>,
    /// Bytes that a source may have.
    pub max_bytes: u64,
    /// Until a connection is made.
    pub connect_timeout: Duration,
    /// Without a byte from the server.
    pub idle_timeout: Duration,
    /// Requests at one address that may fail in a row without a byte of progress.
    pub tries: u32,
    /// Wait before the second try; doubled before each further one.
    pub backoff: Duration,
    /// The longest wait that a server's `Retry-After` may ask for.
    pub longest_wait: Duration,
    /// Redirects of one request.
    pub redirects: u32,
}

impl FetchOptions {
    /// Timeouts of 30 s, 4 tries, files up to 16 GiB, and neither mirrors, proxies nor folders of sources.
    pub fn new(download_folder: PathBuf) -> Self {
        Self {
            download_folder,
            source_folders: Vec::new(),
            debian_mirrors: Vec::new(),
            crate_registries: Vec::new(),
            crate_indexes: Vec::new(),
            apt: None,
            proxies: Proxies::default(),
            certificate_file: None,
            max_bytes: 16 << 30,
            connect_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            tries: 4,
            backoff: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            redirects: 10,
        }
    }
}

/// Gets pinned files.
pub struct Fetcher {
    options: FetchOptions,
    certificates: OnceLock<Result<Arc<Vec<Certificate<'static>>>, String>>,
    /// What indexes of crates have said, by their addresses.
    templates: Mutex<BTreeMap<String, String>>,
}

/// A file that was got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its size.
    pub bytes: u64,
    /// Where it came from, as one would type it; `None` if it was at its destination already.
    pub from: Option<String>,
}

/// What goes on, for a display.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Another process has the lock.
    WaitingForOther,
    /// An address is asked.
    Asking {
        /// The full address.
        address: &'a str,
        /// Bytes that are there from before.
        from: u64,
    },
    /// Bytes have come.
    Received {
        /// All that are there.
        bytes: u64,
        /// All there will be, if the server says.
        total: Option<u64>,
    },
    /// A try failed in a way that may pass.
    Retrying {
        /// The full address.
        address: &'a str,
        /// Why.
        failure: &'a Failure,
        /// How long it waits.
        wait: Duration,
    },
    /// An address is given up.
    GivenUp {
        /// The full address.
        address: &'a str,
        /// Why.
        failure: &'a Failure,
    },
}

/// One thing to try.
enum Location<'o> {
    File(PathBuf),
    Url { url: String, proxies: &'o Proxies },
}

/// The caller's side of a fetch.
struct Watcher<'a> {
    progress: &'a mut dyn FnMut(Progress<'_>),
    cancel: &'a AtomicBool,
}

impl Fetcher {
    /// Takes the options; nothing is read or asked yet.
    pub fn new(options: FetchOptions) -> Self {
        Self { options, certificates: OnceLock::new(), templates: Mutex::default() }
    }

    /// Puts the file with this hash at `destination`, mode 0644, durable. What is there already is kept if it has the
    /// hash, else replaced.
    ///
    /// # Errors
    /// [`FetchError::Failed`] names every address with its reason. After any error the destination is as before, and
    /// what was downloaded is kept for the next time, unless it was wrong.
    pub fn fetch(
        &self,
        addresses: &[Address],
        hash: &Hash,
        destination: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
        cancel: &AtomicBool,
    ) -> Result<Fetched, FetchError> {
        if !hash.algorithm().is_collision_resistant() {
            return Err(FetchError::WeakHash { hash: hash.clone() });
        }
        let mut watcher = Watcher { progress, cancel };
        if let Some(fetched) = present(destination, hash, cancel)? {
            return Ok(fetched);
        }
        let mut has_waited = false;
        let mut waiting = || {
            has_waited = true;
            (watcher.progress)(Progress::WaitingForOther);
        };
        let mut partial = Partial::lock(&self.options.download_folder, hash, &mut waiting, cancel)?;
        if has_waited && let Some(fetched) = present(destination, hash, cancel)? {
            partial.leave()?;
            return Ok(fetched);
        }
        match self.fill(addresses, hash, &mut partial, &mut watcher) {
            Ok(from) => {
                let bytes = partial.length();
                partial.move_to(destination)?;
                Ok(Fetched { bytes, from: Some(from) })
            }
            Err(error) => {
                partial.leave()?;
                Err(error)
            }
        }
    }

    /// Fills the download until it has the hash, and says where that came from.
    fn fill(
        &self,
        addresses: &[Address],
        hash: &Hash,
        partial: &mut Partial,
        watcher: &mut Watcher<'_>,
    ) -> Result<String, FetchError> {
        partial.resume(watcher.cancel)?;
        if partial.length() > 0 && partial.hash() == *hash {
            return Ok("an earlier download".into());
        }
        let mut attempts = Vec::new();
        for path in self.source_files(addresses) {
            // In a folder of sources most files aren't there, which is no failure.
            if path.symlink_metadata().is_ok() {
                self.try_location(&Location::File(path), hash, partial, watcher, &mut attempts)?;
                if attempts.last().is_none_or(|attempt| attempt.failure.is_some()) {
                    continue;
                }
                return Ok(last_address(attempts));
            }
        }
        for address in addresses {
            let locations = self.locations(address, hash, watcher, &mut attempts)?;
            if locations.is_empty() {
                attempts.push(Attempt { address: address.to_string(), failure: Some(Failure::NoMirror) });
            }
            for location in locations {
                self.try_location(&location, hash, partial, watcher, &mut attempts)?;
                if attempts.last().is_some_and(|attempt| attempt.failure.is_none()) {
                    return Ok(last_address(attempts));
                }
            }
        }
        Err(FetchError::Failed { hash: hash.clone(), attempts })
    }

    /// Tries one thing and notes how it went.
    fn try_location(
        &self,
        location: &Location<'_>,
        hash: &Hash,
        partial: &mut Partial,
        watcher: &mut Watcher<'_>,
        attempts: &mut Vec<Attempt>,
    ) -> Result<(), FetchError> {
        let address = match location {
            Location::File(path) => format!("file://{}", path.display()),
            Location::Url { url, .. } => url.clone(),
        };
        let failure = match location {
            Location::File(path) => copy_file(path, hash, partial, self.options.max_bytes, watcher)?,
            Location::Url { url, proxies } => self.download(url, proxies, hash, partial, watcher)?,
        };
        if let Some(failure) = &failure {
            (watcher.progress)(Progress::GivenUp { address: &address, failure });
        }
        attempts.push(Attempt { address, failure });
        Ok(())
    }

    fn source_files(&self, addresses: &[Address]) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for name in addresses.iter().filter_map(Address::file_name) {
            for folder in &self.options.source_folders {
                let path = folder.join(&name);
                if !files.contains(&path) {
                    files.push(path);
                }
            }
        }
        files
    }

    /// Where an address may be had. What can't be found out is noted.
    fn locations(
        &self,
        address: &Address,
        hash: &Hash,
        watcher: &mut Watcher<'_>,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Vec<Location<'_>>, FetchError> {
        let options = &self.options;
        Ok(match address {
            Address::Url(url) => vec![Location::Url { url: url.clone(), proxies: &options.proxies }],
            Address::File(path) => vec![Location::File(path.clone())],
            Address::Crate { name, version } => {
                let mut templates = options.crate_registries.clone();
                for index in &options.crate_indexes {
                    match self.index_template(index, watcher)? {
                        Ok(template) => templates.push(template),
                        Err((address, failure)) => {
                            attempts.push(Attempt { address, failure: Some(failure) });
                        }
                    }
                }
                templates.push(CRATES_IO.into());
                let urls =
                    templates.iter().filter_map(|template| crates::location(template, name, version, hash));
                urls.map(|url| Location::Url { url, proxies: &options.proxies }).collect()
            }
            Address::Debian { package, file } => {
                let own = options.debian_mirrors.iter().map(|mirror| (mirror, &options.proxies));
                let apt = options.apt.iter().flat_map(|apt| {
                    let has_own = apt.proxies.http.is_some() || apt.proxies.https.is_some();
                    let proxies = if has_own { &apt.proxies } else { &options.proxies };
                    apt.mirrors.iter().map(move |mirror| (mirror, proxies))
                });
                let path = pool_path(package, file);
                let url = |mirror: &str| format!("{}/{path}", mirror.trim_end_matches('/'));
                own.chain(apt).map(|(mirror, proxies)| Location::Url { url: url(mirror), proxies }).collect()
            }
        })
    }
}

fn last_address(attempts: Vec<Attempt>) -> String {
    attempts.into_iter().next_back().map(|attempt| attempt.address).unwrap_or_default()
}

/// Whether the destination has the hash already.
fn present(destination: &Path, hash: &Hash, cancel: &AtomicBool) -> Result<Option<Fetched>, FetchError> {
    match hash_file(destination, hash, u64::MAX, cancel)? {
        Ok((bytes, found)) if found == *hash => Ok(Some(Fetched { bytes, from: None })),
        _ => Ok(None),
    }
}

/// Takes a file of this machine: hashed where it lies first, so that a wrong one costs no download in progress.
fn copy_file(
    path: &Path,
    hash: &Hash,
    partial: &mut Partial,
    max_bytes: u64,
    watcher: &mut Watcher<'_>,
) -> Result<Option<Failure>, FetchError> {
    let wrong = |bytes, found| Failure::Mismatch { expected: hash.clone(), found, bytes, is_html: false };
    match hash_file(path, hash, max_bytes, watcher.cancel)? {
        Err(failure) => return Ok(Some(failure)),
        Ok((bytes, found)) if found != *hash => return Ok(Some(wrong(bytes, found))),
        Ok(_) => {}
    }
    partial.reset()?;
    let copied = read_file(path, max_bytes, watcher.cancel, &mut |piece| partial.write(piece))?;
    if let Err(failure) = copied {
        partial.reset()?;
        return Ok(Some(failure));
    }
    (watcher.progress)(Progress::Received { bytes: partial.length(), total: Some(partial.length()) });
    if partial.hash() == *hash {
        return Ok(None);
    }
    // It changed between the two readings.
    let failure = wrong(partial.length(), partial.hash());
    partial.reset()?;
    Ok(Some(failure))
}

fn hash_file(
    path: &Path,
    hash: &Hash,
    max_bytes: u64,
    cancel: &AtomicBool,
) -> Result<Result<(u64, Hash), Failure>, FetchError> {
    let weak = || FetchError::WeakHash { hash: hash.clone() };
    let mut hasher = Hasher::new(hash.algorithm()).ok_or_else(weak)?;
    let mut bytes = 0;
    let read = read_file(path, max_bytes, cancel, &mut |piece| {
        hasher.update(piece);
        bytes += piece.len() as u64;
        Ok(())
    })?;
    Ok(read.map(|()| (bytes, hasher.finish())))
}

/// Reads a regular file piece by piece. Opening a FIFO must not wait for its other end.
fn read_file(
    path: &Path,
    max_bytes: u64,
    cancel: &AtomicBool,
    take: &mut dyn FnMut(&[u8]) -> Result<(), FetchError>,
) -> Result<Result<(), Failure>, FetchError> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let checked = opened.and_then(|file: File| match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    });
    let mut file = match checked {
        Ok(file) => file,
        Err(error) => return Ok(Err(Failure::File(error))),
    };
    let mut buffer = [0; 64 << 10];
    let mut bytes = 0;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(FetchError::Cancelled);
        }
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(count) => {
                bytes += count as u64;
                if bytes > max_bytes {
                    return Ok(Err(Failure::TooBig { limit: max_bytes }));
                }
                take(&buffer[..count])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(Failure::File(error))),
        }
    }
}

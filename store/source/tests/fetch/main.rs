//! Fetching, from a server on the loopback address that answers as each test says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod server;

use server::{Answer, Server};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use sx_derivation::{Algorithm, Hash};
use sx_source::apt::AptConfiguration;
use sx_source::fetch::Proxies;
use sx_source::{Address, FetchError, FetchOptions, Fetched, Fetcher, Progress};

const TEXT: &[u8] = b"the content of a source, long enough to be cut";

/// The hash of [`TEXT`].
fn pin() -> Hash {
    Hash::new(Algorithm::Blake3, blake3::hash(TEXT).as_bytes().to_vec()).unwrap()
}

/// A folder with everything that a fetch needs.
struct Bench {
    folder: tempfile::TempDir,
    options: FetchOptions,
    notes: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = FetchOptions::new(folder.path().join("downloads"));
        options.backoff = Duration::from_millis(1);
        options.longest_wait = Duration::from_millis(5);
        options.connect_timeout = Duration::from_secs(5);
        options.idle_timeout = Duration::from_secs(5);
        Self { folder, options, notes: Vec::new() }
    }

    fn destination(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn fetch(&mut self, addresses: &[&str]) -> Result<Fetched, FetchError> {
        self.fetch_pinned(addresses, &pin())
    }

    fn fetch_pinned(&mut self, addresses: &[&str], hash: &Hash) -> Result<Fetched, FetchError> {
        let addresses: Vec<Address> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let notes = &mut self.notes;
        let mut progress = |progress: Progress<'_>| match progress {
            Progress::Asking { from, .. } => notes.push(format!("asking from {from}")),
            Progress::Retrying { failure, .. } => notes.push(format!("retrying: {failure}")),
            Progress::GivenUp { failure, .. } => notes.push(format!("given up: {failure}")),
            _ => {}
        };
        let fetcher = Fetcher::new(self.options.clone());
        let destination = self.folder.path().join("file");
        fetcher.fetch(&addresses, hash, &destination, &mut progress, &AtomicBool::new(false))
    }

    fn partial(&self) -> PathBuf {
        self.options.download_folder.join(format!("blake3-{}.partial", pin().to_hex()))
    }

    fn leave_partial(&self, bytes: &[u8]) {
        std::fs::create_dir_all(&self.options.download_folder).unwrap();
        std::fs::write(self.partial(), bytes).unwrap();
    }

    /// The message of a fetch that must fail, with nothing at the destination.
    fn failure(&mut self, addresses: &[&str]) -> String {
        let error = self.fetch(addresses).unwrap_err().to_string();
        assert!(!self.destination().exists());
        error
    }

    fn assert_fetched(&self) {
        assert_eq!(std::fs::read(self.destination()).unwrap(), TEXT);
        assert!(!self.partial().exists(), "the partial file is left");
    }
}

#[test]
fn a_file_is_fetched_and_kept_the_next_time() {
    let server = Server::new(vec![Answer::ok(TEXT)]);
    let mut bench = Bench::new();
    let fetched = bench.fetch(&[&server.url("a")]).unwrap();
    assert_eq!(fetched, Fetched { bytes: TEXT.len() as u64, from: Some(server.url("a")) });
    bench.assert_fetched();
    assert_eq!(bench.fetch(&[&server.url("a")]).unwrap().from, None);
    let request = server.requests().pop().unwrap();
    assert!(request.to_ascii_lowercase().contains("accept-encoding: identity"), "{request}");
}

#[test]
fn every_good_function_is_checked_and_weak_ones_pin_nothing() {
    let server = Server::new(vec![Answer::ok(b"abc"), Answer::ok(b"abc")]);
    let sha512 =
        "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";
    for hash in ["sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", sha512] {
        Bench::new().fetch_pinned(&[&server.url("a")], &Hash::parse(hash, None).unwrap()).unwrap();
    }
    for algorithm in [Algorithm::Md5, Algorithm::Sha1] {
        let hash = Hash::new(algorithm, vec![0; algorithm.digest_bytes()]).unwrap();
        let error = Bench::new().fetch_pinned(&["http://127.0.0.1:9/a"], &hash).unwrap_err();
        assert!(matches!(error, FetchError::WeakHash { .. }));
    }
}

#[test]
fn the_second_address_is_asked_after_a_404_at_once() {
    let server = Server::new(vec![Answer::status(404), Answer::ok(TEXT)]);
    let mut bench = Bench::new();
    let fetched = bench.fetch(&[&server.url("a"), &server.url("b")]).unwrap();
    assert_eq!(fetched.from, Some(server.url("b")));
    assert_eq!(bench.notes[1], "given up: the server answered 404 (there is no such file)");
}

#[test]
fn a_mismatch_names_both_hashes_and_every_address() {
    let page = b"<!DOCTYPE html><title>log in</title>";
    let server = Server::new(vec![Answer::ok(b"other"), Answer::ok(page)]);
    let mut bench = Bench::new();
    let error = bench.failure(&[&server.url("a"), &server.url("b"), "file:///does/not/exist"]);
    let found = Hash::new(Algorithm::Blake3, blake3::hash(b"other").as_bytes().to_vec()).unwrap();
    assert!(error.contains(&format!(
        "{}: its hash is `{found}` (5 bytes), expected `{}`",
        server.url("a"),
        pin()
    )));
    assert!(error.contains("it is an HTML page"), "{error}");
    assert!(error.contains("file:///does/not/exist: the file could not be read"), "{error}");
    assert!(!bench.partial().exists());
}

#[test]
fn a_body_that_breaks_off_is_taken_up_where_it_broke() {
    let server =
        Server::new(vec![Answer::cut(TEXT, 10), Answer::cut_part(TEXT, 10, 25), Answer::part(TEXT, 25)]);
    let mut bench = Bench::new();
    bench.fetch(&[&server.url("a")]).unwrap();
    bench.assert_fetched();
    let ranges: Vec<_> = server.requests().iter().map(|request| server::range(request)).collect();
    assert_eq!(ranges, [None, Some("bytes=10-".into()), Some("bytes=25-".into())]);
    assert_eq!(bench.notes[1], "retrying: the connection broke after 10 bytes");
}

#[test]
fn an_earlier_runs_part_is_taken_up() {
    let server = Server::new(vec![Answer::part(TEXT, 12)]);
    let mut bench = Bench::new();
    bench.leave_partial(&TEXT[..12]);
    bench.fetch(&[&server.url("a")]).unwrap();
    bench.assert_fetched();
    assert_eq!(server::range(&server.requests()[0]).as_deref(), Some("bytes=12-"));
}

#[test]
fn an_earlier_run_that_had_it_all_asks_nobody() {
    let mut bench = Bench::new();
    bench.leave_partial(TEXT);
    assert_eq!(bench.fetch(&[]).unwrap().from.as_deref(), Some("an earlier download"));
    bench.assert_fetched();
}

#[test]
fn a_server_that_ignores_ranges_gives_the_whole() {
    let server = Server::new(vec![Answer::ok(TEXT)]);
    let mut bench = Bench::new();
    bench.leave_partial(&TEXT[..12]);
    bench.fetch(&[&server.url("a")]).unwrap();
    bench.assert_fetched();
}

#[test]
fn a_part_that_does_not_fit_is_fetched_again_before_anybody_is_blamed() {
    for answers in [
        vec![Answer::part(TEXT, 7), Answer::ok(TEXT)],
        vec![Answer::status(416), Answer::ok(TEXT)],
        vec![Answer::part(TEXT, 3), Answer::ok(TEXT)],
    ] {
        let server = Server::new(answers);
        let mut bench = Bench::new();
        bench.leave_partial(b"garbage");
        bench.fetch(&[&server.url("a")]).unwrap();
        bench.assert_fetched();
        assert_eq!(server::range(&server.requests()[1]), None);
    }
}

#[test]
fn an_endless_body_is_cut_by_the_limit() {
    let server = Server::new(vec![Answer::Endless]);
    let mut bench = Bench::new();
    bench.options.max_bytes = 1_000_000;
    let error = bench.failure(&[&server.url("a")]);
    assert!(error.contains("more than the allowed 1000000 bytes"), "{error}");
    assert!(!bench.partial().exists());
}

#[test]
fn a_size_over_the_limit_is_refused_before_the_body() {
    let server = Server::new(vec![Answer::ok(TEXT)]);
    let mut bench = Bench::new();
    bench.options.max_bytes = 10;
    assert!(bench.failure(&[&server.url("a")]).contains("more than the allowed 10 bytes"));
}

#[test]
fn a_silent_server_is_given_up_and_tried_again() {
    let server = Server::new(vec![Answer::Silent, Answer::cut_silent(TEXT, 5), Answer::part(TEXT, 5)]);
    let mut bench = Bench::new();
    bench.options.idle_timeout = Duration::from_millis(150);
    bench.options.connect_timeout = Duration::from_millis(150);
    bench.fetch(&[&server.url("a")]).unwrap();
    bench.assert_fetched();
    assert_eq!(bench.notes.len(), 5, "{:?}", bench.notes);
}

#[test]
fn trouble_that_may_pass_is_tried_again_and_then_given_up() {
    let server = Server::new(vec![Answer::status(503), Answer::status(429), Answer::Reset, Answer::ok(TEXT)]);
    let mut bench = Bench::new();
    bench.fetch(&[&server.url("a")]).unwrap();
    let server = Server::new((0..4).map(|_| Answer::status(502)).collect());
    let mut bench = Bench::new();
    assert!(bench.failure(&[&server.url("a")]).contains("answered 502 (the server is in trouble)"));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn redirects_are_followed_with_their_range_but_not_for_ever() {
    let target = Server::new(vec![Answer::part(TEXT, 4)]);
    let server = Server::new(vec![Answer::redirect(&target.url("b"))]);
    let mut bench = Bench::new();
    bench.leave_partial(&TEXT[..4]);
    bench.fetch(&[&server.url("a")]).unwrap();
    bench.assert_fetched();
    let looping = Server::new((0..4).map(|_| Answer::redirect("/a")).collect());
    let mut bench = Bench::new();
    bench.options.redirects = 3;
    assert!(bench.failure(&[&looping.url("a")]).contains("the server redirects too often"));
}

#[test]
fn a_refused_connection_goes_to_the_next_address() {
    let server = Server::new(vec![Answer::ok(TEXT)]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bench = Bench::new();
    bench.fetch(&[&format!("http://{closed}/a"), &server.url("a")]).unwrap();
    assert_eq!(bench.notes[1], "given up: the connection was refused");
}

#[test]
fn what_is_no_http_is_an_error() {
    let server = Server::new(vec![Answer::Raw(b"220 welcome to something else\r\n".to_vec())]);
    assert!(Bench::new().failure(&[&server.url("a")]).contains("the request failed"));
}

#[test]
fn cancelling_ends_a_fetch_that_waits() {
    let server = Server::new(vec![Answer::cut_silent(TEXT, 5)]);
    let mut bench = Bench::new();
    bench.options.idle_timeout = Duration::from_secs(60);
    let cancel = AtomicBool::new(false);
    let mut progress = |progress: Progress<'_>| {
        if matches!(progress, Progress::Received { .. }) {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let begun = Instant::now();
    let addresses = [server.url("a").parse().unwrap()];
    let fetcher = Fetcher::new(bench.options.clone());
    let result = fetcher.fetch(&addresses, &pin(), &bench.destination(), &mut progress, &cancel);
    assert!(matches!(result, Err(FetchError::Cancelled)), "{result:?}");
    assert!(begun.elapsed() < bench.options.idle_timeout, "it waited for the server");
    assert_eq!(std::fs::read(bench.partial()).unwrap(), TEXT[..5]);
}

#[test]
fn two_that_want_the_same_file_fetch_it_once() {
    let server = Server::new(vec![Answer::ok(TEXT)]);
    let bench = Bench::new();
    let fetcher = Fetcher::new(bench.options.clone());
    let addresses = [server.url("a").parse().unwrap()];
    let origins = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let cancel = AtomicBool::new(false);
                let fetched =
                    fetcher.fetch(&addresses, &pin(), &bench.destination(), &mut |_| {}, &cancel).unwrap();
                origins.lock().unwrap().push(fetched.from.is_some());
            });
        }
    });
    let mut origins = origins.into_inner().unwrap();
    origins.sort();
    assert_eq!(origins, [false, true]);
    bench.assert_fetched();
}

#[test]
fn a_folder_of_sources_is_looked_at_first_and_wrong_files_are_told() {
    let mut bench = Bench::new();
    let folder = bench.folder.path().join("sources");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a+1.tar"), TEXT).unwrap();
    bench.options.source_folders = vec![bench.folder.path().join("missing"), folder.clone()];
    let fetched = bench.fetch(&["http://127.0.0.1:9/x/a%2B1.tar?query"]).unwrap();
    assert_eq!(fetched.from, Some(format!("file://{}/a+1.tar", folder.display())));
    bench.assert_fetched();
    std::fs::remove_file(bench.destination()).unwrap();
    std::fs::write(folder.join("a+1.tar"), "other").unwrap();
    let server = Server::new(vec![Answer::ok(TEXT)]);
    bench.notes.clear();
    bench.fetch(&[&server.url("a+1.tar")]).unwrap();
    assert!(bench.notes[0].starts_with("given up: its hash is"), "{:?}", bench.notes);
}

#[test]
fn local_files_are_taken_but_not_folders_or_fifos() {
    let mut bench = Bench::new();
    let path = bench.folder.path().join("here");
    std::fs::write(&path, TEXT).unwrap();
    bench.leave_partial(b"something else");
    bench.fetch(&[&format!("file://{}", path.display())]).unwrap();
    bench.assert_fetched();
    let fifo = bench.folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let mut bench = Bench::new();
    for path in [fifo.as_path(), std::path::Path::new("/")] {
        assert!(bench.failure(&[&format!("file://{}", path.display())]).contains("it is no regular file"));
    }
}

#[test]
fn debian_files_are_asked_of_the_users_mirrors_then_the_hosts() {
    let server = Server::new(vec![Answer::status(404), Answer::ok(TEXT)]);
    let mut bench = Bench::new();
    bench.options.debian_mirrors = vec![server.url("own")];
    bench.options.apt =
        Some(AptConfiguration { mirrors: vec![server.url("apt/")], proxies: Proxies::default() });
    bench.fetch(&["debian:libfoo/libfoo_1.orig.tar.gz"]).unwrap();
    let paths: Vec<_> =
        server.requests().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    let path = "pool/main/libf/libfoo/libfoo_1.orig.tar.gz HTTP/1.1";
    assert_eq!(paths, [format!("GET /own/{path}"), format!("GET /apt/{path}")]);
}

#[test]
fn crates_are_asked_of_given_registries_then_of_indexes() {
    let index = Server::new(vec![Answer::status(404), Answer::ok(TEXT), Answer::status(404)]);
    let registry = Server::new(vec![Answer::status(404), Answer::ok(TEXT)]);
    let dl = format!(r#"{{"dl":"{}","api":null}}"#, registry.url("dl/{crate}/{crate}-{version}.crate"));
    let said = Server::new(vec![Answer::ok(dl.as_bytes())]);
    let mut bench = Bench::new();
    bench.options.crate_registries = vec![registry.url("own")];
    bench.options.crate_indexes = vec![index.url("a/"), index.url("b/"), said.url("c/")];
    bench.fetch(&["crate:libc/0.2.1"]).unwrap();
    bench.assert_fetched();
    let lines = |server: &Server| {
        let requests = server.requests();
        requests.iter().map(|request| request.lines().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&index), ["GET /a/config.json HTTP/1.1", "GET /b/config.json HTTP/1.1"]);
    assert_eq!(lines(&said), ["GET /c/config.json HTTP/1.1"]);
    let expected = ["GET /own/libc/0.2.1/download HTTP/1.1", "GET /dl/libc/libc-0.2.1.crate HTTP/1.1"];
    assert_eq!(lines(&registry), expected);
}

#[test]
fn without_a_mirror_it_says_what_to_set() {
    let error = Bench::new().failure(&["debian:tcc/tcc_1.orig.tar.gz"]);
    assert!(error.contains("no Debian mirror is known") && error.contains("set a mirror"), "{error}");
    assert!(Bench::new().failure(&[]).contains("lists no address"));
}

#[test]
fn a_proxy_is_asked_for_the_host() {
    let proxy = Server::new(vec![Answer::status(407)]);
    let mut bench = Bench::new();
    bench.options.tries = 1;
    bench.options.proxies.http = Some(proxy.url(""));
    bench.failure(&["http://source.example/a"]);
    assert!(proxy.requests()[0].contains("source.example"), "{:?}", proxy.requests());
}

#[test]
fn https_needs_certificates_that_are_there() {
    let mut bench = Bench::new();
    let empty = bench.folder.path().join("empty.pem");
    std::fs::write(&empty, "none").unwrap();
    bench.options.certificate_file = Some(empty);
    assert!(bench.failure(&["https://127.0.0.1:9/a"]).contains("empty.pem` has no certificates in it"));
}

#[test]
fn a_destination_that_cannot_be_written_is_named() {
    let server = Server::new(vec![Answer::ok(TEXT)]);
    let bench = Bench::new();
    let destination = bench.folder.path().join("missing/file");
    let addresses = [server.url("a").parse().unwrap()];
    let fetcher = Fetcher::new(bench.options.clone());
    let result = fetcher.fetch(&addresses, &pin(), &destination, &mut |_| {}, &AtomicBool::new(false));
    assert!(matches!(result, Err(FetchError::Write { path, .. }) if path == destination));
    assert!(bench.partial().exists(), "the download is kept for the next time");
}

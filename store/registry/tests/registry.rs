//! Registries that lie, break off, or want to know who asks; each is a thread of the test, on loopback.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

#[path = "../../export/tests/malicious/mod.rs"]
mod malicious;
mod request;

use malicious::{Files, Row, rows};
use request::{Head, head};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use sx_export::Sha256Digest;
use sx_export::read::{Image as Stored, LayerLimits};
use sx_registry::{Client, Credentials, Insecure, Options, Pulled, RegistryError, Tagged};

/// What a request was.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What is answered, byte for byte; the connection ends after it.
type Answer = Vec<u8>;

fn answer(status: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

/// Serves until the test ends. Gives the registry's name and what was asked so far.
fn serve(
    respond: impl Fn(&Asked, &[Asked]) -> Answer + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, respond) = (Arc::clone(&asked), Arc::new(respond));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (log, respond) = (Arc::clone(&log), Arc::clone(&respond));
            std::thread::spawn(move || {
                let Some((request, mut stream)) = stream.ok().and_then(read) else { return };
                let bytes = {
                    let mut log = log.lock().unwrap();
                    let bytes = respond(&request, &log);
                    log.push(request);
                    bytes
                };
                // The client may have heard enough.
                let _ = stream.write_all(&bytes);
            });
        }
    });
    (name, asked)
}

fn read(stream: TcpStream) -> Option<(Asked, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let Head { method, target: path, headers, length } = head(&mut reader)?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((Asked { method, path, headers, body }, reader.into_inner()))
}

/// A small image: documents and blobs by what they are asked for by.
#[derive(Clone)]
struct Image {
    manifest: Vec<u8>,
    blobs: BTreeMap<String, Vec<u8>>,
}

fn image(layer: &[u8]) -> Image {
    let config = br#"{"architecture":"amd64","os":"linux"}"#;
    let describe = |media_type: &str, bytes: &[u8]| serde_json::json!({ "mediaType": media_type, "digest": Sha256Digest::of(bytes), "size": bytes.len() });
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": describe("application/vnd.oci.image.config.v1+json", config),
        "layers": [describe("application/vnd.oci.image.layer.v1.tar", layer)],
    });
    let blob = |bytes: &[u8]| (format!("/v2/a/b/blobs/{}", Sha256Digest::of(bytes)), bytes.to_vec());
    Image { manifest: manifest.to_string().into_bytes(), blobs: [blob(config), blob(layer)].into() }
}

impl Image {
    /// An honest registry's answer.
    fn answer(&self, asked: &Asked) -> Answer {
        if asked.path.starts_with("/v2/a/b/manifests/") {
            return answer("200 OK", &[], &self.manifest);
        }
        match self.blobs.get(&asked.path) {
            Some(blob) => answer("200 OK", &[], blob),
            None => answer("404 Not Found", &[], b""),
        }
    }
}

fn options() -> Options {
    Options {
        insecure: Insecure::Refused,
        credentials: None,
        certificate_files: Vec::new(),
        parallel: NonZeroUsize::new(2).unwrap(),
        attempts: 2,
        mount_from: Vec::new(),
    }
}

fn pull_with(options: Options, address: &str, folder: &Path) -> Result<Pulled, RegistryError> {
    let cancelled = AtomicBool::new(false);
    Client::new(address.parse()?, options, &|_| (), &cancelled)?.pull(folder)
}

/// Pulls `a/b:1` from a registry that answers like this; what isn't believed must not have a blob's name.
fn pull(
    respond: impl Fn(&Asked, &[Asked]) -> Answer + Send + Sync + 'static,
) -> Result<Pulled, RegistryError> {
    let (name, _) = serve(respond);
    let folder = tempfile::tempdir().unwrap();
    let result = pull_with(options(), &format!("{name}/a/b:1"), folder.path());
    for entry in std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !name.ends_with(".partial") {
            assert_eq!(Sha256Digest::of(&std::fs::read(entry.path()).unwrap()).digits(), name);
        }
    }
    assert_eq!(result.is_ok(), folder.path().join("index.json").exists());
    result
}

#[test]
fn an_honest_image_is_pulled() {
    let image = image(b"a layer");
    let digest = Sha256Digest::of(&image.manifest);
    let pulled = pull(move |asked, _| image.answer(asked)).unwrap();
    assert_eq!(pulled.manifest_digest, digest);
}

#[test]
fn a_blob_with_a_wrong_digest_is_refused() {
    let image = image(b"a layer");
    let error = pull(move |asked, _| {
        let honest = image.answer(asked);
        String::from_utf8(honest).unwrap().replace("a layer", "A LAYER").into_bytes()
    });
    assert!(matches!(error, Err(RegistryError::Mismatch { .. })), "{error:?}");
}

#[test]
fn a_blob_of_a_wrong_length_is_refused() {
    for body in [&b"a la"[..], b"a layer and more", b""] {
        let image = image(b"a layer");
        let error = pull(move |asked, _| match image.blobs.get(&asked.path) {
            Some(blob) if blob == b"a layer" => answer("200 OK", &[], body),
            _ => image.answer(asked),
        });
        assert!(matches!(error, Err(RegistryError::Mismatch { .. })), "{error:?}");
    }
}

#[test]
fn an_endless_blob_and_an_endless_manifest_end() {
    let endless = || {
        let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        bytes.resize(8 << 20, b' ');
        bytes
    };
    let image = image(b"a layer");
    let error = pull(move |asked, _| match image.blobs.contains_key(&asked.path) {
        true => endless(),
        false => image.answer(asked),
    });
    assert!(matches!(error, Err(RegistryError::Mismatch { .. })), "{error:?}");
    let error = pull(move |_, _| endless());
    assert!(matches!(error, Err(RegistryError::Answer { .. })), "{error:?}");
}

#[test]
fn content_that_changes_between_requests_is_refused() {
    let (first, second) = (image(b"a layer"), image(b"another"));
    let digest = Sha256Digest::of(&first.manifest);
    let (name, _) = serve(
        move |asked, before| if before.is_empty() { first.answer(asked) } else { second.answer(asked) },
    );
    let folder = tempfile::tempdir().unwrap();
    let error = pull_with(options(), &format!("{name}/a/b:1"), folder.path());
    assert!(matches!(error, Err(RegistryError::Status { status: 404, .. })), "{error:?}");
    // Asked for by digest, another manifest isn't taken either.
    let error = pull_with(options(), &format!("{name}/a/b@{digest}"), folder.path());
    assert!(matches!(error, Err(RegistryError::Mismatch { .. })), "{error:?}");
}

#[test]
fn a_manifest_that_is_an_index_too_is_refused() {
    let mut image = image(b"a layer");
    let text = String::from_utf8(image.manifest).unwrap();
    image.manifest = text.replacen('{', r#"{"manifests":[],"#, 1).into_bytes();
    let error = pull(move |asked, _| image.answer(asked));
    assert!(matches!(error, Err(RegistryError::Document { .. })), "{error:?}");
}

#[test]
fn a_digest_header_that_lies_is_refused() {
    let image = image(b"a layer");
    let error = pull(move |_, _| {
        let header = format!("Docker-Content-Digest: {}", Sha256Digest::of(b"something else"));
        answer("200 OK", &[&header], &image.manifest)
    });
    assert!(matches!(error, Err(RegistryError::Mismatch { .. })), "{error:?}");
}

/// A registry in which the tag leads to the index of these files.
fn answer_of(files: &Files, asked: &Asked) -> Answer {
    let name = match asked.path.trim_start_matches("/v2/a/b/").split_once('/') {
        Some(("manifests", "1")) => "index.json".into(),
        Some((_, digest)) => digest.replace("sha256:", "blobs/sha256/"),
        None => String::new(),
    };
    match files.0.get(&name) {
        Some(bytes) => answer("200 OK", &[], bytes),
        None => answer("404 Not Found", &[], b""),
    }
}

/// What is in a tar is nobody's matter who only keeps it; who reads it refuses it.
#[test]
fn every_malicious_image_is_refused_by_who_pulls_or_who_reads_it() {
    fn text(error: &dyn Error) -> String {
        error.source().map_or(error.to_string(), |source| format!("{error}: {}", text(source)))
    }
    for Row { name, says, files, layers } in rows() {
        let (registry, _) = serve(move |asked, _| answer_of(&files, asked));
        let folder = tempfile::tempdir().unwrap();
        let pulled = pull_with(options(), &format!("{registry}/a/b:1"), folder.path());
        let read = || Stored::open(folder.path(), None)?.tree(&LayerLimits::default()).map(drop);
        let found = match pulled {
            Err(error) => {
                assert!(layers.is_empty(), "{name}: {error}");
                text(&error)
            }
            Ok(_) => text(&read().expect_err(name)),
        };
        assert!(says.iter().any(|says| found.contains(says)), "{name}: {found}");
    }
}

#[test]
fn of_an_index_the_only_image_for_here_is_taken() {
    let with = |others: &[(&str, &str)]| {
        Files::image(|files, manifest, index| {
            for (architecture, os) in others {
                let mut other = manifest.clone();
                other["annotations"] = serde_json::json!({ "for": architecture });
                let mut other = files.blob("manifest.v1+json", other.to_string().as_bytes());
                other["platform"] = serde_json::json!({ "architecture": architecture, "os": os });
                index["manifests"].as_array_mut().unwrap().push(other);
            }
        })
    };
    let pull_of = |files: Files| pull(move |asked, _| answer_of(&files, asked));
    let alone = pull_of(with(&[])).unwrap();
    // Beside those for other machines, and what builders put there that is for none.
    let several = with(&[("arm64", "linux"), ("amd64", "windows"), ("unknown", "unknown")]);
    assert_eq!(pull_of(several).unwrap(), alone);
    let twice = pull_of(with(&[("amd64", "linux")]));
    assert!(matches!(twice, Err(RegistryError::NoPlatform(_))), "{twice:?}");
    let mut none = with(&[]);
    let index = String::from_utf8(none.0["index.json"].clone()).unwrap().replace("amd64", "arm64");
    none.0.insert("index.json".into(), index.into_bytes());
    let found = pull_of(none.clone());
    assert!(matches!(found, Err(RegistryError::NoPlatform(_))), "{found:?}");
    // An index of indexes.
    let inner = with(&[]).0["index.json"].clone();
    let mut inner = none.blob("index.v1+json", &inner);
    inner["platform"] = serde_json::json!({ "architecture": "amd64", "os": "linux" });
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [inner] });
    none.0.insert("index.json".into(), index.to_string().into_bytes());
    let found = pull_of(none);
    assert!(matches!(found, Err(RegistryError::Nested(_))), "{found:?}");
}

#[test]
fn a_registry_that_leads_in_a_circle_and_a_token_without_end_are_given_up() {
    let (name, asked) = serve(|asked, _| {
        let place = format!("Location: {}", asked.path);
        answer("307 Temporary Redirect", &[&place], b"")
    });
    let folder = tempfile::tempdir().unwrap();
    let error = pull_with(Options { attempts: 1, ..options() }, &format!("{name}/a/b:1"), folder.path());
    assert!(matches!(error, Err(RegistryError::Request { .. })), "{error:?}");
    assert!(asked.lock().unwrap().len() < 20);
    let (tokens, _) = serve(|_, _| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"token\":\"".to_vec();
        bytes.resize(4 << 20, b'x');
        bytes
    });
    let realm = format!(r#"WWW-Authenticate: Bearer realm="http://{tokens}/""#);
    let error = pull(move |_, _| answer("401 Unauthorized", &[&realm], b""));
    assert!(matches!(error, Err(RegistryError::Answer { expected: "a token", .. })), "{error:?}");
}

#[test]
fn documents_that_would_fill_the_memory_are_refused_before_they_are_sent() {
    let subject = Sha256Digest::of(b"subject");
    let described =
        |size: u64| serde_json::json!({ "mediaType": "a/b", "digest": Sha256Digest::of(b""), "size": size });
    let artifact = serde_json::json!({
        "schemaVersion": 2, "artifactType": "a/b", "config": described(2),
        "layers": vec![described(16 << 20); 17],
        "subject": { "mediaType": "a/b", "digest": subject, "size": 1 },
    });
    let artifact = artifact.to_string().into_bytes();
    let mut listed = described(artifact.len() as u64);
    (listed["digest"], listed["artifactType"]) =
        (Sha256Digest::of(&artifact).to_string().into(), "a/b".into());
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [listed] }).to_string().into_bytes();
    let (name, asked) = serve(move |asked, _| match asked.path.contains("/referrers/") {
        true => answer("200 OK", &[], &index),
        false => answer("200 OK", &[], &artifact),
    });
    let cancelled = AtomicBool::new(false);
    let client =
        Client::new(format!("{name}/a/b:1").parse().unwrap(), options(), &|_| (), &cancelled).unwrap();
    let found = client.attached(subject, "a/b");
    let expected = "at most 256 MiB of documents";
    assert!(
        matches!(found, Err(RegistryError::Answer { expected: said, .. }) if said == expected),
        "{found:?}"
    );
    assert!(asked.lock().unwrap().iter().all(|asked| !asked.path.contains("/blobs/")));
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_ended() {
    let layer: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let image = image(&layer);
    let (name, asked) = serve(move |asked, _| {
        let honest = image.answer(asked);
        let Some(blob) = image.blobs.get(&asked.path).filter(|blob| blob.len() > 1000) else { return honest };
        match asked.headers.get("range") {
            None => honest[..200_000].to_vec(),
            Some(range) => {
                let from: usize = range["bytes=".len()..range.len() - 1].parse().unwrap();
                let total = blob.len();
                let header = format!("Content-Range: bytes {from}-{}/{total}", total - 1);
                answer("206 Partial Content", &[&header], &blob[from..])
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    pull_with(options(), &format!("{name}/a/b:1"), folder.path()).unwrap();
    let asked = asked.lock().unwrap();
    let ranges: Vec<_> = asked.iter().filter_map(|asked| asked.headers.get("range")).collect();
    assert_eq!(ranges.len(), 1, "{ranges:?}");
    assert_ne!(ranges[0], "bytes=0-");
}

#[test]
fn what_an_earlier_pull_left_is_not_trusted() {
    let image = image(b"a layer");
    let (name, _) = serve(move |asked, _| image.answer(asked));
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let digits = Sha256Digest::of(b"a layer").digits();
    std::fs::write(blobs.join(&digits), "forged!").unwrap();
    std::fs::write(blobs.join(format!(".{digits}.partial")), "forged!").unwrap();
    std::fs::write(blobs.join("0".repeat(64)), "of another image").unwrap();
    pull_with(options(), &format!("{name}/a/b:1"), folder.path()).unwrap();
    assert_eq!(std::fs::read(blobs.join(&digits)).unwrap(), b"a layer");
    assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 3);
}

#[test]
fn trouble_that_passes_is_waited_out_and_trouble_that_stays_is_told() {
    let honest = image(b"a layer");
    let busy = || answer("503 Service Unavailable", &[], b"later");
    pull(move |asked, before| if before.is_empty() { busy() } else { honest.answer(asked) }).unwrap();
    let error = pull(move |_, _| busy()).unwrap_err().to_string();
    assert!(error.contains("503") && error.contains("later"), "{error}");
}

#[test]
fn a_token_is_had_with_the_password_and_shown_to_the_registry_alone() {
    let image = image(b"a layer");
    let (tokens, asked_tokens) =
        serve(|asked, _| match asked.headers.get("authorization").map(String::as_str) {
            Some("Basic bmFtZTpwYXNz") => answer("200 OK", &[], br#"{"token":"t0ken"}"#),
            _ => answer("401 Unauthorized", &[], b""),
        });
    let realm = format!(
        r#"WWW-Authenticate: Bearer realm="http://{tokens}/token",service="s",scope="repository:a/b:pull""#
    );
    let (name, _) = serve(move |asked, _| match asked.headers.get("authorization").map(String::as_str) {
        Some("Bearer t0ken") => image.answer(asked),
        _ => answer("401 Unauthorized", &[&realm], b""),
    });
    let folder = tempfile::tempdir().unwrap();
    let credentials = |password: &str| {
        let (name, password) = ("name".into(), password.into());
        Some(Credentials::Password { name, password })
    };
    let address = format!("{name}/a/b:1");
    for wrong in [None, credentials("wrong")] {
        let error = pull_with(Options { credentials: wrong, ..options() }, &address, folder.path());
        assert!(matches!(error, Err(RegistryError::Denied { .. })), "{error:?}");
    }
    pull_with(Options { credentials: credentials("pass"), ..options() }, &address, folder.path()).unwrap();
    let asked = asked_tokens.lock().unwrap();
    assert!(asked.iter().all(|asked| asked.path.ends_with("service=s&scope=repository%3Aa%2Fb%3Apull")));
}

#[test]
fn an_upload_elsewhere_gets_no_proof_of_who_sends() {
    let image = image(b"a layer");
    let folder = tempfile::tempdir().unwrap();
    let (source, _) = serve(move |asked, _| image.answer(asked));
    pull_with(options(), &format!("{source}/a/b:1"), folder.path()).unwrap();
    let (elsewhere, stored) = serve(|_, _| answer("201 Created", &[], b""));
    let place = format!("Location: http://{elsewhere}/upload?x=y");
    let (name, asked) =
        serve(move |asked, _| match (asked.method.as_str(), asked.headers.get("authorization")) {
            (_, None) => answer("401 Unauthorized", &["WWW-Authenticate: Basic realm=x"], b""),
            ("HEAD", _) => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n".to_vec(),
            ("POST", _) => answer("202 Accepted", &[&place], b""),
            _ => answer("201 Created", &[], b""),
        });
    let credentials = Some(Credentials::Password { name: "name".into(), password: "pass".into() });
    let cancelled = AtomicBool::new(false);
    let options = Options { credentials, ..options() };
    let client = Client::new(format!("{name}/c:2").parse().unwrap(), options, &|_| (), &cancelled).unwrap();
    let pushed = client.push(folder.path(), Tagged::Manifest).unwrap();
    assert_eq!(pushed.sent, 2);
    let stored = stored.lock().unwrap();
    assert!(stored.iter().any(|asked| asked.body == b"a layer"));
    assert!(stored.iter().all(|asked| !asked.headers.contains_key("authorization")));
    let asked = asked.lock().unwrap();
    assert!(asked.last().unwrap().path == "/v2/c/manifests/2" && asked.last().unwrap().method == "PUT");
}

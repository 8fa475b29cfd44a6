//! Pushes to a registry as the distribution specification 1.1 has it, with a list of what is attached and with uploads that break
//! off. It is a thread of the test, on loopback.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

mod request;

use request::{Head, head};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use sx_export::{Document, Export, FileKind, Format, ImageFile, Layout, Sha256Digest};
use sx_registry::{Client, Event, Insecure, Options, Pushed, RegistryError, Tagged};

/// What the registry has, and what was asked of it.
#[derive(Default)]
struct Registry {
    blobs: BTreeMap<String, Vec<u8>>,
    /// By tag and by digest.
    manifests: BTreeMap<String, Vec<u8>>,
    upload: Vec<u8>,
    /// After how many bytes each of the next requests with a part of a blob breaks off.
    breaks: Vec<usize>,
    /// Whether it keeps lists of what is attached.
    lists: bool,
    /// Whether it forgets an upload that broke off.
    forgets: bool,
    asked: Vec<String>,
}

type Shared = Arc<Mutex<Registry>>;

/// Serves until the test ends. Gives the registry's name.
fn serve(registry: &Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let registry = Arc::clone(registry);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let registry = Arc::clone(&registry);
            // A client that goes away is no matter.
            std::thread::spawn(move || answer(stream.unwrap(), &registry));
        }
    });
    name
}

/// Answers one request; `None` if it broke off.
fn answer(stream: TcpStream, registry: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let Head { method, target, headers, length } = head(&mut reader)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let rest = path.strip_prefix("/v2/a/b/")?;
    let mut body = vec![0; length];
    let mut held = registry.lock().unwrap();
    held.asked.push(format!("{method} {rest} {}", headers.get("content-range").map_or("", |range| range)));
    if method == "PATCH" && !held.breaks.is_empty() {
        let heard = held.breaks.remove(0);
        reader.read_exact(&mut body[..heard]).ok()?;
        held.upload.extend(&body[..heard]);
        if held.forgets {
            held.upload.clear();
        }
        return None;
    }
    reader.read_exact(&mut body).ok()?;
    let forgotten = held.forgets && held.upload.is_empty();
    let (status, header, body) = match (method.as_str(), rest) {
        ("HEAD" | "GET", _) if rest.starts_with("blobs/sha256:") => match held.blobs.get(&rest[6..]) {
            Some(blob) => ("200 OK", String::new(), blob.clone()),
            None => ("404 Not Found", String::new(), Vec::new()),
        },
        ("POST", "blobs/uploads/") => {
            held.upload.clear();
            ("202 Accepted", "Location: /v2/a/b/blobs/uploads/1\r\n".into(), Vec::new())
        }
        ("GET", "blobs/uploads/1") if forgotten => ("404 Not Found", String::new(), Vec::new()),
        ("GET", "blobs/uploads/1") => {
            let last = held.upload.len().saturating_sub(1);
            ("204 No Content", format!("Range: 0-{last}\r\n"), Vec::new())
        }
        ("PATCH", "blobs/uploads/1") => {
            let from = headers
                .get("content-range")
                .map_or(0, |range| range.split_once('-').unwrap().0.parse().unwrap());
            assert_eq!(from, held.upload.len(), "what was heard is sent again, or skipped");
            held.upload.extend(body);
            ("202 Accepted", String::new(), Vec::new())
        }
        ("PUT", "blobs/uploads/1") => {
            held.upload.extend(body);
            let blob = std::mem::take(&mut held.upload);
            let digest = Sha256Digest::of(&blob).to_string();
            assert_eq!(query.replace("%3A", ":"), format!("digest={digest}"));
            held.blobs.insert(digest, blob);
            ("201 Created", String::new(), Vec::new())
        }
        ("PUT", _) if rest.starts_with("manifests/") => {
            let has_subject = String::from_utf8_lossy(&body).contains(r#""subject""#);
            let header = if has_subject && held.lists { "OCI-Subject: yes\r\n" } else { "" };
            held.manifests.insert(Sha256Digest::of(&body).to_string(), body.clone());
            held.manifests.insert(rest["manifests/".len()..].into(), body);
            ("201 Created", header.into(), Vec::new())
        }
        ("GET", _) if rest.starts_with("manifests/") => match held.manifests.get(&rest["manifests/".len()..])
        {
            Some(manifest) => ("200 OK", String::new(), manifest.clone()),
            None => ("404 Not Found", String::new(), Vec::new()),
        },
        ("GET", _) if rest.starts_with("referrers/") && held.lists => {
            ("200 OK", String::new(), held.referrers(&rest["referrers/".len()..]))
        }
        _ => ("404 Not Found", String::new(), Vec::new()),
    };
    drop(held);
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{header}\r\n", body.len());
    let mut stream = reader.into_inner();
    stream.write_all(head.as_bytes()).ok()?;
    if method == "HEAD" { Some(()) } else { stream.write_all(&body).ok() }
}

impl Registry {
    /// An index of the manifests that name this one as their subject.
    fn referrers(&self, subject: &str) -> Vec<u8> {
        let mut seen = BTreeSet::new();
        let attached = self.manifests.values().filter_map(|bytes| {
            let manifest: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            let digest = Sha256Digest::of(bytes).to_string();
            (manifest["subject"]["digest"] == subject && seen.insert(digest.clone())).then(|| {
                serde_json::json!({
                    "mediaType": manifest["mediaType"], "digest": digest, "size": bytes.len(),
                    "artifactType": manifest["artifactType"],
                })
            })
        });
        let attached: Vec<_> = attached.collect();
        let kind = "application/vnd.oci.image.index.v1+json";
        serde_json::json!({ "schemaVersion": 2, "mediaType": kind, "manifests": attached })
            .to_string()
            .into_bytes()
    }
}

/// Writes a layout with an image of one file.
fn layout(folder: &Path, text: String, attached: &[Document]) {
    let file = ImageFile { path: "/text".into(), kind: FileKind::Text(text), mode: None, uid: 0, gid: 0 };
    let export = Export {
        objects: Vec::new(),
        roots: Vec::new(),
        files: vec![file],
        layout: Layout::Store,
        reference: "a/b:1".parse().unwrap(),
        config: Default::default(),
        annotations: BTreeMap::new(),
        bill: Default::default(),
        attached: attached.iter().copied().collect(),
        compression: sx_export::Compression::None,
        level: None,
        format: Format::Layout,
        threads: NonZeroUsize::MIN,
        cache: None,
    };
    export.write(folder).unwrap();
}

fn options() -> Options {
    Options {
        insecure: Insecure::Refused,
        credentials: None,
        certificate_files: Vec::new(),
        parallel: NonZeroUsize::MIN,
        attempts: 3,
        mount_from: Vec::new(),
    }
}

fn push(
    name: &str,
    folder: &Path,
    tagged: Tagged,
    events: &(dyn Fn(Event) + Sync),
) -> Result<Pushed, RegistryError> {
    let cancelled = AtomicBool::new(false);
    Client::new(format!("{name}/a/b:1").parse()?, options(), events, &cancelled)?.push(folder, tagged)
}

/// A layer of about 3 MiB, sent to a registry that breaks off like this. Gives the ranges of the parts that were sent.
fn broken_off(breaks: &[usize], forgets: bool) -> (Result<Pushed, RegistryError>, Vec<String>, Shared) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("layout");
    layout(&place, "0123456789abcdef".repeat(3 << 16), &[]);
    let registry = Shared::default();
    (registry.lock().unwrap().breaks, registry.lock().unwrap().forgets) = (breaks.to_vec(), forgets);
    let told = Mutex::new(Vec::new());
    let pushed = push(&serve(&registry), &place, Tagged::Manifest, &|event| told.lock().unwrap().push(event));
    let held = registry.lock().unwrap();
    let parts = held.asked.iter().filter_map(|asked| asked.strip_prefix("PATCH blobs/uploads/1 "));
    let parts = parts.map(str::to_owned).collect();
    if pushed.is_ok() {
        let told = told.into_inner().unwrap();
        assert!(matches!(told[0], Event::Planned { blobs: 2, bytes } if bytes > 3 << 20), "{told:?}");
        assert!(
            told.iter().any(|event| matches!(event, Event::Moved { bytes, .. } if *bytes >= 2 << 20)),
            "{told:?}"
        );
    }
    drop(held);
    (pushed, parts, registry)
}

#[test]
fn an_upload_that_breaks_off_goes_on_where_the_registry_says() {
    let (pushed, parts, registry) = broken_off(&[2_000_000, 500_000], false);
    assert_eq!(pushed.unwrap().sent, 2);
    let length = (3 << 20) + 512 + 1024;
    assert!(
        parts[0].is_empty() && parts[1].starts_with("2000000-") && parts[2].starts_with("2500000-"),
        "{parts:?}"
    );
    let held = registry.lock().unwrap();
    assert!(held.blobs.values().any(|blob| blob.len() == length), "the layer is there, whole");
}

#[test]
fn an_upload_that_the_registry_forgot_begins_anew() {
    let (pushed, parts, _) = broken_off(&[2_000_000], true);
    pushed.unwrap();
    assert_eq!(parts, ["", ""]);
}

#[test]
fn an_upload_that_gets_no_further_is_given_up_and_one_that_does_is_not() {
    let (pushed, parts, _) = broken_off(&[0; 9], false);
    assert!(matches!(pushed, Err(RegistryError::Request { .. })), "{pushed:?}");
    assert_eq!(parts.len(), 3);
    let (pushed, parts, _) = broken_off(&[0, 0, 1 << 20, 0, 1 << 20], false);
    pushed.unwrap();
    assert_eq!(parts.len(), 6);
}

#[test]
fn a_registry_that_lists_attachments_gets_no_tag_for_them_and_others_do() {
    for lists in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("layout");
        layout(&place, "text".into(), &[Document::CycloneDx, Document::Provenance]);
        let registry = Shared::default();
        registry.lock().unwrap().lists = lists;
        let name = serve(&registry);
        let digest = push(&name, &place, Tagged::Manifest, &|_| ()).unwrap().manifest_digest;
        let tag = digest.to_string().replace(':', "-");
        assert_eq!(registry.lock().unwrap().manifests.contains_key(&tag), !lists);
        let cancelled = AtomicBool::new(false);
        let address = format!("{name}/a/b:1").parse().unwrap();
        let client = Client::new(address, options(), &|_| (), &cancelled).unwrap();
        let found = client.attached(digest, "application/vnd.in-toto+json").unwrap();
        let text = String::from_utf8(found[0][0].bytes.clone()).unwrap();
        assert!(found.len() == 1 && text.contains(&digest.digits()), "{text}");
    }
}

#[test]
fn a_tag_may_lead_to_an_index_that_says_the_platform() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("layout");
    layout(&place, "text".into(), &[]);
    let registry = Shared::default();
    let name = serve(&registry);
    let pushed = push(&name, &place, Tagged::Index, &|_| ()).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&registry.lock().unwrap().manifests["1"]).unwrap();
    assert_eq!(
        index["manifests"][0]["platform"],
        serde_json::json!({ "architecture": "amd64", "os": "linux" })
    );
    assert_eq!(index["manifests"][0]["digest"], pushed.manifest_digest.to_string());
    let cancelled = AtomicBool::new(false);
    let client =
        Client::new(format!("{name}/a/b:1").parse().unwrap(), options(), &|_| (), &cancelled).unwrap();
    let pulled = client.pull(&folder.path().join("pulled")).unwrap();
    assert_eq!(pulled.manifest_digest, pushed.manifest_digest);
}

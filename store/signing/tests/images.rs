//! Key files and image archives.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it says")]

mod people;

use people::{Life, machine, person};
use sequoia_openpgp::cert::CertBuilder;
use sequoia_openpgp::serialize::SerializeInto;
use sha2::{Digest, Sha256};
use std::fs;
use std::time::SystemTime;
use sx_derivation::digest::to_hex;
use sx_signing::archive::{self, ArchiveError};
use sx_signing::{ImageClaim, ImageName, Secret, SecretError};

fn claim() -> ImageClaim {
    let name = ImageName::parse("docker.io/sx/hello:1").unwrap();
    ImageClaim::new(name, &format!("sha256:{}", "0".repeat(64))).unwrap()
}

#[test]
fn a_key_file_is_of_a_person_or_of_a_machine() {
    let now = SystemTime::now();
    let secret = Secret::parse(machine(1).to_secret_text().as_bytes(), now).unwrap();
    assert!(matches!(secret.sign_image(&claim(), now), Err(SecretError::MachineForImage)));
    let (cert, _) = CertBuilder::general_purpose(Some("alice")).generate().unwrap();
    let secret = Secret::parse(&cert.as_tsk().to_vec().unwrap(), now).unwrap();
    assert!(secret.sign_image(&claim(), now).is_ok());
}

#[test]
fn a_key_without_an_open_secret_part_is_refused() {
    let now = SystemTime::now();
    let public = person("alice", Life::Alive).public;
    let error = Secret::parse(&public, now).map(drop).unwrap_err().to_string();
    assert!(error.contains("no secret part that can sign"), "{error}");
    let locked = CertBuilder::general_purpose(Some("alice")).set_password(Some("word".into()));
    let locked = locked.generate().unwrap().0.as_tsk().to_vec().unwrap();
    assert!(Secret::parse(&locked, now).is_err());
    assert!(Secret::parse(b"noise", now).is_err());
}

/// A tar of these files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(header);
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend([0; 1024]);
    bytes
}

fn read(files: &[(&str, &[u8])]) -> Result<archive::ArchivedImage, ArchiveError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    fs::write(&path, tar(files)).unwrap();
    archive::read(&path)
}

#[test]
fn the_manifest_s_digest_is_computed() {
    let digits = to_hex(&Sha256::digest(b"{}"));
    let blob = format!("blobs/sha256/{digits}");
    let index = format!(
        r#"{{"manifests":[{{"digest":"sha256:{digits}","annotations":{{"org.opencontainers.image.ref.name":"docker.io/sx/x:1"}}}}]}}"#
    );
    let image = read(&[("index.json", index.as_bytes()), (&blob, b"{}")]).unwrap();
    assert_eq!(image.manifest_digest, format!("sha256:{digits}"));
    assert_eq!(image.reference.as_deref(), Some("docker.io/sx/x:1"));
    let changed = read(&[("index.json", index.as_bytes()), (&blob, b"[]")]);
    assert!(matches!(changed, Err(ArchiveError::Digest { .. })));
    let twice = read(&[("index.json", index.as_bytes()), (&blob, b"{}"), (&blob, b"{}")]);
    assert!(matches!(twice, Err(ArchiveError::Entry { number: 3, .. })));
    let absent = read(&[("index.json", index.as_bytes())]);
    assert!(matches!(absent, Err(ArchiveError::Missing(_))));
    let ambiguous = read(&[("index.json", br#"{"manifests":[],"layers":[]}"#)]);
    assert!(matches!(ambiguous, Err(ArchiveError::Index(_))));
}

#[test]
fn an_archive_that_is_changed_in_its_headers_is_refused_and_never_a_panic() {
    let digits = to_hex(&Sha256::digest(b"{}"));
    let index = format!(r#"{{"manifests":[{{"digest":"sha256:{digits}"}}]}}"#);
    let whole = tar(&[("index.json", index.as_bytes()), (&format!("blobs/sha256/{digits}"), b"{}")]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    for place in (0..512).chain(1024..1536) {
        let mut changed = whole.clone();
        changed[place] ^= 0x11;
        fs::write(&path, changed).unwrap();
        // Spaces and zero bytes after the check sum's digits mean nothing.
        let is_padding = matches!(place % 512, 154 | 155);
        assert!(archive::read(&path).is_err() || is_padding, "byte {place}");
    }
    for length in [0, 100, 512, 700, 1024] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(archive::read(&path).is_err(), "{length}");
    }
}

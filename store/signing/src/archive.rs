//! Finds the manifest's digest in an OCI archive: what signatures of the image are about.
//!
//! An archive is a tar with `index.json` and `blobs/sha256/<digits>`. Both are read with bounds, and the digest is computed
//! from the manifest's bytes rather than believed.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use sx_derivation::digest::to_hex;

/// Longest index or manifest.
pub const MAX_DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Most files in an archive.
pub const MAX_FILES: usize = 10_000;

const BLOCK_BYTES: u64 = 512;

/// What an archive says of its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedImage {
    /// `sha256:` and 64 digits: computed.
    pub manifest_digest: String,
    /// The name that the archive gives it.
    pub reference: Option<String>,
}

/// Why an archive has no image to sign.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It can't be read, or is cut off.
    #[error("cannot read the archive")]
    Io(#[from] io::Error),
    /// Not a tar of the plain kind.
    #[error("the archive's entry {number} is malformed: {found}")]
    Entry {
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        found: &'static str,
    },
    /// Something isn't there, or is too large.
    #[error("the archive has no `{0}` of a reasonable size")]
    Missing(String),
    /// The index isn't one image's.
    #[error("the archive's index.json {0}")]
    Index(String),
    /// The manifest isn't what the index says.
    #[error("the archive's manifest has digest `{found}`, its index says `{expected}`")]
    Digest {
        /// Computed.
        found: String,
        /// As the index says.
        expected: String,
    },
}

/// Reads an archive.
pub fn read(path: &Path) -> Result<ArchivedImage, ArchiveError> {
    let mut file = BufReader::new(File::open(path)?);
    let files = list(&mut file)?;
    let index = content(&mut file, &files, "index.json")?;
    let wrong = |text: &str| ArchiveError::Index(text.into());
    let index: serde_json::Value =
        serde_json::from_slice(&index).map_err(|error| wrong(&error.to_string()))?;
    if index.get("layers").is_some() {
        return Err(wrong("is a manifest at the same time"));
    }
    let manifests = index.get("manifests").and_then(|found| found.as_array());
    let [descriptor] = manifests.map_or(&[][..], Vec::as_slice) else {
        return Err(wrong("does not have exactly one manifest"));
    };
    let text = |name: &str| descriptor.pointer(name).and_then(|found| found.as_str());
    let expected = text("/digest").ok_or_else(|| wrong("says no digest"))?;
    let digits =
        expected.strip_prefix("sha256:").ok_or_else(|| wrong("says a digest that is not SHA-256"))?;
    let manifest = content(&mut file, &files, &format!("blobs/sha256/{digits}"))?;
    let found = format!("sha256:{}", to_hex(&Sha256::digest(&manifest)));
    if found != expected {
        return Err(ArchiveError::Digest { found, expected: expected.into() });
    }
    let reference = text("/annotations/org.opencontainers.image.ref.name").map(str::to_owned);
    Ok(ArchivedImage { manifest_digest: found, reference })
}

type Files = BTreeMap<String, (u64, u64)>;

/// Where each regular file begins, and how long it is. A name that comes twice is refused.
fn list(file: &mut BufReader<File>) -> Result<Files, ArchiveError> {
    let mut files = Files::new();
    for number in 1..=MAX_FILES {
        let entry = |found| ArchiveError::Entry { number, found };
        let mut header = [0_u8; BLOCK_BYTES as usize];
        file.read_exact(&mut header)?;
        if header == [0; BLOCK_BYTES as usize] {
            return Ok(files);
        }
        let sum = |header: &[u8]| header.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        let checksum = sum(&header[..148]) + 8 * u64::from(b' ') + sum(&header[156..]);
        if octal(&header[148..156]) != Some(checksum) {
            return Err(entry("its checksum is wrong"));
        }
        let size = octal(&header[124..136]).ok_or_else(|| entry("its size is no octal number"))?;
        let begin = file.stream_position()?;
        match header[156] {
            b'0' | 0 => {
                if header[345] != 0 {
                    return Err(entry("its name is too long"));
                }
                let name = header[..100].split(|&byte| byte == 0).next().unwrap_or_default();
                let name = std::str::from_utf8(name).map_err(|_| entry("its name is not UTF-8"))?;
                let name = name.strip_prefix("./").unwrap_or(name);
                if files.insert(name.into(), (begin, size)).is_some() {
                    return Err(entry("its name is there twice"));
                }
            }
            b'5' => {}
            _ => return Err(entry("it is neither a file nor a folder")),
        }
        let padded = size.checked_next_multiple_of(BLOCK_BYTES).and_then(|size| i64::try_from(size).ok());
        file.seek_relative(padded.ok_or_else(|| entry("its size is too large"))?)?;
    }
    Err(ArchiveError::Entry { number: MAX_FILES, found: "there are too many" })
}

fn content(file: &mut BufReader<File>, files: &Files, name: &str) -> Result<Vec<u8>, ArchiveError> {
    let missing = || ArchiveError::Missing(name.chars().take(100).collect());
    let (begin, size) =
        *files.get(name).filter(|(_, size)| *size <= MAX_DOCUMENT_BYTES).ok_or_else(missing)?;
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(missing()) }
}

/// Octal digits between spaces and zero bytes, as tar writes numbers.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if !text.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return None;
    }
    u64::from_str_radix(text, 8).ok()
}

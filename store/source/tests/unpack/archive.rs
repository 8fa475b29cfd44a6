//! Archives made byte by byte, and what came out of them as text.

use std::io::Read;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use sx_source::{Limits, UnpackError, Unpacked};

/// A tar that may be as wrong as one likes.
#[derive(Default)]
pub struct Tar {
    pub bytes: Vec<u8>,
    is_without_magic: bool,
}

impl Tar {
    pub fn without_magic() -> Self {
        Self { is_without_magic: true, ..Self::default() }
    }

    pub fn raw(&mut self, name: &str, kind: u8, data: &[u8], link: &str) -> &mut Self {
        self.entry(name.as_bytes(), kind, data, link, 0o644, "")
    }

    pub fn entry(
        &mut self,
        name: &[u8],
        kind: u8,
        data: &[u8],
        link: &str,
        mode: u32,
        prefix: &str,
    ) -> &mut Self {
        self.header(name, kind, data.len() as u64, link, mode, prefix);
        self.bytes.extend(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub fn header(
        &mut self,
        name: &[u8],
        kind: u8,
        size: u64,
        link: &str,
        mode: u32,
        prefix: &str,
    ) -> &mut Self {
        let mut block = [0; 512];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        put(0, name);
        put(100, format!("{mode:07o}").as_bytes());
        put(124, format!("{size:011o}").as_bytes());
        put(148, b"        ");
        put(156, &[kind]);
        put(157, link.as_bytes());
        if !self.is_without_magic {
            put(257, b"ustar\x0000");
        }
        put(345, prefix.as_bytes());
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend(block);
        self
    }

    pub fn file(&mut self, name: &str, text: &str) -> &mut Self {
        self.with_mode(name, 0o644, text)
    }

    pub fn with_mode(&mut self, name: &str, mode: u32, text: &str) -> &mut Self {
        self.entry(name.as_bytes(), b'0', text.as_bytes(), "", mode, "")
    }

    pub fn prefixed(&mut self, prefix: &str, name: &str, text: &str) -> &mut Self {
        self.entry(name.as_bytes(), b'0', text.as_bytes(), "", 0o644, prefix)
    }

    pub fn directory(&mut self, name: &str) -> &mut Self {
        self.raw(name, b'5', b"", "")
    }

    pub fn symlink(&mut self, name: &str, target: &str) -> &mut Self {
        self.raw(name, b'2', b"", target)
    }

    pub fn hard_link(&mut self, name: &str, target: &str) -> &mut Self {
        self.raw(name, b'1', b"", target)
    }

    pub fn pax(&mut self, records: &[(&str, &str)]) -> &mut Self {
        let record = |(key, value): &(&str, &str)| {
            let rest = format!(" {key}={value}\n");
            let length = (1..).find(|digits| (rest.len() + digits).to_string().len() == *digits).unwrap();
            format!("{}{rest}", rest.len() + length)
        };
        let data: String = records.iter().map(record).collect();
        self.raw("pax", b'x', data.as_bytes(), "")
    }

    /// The whole archive, with its end.
    pub fn end(&self) -> Vec<u8> {
        [&self.bytes[..], &[0; 1024]].concat()
    }
}

/// What came out: one line for each thing, in order.
#[derive(Debug)]
pub struct Tree {
    pub tree: Vec<String>,
    pub top: Option<String>,
}

pub fn unpack_into(folder: &Path, archive: &mut dyn Read, limits: &Limits) -> Result<Unpacked, UnpackError> {
    let parent = std::fs::File::open(folder).unwrap();
    sx_source::unpack(archive, parent.as_fd(), "out", limits, &AtomicBool::new(false))
}

/// Unpacks, and shows that nothing appeared but the destination, and that not after an error.
pub fn unpacked(archive: &[u8]) -> Result<Tree, UnpackError> {
    unpacked_within(archive, &Limits::default())
}

pub fn unpacked_within(mut archive: &[u8], limits: &Limits) -> Result<Tree, UnpackError> {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let result = unpack_into(&inside, &mut archive, limits);
    let names = |path: &Path| -> Vec<_> {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names(folder.path()), ["inside"], "something was written outside");
    if result.is_err() {
        assert_eq!(names(&inside), [""; 0], "something was left after {result:?}");
    }
    let result = result?;
    assert_eq!(names(&inside), ["out"]);
    let top = result.top_directory.map(|top| String::from_utf8_lossy(&top).into_owned());
    Ok(Tree { tree: listing(&inside.join("out")), top })
}

/// `name mode content`, `name -> target` or `name/ mode` for everything below a directory, sorted.
pub fn listing(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display();
            let metadata = path.symlink_metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            if metadata.is_symlink() {
                lines.push(format!("{name} -> {}", std::fs::read_link(&path).unwrap().display()));
            } else if metadata.is_dir() {
                lines.push(format!("{name}/ {mode:o}"));
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                lines.push(format!("{name} {mode:o} {}", content.escape_ascii()));
            }
        }
    }
    lines.sort();
    lines
}

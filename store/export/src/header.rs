//! Tar entries: one header of 512 bytes, before it a pax header if a name or link is too long.
//!
//! | offset | length | field | value |
//! |---|---|---|---|
//! | 0 | 100 | name | path, or what follows the slash where it is split; directories end in `/` |
//! | 100 | 8 | mode | 7 octal digits, NUL |
//! | 108 | 8 | uid | 7 octal digits, NUL: 0 but for files that an image's expression gives |
//! | 116 | 8 | gid | likewise |
//! | 124 | 12 | size | 11 octal digits, NUL; from 8 GiB on `80` and 11 bytes, big-endian |
//! | 136 | 12 | mtime | [`MODIFICATION_TIME`] |
//! | 148 | 8 | checksum | 6 octal digits, NUL, space: sum of the header's bytes with spaces here |
//! | 156 | 1 | kind | `0` file, `2` symbolic link, `5` directory, `x` pax |
//! | 157 | 100 | link | target of a symbolic link |
//! | 257 | 8 | magic | `ustar`, NUL, `00` |
//! | 265 | 64 | owner and group | empty |
//! | 329 | 16 | device | 0 |
//! | 345 | 155 | prefix | path up to the slash where it is split: the last that lets both parts fit |
//!
//! A pax header is a file named `pax` whose content is the records `hdrcharset=BINARY` (only if the others aren't
//! UTF-8), `linkpath`, `path`, in this order, each only if needed; the fields then hold what fits. Changing
//! anything here changes every layer that has such an entry.

use std::io::{self, Write};

/// Modification time of every entry, seconds since 1970: that of objects in the store, and not 0, which some
/// programs take for "none". Changing it changes every layer.
pub(crate) const MODIFICATION_TIME: u64 = 1;

/// Headers and contents are padded to this many bytes.
pub(crate) const BLOCK: usize = 512;

/// Largest user or group id: 7 octal digits.
pub(crate) const MAX_ID: u32 = (1 << 21) - 1;

const NAME_LENGTH: usize = 100;
const PREFIX_LENGTH: usize = 155;
/// The first size that 11 octal digits can't hold.
const LARGE: u64 = 1 << 33;

/// What one header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    Directory(Attributes),
    File { attributes: Attributes, size_bytes: u64 },
    Symlink { target: &'a [u8] },
}

/// Permissions and owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Attributes {
    /// These permissions, owned by root.
    pub(crate) const fn new(mode: u16) -> Self {
        Self { mode, uid: 0, gid: 0 }
    }
}

/// Writes the header of the entry at `path`: relative, without a trailing slash.
pub(crate) fn write(output: &mut dyn Write, path: &[u8], entry: Entry<'_>) -> io::Result<()> {
    let mut path = path.to_vec();
    let (kind, attributes, size_bytes, target) = match entry {
        Entry::Directory(attributes) => {
            path.push(b'/');
            (b'5', attributes, 0, &b""[..])
        }
        Entry::File { attributes, size_bytes } => (b'0', attributes, size_bytes, &b""[..]),
        Entry::Symlink { target } => (b'2', Attributes::new(0o777), 0, target),
    };
    let split = split(&path);
    let records =
        records(split.is_none().then_some(&path[..]), (target.len() > NAME_LENGTH).then_some(target));
    if !records.is_empty() {
        output.write_all(&block(b'x', Attributes::new(0o644), records.len() as u64, (b"", b"pax"), b""))?;
        output.write_all(&records)?;
        pad(output, records.len() as u64)?;
    }
    let name = split.unwrap_or((b"", &path[..path.len().min(NAME_LENGTH)]));
    output.write_all(&block(kind, attributes, size_bytes, name, &target[..target.len().min(NAME_LENGTH)]))
}

/// Fills the last block of a content of `length` bytes.
pub(crate) fn pad(output: &mut dyn Write, length: u64) -> io::Result<()> {
    let rest = (length % BLOCK as u64) as usize;
    if rest == 0 { Ok(()) } else { output.write_all(&[0; BLOCK][rest..]) }
}

/// Ends an archive: two empty blocks.
pub(crate) fn end(output: &mut dyn Write) -> io::Result<()> {
    output.write_all(&[0; 2 * BLOCK])
}

/// Prefix and name, if the path fits into the header.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME_LENGTH {
        return Some((b"", path));
    }
    // The last byte is no place to split: a directory's name would be empty.
    let slashes = (1..path.len() - 1).rev().filter(|&at| path[at] == b'/');
    slashes
        .map(|at| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= PREFIX_LENGTH && name.len() <= NAME_LENGTH)
}

fn records(path: Option<&[u8]>, target: Option<&[u8]>) -> Vec<u8> {
    let mut records = Vec::new();
    if [path, target].into_iter().flatten().any(|text| std::str::from_utf8(text).is_err()) {
        add_record(&mut records, b"hdrcharset", b"BINARY");
    }
    if let Some(target) = target {
        add_record(&mut records, b"linkpath", target);
    }
    if let Some(path) = path {
        add_record(&mut records, b"path", path);
    }
    records
}

/// Adds `<length> <key>=<value>\n`, where the length counts its own digits.
fn add_record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend(length.to_string().as_bytes());
    records.push(b' ');
    records.extend(key);
    records.push(b'=');
    records.extend(value);
    records.push(b'\n');
}

fn block(
    kind: u8,
    attributes: Attributes,
    size_bytes: u64,
    (prefix, name): (&[u8], &[u8]),
    link: &[u8],
) -> [u8; BLOCK] {
    let Attributes { mode, uid, gid } = attributes;
    let mut block = [0; BLOCK];
    let mut put = |offset: usize, bytes: &[u8]| block[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, format!("{uid:07o}").as_bytes());
    put(116, format!("{gid:07o}").as_bytes());
    if size_bytes < LARGE {
        put(124, format!("{size_bytes:011o}").as_bytes());
    } else {
        put(124, &[0x80]);
        put(128, &size_bytes.to_be_bytes());
    }
    put(136, format!("{MODIFICATION_TIME:011o}").as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link);
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    put(345, prefix);
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(path: &[u8], entry: Entry<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, path, entry).unwrap();
        bytes
    }

    #[test]
    fn golden_header() {
        let bytes = written(b"sx/store", Entry::Directory(Attributes::new(0o755)));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.len(), BLOCK);
        assert_eq!(
            text.trim_end_matches('\0').replace('\0', "~"),
            format!(
                "sx/store/{}0000755~0000000~0000000~00000000000~00000000001~010774~ 5{}ustar~00{}0000000~0000000",
                "~".repeat(91),
                "~".repeat(100),
                "~".repeat(64)
            )
        );
    }

    #[test]
    fn long_names_are_split_where_they_can_be_and_pax_elsewhere() {
        let file = Entry::File { attributes: Attributes::new(0o444), size_bytes: 0 };
        let fits = [vec![b'd'; 155], vec![b'n'; 100]].join(&b'/');
        assert_eq!(written(&fits, file).len(), BLOCK);
        assert_eq!(written(&[b'n'; 100], file).len(), BLOCK);
        assert_eq!(written(&[b'n'; 101], file).len(), 3 * BLOCK);
        assert_eq!(written(b"l", Entry::Symlink { target: &[b't'; 100] }).len(), BLOCK);
        assert_eq!(written(b"l", Entry::Symlink { target: &[b't'; 101] }).len(), 3 * BLOCK);
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in 0..2000 {
            let mut record = Vec::new();
            add_record(&mut record, b"path", &vec![b'x'; length]);
            let digits = record.iter().position(|&byte| byte == b' ').unwrap();
            assert_eq!(std::str::from_utf8(&record[..digits]).unwrap(), record.len().to_string());
        }
    }

    #[test]
    fn a_size_from_8_gib_on_is_read_back() {
        for size_bytes in [LARGE - 1, LARGE, u64::MAX >> 1] {
            let bytes = written(b"f", Entry::File { attributes: Attributes::new(0o444), size_bytes });
            assert_eq!(tar::Header::from_byte_slice(&bytes).entry_size().unwrap(), size_bytes);
        }
    }

    #[test]
    fn a_newline_does_not_end_a_record() {
        let target = [b"\n".repeat(60), b"x".repeat(60)].concat();
        let bytes = written(b"l", Entry::Symlink { target: &target });
        let record = [b"134 linkpath=", &target[..], b"\n"].concat();
        assert_eq!(record.len(), 134);
        assert_eq!(bytes[BLOCK..BLOCK + record.len()], record);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            path in proptest::collection::vec("[a-z\u{e9}]{1,120}", 1..6),
            // The reader takes a record's first newline for its end, whatever its length says.
            target in proptest::collection::vec(11u8.., 1..300),
            raw in any::<bool>(),
        ) {
            let mut path = path.join("/").into_bytes();
            if raw { path.push(0xff); }
            let mut bytes = written(&path, Entry::Symlink { target: &target });
            end(&mut bytes).unwrap();
            let mut archive = tar::Archive::new(&bytes[..]);
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            prop_assert_eq!(&*entry.path_bytes(), &path[..]);
            prop_assert_eq!(&*entry.link_name_bytes().unwrap(), &target[..]);
            prop_assert_eq!(entry.header().mtime().unwrap(), MODIFICATION_TIME);
        }
    }
}

//! What a byte of a file is part of: a member of an archive (`ar`, `tar`), a section of a program (ELF), a header's field.
//!
//! What can't be understood has no parts. Offsets and lengths are a stranger's, so every access is checked.

/// Archives in archives are looked into so deep.
const MAX_DEPTH: usize = 4;
/// Most members that are looked at.
const MAX_MEMBERS: usize = 1_000_000;

/// What a byte is part of.
pub(super) struct Inside {
    /// From the outside inward.
    pub(super) parts: Vec<String>,
    /// Where the innermost of them ends, from the file's beginning.
    pub(super) end: usize,
}

/// What the byte at `offset` is part of.
pub(super) fn inside(bytes: &[u8], offset: usize) -> Inside {
    let (mut inside, mut content, mut base) = (Inside { parts: Vec::new(), end: bytes.len() }, bytes, 0);
    for _ in 0..MAX_DEPTH {
        let offset = offset - base;
        let found = match content {
            [0x7f, b'E', b'L', b'F', 2, 1, ..] => elf(content, offset),
            [0x1f, 0x8b, ..] => field(&GZIP, offset).map(|(name, end)| leaf(name, end)),
            _ => members(content).map(|mut members| {
                let found = members.find_map(|member| member.part(offset));
                found.unwrap_or_else(|| leaf("after the last member", content.len()))
            }),
        };
        let Some(Part { name, begin, end }) = found else { break };
        inside.parts.push(name);
        inside.end = base + end.min(content.len());
        let Some((begin, inner)) = begin.and_then(|begin| Some((begin, content.get(begin..end)?))) else {
            break;
        };
        (content, base) = (inner, base + begin);
    }
    inside
}

/// The names of an archive's members, in order; `None` if it is none.
pub(super) fn member_names(bytes: &[u8]) -> Option<Vec<String>> {
    let names: Vec<String> = members(bytes)?.map(|member| member.name).collect();
    (!names.is_empty()).then_some(names)
}

/// A part of a content, and where it ends in that.
struct Part {
    name: String,
    /// Where it begins, if it may have parts of its own.
    begin: Option<usize>,
    end: usize,
}

fn leaf(name: impl Into<String>, end: usize) -> Part {
    Part { name: name.into(), begin: None, end }
}

/// Fields of a header: name, and where it ends.
type Fields<'a> = [(&'a str, usize)];

const GZIP: [(&str, usize); 4] =
    [("gzip header", 4), ("gzip header: time stamp", 8), ("gzip header", 10), ("gzip data", usize::MAX)];
const AR: [(&str, usize); 5] = [("name", 16), ("time stamp", 28), ("owner", 40), ("mode", 48), ("size", 60)];
const TAR: [(&str, usize); 11] = [
    ("name", 100),
    ("mode", 108),
    ("owner", 124),
    ("size", 136),
    ("time stamp", 148),
    ("checksum", 156),
    ("type", 157),
    ("link", 257),
    ("format", 265),
    ("owner", 329),
    ("name", 512),
];

fn field<'a>(fields: &Fields<'a>, offset: usize) -> Option<(&'a str, usize)> {
    fields.iter().find(|(_, end)| offset < *end).copied()
}

/// 64 bits, little endian: the sections, else the segments.
fn elf(bytes: &[u8], offset: usize) -> Option<Part> {
    if offset < 64 {
        return Some(leaf("ELF header", 64));
    }
    let (table, size, count) = (long(bytes, 0x28)?, short(bytes, 0x3a)?, short(bytes, 0x3c)?);
    let header = |number: usize| table.checked_add(number.checked_mul(size)?);
    let names = header(short(bytes, 0x3e)?).and_then(|names| long(bytes, names.checked_add(0x18)?));
    for number in 0..count {
        let header = header(number)?;
        let (begin, length) =
            (long(bytes, header.checked_add(0x18)?)?, long(bytes, header.checked_add(0x20)?)?);
        let has_bytes = word(bytes, header.checked_add(4)?)? != 8;
        if has_bytes && offset >= begin && offset - begin < length {
            let name = names.and_then(|names| {
                let name = bytes.get(names.checked_add(word(bytes, header)?)?..)?;
                Some(text(name.split(|&byte| byte == 0).next()?))
            });
            let name = name.unwrap_or_else(|| number.to_string());
            let name = format!("section `{name}` + {:#x}", offset - begin);
            return Some(leaf(name, begin.saturating_add(length)));
        }
    }
    if count > 0 && offset >= table && offset - table < count * size {
        return Some(leaf("section headers", table.saturating_add(count * size)));
    }
    let (table, size, count) = (long(bytes, 0x20)?, short(bytes, 0x36)?, short(bytes, 0x38)?);
    if offset >= table && offset - table < count * size {
        return Some(leaf("program headers", table.saturating_add(count * size)));
    }
    for number in 0..count {
        let header = table.checked_add(number * size)?;
        let (begin, length) = (long(bytes, header.checked_add(8)?)?, long(bytes, header.checked_add(0x20)?)?);
        if offset >= begin && offset - begin < length {
            return Some(leaf(
                format!("segment {number} + {:#x}", offset - begin),
                begin.saturating_add(length),
            ));
        }
    }
    None
}

/// A member of an archive, and where its header, its content and what follows it begin.
struct Member {
    name: String,
    fields: &'static Fields<'static>,
    at: usize,
    begin: usize,
    end: usize,
    next: usize,
}

impl Member {
    /// What of it the byte at `offset` is, if it is.
    fn part(&self, offset: usize) -> Option<Part> {
        let Self { name, fields, at, begin, end, next } = self;
        if offset < *begin {
            let (field, last) = field(fields, offset.checked_sub(*at)?)?;
            return Some(leaf(format!("member `{name}`: {field}"), at + last));
        }
        if offset < *end {
            return Some(Part { name: format!("member `{name}`"), begin: Some(*begin), end: *end });
        }
        (offset < *next).then(|| leaf(format!("member `{name}`: padding"), *next))
    }
}

/// The members of an archive, as far as they can be understood; `None` if it is none.
fn members(bytes: &[u8]) -> Option<Box<dyn Iterator<Item = Member> + '_>> {
    match bytes {
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Some(Box::new(ar(bytes).take(MAX_MEMBERS))),
        _ if bytes.get(257..262) == Some(b"ustar") => Some(Box::new(tar(bytes).take(MAX_MEMBERS))),
        _ => None,
    }
}

fn ar(bytes: &[u8]) -> impl Iterator<Item = Member> {
    let (mut at, mut long_names): (usize, &[u8]) = (8, &[]);
    std::iter::from_fn(move || {
        let header = bytes.get(at..at.checked_add(60)?)?;
        let length: usize = std::str::from_utf8(&header[48..58]).ok()?.trim().parse().ok()?;
        let begin = at + 60;
        let end = begin.checked_add(length)?.min(bytes.len());
        let raw = header[..16].trim_ascii_end();
        let name =
            match raw.strip_prefix(b"/").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()) {
                Some(place) => {
                    let rest: &[u8] =
                        long_names.get::<std::ops::RangeFrom<usize>>(place..).unwrap_or_default();
                    text(rest.split(|&byte| byte == b'/').next().unwrap_or_default())
                }
                None if raw == b"/" => "symbol table".into(),
                None => text(raw.strip_suffix(b"/").unwrap_or(raw)),
            };
        if raw == b"//" {
            long_names = &bytes[begin..end];
        }
        let member = Member { name, fields: &AR, at, begin, end, next: end + (end & 1) };
        at = member.next;
        Some(member)
    })
}

/// The end of a tar archive is blocks of zeros, which name nothing.
fn tar(bytes: &[u8]) -> impl Iterator<Item = Member> {
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        let header = bytes.get(at..at.checked_add(512)?)?;
        let until_zero = |field: &[u8]| text(field.split(|&byte| byte == 0).next().unwrap_or_default());
        let (name, prefix) = (until_zero(&header[..100]), until_zero(&header[345..500]));
        if name.is_empty() {
            return None;
        }
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let size = std::str::from_utf8(&header[124..135]).ok()?.trim_matches([' ', '\0']);
        let begin = at + 512;
        let end = begin.checked_add(usize::from_str_radix(size, 8).ok()?)?;
        let member = Member { name, fields: &TAR, at, begin, end, next: end.checked_next_multiple_of(512)? };
        at = member.next;
        Some(member)
    })
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(found.try_into().ok()?).into())
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(found.try_into().ok()?)).ok()
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(8)?)?;
    usize::try_from(u64::from_le_bytes(found.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with one member.
    fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        bytes
            .extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, content.len()).bytes());
        bytes.extend(content);
        bytes
    }

    #[test]
    fn fields_and_contents_of_archives_are_named() {
        let bytes = archive("x.o/", b"content");
        assert_eq!(inside(&bytes, 8 + 20).parts, ["member `x.o`: time stamp"]);
        assert_eq!(inside(&bytes, 8 + 20).end, 8 + 28);
        assert_eq!(inside(&bytes, 8 + 62).parts, ["member `x.o`"]);
        let outer = archive("inner.a/", &bytes);
        assert_eq!(inside(&outer, 68 + 8 + 62).parts, ["member `inner.a`", "member `x.o`"]);
        assert_eq!(inside(&outer, 68 + 8 + 20).end, 68 + 8 + 28);
    }

    #[test]
    fn sections_of_this_very_program_are_named() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(inside(&bytes, 5).parts, ["ELF header"]);
        let names: Vec<String> =
            (64..bytes.len()).step_by(997).flat_map(|offset| inside(&bytes, offset).parts).collect();
        assert!(names.iter().any(|name| name.starts_with("section `.text` + 0x")), "{names:?}");
    }

    #[test]
    fn members_of_a_tar_are_named() {
        let mut bytes = vec![0; 512];
        bytes[..4].copy_from_slice(b"file");
        bytes[124..135].copy_from_slice(b"00000000005");
        bytes[257..262].copy_from_slice(b"ustar");
        bytes.extend(b"hello");
        bytes.resize(2048, 0);
        assert_eq!(inside(&bytes, 140).parts, ["member `file`: time stamp"]);
        assert_eq!(inside(&bytes, 513).parts, ["member `file`"]);
        assert_eq!(inside(&bytes, 600).parts, ["member `file`: padding"]);
        assert_eq!(inside(&bytes, 1100).parts, ["after the last member"]);
        assert_eq!(member_names(&bytes).unwrap(), ["file"]);
        assert_eq!(member_names(b"text"), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let exe = std::fs::read("/proc/self/exe").unwrap();
        let beginnings: [&[u8]; 4] = [&exe[..4096], b"!<arch>\n", &archive("/99999999", b"x"), &[0x1f, 0x8b]];
        for beginning in beginnings {
            for place in 0..beginning.len().min(128) {
                let mut changed = beginning.to_vec();
                changed[place] = 0xff;
                for offset in [0, 60, 70, 1000, usize::MAX] {
                    let _ = inside(&changed, offset);
                }
            }
        }
    }
}

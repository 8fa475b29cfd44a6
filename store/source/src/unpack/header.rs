//! One block of a tar: the fixed-size header before each entry, read strictly.
//!
//! | bytes | field | read as |
//! |---|---|---|
//! | 0–99 | name | up to the first NUL |
//! | 100–107 | mode | octal |
//! | 124–135 | size of the data in bytes | octal, or base 256 when the first bit is set |
//! | 148–155 | checksum: sum of all bytes, these as spaces | octal |
//! | 156 | kind | one character |
//! | 157–256 | target of a link | up to the first NUL |
//! | 257–264 | magic | `ustar\0` and `00` (POSIX), `ustar  \0` (GNU), or neither (the oldest) |
//! | 345–499 | front part of the name, POSIX only | up to the first NUL |

/// Size of headers, and what all data is padded to.
pub(super) const BLOCK_BYTES: usize = 512;

/// A block of the archive.
pub(super) type Block = [u8; BLOCK_BYTES];

/// The fields that count here; owner, times and device numbers don't.
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: u8,
    pub(super) size: u64,
    pub(super) executable: bool,
}

impl Header {
    /// Reads a block that isn't all zeros.
    pub(super) fn parse(block: &Block) -> Result<Self, &'static str> {
        if !has_checksum(block) {
            return Err("the checksum is wrong");
        }
        let mut name = text(&block[..100]).to_vec();
        if &block[257..265] == b"ustar\x0000" {
            let front = text(&block[345..500]);
            if !front.is_empty() {
                name = [front, b"/", &name].concat();
            }
        }
        Ok(Self {
            name,
            link: text(&block[157..257]).to_vec(),
            kind: block[156],
            size: number(&block[124..136]).ok_or("the size is no number")?,
            executable: number(&block[100..108]).ok_or("the mode is no number")? & 0o100 != 0,
        })
    }
}

/// Whether the first bytes of a file can be a tar without magic: a header with the right checksum, or the end.
pub(super) fn is_plausible(first: &[u8]) -> bool {
    <&Block>::try_from(first).is_ok_and(|block| has_checksum(block) || is_zero(block))
}

/// Whether a block marks the end.
pub(super) fn is_zero(block: &Block) -> bool {
    block.iter().all(|byte| *byte == 0)
}

fn has_checksum(block: &Block) -> bool {
    let fields = || block[..148].iter().chain(&[b' '; 8]).chain(&block[156..]);
    let unsigned: u64 = fields().map(|byte| u64::from(*byte)).sum();
    // Some old tars summed signed characters.
    let signed: i64 = fields().map(|byte| i64::from(*byte as i8)).sum();
    number(&block[148..156]).is_some_and(|sum| sum == unsigned || i64::try_from(sum) == Ok(signed))
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A field of octal digits, with spaces before and spaces or NULs after; or of base 256. Nothing else.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        // 0x80 and a big-endian number; a negative one starts with 0xff, and has no use here.
        if field[0] != 0x80 {
            return None;
        }
        return field[1..]
            .iter()
            .try_fold(0u64, |number, byte| number.checked_mul(256).map(|number| number | u64::from(*byte)));
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| !matches!(byte, b'0'..=b'7')).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() || rest.iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return None;
    }
    // Twelve octal digits are 36 bits, so nothing overflows.
    Some(digits.iter().fold(0, |number, digit| number * 8 + u64::from(digit - b'0')))
}

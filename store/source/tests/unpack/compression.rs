//! Every compression: members one after another, cuts at every point, garbage behind.

use crate::archive::{Tar, unpacked};
use std::io::Write;
use sx_source::UnpackError;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

type Compress = fn(&[u8]) -> Vec<u8>;

pub const ALL: [(&str, Compress); 5] =
    [("tar", |bytes| bytes.to_vec()), ("gzip", gzip), ("bzip2", bzip2), ("xz", xz), ("zstd", zstd)];

fn sample() -> Vec<u8> {
    let mut tar = Tar::default();
    tar.file("a/b", &"some text\n".repeat(300)).file("a/c", "2").directory("d");
    tar.end()
}

#[test]
fn every_compression_gives_the_same() {
    let expected = unpacked(&sample()).unwrap().tree;
    for (name, compress) in ALL {
        assert_eq!(unpacked(&compress(&sample())).unwrap().tree, expected, "{name}");
    }
}

#[test]
fn members_may_follow_one_another() {
    let tar = sample();
    let expected = unpacked(&tar).unwrap().tree;
    for (name, compress) in &ALL[1..] {
        for cut in [1, 700, tar.len() - 1] {
            let both = [compress(&tar[..cut]), compress(&tar[cut..])].concat();
            assert_eq!(unpacked(&both).unwrap().tree, expected, "{name} {cut}");
        }
    }
    let padded = [xz(&tar[..700]), vec![0; 8], xz(&tar[700..]), vec![0; 4]].concat();
    assert_eq!(unpacked(&padded).unwrap().tree, expected);
    let skippable = [0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let framed = [&skippable[..], &zstd(&tar[..700]), &skippable, &zstd(&tar[700..]), &skippable].concat();
    assert_eq!(unpacked(&framed).unwrap().tree, expected);
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    for (name, compress) in ALL {
        let whole = compress(&sample());
        let step = (whole.len() / 150).max(1);
        for cut in (0..whole.len()).step_by(step).chain(whole.len() - 10..whole.len()) {
            let error = unpacked(&whole[..cut]).map(|_| ()).unwrap_err();
            let is_named = match &error {
                UnpackError::Truncated { .. } => true,
                UnpackError::Empty => cut == 0,
                UnpackError::UnknownFormat(_) => cut < 6 || (name == "tar" && cut < 512),
                UnpackError::Header { offset: 0, .. } => name == "tar" && cut < 512,
                _ => false,
            };
            assert!(is_named, "{name} cut at {cut} of {}: {error:?}", whole.len());
        }
    }
}

#[test]
fn garbage_behind_a_member_is_refused() {
    for (name, compress) in &ALL[1..] {
        let whole = compress(&sample());
        for garbage in [&b"garbage"[..], &[0], &[0; 100], &[0x1f, 0x8b]] {
            if *name == "xz" && garbage == [0; 100] {
                continue;
            }
            let error = unpacked(&[&whole, garbage].concat()).map(|_| ()).unwrap_err();
            let is_refused = matches!(error, UnpackError::TrailingGarbage)
                || (*name == "gzip" && matches!(error, UnpackError::Truncated { .. }));
            assert!(is_refused, "{name}: {error:?}");
        }
    }
}

#[test]
fn a_flipped_bit_in_compressed_data_is_noticed() {
    for (name, compress) in &ALL[1..] {
        let whole = compress(&sample());
        // Past the headers, which hold times and the like; before the end, where zstd here has no checksum.
        let has_checksum = *name != "zstd" || whole[4] & 4 != 0;
        // The last byte of bzip2 has bits that fill it up.
        for at in (20..whole.len() - 1).step_by(7).filter(|_| has_checksum) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            assert!(unpacked(&bytes).is_err(), "{name}: flip at {at} of {}", whole.len());
        }
    }
}

//! What all targets and the replay share.

use sx_export::manifest::Document;
use sx_export::read::{Image, LayerLimits, Packing, Tree, read_layer};
use sx_export::{ImageConfig, Reference, Sha256Digest};

/// An index or manifest, as a registry may send it; and a configuration.
pub fn document(bytes: &[u8]) {
    let _ = Document::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ImageConfig::from_json(text);
    }
}

/// A whole archive, OCI's or docker's, with its layers.
pub fn archive(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(file.path(), bytes).expect("a temporary file can be written");
    if let Ok(image) = Image::open(file.path(), None) {
        let _ = image.tree(&limits());
    }
}

/// Little enough that a text which asks for more than that takes no long time.
fn limits() -> LayerLimits {
    LayerLimits { unpacked_bytes: 1 << 22, ..LayerLimits::default() }
}

/// A layer in every packing.
pub fn layer(bytes: &[u8]) {
    let limits = limits();
    for packing in [Packing::None, Packing::Gzip, Packing::Zstd] {
        let mut tree = Tree::default();
        if read_layer(bytes, bytes.len() as u64, packing, &limits, &mut tree, 0).is_ok() {
            for name in tree.nodes().keys() {
                let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
                assert!(name.split(|&byte| byte == b'/').all(is_plain), "a name that leads elsewhere");
            }
        }
    }
}

/// A name and tag, and a digest: what is read is written the same.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>().as_ref(), Ok(&reference));
    }
    if let Ok(digest) = text.parse::<Sha256Digest>() {
        assert_eq!(digest.to_string(), text);
    }
}

//! Images that want to do harm, one for each way that is known, and what they are made of. The same ones stand in a folder, in an
//! archive and behind a registry; whoever reads them there has to refuse them for what is wrong.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// An image, and why it is refused.
pub struct Row {
    pub name: &'static str,
    /// What is said of it, by who reads it or already by who pulls it: one of these.
    pub says: &'static [&'static str],
    pub files: Files,
    /// Its layers, if nothing else is wrong with it.
    pub layers: Vec<Vec<u8>>,
}

/// One entry of a tar with its content and the padding.
pub fn entry(name: &str, kind: u8, target: &str, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000001\0");
    header[156] = kind;
    header[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut header);
    let padding = (512 - content.len() % 512) % 512;
    [header, content.to_vec(), vec![0; padding]].concat()
}

/// Fills the checksum in.
pub fn sum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header[..512].iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub fn file(name: &str) -> Vec<u8> {
    entry(name, b'0', "", b"x")
}

pub fn folder(name: &str) -> Vec<u8> {
    entry(name, b'5', "", b"")
}

pub fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An image's files by their names in a layout.
#[derive(Clone, Default)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Files {
    /// Adds a blob. Gives its descriptor.
    pub fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        self.0.insert(format!("blobs/sha256/{}", digest(bytes)), bytes.to_vec());
        json!({
            "mediaType": format!("application/vnd.oci.image.{media_type}"),
            "digest": format!("sha256:{}", digest(bytes)),
            "size": bytes.len(),
        })
    }

    /// An image with one layer and an index that names it, after `change` had its way with manifest and index.
    pub fn image(change: impl FnOnce(&mut Self, &mut Value, &mut Value)) -> Self {
        Self::image_of(&[tar(&[file("a")])], change)
    }

    /// The same of these layers.
    pub fn image_of(tars: &[Vec<u8>], change: impl FnOnce(&mut Self, &mut Value, &mut Value)) -> Self {
        let mut files = Self::default();
        files.0.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        let config = configuration(tars);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": files.blob("config.v1+json", config.as_bytes()),
            "layers": tars.iter().map(|tar| files.blob("layer.v1.tar", tar)).collect::<Vec<_>>(),
        });
        let mut index = json!({ "schemaVersion": 2, "manifests": [] });
        change(&mut files, &mut manifest, &mut index);
        let mut descriptor = files.blob("manifest.v1+json", manifest.to_string().as_bytes());
        descriptor["platform"] = json!({ "architecture": "amd64", "os": "linux" });
        if let Some(manifests) = index["manifests"].as_array_mut() {
            manifests.push(descriptor);
        }
        files.0.insert("index.json".into(), index.to_string().into_bytes());
        files
    }
}

pub fn configuration(tars: &[Vec<u8>]) -> String {
    let diff_ids: Vec<_> = tars.iter().map(|tar| format!("sha256:{}", digest(tar))).collect();
    json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids } })
        .to_string()
}

/// A frame of zstd with a file of so many blocks of zeros, each of 128 KiB in four bytes.
fn zstd_bomb(blocks: u32) -> Vec<u8> {
    let mut header = entry("zeros", b'0', "", b"");
    header[124..136].copy_from_slice(format!("{:011o}\0", u64::from(blocks) << 17).as_bytes());
    sum(&mut header);
    // RFC 8878: whether it is the last, 0 for bytes as they are and 1 for one byte many times, how many.
    let block =
        |last: u32, kind: u32, length: u32| (last | kind << 1 | length << 3).to_le_bytes()[..3].to_vec();
    let zeros = [block(0, 1, 1 << 17), vec![0]].concat().repeat(blocks as usize);
    // A window of 128 KiB, and neither length nor checksum.
    let begin = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    [begin, block(0, 0, 512), header, zeros, block(1, 0, 1024), vec![0; 1024]].concat()
}

/// Every way that is known.
pub fn rows() -> Vec<Row> {
    [of_layers(), of_documents()].into_iter().flatten().collect()
}

/// What is wrong is in a tar, whose digests are right.
fn of_layers() -> Vec<Row> {
    let row = |name, says, layers: &[&[Vec<u8>]]| {
        let layers: Vec<_> = layers.iter().map(|entries| tar(entries)).collect();
        let files = Files::image_of(&layers, |_, _, _| ());
        Row { name, says, files, layers }
    };
    let link = |name, target| entry(name, b'2', target, b"");
    let deep = "d/".repeat(300);
    let pax = |record: &str| entry("x", b'x', "", record.as_bytes());
    let deep = pax(&format!("{} path={deep}x\n", deep.len() + 11));
    let mut huge = file("a");
    huge[124..136].copy_from_slice(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
    sum(&mut huge);
    vec![
        row("a name upward", &["`..` in its name"], &[&[file("../x")]]),
        row("a name upward in the middle", &["`..` in its name"], &[&[folder("a/"), file("a/../../x")]]),
        row(
            "a name upward in an extended header",
            &["`..` in its name"],
            &[&[pax("13 path=../x\n"), file("a")]],
        ),
        row("an absolute name", &["an absolute name"], &[&[file("/etc/passwd")]]),
        row(
            "a write through a link",
            &["which is a symbolic link"],
            &[&[link("a", "/etc"), file("a/passwd")]],
        ),
        row(
            "the same in two layers",
            &["which is a symbolic link"],
            &[&[link("a", "/etc")], &[file("a/passwd")]],
        ),
        row("a root that is a link", &["no name"], &[&[link("./", "/etc")]]),
        row("a hard link to outside", &["an absolute name"], &[&[entry("a", b'1', "/etc/shadow", b"")]]),
        row("a hard link upward", &["`..` in its name"], &[&[entry("a", b'1', "../x", b"")]]),
        row("a hard link to nothing", &["no file of the image"], &[&[entry("a", b'1', "b", b"")]]),
        row(
            "a hard link through a link",
            &["no file of the image"],
            &[&[link("a", "/etc"), entry("b", b'1', "a/shadow", b"")]],
        ),
        row("a character device", &["a character device"], &[&[entry("a", b'3', "", b"")]]),
        row("a block device", &["a block device"], &[&[entry("a", b'4', "", b"")]]),
        row("a FIFO", &["a FIFO"], &[&[entry("a", b'6', "", b"")]]),
        row("a sparse file", &["a sparse file"], &[&[entry("a", b'S', "", b"")]]),
        row("a name twice", &["is there twice"], &[&[file("a"), file("a")]]),
        row("a name twice, in two spellings", &["is there twice"], &[&[file("a"), file("./a")]]),
        row("a depth without end", &["more components than are allowed"], &[&[deep, file("a")]]),
        row("a file without end", &["bytes in a file"], &[&[huge]]),
    ]
}

/// What is wrong is in the documents, or between them and the blobs.
fn of_documents() -> Vec<Row> {
    let row = |name, says, files| Row { name, says, files, layers: Vec::new() };
    let image = |change: &dyn Fn(&mut Files, &mut Value, &mut Value)| Files::image(change);
    let layer_name = |manifest: &Value| {
        manifest["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/")
    };
    let long = "[".repeat(200_000);
    let bomb = zstd_bomb(1024);
    let mut climbing_index = Files::image(|_, _, _| ());
    let text = String::from_utf8(climbing_index.0["index.json"].clone()).unwrap();
    let (_, rest) = text.split_once("sha256:").unwrap();
    climbing_index.0.insert("index.json".into(), text.replace(&rest[..64], "../../x").into_bytes());
    vec![
        row(
            "a layer of another length",
            &["expected 1 bytes"],
            image(&|_, manifest, _| manifest["layers"][0]["size"] = 1.into()),
        ),
        row(
            "a configuration of another length",
            &["expected 1 bytes"],
            image(&|_, manifest, _| manifest["config"]["size"] = 1.into()),
        ),
        row(
            "another layer of the same length",
            &["expected sha256:", "expected blobs/sha256/"],
            image(&|files, manifest, _| drop(files.0.insert(layer_name(manifest), tar(&[file("b")])))),
        ),
        row(
            "a layer that the configuration doesn't know",
            &["a tar with sha256:"],
            image(&|files, manifest, _| {
                manifest["layers"][0] = files.blob("layer.v1.tar", &tar(&[file("b")]))
            }),
        ),
        row(
            "a layer more than the configuration has",
            &["the image has 2 layers"],
            image(&|_, manifest, _| {
                let layer = manifest["layers"][0].clone();
                manifest["layers"].as_array_mut().unwrap().push(layer);
            }),
        ),
        row(
            "a digest that is a path",
            &["is not a digest"],
            image(&|_, manifest, _| manifest["layers"][0]["digest"] = "sha256:../../x".into()),
        ),
        row(
            "a configuration's digest that is a path",
            &["is not a digest"],
            image(&|_, manifest, _| manifest["config"]["digest"] = "sha256:../../x".into()),
        ),
        row("a manifest's digest that is a path", &["is not a digest"], climbing_index),
        row(
            "a manifest that is an index too",
            &["both an index and a manifest"],
            image(&|_, manifest, _| manifest["manifests"] = json!([])),
        ),
        row(
            "a manifest with a name in two spellings",
            &["which some readers take for"],
            image(&|_, manifest, _| manifest["Layers"] = json!([])),
        ),
        row(
            "a configuration with a name in two spellings",
            &["which some readers take for"],
            image(&|files, manifest, _| {
                let config =
                    br#"{"architecture":"amd64","os":"linux","Rootfs":{"type":"layers","diff_ids":[]}}"#;
                manifest["config"] = files.blob("config.v1+json", config);
            }),
        ),
        row(
            "layers beyond counting",
            &["has 501 layers"],
            image(&|_, manifest, _| manifest["layers"] = vec![manifest["layers"][0].clone(); 501].into()),
        ),
        row(
            "lengths beyond adding",
            &["longer than anything"],
            image(&|_, manifest, _| {
                manifest["layers"] = vec![json!({ "mediaType": manifest["layers"][0]["mediaType"], "digest": manifest["layers"][0]["digest"], "size": u64::MAX }); 2].into()
            }),
        ),
        row(
            "a layer that is no tar",
            &["expected a tar"],
            image(&|_, manifest, _| manifest["layers"][0]["mediaType"] = "text/plain".into()),
        ),
        row(
            "a configuration without end",
            &["expected at most"],
            image(&|_, manifest, _| manifest["config"]["size"] = (1_u64 << 40).into()),
        ),
        row(
            "a configuration that nests without end",
            &["has not the form", "is refused"],
            image(&|files, manifest, _| manifest["config"] = files.blob("config.v1+json", long.as_bytes())),
        ),
        row(
            "a platform that isn't the index's",
            &["is for linux/arm64"],
            image(&|files, manifest, _| {
                let config = configuration(&[tar(&[file("a")])]).replace("amd64", "arm64");
                manifest["config"] = files.blob("config.v1+json", config.as_bytes());
            }),
        ),
        row(
            "128 MiB of zeros in 5 KiB",
            &["it has more than"],
            image(&|files, manifest, _| manifest["layers"][0] = files.blob("layer.v1.tar+zstd", &bomb)),
        ),
    ]
}

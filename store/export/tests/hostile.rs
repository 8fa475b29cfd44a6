//! Layouts and archives that want to do harm: each is refused for what is wrong with it.

#![expect(clippy::unwrap_used, reason = "what a test can't do ends it, in its functions too")]

mod malicious;
mod store;

use malicious::{Files, Row, configuration, digest, entry, file, folder, rows, sum, tar};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use store::{Store, export};
use sx_export::read::{Image, LayerLimits, NodeKind, Packing, ReadError, TarError, Tree, read_layer};
use sx_export::{Compression, Export, Format};

/// Reads layers one upon the other.
fn layers(tars: &[Vec<u8>]) -> Result<Tree, TarError> {
    let mut tree = Tree::default();
    for (number, tar) in tars.iter().enumerate() {
        read_layer(&tar[..], tar.len() as u64, Packing::None, &LayerLimits::default(), &mut tree, number)?;
    }
    Ok(tree)
}

fn refused(entries: &[Vec<u8>]) -> TarError {
    layers(&[tar(entries)]).unwrap_err()
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["../x", "a/../../x", "a/..", "/etc/passwd", "a//b", "a/./b", "./../x"] {
        assert!(matches!(refused(&[file(name)]), TarError::Name { .. }), "{name}");
    }
    assert!(matches!(refused(&[folder("/")]), TarError::Name { .. }));
    for name in ["", ".", "./"] {
        assert!(matches!(refused(&[file(name)]), TarError::Name { .. } | TarError::Header { .. }), "{name}");
    }
    assert!(layers(&[tar(&[folder("./"), folder("./a/"), file("./a/b")])]).is_ok());
    let hidden = entry("x", b'x', "", b"19 path=a\0/etc/pw\n\n");
    assert!(matches!(refused(&[hidden, file("a")]), TarError::Name { .. } | TarError::Header { .. }));
}

#[test]
fn nothing_is_written_through_a_link() {
    let link = entry("a", b'2', "/etc", b"");
    assert!(matches!(refused(&[link.clone(), file("a/passwd")]), TarError::Parent { .. }));
    assert!(matches!(refused(&[file("a"), file("a/passwd")]), TarError::Parent { .. }));
    // In a layer above too, unless it says that there is a directory now.
    let first = tar(&[link]);
    assert!(matches!(layers(&[first.clone(), tar(&[file("a/passwd")])]), Err(TarError::Parent { .. })));
    assert!(layers(&[first, tar(&[folder("a/"), file("a/passwd")])]).is_ok());
    // The root of an image is a directory.
    assert!(matches!(refused(&[entry("./", b'2', "/etc", b"")]), TarError::Name { .. }));
}

#[test]
fn hard_links_lead_to_earlier_files_of_the_image() {
    for target in ["/etc/shadow", "../x", "missing"] {
        let error = refused(&[entry("a", b'1', target, b"")]);
        assert!(matches!(error, TarError::HardLink { .. } | TarError::Name { .. }), "{target}");
    }
    assert!(matches!(refused(&[folder("d/"), entry("a", b'1', "d", b"")]), TarError::HardLink { .. }));
    let tree = layers(&[tar(&[file("a"), entry("b", b'1', "a", b"")])]).unwrap();
    assert_eq!(tree.nodes()[&b"b"[..]], tree.nodes()[&b"a"[..]]);
}

#[test]
fn devices_and_what_is_not_known_are_refused() {
    for kind in [b'3', b'4', b'6', b'S', b'V', b'?'] {
        assert!(matches!(refused(&[entry("x", kind, "", b"")]), TarError::Kind { .. }), "{kind}");
    }
    let sparse = entry("x", b'x', "", b"22 GNU.sparse.major=1\n");
    assert!(matches!(refused(&[sparse, file("a")]), TarError::Header { .. }));
}

#[test]
fn what_is_there_twice_is_refused() {
    for second in [file("a"), folder("a/"), file("./a"), entry("a", b'2', "b", b"")] {
        assert!(matches!(refused(&[file("a"), second]), TarError::Duplicate { .. }));
    }
    let twice = entry("x", b'x', "", b"9 path=a\n9 path=b\n");
    assert!(matches!(refused(&[twice, file("c")]), TarError::Header { .. }));
    let everywhere = entry("x", b'g', "", b"9 path=a\n");
    assert!(matches!(refused(&[everywhere, file("c")]), TarError::Header { .. }));
}

#[test]
fn broken_tars_are_refused() {
    let whole = tar(&[file("a")]);
    for length in [1, 511, 512, 513, 1023, 1024, 1535] {
        let error = layers(&[whole[..length].to_vec()]).unwrap_err();
        assert!(matches!(error, TarError::Truncated(_) | TarError::Read(_)), "{length}: {error:?}");
    }
    let mut changed = whole.clone();
    changed[0] = b'b';
    assert!(matches!(layers(&[changed]), Err(TarError::Header { .. })));
    // A second tar that only some readers would see.
    assert!(matches!(layers(&[[whole.clone(), tar(&[file("b")])].concat()]), Err(TarError::Trailing)));
    let mut endless = file("a");
    endless[124..136].copy_from_slice(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
    sum(&mut endless);
    assert!(matches!(refused(&[endless]), TarError::Limit { .. }));
    let mut number = file("a");
    number[124..136].copy_from_slice(b"0000000008\0\0");
    sum(&mut number);
    assert!(matches!(refused(&[number]), TarError::Header { .. }));
}

#[test]
fn whiteouts_hide_what_lies_below_and_nothing_else() {
    let first = tar(&[folder("a/"), file("a/b"), file("a/c"), file("d")]);
    let names = |second: &[Vec<u8>]| {
        let tree = layers(&[first.clone(), tar(second)]).unwrap();
        tree.nodes().keys().map(|name| String::from_utf8(name.clone()).unwrap()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[file("a/.wh.b")]), "a a/c d");
    assert_eq!(names(&[file(".wh.a")]), "d");
    assert_eq!(names(&[file("a/x"), file("a/.wh..wh..opq")]), "a a/x d");
    assert_eq!(names(&[entry("a", b'2', "d", b"")]), "a d");
    for name in [".wh.", ".wh..", ".wh..."] {
        assert!(matches!(refused(&[file(name)]), TarError::Name { .. }), "{name}");
    }
}

#[test]
fn bombs_go_off_early() {
    let packed = |packing: Packing, length: usize| {
        let mut bytes = entry("zeros", b'0', "", &[]);
        bytes[124..136].copy_from_slice(format!("{length:011o}\0").as_bytes());
        sum(&mut bytes);
        bytes.resize(512 + length + 1024, 0);
        match packing {
            Packing::Zstd => zstd::bulk::compress(&bytes, 19).unwrap(),
            _ => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                encoder.write_all(&bytes).unwrap();
                encoder.finish().unwrap()
            }
        }
    };
    let read = |blob: &[u8], packing, limits: &LayerLimits| {
        read_layer(blob, blob.len() as u64, packing, limits, &mut Tree::default(), 0)
    };
    // 128 MiB of zeros: allowed in gzip, which can't hide more, and too much for so little zstd.
    let small = LayerLimits { unpacked_bytes: 1 << 20, ..LayerLimits::default() };
    for packing in [Packing::Gzip, Packing::Zstd] {
        let blob = packed(packing, 4 << 20);
        assert!(read(&blob, packing, &LayerLimits::default()).is_ok());
        assert!(matches!(read(&blob, packing, &small), Err(TarError::Limit { .. })));
    }
    let blob = packed(Packing::Zstd, 128 << 20);
    assert!(matches!(read(&blob, Packing::Zstd, &LayerLimits::default()), Err(TarError::Limit { .. })));
    // A window that would take a gigabyte.
    let mut window = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    window.window_log(30).unwrap();
    window.include_contentsize(false).unwrap();
    window.write_all(&tar(&[file("a")])).unwrap();
    let blob = window.finish().unwrap();
    assert!(matches!(read(&blob, Packing::Zstd, &LayerLimits::default()), Err(TarError::Read(_))));
    // Many entries, and more bytes than the blob was said to have.
    let mut few = LayerLimits::default();
    few.tar.entries = 3;
    let many = tar(&[file("a"), file("b"), file("c"), file("d")]);
    assert!(matches!(read(&many, Packing::None, &few), Err(TarError::Limit { .. })));
    let short = read_layer(&many[..], 1024, Packing::None, &few, &mut Tree::default(), 0);
    assert!(matches!(short, Err(TarError::Limit { .. })));
    few.tar.all_paths_bytes = 2;
    assert!(matches!(read(&many, Packing::None, &few), Err(TarError::Limit { .. })));
    // Something after the packed end.
    for packing in [Packing::Gzip, Packing::Zstd] {
        let blob = [packed(packing, 1), b"more".to_vec()].concat();
        assert!(read(&blob, packing, &LayerLimits::default()).is_err());
    }
}

/// A layout in a folder.
struct Layout(tempfile::TempDir);

impl Layout {
    fn of(files: &Files) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &files.0 {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Self(folder)
    }

    /// An image with one layer, after `change` had its way with manifest and index.
    fn image(change: impl FnOnce(&mut Files, &mut serde_json::Value, &mut serde_json::Value)) -> Self {
        Self::of(&Files::image(change))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn read(&self) -> Result<Tree, ReadError> {
        read(self.path())
    }
}

/// The tar of an OCI archive.
fn archive(files: &Files) -> Vec<u8> {
    let entry = |(name, bytes): (&String, &Vec<u8>)| entry(name, b'0', "", bytes);
    tar(&files.0.iter().map(entry).collect::<Vec<_>>())
}

/// What `docker save` makes of the same layers.
fn docker(tars: &[Vec<u8>]) -> Files {
    let names: Vec<String> = (0..tars.len()).map(|at| format!("{at}.tar")).collect();
    let manifest =
        serde_json::json!([{ "Config": "config.json", "RepoTags": ["test/x:1"], "Layers": names }]);
    let mut files = Files(names.into_iter().zip(tars.iter().cloned()).collect());
    files.0.insert("config.json".into(), configuration(tars).into_bytes());
    files.0.insert("manifest.json".into(), manifest.to_string().into_bytes());
    files
}

fn read(path: &Path) -> Result<Tree, ReadError> {
    Ok(Image::open(path, None)?.tree(&LayerLimits::default())?.0)
}

fn text(error: &dyn Error) -> String {
    error.source().map_or(error.to_string(), |source| format!("{error}: {}", text(source)))
}

#[test]
fn an_honest_layout_is_read() {
    let tree = Layout::image(|_, _, _| ()).read().unwrap();
    assert!(matches!(tree.nodes()[&b"a"[..]].kind, NodeKind::File { size_bytes: 1, .. }));
}

#[test]
fn links_for_blobs_and_documents_are_refused() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), tar(&[file("a")])).unwrap();
    let layout = Layout::image(|_, _, _| ());
    let blob = layout.path().join("blobs/sha256").join(digest(&tar(&[file("a")])));
    fs::remove_file(&blob).unwrap();
    symlink(outside.path(), &blob).unwrap();
    assert!(matches!(layout.read(), Err(ReadError::File { .. })));
    fs::remove_file(&blob).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &blob, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    assert!(matches!(layout.read(), Err(ReadError::Missing { .. })));
    // The folder of blobs, and the first document of all.
    for name in ["blobs", "index.json"] {
        let (layout, elsewhere) = (Layout::image(|_, _, _| ()), Layout::image(|_, _, _| ()));
        fs::rename(layout.path().join(name), layout.path().join("aside")).unwrap();
        symlink(elsewhere.path().join(name), layout.path().join(name)).unwrap();
        assert!(matches!(layout.read(), Err(ReadError::File { .. })), "{name}");
    }
}

/// Each of them in a folder and in an archive, and what is wrong with layers in a docker archive too.
#[test]
fn every_malicious_image_is_refused_for_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let archived = |files: &Files| {
        fs::write(&path, archive(files)).unwrap();
        read(&path)
    };
    for Row { name, says, files, layers } in rows() {
        let docker = (!layers.is_empty()).then(|| archived(&docker(&layers)));
        for found in [Layout::of(&files).read(), archived(&files)].into_iter().chain(docker) {
            let found = text(&found.expect_err(name));
            assert!(says.iter().any(|says| found.contains(says)), "{name}: {found}");
        }
    }
    // Without what is wrong it is read.
    let honest = [tar(&[file("a")])];
    assert!(archived(&Files::image(|_, _, _| ())).is_ok() && archived(&docker(&honest)).is_ok());
}

/// What is wrong is in the archive itself, not in its layers.
#[test]
fn malicious_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let honest = Files::image(|_, _, _| ());
    let whole = archive(&honest);
    let begin = whole.len() - 1024;
    for (more, says) in [
        (file("../x"), "`..` in its name"),
        (file("/etc/passwd"), "an absolute name"),
        (file("index.json"), "is there twice"),
        (file("./index.json"), "is there twice"),
        (entry("x", b'3', "", b""), "a character device"),
        (entry("x", b'6', "", b""), "a FIFO"),
        (entry("x", b'S', "", b""), "a sparse file"),
        (vec![7; 512], "its checksum"),
    ] {
        fs::write(&path, [&whole[..begin], &more, &[0; 1024]].concat()).unwrap();
        let found = text(&read(&path).expect_err(says));
        assert!(found.contains(says), "{says}: {found}");
    }
    for length in [begin + 5, begin - 600, 700] {
        fs::write(&path, &whole[..length]).unwrap();
        let found = read(&path);
        assert!(matches!(found, Err(ReadError::Archive { .. })), "{length}: {found:?}");
    }
    // A link in the place of a document or a blob is not followed, wherever it leads.
    for name in honest.0.keys().filter(|name| *name != "oci-layout") {
        for kind in [b'1', b'2'] {
            let mut files = honest.clone();
            files.0.remove(name);
            files.0.insert("elsewhere".into(), honest.0[name].clone());
            let whole = archive(&files);
            let link = entry(name, kind, "elsewhere", b"");
            fs::write(&path, [&whole[..whole.len() - 1024], &link, &[0; 1024]].concat()).unwrap();
            let found = read(&path);
            assert!(
                matches!(found, Err(ReadError::Missing { .. } | ReadError::NoImage(_))),
                "{name}: {found:?}"
            );
        }
    }
    // Names of files in a docker archive are those of its members, and no paths.
    let mut files = docker(&[tar(&[file("a")])]);
    let manifest = String::from_utf8(files.0["manifest.json"].clone()).unwrap();
    files.0.insert("manifest.json".into(), manifest.replace("config.json", "../../etc/passwd").into_bytes());
    fs::write(&path, archive(&files)).unwrap();
    assert!(matches!(read(&path), Err(ReadError::Missing { .. })));
}

/// A document that is named often isn't read so often that time or memory end.
#[test]
fn an_index_that_names_much_is_refused() {
    let layout = Layout::image(|files, manifest, index| {
        manifest["annotations"] = serde_json::json!({ "long": "x".repeat(1 << 20) });
        let named = files.blob("manifest.v1+json", manifest.to_string().as_bytes());
        index["manifests"] = vec![named; 100].into();
    });
    assert!(matches!(layout.read(), Err(ReadError::Documents { .. })));
}

#[test]
fn of_several_images_one_is_named() {
    let layout = Layout::image(|layout, manifest, index| {
        let mut other = manifest.clone();
        other["annotations"] = serde_json::json!({ "a": "b" });
        let mut other = layout.blob("manifest.v1+json", other.to_string().as_bytes());
        other["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": "other:1" });
        index["manifests"].as_array_mut().unwrap().push(other);
    });
    assert!(text(&layout.read().unwrap_err()).contains("other:1"));
    assert!(Image::open(layout.path(), Some("other:1")).is_ok());
    assert!(matches!(Image::open(layout.path(), Some("none:1")), Err(ReadError::Unknown { .. })));
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for bytes in [&b""[..], b"text", &[0; 2000], &tar(&[file("a")])] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(Image::open(&path, None), Err(ReadError::NoImage(_))), "{}", bytes.len());
    }
    assert!(matches!(Image::open(folder.path(), None), Err(ReadError::NoImage(_))));
    fs::write(&path, tar(&[file("index.json"), file("index.json")])).unwrap();
    assert!(matches!(Image::open(&path, None), Err(ReadError::Archive { .. })));
}

/// Archives of ours, with one byte after the other changed: refused, or the same image.
#[test]
fn no_changed_byte_goes_unnoticed_or_makes_it_panic() {
    let store = Store::new();
    let object = || {
        store.object("program-1.0", |location| {
            if !location.exists() {
                fs::write(location, "x".repeat(300)).unwrap();
            }
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let mut seen = BTreeMap::new();
    for (format, compression) in [
        (Format::Archive, Compression::Gzip),
        (Format::Archive, Compression::Zstd),
        (Format::Docker, Compression::None),
    ] {
        Export { format, compression, ..export(vec![object()]) }.write(&path).unwrap();
        let read = || -> Result<_, ReadError> {
            let image = Image::open(&path, None)?;
            let (tree, lengths) = image.tree(&LayerLimits::default())?;
            Ok((image.image_id, tree, lengths))
        };
        let bytes = fs::read(&path).unwrap();
        let honest = read().unwrap();
        for place in (0..bytes.len()).step_by(5) {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            fs::write(&path, &changed).unwrap();
            match read() {
                // A docker archive's configuration has no digest that anything else names.
                Ok((id, tree, lengths)) if format == Format::Docker => {
                    assert_eq!((&tree, &lengths), (&honest.1, &honest.2), "byte {place}");
                    *seen.entry("docker").or_insert(0) += usize::from(id != honest.0);
                }
                Ok(found) => assert_eq!(found, honest, "{format:?} {compression:?} byte {place}"),
                Err(_) => *seen.entry("refused").or_insert(0) += 1,
            }
        }
    }
    assert!(seen["refused"] > 500, "{seen:?}");
}

/// The text of a store path of its own for each name, without the leading slash.
fn store_path(name: &str) -> String {
    let path = sx_derivation::StorePath::new(sx_derivation::Digest::of(name.as_bytes()), name).unwrap();
    path.to_string()[1..].to_owned()
}

#[test]
fn of_an_image_store_paths_are_unpacked_and_nothing_else() {
    let (one, two) = (store_path("one"), store_path("two"));
    let layout = Layout::of(&Files::image_of(
        &[
            tar(&[folder("sx/"), folder("sx/store/"), folder(&one), file(&format!("{one}/a")), file("etc")]),
            tar(&[folder("sx/"), folder("sx/store/"), entry(&two, b'2', "/etc/passwd", b"")]),
        ],
        |_, _, _| (),
    ));
    let place = tempfile::tempdir().unwrap();
    let image = Image::open(layout.path(), None).unwrap();
    let paths = image.unpack_store(&LayerLimits::default(), place.path()).unwrap();
    let texts: Vec<_> = paths.iter().map(|path| path.to_string()[1..].to_owned()).collect();
    assert!(texts.len() == 2 && texts.contains(&one) && texts.contains(&two), "{texts:?}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
    let below = |path: &str| place.path().join(path.rsplit('/').next().unwrap());
    assert_eq!(fs::read(below(&one).join("a")).unwrap(), b"x");
    assert_eq!(fs::read_link(below(&two)).unwrap(), Path::new("/etc/passwd"));
}

#[test]
fn what_unpacking_would_lead_elsewhere_is_refused() {
    let (one, two) = (store_path("one"), store_path("two"));
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let link = || entry(&one, b'2', target, b"");
    let store = || [folder("sx/"), folder("sx/store/")].concat();
    let below = |path: &str| format!("{path}/a");
    for layers in [
        // Through a link, in the same layer and in another.
        vec![tar(&[store(), link(), file(&below(&one))])],
        vec![tar(&[store(), link()]), tar(&[file(&below(&one))])],
        vec![tar(&[store(), link()]), tar(&[folder(&one), file(&below(&one))])],
        // Over what another layer has.
        vec![tar(&[store(), folder(&one), file(&below(&one))]), tar(&[file(&below(&one))])],
        vec![tar(&[store(), folder(&one), file(&below(&one))]), tar(&[entry(&one, b'2', "x", b"")])],
        // Names that are no store path's.
        vec![tar(&[store(), file("sx/store/a")])],
        vec![tar(&[store(), file("sx/store/.wh.a")])],
        vec![tar(&[store(), folder(&one)]), tar(&[file("sx/store/.wh..wh..opq")])],
        // What objects never have.
        vec![tar(&[store(), file(&one), entry(&two, b'1', &one, b"")])],
        vec![tar(&[store(), entry(&one, b'6', "", b"")])],
        // A file of which the directory isn't there.
        vec![tar(&[file(&below(&one))])],
    ] {
        let layout = Layout::of(&Files::image_of(&layers, |_, _, _| ()));
        let place = tempfile::tempdir().unwrap();
        let image = Image::open(layout.path(), None).unwrap();
        let refused = image.unpack_store(&LayerLimits::default(), place.path());
        assert!(matches!(refused, Err(ReadError::Layer { .. })), "{refused:?}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

//! A folder of objects, as a store has them.

use std::collections::BTreeSet;
use std::path::Path;
use sx_derivation::{Digest, StorePath};
use sx_export::{Compression, Export, Format, ImageConfig, Layout, Object, Reference, Root};

pub struct Store(tempfile::TempDir);

impl Store {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// An object called `name`, made by `make` at its location.
    pub fn object(&self, name: &str, make: impl FnOnce(&Path)) -> Object {
        let path = StorePath::new(Digest::of(name.as_bytes()), name).unwrap();
        let location = self.folder().join(path.base_name());
        make(&location);
        Object { path, location, references: BTreeSet::new(), size_bytes: 1 }
    }
}

pub fn export(objects: Vec<Object>) -> Export {
    let program = objects.last().map(|object| object.path.to_string());
    let config = ImageConfig {
        entrypoint: program.into_iter().collect(),
        env: [("A".into(), "b".into())].into(),
        labels: [("org.opencontainers.image.title".into(), "tiny".into())].into(),
        working_dir: Some("/".into()),
        user: Some("65534:65534".into()),
        exposed_ports: ["80".into()].into(),
        ..ImageConfig::default()
    };
    let reference: Reference = "sx/tiny:1.0".parse().unwrap();
    let roots = objects.last().map(|object| Root::new(object.path.clone()));
    Export {
        objects,
        roots: roots.into_iter().collect(),
        files: Vec::new(),
        layout: Layout::Store,
        reference,
        config,
        annotations: Default::default(),
        bill: Default::default(),
        attached: Default::default(),
        compression: Compression::Gzip,
        level: None,
        format: Format::Archive,
        threads: std::num::NonZeroUsize::MIN,
        cache: None,
    }
}

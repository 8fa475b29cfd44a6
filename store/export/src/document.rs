//! The JSON documents of an image. Fields are written in the order in which they stand here, maps sorted.
//!
//! Every time in them is that of the entries of layers: an image says nothing about when it was exported.
//! (A missing time is allowed by the specification, but clients show the year 1 for it.)

use crate::config::ImageConfig;
use crate::digest::Sha256Digest;
use crate::reference::Reference;
use serde::Serialize;
use std::collections::BTreeMap;

/// [`crate::header::MODIFICATION_TIME`] as documents spell it.
pub(crate) const CREATED: &str = "1970-01-01T00:00:01Z";
pub(crate) const ARCHITECTURE: &str = "amd64";
pub(crate) const SYSTEM: &str = "linux";

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const GZIP_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const ZSTD_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// The configuration of what has none.
pub(crate) const EMPTY: &[u8] = b"{}";

/// Content of `oci-layout`.
pub(crate) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// A blob by its type, digest and length.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    media_type: &'static str,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    /// What is attached, if it is no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<&'static str>,
}

#[derive(Clone, Serialize)]
struct Platform {
    architecture: &'static str,
    os: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'static str>,
    config: Descriptor,
    layers: &'a [Descriptor],
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
struct Image<'a> {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    config: Runtime<'a>,
    rootfs: RootFileSystem,
    history: Vec<History>,
}

/// What [`ImageConfig`] is called in an image.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Runtime<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<String, Nothing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cmd: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    volumes: BTreeMap<String, Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<&'a str>,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct RootFileSystem {
    r#type: &'static str,
    diff_ids: Vec<String>,
}

#[derive(Serialize)]
struct History {
    created: &'static str,
    created_by: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: [String; 1],
    layers: Vec<String>,
}

/// A layer as the documents need it.
pub(crate) struct LayerSummary {
    pub(crate) diff_id: Sha256Digest,
    /// The store paths in it, separated by spaces, or what else it is.
    pub(crate) title: String,
}

pub(crate) fn layer(media_type: &'static str, digest: Sha256Digest, size: u64) -> Descriptor {
    let digest = digest.to_string();
    Descriptor { media_type, digest, size, annotations: BTreeMap::new(), platform: None, artifact_type: None }
}

/// The image's configuration; its digest is the image's id.
pub(crate) fn image(config: &ImageConfig, layers: &[LayerSummary]) -> Vec<u8> {
    let port = |port: &String| if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
    let runtime = Runtime {
        user: config.user.as_deref(),
        exposed_ports: config.exposed_ports.iter().map(|text| (port(text), Nothing {})).collect(),
        env: config.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        entrypoint: &config.entrypoint,
        cmd: &config.cmd,
        volumes: config.volumes.iter().map(|folder| (folder.clone(), Nothing {})).collect(),
        working_dir: config.working_dir.as_deref(),
        labels: &config.labels,
        stop_signal: config.stop_signal.as_deref(),
    };
    let diff_ids = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let history =
        layers.iter().map(|layer| History { created: CREATED, created_by: layer.title.clone() }).collect();
    json(&Image {
        created: CREATED,
        architecture: ARCHITECTURE,
        os: SYSTEM,
        config: runtime,
        rootfs: RootFileSystem { r#type: "layers", diff_ids },
        history,
    })
}

/// An image's manifest; `annotations` are for people who look at a registry.
pub(crate) fn manifest(
    config: &[u8],
    layers: &[Descriptor],
    annotations: &BTreeMap<String, String>,
) -> Vec<u8> {
    let config = layer(CONFIG_TYPE, Sha256Digest::of(config), config.len() as u64);
    json(&Manifest {
        schema_version: 2,
        media_type: MANIFEST_TYPE,
        artifact_type: None,
        config,
        layers,
        subject: None,
        annotations: annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
    })
}

/// The manifest of something that is attached to the image with the manifest `subject`.
pub(crate) fn artifact(artifact_type: &'static str, blob: Descriptor, subject: &[u8]) -> Vec<u8> {
    json(&Manifest {
        schema_version: 2,
        media_type: MANIFEST_TYPE,
        artifact_type: Some(artifact_type),
        config: layer(EMPTY_TYPE, Sha256Digest::of(EMPTY), EMPTY.len() as u64),
        layers: &[blob],
        subject: Some(layer(MANIFEST_TYPE, Sha256Digest::of(subject), subject.len() as u64)),
        annotations: BTreeMap::from([("org.opencontainers.image.created", CREATED)]),
    })
}

/// `index.json`: the image, then what is attached to it. Podman and skopeo take the name from the first annotation,
/// containerd from the second.
pub(crate) fn index(manifest: &[u8], reference: &Reference, attached: Vec<Descriptor>) -> Vec<u8> {
    let mut descriptor = layer(MANIFEST_TYPE, Sha256Digest::of(manifest), manifest.len() as u64);
    descriptor.annotations = BTreeMap::from([
        ("org.opencontainers.image.ref.name", reference.to_string()),
        ("io.containerd.image.name", reference.with_registry()),
    ]);
    descriptor.platform = Some(Platform { architecture: ARCHITECTURE, os: SYSTEM });
    let manifests = [descriptor].into_iter().chain(attached).collect();
    json(&Index { schema_version: 2, media_type: INDEX_TYPE, manifests })
}

/// `manifest.json`, which makes the archive a docker archive: names of files in the archive.
pub(crate) fn docker_manifest(config: String, layers: Vec<String>, reference: &Reference) -> Vec<u8> {
    json(&[DockerManifest { config, repo_tags: [reference.to_string()], layers }])
}

pub(crate) fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("this holds because the documents have only text keys")
}

//! `sx image show`

use super::super::General;
use super::super::quantity::show_bytes;
use super::{Looker, Looking, Seen, short};
use crate::failure::Failure;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use sx_export::read::NodeKind;

/// Show an image's layers and their sizes, what a container runs, and what is attached
///
/// Every digest is compared; an image that isn't what its documents say, or that could do harm where it is unpacked, is
/// refused.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// A file, a folder, HOST/NAME:TAG, or an attribute such as pkgs.hello
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Which image of the file or folder, if it has several
    #[arg(long)]
    name: Option<String>,
    /// List all files with their sizes
    #[arg(long)]
    files: bool,
    #[command(flatten)]
    looking: Looking,
}

/// Width of the longest bar, in characters.
const BAR: u64 = 24;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    reference: Option<&'a str>,
    manifest_digest: Option<String>,
    image_id: String,
    platform: String,
    /// Of all layers' blobs.
    size_bytes: u64,
    /// Of all layers' tars.
    unpacked_bytes: u64,
    config: &'a serde_json::Value,
    layers: Vec<LayerReport<'a>>,
    attachments: Vec<AttachmentReport<'a>>,
    files: Vec<FileReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerReport<'a> {
    title: Option<&'a str>,
    digest: Option<String>,
    diff_id: String,
    size_bytes: u64,
    unpacked_bytes: u64,
    /// Places in the image that are this layer's.
    entries: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentReport<'a> {
    artifact_type: &'a str,
    digest: String,
    size_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileReport {
    path: String,
    size_bytes: u64,
    mode: String,
    layer: usize,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let looker = &Looker::new(general, &[&arguments.image])?;
    arguments.looking.see(looker, &arguments.image, arguments.name.as_deref(), |seen| {
        let report = report(seen, arguments.files);
        if arguments.looking.json { looker.print_json(&report) } else { looker.print(&picture(&report)) }
    })
}

fn report(seen: &Seen, with_files: bool) -> Report<'_> {
    let image = &seen.image;
    let nodes = seen.tree.nodes();
    let layers: Vec<_> = (image.layers.iter().zip(&seen.unpacked_bytes).enumerate())
        .map(|(number, (layer, unpacked_bytes))| LayerReport {
            title: layer.title.as_deref(),
            digest: layer.digest.map(|digest| digest.to_string()),
            diff_id: layer.diff_id.to_string(),
            size_bytes: layer.size_bytes,
            unpacked_bytes: *unpacked_bytes,
            entries: nodes.values().filter(|node| node.layer == number).count(),
        })
        .collect();
    let files = nodes.iter().filter(|_| with_files).map(|(path, node)| FileReport {
        path: format!("/{}", String::from_utf8_lossy(path)),
        size_bytes: if let NodeKind::File { size_bytes, .. } = node.kind { size_bytes } else { 0 },
        mode: format!("{:04o}", node.mode),
        layer: node.layer + 1,
    });
    Report {
        reference: image.reference.as_deref(),
        manifest_digest: image.manifest_digest.map(|digest| digest.to_string()),
        image_id: image.image_id.to_string(),
        platform: image.platform.to_string(),
        size_bytes: layers.iter().map(|layer| layer.size_bytes).sum(),
        unpacked_bytes: layers.iter().map(|layer| layer.unpacked_bytes).sum(),
        config: &image.config,
        attachments: image
            .attachments
            .iter()
            .map(|attachment| AttachmentReport {
                artifact_type: &attachment.artifact_type,
                digest: attachment.digest.to_string(),
                size_bytes: attachment.blobs.iter().map(|blob| blob.size).sum(),
            })
            .collect(),
        layers,
        files: files.collect(),
    }
}

fn picture(report: &Report<'_>) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing to a text can't fail.
        let _ = writeln!(text, "{line}");
    };
    let plain = |text: &str| text.chars().filter(|character| !character.is_control()).collect::<String>();
    line(format!(
        "{}  {}  {} packed, {} unpacked, {} layers",
        plain(report.reference.unwrap_or("(no name)")),
        plain(&report.platform),
        show_bytes(report.size_bytes),
        show_bytes(report.unpacked_bytes),
        report.layers.len()
    ));
    if let Some(digest) = &report.manifest_digest {
        line(format!("manifest   {digest}"));
    }
    line(format!("image id   {}", report.image_id));
    for field in ["Entrypoint", "Cmd", "Env", "User", "WorkingDir", "ExposedPorts", "Volumes", "Labels"] {
        if let Some(value) = report.config.get(field).filter(|value| !value.is_null()) {
            line(format!("{:<10} {}", field.to_lowercase(), plain(&value.to_string())));
        }
    }
    let largest = report.layers.iter().map(|layer| layer.size_bytes).max().unwrap_or_default().max(1);
    for (number, layer) in report.layers.iter().enumerate() {
        // At least one, so that every layer is seen.
        let length = (layer.size_bytes.saturating_mul(BAR) / largest).max(1) as usize;
        let bar = "█".repeat(length);
        let size = show_bytes(layer.size_bytes);
        let width = BAR as usize;
        line(format!("{:>4} {bar:<width$} {size:>10}  {}", number + 1, short(layer.title)));
    }
    for attachment in &report.attachments {
        let size = show_bytes(attachment.size_bytes);
        line(format!("attached   {} {size}, {}", plain(attachment.artifact_type), attachment.digest));
    }
    for file in &report.files {
        line(format!("{} {:>10} {:>4} {}", file.mode, file.size_bytes, file.layer, plain(&file.path)));
    }
    text.truncate(text.trim_end().len());
    text
}

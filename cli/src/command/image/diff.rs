//! `sx image diff`

use super::super::General;
use super::super::quantity::show_bytes;
use super::{Looker, Looking, Seen, short};
use crate::failure::{Failure, Kind};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use sx_export::Sha256Digest;
use sx_export::read::{Layer, Node, NodeKind};

/// Compare two images: layers, files, configuration, and what a pull of the second transfers to who has the first
///
/// Exit code 1 if a container would see a difference.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// A file, a folder, HOST/NAME:TAG, or an attribute such as pkgs.hello
    #[arg(value_name = "IMAGE")]
    first: String,
    /// Likewise
    #[arg(value_name = "IMAGE")]
    second: String,
    #[command(flatten)]
    looking: Looking,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// Layers that both have, by the digest of their tars.
    shared_layers: usize,
    /// Lengths of the second's blobs that the first hasn't.
    transferred_bytes: u64,
    /// Lengths of all of the second's blobs.
    size_bytes: u64,
    /// Of the second.
    new_layers: Vec<LayerReport>,
    /// Fields of the configuration that differ.
    config: BTreeMap<String, [Value; 2]>,
    files: Vec<FileReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerReport {
    title: Option<String>,
    diff_id: String,
    size_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileReport {
    path: String,
    change: Change,
    first_bytes: Option<u64>,
    second_bytes: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Change {
    Added,
    Removed,
    Content,
    /// Kind, permissions or owner.
    Attributes,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    let looker = &Looker::new(general, &[&arguments.first, &arguments.second])?;
    let looking = &arguments.looking;
    let report = looking.see(looker, &arguments.first, None, |first| {
        looking.see(looker, &arguments.second, None, |second| Ok(compare(first, second)))
    })?;
    if looking.json {
        looker.print_json(&report)?;
    } else {
        looker.print(&text(&report))?;
    }
    if report.files.is_empty() && report.config.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Kind::No, "the images differ"))
}

fn compare(first: &Seen, second: &Seen) -> Report {
    let blob = |layer: &Layer| layer.digest.unwrap_or(layer.diff_id);
    let blobs: BTreeSet<Sha256Digest> = first.image.layers.iter().map(blob).collect();
    let tars: BTreeSet<Sha256Digest> = first.image.layers.iter().map(|layer| layer.diff_id).collect();
    let new = second.image.layers.iter().filter(|layer| !tars.contains(&layer.diff_id));
    let transferred = second.image.layers.iter().filter(|layer| !blobs.contains(&blob(layer)));
    let (old, now) = (first.tree.nodes(), second.tree.nodes());
    let mut files = Vec::new();
    for path in old.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (old.get(path), now.get(path));
        let Some(change) = change(before, after) else { continue };
        let size = |node: Option<&Node>| match node.map(|node| &node.kind) {
            Some(NodeKind::File { size_bytes, .. }) => Some(*size_bytes),
            _ => None,
        };
        files.push(FileReport {
            path: format!("/{}", String::from_utf8_lossy(path)),
            change,
            first_bytes: size(before),
            second_bytes: size(after),
        });
    }
    Report {
        shared_layers: second.image.layers.iter().filter(|layer| tars.contains(&layer.diff_id)).count(),
        transferred_bytes: transferred.map(|layer| layer.size_bytes).sum(),
        size_bytes: second.image.layers.iter().map(|layer| layer.size_bytes).sum(),
        new_layers: new
            .map(|layer| LayerReport {
                title: layer.title.clone(),
                diff_id: layer.diff_id.to_string(),
                size_bytes: layer.size_bytes,
            })
            .collect(),
        config: config(&first.image.config, &second.image.config),
        files,
    }
}

fn change(before: Option<&Node>, after: Option<&Node>) -> Option<Change> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(_)) => return Some(Change::Added),
        (Some(_), None) => return Some(Change::Removed),
        (None, None) => return None,
    };
    let attributes = |node: &Node| (node.mode, node.uid, node.gid);
    match (&before.kind, &after.kind) {
        (NodeKind::File { digest, .. }, NodeKind::File { digest: other, .. }) if digest != other => {
            Some(Change::Content)
        }
        (NodeKind::File { .. }, NodeKind::File { .. }) | (NodeKind::Directory, NodeKind::Directory) => {
            (attributes(before) != attributes(after)).then_some(Change::Attributes)
        }
        // The permissions of a link mean nothing.
        (NodeKind::Symlink(target), NodeKind::Symlink(other)) => (target != other).then_some(Change::Content),
        _ => Some(Change::Attributes),
    }
}

/// Fields that differ, each with both values; null where there is none.
fn config(first: &Value, second: &Value) -> BTreeMap<String, [Value; 2]> {
    let names =
        |value: &Value| value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>();
    let all: BTreeSet<String> = names(first).into_iter().chain(names(second)).collect();
    let of = |value: &Value, name: &str| value.get(name).cloned().unwrap_or(Value::Null);
    let pairs = all.into_iter().map(|name| ([of(first, &name), of(second, &name)], name));
    pairs.filter(|([first, second], _)| first != second).map(|(pair, name)| (name, pair)).collect()
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!(
        "layers: {} shared, {} new; a pull of the second transfers {} of {}",
        report.shared_layers,
        report.new_layers.len(),
        show_bytes(report.transferred_bytes),
        show_bytes(report.size_bytes)
    )];
    let plain = |text: &str| text.chars().filter(|character| !character.is_control()).collect::<String>();
    for layer in &report.new_layers {
        lines.push(format!("  new {:>10}  {}", show_bytes(layer.size_bytes), short(layer.title.as_deref())));
    }
    for (name, [first, second]) in &report.config {
        lines.push(format!(
            "config {}: {} -> {}",
            plain(name),
            plain(&first.to_string()),
            plain(&second.to_string())
        ));
    }
    for file in &report.files {
        let mark = match file.change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Content => '*',
            Change::Attributes => 'm',
        };
        let size = match (file.first_bytes, file.second_bytes) {
            (Some(first), Some(second)) if first != second => {
                format!(" ({} -> {})", show_bytes(first), show_bytes(second))
            }
            (Some(size), _) | (_, Some(size)) => format!(" ({})", show_bytes(size)),
            _ => String::new(),
        };
        lines.push(format!("{mark} {}{size}", plain(&file.path)));
    }
    lines.join("\n")
}

//! Where an image has what: the objects of its closure, links to their programs, given files.
//!
//! | layout | layers, in order |
//! |---|---|
//! | store | the objects at their store paths, see [`crate::plan`]; `bin/` with a link for each program in the roots' `bin/` |
//! | root | each root's tree at `/`; a root that is a file at `bin/<name>` |
//! | both | the files that the image's expression gives |
//!
//! A layer that would be empty isn't there. Changing anything here changes images.

use crate::cache::Key;
use crate::content::{Content, Modes, names};
use crate::error::ExportError;
use crate::export::{Export, Layout, Object, Proof, Root};
use crate::plan;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use sx_derivation::StorePath;
use sx_derivation::store_path::STORE_FOLDER;

/// What will be a layer.
pub(crate) struct Part {
    /// What the image's history calls it.
    pub(crate) title: String,
    /// The objects in it.
    pub(crate) store_paths: Vec<StorePath>,
    /// Everything in it.
    pub(crate) content: Content,
    /// What names its bytes, if they are made of objects alone.
    pub(crate) key: Option<Key>,
}

impl Part {
    /// Proves the objects in it.
    pub(crate) fn prove(&self, prove: &Proof<'_>) -> Result<(), ExportError> {
        self.store_paths.iter().try_for_each(|path| prove(path).map_err(ExportError::Unproved))
    }
}

/// What becomes of the closure, in the image's order.
pub(crate) fn parts(export: &Export) -> Result<Vec<Part>, ExportError> {
    for object in &export.objects {
        if let Err(error) = std::fs::symlink_metadata(&object.location) {
            return Err(match error.kind() {
                std::io::ErrorKind::NotFound => ExportError::MissingObject {
                    path: object.path.clone(),
                    location: object.location.clone(),
                },
                _ => ExportError::read(&object.location, error),
            });
        }
    }
    let mut parts = match export.layout {
        Layout::Store => store(export)?,
        Layout::Root => root(export)?,
    };
    let mut given = Content::default();
    for file in &export.files {
        given.merge(file.content()?, b"")?;
    }
    if !export.files.is_empty() {
        parts.push(Part { title: "files".into(), store_paths: Vec::new(), content: given, key: None });
    }
    Ok(parts)
}

/// All parts as one tree; refuses what is in two of them.
pub(crate) fn merged(parts: &[Part]) -> Result<Content, ExportError> {
    let mut whole = Content::default();
    for (at, part) in parts.iter().enumerate() {
        whole.merge(part.content.clone(), b"").map_err(|error| match error {
            ExportError::Conflict { path, .. } => {
                let before = parts[..at].iter().rev().find(|before| before.content.has(&path));
                let first = before.map_or_else(|| part.title.clone(), |before| before.title.clone());
                ExportError::Conflict { path, between: [first, part.title.clone()] }
            }
            error => error,
        })?;
    }
    Ok(whole)
}

fn store(export: &Export) -> Result<Vec<Part>, ExportError> {
    let mut links = Vec::new();
    for root in &export.roots {
        let object = object(export, &root.path)?;
        let mut content = Content::default();
        for name in programs(&object.location)? {
            let link = [b"bin/", name.as_bytes()].concat();
            let target = [object.path.to_string().as_bytes(), b"/", &link].concat();
            content.merge(Content::Symlink { target }.at(&link), b"")?;
        }
        links.push(Part { title: root.path.to_string(), store_paths: Vec::new(), content, key: None });
    }
    let links = merged(&links)?;
    let has_links = matches!(&links, Content::Directory { entries, .. } if !entries.is_empty());
    let layers = plan::layers(export.objects.clone(), if has_links { 1 } else { 0 });
    let mut parts = Vec::new();
    for objects in layers {
        let mut content = Content::default();
        for object in &objects {
            let path = object.path.to_string();
            content.merge(tree(object, Modes::Store).at(path.as_bytes()), b"")?;
        }
        let store_paths: Vec<_> = objects.iter().map(|object| object.path.clone()).collect();
        let title = objects.iter().map(|object| object.path.to_string()).collect::<Vec<_>>().join(" ");
        let owner = objects.first().map(|object| object.path.digest().to_string());
        let key = owner.map(|owner| Key { owner, text: format!("store {title}") });
        parts.push(Part { title, store_paths, content, key });
    }
    if has_links {
        parts.push(Part { title: "links".into(), store_paths: Vec::new(), content: links, key: None });
    }
    Ok(parts)
}

fn root(export: &Export) -> Result<Vec<Part>, ExportError> {
    for object in &export.objects {
        if let Some(reference) = object.references.first() {
            return Err(ExportError::StoreReference {
                holder: object.path.to_string(),
                reference: reference.to_string(),
            });
        }
    }
    let parts = export.roots.iter().map(|root| {
        let object = object(export, &root.path)?;
        let tree = tree(object, Modes::Root);
        let metadata = std::fs::symlink_metadata(&object.location);
        let metadata = metadata.map_err(|error| ExportError::read(&object.location, error))?;
        let content = if metadata.is_dir() {
            let mut content = Content::default();
            content.merge(tree, b"")?;
            content
        } else {
            tree.at(format!("bin/{}", root.name).as_bytes())
        };
        let title = root.path.to_string();
        let key = Key { owner: root.path.digest().to_string(), text: format!("root {} {title}", root.name) };
        let key = Some(key);
        Ok(Part { store_paths: vec![root.path.clone()], title, content, key })
    });
    parts.collect()
}

/// Replaces store paths of `roots` in a text of the image's configuration by where a merged root has them.
pub(crate) fn in_root(export: &Export, text: &str, holder: &str) -> Result<String, ExportError> {
    let mut text = text.to_owned();
    for root in &export.roots {
        let path = root.path.to_string();
        let location = &object(export, &root.path)?.location;
        let place = if std::fs::symlink_metadata(location).is_ok_and(|found| found.is_dir()) {
            text = text.replace(&format!("{path}/"), "/");
            "/".into()
        } else {
            format!("/bin/{}", root.name)
        };
        text = text.replace(&path, &place);
    }
    let mark = format!("{STORE_FOLDER}/");
    match text.find(&mark) {
        Some(at) => {
            let end = |character: char| !(character.is_ascii_alphanumeric() || "+-._?=".contains(character));
            let rest = &text[at + mark.len()..];
            let base = rest.split(end).next().unwrap_or_default();
            Err(ExportError::StoreReference { holder: holder.into(), reference: format!("{mark}{base}") })
        }
        None => Ok(text),
    }
}

fn object<'a>(export: &'a Export, path: &StorePath) -> Result<&'a Object, ExportError> {
    let found = export.objects.iter().find(|object| object.path == *path);
    found.ok_or_else(|| ExportError::ForeignRoot { path: path.clone() })
}

fn tree(object: &Object, modes: Modes) -> Content {
    Content::Tree { location: object.location.clone(), modes }
}

/// What is in the folder `bin` of an object; nothing if there is none.
fn programs(location: &Path) -> Result<Vec<std::ffi::OsString>, ExportError> {
    let folder = location.join("bin");
    let is_folder = std::fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir());
    if is_folder { names(&folder) } else { Ok(Vec::new()) }
}

impl Root {
    /// A package whose name is the store path's, without what looks like a version.
    pub fn new(path: StorePath) -> Self {
        let name = path.name();
        let dashes = name.match_indices('-').map(|(at, _)| at);
        let version = dashes
            .into_iter()
            .find(|at| name[at + 1..].bytes().next().is_some_and(|byte| byte.is_ascii_digit()));
        let name = version.map_or(name, |at| &name[..at]).to_owned();
        Self { path, name }
    }
}

impl Content {
    /// Whether something stands at `path` of the image.
    fn has(&self, path: &Path) -> bool {
        let mut content = self;
        let mut components = path.strip_prefix("/").unwrap_or(path).components();
        while let Some(component) = components.next() {
            content = match content {
                Self::Directory { entries, .. } => match entries.get(component.as_os_str().as_bytes()) {
                    Some(below) => below,
                    None => return false,
                },
                Self::Tree { location, .. } => {
                    let mut below = location.join(component);
                    // Not joined with an empty rest, which would ask for a directory.
                    below.extend(components);
                    return std::fs::symlink_metadata(below).is_ok();
                }
                Self::File { .. } | Self::Symlink { .. } => return false,
            };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sx_derivation::Digest;

    #[test]
    fn a_package_is_named_without_its_version() {
        let name = |text: &str| Root::new(StorePath::new(Digest::of(b""), text).unwrap()).name;
        assert_eq!(name("hello-1.0"), "hello");
        assert_eq!(name("gcc-c-13.2-dev"), "gcc-c");
        assert_eq!(name("tcc2"), "tcc2");
    }
}

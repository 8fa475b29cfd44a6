//! Copies of inputs in memory whose folders list their files in the opposite order of what the originals do.
//!
//! A file system in memory lists what was made last first, or what was made first, as the kernel's version has it; the
//! sandbox's first process looks which, and makes files in the order that comes out opposite. Here is only listed what to make.

use super::process::{Reader, Writer};
use super::view::c_string;
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use sx_derivation::StorePath;
use sx_derivation::store_path::STORE_FOLDER;

/// What to make. All paths of originals are relative to the folder that they lie in, all others the builder's.
#[derive(Debug)]
pub(super) struct Reversed {
    /// The copies, each a mount.
    pub(super) objects: Vec<CString>,
    /// Folder by folder, each after the one that holds it.
    pub(super) folders: Vec<Folder>,
}

/// A folder, and what it holds in the order in which the original lists it.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) place: CString,
    pub(super) entries: Vec<Entry<'static>>,
}

#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) place: Cow<'a, CStr>,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Folder,
    File { original: Cow<'a, CStr>, mode: u32 },
    Link { target: Cow<'a, CStr> },
}

impl Reversed {
    /// The first object; then each folder with its entries in this order, and in the opposite one.
    pub(super) fn write(&self, plan: &mut Writer) {
        plan.text(self.objects.first().map_or(c"", |object| object));
        for folder in &self.folders {
            plan.text(&folder.place);
            plan.part(|part| folder.entries.iter().for_each(|entry| entry.write(part)));
            plan.part(|part| folder.entries.iter().rev().for_each(|entry| entry.write(part)));
        }
    }
}

impl<'a> Entry<'a> {
    fn write(&self, plan: &mut Writer) {
        plan.text(&self.place);
        match &self.kind {
            Kind::Folder => plan.number(0),
            Kind::File { original, mode } => {
                plan.number(1);
                plan.text(original);
                plan.number((*mode).into());
            }
            Kind::Link { target } => {
                plan.number(2);
                plan.text(target);
            }
        }
    }

    pub(super) fn read(plan: &mut Reader<'a>) -> Self {
        let place = Cow::Borrowed(plan.text());
        let kind = match plan.number() {
            0 => Kind::Folder,
            1 => Kind::File { original: Cow::Borrowed(plan.text()), mode: plan.number() as u32 },
            _ => Kind::Link { target: Cow::Borrowed(plan.text()) },
        };
        Self { place, kind }
    }
}

/// Lists objects that are folders in `originals`; `None` if there are none.
pub(super) fn list(originals: &Path, objects: &[&StorePath]) -> io::Result<Option<Reversed>> {
    if objects.is_empty() {
        return Ok(None);
    }
    let mut folders = Vec::new();
    for path in objects {
        let mut open = vec![(originals.join(path.base_name()), PathBuf::from(path.to_string()))];
        while let Some((original, place)) = open.pop() {
            let mut entries = Vec::new();
            for entry in fs::read_dir(&original)? {
                let entry = entry?;
                let (original, place) = (entry.path(), place.join(entry.file_name()));
                let found = entry.file_type()?;
                let kind = if found.is_dir() {
                    open.push((original, place.clone()));
                    Kind::Folder
                } else if found.is_symlink() {
                    Kind::Link { target: c_string(&fs::read_link(&original)?).into() }
                } else {
                    let mode = entry.metadata()?.permissions().mode() & 0o777;
                    let below = original.strip_prefix(originals).unwrap_or(&original);
                    Kind::File { original: c_string(below).into(), mode }
                };
                entries.push(Entry { place: c_string(&place).into(), kind });
            }
            folders.push(Folder { place: c_string(&place), entries });
        }
    }
    let objects = objects.iter().map(|path| c_string(Path::new(&path.to_string()))).collect();
    debug_assert!(folders.iter().all(|folder| folder.place.as_bytes().starts_with(STORE_FOLDER.as_bytes())));
    Ok(Some(Reversed { objects, folders }))
}

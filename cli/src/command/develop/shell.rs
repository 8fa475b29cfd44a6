//! Which shell a person gets where a package is built.

use super::super::chosen;
use super::{Arguments, profile};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::temporary::Temporary;
use bstr::{BString, ByteSlice};
use std::path::Path;
use sx_derivation::StorePath;
use sx_derivation::store_path::STORE_FOLDER;
use sx_store::site::Site;

/// Where shells lie in packages, the better one first.
const PLACES: [&str; 2] = ["bin/bash", "bin/sh"];

/// Finds a shell, as a path in the builder's view, into which it is brought if it isn't there.
pub fn choose(session: &Session, arguments: &Arguments, site: &mut Site) -> Result<BString, Failure> {
    if let Some(wanted) = &arguments.shell {
        let path = named(session, arguments, wanted)?;
        site.sandbox.inputs.extend(session.store().closure([&path])?);
        return in_object(site, &path).ok_or_else(|| {
            Failure::new(Kind::Usage, format!("`{path}` has no shell: neither {}", PLACES.join(" nor ")))
        });
    }
    if profile::is_shell(&site.sandbox.program) {
        return Ok(site.sandbox.program.clone());
    }
    let variable = site.sandbox.environment.get(b"SHELL".as_bstr());
    if let Some(shell) = variable.filter(|shell| is_there(site, shell)) {
        return Ok(shell.clone());
    }
    if let Some(shell) = site.derivation.input_sources.iter().find_map(|input| in_object(site, input)) {
        return Ok(shell);
    }
    let message = format!("`{}` is built without a shell", site.derivation.name);
    Err(Failure::new(Kind::Usage, message)
        .hint("name one: `--shell bootstrap.bash`, or a static program of the host: `--shell /bin/busybox`"))
}

/// The object that the user names as a shell, made of a program of the host if it is one.
fn named(session: &Session, arguments: &Arguments, wanted: &str) -> Result<StorePath, Failure> {
    let is_of_host = wanted.contains('/') && !Path::new(wanted).starts_with(STORE_FOLDER);
    if is_of_host {
        return of_host(session, Path::new(wanted));
    }
    let mut target = arguments.target.clone();
    target.attribute = Some(wanted.to_owned());
    let building = super::Building { dry_run: false, ..arguments.building.clone() };
    let chosen = chosen::realised(session, &building, &target, &[])?;
    match chosen.as_deref() {
        Some([one]) => Ok(one.path.clone()),
        _ => Err(Failure::new(Kind::Usage, format!("`{wanted}` is not one package"))),
    }
}

/// A program of the host as an object: a builder's view has no other files. Programs that are several in one know by this name
/// that they are to be a shell.
fn of_host(session: &Session, program: &Path) -> Result<StorePath, Failure> {
    let failed = |error: std::io::Error| Failure::io("read the shell", program, &error);
    let folder = Temporary::new(session.store())?;
    std::fs::create_dir_all(folder.join("bin")).map_err(failed)?;
    std::fs::copy(program, folder.join("bin/sh")).map_err(failed)?;
    Ok(session.store().add_source(&folder, "host-shell", None)?)
}

/// A shell in an object that is in view.
fn in_object(site: &Site, path: &StorePath) -> Option<BString> {
    let shells = PLACES.map(|place| BString::from(format!("{path}/{place}")));
    shells.into_iter().find(|shell| is_there(site, shell))
}

/// Whether a file is in the builder's view.
fn is_there(site: &Site, file: &BString) -> bool {
    let find = || {
        let below = file.to_path().ok()?.strip_prefix(STORE_FOLDER).ok()?;
        let mut parts = below.components();
        let object = StorePath::parse_base_name(parts.next()?.as_os_str().to_str()?).ok()?;
        let object = site.sandbox.inputs.get(&object)?;
        let location = site.sandbox.objects.join(object.base_name()).join(parts.as_path());
        std::fs::symlink_metadata(location).ok()
    };
    find().is_some()
}

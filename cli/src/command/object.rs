//! Objects of the store as the user names them.

use crate::failure::{Failure, Kind};
use crate::session::Session;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use sx_derivation::StorePath;
use sx_store::{Store, StoreError};

/// Reads `/sx/store/<digest>-<name>`, that with more below it, or a file on disk that lies in an object, such as a link
/// `result`. The object has to be valid; it is held.
pub fn named(session: &Session, text: impl AsRef<OsStr>) -> Result<StorePath, Failure> {
    named_in(session.store(), text)
}

/// The same in any store.
pub fn named_in(store: &Store, text: impl AsRef<OsStr>) -> Result<StorePath, Failure> {
    let path = path_in(store, text)?;
    if store.hold(&path)? {
        return Ok(path);
    }
    if path.is_derivation() {
        let failure = Failure::new(Kind::Usage, format!("`{path}` is a derivation, not an object"));
        let output = store.database().realisation(&path, "out").map_err(StoreError::from)?;
        return Err(match output {
            Some(output) => failure.hint(format!("it was realised to `{output}`")),
            None => {
                failure.hint("name the package that it is of, or an output; `sx log` takes derivations too")
            }
        });
    }
    let failure = Failure::new(Kind::Host, format!("`{path}` is not in the store"));
    Err(failure.hint("realise the package that it is an output of"))
}

/// The same, whether or not there is such an object.
pub fn path_in(store: &Store, text: impl AsRef<OsStr>) -> Result<StorePath, Failure> {
    let text = text.as_ref();
    parse(store, text).ok_or_else(|| {
        let message = format!("{} is no store path and does not lead to one", quoted(text));
        let failure = Failure::new(Kind::Usage, message);
        failure.hint("`sx realise ATTRIBUTE` prints a package's store path")
    })
}

/// Fails if the files of a valid object are gone.
pub fn require_there(store: &Store, path: &StorePath) -> Result<(), Failure> {
    if store.is_there(path) {
        return Ok(());
    }
    let failure = Failure::new(Kind::Damage, format!("`{path}` is valid, but its file is missing"));
    Err(failure.hint("`sx store verify --repair` brings it back, if it can be made again"))
}

/// The bytes of a name in hexadecimal, if they are no text and so not told by it.
pub fn hex_of(name: &OsStr) -> Option<String> {
    let hex = || name.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    name.to_str().is_none().then(hex)
}

/// A name as it is; in quotation marks and escaped if bytes of it are no text, or characters that can't be seen. No two look alike.
pub fn shown(name: &OsStr) -> String {
    escaped(name).unwrap_or_else(|| name.display().to_string())
}

/// The same for a sentence, with backticks around a name that is as it is.
pub fn quoted(name: &OsStr) -> String {
    escaped(name).unwrap_or_else(|| format!("`{}`", name.display()))
}

/// In quotation marks, if it can't be shown as it is.
fn escaped(name: &OsStr) -> Option<String> {
    let is_plain = name.to_str().is_some_and(|text| !text.contains(char::is_control));
    (!is_plain).then(|| format!("{name:?}"))
}

fn parse(store: &Store, text: &OsStr) -> Option<StorePath> {
    let first =
        |below: &Path| StorePath::parse_base_name(below.components().next()?.as_os_str().to_str()?).ok();
    if let Ok(below) = Path::new(text).strip_prefix(sx_derivation::store_path::STORE_FOLDER) {
        return first(below);
    }
    let store = std::fs::canonicalize(store.folder().join("store")).ok()?;
    // The last link of a chain is the object itself when the object is a link.
    let mut place = std::path::absolute(text).ok()?;
    for _ in 0..40 {
        let folder = std::fs::canonicalize(place.parent()?).ok()?;
        place = folder.join(place.file_name()?);
        if let Ok(below) = place.strip_prefix(&store) {
            return first(below);
        }
        place = folder.join(std::fs::read_link(&place).ok()?);
    }
    None
}

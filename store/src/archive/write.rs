//! A tree to its archive.

use super::MAGIC;
use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why a tree has no archive, or it can't be written.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// Not to be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A device, FIFO or socket.
    #[error("`{0}` is neither file, directory nor symbolic link, so no archive holds it")]
    BadKind(PathBuf),
    /// It has more or fewer bytes than it had a moment ago.
    #[error("`{0}` changed while it was read")]
    Changed(PathBuf),
    /// Nobody takes the archive.
    #[error("cannot write the archive")]
    Write(#[source] std::io::Error),
}

/// Something left to write.
enum Step {
    Node(PathBuf),
    /// An entry of a folder, and its name.
    Entry(PathBuf),
    Words(&'static [&'static str]),
}

/// Writes the archive of the tree at `location`. Iterative: no nesting exhausts the stack.
pub fn dump(location: &Path, output: &mut impl Write) -> Result<(), DumpError> {
    write_string(output, MAGIC).map_err(DumpError::Write)?;
    let mut open = vec![Step::Node(location.to_owned())];
    while let Some(step) = open.pop() {
        match step {
            Step::Words(list) => words(output, list)?,
            Step::Entry(path) => {
                words(output, &["entry", "(", "name"])?;
                let name = path.file_name().unwrap_or_default().as_bytes();
                write_string(output, name).map_err(DumpError::Write)?;
                words(output, &["node"])?;
                open.extend([Step::Words(&[")"]), Step::Node(path)]);
            }
            Step::Node(path) => {
                let unread = |source| DumpError::Read { path: path.clone(), source };
                let found = std::fs::symlink_metadata(&path).map_err(unread)?;
                words(output, &["(", "type"])?;
                if found.is_dir() {
                    words(output, &["directory"])?;
                    let entries = std::fs::read_dir(&path).map_err(unread)?;
                    let mut paths = Vec::new();
                    for entry in entries {
                        paths.push(entry.map_err(unread)?.path());
                    }
                    paths.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
                    open.push(Step::Words(&[")"]));
                    open.extend(paths.into_iter().rev().map(Step::Entry));
                } else if found.is_symlink() {
                    words(output, &["symlink", "target"])?;
                    let target = std::fs::read_link(&path).map_err(unread)?;
                    write_string(output, target.as_os_str().as_bytes()).map_err(DumpError::Write)?;
                    words(output, &[")"])?;
                } else if found.is_file() {
                    file(&path, &found, output)?;
                    words(output, &[")"])?;
                } else {
                    return Err(DumpError::BadKind(path));
                }
            }
        }
    }
    Ok(())
}

fn file(path: &Path, found: &Metadata, output: &mut impl Write) -> Result<(), DumpError> {
    words(output, &["regular"])?;
    if found.permissions().mode() & 0o100 != 0 {
        words(output, &["executable", ""])?;
    }
    words(output, &["contents"])?;
    output.write_all(&found.len().to_le_bytes()).map_err(DumpError::Write)?;
    let unread = |source| DumpError::Read { path: path.into(), source };
    let mut source = File::open(path).map_err(unread)?;
    let mut buffer = vec![0; 128 * 1024];
    let mut left = found.len();
    loop {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read.map_err(unread)?,
        };
        // One more byte than there was is one too many.
        left = left.checked_sub(count as u64).ok_or_else(|| DumpError::Changed(path.into()))?;
        if count == 0 {
            break;
        }
        output.write_all(&buffer[..count]).map_err(DumpError::Write)?;
    }
    if left > 0 {
        return Err(DumpError::Changed(path.into()));
    }
    output.write_all(padding(found.len())).map_err(DumpError::Write)
}

fn words(output: &mut impl Write, list: &[&str]) -> Result<(), DumpError> {
    list.iter().try_for_each(|word| write_string(output, word.as_bytes())).map_err(DumpError::Write)
}

/// Writes a string as archives have it.
pub fn write_string(output: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    let length = bytes.len() as u64;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(bytes)?;
    output.write_all(padding(length))
}

fn padding(length: u64) -> &'static [u8] {
    &[0; 7][..(length.wrapping_neg() % 8) as usize]
}

//! Attestations as plain files, so that a git repository or a web server can hold them.
//!
//! ```text
//! <derivation>.drv/<output>/<content>/statement.json      the canonical statement: the names above say the same
//!                                     <fingerprint>.asc         a person's detached OpenPGP signature over it
//!                                     <public key>.dsse.json    a machine's envelope with it
//! ```
//!
//! Derivation and content are base names of store paths. A file's own name is only a name: who signed is found in it.
//! Folders of others are read with bounds, links in them are not followed, and nothing is ever replaced.

use crate::keys::Keys;
use crate::machine::MAX_ENVELOPE_BYTES;
use crate::openpgp::MAX_SIGNATURE_BYTES;
use crate::quorum::Verdict;
use crate::statement::{MAX_STATEMENT_BYTES, Statement, StatementError};
use crate::trust::Trust;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use sx_derivation::{Digest, StorePath};

/// Most entries of one folder that are looked at.
pub const MAX_ENTRIES: usize = 100_000;
/// Most signatures of one claim that are looked at.
pub const MAX_SIGNATURES: usize = 256;

const STATEMENT_FILE: &str = "statement.json";

/// A folder of attestations; it need not be there yet.
#[derive(Clone, Debug)]
pub struct Attestations {
    folder: PathBuf,
}

/// A claim and what was found of signatures for it, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed.
    pub statement: Statement,
    /// Names and bytes of files, by name.
    pub signatures: Vec<(String, Vec<u8>)>,
}

/// What became of a claim before a policy.
#[derive(Debug)]
pub struct Judgement {
    /// Whether enough people made the claim.
    pub verdict: Verdict,
    /// Who says that the output was other content: content, and people whose signatures count.
    pub dissent: Vec<(StorePath, Vec<String>)>,
}

/// Why attestations can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AttestationError {
    /// The file system doesn't let us.
    #[error("cannot use `{}`", .path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that isn't of this form.
    #[error("`{}` does not belong in a folder of attestations; expected {expected}", .path.display())]
    Name {
        /// Which.
        path: PathBuf,
        /// What may be there.
        expected: &'static str,
    },
    /// The file says another thing than its place.
    #[error("`{}` is not the statement that its place says", .path.display())]
    Statement {
        /// Which.
        path: PathBuf,
        /// Why not, if it is none at all.
        #[source]
        source: Option<StatementError>,
    },
    /// More bytes or files than there should be.
    #[error("`{}` is too large: at most {allowed} {unit} are allowed", .path.display())]
    Large {
        /// Which.
        path: PathBuf,
        /// How many.
        allowed: usize,
        /// Of what.
        unit: &'static str,
    },
    /// Something else has the name.
    #[error("`{}` is there already, with other bytes", .0.display())]
    Conflict(PathBuf),
}

impl Attestations {
    /// In this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// Adds a signature, as `<signer>.asc` or `<signer>.dsse.json`. Gives its file. A signer's older signature of the same
    /// claim stays as it is, since it says the same.
    pub fn add(&self, statement: &Statement, file: &str, bytes: &[u8]) -> Result<PathBuf, AttestationError> {
        match self.put(statement, file, bytes) {
            Err(AttestationError::Conflict(path)) => Ok(path),
            put => put.map(|(path, _)| path),
        }
    }

    /// Adds a file. Gives its place, and whether there was none.
    fn put(
        &self,
        statement: &Statement,
        file: &str,
        bytes: &[u8],
    ) -> Result<(PathBuf, bool), AttestationError> {
        let folder = self.claim_folder(statement);
        let path = folder.join(file);
        if limit_of(file).is_none() {
            return Err(AttestationError::Name { path, expected: SIGNATURE });
        }
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        write_new(&folder, STATEMENT_FILE, &statement.encode())?;
        let is_new = !path.exists();
        write_new(&folder, file, bytes)?;
        Ok((path, is_new))
    }

    /// All claims about an output of a derivation, by content.
    pub fn claims(&self, derivation: &StorePath, output: &str) -> Result<Vec<Claim>, AttestationError> {
        let folder = self.folder.join(derivation.base_name()).join(output);
        let mut claims = Vec::new();
        for name in entries(&folder, MAX_ENTRIES)? {
            claims.push(read_claim(&folder.join(&name), derivation, output, &name)?);
        }
        Ok(claims)
    }

    /// Whether enough people say that the output was this content, and who says otherwise.
    pub fn judge(
        &self,
        statement: &Statement,
        trust: &Trust,
        keys: &Keys,
    ) -> Result<Judgement, AttestationError> {
        Ok(judge(&self.claims(statement.derivation(), statement.output())?, statement, trust, keys))
    }

    /// Adds a signature from elsewhere, and says whether it is new. Anybody can have called a file as somebody's signature: where
    /// another one has its name, this one has a hash in its own.
    pub fn add_new(&self, statement: &Statement, file: &str, bytes: &[u8]) -> Result<bool, AttestationError> {
        let put = match self.put(statement, file, bytes) {
            Err(AttestationError::Conflict(path)) => {
                let (signer, ending) = file.split_once('.').ok_or(AttestationError::Conflict(path))?;
                let digest = Digest::of(bytes).to_string();
                self.put(statement, &format!("{signer}-{}.{ending}", &digest[..16]), bytes)
            }
            put => put,
        };
        put.map(|(_, is_new)| is_new)
    }

    /// All claims, by derivation and output.
    pub fn all(&self) -> Result<Vec<Claim>, AttestationError> {
        let mut found = Vec::new();
        for derivation in entries(&self.folder, MAX_ENTRIES)? {
            // What git keeps for itself, and a readme.
            if derivation.starts_with('.') || !derivation.ends_with(".drv") {
                continue;
            }
            let folder = self.folder.join(&derivation);
            let path = store_path(&folder, &derivation)?;
            for output in entries(&folder, MAX_ENTRIES)? {
                found.extend(self.claims(&path, &output)?);
            }
        }
        Ok(found)
    }

    /// Copies all claims of another folder into this one; gives how many signatures are new. Everything is read and checked
    /// for its form, not for whose it is, before anything is written. The other way round it exports.
    pub fn import(&self, other: &Self) -> Result<usize, AttestationError> {
        let mut new = 0;
        for Claim { statement, signatures } in other.all()? {
            for (file, bytes) in signatures {
                new += usize::from(self.add_new(&statement, &file, &bytes)?);
            }
        }
        Ok(new)
    }

    fn claim_folder(&self, statement: &Statement) -> PathBuf {
        let folder = self.folder.join(statement.derivation().base_name());
        folder.join(statement.output()).join(statement.content().base_name())
    }
}

/// Judges claims about one output of one derivation, from wherever they are.
pub fn judge(claims: &[Claim], statement: &Statement, trust: &Trust, keys: &Keys) -> Judgement {
    let check = |claim: &Claim| {
        let findings = claim.signatures.iter();
        let findings = findings.map(|(file, bytes)| keys.check_attestation(file, bytes, &claim.statement));
        Verdict::new(trust, trust.for_package(statement.package()), findings.collect())
    };
    let mut verdict = Verdict::new(trust, trust.for_package(statement.package()), Vec::new());
    let mut dissent = Vec::new();
    for claim in claims {
        if claim.statement == *statement {
            verdict = check(claim);
            continue;
        }
        let people = check(claim).people();
        if !people.is_empty() {
            dissent.push((claim.statement.content().clone(), people.into_iter().collect()));
        }
    }
    Judgement { verdict, dissent }
}

const SIGNATURE: &str = "letters, digits and then `.asc` or `.dsse.json`";

fn read_claim(
    folder: &Path,
    derivation: &StorePath,
    output: &str,
    content: &str,
) -> Result<Claim, AttestationError> {
    let content = store_path(folder, content)?;
    let path = folder.join(STATEMENT_FILE);
    let statement = Statement::new(derivation.clone(), output, content)
        .map_err(|error| AttestationError::Statement { path: path.clone(), source: Some(error) })?;
    let bytes = read(&path, MAX_STATEMENT_BYTES)?;
    if bytes != statement.encode() {
        return Err(AttestationError::Statement { path, source: Statement::decode(&bytes).err() });
    }
    let mut signatures = Vec::new();
    for name in entries(folder, MAX_SIGNATURES + 1)? {
        if name == STATEMENT_FILE {
            continue;
        }
        let path = folder.join(&name);
        let Some(allowed) = limit_of(&name) else {
            return Err(AttestationError::Name { path, expected: SIGNATURE });
        };
        signatures.push((name, read(&path, allowed)?));
    }
    Ok(Claim { statement, signatures })
}

/// How long a file of this name may be; `None` if a signature can't have the name.
fn limit_of(name: &str) -> Option<usize> {
    let (signer, allowed) = match name.strip_suffix(".asc") {
        Some(signer) => (signer, MAX_SIGNATURE_BYTES),
        None => (name.strip_suffix(".dsse.json")?, MAX_ENVELOPE_BYTES),
    };
    let is_plain = signer.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    (is_plain && !signer.is_empty() && name.len() <= 200).then_some(allowed)
}

fn store_path(place: &Path, base_name: &str) -> Result<StorePath, AttestationError> {
    let expected = "a store path's base name";
    StorePath::parse_base_name(base_name).map_err(|_| AttestationError::Name { path: place.into(), expected })
}

/// The names in a folder, sorted; none if there is no folder.
fn entries(folder: &Path, allowed: usize) -> Result<Vec<String>, AttestationError> {
    let unreadable = |source| AttestationError::Io { path: folder.into(), source };
    let listing = match fs::symlink_metadata(folder) {
        Ok(found) if !found.is_dir() => {
            return Err(AttestationError::Name { path: folder.into(), expected: "a folder" });
        }
        Ok(_) => fs::read_dir(folder).map_err(unreadable)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in listing {
        let name = entry.map_err(unreadable)?.file_name();
        let bad = |name| AttestationError::Name { path: folder.join(name), expected: "a name in UTF-8" };
        names.push(name.into_string().map_err(bad)?);
        if names.len() > allowed {
            return Err(AttestationError::Large { path: folder.into(), allowed, unit: "files" });
        }
    }
    names.sort();
    Ok(names)
}

/// Reads a regular file.
fn read(path: &Path, allowed: usize) -> Result<Vec<u8>, AttestationError> {
    let found = fs::symlink_metadata(path).map_err(at(path))?;
    if !found.is_file() {
        return Err(AttestationError::Name { path: path.into(), expected: "a regular file" });
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(allowed as u64 + 1).read_to_end(&mut bytes));
    read.map_err(at(path))?;
    if bytes.len() > allowed {
        return Err(AttestationError::Large { path: path.into(), allowed, unit: "bytes" });
    }
    Ok(bytes)
}

/// Makes a file, whole or not at all. One with the same bytes may be there.
fn write_new(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), AttestationError> {
    let path = folder.join(name);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(at(folder))?;
    file.write_all(bytes).map_err(at(&path))?;
    let readable = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    file.as_file().set_permissions(readable).map_err(at(&path))?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            if read(&path, bytes.len()).is_ok_and(|found| found == bytes) {
                Ok(())
            } else {
                Err(AttestationError::Conflict(path))
            }
        }
        Err(error) => Err(at(&path)(error.error)),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> AttestationError {
    let path = path.to_owned();
    move |source| AttestationError::Io { path, source }
}

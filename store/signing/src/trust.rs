//! `trust.toml`: who may sign, and how many of whom it takes.
//!
//! ```toml
//! [people.alice]
//! openpgp = ["keys/alice.asc"]          # files of certificates, beside this one
//! ed25519 = ["ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="]
//! expires = 2027-01-01                  # from that day on nothing of hers counts
//! revoked = "laptop stolen in May"      # nothing of hers counts, whenever it was signed
//!
//! [machines.build-1]                    # signs for its person, so it adds nobody to a quorum
//! person = "alice"
//! ed25519 = ["…"]
//! cpu = "AMD"                           # who made its processor, for `cpu-vendors` below
//!
//! [groups]
//! maintainers = ["alice", "bob", "carol"]
//!
//! [[require]]
//! packages = ["*"]                      # patterns of derivations' names
//! except = ["test-*"]
//! images = ["docker.io/sx"]             # and of images, with what lies below
//! releases = ["distribution"]           # and of names of releases
//! quorum = 2
//! of = "maintainers"
//!
//! [[require]]
//! packages = ["gcc-*"]
//! quorum = 2
//! of = "maintainers"
//! hosts = 2                             # machines of members that signed; what people sign themselves has no host
//! cpu-vendors = 2                       # and makers of their processors
//! ```
//!
//! Every requirement that fits must be met, so that adding one only makes a policy stricter; what none fits is refused.
//! A key belongs to one person: the file is refused if two share one.

use crate::date::Date;
use crate::keys::{Keys, Material, Owner, TrustedKey};
use crate::machine::{MachineError, MachineKey};
use crate::openpgp::{Certificate, MAX_CERTIFICATE_BYTES, OpenPgpError};
use crate::scope::{ImageName, Pattern, Scope};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest `trust.toml` that is read.
pub const MAX_TRUST_BYTES: usize = 1024 * 1024;

/// The file, checked, with the certificates that it names.
#[derive(Clone, Debug)]
pub struct Trust {
    people: BTreeMap<String, Signer>,
    machines: BTreeMap<String, Signer>,
    groups: BTreeMap<String, BTreeSet<String>>,
    requirements: Vec<Requirement>,
}

/// How many of whom, for what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    #[serde(default)]
    packages: Vec<Pattern>,
    #[serde(default)]
    except: Vec<Pattern>,
    #[serde(default)]
    images: Vec<Scope>,
    #[serde(default)]
    releases: Vec<Pattern>,
    /// How many machines of members must have signed.
    #[serde(default)]
    pub hosts: usize,
    /// How many makers of those machines' processors there must be.
    #[serde(default, rename = "cpu-vendors")]
    pub cpu_vendors: usize,
    /// How many people, at least one.
    pub quorum: usize,
    /// The group that they are of.
    #[serde(rename = "of")]
    pub group: String,
}

/// A person, or a machine of one.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    person: String,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) machine_keys: Vec<MachineKey>,
    /// Who made its processor, if it is a machine.
    cpu: Option<String>,
    expires: Option<Date>,
    revoked: Option<String>,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It, or a file of certificates, can't be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Longer than any that is meant.
    #[error("`{}` is longer than {allowed} bytes", .path.display())]
    Long {
        /// Which.
        path: PathBuf,
        /// How long it may be.
        allowed: usize,
    },
    /// Not TOML, or not of this shape.
    #[error("the trust file is wrong: {0}")]
    Toml(String),
    /// A file of certificates holds none, or other things.
    #[error("the certificates of `{signer}` in `{file}` can't be used")]
    Certificates {
        /// Whose.
        signer: String,
        /// Where.
        file: String,
        /// Why.
        #[source]
        source: OpenPgpError,
    },
    /// A machine's key is malformed.
    #[error("the key `{key}` of `{signer}` can't be used")]
    MachineKey {
        /// Whose.
        signer: String,
        /// Which.
        key: String,
        /// Why.
        #[source]
        source: MachineError,
    },
    /// It could never sign.
    #[error("`{0}` has no key; expected `openpgp` or `ed25519`")]
    NoKey(String),
    /// A name that nobody has.
    #[error("{context} names `{name}`, who is not among the people")]
    UnknownPerson {
        /// Where it stands.
        context: String,
        /// The name.
        name: String,
    },
    /// One signature would count twice.
    #[error("the key `{key}` is both of `{first}` and of `{second}`; one person has one")]
    SharedKey {
        /// Its fingerprint.
        key: String,
        /// One owner.
        first: String,
        /// The other.
        second: String,
    },
    /// A requirement names a group that there isn't.
    #[error("a requirement is of group `{0}`, which there is not")]
    UnknownGroup(String),
    /// A requirement that everybody or nobody meets.
    #[error(
        "a requirement asks for {quorum} of group `{group}`, which has {members}; expected 1 to {members}"
    )]
    Quorum {
        /// How many it asks for.
        quorum: usize,
        /// Of whom.
        group: String,
        /// How many they are.
        members: usize,
    },
    /// A requirement for nothing.
    #[error("a requirement of group `{0}` has neither `packages` nor `images` nor `releases`")]
    NoScope(String),
    /// More machines, or makers of processors, than there are.
    #[error("a requirement asks for {needed} {of} of group `{group}`, which has {known}")]
    Diversity {
        /// How many it asks for.
        needed: usize,
        /// Of what.
        of: &'static str,
        /// Of whom.
        group: String,
        /// How many there are.
        known: usize,
    },
    /// Images and releases are signed by people.
    #[error(
        "a requirement of group `{0}` asks for hosts or CPU vendors, which only `packages` can have: those sign what they built"
    )]
    DiversityScope(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    people: BTreeMap<String, SignerDocument>,
    #[serde(default)]
    machines: BTreeMap<String, SignerDocument>,
    groups: BTreeMap<String, BTreeSet<String>>,
    require: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignerDocument {
    person: Option<String>,
    #[serde(default)]
    openpgp: Vec<String>,
    #[serde(default)]
    ed25519: Vec<String>,
    cpu: Option<String>,
    expires: Option<Date>,
    revoked: Option<String>,
}

impl Trust {
    /// Reads the file and the certificates that it names.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let bytes = read(path, MAX_TRUST_BYTES)?;
        let text = String::from_utf8(bytes).map_err(|error| TrustError::Toml(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, |name| read(&folder.join(name), MAX_CERTIFICATE_BYTES))
    }

    /// Reads the text; `read` gives the bytes of the files of certificates that it names.
    pub fn parse(
        text: &str,
        mut read: impl FnMut(&str) -> Result<Vec<u8>, TrustError>,
    ) -> Result<Self, TrustError> {
        let document: Document = toml::from_str(text).map_err(|error| TrustError::Toml(error.to_string()))?;
        let mut trust = Self {
            people: BTreeMap::new(),
            machines: BTreeMap::new(),
            groups: document.groups,
            requirements: document.require,
        };
        for (name, found) in document.people {
            if let Some(person) = &found.person {
                return Err(TrustError::Toml(format!(
                    "the person `{name}` has a `person`, `{person}`; only machines have one"
                )));
            }
            if found.cpu.is_some() {
                return Err(TrustError::Toml(format!(
                    "the person `{name}` has a `cpu`; only machines have one"
                )));
            }
            let signer = Signer::new(&name, name.clone(), found, &mut read)?;
            trust.people.insert(name, signer);
        }
        for (name, found) in document.machines {
            let no_person = || TrustError::Toml(format!("the machine `{name}` has no `person`"));
            let person = found.person.clone().ok_or_else(no_person)?;
            trust.check_person(&person, || format!("the machine `{name}`"))?;
            let signer = Signer::new(&name, person, found, &mut read)?;
            trust.machines.insert(name, signer);
        }
        trust.check_groups()?;
        trust.check_keys()?;
        Ok(trust)
    }

    /// The keys, and whether they count at `now`.
    pub fn keys(&self, now: SystemTime) -> Keys {
        let people = self.people.values().map(|signer| (signer, None));
        let machines = self.machines.iter().map(|(name, signer)| (signer, Some(name.clone())));
        let mut keys = Vec::new();
        for (signer, machine) in people.chain(machines) {
            let owner = Owner { person: signer.person.clone(), machine };
            let fault = signer.fault(now).or_else(|| self.people.get(&signer.person)?.fault(now));
            let persons = signer.certificates.iter().flat_map(|certificate| certificate.keys(now));
            let persons = persons.map(|key| Material::Person(Box::new(key)));
            let machines = signer.machine_keys.iter().map(|key| Material::Machine(*key));
            keys.extend(persons.chain(machines).map(|material| TrustedKey {
                owner: owner.clone(),
                fault: fault.clone(),
                material,
            }));
        }
        Keys::new(keys, now)
    }

    /// The requirements for a package, by its derivation's name without `.drv`.
    pub fn for_package<'a>(&'a self, package: &'a str) -> impl Iterator<Item = &'a Requirement> {
        self.requirements.iter().filter(move |requirement| {
            requirement.packages.iter().any(|pattern| pattern.fits(package))
                && !requirement.except.iter().any(|pattern| pattern.fits(package))
        })
    }

    /// The requirements for a release, by its name.
    pub fn for_release<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Requirement> {
        self.requirements
            .iter()
            .filter(move |requirement| requirement.releases.iter().any(|pattern| pattern.fits(name)))
    }

    /// Who made the processor of a machine.
    pub(crate) fn cpu_of(&self, machine: &str) -> Option<&str> {
        self.machines.get(machine)?.cpu.as_deref()
    }

    /// The requirements for an image.
    pub fn for_image<'a>(&'a self, image: &'a ImageName) -> impl Iterator<Item = &'a Requirement> {
        self.requirements
            .iter()
            .filter(move |requirement| requirement.images.iter().any(|scope| scope.covers(image)))
    }

    /// The scopes of images, each with all requirements for everything in it: its own and those of scopes above.
    pub fn scopes(&self) -> BTreeMap<&Scope, Vec<&Requirement>> {
        let scopes = self.requirements.iter().flat_map(|requirement| &requirement.images);
        let fitting = |scope: &Scope| {
            let fits =
                |requirement: &&Requirement| requirement.images.iter().any(|above| above.contains(scope));
            self.requirements.iter().filter(fits).collect()
        };
        scopes.map(|scope| (scope, fitting(scope))).collect()
    }

    /// The people of a group.
    pub fn members(&self, group: &str) -> &BTreeSet<String> {
        static NOBODY: BTreeSet<String> = BTreeSet::new();
        self.groups.get(group).unwrap_or(&NOBODY)
    }

    /// A person and the machines that sign for them.
    pub(crate) fn signers_of<'a>(&'a self, person: &'a str) -> impl Iterator<Item = &'a Signer> {
        self.people.values().chain(self.machines.values()).filter(move |signer| signer.person == person)
    }

    /// What is wrong with a person at `now`.
    pub(crate) fn fault_of(&self, person: &str, now: SystemTime) -> Option<String> {
        self.people.get(person)?.fault(now)
    }

    /// When the first of the signers that count at `now` expires, as far as this file says.
    pub fn next_expiry(&self, now: SystemTime) -> Option<Date> {
        let signers = self.people.values().chain(self.machines.values());
        signers.filter_map(|signer| signer.expires).filter(|date| date.begin() > now).min()
    }

    fn check_person(&self, name: &str, context: impl Fn() -> String) -> Result<(), TrustError> {
        if self.people.contains_key(name) {
            return Ok(());
        }
        Err(TrustError::UnknownPerson { context: context(), name: name.into() })
    }

    fn check_groups(&self) -> Result<(), TrustError> {
        for (group, members) in &self.groups {
            for member in members {
                self.check_person(member, || format!("the group `{group}`"))?;
            }
        }
        for requirement in &self.requirements {
            let Requirement { quorum, group, packages, images, releases, .. } = requirement;
            let members =
                self.groups.get(group).ok_or_else(|| TrustError::UnknownGroup(group.clone()))?.len();
            if !(1..=members).contains(quorum) {
                return Err(TrustError::Quorum { quorum: *quorum, group: group.clone(), members });
            }
            if packages.is_empty() && images.is_empty() && releases.is_empty() {
                return Err(TrustError::NoScope(group.clone()));
            }
            self.check_diversity(requirement)?;
        }
        Ok(())
    }

    /// Refuses numbers of machines that can't be reached.
    fn check_diversity(&self, requirement: &Requirement) -> Result<(), TrustError> {
        let Requirement { group, hosts, cpu_vendors, images, releases, .. } = requirement;
        if *hosts == 0 && *cpu_vendors == 0 {
            return Ok(());
        }
        if !images.is_empty() || !releases.is_empty() {
            return Err(TrustError::DiversityScope(group.clone()));
        }
        let members = self.members(group);
        let machines = || self.machines.values().filter(|machine| members.contains(&machine.person));
        let vendors: BTreeSet<_> = machines().filter_map(|machine| machine.cpu.as_ref()).collect();
        for (needed, of, known) in
            [(*hosts, "hosts", machines().count()), (*cpu_vendors, "CPU vendors", vendors.len())]
        {
            if needed > known {
                return Err(TrustError::Diversity { needed, of, group: group.clone(), known });
            }
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), TrustError> {
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for signer in self.people.values().chain(self.machines.values()) {
            // When it is asked doesn't matter: only the fingerprints are compared.
            let keys = signer.certificates.iter().flat_map(|found| found.keys(SystemTime::UNIX_EPOCH));
            let keys = keys.map(|key| key.fingerprint());
            for key in keys.chain(signer.machine_keys.iter().map(MachineKey::fingerprint)) {
                match owners.insert(key.clone(), &signer.person) {
                    Some(first) if first != signer.person => {
                        let (first, second) = (first.to_owned(), signer.person.clone());
                        return Err(TrustError::SharedKey { key, first, second });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Signer {
    fn new(
        name: &str,
        person: String,
        document: SignerDocument,
        read: &mut impl FnMut(&str) -> Result<Vec<u8>, TrustError>,
    ) -> Result<Self, TrustError> {
        let mut certificates = Vec::new();
        for file in document.openpgp {
            let found = Certificate::parse_all(&read(&file)?).map_err(|source| TrustError::Certificates {
                signer: name.into(),
                file: file.clone(),
                source,
            })?;
            certificates.extend(found);
        }
        let machine_keys = document.ed25519.into_iter().map(|key| {
            MachineKey::parse(&key).map_err(|source| TrustError::MachineKey {
                signer: name.into(),
                key,
                source,
            })
        });
        let machine_keys: Vec<_> = machine_keys.collect::<Result<_, _>>()?;
        if certificates.is_empty() && machine_keys.is_empty() {
            return Err(TrustError::NoKey(name.into()));
        }
        let SignerDocument { cpu, expires, revoked, .. } = document;
        Ok(Self { person, certificates, machine_keys, cpu, expires, revoked })
    }

    /// What is wrong with the signer at `now`, whatever the keys are.
    pub(crate) fn fault(&self, now: SystemTime) -> Option<String> {
        let revoked = self.revoked.as_ref().map(|reason| format!("the trust file revokes it: {reason}"));
        let expired = self.expires.filter(|date| date.begin() <= now);
        revoked.or_else(|| expired.map(|date| format!("the trust file lets it expire on {date}")))
    }
}

fn read(path: &Path, allowed: usize) -> Result<Vec<u8>, TrustError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(allowed as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|source| TrustError::Read { path: path.into(), source })?;
    if bytes.len() > allowed { Err(TrustError::Long { path: path.into(), allowed }) } else { Ok(bytes) }
}

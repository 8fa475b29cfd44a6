//! The same quorums for podman, skopeo and whatever else uses containers/image, unmodified: `policy.json`, registries.d.
//!
//! In `policy.json` all entries of a scope must hold, and one entry holds if any one of its keys has signed. So "k of n"
//! is a conjunction of disjunctions: one entry for each choice of n−k+1 people, with all keys of theirs. Fewer than k
//! signers leave at least n−k+1 people who did not sign, and so an entry that fails; k signers leave none.
//!
//! Of several scopes tools take the longest alone, so each carries the requirements of those above it. Signers that do not
//! count any more are left out, and a quorum that is then out of reach becomes a refusal. Tools know no expiry but
//! the keys' own: a policy is to be written again when a signer expires.

use crate::trust::{Requirement, Trust};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

/// Most entries of one requirement: 4 of 20 takes 1,140, 10 of 20 would take 167,960.
pub const MAX_ENTRIES: usize = 10_000;

/// In which form images are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// OpenPGP, at this address, such as `file:///srv/signatures`.
    Lookaside(&'a str),
    /// cosign's, with Ed25519 keys, beside the images in their registries. Tools before 2024 take one key for each entry, so
    /// that only "all of them" can be said.
    Cosign,
}

/// The files of a policy, by name; write them into one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPolicy {
    /// `policy.json`.
    pub policy: String,
    /// `registries.d/sx.yaml`, for a place where signatures lie.
    pub registries: String,
    /// `keys/<fingerprint>.pgp` or `.pem`: name and bytes.
    pub keys: BTreeMap<String, Vec<u8>>,
}

/// Why a policy can't be written for tools.
#[derive(Debug, thiserror::Error)]
pub enum ContainerPolicyError {
    /// Nothing to write.
    #[error("no requirement of the trust file has `images`")]
    NoImages,
    /// A member that could never sign.
    #[error("`{0}` has no OpenPGP key, and container tools know no others in a lookaside folder")]
    NoOpenPgp(String),
    /// A member that could never sign in cosign's form.
    #[error("`{0}` has no Ed25519 key, which signatures in cosign's form are made with")]
    NoEd25519(String),
    /// Tools take one key for each entry of that form.
    #[error(
        "{quorum} of {members} can't be said of signatures in cosign's form: everybody must sign, each with one key"
    )]
    Cosign {
        /// How many must sign.
        quorum: usize,
        /// How many keys there are.
        members: usize,
    },
    /// Too many.
    #[error("{quorum} of {members} takes {entries} entries; at most {MAX_ENTRIES} are written")]
    Entries {
        /// How many must sign.
        quorum: usize,
        /// Of how many.
        members: usize,
        /// How many entries that is.
        entries: usize,
    },
    /// A path that JSON can't hold.
    #[error("the folder `{0}` has a name that is not UTF-8")]
    Folder(String),
}

#[derive(Serialize)]
struct Document<'a> {
    default: [Entry; 1],
    transports: BTreeMap<&'a str, BTreeMap<String, Vec<Entry>>>,
}

#[derive(Clone, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
enum Entry {
    #[serde(rename = "reject")]
    Reject,
    #[serde(rename = "signedBy")]
    SignedBy { key_type: &'static str, key_paths: Vec<String>, signed_identity: SignedIdentity },
    #[serde(rename = "sigstoreSigned")]
    SigstoreSigned { key_path: String, signed_identity: SignedIdentity },
}

#[derive(Clone, Serialize)]
struct SignedIdentity {
    r#type: &'static str,
}

impl ContainerPolicy {
    /// For the requirements of `trust` about images, as they are at `now`. `folder`, absolute, is where the files will lie.
    pub fn new(
        trust: &Trust,
        folder: &Path,
        form: Form<'_>,
        now: SystemTime,
    ) -> Result<Self, ContainerPolicyError> {
        let text =
            folder.to_str().ok_or_else(|| ContainerPolicyError::Folder(folder.display().to_string()))?;
        let mut keys = BTreeMap::new();
        let mut scopes = BTreeMap::new();
        let mut registries = String::from("docker:\n");
        for (scope, requirements) in trust.scopes() {
            let mut entries = Vec::new();
            for requirement in requirements {
                let more = match form {
                    Form::Lookaside(_) => entries_of(trust, requirement, text, now, &mut keys)?,
                    Form::Cosign => cosign_entries_of(trust, requirement, text, now, &mut keys)?,
                };
                entries.extend(more);
            }
            scopes.insert(scope.to_string(), entries);
            // JSON texts are YAML too.
            let place = match form {
                Form::Lookaside(address) => format!("lookaside: {}", serde_json::Value::from(address)),
                Form::Cosign => "use-sigstore-attachments: true".into(),
            };
            registries.push_str(&format!("  {}:\n    {place}\n", serde_json::Value::from(scope.to_string())));
        }
        if scopes.is_empty() {
            return Err(ContainerPolicyError::NoImages);
        }
        let document =
            Document { default: [Entry::Reject], transports: BTreeMap::from([("docker", scopes)]) };
        let policy = serde_json::to_string_pretty(&document).expect("a record of texts is always JSON");
        Ok(Self { policy: policy + "\n", registries, keys })
    }
}

fn entries_of(
    trust: &Trust,
    requirement: &Requirement,
    folder: &str,
    now: SystemTime,
    keys: &mut BTreeMap<String, Vec<u8>>,
) -> Result<Vec<Entry>, ContainerPolicyError> {
    let members = trust.members(&requirement.group);
    let members: Vec<&String> =
        members.iter().filter(|person| trust.fault_of(person, now).is_none()).collect();
    let mut paths: Vec<Vec<String>> = Vec::new();
    for person in &members {
        let signers = trust.signers_of(person).filter(|signer| signer.fault(now).is_none());
        let certificates: Vec<_> = signers.flat_map(|signer| &signer.certificates).collect();
        if certificates.is_empty() {
            return Err(ContainerPolicyError::NoOpenPgp(person.to_string()));
        }
        let names: BTreeSet<_> =
            certificates.iter().map(|found| format!("{}.pgp", found.fingerprint())).collect();
        paths.push(names.iter().map(|name| format!("{folder}/keys/{name}")).collect());
        keys.extend(
            certificates.iter().map(|found| (format!("{}.pgp", found.fingerprint()), found.encode())),
        );
    }
    if members.len() < requirement.quorum {
        return Ok(vec![Entry::Reject]);
    }
    let signed_by = |chosen: &[usize]| Entry::SignedBy {
        key_type: "GPGKeys",
        key_paths: chosen.iter().flat_map(|&person| paths[person].iter().cloned()).collect(),
        signed_identity: SignedIdentity { r#type: "matchRepoDigestOrExact" },
    };
    Ok(clauses(requirement.quorum, members.len())?.iter().map(|chosen| signed_by(chosen)).collect())
}

/// One entry for each member, who must all have signed.
fn cosign_entries_of(
    trust: &Trust,
    requirement: &Requirement,
    folder: &str,
    now: SystemTime,
    keys: &mut BTreeMap<String, Vec<u8>>,
) -> Result<Vec<Entry>, ContainerPolicyError> {
    let members = trust.members(&requirement.group);
    let mut entries = Vec::new();
    for person in members {
        let signers = trust.signers_of(person).filter(|signer| signer.fault(now).is_none());
        let of_person: Vec<_> = signers.flat_map(|signer| &signer.machine_keys).collect();
        if trust.fault_of(person, now).is_some() {
            return Ok(vec![Entry::Reject]);
        }
        let [key] = of_person.as_slice() else {
            return Err(match of_person.is_empty() {
                true => ContainerPolicyError::NoEd25519(person.clone()),
                false => {
                    ContainerPolicyError::Cosign { quorum: requirement.quorum, members: of_person.len() }
                }
            });
        };
        let name = format!("{}.pem", key.fingerprint());
        entries.push(Entry::SigstoreSigned {
            key_path: format!("{folder}/keys/{name}"),
            signed_identity: SignedIdentity { r#type: "matchRepoDigestOrExact" },
        });
        keys.insert(name, key.to_pem().into_bytes());
    }
    if requirement.quorum < members.len() {
        return Err(ContainerPolicyError::Cosign { quorum: requirement.quorum, members: members.len() });
    }
    Ok(entries)
}

/// The choices of n−k+1 out of n, in order: `quorum` of `members` is that somebody of each signed.
///
/// `quorum` is 1 to `members`.
fn clauses(quorum: usize, members: usize) -> Result<Vec<Vec<usize>>, ContainerPolicyError> {
    let size = members + 1 - quorum;
    // The product of the first i factors over i! is a binomial coefficient itself, so every division is exact.
    let count = (1..quorum).try_fold(1_usize, |count, i| Some(count.checked_mul(members - i + 1)? / i));
    let entries = count.unwrap_or(usize::MAX);
    if entries > MAX_ENTRIES {
        return Err(ContainerPolicyError::Entries { quorum, members, entries });
    }
    let mut chosen: Vec<usize> = (0..size).collect();
    let mut all = vec![chosen.clone()];
    // The next choice: the last place that can move on does, those after it follow close behind.
    while let Some(place) = (0..size).rev().find(|&place| chosen[place] < members - size + place) {
        chosen[place] += 1;
        for later in place + 1..size {
            chosen[later] = chosen[later - 1] + 1;
        }
        all.push(chosen.clone());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_hold_for_exactly_those_who_are_enough() {
        for members in 1..=8_usize {
            for quorum in 1..=members {
                let clauses = clauses(quorum, members).unwrap();
                for signed in 0..1_u32 << members {
                    let holds =
                        clauses.iter().all(|clause| clause.iter().any(|person| signed >> person & 1 == 1));
                    assert_eq!(
                        holds,
                        signed.count_ones() as usize >= quorum,
                        "{quorum} of {members}: {signed:b}"
                    );
                }
            }
        }
    }

    #[test]
    fn there_are_as_many_clauses_as_choices() {
        assert_eq!(clauses(2, 3).unwrap(), [[0, 1], [0, 2], [1, 2]]);
        assert_eq!(clauses(3, 5).unwrap().len(), 10);
        assert_eq!(clauses(4, 20).unwrap().len(), 1140);
        assert!(matches!(clauses(10, 20), Err(ContainerPolicyError::Entries { entries: 167_960, .. })));
        assert!(clauses(500, 1000).is_err());
    }
}

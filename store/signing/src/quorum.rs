//! Whether enough people signed, and what to tell if not.
//!
//! People are counted, never signatures, keys or machines: whoever signs twice, with two subkeys, or with two machines,
//! is one. Machines, and the makers of their processors, are counted besides where a requirement asks for several.

use crate::keys::Finding;
use crate::trust::{Requirement, Trust};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

/// What became of all requirements.
#[derive(Debug)]
pub struct Verdict {
    /// One for each requirement that fits; none is a refusal.
    pub tallies: Vec<Tally>,
    /// One for each signature that was looked at.
    pub findings: Vec<Finding>,
}

/// What became of one requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The group.
    pub group: String,
    /// How many of it must have signed.
    pub quorum: usize,
    /// Who did.
    pub signed: BTreeSet<String>,
    /// Who did not.
    pub missing: BTreeSet<String>,
    /// What else there must be several of.
    pub diversities: Vec<Diversity>,
}

/// Machines, or makers of processors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversity {
    /// What is counted.
    pub of: &'static str,
    /// How many there must be.
    pub needed: usize,
    /// Which there are.
    pub found: BTreeSet<String>,
}

impl Verdict {
    /// Counts the findings for the requirements.
    pub fn new<'a>(
        trust: &Trust,
        requirements: impl IntoIterator<Item = &'a Requirement>,
        findings: Vec<Finding>,
    ) -> Self {
        let people = people(&findings);
        let tallies = requirements.into_iter().map(|requirement| {
            let members = trust.members(&requirement.group);
            let mut tally = Tally::new(&requirement.group, requirement.quorum, members, &people);
            tally.diversities = diversities(trust, requirement, &findings);
            tally
        });
        let tallies = tallies.collect();
        Self { tallies, findings }
    }

    /// Whether there are requirements, and all are met.
    pub fn is_met(&self) -> bool {
        !self.tallies.is_empty() && self.tallies.iter().all(Tally::is_met)
    }

    /// Whose signatures count, members of the groups or not.
    pub fn people(&self) -> BTreeSet<String> {
        people(&self.findings)
    }
}

impl Tally {
    /// Counts those of `members` who are among `people`.
    pub fn new(group: &str, quorum: usize, members: &BTreeSet<String>, people: &BTreeSet<String>) -> Self {
        Self {
            group: group.into(),
            quorum,
            signed: members.intersection(people).cloned().collect(),
            missing: members.difference(people).cloned().collect(),
            diversities: Vec::new(),
        }
    }

    /// Whether they are enough.
    pub fn is_met(&self) -> bool {
        self.signed.len() >= self.quorum
            && self.diversities.iter().all(|diversity| diversity.found.len() >= diversity.needed)
    }
}

/// Counts machines of members whose signatures count.
fn diversities(trust: &Trust, requirement: &Requirement, findings: &[Finding]) -> Vec<Diversity> {
    let members = trust.members(&requirement.group);
    let owners = findings.iter().filter(|finding| finding.refusal.is_none());
    let owners = owners.filter_map(|finding| finding.owner.as_ref());
    let owners = owners.filter(|owner| members.contains(&owner.person));
    let hosts: BTreeSet<String> = owners.filter_map(|owner| owner.machine.clone()).collect();
    let vendors = hosts.iter().filter_map(|host| trust.cpu_of(host)).map(str::to_owned).collect();
    let all = [("hosts", requirement.hosts, hosts), ("CPU vendors", requirement.cpu_vendors, vendors)];
    let wanted = all.into_iter().filter(|(_, needed, _)| *needed > 0);
    wanted.map(|(of, needed, found)| Diversity { of, needed, found }).collect()
}

/// Who signed, whatever the group.
fn people(findings: &[Finding]) -> BTreeSet<String> {
    let counted = findings.iter().filter(|finding| finding.refusal.is_none());
    counted.filter_map(|finding| Some(finding.owner.as_ref()?.person.clone())).collect()
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |people: &BTreeSet<String>| match people.len() {
            0 => "nobody".to_owned(),
            _ => people.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        let met = if self.is_met() { "met" } else { "not met" };
        let (members, found) = (self.signed.len() + self.missing.len(), self.signed.len());
        let Self { quorum, group, .. } = self;
        write!(formatter, "{met}: {quorum} of the {members} in `{group}` must sign, {found} did: ")?;
        write!(formatter, "signed by {}; not by {}", list(&self.signed), list(&self.missing))?;
        for Diversity { of, needed, found } in &self.diversities {
            write!(formatter, "; {needed} {of} must have signed, {} did: {}", found.len(), list(found))?;
        }
        Ok(())
    }
}

/// A line for each requirement, and one for each signature that doesn't count or counts for nothing more.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if self.tallies.is_empty() {
            writeln!(text, "not met: no requirement of the trust file is about this")?;
        }
        for tally in &self.tallies {
            writeln!(text, "{tally}")?;
        }
        let mut first: BTreeMap<&str, &str> = BTreeMap::new();
        for Finding { file, owner, refusal } in &self.findings {
            let who = owner.as_ref().map(|owner| match &owner.machine {
                Some(machine) => format!("{} (machine {machine})", owner.person),
                None => owner.person.clone(),
            });
            match (refusal, &who, owner) {
                (Some(refusal), Some(who), _) => {
                    writeln!(text, "`{file}` of {who} does not count: {refusal}")?;
                }
                (Some(refusal), None, _) => writeln!(text, "`{file}` does not count: {refusal}")?,
                (None, Some(who), Some(owner)) => match first.insert(&owner.person, file) {
                    Some(other) => {
                        writeln!(
                            text,
                            "`{file}` of {who} counts for nobody more: `{other}` is of the same person"
                        )?;
                    }
                    None => writeln!(text, "`{file}` of {who} counts")?,
                },
                (None, ..) => {}
            }
        }
        formatter.write_str(text.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn distinct_members_are_counted_and_nothing_else(
            quorum in 1_usize..6,
            group in 1_u32..256,
            signatures in proptest::collection::vec(0_u32..10, 0..20),
        ) {
            let name = |bit: u32| format!("p{bit}");
            let members: BTreeSet<String> = (0..8).filter(|bit| group >> bit & 1 == 1).map(name).collect();
            let people: BTreeSet<String> = signatures.iter().copied().map(name).collect();
            let tally = Tally::new("g", quorum, &members, &people);
            let mask = signatures.iter().fold(0_u32, |mask, bit| mask | 1 << bit);
            prop_assert_eq!(tally.is_met(), (mask & group).count_ones() as usize >= quorum);
            prop_assert_eq!(tally.signed.len() + tally.missing.len(), members.len());
        }
    }
}

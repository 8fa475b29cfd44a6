//! Attestations from keys to verdicts.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it says")]

mod people;

use people::{DAY, Life, Person, machine, person, trust};
use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime};
use sx_derivation::{Digest, StorePath};
use sx_signing::attestations::Judgement;
use sx_signing::statement::PAYLOAD_TYPE;
use sx_signing::trust::{Trust, TrustError};
use sx_signing::{Attestations, Statement, Verdict};

fn statement(content: &str) -> Statement {
    let derivation = StorePath::of_derivation("hello-1.0", b"Derive()").unwrap();
    let content = StorePath::new(Digest::of(content.as_bytes()), "hello-1.0").unwrap();
    Statement::new(derivation, "out", content).unwrap()
}

const TWO_OF_THREE: &str = r#"
    [people]
    alice.openpgp = ["alice"]
    bob.openpgp = ["bob"]
    carol.openpgp = ["carol"]
    [machines.builder]
    person = "carol"
    ed25519 = ["KEY"]
    [groups]
    all = ["alice", "bob", "carol"]
    [[require]]
    packages = ["*"]
    quorum = 2
    of = "all"
"#;

struct Scene {
    alice: Person,
    bob: Person,
    trust: Trust,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(bob: Life) -> Self {
        let (alice, bob, carol) =
            (person("alice", Life::Alive), person("bob", bob), person("carol", Life::Alive));
        let text = TWO_OF_THREE.replace("KEY", &machine(1).public().to_string());
        let trust = trust(&text, &[&alice, &bob, &carol]).unwrap();
        Self { alice, bob, trust, folder: tempfile::tempdir().unwrap() }
    }

    fn attestations(&self) -> Attestations {
        Attestations::new(self.folder.path())
    }

    fn sign(&self, person: &Person, file: &str, statement: &Statement) {
        let signature = person.secret.sign_detached(&statement.encode(), SystemTime::now() - DAY).unwrap();
        self.attestations().add(statement, file, &signature).unwrap();
    }

    fn judge_at(&self, now: SystemTime) -> Judgement {
        self.attestations().judge(&statement("x"), &self.trust, &self.trust.keys(now)).unwrap()
    }

    fn verdict(&self) -> Verdict {
        self.judge_at(SystemTime::now()).verdict
    }
}

/// What is told about the signatures, without the tallies.
fn told(verdict: &Verdict) -> String {
    verdict.to_string().lines().skip(verdict.tallies.len()).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_of_three_are_enough_and_fewer_are_not() {
    let scene = Scene::new(Life::Alive);
    assert!(!scene.verdict().is_met());
    scene.sign(&scene.alice, "a.asc", &statement("x"));
    let verdict = scene.verdict();
    assert!(!verdict.is_met());
    assert_eq!(
        verdict.to_string(),
        "not met: 2 of the 3 in `all` must sign, 1 did: signed by alice; not by bob, carol\n`a.asc` of alice counts"
    );
    scene.sign(&scene.bob, "b.asc", &statement("x"));
    assert!(scene.verdict().is_met());
}

#[test]
fn who_signs_twice_counts_once() {
    let scene = Scene::new(Life::Alive);
    scene.sign(&scene.alice, "a.asc", &statement("x"));
    scene.sign(&scene.alice, "b.asc", &statement("x"));
    assert!(!scene.verdict().is_met());
    assert!(
        told(&scene.verdict())
            .contains("`b.asc` of alice counts for nobody more: `a.asc` is of the same person")
    );
}

#[test]
fn a_machine_counts_as_its_person() {
    let scene = Scene::new(Life::Alive);
    let envelope = machine(1).sign(PAYLOAD_TYPE, &statement("x").encode()).encode();
    scene.attestations().add(&statement("x"), "m.dsse.json", &envelope).unwrap();
    assert!(!scene.verdict().is_met());
    assert!(told(&scene.verdict()).contains("`m.dsse.json` of carol (machine builder) counts"));
    scene.sign(&scene.alice, "a.asc", &statement("x"));
    assert!(scene.verdict().is_met());
}

#[test]
fn expired_and_revoked_keys_do_not_count() {
    for (life, reason) in [(Life::Expired, "its key is expired"), (Life::Revoked, "its key is revoked")] {
        let scene = Scene::new(life);
        scene.sign(&scene.alice, "a.asc", &statement("x"));
        scene.sign(&scene.bob, "b.asc", &statement("x"));
        assert!(!scene.verdict().is_met());
        assert!(told(&scene.verdict()).contains(reason), "{}", scene.verdict());
    }
}

#[test]
fn the_trust_file_expires_and_revokes_people() {
    let (alice, bob) = (person("alice", Life::Alive), person("bob", Life::Alive));
    let text = r#"
        [people]
        alice = { openpgp = ["alice"], expires = 2027-01-01 }
        bob = { openpgp = ["bob"], revoked = "laptop stolen" }
        [groups]
        all = ["alice", "bob"]
        [[require]]
        packages = ["*"]
        quorum = 1
        of = "all"
    "#;
    let scene = Scene {
        trust: trust(text, &[&alice, &bob]).unwrap(),
        alice,
        bob,
        folder: tempfile::tempdir().unwrap(),
    };
    scene.sign(&scene.alice, "a.asc", &statement("x"));
    scene.sign(&scene.bob, "b.asc", &statement("x"));
    let expiry = scene.trust.next_expiry(SystemTime::now()).unwrap();
    let before = scene.judge_at(expiry.begin() - DAY).verdict;
    assert!(before.is_met());
    assert!(
        told(&before).contains("`b.asc` of bob does not count: the trust file revokes it: laptop stolen")
    );
    let after = scene.judge_at(expiry.begin()).verdict;
    assert!(!after.is_met());
    assert!(told(&after).contains("the trust file lets it expire on 2027-01-01"), "{after}");
}

#[test]
fn a_signature_of_another_claim_does_not_count() {
    let scene = Scene::new(Life::Alive);
    let other = statement("y").encode();
    let signature = scene.alice.secret.sign_detached(&other, SystemTime::now()).unwrap();
    scene.attestations().add(&statement("x"), "a.asc", &signature).unwrap();
    let envelope = machine(1).sign(PAYLOAD_TYPE, &other).encode();
    scene.attestations().add(&statement("x"), "m.dsse.json", &envelope).unwrap();
    let stranger =
        person("mallory", Life::Alive).secret.sign_detached(&statement("x").encode(), SystemTime::now());
    scene.attestations().add(&statement("x"), "z.asc", &stranger.unwrap()).unwrap();
    scene
        .attestations()
        .add(&statement("x"), "n.dsse.json", &machine(2).sign(PAYLOAD_TYPE, b"").encode())
        .unwrap();
    let verdict = scene.verdict();
    assert!(verdict.people().is_empty());
    let told = told(&verdict);
    for reason in [
        "`a.asc` of alice does not count: it is not a signature of these bytes",
        "`m.dsse.json` of carol (machine builder) does not count: it signs another statement",
        "`z.asc` does not count: nobody in the trust file has the key",
        "`n.dsse.json` does not count: nobody in the trust file has the key",
    ] {
        assert!(told.contains(reason), "{told}");
    }
}

#[test]
fn who_says_otherwise_is_named() {
    let scene = Scene::new(Life::Alive);
    scene.sign(&scene.alice, "a.asc", &statement("x"));
    scene.sign(&scene.bob, "b.asc", &statement("y"));
    let dissent = scene.judge_at(SystemTime::now()).dissent;
    assert_eq!(dissent, [(statement("y").content().clone(), vec!["bob".to_owned()])]);
}

#[test]
fn what_no_requirement_is_about_is_refused() {
    let alice = person("alice", Life::Alive);
    let text = "people.alice.openpgp = ['alice']\ngroups.all = ['alice']\n\
                [[require]]\npackages = ['*']\nexcept = ['hello-*']\nquorum = 1\nof = 'all'\n";
    let trust = trust(text, &[&alice]).unwrap();
    assert!(!Verdict::new(&trust, trust.for_package("hello-1.0"), Vec::new()).is_met());
    assert_eq!(trust.for_package("other-1.0").count(), 1);
}

#[test]
fn a_signature_that_is_changed_anywhere_is_refused_or_still_of_its_person() {
    let scene = Scene::new(Life::Alive);
    let signature =
        scene.alice.secret.sign_detached(&statement("x").encode(), SystemTime::now() - DAY).unwrap();
    let keys = scene.trust.keys(SystemTime::now());
    let mut refused = 0;
    for place in 0..signature.len() {
        let mut changed = signature.clone();
        changed[place] ^= 1;
        let finding = keys.check_attestation("a.asc", &changed, &statement("x"));
        match finding.refusal {
            Some(_) => refused += 1,
            // Armor has white space, and a check sum that says nothing.
            None => assert_eq!(finding.owner.unwrap().person, "alice"),
        }
        assert!(
            keys.check_attestation("a.asc", &signature[..place], &statement("x")).refusal.is_some()
                || place > 200
        );
    }
    assert!(refused > signature.len() / 2, "{refused} of {}", signature.len());
}

#[test]
fn folders_are_imported_whole_and_checked_first() {
    let scene = Scene::new(Life::Alive);
    scene.sign(&scene.alice, "a.asc", &statement("x"));
    scene.sign(&scene.bob, "b.asc", &statement("y"));
    let (target, source) = (tempfile::tempdir().unwrap(), scene.attestations());
    let imported = Attestations::new(target.path());
    assert_eq!(imported.import(&source).unwrap(), 2);
    assert_eq!(imported.import(&source).unwrap(), 0);
    let of = |found: &Attestations| found.claims(statement("x").derivation(), "out").unwrap();
    assert_eq!(of(&imported), of(&source));
}

#[test]
fn a_file_called_as_somebody_s_signature_keeps_no_signature_out() {
    let scene = Scene::new(Life::Alive);
    scene.sign(&scene.alice, "a.asc", &statement("x"));
    scene.sign(&scene.bob, "b.asc", &statement("x"));
    let target = tempfile::tempdir().unwrap();
    let imported = Attestations::new(target.path());
    assert!(imported.add_new(&statement("x"), "a.asc", b"noise").unwrap());
    assert_eq!(imported.import(&scene.attestations()).unwrap(), 2);
    assert_eq!(imported.import(&scene.attestations()).unwrap(), 0);
    let judged = imported.judge(&statement("x"), &scene.trust, &scene.trust.keys(SystemTime::now())).unwrap();
    assert!(judged.verdict.is_met(), "{}", judged.verdict);
}

#[test]
fn foreign_folders_that_lie_are_refused() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("not the statement that its place says", |folder| {
            let path = folder.join("statement.json");
            let text = fs::read_to_string(&path).unwrap().replace("\"out\"", "\"dev\"");
            fs::write(path, text).unwrap();
        }),
        ("cannot use", |folder| fs::remove_file(folder.join("statement.json")).unwrap()),
        ("expected a regular file", |folder| {
            std::os::unix::fs::symlink("/dev/zero", folder.join("z.asc")).unwrap();
        }),
        ("at most 65536 bytes", |folder| fs::write(folder.join("z.asc"), vec![0; 70_000]).unwrap()),
        ("expected letters", |folder| fs::write(folder.join("z.exe"), "").unwrap()),
        ("expected a store path", |folder| fs::rename(folder, folder.with_file_name("x")).unwrap()),
    ];
    for (reason, change) in changes {
        let scene = Scene::new(Life::Alive);
        scene.sign(&scene.alice, "a.asc", &statement("x"));
        let base = |path: &StorePath| path.base_name();
        let folder = scene.folder.path().join(base(statement("x").derivation())).join("out");
        change(&folder.join(base(statement("x").content())));
        let error = Attestations::new(tempfile::tempdir().unwrap().path()).import(&scene.attestations());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}: {reason}");
    }
}

#[test]
fn trust_files_that_would_count_wrongly_are_refused() {
    let alice = person("alice", Life::Alive);
    let parse = |text: &str| trust(text, &[&alice]).unwrap_err();
    let frame = |quorum: &str, more: &str| {
        format!(
            "people.alice.openpgp = ['alice']\n{more}\ngroups.all = ['alice']\n\
             [[require]]\npackages = ['*']\nquorum = {quorum}\nof = 'all'\n"
        )
    };
    assert!(matches!(parse(&frame("0", "")), TrustError::Quorum { quorum: 0, .. }));
    assert!(matches!(parse(&frame("2", "")), TrustError::Quorum { quorum: 2, members: 1, .. }));
    assert!(matches!(parse(&frame("1", "people.bob.openpgp = ['alice']")), TrustError::SharedKey { .. }));
    assert!(matches!(parse(&frame("1", "people.bob.expires = 2027-01-01")), TrustError::NoKey(_)));
    assert!(matches!(parse(&frame("1", "groups.x = ['bob']")), TrustError::UnknownPerson { .. }));
    assert!(matches!(parse(&frame("1", "people.alice.expired = 1")), TrustError::Toml(_)));
    assert!(matches!(parse(&frame("1", "people.alice.expires = 2027-02-30")), TrustError::Toml(_)));
    assert!(matches!(parse(&frame("1", "").replace("'all'", "'none'")), TrustError::UnknownGroup(_)));
    assert!(matches!(parse(&frame("1", "").replace("packages = ['*']", "")), TrustError::NoScope(_)));
}

/// Prints what a thousand attestations before 3 of 5 cost; asserts only that they count.
#[test]
fn a_thousand_attestations_meet_three_of_five() {
    let names = ["a", "b", "c", "d", "e"];
    let people: Vec<Person> = names.iter().map(|name| person(name, Life::Alive)).collect();
    let mut text = String::from("groups.all = ['a', 'b', 'c', 'd', 'e']\n");
    for name in names {
        text += &format!("people.{name}.openpgp = ['{name}']\n");
    }
    text += "[[require]]\npackages = ['*']\nquorum = 3\nof = 'all'\n";
    let trust = trust(&text, &people.iter().collect::<Vec<_>>()).unwrap();
    let signed: Vec<_> = (0..1000)
        .map(|number| {
            let statement = statement(&number.to_string());
            let sign = |person: &Person| {
                person.secret.sign_detached(&statement.encode(), SystemTime::now()).unwrap()
            };
            let signatures: Vec<_> = people.iter().take(3).map(sign).collect();
            (statement, signatures)
        })
        .collect();
    let begin = Instant::now();
    let keys = trust.keys(SystemTime::now());
    let met = signed.iter().filter(|(statement, signatures)| {
        let findings = signatures.iter().map(|found| keys.check_attestation("x.asc", found, statement));
        Verdict::new(&trust, trust.for_package(statement.package()), findings.collect()).is_met()
    });
    assert_eq!(met.count(), 1000);
    println!("1,000 attestations, 3,000 signatures: {:?}", begin.elapsed());
}

const DIVERSE: &str = r#"
    people = { alice.ed25519 = ["KEY1"], bob.ed25519 = ["KEY2"] }
    machines.one = { person = "alice", ed25519 = ["KEY3"], cpu = "AMD" }
    machines.two = { person = "bob", ed25519 = ["KEY4"], cpu = "AMD" }
    machines.three = { person = "bob", ed25519 = ["KEY5"], cpu = "Intel" }
    groups.all = ["alice", "bob"]
    [[require]]
    packages = ["*"]
    quorum = 2
    of = "all"
    hosts = 2
    cpu-vendors = 2
"#;

fn diverse(text: &str) -> Result<Trust, TrustError> {
    let filled = (1..=5).fold(text.to_owned(), |text, number| {
        text.replace(&format!("KEY{number}"), &machine(number).public().to_string())
    });
    trust(&filled, &[])
}

#[test]
fn hosts_and_cpu_vendors_are_counted_where_they_are_asked_for() {
    let trust = diverse(DIVERSE).unwrap();
    let keys = trust.keys(SystemTime::now());
    let judge = |signers: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let attestations = Attestations::new(folder.path());
        for &number in signers {
            let envelope = machine(number).sign(PAYLOAD_TYPE, &statement("x").encode()).encode();
            attestations.add(&statement("x"), &format!("{number}.dsse.json"), &envelope).unwrap();
        }
        attestations.judge(&statement("x"), &trust, &keys).unwrap().verdict
    };
    // Two people, but with keys of their own; then two hosts of one vendor; then one person's two hosts.
    assert!(!judge(&[1, 2]).is_met() && !judge(&[3, 4]).is_met() && !judge(&[4, 5]).is_met());
    assert!(judge(&[3, 5]).is_met() && judge(&[1, 4, 5]).is_met());
    assert!(
        judge(&[3, 4]).to_string().contains(
            "2 hosts must have signed, 2 did: one, two; 2 CPU vendors must have signed, 1 did: AMD"
        )
    );
}

#[test]
fn machines_that_there_are_not_are_not_asked_for() {
    for (from, to) in [
        ("hosts = 2", "hosts = 4"),
        ("cpu-vendors = 2", "cpu-vendors = 3"),
        ("packages = [\"*\"]", "images = [\"localhost/sx\"]"),
        ("alice.ed25519 = [\"KEY1\"]", "alice = { ed25519 = [\"KEY1\"], cpu = \"AMD\" }"),
    ] {
        let changed = DIVERSE.replace(from, to);
        assert_ne!(changed, DIVERSE);
        assert!(diverse(&changed).is_err(), "{to}");
    }
}

//! Keys and signatures whose hashes or lengths prove nothing any more.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it says")]

use sequoia_openpgp as openpgp;

use openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, UserID};
use openpgp::serialize::{Serialize, SerializeInto};
use openpgp::types::{Features, HashAlgorithm, KeyFlags, SignatureType};
use openpgp::{Cert, Packet, armor};
use std::time::{Duration, SystemTime};
use sx_derivation::{Digest, StorePath};
use sx_signing::{Attestations, Statement, Trust};

fn statement() -> Statement {
    let derivation = StorePath::of_derivation("hello-1.0", b"Derive()").unwrap();
    let content = StorePath::new(Digest::of(b"x"), "hello-1.0").unwrap();
    Statement::new(derivation, "out", content).unwrap()
}

fn made() -> SystemTime {
    SystemTime::now() - Duration::from_secs(86_400)
}

/// A key that says with this hash whose it is.
fn certificate(key: Key<SecretParts, PrimaryRole>, hash: HashAlgorithm) -> Cert {
    let mut signer = key.clone().into_keypair().unwrap();
    let user = UserID::from("alice@example.org");
    let cert = Cert::try_from(vec![Packet::from(key)]).unwrap();
    let builder = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(hash)
        .set_signature_creation_time(made())
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_certification().set_signing())
        .unwrap()
        .set_features(Features::sequoia())
        .unwrap();
    let binding = user.bind(&mut signer, &cert, builder).unwrap();
    cert.insert_packets([Packet::from(user), binding.into()]).unwrap().0
}

fn sign(cert: &Cert, hash: HashAlgorithm) -> Vec<u8> {
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let signature = SignatureBuilder::new(SignatureType::Binary)
        .set_hash_algo(hash)
        .set_signature_creation_time(made())
        .unwrap()
        .sign_message(&mut signer, statement().encode())
        .unwrap();
    let mut armored = armor::Writer::new(Vec::new(), armor::Kind::Signature).unwrap();
    Packet::from(signature).serialize(&mut armored).unwrap();
    armored.finalize().unwrap()
}

/// What is told of alice's signature.
fn told(cert: &Cert, signature: &[u8]) -> String {
    let text = "people.alice.openpgp = ['a']\ngroups.all = ['alice']\n[[require]]\npackages = ['*']\nquorum = 1\nof = 'all'";
    let public = cert.to_vec().unwrap();
    let trust = Trust::parse(text, |_| Ok(public.clone())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let attestations = Attestations::new(folder.path());
    attestations.add(&statement(), "a.asc", signature).unwrap();
    let judgement = attestations.judge(&statement(), &trust, &trust.keys(SystemTime::now())).unwrap();
    judgement.verdict.to_string()
}

fn ed25519() -> Key<SecretParts, PrimaryRole> {
    let mut key: Key4<SecretParts, PrimaryRole> =
        Key4::generate_ecc(true, openpgp::types::Curve::Ed25519).unwrap();
    key.set_creation_time(made()).unwrap();
    key.into()
}

#[test]
fn keys_and_signatures_with_strong_hashes_count() {
    let cert = certificate(ed25519(), HashAlgorithm::SHA512);
    assert!(told(&cert, &sign(&cert, HashAlgorithm::SHA256)).starts_with("met: 1 of the 1"));
}

#[test]
fn a_key_that_is_bound_by_a_weak_hash_is_refused() {
    for hash in [HashAlgorithm::SHA1, HashAlgorithm::MD5] {
        let cert = certificate(ed25519(), hash);
        let told = told(&cert, &sign(&cert, HashAlgorithm::SHA512));
        assert!(told.contains("`a.asc` of alice does not count: its key is not bound"), "{told}");
    }
}

#[test]
fn a_signature_with_a_weak_hash_is_refused() {
    let cert = certificate(ed25519(), HashAlgorithm::SHA512);
    for hash in [HashAlgorithm::SHA1, HashAlgorithm::MD5, HashAlgorithm::RipeMD] {
        let told = told(&cert, &sign(&cert, hash));
        assert!(told.contains("is too weak"), "{told}");
    }
}

#[test]
fn a_key_that_is_too_short_is_refused() {
    let mut key: Key4<SecretParts, PrimaryRole> = Key4::generate_rsa(1024).unwrap();
    key.set_creation_time(made()).unwrap();
    let cert = certificate(key.into(), HashAlgorithm::SHA512);
    let told = told(&cert, &sign(&cert, HashAlgorithm::SHA512));
    assert!(told.contains("does not count") && told.starts_with("not met"), "{told}");
}

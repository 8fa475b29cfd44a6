//! Key files, and keys that gpg has.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it says")]

mod people;

use people::{Life, machine, person};
use sequoia_openpgp::cert::CertBuilder;
use sequoia_openpgp::serialize::SerializeInto;
use std::process::Command;
use std::time::SystemTime;
use sx_derivation::{Digest, StorePath};
use sx_signing::openpgp::{Certificate, PersonSignature};
use sx_signing::{GpgKey, ImageClaim, ImageName, Secret, SecretError, Statement};

fn claim() -> ImageClaim {
    let name = ImageName::parse("docker.io/sx/hello:1").unwrap();
    ImageClaim::new(name, &format!("sha256:{}", "0".repeat(64))).unwrap()
}

#[test]
fn a_key_file_is_of_a_person_or_of_a_machine() {
    let now = SystemTime::now();
    let secret = Secret::parse(machine(1).to_secret_text().as_bytes(), now).unwrap();
    assert!(matches!(secret.sign_image(&claim(), now), Err(SecretError::MachineForImage)));
    let (cert, _) = CertBuilder::general_purpose(Some("alice")).generate().unwrap();
    let secret = Secret::parse(&cert.as_tsk().to_vec().unwrap(), now).unwrap();
    assert!(secret.sign_image(&claim(), now).is_ok());
}

#[test]
fn a_key_knows_its_own_attestations() {
    let now = SystemTime::now();
    let paths = ["hello-1.0.drv", "hello-1.0"].map(|name| StorePath::new(Digest::of(b"x"), name).unwrap());
    let [derivation, content] = paths;
    let statement = Statement::new(derivation.clone(), "out", content.clone()).unwrap();
    let other = Statement::new(derivation, "dev", content).unwrap();
    let secrets = [
        Secret::Person(Box::new(person("alice", Life::Alive).secret)),
        Secret::Machine(Box::new(machine(1))),
    ];
    for (number, secret) in secrets.iter().enumerate() {
        let (_, bytes) = secret.attest(&statement, now).unwrap();
        assert!(secret.has_attested(&statement, &bytes) && !secret.has_attested(&other, &bytes));
        assert!(
            !secret.has_attested(&statement, b"noise")
                && !secrets[1 - number].has_attested(&statement, &bytes)
        );
    }
}

#[test]
fn a_key_without_an_open_secret_part_is_refused() {
    let now = SystemTime::now();
    let public = person("alice", Life::Alive).public;
    let error = Secret::parse(&public, now).map(drop).unwrap_err().to_string();
    assert!(error.contains("no secret part that can sign"), "{error}");
    let locked = CertBuilder::general_purpose(Some("alice")).set_password(Some("word".into()));
    let locked = locked.generate().unwrap().0.as_tsk().to_vec().unwrap();
    assert!(Secret::parse(&locked, now).is_err());
    assert!(Secret::parse(b"noise", now).is_err());
}

#[test]
fn a_user_id_that_its_key_did_not_sign_is_refused() {
    let mut public = person("alice", Life::Alive).public;
    assert!(Certificate::parse_all(&public).is_ok());
    assert!(Certificate::parse_all(&person("alice", Life::Revoked).public).is_ok());
    let place = public.windows(6).position(|found| found == b"alice@").unwrap();
    public[place + 3] = b's';
    let error = Certificate::parse_all(&public).unwrap_err().to_string();
    assert!(error.contains("the user ID `alise@example.org` is not bound to its certificate"), "{error}");
    // gpg sees nobody's certificate in it.
    let home = tempfile::Builder::new().prefix("sx").tempdir().unwrap();
    let file = home.path().join("alice.pgp");
    std::fs::write(&file, &public).unwrap();
    let mut import = Command::new("gpg");
    import.arg("--homedir").arg(home.path()).args(["--batch", "--import"]).arg(&file).env("LC_ALL", "C");
    if let Ok(imported) = import.output() {
        let told = String::from_utf8_lossy(&imported.stderr);
        assert!(told.contains("contains no user ID - skipped"), "{told}");
    }
}

#[test]
fn a_certificate_that_does_not_say_whose_it_is_is_refused() {
    let (cert, _) = CertBuilder::new().add_signing_subkey().generate().unwrap();
    let error = Certificate::parse_all(&cert.to_vec().unwrap()).unwrap_err().to_string();
    assert!(error.contains("has no user ID"), "{error}");
}

#[test]
fn gpg_signs_with_a_key_in_its_agent() {
    let home = tempfile::Builder::new().prefix("sx").tempdir().unwrap();
    let gpg =
        |arguments: &[&str]| Command::new("gpg").arg("--homedir").arg(home.path()).args(arguments).output();
    let Ok(made) =
        gpg(&["--batch", "--passphrase=", "--quick-generate-key", "alice@example.org", "ed25519", "sign"])
    else {
        // Containers' programs bring it; CI has them.
        return;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let public = gpg(&["--export"]).unwrap().stdout;
    let certificate = &Certificate::parse_all(&public).unwrap()[0];
    let key =
        GpgKey { program: "gpg".into(), home: Some(home.path().into()), key: "alice@example.org".into() };
    let now = SystemTime::now();
    let (fingerprint, detached) = key.sign_detached(b"message").unwrap();
    assert_eq!(fingerprint, certificate.fingerprint());
    let signature = PersonSignature::parse_detached(&detached).unwrap();
    assert!(certificate.keys(now)[0].has_signed(&signature, b"message"));
    assert!(key.has_signed(&detached, b"message") && !key.has_signed(&detached, b"other"));
    let inline = Secret::Gpg(key.clone()).sign_image(&claim(), now).unwrap();
    let (signature, message) = PersonSignature::parse_inline(&inline, 4096).unwrap();
    assert!(message == claim().payload() && certificate.keys(now)[0].has_signed(&signature, &message));
    let nobody = GpgKey { key: "nobody@example.org".into(), ..key };
    assert!(!nobody.has_signed(&detached, b"message"));
    let error = nobody.sign_detached(b"message").unwrap_err().to_string();
    assert!(error.contains("nobody@example.org"), "{error}");
    let _ = Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "all"]).output();
}

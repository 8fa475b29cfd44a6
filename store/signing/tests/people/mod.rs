//! Keys for tests.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it says")]
#![expect(dead_code, reason = "each test binary uses some of these")]

use sequoia_openpgp::cert::{CertBuilder, CipherSuite};
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{KeyFlags, ReasonForRevocation};
use sequoia_openpgp::{Cert, Packet};
use std::time::{Duration, SystemTime};
use sx_signing::trust::{Trust, TrustError};
use sx_signing::{MachineSecret, PersonSecret};

pub const DAY: Duration = Duration::from_secs(86_400);

/// A person with an OpenPGP key.
pub struct Person {
    pub name: &'static str,
    pub public: Vec<u8>,
    /// The key file.
    pub file: Vec<u8>,
    pub secret: PersonSecret,
}

/// What a key's life was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Alive,
    Expired,
    Revoked,
}

/// Signs with the primary key, as gpg's default is.
pub fn person(name: &'static str, life: Life) -> Person {
    let flags = KeyFlags::empty().set_certification().set_signing();
    make(name, life, CertBuilder::new().set_primary_key_flags(flags))
}

/// Signs with a subkey.
pub fn person_with_subkey(name: &'static str) -> Person {
    make(name, Life::Alive, CertBuilder::new().add_signing_subkey())
}

fn make(name: &'static str, life: Life, builder: CertBuilder<'static>) -> Person {
    let made = SystemTime::now() - 10 * DAY;
    let validity = (life == Life::Expired).then_some(5 * DAY);
    let builder = builder
        .add_userid(format!("{name}@example.org"))
        .set_cipher_suite(CipherSuite::Cv25519)
        .set_creation_time(made);
    let (cert, _) = builder.set_validity_period(validity).generate().unwrap();
    let secret = cert.as_tsk().to_vec().unwrap();
    Person {
        name,
        // It signed while it could.
        secret: PersonSecret::parse(&secret, made + DAY).unwrap(),
        file: secret,
        public: if life == Life::Revoked { revoked(&cert) } else { cert }.to_vec().unwrap(),
    }
}

fn revoked(cert: &Cert) -> Cert {
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let signature = cert.revoke(&mut signer, ReasonForRevocation::KeyCompromised, b"stolen").unwrap();
    cert.clone().insert_packets([Packet::from(signature)]).unwrap().0
}

pub fn machine(number: u8) -> MachineSecret {
    MachineSecret::from_seed([number; 32])
}

/// Reads a trust file whose certificates are called as their people.
pub fn trust(text: &str, people: &[&Person]) -> Result<Trust, TrustError> {
    Trust::parse(text, |file| {
        let person = people.iter().find(|person| person.name == file).expect("the test has this person");
        Ok(person.public.clone())
    })
}

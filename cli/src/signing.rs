//! What the verbs that sign and verify share: keys, the trust file, where attestations and signatures are found.

use crate::failure::{Failure, Kind, chain};
use crate::registry::RegistryArguments;
use crate::session::Session;
use crate::surroundings::Surroundings;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use sx_derivation::store_path::output_name;
use sx_derivation::{StorePath, in_toto};
use sx_registry::{Address, Piece};
use sx_signing::attestations::{AttestationError, Claim, Judgement};
use sx_signing::release::ReleaseError;
use sx_signing::statement::StatementError;
use sx_signing::{
    Attestations, CosignSignature, Finding, GpgKey, ImageClaim, ImageName, Keys, Secret, SecretError,
    Statement, Trust, TrustError, Verdict, cosign,
};

/// Type of what is attached to an image: attestations of what is in it.
pub const ATTESTATIONS: &str = "application/vnd.sx.attestations.v1";
/// Type of what is attached to an image: OpenPGP signatures of it.
pub const SIGNATURES: &str = "application/vnd.sx.image-signatures.v1";
/// Type of what is attached to an image: a release that lists it, and signatures of that.
pub const RELEASES: &str = "application/vnd.sx.release.v1+json";
/// Type of an OpenPGP signature.
const OPENPGP: &str = "application/pgp-signature";
/// By this a document says what it is called.
const TITLE: &str = "org.opencontainers.image.title";
/// Longest key file.
const MAX_KEY_BYTES: u64 = 1 << 20;

/// What to sign with.
#[derive(Clone, Debug, Args)]
pub struct KeyArguments {
    /// File with an OpenPGP key, or with one that `sx key generate` made [default: what the configuration says]
    #[arg(long, value_name = "FILE", conflicts_with = "gpg_key")]
    key: Option<PathBuf>,
    /// Let gpg sign with this key, which may be in its agent or on a smartcard
    #[arg(long, value_name = "ID")]
    gpg_key: Option<String>,
}

impl KeyArguments {
    /// The key.
    pub fn secret(&self, surroundings: &Surroundings) -> Result<Secret, Failure> {
        if let Some(key) = &self.gpg_key {
            return Ok(Secret::Gpg(GpgKey { program: "gpg".into(), home: None, key: key.clone() }));
        }
        let file = self.key.as_ref().or(surroundings.configuration().key.as_ref()).ok_or_else(|| {
            Failure::new(Kind::Usage, "there is no key to sign with").hint(
                "give one: `--key FILE` or `--gpg-key ID`; `sx key generate -o FILE` makes one for a machine",
            )
        })?;
        let mut bytes = Vec::new();
        std::fs::File::open(file)
            .and_then(|opened| opened.take(MAX_KEY_BYTES).read_to_end(&mut bytes))
            .map_err(|error| Failure::io("read the key", file, &error))?;
        Ok(Secret::parse(&bytes, SystemTime::now())?)
    }
}

/// Whose signatures count.
#[derive(Clone, Debug, Default, Args)]
pub struct TrustArguments {
    /// The trust file: who must have signed what [default: what the configuration says]
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Folder of more attestations, besides those of the store; may be given several times
    #[arg(long = "attestations", value_name = "DIR")]
    folders: Vec<PathBuf>,
}

/// Where signatures of images are found that don't lie beside them.
#[derive(Clone, Debug, Default, Args)]
pub struct LookasideArguments {
    /// Folder of image signatures in the container tools' form; where it is given, signatures in registries don't count
    #[arg(long, value_name = "DIR")]
    lookaside: Option<PathBuf>,
}

impl LookasideArguments {
    /// The folder.
    pub fn folder(&self) -> Option<&Path> {
        self.lookaside.as_deref()
    }
}

/// A trust file at this moment, and where to look for signatures.
pub struct Trusted<'a> {
    pub trust: Trust,
    pub keys: Keys,
    arguments: &'a TrustArguments,
}

impl TrustArguments {
    /// Reads the trust file.
    pub fn read(&self, surroundings: &Surroundings) -> Result<Trusted<'_>, Failure> {
        let file = self.trust.as_ref().or(surroundings.configuration().trust.as_ref()).ok_or_else(|| {
            Failure::new(Kind::Usage, "there is no trust file that says whose signatures count")
                .hint("give one: `--trust FILE`, or `trust = \"FILE\"` in the configuration")
        })?;
        let trust = Trust::load(file)?;
        let keys = trust.keys(SystemTime::now());
        Ok(Trusted { trust, keys, arguments: self })
    }
}

impl Trusted<'_> {
    /// Judges a claim by the attestations of the store and of the folders that were given.
    pub fn judge(&self, session: &Session, statement: &Statement) -> Result<Judgement, Failure> {
        let claims = self.claims(session, statement.derivation(), statement.output())?;
        Ok(sx_signing::attestations::judge(&claims, statement, &self.trust, &self.keys))
    }

    /// All that anybody says of an output.
    fn claims(&self, session: &Session, derivation: &StorePath, output: &str) -> Result<Vec<Claim>, Failure> {
        let folders = self.arguments.folders.iter().map(|folder| Attestations::new(folder));
        let mut claims: Vec<Claim> = Vec::new();
        for attestations in [session.attestations()].into_iter().chain(folders) {
            for claim in attestations.claims(derivation, output)? {
                match claims.iter_mut().find(|known| known.statement == claim.statement) {
                    Some(known) => {
                        let new: Vec<_> = claim
                            .signatures
                            .into_iter()
                            .filter(|signature| !known.signatures.contains(signature))
                            .collect();
                        known.signatures.extend(new);
                    }
                    None => claims.push(claim),
                }
            }
        }
        Ok(claims)
    }

    /// All that anybody says to have come out as an object. What is called otherwise than the derivation's output is left out:
    /// other people may be asked to vouch for that derivation than for this object.
    pub fn claims_about(&self, session: &Session, object: &StorePath) -> Result<Vec<Statement>, Failure> {
        let folders = self.arguments.folders.iter().map(|folder| Attestations::new(folder));
        let mut found = BTreeSet::new();
        for attestations in [session.attestations()].into_iter().chain(folders) {
            found.extend(attestations.all()?.into_iter().map(|claim| claim.statement).filter(|statement| {
                statement.content() == object
                    && output_name(statement.package(), statement.output()) == object.name()
            }));
        }
        Ok(found.into_iter().collect())
    }

    /// Refuses what not enough people vouch for.
    pub fn require(verdict: &Verdict, subject: &str) -> Result<(), Failure> {
        if verdict.is_met() {
            return Ok(());
        }
        Err(Failure::new(Kind::No, format!("not enough people vouch for {subject}\n{verdict}")))
    }

    /// What enough people say that an output of a resolved derivation was; nothing if they say it of several contents.
    pub fn content(
        &self,
        session: &Session,
        derivation: &StorePath,
        output: &str,
    ) -> Result<Option<StorePath>, Failure> {
        let claims = self.claims(session, derivation, output)?;
        let is_met = |claim: &&Claim| {
            sx_signing::attestations::judge(&claims, &claim.statement, &self.trust, &self.keys)
                .verdict
                .is_met()
        };
        let mut met = claims.iter().filter(is_met);
        let content = met.next().map(|claim| claim.statement.content().clone());
        Ok(content.filter(|_| met.next().is_none()))
    }

    /// Judges an image in a registry, or elsewhere by the signatures in the lookaside folder.
    pub fn judge_image(
        &self,
        session: &Session,
        claim: &ImageClaim,
        lookaside: Option<&Path>,
        registry: Option<(&RegistryArguments, &Address)>,
    ) -> Result<Verdict, Failure> {
        let findings = match (lookaside, registry) {
            (Some(folder), _) => claim.findings(folder, &self.keys).map_err(of(Kind::Host))?,
            (None, Some((arguments, address))) => self.findings(session, claim, arguments, address)?,
            (None, None) => {
                return Err(Failure::new(
                    Kind::Usage,
                    "an image that is in no registry has its signatures elsewhere",
                )
                .hint("say where: `--lookaside DIR`"));
            }
        };
        Ok(Verdict::new(&self.trust, self.trust.for_image(&claim.name), findings))
    }

    /// Signatures that are attached to an image, and those in cosign's form.
    fn findings(
        &self,
        session: &Session,
        claim: &ImageClaim,
        arguments: &RegistryArguments,
        address: &Address,
    ) -> Result<Vec<Finding>, Failure> {
        let digest = claim.digest().parse().map_err(sx_registry::RegistryError::from)?;
        let (attached, beside) = session.with_registry(arguments, address, Vec::new(), |client| {
            Ok((client.attached(digest, SIGNATURES)?, client.beside(&cosign::tag(claim))?))
        })?;
        let attached = attached.into_iter().flatten().map(|piece| {
            let name = title(&piece).unwrap_or("attached").to_owned();
            self.keys.check_image(&name, &piece.bytes, claim)
        });
        let beside = beside.into_iter().zip(1..).map(|(piece, number)| {
            let signature = piece.annotations.get(cosign::SIGNATURE).cloned().unwrap_or_default();
            let signature = CosignSignature { payload: piece.bytes, signature };
            self.keys.check_cosign(&format!("cosign signature {number}"), &signature, claim)
        });
        Ok(attached.chain(beside).collect())
    }
}

impl Session {
    /// The store's attestations.
    pub fn attestations(&self) -> Attestations {
        Attestations::new(&self.store().folder().join("attestations"))
    }

    /// Attaches attestations to an image in a registry.
    pub fn attach_attestations(
        &self,
        arguments: &RegistryArguments,
        address: &Address,
        claims: &[Claim],
    ) -> Result<(), Failure> {
        let pieces: Vec<Piece> = claims.iter().flat_map(pieces_of).collect();
        self.with_registry(arguments, address, Vec::new(), |client| {
            client.attach(&client.image()?, ATTESTATIONS, &pieces).map(drop)
        })
    }

    /// Brings attestations that are attached to an image into the store; gives how many signatures are new.
    pub fn fetch_attestations(
        &self,
        arguments: &RegistryArguments,
        address: &Address,
    ) -> Result<usize, Failure> {
        let attached = self.with_registry(arguments, address, Vec::new(), |client| {
            client.attached(client.image()?.digest, ATTESTATIONS)
        })?;
        let mut found = Vec::new();
        for pieces in attached {
            let mut statements: BTreeMap<&str, Statement> = BTreeMap::new();
            for piece in &pieces {
                if let Some((folder, "statement.json")) =
                    title(piece).and_then(|title| title.rsplit_once('/'))
                {
                    statements.insert(folder, Statement::decode(&piece.bytes)?);
                }
            }
            for piece in &pieces {
                let Some((folder, file)) = title(piece).and_then(|title| title.rsplit_once('/')) else {
                    continue;
                };
                if let Some(statement) = statements.get(folder).filter(|_| file != "statement.json") {
                    found.push((statement.clone(), file.to_owned(), piece.bytes.clone()));
                }
            }
        }
        // All of them are read by now, so nothing is added if something is malformed.
        let (attestations, mut new) = (self.attestations(), 0);
        for (statement, file, bytes) in found {
            new += usize::from(attestations.add_new(&statement, &file, &bytes)?);
        }
        Ok(new)
    }
}

impl Surroundings {
    /// Signs an image and attaches the signature to it: an OpenPGP key's as sx has it, an Ed25519 key's in cosign's form.
    pub fn attach_signature(
        &self,
        arguments: &RegistryArguments,
        claim: &ImageClaim,
        secret: &Secret,
    ) -> Result<(), Failure> {
        let address: Address = claim.name.to_string().parse()?;
        if let Secret::Machine(_) = secret {
            let CosignSignature { payload: bytes, signature } = secret.sign_cosign(claim)?;
            let annotations = [(cosign::SIGNATURE.to_owned(), signature)].into();
            let piece = Piece { media_type: cosign::LAYER_TYPE.into(), annotations, bytes };
            let tag = cosign::tag(claim);
            return self
                .with_registry(arguments, &address, Vec::new(), |client| client.add_beside(&tag, &piece));
        }
        let signature = secret.sign_image(claim, SystemTime::now())?;
        let name = format!("{}.sig", sx_export::Sha256Digest::of(&signature).digits());
        let piece = piece(&name, OPENPGP, signature);
        self.with_registry(arguments, &address, Vec::new(), |client| {
            client.attach(&client.image()?, SIGNATURES, std::slice::from_ref(&piece)).map(drop)
        })
    }
}

/// The image that an address leads to, as it is signed.
pub fn claim_of(
    surroundings: &Surroundings,
    arguments: &RegistryArguments,
    address: &Address,
) -> Result<ImageClaim, Failure> {
    let image = surroundings.with_registry(arguments, address, Vec::new(), |client| client.image())?;
    let name = format!("{}/{}:{}", address.registry, address.repository, address.tag);
    claim(&name, &image.digest.to_string())
}

/// An image as it is signed.
pub fn claim(name: &str, digest: &str) -> Result<ImageClaim, Failure> {
    let name = ImageName::parse(name).map_err(of(Kind::Usage))?;
    ImageClaim::new(name, digest).map_err(of(Kind::Usage))
}

/// What a document says that it is called.
pub fn title(piece: &Piece) -> Option<&str> {
    piece.annotations.get(TITLE).map(String::as_str)
}

/// A document with a name.
pub fn piece(name: &str, media_type: &str, bytes: Vec<u8>) -> Piece {
    let annotations = BTreeMap::from([(TITLE.to_owned(), name.to_owned())]);
    Piece { media_type: media_type.into(), annotations, bytes }
}

/// A claim's statement and signatures, each called as in a folder of attestations.
fn pieces_of(claim: &Claim) -> Vec<Piece> {
    let statement = &claim.statement;
    let folder = format!(
        "{}/{}/{}",
        statement.derivation().base_name(),
        statement.output(),
        statement.content().base_name()
    );
    let name = |file: &str| format!("{folder}/{file}");
    let first = piece(&name("statement.json"), in_toto::MEDIA_TYPE, statement.encode());
    let signatures = claim.signatures.iter().map(|(file, bytes)| {
        let kind = if file.ends_with(".asc") { OPENPGP } else { "application/vnd.dsse.envelope.v1+json" };
        piece(&name(file), kind, bytes.clone())
    });
    [first].into_iter().chain(signatures).collect()
}

/// For `map_err`: an error with its causes, of this kind.
pub fn of<E: Error + 'static>(kind: Kind) -> impl Fn(E) -> Failure {
    move |error| Failure::new(kind, chain(&error))
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        of(Kind::Usage)(error)
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        let failure = Self::new(Kind::Usage, chain(&error));
        match error {
            SecretError::MachineForImage => failure.hint("`sx sign --attach` signs with it in cosign's form"),
            SecretError::OpenPgp(_) => {
                failure.hint("a key with a passphrase is used through gpg: `--gpg-key ID`")
            }
            _ => failure,
        }
    }
}

impl From<AttestationError> for Failure {
    fn from(error: AttestationError) -> Self {
        let kind = if matches!(error, AttestationError::Io { .. }) { Kind::Host } else { Kind::Source };
        of(kind)(error)
    }
}

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Self {
        of(Kind::Source)(error)
    }
}

impl From<ReleaseError> for Failure {
    fn from(error: ReleaseError) -> Self {
        let kind = match error {
            ReleaseError::Older { .. } | ReleaseError::Other { .. } => Kind::No,
            _ => Kind::Source,
        };
        of(kind)(error)
    }
}

/// Reads a file of at most so many bytes, one more to be refused by who reads on.
pub fn read_file(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::io("read", path, &error))?;
    Ok(bytes)
}

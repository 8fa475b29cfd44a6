//! How `sx push` and `sx pull` talk to registries: certificates, credentials, what is shown.

use crate::failure::{Failure, Kind, chain};
use crate::surroundings::Surroundings;
use crate::transfer::Transfer;
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use sx_registry::{Address, Client, CredentialFiles, Insecure, Options, RegistryError};

/// Options of every verb that talks to a registry.
#[derive(Debug, Args)]
pub struct RegistryArguments {
    /// Talk plain HTTP to a registry that isn't on this machine
    #[arg(long)]
    plain_http: bool,
    /// Talk TLS to a registry on this machine too
    #[arg(long, conflicts_with = "plain_http")]
    tls: bool,
    /// File with names and passwords, in the form of Docker's config.json, before the usual ones
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
    /// Blobs that are transferred at a time
    #[arg(long, value_name = "NUMBER", default_value_t = PARALLEL)]
    parallel: NonZeroUsize,
    /// How often each request is tried
    #[arg(long, value_name = "NUMBER", default_value_t = ATTEMPTS, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
}

impl RegistryArguments {
    /// Those of who gives none.
    pub fn usual() -> Self {
        Self { plain_http: false, tls: false, auth_file: None, parallel: PARALLEL, attempts: ATTEMPTS }
    }
}

/// Blobs that are transferred at a time, if nothing else is said.
const PARALLEL: NonZeroUsize = NonZeroUsize::new(4).expect("four is not zero");
/// How often each request is tried, if nothing else is said.
const ATTEMPTS: u32 = 4;

/// Where distributions keep the authorities that TLS trusts, in one file.
const CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Surroundings {
    /// Works with the repository that an address names.
    pub fn with_registry<T>(
        &self,
        arguments: &RegistryArguments,
        address: &Address,
        mount_from: Vec<String>,
        work: impl FnOnce(&Client<'_>) -> Result<T, RegistryError>,
    ) -> Result<T, Failure> {
        let environment = self.environment();
        let below =
            |variable: &str, rest: &str| environment.get(variable).map(|base| PathBuf::from(base).join(rest));
        let files = [
            arguments.auth_file.clone(),
            environment.get("REGISTRY_AUTH_FILE").map(PathBuf::from),
            below("XDG_RUNTIME_DIR", "containers/auth.json"),
            below("XDG_CONFIG_HOME", "containers/auth.json"),
            below("HOME", ".config/containers/auth.json"),
            below("DOCKER_CONFIG", "config.json"),
            below("HOME", ".docker/config.json"),
        ];
        let given = environment.get("SSL_CERT_FILE").map(PathBuf::from);
        let options = Options {
            insecure: match (arguments.plain_http, arguments.tls) {
                (true, _) => Insecure::Allowed,
                (_, true) => Insecure::Never,
                _ => Insecure::Refused,
            },
            credentials: CredentialFiles(files.into_iter().flatten().collect()).find(address)?,
            certificate_files: given.into_iter().chain(CERTIFICATES.iter().map(PathBuf::from)).collect(),
            parallel: arguments.parallel,
            attempts: arguments.attempts,
            mount_from,
        };
        let transfer = Transfer::new(self.progress());
        let show = |event| transfer.show(event);
        let client = Client::new(address.clone(), options, &show, self.cancelled())?;
        Ok(work(&client)?)
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let kind = match &error {
            RegistryError::NoRegistry(_)
            | RegistryError::Reference(_)
            | RegistryError::Digest(_)
            | RegistryError::Credentials { .. }
            | RegistryError::NoImage(_)
            | RegistryError::Denied { .. } => Kind::Usage,
            RegistryError::File { .. } | RegistryError::Layout(_) | RegistryError::Certificates(_) => {
                Kind::Host
            }
            RegistryError::Interrupted => Kind::Interrupted,
            _ => Kind::Source,
        };
        let failure = Self::new(kind, chain(&error));
        match error {
            RegistryError::Denied { .. } => failure
                .hint("log in with `podman login` or `docker login`, or name a file with `--auth-file`"),
            _ => failure,
        }
    }
}

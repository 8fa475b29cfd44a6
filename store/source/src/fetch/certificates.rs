//! The authorities that TLS trusts: the host's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, PemItem, parse_pem};

/// Where distributions keep them, in one file.
const USUAL_FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/run/current-system/sw/etc/ssl/certs/ca-bundle.crt",
];

/// Reads the certificates in `file`, or in the first usual file that is there. The error says what to do.
pub(super) fn load(file: Option<&Path>) -> Result<Arc<Vec<Certificate<'static>>>, String> {
    let usual = || USUAL_FILES.iter().map(PathBuf::from).find(|path| path.is_file());
    let path = file.map(Path::to_owned).or_else(usual).ok_or(
        "this host has no certificates of authorities; install ca-certificates, or set SSL_CERT_FILE",
    )?;
    let bytes = std::fs::read(&path)
        .map_err(|error| format!("the certificates in `{}` can't be read: {error}", path.display()))?;
    let certificates: Vec<_> = parse_pem(&bytes)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            // Other items, and broken ones, vouch for nothing.
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("`{}` has no certificates in it, expected PEM", path.display()));
    }
    Ok(Arc::new(certificates))
}

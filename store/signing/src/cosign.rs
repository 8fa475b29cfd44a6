//! Signatures in cosign's form: beside the image in its registry, under a tag made of its manifest's digest.
//!
//! | part | form |
//! |---|---|
//! | tag | `sha256-<digits>.sig` |
//! | what is there | an OCI manifest with a layer for each signature |
//! | layer's type | `application/vnd.dev.cosign.simplesigning.v1+json` |
//! | layer's content | what is signed: see [`crate::image`] |
//! | annotation `dev.cosignproject.cosign/signature` | base64 of the signature over the content |
//!
//! Keys are Ed25519, which cosign and the container tools take as PEM files. What cosign says of certificates and of
//! transparency logs in more annotations is not looked at: a trust file names keys.

use crate::image::ImageClaim;
use crate::machine::MachineSecret;
use data_encoding::BASE64;

/// Type of a layer.
pub const LAYER_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Annotation that holds the signature.
pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// A layer: nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignSignature {
    /// What is signed.
    pub payload: Vec<u8>,
    /// Base64 of the signature.
    pub signature: String,
}

impl CosignSignature {
    /// Signs an image.
    pub fn new(claim: &ImageClaim, key: &MachineSecret) -> Self {
        let payload = claim.cosign_payload();
        let signature = BASE64.encode(&key.sign_bytes(&payload));
        Self { payload, signature }
    }
}

/// Where the signatures of an image are.
pub fn tag(claim: &ImageClaim) -> String {
    format!("{}.sig", claim.digest().replace(':', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::ImageName;

    #[test]
    fn golden_signature() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let claim = ImageClaim::new(ImageName::parse("localhost/sx/hello:1").unwrap(), &digest).unwrap();
        let signature = CosignSignature::new(&claim, &MachineSecret::from_seed([7; 32]));
        assert_eq!(
            String::from_utf8(signature.payload).unwrap(),
            format!(
                r#"{{"critical":{{"identity":{{"docker-reference":"localhost/sx/hello:1"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":{{}}}}"#
            )
        );
        assert_eq!(tag(&claim), format!("sha256-{}.sig", "0".repeat(64)));
        assert_eq!(signature.signature.len(), 88);
    }
}

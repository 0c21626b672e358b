//! The keys that verify JWTs. Each key has one algorithm, whatever the JWT's header says.

use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use super::JwtError;

/// RFC 7518, section 3.2: the key is at least as long as the hash.
const SECRET_BYTES_MIN: usize = 32;
/// Moduli of 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// A coordinate of P-256, and a key of Ed25519.
const COORDINATE_BYTES: usize = 32;
/// The prefix of a point that is given by both coordinates (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// The algorithm with this name (RFC 7518, section 3.1, and RFC 8037). `none` is not supported.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key, and the name (`kid`) that JWTs use for it.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    pub(super) kid: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Hs256(hmac::Key),
    Rs256(RsaPublicKeyComponents<Vec<u8>>),
    Es256(UnparsedPublicKey<Vec<u8>>),
    EdDsa(UnparsedPublicKey<Vec<u8>>),
}

impl VerifyingKey {
    /// The shared secret in a file, without a newline at its end.
    ///
    /// # Errors
    /// [`JwtError::ShortSecret`].
    pub(super) fn of_secret(file: &[u8]) -> Result<Self, JwtError> {
        let secret = file.strip_suffix(b"\n").unwrap_or(file);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        if secret.len() < SECRET_BYTES_MIN {
            return Err(JwtError::ShortSecret { bytes: secret.len(), bytes_min: SECRET_BYTES_MIN });
        }
        let material = Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Ok(Self { kid: None, material })
    }

    /// An RSA key for RS256; `None` if it is too short or too long.
    pub(super) fn of_rsa(kid: Option<String>, n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        let material = Material::Rs256(RsaPublicKeyComponents { n, e });
        match &material {
            Material::Rs256(key) if MODULUS_BYTES.contains(&key.n.len()) && !key.e.is_empty() => {
                Some(Self { kid, material })
            }
            _ => None,
        }
    }

    /// A point of P-256 for ES256.
    pub(super) fn of_p256(kid: Option<String>, x: &[u8], y: &[u8]) -> Option<Self> {
        let whole = x.len() == COORDINATE_BYTES && y.len() == COORDINATE_BYTES;
        let point = [&[UNCOMPRESSED], x, y].concat();
        let material = Material::Es256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point));
        whole.then_some(Self { kid, material })
    }

    /// A key of Ed25519 for `EdDSA`.
    pub(super) fn of_ed25519(kid: Option<String>, x: &[u8]) -> Option<Self> {
        let material = Material::EdDsa(UnparsedPublicKey::new(&ED25519, x.to_vec()));
        (x.len() == COORDINATE_BYTES).then_some(Self { kid, material })
    }

    /// The key's one algorithm.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::Rs256(_) => Algorithm::Rs256,
            Material::Es256(_) => Algorithm::Es256,
            Material::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether this key made `signature` for `message`. HMACs are compared in constant time.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Hs256(key) => hmac::verify(key, message, signature),
            Material::Rs256(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Material::Es256(key) | Material::EdDsa(key) => key.verify(message, signature),
        };
        verified.is_ok()
    }
}

/// Removes leading zeros, which some issuers write.
fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

//! A JWT as it is sent (RFC 7515, compact): three parts, none of which is trusted yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::key::{Algorithm, VerifyingKey};
use super::refusal::Refusal;

/// Longer than any issuer's JWTs, and below a server's limit on headers.
const BYTES_MAX: usize = 16 * 1024;
/// How many keys are tried on a JWT that names none. An issuer has fewer, and the bound limits the
/// work that an unknown client can cause.
const TRIES_MAX: usize = 64;

/// The header fields that are used. Keys that a JWT carries itself (`jwk`, `jku`, `x5u`, `x5c`) are
/// ignored.
#[derive(Deserialize)]
struct JwtHeader {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

/// A JWT, split into its parts.
#[derive(Debug)]
pub(super) struct Jwt<'a> {
    pub(super) algorithm: Algorithm,
    kid: Option<String>,
    message: &'a str,
    signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Jwt<'a> {
    /// Splits a JWT into its parts.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > BYTES_MAX {
            return Err(Refusal::Malformed("it is too long"));
        }
        let parts = || {
            let (message, signature) = text.rsplit_once('.')?;
            let (header, claims) = message.split_once('.')?;
            Some((message, header, claims, URL_SAFE_NO_PAD.decode(signature).ok()?))
        };
        let (message, header, claims, signature) =
            parts().ok_or(Refusal::Malformed("it is not three parts in base64"))?;
        let header: JwtHeader =
            json(header).ok_or(Refusal::Malformed("its header is not valid"))?;
        if header.crit.is_some() {
            return Err(Refusal::Malformed("its header asks for an extension"));
        }
        let algorithm = Algorithm::of_name(&header.alg).ok_or(Refusal::Algorithm)?;
        Ok(Self { algorithm, kid: header.kid, message, signature, claims })
    }

    /// The claims, if one of `keys` signed them.
    pub(super) fn verified<'k>(
        &self,
        keys: impl Iterator<Item = &'k VerifyingKey>,
    ) -> Result<Vec<u8>, Refusal> {
        let (mut named, mut tries) = (false, 0);
        let fitting = keys.filter(|key| key.algorithm() == self.algorithm && self.may_name(key));
        for key in fitting {
            if tries == TRIES_MAX {
                return Err(Refusal::TooManyKeys);
            }
            tries += 1;
            named |= key.kid.is_some() && key.kid == self.kid;
            if key.verifies(self.message.as_bytes(), &self.signature) {
                let claims = URL_SAFE_NO_PAD.decode(self.claims);
                return claims.map_err(|_| Refusal::Malformed("its claims are not in base64"));
            }
        }
        Err(if named { Refusal::Signature } else { Refusal::UnknownKey })
    }

    /// If both have a name, the names must match.
    fn may_name(&self, key: &VerifyingKey) -> bool {
        self.kid.is_none() || key.kid.is_none() || self.kid == key.kid
    }
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    object(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

/// Parses a JSON object. A list of the same values in field order, which serde would accept, is
/// rejected.
pub(super) fn object<T: serde::de::DeserializeOwned>(json: &[u8]) -> Option<T> {
    let is_object = json.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(json).ok()).flatten()
}

/// A field that may be absent, but not null.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

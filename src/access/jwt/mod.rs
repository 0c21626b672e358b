//! JSON Web Tokens: signed claims of an issuer that the operator trusts, as an alternative to
//! access keys.
//!
//! ```text
//! text ─▶ Jwt ─▶ claims, if one of the keys signed it ─▶ Identity, by the rules and the clock
//!                       ▲
//!       files, an https URL ─▶ KeySource, read again and again
//! ```
//!
//! A JWT can only choose among the known keys. Each key has one algorithm, and keys or addresses
//! inside a JWT are ignored.

mod claims;
mod compact;
mod error;
mod fetch;
mod jwks;
mod key;
mod refusal;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use url::Url;

pub use self::claims::JwtRules;
pub use self::error::JwtError;
pub use self::fetch::JwksUrl;

use self::compact::Jwt;
use self::fetch::Fetcher;
use self::key::Algorithm;
use self::refusal::Refusal;
use self::source::{KeyOrigin, KeySource};
use super::{AccessError, Identity};
use crate::clock::Clock;
use crate::telemetry::Telemetry;

/// How often a file is read again.
const FILE_INTERVAL: Duration = Duration::from_secs(2);
/// Minimum time between two reads of a file that are caused by JWTs with an unknown key.
const FILE_SPACING: Duration = Duration::from_millis(200);
/// The same for a URL, so that a client sending random JWTs cannot flood the issuer.
const URL_SPACING: Duration = Duration::from_secs(10);
/// The first characters of every JWT: `{"` in base64.
const START: &str = "eyJ";

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksLocation {
    /// In a file.
    File(PathBuf),
    /// At an https URL.
    Url(JwksUrl),
}

/// Which JWTs are accepted.
#[derive(Debug, Clone, Default)]
pub struct JwtSettings {
    /// The file with the secret for HS256.
    pub secret: Option<PathBuf>,
    /// The keys for RS256, ES256 and `EdDSA`.
    pub jwks: Option<JwksLocation>,
    /// A PEM file with the certificates to trust for the URL's server, instead of the system's.
    pub jwks_ca: Option<PathBuf>,
    /// How often the URL is read again.
    pub jwks_refresh: Duration,
    /// The required issuer and audience.
    pub rules: JwtRules,
}

/// Verifies JWTs with keys that are kept up to date.
#[derive(Debug)]
pub struct Jwts {
    sources: Vec<KeySource>,
    rules: JwtRules,
    clock: Arc<dyn Clock>,
}

impl Jwts {
    /// Reads the keys and keeps them up to date. `None` if no JWTs are accepted. If a URL does not
    /// answer, the background task tries again.
    ///
    /// # Errors
    /// A file cannot be read, or its content is invalid.
    pub async fn open(
        settings: &JwtSettings,
        clock: Arc<dyn Clock>,
        telemetry: &Telemetry,
    ) -> Result<Option<Self>, JwtError> {
        let file = |origin| (origin, FILE_INTERVAL, FILE_SPACING);
        let secret = settings.secret.clone().map(|path| file(KeyOrigin::Secret(path)));
        let jwks = match &settings.jwks {
            None => None,
            Some(JwksLocation::File(path)) => Some(file(KeyOrigin::Jwks(path.clone()))),
            Some(JwksLocation::Url(url)) => {
                let fetcher = Fetcher::new(url.clone(), settings.jwks_ca.as_deref())?;
                let refresh = settings.jwks_refresh;
                Some((KeyOrigin::Url(fetcher), refresh, URL_SPACING.min(refresh)))
            }
        };
        let sources = secret.into_iter().chain(jwks).map(|(origin, interval, spacing)| {
            KeySource::open(origin, interval, spacing, clock.clone(), telemetry.clone())
        });
        let sources = try_join_all(sources).await?;
        let rules = settings.rules.clone();
        Ok((!sources.is_empty()).then_some(Self { sources, rules, clock }))
    }

    /// Whether a credential looks like a JWT; access keys never do.
    pub fn is_jwt(text: &str) -> bool {
        text.starts_with(START)
    }

    /// Who a JWT identifies.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`]; [`AccessError::NoJwtKeys`] while the keys are not known.
    pub async fn identify(&self, text: &str) -> Result<Identity, AccessError> {
        let refused = |reason: Refusal| {
            tracing::debug!(%reason, "a JWT was refused");
            AccessError::Unauthenticated
        };
        let jwt = Jwt::parse(text).map_err(refused)?;
        let claims = match self.verified(&jwt) {
            Err(Refusal::UnknownKey) => {
                self.look_for_keys(&jwt).await?;
                self.verified(&jwt)
            }
            known => known,
        };
        let claims = claims.map_err(refused)?;
        claims::identity(&claims, &self.rules, self.clock.now()).map_err(refused)
    }

    fn verified(&self, jwt: &Jwt<'_>) -> Result<Vec<u8>, Refusal> {
        let sets: Vec<_> = self.sources.iter().filter_map(KeySource::keys).collect();
        jwt.verified(sets.iter().flat_map(|keys| keys.iter()))
    }

    /// Reads the keys again: the issuer may have a new key, or its keys may not be known yet.
    async fn look_for_keys(&self, jwt: &Jwt<'_>) -> Result<(), AccessError> {
        let hs256 = jwt.algorithm == Algorithm::Hs256;
        for source in self.sources.iter().filter(|source| source.is_of_secret() == hs256) {
            if !source.read_soon().await {
                return Err(AccessError::NoJwtKeys);
            }
        }
        Ok(())
    }
}

impl JwksLocation {
    /// Parses a path or an https URL.
    ///
    /// # Errors
    /// A URL that is malformed, is not https, or contains credentials.
    pub fn parse(text: &str) -> Result<Self, JwtError> {
        match text.split_once("://") {
            Some(_) => {
                let url = Url::parse(text).map_err(|error| JwtError::Url(error.to_string()))?;
                Ok(Self::Url(JwksUrl::new(url)?))
            }
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

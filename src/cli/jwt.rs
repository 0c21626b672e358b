//! The flags of a server that say which JWTs it accepts.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args as ClapArgs};

use super::units::parse_duration;
use crate::access::{JwksLocation, JwtRules, JwtSettings};

const REFRESH_MIN: Duration = Duration::from_secs(1);
const REFRESH_MAX: Duration = Duration::from_secs(86_400);

/// JWTs in addition to access keys.
#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("jwt_keys").args(["jwt_secret_file", "jwt_jwks"]).multiple(true)))]
pub struct JwtArgs {
    /// Accept HS256 JWTs signed with the secret in this file: at least 32 bytes, without the
    /// newline at the end. It is read again when it changes.
    #[arg(long, env = "TOKENLAKE_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,

    /// Accept RS256, ES256 and EdDSA JWTs signed with a key of this JWKS: a file, which is read
    /// again when it changes, or an https URL. Needs --jwt-issuer and --jwt-audience.
    #[arg(long, env = "TOKENLAKE_JWT_JWKS", value_name = "FILE|URL", requires_all = ["jwt_issuer", "jwt_audience"], value_parser = JwksLocation::parse)]
    pub jwt_jwks: Option<JwksLocation>,

    /// How often the JWKS of a URL is fetched again; from 1s to 1d. A JWT with an unknown key
    /// fetches it too, at most once in 10s.
    #[arg(long, env = "TOKENLAKE_JWT_JWKS_REFRESH", value_name = "TIME", default_value = "5m", value_parser = parse_refresh)]
    pub jwt_jwks_refresh: Duration,

    /// CA certificates for the server of the JWKS, as PEM. Default: those that the system trusts.
    #[arg(long, env = "TOKENLAKE_JWT_JWKS_CA", value_name = "FILE", requires = "jwt_jwks")]
    pub jwt_jwks_ca: Option<PathBuf>,

    /// The required claim `iss` of a JWT.
    #[arg(long, env = "TOKENLAKE_JWT_ISSUER", value_name = "NAME", requires = "jwt_keys", value_parser = NonEmptyStringValueParser::new())]
    pub jwt_issuer: Option<String>,

    /// The audience that the claim `aud` of a JWT must be or contain.
    #[arg(long, env = "TOKENLAKE_JWT_AUDIENCE", value_name = "NAME", requires = "jwt_keys", value_parser = NonEmptyStringValueParser::new())]
    pub jwt_audience: Option<String>,
}

impl JwtArgs {
    /// The flags as settings.
    pub(super) fn settings(&self) -> JwtSettings {
        JwtSettings {
            secret: self.jwt_secret_file.clone(),
            jwks: self.jwt_jwks.clone(),
            jwks_ca: self.jwt_jwks_ca.clone(),
            jwks_refresh: self.jwt_jwks_refresh,
            rules: JwtRules {
                issuer: self.jwt_issuer.clone(),
                audience: self.jwt_audience.clone(),
            },
        }
    }
}

fn parse_refresh(text: &str) -> Result<Duration, String> {
    let refresh = parse_duration(text)?;
    let fits = (REFRESH_MIN..=REFRESH_MAX).contains(&refresh);
    if fits { Ok(refresh) } else { Err("not from 1s to 1d".to_owned()) }
}

//! Why keys of JWTs cannot be had.

use std::path::PathBuf;

use crate::small_file::ReadError;

/// A failure to read keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] ReadError),
    /// What a file holds is not what it should be.
    #[error("{path}: {error}", path = .path.display())]
    In {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// A secret that can be guessed.
    #[error(
        "the secret has {bytes} bytes; make one of at least {bytes_min}, such as with: openssl rand -hex 32"
    )]
    ShortSecret {
        /// What it has.
        bytes: usize,
        /// What it needs.
        bytes_min: usize,
    },
    /// A text that is no set of keys.
    #[error("this is no JWKS ({0}); it is a JSON object with a list of keys")]
    NoJwks(String),
    /// A set from which nothing can be verified.
    #[error("the JWKS has no key for RS256 (RSA from 2048 bits), ES256 (P-256) or EdDSA (Ed25519)")]
    NoUsableKey,
    /// A PEM file without certificates.
    #[error("this holds no certificate in PEM")]
    NoCertificate,
    /// An address that is none.
    #[error("this is no URL: {0}")]
    Url(String),
    /// Keys that came over plain HTTP could be anybody's.
    #[error(
        "a JWKS is fetched over https alone, since anybody on the way could change it; give an https:// URL or a file"
    )]
    NotHttps,
    /// They would end up in logs.
    #[error("leave credentials out of the URL of a JWKS")]
    Credentials,
    /// The client for a URL cannot be set up.
    #[error("cannot set up TLS for the JWKS: {0}")]
    Client(String),
    /// A URL did not give what it should.
    #[error("cannot get the JWKS from {url}: {reason}")]
    Fetch {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
}

//! Why JWT keys cannot be read.

use std::path::PathBuf;

use crate::small_file::SmallFileError;

/// A failure to read JWT keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] SmallFileError),
    /// A file's content is not what it should be.
    #[error("{path}: {error}", path = .path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        error: Box<Self>,
    },
    /// A secret short enough to be guessed.
    #[error(
        "the secret has {bytes} bytes; make one of at least {bytes_min}, such as with: openssl rand -hex 32"
    )]
    ShortSecret {
        /// Its length.
        bytes: usize,
        /// The minimum length.
        bytes_min: usize,
    },
    /// A text that is not a JWKS.
    #[error("this is not a JWKS ({0}); a JWKS is a JSON object with a list of keys")]
    NoJwks(String),
    /// A JWKS without a key that can verify.
    #[error("the JWKS has no key for RS256 (RSA from 2048 bits), ES256 (P-256) or EdDSA (Ed25519)")]
    NoUsableKey,
    /// A PEM file without certificates.
    #[error("this holds no certificate in PEM")]
    NoCertificate,
    /// A text that is not a URL.
    #[error("this is not a URL: {0}")]
    Url(String),
    /// Over plain HTTP, anyone on the network path could replace the keys.
    #[error(
        "a JWKS is fetched over https only, because plain HTTP could be changed on the way; give an https:// URL or a file"
    )]
    NotHttps,
    /// Credentials in a URL would end up in logs.
    #[error("leave credentials out of the URL of a JWKS")]
    Credentials,
    /// The client for a URL cannot be set up.
    #[error("cannot set up TLS for the JWKS: {0}")]
    Client(String),
    /// The request failed, or its answer is unusable.
    #[error("cannot get the JWKS from {url}: {reason}")]
    Fetch {
        /// The address.
        url: String,
        /// What went wrong.
        reason: String,
    },
}

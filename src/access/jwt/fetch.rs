//! Fetches keys from an https URL, within deadlines and a size limit, and never over plain HTTP.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Certificate, Client, StatusCode, redirect};
use url::Url;

use super::JwtError;
use crate::small_file;

/// The largest JWKS that is accepted.
const BYTES_MAX: usize = 512 * 1024;
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// Time limit for the whole request.
const WAIT: Duration = Duration::from_secs(5);

/// An https URL without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl(Url);

impl JwksUrl {
    /// Checks a URL.
    ///
    /// # Errors
    /// [`JwtError::NotHttps`], [`JwtError::Credentials`].
    pub fn new(url: Url) -> Result<Self, JwtError> {
        if url.scheme() != "https" {
            return Err(JwtError::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(JwtError::Credentials);
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_str().fmt(f)
    }
}

/// Fetches a JWKS.
#[derive(Debug)]
pub(super) struct Fetcher {
    url: JwksUrl,
    client: Client,
}

impl Fetcher {
    /// A client that trusts the certificates in `ca`, a PEM file, or those that the system trusts.
    pub(super) fn new(url: JwksUrl, ca: Option<&Path>) -> Result<Self, JwtError> {
        let mut client = Client::builder()
            .https_only(true)
            // A redirect would let the server choose where the keys come from.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WAIT)
            .timeout(WAIT)
            .user_agent(concat!("tokenlake/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca {
            client = client.tls_built_in_root_certs(false);
            for certificate in certificates(path)? {
                client = client.add_root_certificate(certificate);
            }
        }
        let client = client.build().map_err(|error| JwtError::Client(whole(&error)))?;
        Ok(Self { url, client })
    }

    /// Fetches the text of the JWKS.
    ///
    /// # Errors
    /// [`JwtError::Fetch`].
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, JwtError> {
        let failed = |reason: String| {
            let url = self.url.0.to_string();
            JwtError::Fetch { url, reason }
        };
        let request = self.client.get(self.url.0.clone()).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(|error| failed(whole(&error)))?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let hint = if status.is_redirection() { "; give the URL that it leads to" } else { "" };
            return Err(failed(format!("HTTP status {status}{hint}")));
        }
        let mut text = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|error| failed(whole(&error)))? {
            if text.len() + bytes.len() > BYTES_MAX {
                return Err(failed(format!("it is larger than {BYTES_MAX} bytes")));
            }
            text.extend_from_slice(&bytes);
        }
        Ok(text)
    }

    /// The same failure, with the URL.
    pub(super) fn failed(&self, error: &JwtError) -> JwtError {
        JwtError::Fetch { url: self.url.0.to_string(), reason: error.to_string() }
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, JwtError> {
    let none = || JwtError::In { path: path.to_owned(), error: JwtError::NoCertificate.into() };
    let certificates =
        Certificate::from_pem_bundle(&small_file::read(path)?).map_err(|_| none())?;
    if certificates.is_empty() { Err(none()) } else { Ok(certificates) }
}

/// An error with its causes, without the URL, which the caller adds once.
fn whole(error: &reqwest::Error) -> String {
    let mut text = match error {
        error if error.is_timeout() => "no answer in time".to_owned(),
        error if error.is_connect() => "no connection".to_owned(),
        _ => "no whole answer".to_owned(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

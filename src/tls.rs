//! The server's TLS: versions 1.2 and 1.3, a certificate that is reloaded when its files change,
//! and client certificates if they are required.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;

use crate::small_file::{self, SmallFileError};

/// How often the files are read again.
const INTERVAL: Duration = Duration::from_secs(2);

/// An ASN.1 sequence whose length takes two bytes; no text begins like this.
const DER_START: &[u8] = &[0x30, 0x82];

/// Why TLS cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] SmallFileError),
    /// A file has the wrong content.
    #[error("{path} holds no {what} in PEM{hint}", path = .path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What it holds instead, and what to do; empty if that is unknown.
        hint: &'static str,
    },
    /// Certificate and key cannot be used.
    #[error("{cert} and {key} cannot be used: {reason}", cert = .cert.display(), key = .key.display())]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        reason: String,
    },
    /// The authorities that certify clients cannot be used.
    #[error("{path} cannot be used: {reason}", path = .path.display())]
    UnusableCa {
        /// The authorities' file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The PEM files with certificates and keys.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate, followed by the intermediate certificates.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that certify clients; without it, clients need no certificate.
    pub client_ca: Option<PathBuf>,
}

/// The configuration of handshakes, which is reloaded when the files change.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<RwLock<Arc<ServerConfig>>>,
    _task: Arc<AbortOnDropHandle<()>>,
}

impl Tls {
    /// Reads the files and watches them for changes. Later errors leave the configuration as it is.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let texts = Texts::read(&files)?;
        let config = Arc::new(RwLock::new(Arc::new(texts.config(&files)?)));
        let task = tokio::spawn(follow(files, texts, config.clone()));
        Ok(Self { config, _task: Arc::new(AbortOnDropHandle::new(task)) })
    }

    /// Makes a connection's handshake. A client that names protocols (ALPN) must name one of
    /// `protocols`, so that what is meant for one door is not answered by another.
    ///
    /// # Errors
    /// A handshake that fails, or the system's error.
    pub async fn accept(
        &self,
        stream: TcpStream,
        protocols: &[&[u8]],
    ) -> io::Result<TlsStream<TcpStream>> {
        // Without this, small writes would wait until the peer has confirmed the previous one.
        stream.set_nodelay(true)?;
        let mut config = self.config.read().as_ref().clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await
    }
}

async fn follow(files: TlsFiles, mut known: Texts, config: Arc<RwLock<Arc<ServerConfig>>>) {
    let mut failure = None;
    loop {
        tokio::time::sleep(INTERVAL).await;
        let changed = Texts::read(&files).and_then(|texts| {
            let changed = texts != known;
            changed.then(|| Ok((texts.config(&files)?, texts))).transpose()
        });
        let failed = match changed {
            Ok(None) => None,
            Ok(Some((new, texts))) => {
                *config.write() = Arc::new(new);
                known = texts;
                tracing::info!("the certificate's files have changed; new connections use them");
                None
            }
            Err(error) => Some(error),
        };
        // It may take a while until both files match, so a failure that stays the same is logged
        // only once.
        if let Some(error) = failed.as_ref().filter(|error| failure.as_ref() != Some(*error)) {
            tracing::warn!(%error, "the certificate's files cannot be used; the old one is kept");
        }
        failure = failed;
    }
}

/// The content of the files. It has no `Debug`, because it includes the key.
#[derive(PartialEq, Eq)]
struct Texts {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Texts {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let client_ca = files.client_ca.as_deref().map(small_file::read);
        Ok(Self {
            cert: small_file::read(&files.cert)?,
            key: small_file::read(&files.key)?,
            client_ca: client_ca.transpose()?,
        })
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let unusable = |error: Error| {
            let (cert, key) = (files.cert.clone(), files.key.clone());
            TlsError::Unusable { cert, key, reason: error.to_string() }
        };
        let chain = certificates(&files.cert, &self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| not_pem(&files.key, "private key", &self.key))?;
        // Named, because more than one provider is compiled in.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match files.client_ca.as_deref().zip(self.client_ca.as_deref()) {
            None => builder.with_no_client_auth(),
            Some((path, text)) => {
                builder.with_client_cert_verifier(verifier(path, text, provider)?)
            }
        };
        builder.with_single_cert(chain, key).map_err(unusable)
    }
}

/// An error that says what a file holds instead.
fn not_pem(path: &Path, what: &'static str, text: &[u8]) -> TlsError {
    let holds = |part: &str| memchr::memmem::find(text, part.as_bytes()).is_some();
    let hint = if text.trim_ascii().is_empty() {
        "; it is empty"
    } else if text.starts_with(DER_START) {
        ", but DER or PKCS #12; convert it with openssl x509, pkey or pkcs12"
    } else if holds("-----BEGIN OPENSSH PRIVATE KEY") {
        ", but a key of SSH; make one with openssl genpkey"
    } else if holds("-----BEGIN CERTIFICATE REQUEST") {
        ", but a request for one; give what the authority made of it"
    } else if holds("PRIVATE KEY-----") && what != "private key" {
        ", but a private key; it is for --tls-key"
    } else if holds("-----BEGIN CERTIFICATE") && what == "private key" {
        ", but a certificate; it is for --tls-cert"
    } else {
        ""
    };
    TlsError::NotPem { path: path.to_owned(), what, hint }
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = || not_pem(path, "certificate", text);
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or_else(none)
}

fn verifier(
    path: &Path,
    text: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |reason: String| TlsError::UnusableCa { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, text)? {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.build().map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_kind_is_called_what_it_is() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIF\n-----END PRIVATE KEY-----\n";
        for (what, text, part) in [
            ("certificate", key.as_bytes(), "but a private key; it is for --tls-key"),
            (
                "private key",
                b"-----BEGIN CERTIFICATE-----",
                "but a certificate; it is for --tls-cert",
            ),
            ("private key", b"-----BEGIN OPENSSH PRIVATE KEY-----", "a key of SSH"),
            ("certificate", b"-----BEGIN CERTIFICATE REQUEST-----", "a request for one"),
            ("certificate", &[0x30, 0x82, 1, 2], "but DER or PKCS #12; convert it"),
            ("certificate", b" \n", "it is empty"),
            ("certificate", b"x", "in PEM"),
        ] {
            let error = not_pem(Path::new("f"), what, text).to_string();
            assert!(error.starts_with(&format!("f holds no {what} in PEM")), "{error}");
            assert!(error.contains(part), "{error}");
        }
    }
}

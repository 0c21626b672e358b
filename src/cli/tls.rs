//! The flags of a server for TLS.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::tls::{Tls, TlsError, TlsFiles};

/// TLS.
#[derive(Debug, ClapArgs)]
pub struct TlsArgs {
    /// Serve over TLS with this certificate, as PEM, followed by the intermediate ones up to one
    /// that clients trust. It is read again when it changes. Needs --tls-key.
    #[arg(long, env = "TOKENLAKE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM.
    #[arg(long, env = "TOKENLAKE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Accept only clients with a certificate issued by one of these CAs, as PEM. They still need
    /// an access key or JWT.
    #[arg(long, env = "TOKENLAKE_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
}

impl TlsArgs {
    /// Reads the files, if TLS is configured.
    ///
    /// # Errors
    /// If the files are wrong.
    pub(super) fn open(&self) -> Result<Option<Tls>, TlsError> {
        let pair = self.tls_cert.clone().zip(self.tls_key.clone());
        let files =
            pair.map(|(cert, key)| TlsFiles { cert, key, client_ca: self.tls_client_ca.clone() });
        files.map(Tls::open).transpose()
    }
}

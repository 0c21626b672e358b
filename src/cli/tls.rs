//! Flags of a server: TLS.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::http::{Tls, TlsError, TlsFiles};

/// TLS.
#[derive(Debug, ClapArgs)]
pub struct TlsArgs {
    /// Serve over TLS with this certificate, as PEM, followed by those between it and the one that
    /// clients trust. It is read again when it changes. Needs --tls-key.
    #[arg(long, env = "TOKENLAKE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM.
    #[arg(long, env = "TOKENLAKE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Let in only clients that show a certificate of one of these, as PEM. They need an access key
    /// or JWT all the same.
    #[arg(long, env = "TOKENLAKE_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
}

impl TlsArgs {
    /// Reads the files, where there is to be TLS.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn open(&self) -> Result<Option<Tls>, TlsError> {
        let pair = self.tls_cert.clone().zip(self.tls_key.clone());
        let files =
            pair.map(|(cert, key)| TlsFiles { cert, key, client_ca: self.tls_client_ca.clone() });
        files.map(Tls::open).transpose()
    }
}

//! Where connections come from: an address, with TLS or without.

use std::io;

use tokio::net::TcpListener;

use crate::tls::Tls;

/// With TLS, or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A bound address.
#[derive(Debug)]
pub struct Listener {
    pub(super) tcp: TcpListener,
    pub(super) tls: Option<Tls>,
}

impl Listener {
    /// An address with TLS, or without.
    pub fn new(tcp: TcpListener, tls: Option<Tls>) -> Self {
        Self { tcp, tls }
    }

    /// The address, and TLS.
    pub fn into_parts(self) -> (TcpListener, Option<Tls>) {
        (self.tcp, self.tls)
    }

    /// How clients begin its URL.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::Https } else { Scheme::Http }
    }

    /// The URL for clients.
    ///
    /// # Errors
    /// The system's error.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("{}://{}", self.scheme().name(), self.tcp.local_addr()?))
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self::new(tcp, None)
    }
}

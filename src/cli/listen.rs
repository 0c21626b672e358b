//! Addresses to listen on: a host, by number or name, and a port.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use tokio::net::TcpListener;

/// The server's address by default.
pub(super) const LISTEN: &str = "127.0.0.1:9797";

/// `127.0.0.1:9797`, `[::1]:9797` or `localhost:9797`. Port 0 means a free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddr {
    host: String,
    port: u16,
}

impl FromStr for ListenAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        let wrong = "write HOST:PORT, such as localhost:9797, 0.0.0.0:9797 or [::1]:9797";
        let (host, port) = text.rsplit_once(':').ok_or(wrong)?;
        let is_name = |c: char| c.is_alphanumeric() || "-._".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(wrong.to_owned());
        }
        let port = port.parse().map_err(|_| format!("the port is not from 0 to 65535; {wrong}"))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl ListenAddr {
    /// The addresses of the host, those of IPv4 first: clients mostly use IPv4 for a name that has
    /// both.
    ///
    /// # Errors
    /// The system's error, if it knows no address.
    pub(super) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let mut addresses: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }

    /// Listens on the first of its addresses that is free.
    ///
    /// # Errors
    /// The system's error.
    pub(super) async fn bind(&self) -> io::Result<TcpListener> {
        let this = self.clone();
        let addresses = tokio::task::spawn_blocking(move || this.resolve()).await;
        let addresses = addresses.map_err(io::Error::other)??;
        TcpListener::bind(addresses.as_slice()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in ["127.0.0.1:9797", "[::1]:0", "localhost:9797", "my_host.example:80", "[::]:1"]
        {
            assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "localhost",
            ":9797",
            "localhost:",
            "localhost:65536",
            "::1:9797",
            "http://a:1",
            "a b:1",
        ] {
            let error = text.parse::<ListenAddr>().unwrap_err();
            assert!(error.contains("localhost:9797"), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn a_name_is_listened_on() {
        let name: ListenAddr = "localhost:0".parse().unwrap();
        assert!(name.bind().await.unwrap().local_addr().unwrap().ip().is_loopback());
        let nobody: ListenAddr = "nobody.invalid:0".parse().unwrap();
        assert!(nobody.bind().await.is_err());
    }
}

//! Connections to nodes: over TLS, or in the clear on loopback.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use url::{Host, Url};

use super::heard::{Heard, SILENCE_MAX, silent};

/// How often a node is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long one such question may take. It is no limit: the connection is given up before.
const PING_WAIT: Duration = Duration::from_secs(60);
/// HTTP/2, as it is offered in a handshake.
const HTTP_2: &[u8] = b"h2";

/// The address of a node, such as `https://node-1:9798`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeUrl(Url);

impl NodeUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address of a node; write https://HOST:PORT");
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let named = url.username().is_empty() && url.password().is_none();
        let known = ["http", "https"].contains(&url.scheme()) && url.host().is_some();
        if known && plain && named { Ok(Self(url)) } else { Err(wrong()) }
    }

    /// The address of a plan's stage.
    pub(super) fn of(url: &Url) -> Self {
        Self(url.clone())
    }

    /// The address as the engine has it.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

impl std::fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Which nodes are trusted.
#[derive(Clone)]
pub struct NodeTrust {
    tls: Arc<ClientConfig>,
    /// Whether connections in the clear may leave this machine.
    insecure: bool,
}

impl std::fmt::Debug for NodeTrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeTrust").field("insecure", &self.insecure).finish_non_exhaustive()
    }
}

impl NodeTrust {
    /// Trusts nodes with certificates by the authorities in `ca`, as PEM, or by those that the system
    /// trusts.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn new(ca: Option<&[u8]>, insecure: bool) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match ca {
            Some(text) => {
                let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
                let all = all.ok().filter(|all| !all.is_empty());
                for certificate in all.ok_or("it holds no certificate in PEM")? {
                    roots.add(certificate).map_err(|error| error.to_string())?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs().certs;
                // Some that a system has are of no use to anybody.
                let _ = roots.add_parsable_certificates(found);
            }
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        Ok(Self { tls: Arc::new(config), insecure })
    }

    /// Refuses an address in the clear beyond this machine.
    ///
    /// # Errors
    /// What to do instead.
    pub fn check(&self, node: &NodeUrl) -> Result<(), String> {
        let local = match node.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if node.0.scheme() == "https" || local || self.insecure {
            return Ok(());
        }
        Err(format!(
            "{node} is in the clear, and the token and the rows would be, too; give the node \
             --tls-cert and write https://, or take the risk with --node-insecure"
        ))
    }
}

/// What a connection is made of.
trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection to a node, which speaks HTTP/2.
///
/// # Errors
/// Why there is none.
pub(super) async fn dial(node: &NodeUrl, trust: &NodeTrust) -> Result<Channel, String> {
    trust.check(node)?;
    // The endpoint would add TLS of its own to https.
    let host = node.0.host_str().unwrap_or_default();
    let port = node.0.port_or_known_default().unwrap_or_default();
    let endpoint = Endpoint::from_shared(format!("http://{host}:{port}"));
    let endpoint = endpoint
        .map_err(|error| error.to_string())?
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_WAIT)
        .keep_alive_while_idle(true)
        .http2_adaptive_window(true);
    let (tls, is_https) = (trust.tls.clone(), node.0.scheme() == "https");
    let address = (host.trim_matches(['[', ']']).to_owned(), port);
    // The connection is made again by itself, with the same limit.
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, address) = (is_https.then(|| tls.clone()), address.clone());
        async move {
            let made = tokio::time::timeout(SILENCE_MAX, connected(address, tls)).await;
            let made = made.unwrap_or_else(|_| Err(io::Error::other(silent())));
            made.map(|stream| TokioIo::new(Heard::new(stream)))
        }
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| in_one_line(&error))
}

async fn connected(
    (host, port): (String, u16),
    tls: Option<Arc<ClientConfig>>,
) -> io::Result<Box<dyn ByteStream>> {
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(tls).connect(name, stream).await?))
}

/// An error with its causes.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(at) = cause {
        let words = at.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = at.source();
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        for text in ["https://node-1:9798", "http://127.0.0.1:1", "http://[::1]:2"] {
            assert_eq!(NodeUrl::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "node-1:9798", "ftp://a:1", "http://a/b", "http://u:p@a", "http://a?b"] {
            assert!(NodeUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_is_spoken_to_in_the_clear() {
        let trust = NodeTrust::new(None, false).unwrap();
        let node = |text: &str| NodeUrl::parse(text).unwrap();
        for text in
            ["https://node-1:1", "http://127.9.9.9:1", "http://[::1]:1", "http://localhost:1"]
        {
            trust.check(&node(text)).unwrap();
        }
        for text in ["http://node-1:1", "http://10.0.0.1:1", "http://0.0.0.0:1"] {
            assert!(trust.check(&node(text)).unwrap_err().contains("--node-insecure"), "{text}");
            NodeTrust::new(None, true).unwrap().check(&node(text)).unwrap();
        }
        assert!(NodeTrust::new(Some(b"x"), false).is_err());
    }
}

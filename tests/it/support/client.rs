//! A plain HTTP client: bytes out, bytes in, nothing decoded.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, ClientBuilder, Method, Version};
use tokio::runtime::Runtime;

const TIMEOUT: Duration = Duration::from_secs(30);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});
/// Connections are not kept: a server may be killed between two requests.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    Client::builder().pool_max_idle_per_host(0).timeout(TIMEOUT).no_proxy().build().unwrap()
});

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends a request; an error is one of the connection.
pub fn try_send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, reqwest::Error> {
    let mut request =
        CLIENT.request(Method::from_bytes(method.as_bytes()).unwrap(), url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    RUNTIME.block_on(async {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    })
}

/// A client that goes its own way, and how its requests end.
#[derive(Debug)]
pub struct OwnClient(Client);

impl OwnClient {
    /// A client that trusts one authority, given as PEM, and no other.
    pub fn trusting(ca: &str, more: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let ca = Certificate::from_pem(ca.as_bytes()).unwrap();
        let builder = Client::builder().timeout(TIMEOUT).no_proxy();
        let builder = builder.tls_built_in_root_certs(false).add_root_certificate(ca);
        Self(more(builder).build().unwrap())
    }

    /// Gets with a key: the status, and the version of HTTP.
    pub fn get(&self, url: &str, key: &str) -> Result<(u16, Version), reqwest::Error> {
        let request = self.0.get(url).bearer_auth(key);
        RUNTIME.block_on(async {
            let response = request.send().await?;
            let found = (response.status().as_u16(), response.version());
            response.bytes().await?;
            Ok(found)
        })
    }
}

/// Sends a request that must be answered.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    try_send(method, url, headers, body.into()).unwrap_or_else(|error| panic!("{error:?}"))
}

/// `Bearer <key>`.
pub fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// Gets with a key.
pub fn get(url: &str, key: &str) -> Answer {
    send("GET", url, &[("authorization", &bearer(key))], "")
}

/// Posts with a key.
pub fn post(url: &str, key: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    send("POST", url, &[("authorization", &bearer(key)), ("content-type", content_type)], body)
}

//! Where webhooks may be sent: URLs whose host and port the operator names, as they are written.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use url::{Host, Url};

use super::address::{Reach, reach};
use crate::event::excerpt;

/// Bytes of the longest URL.
const URL_BYTES_MAX: usize = 2_048;
/// The ports of an entry that has none, by scheme.
const DEFAULT_PORTS: [(&str, u16); 2] = [("https", 443), ("http", 80)];

/// Why nothing is sent to a target. No message has a password or a key in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The text is no URL that a webhook may have.
    #[error("{0:?} is no URL for a webhook: {1}")]
    Url(String, &'static str),
    /// The operator does not name it.
    #[error(
        "webhooks to {0} are not allowed; the operator allows them with: tokenlake serve --webhook-allow {0}"
    )]
    NotAllowed(String),
    /// What the name stands for may not be reached.
    #[error("webhooks to {0} are not sent: its addresses are of the link or of no host")]
    Address(String),
    /// The name stands for no address.
    #[error("{0} has no address: {1}")]
    Unresolved(String, String),
}

/// A host, and the port if it is not the default one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AllowedTarget {
    host: Host<String>,
    port: Option<u16>,
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no HOST[:PORT] such as hooks.slack.com, 10.0.0.7:9093 or [::1]:8080")]
pub struct InvalidTarget(String);

impl FromStr for AllowedTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(excerpt(text));
        let text = text.trim();
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self { host: Host::Ipv6(address), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let is_port = |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit());
        let port =
            port.map(|port| Some(port).filter(is_port)?.parse().ok().filter(|port| *port > 0));
        let port = port.map(|port: Option<u16>| port.ok_or_else(invalid)).transpose()?;
        // What a URL would take for something else than a host.
        if host.is_empty() || host.contains(['/', '@', '?', '#', '\\', '*', '%']) {
            return Err(invalid());
        }
        Ok(Self { host: Host::parse(host).map_err(|_| invalid())?, port })
    }
}

impl fmt::Display for AllowedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => self.host.fmt(f),
            Some(port) => write!(f, "{}:{port}", self.host),
        }
    }
}

/// The targets that an operator allows. None is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedTargets(Vec<AllowedTarget>);

impl AllowedTargets {
    /// These.
    pub fn new(targets: Vec<AllowedTarget>) -> Self {
        Self(targets)
    }

    /// True if nothing may be sent to.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the host of `target` is named, as it is written, with its port.
    ///
    /// # Errors
    /// [`TargetError::NotAllowed`].
    pub fn check(&self, target: &Target) -> Result<(), TargetError> {
        let is_default = DEFAULT_PORTS.contains(&(target.url.scheme(), target.port));
        let allows = |allowed: &AllowedTarget| {
            let port = allowed.port.map_or(is_default, |port| port == target.port);
            port && allowed.host == target.host
        };
        let named = self.0.iter().any(allows);
        named.then_some(()).ok_or_else(|| TargetError::NotAllowed(target.place()))
    }
}

/// The URL of a webhook: http or https, with a host, without user, password and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
}

impl Target {
    /// Reads a URL, and the name in its user part, which it has for PagerDuty alone.
    ///
    /// # Errors
    /// [`TargetError::Url`].
    pub fn parse_with_user(text: &str) -> Result<(Self, Option<String>), TargetError> {
        let wrong = |why| TargetError::Url(shown(text), why);
        // The parser would pass over these.
        if text.len() > URL_BYTES_MAX || text.chars().any(|char| char.is_control() || char == ' ') {
            return Err(wrong("it has a blank or control character, or over 2048 bytes"));
        }
        let mut url = Url::parse(text).map_err(|_| wrong("it cannot be read"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("its scheme is neither https nor http"));
        }
        if url.fragment().is_some() {
            return Err(wrong("it has a fragment"));
        }
        if url.password().is_some() {
            return Err(wrong("it has a password"));
        }
        let user = Some(url.username().to_owned()).filter(|user| !user.is_empty());
        url.set_username("").map_err(|()| wrong("it has no host"))?;
        // What is not of ASCII is longer in a URL, and this is what is stored.
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(wrong("it has over 2048 bytes as a URL has them"));
        }
        let host = url.host().ok_or_else(|| wrong("it has no host"))?.to_owned();
        let port = url.port_or_known_default().filter(|port| *port > 0);
        let port = port.ok_or_else(|| wrong("its port is 0"))?;
        Ok((Self { url, host, port }, user))
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// [`TargetError::Url`].
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        match Self::parse_with_user(text)? {
            (_, Some(_)) => Err(TargetError::Url(shown(text), "it has a user")),
            // An empty user is one, too.
            _ if authority(text).contains('@') => {
                Err(TargetError::Url(shown(text), "it has a user"))
            }
            (target, None) => Ok(target),
        }
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host with its port, as an operator allows it.
    pub fn place(&self) -> String {
        match self.url.port() {
            None => self.host.to_string(),
            Some(port) => format!("{}:{port}", self.host),
        }
    }

    /// The address that is written in the URL.
    pub fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// Those of the addresses that its name stands for which may be reached: the public ones, else
    /// those of a private network, because the operator allows the name. A public name that begins
    /// to stand for a private address as well reaches its public one alone. An address that is
    /// written out is allowed as it is.
    ///
    /// # Errors
    /// [`TargetError::Address`], if there is none.
    pub fn reachable(&self, found: &[IpAddr]) -> Result<Vec<SocketAddr>, TargetError> {
        let of = |wanted: Reach| found.iter().filter(move |address| reach(**address) == wanted);
        let mut chosen: Vec<_> = of(Reach::Public).collect();
        if chosen.is_empty() {
            chosen = of(Reach::Private).collect();
        }
        if chosen.is_empty() {
            return Err(TargetError::Address(self.place()));
        }
        Ok(chosen.into_iter().map(|address| SocketAddr::new(*address, self.port)).collect())
    }
}

/// Paths and queries of webhooks are as good as passwords.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.place())
    }
}

/// The part of a URL's text that has the user and the host.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

/// The text without what may be a user, a password or a path.
fn shown(text: &str) -> String {
    let authority = authority(text);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let scheme = text.split_once("://").map(|(scheme, _)| format!("{scheme}://"));
    excerpt(&format!("{}{host}", scheme.unwrap_or_default()))
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;

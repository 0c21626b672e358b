//! Checks a request's `Host` header (RFC 9112, section 3.2): HTTP/1.1 requires exactly one. With
//! two, a proxy and the server behind it could disagree about the host.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{HeaderValue, Version};

/// Why a request must be refused, if it must. HTTP/1.0 has no `Host`. HTTP/2 has `:authority`,
/// which its library checks.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<&'static str> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Some("a request of HTTP/1.1 needs a Host header"),
        (Some(_), Some(_)) => Some("a request has one Host header; this one has more"),
        (Some(host), None) if !is_host(host) => Some("the Host header names no host"),
        (Some(_), None) => None,
    }
}

/// Whether it can be a host and a port, that is, has no character that would end them in a URL. It
/// may be empty.
fn is_host(host: &HeaderValue) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_graphic() && !b"/?#@,\\\"<>^`{|}".contains(byte);
    host.as_bytes().iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(version: Version, hosts: &[&str]) -> bool {
        let mut request = Request::new(());
        *request.version_mut() = version;
        for host in hosts {
            request.headers_mut().append(HOST, host.parse().unwrap());
        }
        refusal(&request).is_some()
    }

    #[test]
    fn http_1_1_needs_one_host() {
        for host in ["x", "", "localhost:9797", "[::1]:9797", "my_service.local", "10.0.0.1"] {
            assert!(!refused(Version::HTTP_11, &[host]), "{host}");
        }
        for host in ["a b", "a/b", "a, b", "user@a", "a\t", "é"] {
            assert!(refused(Version::HTTP_11, &[host]), "{host}");
        }
        assert!(refused(Version::HTTP_11, &[]) && refused(Version::HTTP_11, &["x", "x"]));
        for version in [Version::HTTP_10, Version::HTTP_2] {
            assert!(!refused(version, &[]), "{version:?}");
        }
    }
}

//! The page for people: static files inside the program, which anybody may have. What they show, they
//! ask for with the key of the one who looks.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use sha2::{Digest as _, Sha256};

use super::observe::observed;
use super::request::joined;
use super::shared::Shared;
use crate::exposition::Coding;

/// The bytes of a file in `assets/`.
macro_rules! asset {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $name))
    };
}

/// The path, media type and bytes of each file.
const FILES: [(&str, &str, &[u8]); 21] = [
    ("/", HTML, asset!("index.html")),
    ("/assets/page.css", CSS, asset!("page.css")),
    ("/assets/api.js", SCRIPT, asset!("api.js")),
    ("/assets/budgets.js", SCRIPT, asset!("budgets.js")),
    ("/assets/calendar.js", SCRIPT, asset!("calendar.js")),
    ("/assets/chart.js", SCRIPT, asset!("chart.js")),
    ("/assets/csv.js", SCRIPT, asset!("csv.js")),
    ("/assets/decimal.js", SCRIPT, asset!("decimal.js")),
    ("/assets/dom.js", SCRIPT, asset!("dom.js")),
    ("/assets/history.js", SCRIPT, asset!("history.js")),
    ("/assets/newest.js", SCRIPT, asset!("newest.js")),
    ("/assets/page.js", SCRIPT, asset!("page.js")),
    ("/assets/ranges.js", SCRIPT, asset!("ranges.js")),
    ("/assets/spend.js", SCRIPT, asset!("spend.js")),
    ("/assets/sql.js", SCRIPT, asset!("sql.js")),
    ("/assets/start.js", SCRIPT, asset!("start.js")),
    ("/assets/table.js", SCRIPT, asset!("table.js")),
    ("/assets/icon.svg", "image/svg+xml", asset!("icon.svg")),
    ("/assets/vendor/uplot-1.6.32.min.js", SCRIPT, asset!("vendor/uplot-1.6.32.min.js")),
    ("/assets/vendor/uplot-1.6.32.min.css", CSS, asset!("vendor/uplot-1.6.32.min.css")),
    ("/assets/vendor/uplot-1.6.32.license.txt", TEXT, asset!("vendor/uplot-1.6.32.license.txt")),
];
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The folder of files whose names carry their versions.
const VENDOR: &str = "/assets/vendor/";

/// What a browser may do with any of the files: run and show what this server sends, and nothing else.
const SAFETY: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// A file as it is sent.
#[derive(Debug)]
struct StaticFile {
    content_type: &'static str,
    cache_control: &'static str,
    plain: &'static [u8],
    gzip: Bytes,
    /// Weak: it is the same for both codings.
    etag: HeaderValue,
}

/// `router` with a route for each file.
pub(super) fn with_page(router: Router<Arc<Shared>>) -> Router<Arc<Shared>> {
    FILES.into_iter().fold(router, |router, (path, content_type, plain)| {
        let file = Arc::new(StaticFile::new(path, content_type, plain));
        let endpoint = if path == "/" { "/" } else { "/assets" };
        let answer = move |State(shared): State<Arc<Shared>>,
                           method: Method,
                           headers: HeaderMap| async move {
            let answer = async { file.answer(&headers) };
            observed(shared.app.telemetry(), endpoint, &method, answer).await
        };
        router.route(path, get(answer))
    })
}

impl StaticFile {
    fn new(path: &str, content_type: &'static str, plain: &'static [u8]) -> Self {
        let hash = hex::encode(Sha256::digest(plain));
        let etag = HeaderValue::from_str(&format!("W/\"{hash}\""));
        Self {
            content_type,
            cache_control: if path.starts_with(VENDOR) { "max-age=86400" } else { "no-cache" },
            plain,
            gzip: compressed(plain),
            etag: etag.unwrap_or_else(|_| HeaderValue::from_static("W/\"\"")),
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = Response::default();
        let is_known = joined(headers, IF_NONE_MATCH).is_some_and(|known| self.is_among(&known));
        let coding = Coding::gzip_if_taken(joined(headers, ACCEPT_ENCODING).as_deref());
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            // Of no size that is known: a length of 0 would be said of the file (RFC 9110, 8.6).
            *response.body_mut() = Body::from_stream(stream::empty::<Result<Bytes, Infallible>>());
        } else if coding == Coding::Gzip {
            *response.body_mut() = Body::from(self.gzip.clone());
        } else {
            *response.body_mut() = Body::from(self.plain);
        }
        let answer = response.headers_mut();
        for (name, value) in SAFETY {
            answer.insert(name, HeaderValue::from_static(value));
        }
        answer.insert(CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        answer.insert(ETAG, self.etag.clone());
        answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if !is_known {
            answer.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if let Some(coding) = coding.name() {
                answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
        }
        response
    }

    /// Whether a client's list of tags names this file as it is (RFC 9110, section 13.1.2).
    fn is_among(&self, tags: &str) -> bool {
        let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        let own = opaque(self.etag.as_bytes());
        tags.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag.as_bytes()) == own)
    }
}

/// In gzip; empty if that fails, which memory does not.
fn compressed(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).and_then(|()| encoder.finish()).map(Bytes::from).unwrap_or_default()
}

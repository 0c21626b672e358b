//! The attacking clients.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder};

/// Series of long names, so that a scrape of them has several MiB.
pub const SERIES: u64 = 1_500;
/// The shortest events that there are.
pub const SHORT_EVENTS: u64 = 20_000;
/// Bad events of one body.
const BAD_EVENTS: usize = 50_000;
/// Header lines of a head that is as long as it may be.
const LINES: usize = 500;
/// What a client of HTTP/2 takes of an answer that nobody reads.
const WINDOW: u32 = 1_024;

/// Makes clients.
pub struct Clients(Certificate);

impl Clients {
    /// Those that trust one authority, given as PEM.
    pub fn trusting(ca: &str) -> Self {
        Self(Certificate::from_pem(ca.as_bytes()).unwrap())
    }

    fn builder(&self) -> ClientBuilder {
        let builder = Client::builder().no_proxy().timeout(Duration::from_secs(30));
        builder.tls_built_in_root_certs(false).add_root_certificate(self.0.clone())
    }

    /// One with a connection for each request.
    pub fn own(&self) -> Client {
        self.builder().http1_only().pool_max_idle_per_host(0).build().unwrap()
    }

    /// One whose requests share a connection of HTTP/2, and which takes little of what is not read.
    pub fn narrow(&self) -> Client {
        self.builder().http2_initial_stream_window_size(WINDOW).build().unwrap()
    }
}

/// What is sent.
pub struct Bodies {
    /// Events of many series.
    pub series: String,
    /// Compressed: each of its events is bad, and says as much as it can.
    pub bad: Vec<u8>,
    pub short: Vec<u8>,
}

impl Bodies {
    pub fn new() -> Self {
        let [provider, model] = ["p", "m"].map(|letter| letter.repeat(240));
        let series = (0..SERIES).map(|n| {
            format!(
                r#"{{"event_id":"series-{n}","ts":1714557600,"provider":"{provider}{n}","model":"{model}{n}"}}"#
            )
        });
        let bad = format!(r#"{{"event_id":"{}","ts":"x"}}"#, "i".repeat(40));
        let bad = vec![bad; BAD_EVENTS].join(",");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(format!("[{bad}]").as_bytes()).unwrap();
        let short = (0..SHORT_EVENTS)
            .map(|n| format!(r#"{{"event_id":"{n}","ts":1714557600,"provider":"p","model":"m"}}"#));
        Self {
            series: series.collect::<Vec<_>>().join("\n"),
            bad: encoder.finish().unwrap(),
            short: short.collect::<Vec<_>>().join("\n").into_bytes(),
        }
    }

    /// A request whose head takes many times its bytes.
    pub fn with_long_head(&self, request: RequestBuilder) -> RequestBuilder {
        (0..LINES).fold(request, |request, line| request.header(format!("x-{line}"), "x"))
    }
}

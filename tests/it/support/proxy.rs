//! A network that fails, in front of a real S3 server: a proxy of plain HTTP/1.1. Each request has
//! its own connection, so an answer ends when the server closes it. Requests are forwarded byte for
//! byte, with the host that their client signed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::poll;
use super::random::Random;

const HEAD_BYTES_MAX: usize = 64 << 10;
const DELAY_MAX_MS: u64 = 1_500;
const HELD_MAX: Duration = Duration::from_secs(60);

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 503 SlowDown, without effect.
    SlowDown,
    /// The connection ends before the request is read.
    Refused,
    /// The request is made, and answered with 500.
    FailedAfter,
    /// The request is made, and the connection ends without an answer.
    LostAnswer,
    /// The answer ends half way.
    Truncated,
    /// The request is made late.
    Delayed,
}

const TROUBLES: [Trouble; 6] = [
    Trouble::SlowDown,
    Trouble::Refused,
    Trouble::FailedAfter,
    Trouble::LostAnswer,
    Trouble::Truncated,
    Trouble::Delayed,
];

/// A proxy in front of a server on this machine. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    /// Of 1,000 requests.
    share: AtomicU64,
    random: Mutex<Random>,
    requests: AtomicU64,
    done: [AtomicU64; TROUBLES.len()],
    /// What the path of a put that is to be held has in it.
    held: Mutex<Option<&'static str>>,
    holding: AtomicBool,
    released: Notify,
    /// How much older listings make objects.
    aged: Mutex<Duration>,
}

impl Proxy {
    /// In front of a server's port; what it does wrong depends on the seed and the order in which
    /// requests come.
    pub fn start(server: u16, seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
        let shared = Arc::new(Shared {
            server,
            share: AtomicU64::new(0),
            random: Mutex::new(Random(seed)),
            requests: AtomicU64::new(0),
            done: Default::default(),
            held: Mutex::new(None),
            holding: AtomicBool::new(false),
            released: Notify::new(),
            aged: Mutex::new(Duration::ZERO),
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = shared.clone();
        runtime.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let to = to.clone();
                // Either side may go away at any point.
                tokio::spawn(async move { to.serve(client).await });
            }
        });
        Self { port, shared, _runtime: runtime }
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets so many of 1,000 requests go wrong from now on.
    pub fn trouble(&self, share: u64) {
        self.shared.share.store(share, Ordering::SeqCst);
    }

    /// How many requests came, and how many of them went wrong, by kind.
    pub fn counts(&self) -> (u64, Vec<(Trouble, u64)>) {
        let done = self.shared.done.iter().map(|count| count.load(Ordering::SeqCst));
        (self.shared.requests.load(Ordering::SeqCst), TROUBLES.into_iter().zip(done).collect())
    }

    /// Holds the next put of an object whose path has this in it, until [`Proxy::release`].
    pub fn hold(&self, part: &'static str) {
        *self.shared.held.lock() = Some(part);
    }

    /// Waits until such a put is held.
    pub fn wait_for_held(&self) {
        poll(HELD_MAX, "a put is held", || {
            self.shared.holding.load(Ordering::SeqCst).then_some(())
        });
    }

    /// Lets it go on.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }

    /// Lets listings say that objects are so much older than they are.
    pub fn age(&self, by: Duration) {
        *self.shared.aged.lock() = by;
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let trouble = self.choose();
        if trouble == Some(Trouble::Refused) {
            return Ok(());
        }
        let request = Request::read(&mut client).await?;
        match trouble {
            Some(Trouble::SlowDown) => {
                return client.write_all(&failure("503 Slow Down", "SlowDown")).await;
            }
            Some(Trouble::Delayed) => {
                let delay = self.random.lock().below(DELAY_MAX_MS);
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            _ => {}
        }
        self.hold_if_asked(&request).await;
        let mut answer = self.ask(&request).await?;
        if request.is_listing() {
            age_times(&mut answer, *self.aged.lock());
        }
        match trouble {
            Some(Trouble::FailedAfter) => {
                client.write_all(&failure("500 Internal Server Error", "InternalError")).await
            }
            Some(Trouble::LostAnswer) => Ok(()),
            Some(Trouble::Truncated) => {
                let head = end_of_head(&answer).unwrap_or(answer.len());
                client.write_all(&answer[..head + (answer.len() - head) / 2]).await
            }
            _ => client.write_all(&answer).await,
        }
    }

    fn choose(&self) -> Option<Trouble> {
        let mut random = self.random.lock();
        if random.below(1_000) >= self.share.load(Ordering::SeqCst) {
            return None;
        }
        let which = usize::try_from(random.below(TROUBLES.len() as u64)).unwrap();
        self.done[which].fetch_add(1, Ordering::SeqCst);
        Some(TROUBLES[which])
    }

    async fn hold_if_asked(&self, request: &Request) {
        let asked = {
            let mut held = self.held.lock();
            let met = held.filter(|part| request.is_put_of(part));
            met.inspect(|_| *held = None).is_some()
        };
        if asked {
            self.holding.store(true, Ordering::SeqCst);
            self.released.notified().await;
        }
    }

    /// The server's whole answer.
    async fn ask(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(("127.0.0.1", self.server)).await?;
        server.write_all(&request.head).await?;
        server.write_all(&request.body).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

struct Request {
    method: String,
    /// With the query.
    path: String,
    /// With its end; the server is asked to close the connection.
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Request {
    async fn read(client: &mut TcpStream) -> io::Result<Self> {
        let broken = || io::Error::other("no request");
        let mut bytes = Vec::new();
        let end = loop {
            match end_of_head(&bytes) {
                Some(end) => break end,
                None if bytes.len() > HEAD_BYTES_MAX => return Err(broken()),
                None if client.read_buf(&mut bytes).await? == 0 => return Err(broken()),
                None => {}
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).map_err(|_| broken())?;
        let mut first = head.split(' ').map(str::to_owned);
        let (method, path) = first.next().zip(first.next()).ok_or_else(broken)?;
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            if client.read_buf(&mut body).await? == 0 {
                return Err(broken());
            }
        }
        let head = format!("{}\r\nConnection: close\r\n\r\n", head.trim_end()).into_bytes();
        Ok(Self { method, path, head, body })
    }

    fn is_listing(&self) -> bool {
        self.method == "GET" && self.path.contains("list-type=2")
    }

    fn is_put_of(&self, part: &str) -> bool {
        self.method == "PUT" && self.path.contains(part)
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    Some(memchr::memmem::find(bytes, b"\r\n\r\n")? + 4)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.trim()))
}

fn failure(status: &str, code: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>injected</Message></Error>");
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sets back the times of a listing, which keep their length.
fn age_times(answer: &mut [u8], by: Duration) {
    const BEFORE: &[u8] = b"<LastModified>";
    const SECONDS: usize = "2026-01-01T00:00:00".len();
    if by.is_zero() {
        return;
    }
    let starts: Vec<_> = memchr::memmem::find_iter(answer, BEFORE).collect();
    for start in starts.into_iter().map(|at| at + BEFORE.len()) {
        let Some(place) = answer.get_mut(start..start + SECONDS) else { return };
        let text = std::str::from_utf8(place).unwrap();
        let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap();
        let time = (time - by).format("%Y-%m-%dT%H:%M:%S").to_string();
        place.copy_from_slice(time.as_bytes());
    }
}

#[test]
fn listings_show_older_objects_and_nothing_else_changes() {
    let mut listing = b"<A><LastModified>2026-01-01T00:30:00.123Z</LastModified>x</A>".to_vec();
    age_times(&mut listing, Duration::from_secs(3_600));
    assert_eq!(listing, b"<A><LastModified>2025-12-31T23:30:00.123Z</LastModified>x</A>");
}

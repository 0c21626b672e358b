//! A small client of PostgreSQL's protocol, which shows each message.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::poll;
use super::process::Server;

/// No answer takes longer, unless it never comes.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A server with this door.
#[derive(Debug)]
pub struct PgServer {
    pub server: Server,
    pub address: String,
}

impl PgServer {
    /// Starts a server with more flags.
    pub fn start(archive: &Path, more: &[&str]) -> Self {
        let args = [&["serve", "--pg-listen", "127.0.0.1:0"], more].concat();
        let server = Server::start_with(archive, &args);
        let address = poll(ANSWER_MAX, "the address is told", || {
            let said = server.stderr();
            let (_, rest) = said.split_once("PostgreSQL's protocol on ")?;
            Some(rest.split_once('\n')?.0.to_owned())
        });
        Self { server, address }
    }

    /// The port.
    pub fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }

    /// A connection that has logged in.
    pub fn login(&self, key: &str) -> PgClient {
        let mut client = PgClient::connect(&self.address);
        let answer = client.login(key);
        assert_eq!(answer.error, None, "{answer:?}");
        client
    }

    /// What a query gives on a connection of its own.
    pub fn ask(&self, key: &str, query: &str) -> PgAnswer {
        self.login(key).query(query)
    }
}

/// A connection.
#[derive(Debug)]
pub struct PgClient {
    stream: TcpStream,
    /// The number and the secret to cancel with.
    pub cancel_key: [u8; 8],
}

/// What came up to the next `ReadyForQuery`, or the end of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PgAnswer {
    /// The kinds of its messages, in order.
    pub kinds: String,
    /// Names and types of columns.
    pub columns: Vec<(String, u32)>,
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    /// What was copied, message by message.
    pub copied: Vec<Vec<u8>>,
    pub tags: Vec<String>,
    /// The state and the words of the error.
    pub error: Option<(String, String)>,
    pub notices: Vec<String>,
    /// `I`, `T` or `E`; zero at the end of the connection.
    pub status: u8,
    /// The types of parameters.
    pub parameters: Vec<u32>,
}

impl PgAnswer {
    /// The rows as texts; null is `∅`.
    pub fn texts(&self) -> Vec<Vec<String>> {
        assert_eq!(self.error, None, "{self:?}");
        let text = |value: &Option<Vec<u8>>| match value {
            Some(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            None => "∅".to_owned(),
        };
        self.rows.iter().map(|row| row.iter().map(text).collect()).collect()
    }

    /// The only value.
    pub fn value(&self) -> String {
        let texts = self.texts();
        assert_eq!((texts.len(), texts[0].len()), (1, 1), "{self:?}");
        texts[0][0].clone()
    }

    /// The state of the error.
    pub fn state(&self) -> &str {
        self.error.as_ref().map_or("", |(state, _)| state)
    }
}

/// A message with its kind and length.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// The first message, with names and values.
pub fn start(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&length[..], &body].concat()
}

/// `Parse` with types, `Bind` with values as text or binary, `Describe` of the portal, `Execute`.
pub fn parse(name: &str, query: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).unwrap().to_be_bytes();
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    message(b'P', &[format!("{name}\0{query}\0").as_bytes(), &count, &types].concat())
}

pub fn bind(
    portal: &str,
    name: &str,
    values: &[Option<&[u8]>],
    format: u16,
    results: u16,
) -> Vec<u8> {
    let mut body = format!("{portal}\0{name}\0").into_bytes();
    body.extend([1_u16, format].iter().flat_map(|short| short.to_be_bytes()));
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
        body.extend(length.to_be_bytes());
        body.extend(value.unwrap_or_default());
    }
    body.extend([1_u16, results].iter().flat_map(|short| short.to_be_bytes()));
    message(b'B', &body)
}

pub fn describe(kind: char, name: &str) -> Vec<u8> {
    message(b'D', format!("{kind}{name}\0").as_bytes())
}

pub fn execute(portal: &str, rows_max: i32) -> Vec<u8> {
    message(b'E', &[format!("{portal}\0").as_bytes(), &rows_max.to_be_bytes()].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', &[])
}

impl PgClient {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, cancel_key: [0; 8] }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // What the server has closed already cannot be sent to; the answer says why.
        let _ = self.stream.write_all(bytes);
    }

    /// Logs in as anybody.
    pub fn login(&mut self, key: &str) -> PgAnswer {
        self.login_as(&[("user", "ana"), ("database", "lake")], key)
    }

    pub fn login_as(&mut self, parameters: &[(&str, &str)], key: &str) -> PgAnswer {
        self.send(&start(parameters));
        self.send(&message(b'p', format!("{key}\0").as_bytes()));
        self.answer()
    }

    /// A query of the simple protocol.
    pub fn query(&mut self, text: &str) -> PgAnswer {
        self.send(&message(b'Q', format!("{text}\0").as_bytes()));
        self.answer()
    }

    /// The next message; `None` at the end of the connection.
    pub fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }

    /// All up to the next `ReadyForQuery`.
    pub fn answer(&mut self) -> PgAnswer {
        let mut answer = PgAnswer::default();
        while let Some((kind, body)) = self.message() {
            answer.kinds.push(kind.into());
            match kind {
                b'T' => answer.columns = columns(&body),
                b't' => answer.parameters = words(&body[2..]),
                b'D' => answer.rows.push(values(&body)),
                b'd' => answer.copied.push(body),
                b'C' => answer.tags.push(text(&body).0),
                b'E' => {
                    let fields = fields(&body);
                    let of = |kind| fields.iter().find(|(is, _)| *is == kind).unwrap().1.clone();
                    answer.error = Some((of('C'), of('M')));
                }
                b'N' => answer
                    .notices
                    .push(fields(&body).into_iter().find(|(is, _)| *is == 'M').unwrap().1),
                b'K' => self.cancel_key = body.try_into().unwrap(),
                b'Z' => {
                    answer.status = body[0];
                    break;
                }
                _ => {}
            }
        }
        answer
    }

    /// The stream itself.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

fn text(body: &[u8]) -> (String, &[u8]) {
    let end = body.iter().position(|byte| *byte == 0).unwrap();
    (String::from_utf8(body[..end].to_vec()).unwrap(), &body[end + 1..])
}

fn words(body: &[u8]) -> Vec<u32> {
    body.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect()
}

fn columns(body: &[u8]) -> Vec<(String, u32)> {
    let (mut rest, mut columns) = (&body[2..], Vec::new());
    while !rest.is_empty() {
        let (name, after) = text(rest);
        columns.push((name, words(&after[6..10])[0]));
        rest = &after[18..];
    }
    columns
}

fn values(body: &[u8]) -> Vec<Option<Vec<u8>>> {
    let (mut rest, mut values) = (&body[2..], Vec::new());
    while !rest.is_empty() {
        let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
        rest = &rest[4..];
        let length = usize::try_from(length).ok();
        values.push(length.map(|length| rest[..length].to_vec()));
        rest = &rest[length.unwrap_or(0)..];
    }
    values
}

fn fields(body: &[u8]) -> Vec<(char, String)> {
    let (mut rest, mut fields) = (body, Vec::new());
    while rest[0] != 0 {
        let kind = char::from(rest[0]);
        let (value, after) = text(&rest[1..]);
        fields.push((kind, value));
        rest = after;
    }
    fields
}

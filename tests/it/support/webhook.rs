//! A receiver of webhooks, which keeps each request and answers it with 200.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// A request that came.
#[derive(Debug, Default)]
pub struct Told {
    /// Its headers, by names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body, as it was sent.
    pub body: String,
}

impl Told {
    /// Its body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The host and port of a URL.
pub fn place(url: &str) -> String {
    url.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

/// A receiver that ends with the test's process.
#[derive(Debug)]
pub struct Webhook {
    /// Where to send to.
    pub url: String,
    /// The bodies that came.
    pub bodies: Receiver<Value>,
    /// The same with their headers.
    pub told: Receiver<Told>,
}

impl Webhook {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let (sender, bodies) = channel();
        let (tells, told) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = take(stream);
                // Nobody may be listening any more.
                let _ = sender.send(serde_json::from_str(&told.body).unwrap_or_default());
                let _ = tells.send(told);
            }
        });
        Self { url, bodies, told }
    }
}

fn take(stream: TcpStream) -> Told {
    let mut reader = BufReader::new(stream);
    let (mut length, mut headers) = (0, BTreeMap::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        if name == "content-length" {
            length = value.parse().unwrap();
        }
        headers.insert(name, value.to_owned());
    }
    let mut body = vec![0; length];
    let read = reader.read_exact(&mut body);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if read.and_then(|()| reader.get_mut().write_all(answer)).is_err() {
        return Told::default();
    }
    Told { headers, body: String::from_utf8(body).unwrap_or_default() }
}

//! A receiver of webhooks, which keeps each request and answers it with 200.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// A receiver that ends with the test's process.
#[derive(Debug)]
pub struct Webhook {
    /// Where to send to.
    pub url: String,
    /// The bodies that came.
    pub bodies: Receiver<Value>,
}

impl Webhook {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let (sender, bodies) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let body = take(stream);
                // Nobody may be listening any more.
                let _ = sender.send(serde_json::from_slice(&body).unwrap_or_default());
            }
        });
        Self { url, bodies }
    }
}

fn take(stream: TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    let read = reader.read_exact(&mut body);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if read.and_then(|()| reader.get_mut().write_all(answer)).is_err() {
        body.clear();
    }
    body
}

//! Tests of the server over the wire, by CONTRACT.md.

mod access;
mod answers;
mod callers;
mod cloudevents;
mod coding;
mod connections;
mod corrections;
mod doors;
mod forms;
mod grpc;
mod hostile;
mod jwt;
mod limits;
mod litellm;
mod operators;
mod otlp;
mod rows;
mod scrape;
pub mod sql;
mod tls;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::client::{self, Answer};
use crate::support::process::{Server, key};
use crate::support::scrape::Series;

/// A server with one organisation, `acme`.
struct Acme {
    archive: TempDir,
    server: Server,
    key: String,
}

impl Acme {
    fn start() -> Self {
        Self::start_with(&["serve"])
    }

    fn start_with(args: &[&str]) -> Self {
        let archive = tempdir().unwrap();
        let key = key(archive.path(), "acme");
        let server = Server::start_with(archive.path(), args);
        Self { archive, server, key }
    }

    fn post(&self, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        client::post(&self.server.url("/v1/events"), &self.key, content_type, body)
    }

    fn post_json(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.post("application/json", body)
    }

    /// Sends a body with more headers.
    fn post_with(&self, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let auth = client::bearer(&self.key);
        let headers = [&[("authorization", auth.as_str())], headers].concat();
        client::send("POST", &self.server.url("/v1/events"), &headers, body)
    }

    fn get(&self, path: &str) -> Answer {
        client::get(&self.server.url(path), &self.key)
    }

    fn series(&self) -> Series {
        crate::support::scrape::scrape(&self.server, &self.key)
    }
}

/// Accepted, duplicates, rejected.
fn counts(answer: &Answer) -> (u64, u64, usize) {
    let receipt = answer.json();
    let count = |name: &str| receipt[name].as_u64().unwrap();
    (count("accepted"), count("duplicates"), rejected(&receipt).len())
}

fn rejected(receipt: &Value) -> &[Value] {
    receipt["rejected"].as_array().unwrap()
}

//! A server at a known time, and what its events cost.

use std::path::Path;

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, SECOND, SystemClock};
use tokenlake::pricing::instant;

use super::calls::AT;
use crate::support::client::{self, Answer};
use crate::support::clock::TestClock;
use crate::support::process::{Done, Environment, Server, key, tokenlake_in};

/// A server with the organisation `acme`, some days after [`AT`].
pub struct Priced {
    clock: TestClock,
    pub archive: TempDir,
    pub server: Server,
    pub key: String,
}

impl Priced {
    pub fn start(more: &[&str]) -> Self {
        let (clock, archive) = (TestClock::new(), tempdir().unwrap());
        let now = instant(AT).unwrap() + 5 * 86_400 * SECOND;
        clock.set((now - SystemClock.now()) / SECOND, 0);
        let key = key(archive.path(), "acme");
        let environment: Environment = vec![clock.environment()];
        let args = [&["serve"], more].concat();
        let server = Server::start_in(&environment, archive.path(), &args);
        Self { clock, archive, server, key }
    }

    /// Runs a command at the same time; the warning about its clock is left out.
    pub fn run(&self, args: &[&str]) -> Done {
        let done = tokenlake_in(&vec![self.clock.environment()], self.archive.path(), args);
        let lines = done.stderr.lines().filter(|line| !line.contains("TOKENLAKE_TEST_CLOCK"));
        Done { stderr: lines.map(|line| format!("{line}\n")).collect(), ..done }
    }

    /// Another server on the archive.
    pub fn replica(&self, more: &[&str]) -> Server {
        let args = [&["serve"], more].concat();
        Server::start_in(&vec![self.clock.environment()], self.archive.path(), &args)
    }

    pub fn post(&self, events: &[Value]) -> Answer {
        post(&self.server, &self.key, events)
    }

    /// The cost and its source of an event.
    pub fn cost(&self, id: &str) -> (Option<String>, Option<String>) {
        let query = format!("select cost_usd, cost_source from events where event_id = '{id}'");
        let rows = self.sql(&query);
        let text = |name: &str| rows[0][name].as_str().map(str::to_owned);
        (text("cost_usd").map(|cost| plain(&cost)), text("cost_source"))
    }

    pub fn sql(&self, query: &str) -> Value {
        let url = self.server.url("/v1/sql");
        let answer = client::post(&url, &self.key, "text/plain", query);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.archive.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

pub fn post(server: &Server, key: &str, events: &[Value]) -> Answer {
    let body = serde_json::to_vec(events).unwrap();
    client::post(&server.url("/v1/events"), key, "application/json", body)
}

/// A decimal without zeros at its end.
pub fn plain(decimal: &str) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal.to_owned(),
    }
}

/// The paths of files below a folder.
pub fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

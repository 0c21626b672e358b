//! Tests of PostgreSQL's protocol: logins, sessions, queries, catalogs, real clients, and that nothing of
//! another organisation is seen or broken.

mod catalog;
mod clients;
mod corpus;
mod cursors;
mod hostile;
mod psql;
mod queries;
mod sessions;
mod start;
mod walls;
mod wording;

use tempfile::{TempDir, tempdir};

use crate::http::sql::escapes::ACME;
use crate::http::sql::fill;
use crate::support::pg::PgServer;
use crate::support::process::key;

/// A server over the events of an organisation, and a key of it.
struct Lake {
    archive: TempDir,
    key: String,
    door: PgServer,
}

impl Lake {
    fn start(more: &[&str]) -> Self {
        let archive = tempdir().unwrap();
        fill(archive.path(), &ACME.join("\n"));
        let key = key(archive.path(), "acme");
        let door = PgServer::start(archive.path(), more);
        Self { archive, key, door }
    }
}

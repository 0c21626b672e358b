//! Tests of PostgreSQL's protocol: logins, sessions, queries, catalogs, real clients, and that nothing of
//! another organisation is seen or broken.

mod catalog;
mod clients;
mod copy;
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

/// PostgreSQL's numbers of types.
const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const FLOAT8: u32 = 701;
const DATE: u32 = 1082;
const TIMESTAMPTZ: u32 = 1184;
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
const JSONB: u32 = 3802;

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

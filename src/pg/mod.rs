//! PostgreSQL's protocol: the tables of `POST /v1/sql` for programs that speak it.
//!
//! A connection is one task. It reads messages, has workers answer queries, and passes their messages on.
//! What a client sends is bounded before it is read, by little until the client has shown a key.
//! The protocol is <https://www.postgresql.org/docs/current/protocol.html>, version 3.0.

mod answer;
mod binary;
mod cancel;
mod command;
mod command_words;
mod copy;
mod copy_command;
mod copy_rows;
mod credential;
mod cursor_command;
mod cursors;
mod error;
mod extended;
mod login;
mod messages;
mod opening;
mod places;
mod savepoints;
mod serve;
mod session;
mod session_settings;
mod shared;
mod simple;
mod statements;
mod wire;

pub use self::serve::{CONNECTION_BYTES, LOGINS_BYTES, serve};
pub use self::shared::PgSettings;

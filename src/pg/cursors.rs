//! Cursors: portals that a client names in SQL and reads forward, a few rows at a time.

use super::answer::{Described, Sent, put_complete};
use super::cursor_command::CursorCommand;
use super::error::PgError;
use super::session::{PgSession, TransactionState};
use super::statements::Portal;
use super::wire::Wire;
use crate::sql::WireQuestion;

impl PgSession {
    /// Answers a statement about a cursor, with a description of its columns if that is wanted.
    ///
    /// # Errors
    /// There is no such cursor, or no transaction that one could live in; or the worker's.
    pub(super) async fn cursor(
        &mut self,
        wire: &mut Wire,
        command: &CursorCommand,
        question: WireQuestion,
        describes: bool,
    ) -> Result<(), PgError> {
        match command {
            CursorCommand::Declare { name, text, holds } => {
                self.declare(name, text, *holds, question)?;
                put_complete(wire, "DECLARE CURSOR")
            }
            CursorCommand::Fetch { name, rows_max } => {
                let reading = CursorReading { rows_max: *rows_max, sends: true, describes };
                let count = self.read(wire, name, &question, reading).await?;
                put_complete(wire, &format!("FETCH {count}"))
            }
            CursorCommand::Move { name, rows_max } => {
                let reading = CursorReading { rows_max: *rows_max, sends: false, describes: false };
                let count = self.read(wire, name, &question, reading).await?;
                put_complete(wire, &format!("MOVE {count}"))
            }
            CursorCommand::Close(Some(name)) => {
                self.statements.take_portal(name)?;
                put_complete(wire, "CLOSE CURSOR")
            }
            CursorCommand::Close(None) => {
                self.statements.close_all_portals();
                put_complete(wire, "CLOSE CURSOR ALL")
            }
        }
    }

    /// What is told of the rows that a statement about a cursor returns.
    ///
    /// # Errors
    /// As [`PgSession::cursor`].
    pub(super) async fn described_cursor(
        &mut self,
        wire: &mut Wire,
        command: &CursorCommand,
        question: &WireQuestion,
    ) -> Result<Described, PgError> {
        let CursorCommand::Fetch { name, .. } = command else { return Ok(Described::default()) };
        let mut portal = self.statements.take_portal(name)?;
        portal.take_formats(question);
        let told = self.started(wire, &mut portal).await;
        self.statements.put_portal(name.clone(), portal);
        told
    }

    fn declare(
        &mut self,
        name: &str,
        text: &str,
        holds: bool,
        question: WireQuestion,
    ) -> Result<(), PgError> {
        if !holds && self.transaction == TransactionState::None {
            let words = "a cursor lives in a transaction; BEGIN one, or declare it WITH HOLD";
            return Err(PgError::new("25P01", words));
        }
        let portal = Portal { holds, ..Portal::new(text.to_owned(), question) };
        self.statements.bind(name.to_owned(), portal)
    }

    /// Reads a cursor on, and returns how many rows that were.
    async fn read(
        &mut self,
        wire: &mut Wire,
        name: &str,
        question: &WireQuestion,
        reading: CursorReading,
    ) -> Result<u64, PgError> {
        let mut portal = self.statements.take_portal(name)?;
        if reading.sends {
            portal.take_formats(question);
        }
        let read = self.read_portal(wire, &mut portal, reading).await;
        if read.is_err() {
            portal.end();
        }
        self.statements.put_portal(name.to_owned(), portal);
        read
    }

    async fn read_portal(
        &mut self,
        wire: &mut Wire,
        portal: &mut Portal,
        reading: CursorReading,
    ) -> Result<u64, PgError> {
        let CursorReading { rows_max, sends, describes } = reading;
        let told = self.started(wire, portal).await?;
        if describes {
            told.put(wire, false)?;
        }
        let query = self.cancellable.begin();
        let read = match &mut portal.rows {
            _ if rows_max == Some(0) => Ok(Sent::Some(0)),
            Some(rows) if sends => rows.send(wire, rows_max, &query).await,
            Some(rows) => rows.pass_over(wire, rows_max, &query).await,
            None => Ok(Sent::Some(0)),
        };
        self.cancellable.end();
        let read = read?;
        if matches!(read, Sent::All(_)) {
            portal.end();
        }
        let (Sent::All(rows) | Sent::Some(rows)) = read;
        Ok(rows)
    }
}

/// How a cursor is read.
#[derive(Clone, Copy)]
struct CursorReading {
    /// So many rows at most; all that are left if there is none.
    rows_max: Option<u64>,
    /// They are sent, rather than passed over.
    sends: bool,
    /// Their columns are described before.
    describes: bool,
}

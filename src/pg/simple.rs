//! The simple protocol, and the statements that are answered without a worker.

use bytes::{BufMut as _, BytesMut};
use pgwire::messages::Message as _;
use pgwire::messages::data::DataRow;
use pgwire::messages::response::EmptyQueryResponse;
use pgwire::messages::startup::ParameterStatus;

use super::answer::{Described, Sent, put_complete};
use super::command::PgCommand;
use super::error::PgError;
use super::savepoints::SavepointCommand;
use super::session::{PgSession, TransactionState, text_columns};
use super::session_settings::REPORTED;
use super::statements::Prepared;
use super::wire::Wire;
use crate::sql::{Statements, WireQuestion, split_statements};

impl PgSession {
    /// Answers the statements of a text, up to the first that fails.
    pub(super) async fn simple(&mut self, wire: &mut Wire, text: &str) -> Result<(), PgError> {
        // The statement and the portal without a name end here.
        self.statements.deallocate(Some(""));
        self.statements.close_portals(Some(""));
        let Statements { whole, rest } = split_statements(text);
        let all = whole.into_iter().chain((!rest.is_empty()).then_some(rest));
        let mut is_empty = true;
        for statement in all {
            is_empty = false;
            self.one(wire, statement).await?;
        }
        if is_empty { wire.put(&EmptyQueryResponse::new()) } else { Ok(()) }
    }

    async fn one(&mut self, wire: &mut Wire, text: &str) -> Result<(), PgError> {
        let command = PgCommand::of(text);
        self.check_transaction(&command)?;
        match command {
            PgCommand::Ask => self.asked(wire, text, self.question()).await,
            PgCommand::Execute { name, values } => {
                let (text, parameters) = self.statements.executed(&name, values)?;
                let question = WireQuestion { parameters, ..self.question() };
                self.asked(wire, &text, question).await
            }
            PgCommand::Cursor(cursor) => self.cursor(wire, &cursor, self.question(), true).await,
            PgCommand::Copy(copy) => self.copy(wire, &copy, self.question()).await,
            command => self.local(wire, &command, true),
        }
    }

    async fn asked(
        &mut self,
        wire: &mut Wire,
        text: &str,
        question: WireQuestion,
    ) -> Result<(), PgError> {
        let mut rows = self.begin(wire, text, question).await?;
        let query = self.cancellable.begin();
        rows.described(wire, &query).await?.put(wire, false)?;
        let sent = rows.send(wire, None, &query).await;
        self.cancellable.end();
        if let Sent::All(rows) = sent? {
            put_complete(wire, &format!("SELECT {rows}"))?;
        }
        Ok(())
    }

    /// In a transaction that has failed, only its end is answered.
    ///
    /// # Errors
    /// 25P02.
    pub(super) fn check_transaction(&self, command: &PgCommand) -> Result<(), PgError> {
        let ends = matches!(
            command,
            PgCommand::Commit
                | PgCommand::Rollback
                | PgCommand::Savepoint(SavepointCommand::Back(_))
                | PgCommand::Empty
        );
        if self.transaction == TransactionState::Failed && !ends {
            let failed = "the transaction has failed, and statements are passed over; ROLLBACK it";
            return Err(PgError::new("25P02", failed));
        }
        Ok(())
    }

    /// Answers a statement about the session, with a description of its columns if that is wanted.
    ///
    /// # Errors
    /// What is not known, or not understood.
    pub(super) fn local(
        &mut self,
        wire: &mut Wire,
        command: &PgCommand,
        describes: bool,
    ) -> Result<(), PgError> {
        let tag = match command {
            PgCommand::Empty
            | PgCommand::Ask
            | PgCommand::Execute { .. }
            | PgCommand::Cursor(_)
            | PgCommand::Copy(_) => return wire.put(&EmptyQueryResponse::new()),
            PgCommand::Show(name) => return self.show(wire, name, describes),
            PgCommand::Set { name, value } => self.set(wire, name, value)?,
            PgCommand::Reset(name) => {
                self.settings.reset(name.as_deref());
                "RESET"
            }
            PgCommand::Begin | PgCommand::Commit | PgCommand::Rollback => {
                if *command == PgCommand::Begin && self.transaction == TransactionState::Open {
                    self.notice(wire, "there is already a transaction")?;
                }
                self.transaction(command)
            }
            PgCommand::Savepoint(command) => self.savepoint(command)?,
            PgCommand::Prepare { name, text } => {
                let prepared =
                    Prepared { text: text.clone(), declared: Vec::new(), described: None };
                self.statements.prepare(name.clone(), prepared)?;
                "PREPARE"
            }
            PgCommand::Deallocate(name) => self.deallocate(name.as_deref())?,
            PgCommand::Done(tag) => *tag,
            PgCommand::DiscardAll => {
                self.statements.deallocate(None);
                self.statements.close_all_portals();
                self.settings.reset(None);
                "DISCARD ALL"
            }
            PgCommand::Write(word) => {
                let words = format!(
                    "{word} is refused, because SQL only reads here; use SELECT, and write with: \
                     tokenlake serve"
                );
                return Err(PgError::new("25006", &words));
            }
            PgCommand::Wrong(words) => return Err(PgError::new("42601", words)),
        };
        put_complete(wire, tag)
    }

    /// Sets a setting, and tells the client its value if it is one whose values clients follow.
    fn set(&mut self, wire: &mut Wire, name: &str, value: &str) -> Result<&'static str, PgError> {
        if let Some(words) = self.settings.set(name, value)? {
            self.notice(wire, &words)?;
        }
        let reported = REPORTED.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        if let Some((name, value)) =
            reported.and_then(|name| Some((name, self.settings.get(name)?)))
        {
            wire.put(&ParameterStatus::new(name.to_owned(), value))?;
        }
        Ok("SET")
    }

    fn deallocate(&mut self, name: Option<&str>) -> Result<&'static str, PgError> {
        if !self.statements.deallocate(name) {
            let words = format!("there is no prepared statement {:?}", name.unwrap_or(""));
            return Err(PgError::new("26000", &words));
        }
        Ok(if name.is_some() { "DEALLOCATE" } else { "DEALLOCATE ALL" })
    }

    fn savepoint(&mut self, command: &SavepointCommand) -> Result<&'static str, PgError> {
        if self.transaction == TransactionState::None {
            let words = "a savepoint is set in a transaction; BEGIN one";
            return Err(PgError::new("25P01", words));
        }
        let tag = self.savepoints.answer(command)?;
        if matches!(command, SavepointCommand::Back(_)) {
            self.transaction = TransactionState::Open;
        }
        Ok(tag)
    }

    fn transaction(&mut self, command: &PgCommand) -> &'static str {
        let failed = self.transaction == TransactionState::Failed;
        match command {
            PgCommand::Begin => {
                self.transaction = TransactionState::Open;
                "BEGIN"
            }
            _ => {
                self.transaction = TransactionState::None;
                self.savepoints.clear();
                self.statements.close_portals(None);
                if *command == PgCommand::Commit && !failed { "COMMIT" } else { "ROLLBACK" }
            }
        }
    }

    fn show(&self, wire: &mut Wire, name: &str, describes: bool) -> Result<(), PgError> {
        let rows = self.shown(name)?;
        if describes {
            wire.put(&shown_columns(name))?;
        }
        for row in &rows {
            let mut data = BytesMut::new();
            for text in row {
                data.put_i32(i32::try_from(text.len()).unwrap_or(i32::MAX));
                data.put_slice(text.as_bytes());
            }
            wire.put(&DataRow::new(data, i16::try_from(row.len()).unwrap_or(i16::MAX)))?;
        }
        put_complete(wire, "SHOW")
    }

    fn shown(&self, name: &str) -> Result<Vec<Vec<String>>, PgError> {
        if name.eq_ignore_ascii_case("all") {
            let all = self.settings.all().into_iter();
            return Ok(all.map(|(name, value)| vec![name, value, String::new()]).collect());
        }
        let unknown = || {
            let words =
                format!("there is no setting {name:?}; SHOW ALL lists those that there are");
            PgError::new("42704", &words)
        };
        Ok(vec![vec![self.settings.get(name).ok_or_else(unknown)?]])
    }
}

fn shown_columns(name: &str) -> pgwire::messages::data::RowDescription {
    if name.eq_ignore_ascii_case("all") {
        return text_columns(&["name", "setting", "description"]);
    }
    text_columns(&[name])
}

/// What a client is told of a statement that is answered without a worker.
///
/// # Errors
/// Only for a defect.
pub(super) fn described(command: &PgCommand) -> Result<Described, PgError> {
    let mut columns = BytesMut::new();
    if let PgCommand::Show(name) = command {
        let encoded = shown_columns(name).encode(&mut columns);
        encoded.map_err(|error| PgError::defect(&error.to_string()))?;
    }
    Ok(Described { parameters: Vec::new(), columns: columns.freeze() })
}

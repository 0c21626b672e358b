//! A session: reads what a client asks and answers it, one thing after another.

use std::sync::Arc;
use std::time::Duration;

use pgwire::messages::data::{FieldDescription, RowDescription};
use pgwire::messages::response::{NoticeResponse, ReadyForQuery, TransactionStatus};

use super::answer::PgRows;
use super::cancel::Cancellable;
use super::credential::caller;
use super::error::{AfterError, PgError};
use super::messages::ClientMessage;
use super::places::SessionPlace;
use super::savepoints::Savepoints;
use super::session_settings::SessionSettings;
use super::shared::Shared;
use super::statements::PgStatements;
use super::wire::{MESSAGE_BYTES_MAX, Wire};
use crate::sql::{WireQuestion, oid};
use crate::worker::AnswerForm;

/// Where a session is in a transaction, which changes nothing but what a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionState {
    None,
    Open,
    Failed,
}

/// The session of a client that has shown a key.
pub(super) struct PgSession {
    pub(super) shared: Arc<Shared>,
    _place: SessionPlace,
    /// It is looked at again for each query, because it may have been revoked.
    credential: String,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) settings: SessionSettings,
    pub(super) cancellable: Cancellable,
    pub(super) statements: PgStatements,
    pub(super) transaction: TransactionState,
    pub(super) savepoints: Savepoints,
    /// The statement that was prepared last, while nothing else was asked of it.
    pub(super) unread: Option<String>,
    /// After an error, messages are passed over up to the next `Sync`.
    pub(super) passes_over: bool,
}

impl PgSession {
    pub(super) fn new(
        shared: Arc<Shared>,
        place: SessionPlace,
        credential: String,
        user: String,
        database: String,
        settings: SessionSettings,
    ) -> Self {
        let cancellable = shared.cancels.register();
        Self {
            shared,
            _place: place,
            credential,
            user,
            database,
            settings,
            cancellable,
            statements: PgStatements::default(),
            transaction: TransactionState::None,
            savepoints: Savepoints::default(),
            unread: None,
            passes_over: false,
        }
    }

    /// Answers until the client leaves or the server stops.
    pub(super) async fn run(mut self, mut wire: Wire) {
        let stop = self.shared.stop.clone();
        loop {
            let asked = tokio::select! {
                biased;
                asked = wire.next(MESSAGE_BYTES_MAX) => asked.and_then(ClientMessage::of),
                () = stop.cancelled() => Err(PgError::stopping()),
            };
            let done = match asked {
                Ok(ClientMessage::Terminate) => return,
                Ok(asked) => self.answer(&mut wire, asked).await,
                Err(error) => Err(error),
            };
            let Err(error) = done else { continue };
            match error.end {
                AfterError::GoesOn => {}
                AfterError::Gone => return,
                AfterError::Fatal => {
                    // The connection ends in any case.
                    let _ = wire.put(&error.response());
                    wire.close().await;
                    return;
                }
            }
        }
    }

    /// Answers one message. An error that the connection survives is told here.
    async fn answer(&mut self, wire: &mut Wire, asked: ClientMessage) -> Result<(), PgError> {
        match asked {
            ClientMessage::Query(text) if !self.passes_over => {
                let done = match text {
                    Ok(text) => self.simple(wire, &text).await,
                    Err(error) => Err(error),
                };
                self.tell(wire, done)?;
                self.ready(wire).await
            }
            ClientMessage::Sync => {
                let read = self.read_parsed(wire).await;
                self.tell(wire, read)?;
                self.passes_over = false;
                if self.transaction == TransactionState::None {
                    self.statements.close_portals(None);
                }
                self.ready(wire).await
            }
            ClientMessage::Flush => wire.flush().await,
            ClientMessage::Copy | ClientMessage::Terminate => Ok(()),
            _ if self.passes_over => Ok(()),
            asked => {
                let done = self.extended(wire, asked).await;
                self.passes_over = done.is_err();
                self.tell(wire, done)?;
                if wire.is_full() { wire.flush().await } else { Ok(()) }
            }
        }
    }

    /// Tells the client of an error, which fails its transaction.
    fn tell(&mut self, wire: &mut Wire, done: Result<(), PgError>) -> Result<(), PgError> {
        let Err(error) = done else { return Ok(()) };
        if error.end != AfterError::GoesOn {
            return Err(error);
        }
        if self.transaction == TransactionState::Open {
            self.transaction = TransactionState::Failed;
        }
        wire.put(&error.response())
    }

    async fn ready(&mut self, wire: &mut Wire) -> Result<(), PgError> {
        let status = match self.transaction {
            TransactionState::None => TransactionStatus::Idle,
            TransactionState::Open => TransactionStatus::Transaction,
            TransactionState::Failed => TransactionStatus::Error,
        };
        wire.put(&ReadyForQuery::new(status))?;
        wire.flush().await
    }

    /// Has a worker begin an answer. It waits its turn behind the queries of the same organisation.
    ///
    /// # Errors
    /// The worker's, or that of the credential; or the client is gone.
    pub(super) async fn begin(
        &mut self,
        wire: &mut Wire,
        text: &str,
        question: WireQuestion,
    ) -> Result<PgRows, PgError> {
        // What is known already is sent before a wait.
        wire.flush().await?;
        let app = &self.shared.app;
        let caller = caller(app, &self.credential).await?;
        let patience =
            app.settings().worker.as_ref().map_or(Duration::ZERO, |worker| worker.timeout);
        let query = self.cancellable.begin();
        let ask = app.ask(&caller, text.to_owned(), AnswerForm::Wire(question), patience);
        let reply = wire.watching(&query, ask).await?;
        Ok(PgRows::new(reply?))
    }

    /// A question with this session's names.
    pub(super) fn question(&self) -> WireQuestion {
        let (user, database) = (self.user.clone(), self.database.clone());
        WireQuestion { user, database, ..WireQuestion::default() }
    }

    /// Puts words that the client may show.
    pub(super) fn notice(&self, wire: &mut Wire, words: &str) -> Result<(), PgError> {
        let fields = [(b'S', "WARNING"), (b'V', "WARNING"), (b'C', "01000"), (b'M', words)];
        let fields = fields.map(|(kind, text)| (kind, text.to_owned()));
        wire.put(&NoticeResponse::new(fields.to_vec()))
    }
}

/// The description of columns of text.
pub(super) fn text_columns(names: &[&str]) -> RowDescription {
    let fields = names
        .iter()
        .map(|name| FieldDescription::new((*name).to_owned(), 0, 0, oid::TEXT, -1, -1, 0));
    RowDescription::new(fields.collect())
}

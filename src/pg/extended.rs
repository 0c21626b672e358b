//! The extended protocol: statements are prepared, bound to values, described and executed.

use bytes::Bytes;
use pgwire::messages::extendedquery::{
    Bind, BindComplete, CloseComplete, Execute, Parse, ParseComplete, PortalSuspended,
    TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};

use super::answer::{Described, Sent, put_complete};
use super::binary::text_of;
use super::command::PgCommand;
use super::error::{AfterError, PgError};
use super::messages::ClientMessage;
use super::session::PgSession;
use super::simple::described;
use super::statements::{Portal, Prepared};
use super::wire::Wire;
use crate::sql::{Statements, WireParameter, WireQuestion, split_statements};

/// What is wrong with the words and names of a statement, whatever its values are.
const OF_NAMES: [&str; 5] = ["42601", "42702", "42703", "42803", "42P01"];
/// The codes of the formats.
const TEXT: i16 = 0;
const BINARY: i16 = 1;

impl PgSession {
    /// Answers one message of the extended protocol.
    pub(super) async fn extended(
        &mut self,
        wire: &mut Wire,
        asked: ClientMessage,
    ) -> Result<(), PgError> {
        self.unread = None;
        match asked {
            ClientMessage::Parse(parse) => self.parse(wire, parse),
            ClientMessage::Bind(bind) => self.bind(wire, bind).await,
            ClientMessage::Describe(describe) => {
                let name = describe.name.unwrap_or_default();
                match describe.target_type {
                    TARGET_TYPE_BYTE_STATEMENT => {
                        let described = self.describe_statement(wire, &name).await?;
                        described.put(wire, true)
                    }
                    TARGET_TYPE_BYTE_PORTAL => self.describe_portal(wire, name).await,
                    _ => Err(PgError::damaged(
                        "what is described is neither a statement nor a portal",
                    )),
                }
            }
            ClientMessage::Execute(execute) => self.execute(wire, execute).await,
            ClientMessage::Close(close) => {
                let name = close.name.unwrap_or_default();
                match close.target_type {
                    TARGET_TYPE_BYTE_STATEMENT => {
                        self.statements.deallocate(Some(&name));
                    }
                    _ => self.statements.close_portals(Some(&name)),
                }
                wire.put(&CloseComplete::new())
            }
            ClientMessage::Damaged(error) => Err(error),
            _ => Ok(()),
        }
    }

    fn parse(&mut self, wire: &mut Wire, parse: Parse) -> Result<(), PgError> {
        let Statements { whole, rest } = split_statements(&parse.query);
        let mut all = whole.into_iter().chain((!rest.is_empty()).then_some(rest));
        let text = all.next().unwrap_or_default().to_owned();
        if all.next().is_some() {
            let several = "there are several statements; prepare them one by one";
            return Err(PgError::new("42601", several));
        }
        self.check_transaction(&PgCommand::of(&text))?;
        let prepared = Prepared { text, declared: parse.type_oids, described: None };
        let name = parse.name.unwrap_or_default();
        self.statements.prepare(name.clone(), prepared)?;
        self.unread = Some(name);
        wire.put(&ParseComplete::new())
    }

    /// Reads a statement of which nothing but `Parse` was asked before `Sync`. PostgreSQL reads it at
    /// `Parse`, and clients that wait here for an error of the statement take any later one for that of
    /// another.
    ///
    /// # Errors
    /// The worker's; then there is no such statement. Or the client is gone.
    pub(super) async fn read_parsed(&mut self, wire: &mut Wire) -> Result<(), PgError> {
        let Some(name) = self.unread.take().filter(|_| !self.passes_over) else { return Ok(()) };
        let Ok(prepared) = self.statements.prepared(&name) else { return Ok(()) };
        let has_values = prepared.text.contains('$');
        if PgCommand::of(&prepared.text) != PgCommand::Ask {
            return Ok(());
        }
        match self.describe_statement(wire, &name).await {
            Ok(_) => Ok(()),
            // Values that come later may be what is missing.
            Err(error)
                if has_values
                    && error.end == AfterError::GoesOn
                    && !OF_NAMES.contains(&error.state) =>
            {
                Ok(())
            }
            Err(error) => {
                self.statements.deallocate(Some(&name));
                Err(error)
            }
        }
    }

    /// What is told of a statement.
    async fn describe_statement(
        &mut self,
        wire: &mut Wire,
        name: &str,
    ) -> Result<Described, PgError> {
        match PgCommand::of(&self.statements.prepared(name)?.text) {
            PgCommand::Ask => self.described_by_worker(wire, name).await,
            PgCommand::Cursor(cursor) => {
                self.described_cursor(wire, &cursor, &self.question()).await
            }
            PgCommand::Execute { name, .. } => {
                // The values are written there.
                let told = self.described_by_worker(wire, &name).await?;
                Ok(Described { parameters: Vec::new(), ..told })
            }
            command => described(&command),
        }
    }

    /// What is told of a question; a worker is asked once.
    async fn described_by_worker(
        &mut self,
        wire: &mut Wire,
        name: &str,
    ) -> Result<Described, PgError> {
        let prepared = self.statements.prepared(name)?.clone();
        if let Some(described) = prepared.described {
            return Ok(described);
        }
        let declared = prepared.declared.iter();
        let parameters = declared.map(|oid| WireParameter { oid: *oid, text: None }).collect();
        let question = WireQuestion { parameters, describes: true, ..self.question() };
        let mut rows = self.begin(wire, &prepared.text, question).await?;
        let query = self.cancellable.begin();
        let described = rows.described(wire, &query).await;
        self.cancellable.end();
        let described = described?;
        if let Ok(prepared) = self.statements.prepared(name) {
            prepared.described = Some(described.clone());
        }
        Ok(described)
    }

    async fn bind(&mut self, wire: &mut Wire, bind: Bind) -> Result<(), PgError> {
        let statement = bind.statement_name.clone().unwrap_or_default();
        let prepared = self.statements.prepared(&statement)?.clone();
        self.check_transaction(&PgCommand::of(&prepared.text))?;
        formats(&bind.parameter_format_codes)?;
        let mut numbers = prepared.declared.clone();
        let is_binary = |place: usize| format_of(&bind.parameter_format_codes, place) == BINARY;
        let count = bind.parameters.len();
        let is_open = |place| numbers.get(place).is_none_or(|oid| *oid == 0);
        if let Some(described) = &prepared.described {
            numbers.clone_from(&described.parameters);
        } else if (0..count).any(|place| is_binary(place) && is_open(place)) {
            numbers = self.describe_statement(wire, &statement).await?.parameters;
        }
        let values = bind.parameters.into_iter().enumerate();
        let parameters = values.map(|(place, value)| {
            let oid = numbers.get(place).copied().unwrap_or(0);
            let text = value.map(|value| value_text(oid, value, is_binary(place), place));
            Ok(WireParameter { oid, text: text.transpose()? })
        });
        let parameters = parameters.collect::<Result<_, PgError>>()?;
        let binary = formats(&bind.result_column_format_codes)?;
        let (text, parameters) = match PgCommand::of(&prepared.text) {
            PgCommand::Execute { name, values } => self.statements.executed(&name, values)?,
            _ => (prepared.text, parameters),
        };
        let question = WireQuestion { parameters, binary, ..self.question() };
        let portal = Portal::new(text, question);
        self.statements.bind(bind.portal_name.unwrap_or_default(), portal)?;
        wire.put(&BindComplete::new())
    }

    /// A portal is described by its query, which begins to run.
    async fn describe_portal(&mut self, wire: &mut Wire, name: String) -> Result<(), PgError> {
        let mut portal = self.statements.take_portal(&name)?;
        let told = match PgCommand::of(&portal.text) {
            PgCommand::Ask => self.started(wire, &mut portal).await,
            PgCommand::Cursor(cursor) => {
                self.described_cursor(wire, &cursor, &portal.question).await
            }
            command => described(&command),
        };
        self.statements.put_portal(name, portal);
        told?.put(wire, false)
    }

    /// What is told of a portal's rows, which begin to run if they do not yet.
    ///
    /// # Errors
    /// The worker's, or the client is gone.
    pub(super) async fn started(
        &mut self,
        wire: &mut Wire,
        portal: &mut Portal,
    ) -> Result<Described, PgError> {
        if portal.is_done {
            return Ok(portal.told.clone());
        }
        if portal.rows.is_none() {
            portal.rows = Some(self.begin(wire, &portal.text, portal.question.clone()).await?);
        }
        let query = self.cancellable.begin();
        let told = match &mut portal.rows {
            Some(rows) => rows.described(wire, &query).await,
            None => Ok(Described::default()),
        };
        self.cancellable.end();
        portal.told = told?;
        Ok(portal.told.clone())
    }

    async fn execute(&mut self, wire: &mut Wire, execute: Execute) -> Result<(), PgError> {
        let name = execute.name.unwrap_or_default();
        let mut portal = self.statements.take_portal(&name)?;
        let command = PgCommand::of(&portal.text);
        if command != PgCommand::Ask {
            self.check_transaction(&command)?;
            let question = portal.question.clone();
            // The portal goes first: the end of a transaction forgets those that are left.
            self.statements.put_portal(name, portal);
            return match command {
                PgCommand::Cursor(cursor) => self.cursor(wire, &cursor, question, false).await,
                PgCommand::Copy(copy) => self.copy(wire, &copy, question).await,
                command => self.local(wire, &command, false),
            };
        }
        let rows_max = u64::try_from(execute.max_rows).ok().filter(|most| *most > 0);
        let done = self.run_portal(wire, &mut portal, rows_max).await;
        if done.is_err() {
            portal.end();
        }
        self.statements.put_portal(name, portal);
        done
    }

    async fn run_portal(
        &mut self,
        wire: &mut Wire,
        portal: &mut Portal,
        rows_max: Option<u64>,
    ) -> Result<(), PgError> {
        if portal.is_done {
            return put_complete(wire, "SELECT 0");
        }
        self.started(wire, portal).await?;
        let Some(rows) = &mut portal.rows else { return put_complete(wire, "SELECT 0") };
        let query = self.cancellable.begin();
        let sent = rows.send(wire, rows_max, &query).await;
        self.cancellable.end();
        match sent? {
            Sent::Some(_) => wire.put(&PortalSuspended::new()),
            Sent::All(count) => {
                portal.end();
                put_complete(wire, &format!("SELECT {count}"))
            }
        }
    }
}

/// Which of these formats are binary.
///
/// # Errors
/// 22023: there is no other format than text and binary.
fn formats(codes: &[i16]) -> Result<Vec<bool>, PgError> {
    let format = |code: &i16| match *code {
        TEXT => Ok(false),
        BINARY => Ok(true),
        code => {
            Err(PgError::new("22023", &format!("there is no format {code}; 0 is text, 1 binary")))
        }
    };
    codes.iter().map(format).collect()
}

/// The format of a value: none for text, one for all, or one for each.
fn format_of(formats: &[i16], place: usize) -> i16 {
    match formats {
        [] => TEXT,
        [one] => *one,
        each => each.get(place).copied().unwrap_or(TEXT),
    }
}

fn value_text(oid: u32, value: Bytes, is_binary: bool, place: usize) -> Result<String, PgError> {
    let text = match is_binary {
        true => text_of(oid, value),
        false => String::from_utf8(value.into()).ok(),
    };
    let text = text.ok_or_else(|| {
        let words = format!("the value of ${} is no value of its type", place + 1);
        PgError::new("22P03", &words)
    })?;
    if text.contains('\0') {
        let words = format!("the value of ${} has a zero byte, which no text has", place + 1);
        return Err(PgError::new("22021", &words));
    }
    Ok(text)
}

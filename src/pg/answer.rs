//! The answer of a worker: what it tells of parameters and columns, and rows, which are passed on as they
//! come, however large they are.

use std::pin::Pin;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::response::CommandComplete;
use tokio_util::sync::CancellationToken;

use super::error::{AfterError, PgError};
use super::messages::MessageBody;
use super::wire::Wire;
use crate::worker::{Reply, WorkerError};

/// The longest description of columns.
const DESCRIPTION_BYTES_MAX: usize = 256 * 1024;
/// Kinds of messages that a worker makes.
const PARAMETERS: u8 = b't';
const COLUMNS: u8 = b'T';
const ROW: u8 = b'D';
const HEAD_BYTES: usize = 5;
/// Rows up to this long are passed on whole, so that an error can be told after them. Of a longer one the
/// parts are, and the connection ends if the rest does not come.
const WHOLE_ROW_BYTES_MAX: usize = 64 * 1024;
/// The longest row that is copied.
const COPIED_ROW_BYTES_MAX: usize = 128 * 1024;
/// What follows the name of a column in the description of columns.
const COLUMN_BYTES: usize = 18;

fn broken() -> PgError {
    PgError::defect("a worker's description of columns is damaged")
}

/// What a worker tells of a statement.
#[derive(Debug, Clone, Default)]
pub(super) struct Described {
    /// The numbers of the parameters' types.
    pub parameters: Vec<u32>,
    /// The message with its columns.
    pub columns: Bytes,
}

impl Described {
    pub(super) fn bytes(&self) -> usize {
        4 * self.parameters.len() + self.columns.len()
    }

    /// The names of the columns.
    ///
    /// # Errors
    /// Only for a defect.
    pub(super) fn names(&self) -> Result<Vec<String>, PgError> {
        let mut columns = MessageBody(self.columns.slice(self.columns.len().min(HEAD_BYTES)..));
        let name = |columns: &mut MessageBody| {
            let name = columns.text()?;
            columns.0.try_copy_to_slice(&mut [0; COLUMN_BYTES]).ok().map(|()| name)
        };
        columns.list(name).ok_or_else(broken)
    }

    /// Puts what a client is told of a statement; of a portal without parameters.
    ///
    /// # Errors
    /// Only for a defect.
    pub(super) fn put(&self, wire: &mut Wire, with_parameters: bool) -> Result<(), PgError> {
        if with_parameters {
            wire.put(&ParameterDescription::new(self.parameters.clone()))?;
        }
        if self.columns.is_empty() {
            return wire.put(&NoData::new());
        }
        wire.put_bytes(&self.columns);
        Ok(())
    }
}

type ReplyParts = Pin<Box<dyn Stream<Item = Result<Bytes, WorkerError>> + Send>>;

/// The rows of a query that runs.
pub(super) struct PgRows {
    parts: ReplyParts,
    held: BytesMut,
    scan: RowScan,
    described: Option<Described>,
}

/// What comes next of an answer.
enum Next {
    /// A whole message.
    Message(Bytes),
    TooLong,
    End,
}

/// How sending ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// All rows are sent; so many this time.
    All(u64),
    /// As many as were asked for, and there may be more.
    Some(u64),
}

impl PgRows {
    pub(super) fn new(reply: Reply) -> Self {
        let parts = Box::pin(reply.into_stream());
        Self { parts, held: BytesMut::new(), scan: RowScan::default(), described: None }
    }

    /// What the worker tells of parameters and columns.
    ///
    /// # Errors
    /// The worker's, or the client is gone.
    pub(super) async fn described(
        &mut self,
        wire: &mut Wire,
        cancelled: &CancellationToken,
    ) -> Result<Described, PgError> {
        if let Some(described) = &self.described {
            return Ok(described.clone());
        }
        let mut parameters = self.whole(PARAMETERS, wire, cancelled).await?;
        parameters.advance(HEAD_BYTES);
        let count = parameters.try_get_u16().map_err(|_| broken())?;
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(parameters.try_get_u32().map_err(|_| broken())?);
        }
        let columns = self.whole(COLUMNS, wire, cancelled).await?;
        let described = Described { parameters: numbers, columns };
        Ok(self.described.insert(described).clone())
    }

    /// A whole message of a kind, of those before the rows.
    async fn whole(
        &mut self,
        kind: u8,
        wire: &mut Wire,
        cancelled: &CancellationToken,
    ) -> Result<Bytes, PgError> {
        let too_long = || {
            let words =
                "the result has too many columns, or their names are too long; ask for fewer";
            PgError::new("54011", words)
        };
        match self.message(DESCRIPTION_BYTES_MAX, wire, cancelled).await? {
            Next::Message(message) if message.first() == Some(&kind) => Ok(message),
            Next::Message(_) | Next::TooLong => Err(too_long()),
            Next::End => Err(PgError::defect("a worker has not told its columns")),
        }
    }

    /// The body of the next row's message, whole; none at the end.
    ///
    /// # Errors
    /// The worker's, or the row is too long, or the client is gone.
    pub(super) async fn next_row(
        &mut self,
        wire: &mut Wire,
        cancelled: &CancellationToken,
    ) -> Result<Option<Bytes>, PgError> {
        match self.message(COPIED_ROW_BYTES_MAX, wire, cancelled).await? {
            Next::Message(mut row) => {
                row.advance(HEAD_BYTES);
                Ok(Some(row))
            }
            Next::TooLong => {
                let words = "a row is longer than 128 KiB, which COPY does not send; SELECT it, \
                             or copy fewer columns";
                Err(PgError::new("54000", words))
            }
            Next::End => Ok(None),
        }
    }

    async fn message(
        &mut self,
        bytes_max: usize,
        wire: &mut Wire,
        cancelled: &CancellationToken,
    ) -> Result<Next, PgError> {
        loop {
            if let [_, a, b, c, d, ..] = *self.held {
                let length =
                    usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
                if length > bytes_max {
                    return Ok(Next::TooLong);
                }
                if self.held.len() > length {
                    return Ok(Next::Message(self.held.split_to(length + 1).freeze()));
                }
            }
            if !self.more(wire, cancelled).await? {
                return Ok(Next::End);
            }
        }
    }

    /// Waits for more of the answer; false at its end.
    async fn more(
        &mut self,
        wire: &mut Wire,
        cancelled: &CancellationToken,
    ) -> Result<bool, PgError> {
        match wire.watching(cancelled, self.parts.next()).await? {
            Some(part) => {
                self.held.extend_from_slice(&part?);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Sends rows: all, or so many.
    ///
    /// # Errors
    /// The worker's, or the client is gone.
    pub(super) async fn send(
        &mut self,
        wire: &mut Wire,
        rows_max: Option<u64>,
        cancelled: &CancellationToken,
    ) -> Result<Sent, PgError> {
        let sent = self.read_rows(wire, rows_max, cancelled, true).await;
        sent.map_err(|error| match self.scan.is_within_row() {
            // What follows half of a row would be read as the rest of it.
            true => PgError { end: AfterError::Gone, ..error },
            false => error,
        })
    }

    /// Reads rows that nobody is sent: all, or so many.
    ///
    /// # Errors
    /// The worker's, or the client is gone.
    pub(super) async fn pass_over(
        &mut self,
        wire: &mut Wire,
        rows_max: Option<u64>,
        cancelled: &CancellationToken,
    ) -> Result<Sent, PgError> {
        self.read_rows(wire, rows_max, cancelled, false).await
    }

    async fn read_rows(
        &mut self,
        wire: &mut Wire,
        rows_max: Option<u64>,
        cancelled: &CancellationToken,
        sends: bool,
    ) -> Result<Sent, PgError> {
        // Columns that nobody asked for are not sent.
        self.described(wire, cancelled).await?;
        self.scan.rows = 0;
        loop {
            let passed = self.scan.pass(&self.held, rows_max.unwrap_or(u64::MAX));
            let passed = self.held.split_to(passed);
            if sends {
                wire.put_bytes(&passed);
                wire.make_room(cancelled).await?;
            }
            if rows_max.is_some_and(|most| self.scan.rows >= most) && !self.scan.is_within_row() {
                return Ok(Sent::Some(self.scan.rows));
            }
            if !self.more(wire, cancelled).await? {
                return Ok(Sent::All(self.scan.rows));
            }
        }
    }
}

/// Puts the message after the rows of a query.
///
/// # Errors
/// Only for a defect.
pub(super) fn put_complete(wire: &mut Wire, tag: &str) -> Result<(), PgError> {
    wire.put(&CommandComplete::new(tag.to_owned()))
}

/// Counts rows in bytes that are passed on.
#[derive(Debug, Default)]
struct RowScan {
    rows: u64,
    /// Bytes of the row that is under way.
    left: usize,
}

impl RowScan {
    fn is_within_row(&self) -> bool {
        self.left > 0
    }

    /// How many of these bytes can be passed on, up to the end of so many rows. A row may be larger than
    /// what is held of it.
    fn pass(&mut self, bytes: &[u8], rows_max: u64) -> usize {
        let mut passed = 0;
        loop {
            let rest = bytes.get(passed..).unwrap_or_default();
            if self.left > 0 {
                let taken = self.left.min(rest.len());
                self.left -= taken;
                passed += taken;
                if self.left > 0 {
                    return passed;
                }
                continue;
            }
            let [kind, a, b, c, d, ..] = *rest else { return passed };
            if self.rows >= rows_max || kind != ROW {
                return passed;
            }
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            if length < WHOLE_ROW_BYTES_MAX && rest.len() <= length {
                return passed;
            }
            self.rows += 1;
            self.left = length.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lengths: &[u8]) -> Vec<u8> {
        let row = |length: &u8| {
            let mut row = vec![ROW, 0, 0, 0, length + 4];
            row.extend(std::iter::repeat_n(7, (*length).into()));
            row
        };
        lengths.iter().flat_map(row).collect()
    }

    #[test]
    fn rows_are_counted_wherever_they_are_cut() {
        let all = rows(&[0, 9, 3]);
        for part in 1..=all.len() {
            let (mut scan, mut held, mut sent) = (RowScan::default(), Vec::new(), Vec::new());
            for bytes in all.chunks(part) {
                held.extend(bytes);
                let passed = scan.pass(&held, u64::MAX);
                sent.extend(held.drain(..passed));
                assert!(!scan.is_within_row(), "{part}");
            }
            assert_eq!((scan.rows, scan.left, &sent), (3, 0, &all), "{part}");
        }
    }

    #[test]
    fn a_long_row_is_passed_on_in_parts() {
        let mut scan = RowScan::default();
        let length = u32::try_from(WHOLE_ROW_BYTES_MAX).unwrap();
        let row = [&[ROW], &length.to_be_bytes()[..], &[7; 100]].concat();
        assert_eq!((scan.pass(&row, 1), scan.is_within_row()), (105, true));
    }

    #[test]
    fn no_more_rows_are_passed_than_asked_for() {
        let all = rows(&[2, 2, 2]);
        let mut scan = RowScan::default();
        assert_eq!(scan.pass(&all, 2), 14);
        assert_eq!(scan.rows, 2);
        scan.rows = 0;
        assert_eq!(scan.pass(&all[14..], 2), 7);
    }
}

//! `COPY … TO STDOUT`: the rows of a query as one stream, for psql's `\copy` and for drivers that read
//! many rows.

use bytes::Bytes;
use pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use tokio_util::sync::CancellationToken;

use super::answer::{PgRows, put_complete};
use super::copy_command::{CopyCommand, CopyForm, CopyKind};
use super::copy_rows::CopyWriter;
use super::error::PgError;
use super::session::PgSession;
use super::wire::Wire;
use crate::sql::WireQuestion;

impl PgSession {
    /// Sends the rows of a copy.
    ///
    /// # Errors
    /// The worker's, or a row is too long, or the client is gone.
    pub(super) async fn copy(
        &mut self,
        wire: &mut Wire,
        command: &CopyCommand,
        question: WireQuestion,
    ) -> Result<(), PgError> {
        let binary = vec![command.form.kind == CopyKind::Binary];
        let rows = self.begin(wire, &command.text, WireQuestion { binary, ..question }).await?;
        let query = self.cancellable.begin();
        let copied = copied(rows, wire, &command.form, &query).await;
        self.cancellable.end();
        put_complete(wire, &format!("COPY {}", copied?))
    }
}

async fn copied(
    mut rows: PgRows,
    wire: &mut Wire,
    form: &CopyForm,
    query: &CancellationToken,
) -> Result<u64, PgError> {
    let names = rows.described(wire, query).await?.names()?;
    let mut writer = CopyWriter::new(form, &names)?;
    wire.put(&answered(form.kind, names.len()))?;
    put_data(wire, writer.header(&names))?;
    let mut count = 0;
    while let Some(row) = rows.next_row(wire, query).await? {
        let row = writer.row(row).ok_or_else(|| PgError::defect("a worker's row is damaged"))?;
        put_data(wire, Some(row))?;
        count += 1;
        wire.make_room(query).await?;
    }
    put_data(wire, writer.end())?;
    wire.put(&CopyDone::new())?;
    Ok(count)
}

fn answered(kind: CopyKind, columns: usize) -> CopyOutResponse {
    let format = i8::from(kind == CopyKind::Binary);
    let count = i16::try_from(columns).unwrap_or(i16::MAX);
    CopyOutResponse::new(format, count, vec![format.into(); columns])
}

fn put_data(wire: &mut Wire, data: Option<Bytes>) -> Result<(), PgError> {
    data.map_or(Ok(()), |data| wire.put(&CopyData::new(data)))
}

//! Usage: the answer to a caller's question, made part by part as it is sent.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::bound::bound_dimension;
use super::coded::Coded;
use super::{App, AppError};
use crate::access::Caller;
use crate::archive::Snapshot;
use crate::exposition::Coding;
use crate::sql::{FormWriter, RowFormat};
use crate::usage::{UsageQuestion, UsageRows, WhoseUsage};

/// Bytes that are made before some are given.
const PART_BYTES: usize = 256 * 1024;
/// Memory of what is made: a part, and what one more batch of rows adds to it.
const MADE_BYTES: usize = 4 * PART_BYTES;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageForm {
    /// Of the rows; JSON has what was asked around them.
    pub format: RowFormat,
    /// The compression.
    pub coding: Coding,
}

/// An answer that has begun.
pub struct UsageAnswer {
    rows: UsageRows,
    /// `None` once it is whole.
    making: Option<(FormWriter, Coded)>,
    is_json: bool,
    first: Option<Bytes>,
}

impl App {
    /// Begins to answer a caller's question. It sees each event acknowledged before this call, but for
    /// the staleness that is allowed.
    ///
    /// # Errors
    /// Invalid, Unavailable or Corrupt, never an incomplete sum; Forbidden, if the caller is bound to a
    /// dimension that no longer exists.
    pub async fn usage(
        &self,
        caller: &Caller,
        question: &UsageQuestion,
        form: UsageForm,
    ) -> Result<UsageAnswer, AppError> {
        let snapshot = self.snapshot_for(caller).await?;
        let begin = |snapshot: Arc<Snapshot>| async move {
            let whose = whose(caller, &snapshot)?;
            let rows = UsageRows::new(self.rollup.clone(), snapshot, &whose, question.clone())?;
            UsageAnswer::begin(rows, caller, form).await
        };
        self.archive.at_newest(snapshot, begin).await
    }
}

impl UsageAnswer {
    /// Makes the first part.
    async fn begin(rows: UsageRows, caller: &Caller, form: UsageForm) -> Result<Self, AppError> {
        let is_json = form.format == RowFormat::Json;
        let mut writer = FormWriter::new(form.format, rows.schema().clone());
        let mut out = Coded::new(form.coding).map_err(|error| failed(&error))?;
        let head = if is_json { head(&rows, caller) } else { String::new() };
        let begun = out.write_all(head.as_bytes()).and_then(|()| writer.begin(&mut out));
        begun.map_err(|error| failed(&error))?;
        let mut answer = Self { rows, making: Some((writer, out)), is_json, first: None };
        answer.first = answer.next().await?;
        Ok(answer)
    }

    /// What the caller's questions may group by.
    pub fn group_names(&self) -> Vec<&str> {
        self.rows.group_names()
    }

    /// All of it, if the first part is the last.
    pub fn whole(&mut self) -> Option<Bytes> {
        if self.making.is_some() { None } else { self.first.take() }
    }

    /// The next part; `None` after the last one.
    ///
    /// # Errors
    /// Unavailable or Corrupt; what was given is then not whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AppError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some((mut writer, mut out)) = self.making.take() else { return Ok(None) };
        while let Some(rows) = self.rows.next().await? {
            writer.rows(&mut out, &rows).map_err(|error| failed(&error))?;
            if out.len() >= PART_BYTES {
                let part = out.take().into();
                self.making = Some((writer, out));
                return Ok(Some(part));
            }
        }
        let tail: &[u8] = if self.is_json { b"}\n" } else { b"" };
        let ended = writer.end(&mut out).and_then(|()| out.write_all(tail));
        let rest = ended.and_then(|()| out.finish()).map_err(|error| failed(&error))?;
        Ok(Some(rest.into()))
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + MADE_BYTES
    }
}

/// What was asked, and of which version the answer is, up to the rows.
fn head(rows: &UsageRows, caller: &Caller) -> String {
    let (question, zone) = (rows.question(), rows.question().zone);
    let text = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "{{\"org_id\":{},\"from\":{},\"to\":{},\"step\":{},\"timezone\":{},\"version\":{},\"rows\":",
        text(caller.org_id.as_str()),
        text(&zone.text(question.range.start)),
        text(&zone.text(question.range.end)),
        text(question.step.name()),
        text(zone.name()),
        rows.version(),
    )
}

/// Whose usage a caller may see.
fn whose(caller: &Caller, snapshot: &Snapshot) -> Result<WhoseUsage, AppError> {
    let part = match &caller.bound {
        None => None,
        Some(bound) => Some((bound_dimension(bound, snapshot)?, bound.value.clone())),
    };
    Ok(WhoseUsage { org_id: caller.org_id.clone(), part })
}

fn failed(error: &std::io::Error) -> AppError {
    AppError::Internal(error.to_string())
}

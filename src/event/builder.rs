//! Events one by one → one batch and its rejections.

use std::borrow::Cow;

use super::columns::Columns;
use super::row::{Row, TEXT_BYTES_MAX};
use super::slots::Slots;
use super::{Decoded, EventBatch, EventError, FieldValue, OrgRule, Rejection};
use crate::clock::Micros;

/// Text that one batch can hold in all its columns: an Arrow text column ends at 2 GiB.
const BATCH_TEXT_BYTES_MAX: usize = i32::MAX as usize;

/// Checks events and gathers those that hold every rule.
#[derive(Debug)]
pub struct EventBatchBuilder {
    org_rule: OrgRule,
    now: Micros,
    taken: Taken,
    rejections: Vec<Rejection>,
}

/// The events that hold every rule.
#[derive(Debug)]
struct Taken {
    columns: Columns,
    indices: Vec<u32>,
    attributes_dropped: u64,
    text_bytes: usize,
}

impl EventBatchBuilder {
    /// A builder for events that arrive at `now`, which becomes their `ingested_at`.
    pub fn new(org_rule: OrgRule, now: Micros) -> Self {
        Self::with_capacity(org_rule, now, 0)
    }

    /// As [`EventBatchBuilder::new`], with room for so many events.
    pub fn with_capacity(org_rule: OrgRule, now: Micros, events: usize) -> Self {
        Self {
            org_rule,
            now,
            taken: Taken {
                columns: Columns::with_capacity(events),
                indices: Vec::with_capacity(events),
                attributes_dropped: 0,
                text_bytes: 0,
            },
            rejections: Vec::new(),
        }
    }

    /// Takes one event whole, or keeps a [`Rejection`] of it.
    ///
    /// `index` is the event's place in its request and rises from call to call.
    pub fn push(&mut self, index: usize, fields: &[(Cow<'_, str>, FieldValue<'_>)]) {
        if let Err(error) = self.try_push(index, fields) {
            self.reject(index, event_id(fields), error);
        }
    }

    /// Keeps a rejection of an event that its decoder could not read as named values.
    ///
    /// `event_id` is echoed as far as it goes into the column.
    pub fn reject(&mut self, index: usize, event_id: Option<&str>, error: String) {
        let event_id = event_id.map(|id| id.get(..id.floor_char_boundary(TEXT_BYTES_MAX)));
        let event_id = event_id.flatten().map(str::to_owned);
        self.rejections.push(Rejection { index, event_id, error });
    }

    /// The batch of all events taken, and everything that was refused.
    pub fn finish(self) -> Result<Decoded, EventError> {
        let Taken { columns, indices, attributes_dropped, .. } = self.taken;
        let batch = EventBatch::new(columns.finish(self.now)?, indices);
        Ok(Decoded { batch, rejections: self.rejections, attributes_dropped })
    }

    /// Takes one event whole and says true; false if it breaks a rule. [`EventBatchBuilder::push`]
    /// tells which.
    pub fn push_slots(&mut self, index: usize, slots: &Slots<'_>) -> bool {
        let row = Row::check_values(&slots, &self.org_rule, self.now);
        row.and_then(|row| self.taken.append(index, &row)).is_ok()
    }

    fn try_push(
        &mut self,
        index: usize,
        fields: &[(Cow<'_, str>, FieldValue<'_>)],
    ) -> Result<(), String> {
        self.taken.append(index, &Row::check(fields, &self.org_rule, self.now)?)
    }
}

impl Taken {
    fn append(&mut self, index: usize, row: &Row<'_>) -> Result<(), String> {
        let text_bytes = self.text_bytes.saturating_add(row.text_bytes());
        let position = u32::try_from(index).ok().filter(|_| text_bytes <= BATCH_TEXT_BYTES_MAX);
        let position = position.ok_or("no room in this request; send the event in another")?;
        // Nothing can fail from here on, so that all columns keep the same length.
        self.columns.append(row);
        self.indices.push(position);
        self.text_bytes = text_bytes;
        self.attributes_dropped = self.attributes_dropped.saturating_add(row.attributes.dropped);
        Ok(())
    }
}

/// The id to echo: the only one there is, as text.
fn event_id<'f>(fields: &'f [(Cow<'f, str>, FieldValue<'f>)]) -> Option<&'f str> {
    fields.iter().find_map(|(name, value)| match value {
        FieldValue::Text(text) if name == "event_id" => Some(text.as_ref()),
        _ => None,
    })
}

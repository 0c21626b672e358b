//! Builds one batch and its rejections from single events.

use std::borrow::Cow;

use super::columns::Columns;
use super::mended::Mended;
use super::row::{Row, Rules};
use super::slots::Slots;
use super::time::Naive;
use super::values::TEXT_BYTES_MAX;
use super::{Decoded, EventBatch, EventError, FieldValue, OrgRule, Rejection};
use crate::clock::Micros;

/// Text that one batch can hold in all its columns: an Arrow text column ends at 2 GiB.
const BATCH_TEXT_BYTES_MAX: usize = i32::MAX as usize;

/// Bytes that an error message about an event may have; a decoder's message may quote its input.
const ERROR_BYTES_MAX: usize = 1024;

/// Checks events and collects those that satisfy every rule.
#[derive(Debug)]
pub struct EventBatchBuilder {
    rules: Rules,
    taken: Taken,
    rejections: Vec<Rejection>,
    rejections_max: usize,
    /// Events rejected beyond `rejections_max`.
    rejected_more: usize,
}

/// The events that satisfy every rule.
#[derive(Debug)]
struct Taken {
    columns: Columns,
    indices: Vec<u32>,
    attributes_dropped: u64,
    mended: Mended,
    text_bytes: usize,
}

impl EventBatchBuilder {
    /// A builder for events that arrive at `now`, which becomes their `ingested_at`.
    pub fn new(org_rule: OrgRule, now: Micros) -> Self {
        Self::with_capacity(org_rule, now, 0)
    }

    /// As [`EventBatchBuilder::new`], with room for this many events.
    pub fn with_capacity(org_rule: OrgRule, now: Micros, events: usize) -> Self {
        Self {
            rules: Rules { org: org_rule, now, naive: Naive::Refused, corrections: false },
            taken: Taken::with_capacity(events),
            rejections: Vec::new(),
            rejections_max: usize::MAX,
            rejected_more: 0,
        }
    }

    /// Sets the meaning of times without an offset.
    #[must_use]
    pub fn naive_times(mut self, naive: Naive) -> Self {
        self.rules.naive = naive;
        self
    }

    /// The same, where corrections are taken or not; they are not unless it is said.
    #[must_use]
    pub fn corrections(mut self, taken: bool) -> Self {
        self.rules.corrections = taken;
        self
    }

    /// Keeps at most this many rejections and counts the rest: no caller wants to read a million.
    #[must_use]
    pub fn rejections_max(mut self, rejections_max: usize) -> Self {
        self.rejections_max = rejections_max;
        self
    }

    /// Adds one whole event, or a [`Rejection`] of it.
    ///
    /// `index` is the event's index in its request and rises from call to call.
    pub fn push(&mut self, index: usize, fields: &[(Cow<'_, str>, FieldValue<'_>)]) {
        if let Err(error) = self.try_push(index, fields) {
            self.reject(index, event_id(fields), error);
        }
    }

    /// Adds a rejection of an event that its decoder could not read as named values.
    ///
    /// `event_id` is echoed, cut to the size of its column.
    pub fn reject(&mut self, index: usize, event_id: Option<&str>, error: String) {
        if self.rejections.len() >= self.rejections_max {
            self.rejected_more += 1;
            return;
        }
        let cut = |text: &str, bytes_max| text.floor_char_boundary(bytes_max);
        let event_id = event_id.and_then(|id| id.get(..cut(id, TEXT_BYTES_MAX)));
        let event_id = event_id.map(str::to_owned);
        let mut error = error;
        error.truncate(cut(&error, ERROR_BYTES_MAX));
        error.shrink_to_fit();
        self.rejections.push(Rejection { index, event_id, error });
    }

    /// Counts attributes that their decoder dropped from an event that it added.
    pub fn attributes_dropped(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.taken.attributes_dropped = self.taken.attributes_dropped.saturating_add(count);
    }

    /// Forgets all events and rejections: a decoder begins anew.
    pub fn clear(&mut self) {
        self.taken = Taken::with_capacity(0);
        self.rejections.clear();
        self.rejected_more = 0;
    }

    /// Whether no valid event has been added.
    pub fn is_empty(&self) -> bool {
        self.taken.indices.is_empty()
    }

    /// The batch of all valid events, and the rejections.
    pub fn finish(self) -> Result<Decoded, EventError> {
        let Taken { columns, indices, attributes_dropped, mended, .. } = self.taken;
        let batch = EventBatch::new(columns.finish(self.rules.now)?, indices);
        let Self { rejections, rejected_more, .. } = self;
        Ok(Decoded { batch, rejections, rejected_more, attributes_dropped, mended })
    }

    /// Adds one whole event. False if it breaks a rule; [`EventBatchBuilder::push`] says which one.
    pub fn push_slots(&mut self, index: usize, slots: &Slots<'_>) -> bool {
        let row = Row::check_values(&slots, &self.rules);
        row.and_then(|row| self.taken.append(index, &row)).is_ok()
    }

    fn try_push(
        &mut self,
        index: usize,
        fields: &[(Cow<'_, str>, FieldValue<'_>)],
    ) -> Result<(), String> {
        self.taken.append(index, &Row::check(fields, &self.rules)?)
    }
}

impl Taken {
    fn with_capacity(events: usize) -> Self {
        Self {
            columns: Columns::with_capacity(events),
            indices: Vec::with_capacity(events),
            attributes_dropped: 0,
            mended: Mended::default(),
            text_bytes: 0,
        }
    }

    fn append(&mut self, index: usize, row: &Row<'_>) -> Result<(), String> {
        let text_bytes = self.text_bytes.saturating_add(row.text_bytes());
        let position = u32::try_from(index).ok().filter(|_| text_bytes <= BATCH_TEXT_BYTES_MAX);
        let position = position.ok_or("no room in this request; send the event in another")?;
        // Nothing can fail from here on, so all columns keep the same length.
        self.columns.append(row);
        self.indices.push(position);
        self.text_bytes = text_bytes;
        self.attributes_dropped = self.attributes_dropped.saturating_add(row.attributes.dropped);
        self.mended.merge(&row.mended);
        Ok(())
    }
}

/// The id to echo: the first one that can be shown as text.
fn event_id<'f>(fields: &'f [(Cow<'f, str>, FieldValue<'f>)]) -> Option<&'f str> {
    fields.iter().find_map(|(name, value)| match value {
        FieldValue::Text(text) | FieldValue::Mended(text) | FieldValue::Number(text)
            if name == "event_id" =>
        {
            Some(text.as_ref())
        }
        _ => None,
    })
}

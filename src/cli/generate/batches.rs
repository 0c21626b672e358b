//! Synthetic events in batches, as the writer takes them best: large, in time order, and each of
//! one date.

use anyhow::Context as _;

use super::calendar::{Calendar, Slot};
use super::event::Event;
use super::orgs::Orgs;
use super::random::Random;
use crate::clock::{DAY, Micros};
use crate::event::{EventBatch, EventBatchBuilder, OrgRule};

/// Events of a batch: as many as the writer commits at once.
const BATCH_EVENTS: usize = 256 * 1024;

/// What to make.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) orgs: Orgs,
    pub(super) calendar: Calendar,
    /// When the events arrive.
    pub(super) now: Micros,
}

/// A batch in the making.
struct Unfinished {
    builder: EventBatchBuilder,
    date: Micros,
    events: usize,
}

impl Plan {
    /// Makes all batches and gives each to `take`, until that says that no more are wanted.
    pub(super) fn make(&self, mut take: impl FnMut(EventBatch) -> bool) -> anyhow::Result<()> {
        let (mut batch, mut event) = (self.begin(0), Event::default());
        for slot in self.calendar.slots() {
            for number in slot.first..slot.first + slot.count {
                let (mut random, ts) = self.event(&slot, number);
                let date = ts.div_euclid(DAY);
                if batch.date != date || batch.events == BATCH_EVENTS {
                    let full = std::mem::replace(&mut batch, self.begin(date));
                    if !full.finish()?.is_none_or(&mut take) {
                        return Ok(());
                    }
                }
                let org = self.orgs.any(&mut random).context("there is no organisation")?;
                let model = org.model(&mut random).context("an organisation has no model")?;
                event.fill(model, ts, &mut random);
                batch.builder.push(batch.events, &event.fields(org.id.as_str(), model));
                batch.events += 1;
            }
        }
        if let Some(last) = batch.finish()? {
            take(last);
        }
        Ok(())
    }

    /// The stream and the time of an event.
    fn event(&self, slot: &Slot, number: u64) -> (Random, Micros) {
        let mut random = Random::new(self.seed, number);
        let ts = slot.time_of(number, random.any());
        (random, ts)
    }

    fn begin(&self, date: Micros) -> Unfinished {
        let builder = EventBatchBuilder::new(OrgRule::Own, self.now);
        Unfinished { builder, date, events: 0 }
    }
}

impl Unfinished {
    /// The batch; `None` if it has no event.
    fn finish(self) -> anyhow::Result<Option<EventBatch>> {
        if self.events == 0 {
            return Ok(None);
        }
        let decoded = self.builder.finish()?;
        if let Some(rejection) = decoded.rejections.first() {
            anyhow::bail!(
                "a synthetic event was rejected: {}; choose another --until or --days",
                rejection.error
            );
        }
        Ok(Some(decoded.batch))
    }
}

//! Synthetic events in batches that suit the writer: large, in the order of time, and each of one
//! date.

use anyhow::Context as _;

use super::calendar::Calendar;
use super::event::Event;
use super::orgs::Orgs;
use super::random::Random;
use crate::clock::{DAY, Micros};
use crate::event::{EventBatch, EventBatchBuilder, OrgRule};

/// Events of a batch: as many as the writer commits at once.
const BATCH_EVENTS: usize = 256 * 1024;

/// The events to make.
#[derive(Debug)]
pub(super) struct GeneratePlan {
    pub(super) seed: u64,
    pub(super) orgs: Orgs,
    pub(super) calendar: Calendar,
    /// The time when the events arrive.
    pub(super) now: Micros,
}

impl GeneratePlan {
    /// The batch that begins with event `first`; `None` after the last.
    ///
    /// # Errors
    /// If an event is not valid, because the settings do not fit the clock.
    pub(super) fn batch(&self, first: u64) -> anyhow::Result<Option<EventBatch>> {
        let mut builder = EventBatchBuilder::new(OrgRule::Own, self.now);
        let mut event = Event::default();
        let mut only = None;
        for (index, (number, slot)) in (0..).zip(self.calendar.events(first)).take(BATCH_EVENTS) {
            let mut random = Random::new(self.seed, number);
            let ts = slot.time_of(number, random.any());
            let date = ts.div_euclid(DAY);
            if *only.get_or_insert(date) != date {
                break;
            }
            let org = self.orgs.any(&mut random).context("there is no organisation")?;
            let model = org.model(&mut random).context("an organisation has no model")?;
            event.fill(model, ts, &mut random);
            builder.push(index, &event.fields(org.id.as_str(), model));
        }
        let decoded = builder.finish()?;
        match decoded.rejections.first() {
            None => Ok(Some(decoded.batch).filter(|batch| !batch.is_empty())),
            Some(rejection) => anyhow::bail!(
                "a synthetic event was rejected: {}; choose another --until or --days",
                rejection.error
            ),
        }
    }
}

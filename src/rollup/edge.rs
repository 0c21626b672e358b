//! An hour that the rolling window cuts: its cost up to an instant.
//!
//! Most files need no look at their rows. A file whose events of the hour all lie before the cut
//! counts whole, and one that begins after it not at all. If the cut goes through a file, its rows
//! are read once. They are kept as sorted times with prefix sums while the hour is at the window's
//! edge.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::org_usage::HourCost;
use crate::archive::DataFile;
use crate::clock::{HOUR, Micros};
use crate::sql::{EdgeRow, Engine, SqlError};

/// Files whose rows are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// One file's share of the hour.
#[derive(Debug)]
struct Share {
    file: Arc<DataFile>,
    whole: HourCost,
    /// Ascending instants, each with the cost of all events up to and including it.
    rows: Option<Vec<EdgeRow>>,
}

/// An hour of one organisation.
#[derive(Debug)]
pub struct Edge {
    hour: Micros,
    shares: Vec<Share>,
}

impl Edge {
    /// An hour without events.
    pub fn new(hour: Micros) -> Self {
        Self { hour, shares: Vec::new() }
    }

    /// Adds a file's share of the hour.
    pub fn add(&mut self, file: &Arc<DataFile>, whole: HourCost) {
        match self.shares.last_mut() {
            Some(last) if Arc::ptr_eq(&last.file, file) => last.whole.merge(whole),
            _ => self.shares.push(Share { file: file.clone(), whole, rows: None }),
        }
    }

    /// The cost of the hour up to and including `until`; `None` if rows must be read first.
    pub fn cost_until(&self, until: Micros) -> Option<i128> {
        self.shares.iter().map(|share| share.cost_until(until)).sum()
    }

    /// Reads the rows of the files that the cut at `until` goes through.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn read_rows(
        &mut self,
        engine: &Engine,
        org_id: &str,
        until: Micros,
    ) -> Result<(), SqlError> {
        let (from, to) = (self.hour, self.hour + HOUR);
        let cut = self.shares.iter_mut().filter(|share| share.cost_until(until).is_none());
        let reads: Vec<_> = cut
            .map(|share| async move {
                let rows = engine.edge_rows(&share.file, org_id, from, to).await?;
                share.rows = Some(prefix_sums(rows));
                Ok(())
            })
            .collect();
        stream::iter(reads).buffer_unordered(SIDE_BY_SIDE).try_collect().await
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        let rows = |share: &Share| share.rows.as_ref().map_or(0, Vec::capacity);
        self.shares
            .iter()
            .map(|share| size_of::<Share>() + rows(share) * size_of::<EdgeRow>())
            .sum()
    }
}

impl Share {
    fn cost_until(&self, until: Micros) -> Option<i128> {
        if self.whole.last_ts <= until {
            return Some(self.whole.cost);
        }
        if !self.file.may_hold_time(Micros::MIN, until) {
            return Some(0);
        }
        let rows = self.rows.as_ref()?;
        let after = rows.partition_point(|(ts, _)| *ts <= until);
        let last = after.checked_sub(1).and_then(|last| rows.get(last));
        Some(last.map_or(0, |(_, sum)| *sum))
    }
}

fn prefix_sums(mut rows: Vec<EdgeRow>) -> Vec<EdgeRow> {
    let mut sum = 0;
    for (_, cost) in &mut rows {
        sum += *cost;
        *cost = sum;
    }
    rows
}

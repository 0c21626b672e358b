//! The corrections that events of a date have already.
//!
//! Those of an event are on its date, in its organisation, and name its id. Whoever corrects a cost on
//! another day, as a credit of a later month, says something about that day.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use foldhash::fast::RandomState;
use futures::TryStreamExt as _;

use super::RepriceError;
use super::decide::{Correction, EarlierCorrections, PricedBy};
use super::hash_part::HashPart;
use super::id::ordinal_of;
use super::scope::RepriceScope;
use super::stored_events::{EventColumns, open_events, with_all};
use crate::archive::{Archive, DataFile, EventHash, Snapshot};
use crate::event::{
    CORRECTS, COST_CORRECTION, EventError, WAS_UNPRICED, attribute_of, dimension_value,
};
use crate::pricing::is_of_table;
use crate::sql::{CarriedCells, CellKind, sql_version};

/// Memory of an entry at most: itself and a byte, in a table of which at least 7/16 are full.
const ENTRY_BYTES: usize = (size_of::<(EventHash, EarlierCorrections)>() + 1) * 16 / 7;

/// Corrections of a part of the events of a date, by the hashes of the events.
#[derive(Debug, Default)]
pub(super) struct EarlierByEvent {
    events: HashMap<EventHash, EarlierCorrections, RandomState>,
    none: EarlierCorrections,
}

impl EarlierByEvent {
    /// Those of an event.
    pub(super) fn of(&self, event: EventHash) -> &EarlierCorrections {
        self.events.get(&event).unwrap_or(&self.none)
    }

    /// Reads those in some files; `None` if they take more than `bytes_max`.
    ///
    /// # Errors
    /// Corrupt, Foreign or Unavailable, naming the file.
    pub(super) async fn read(
        archive: &Archive,
        snapshot: &Snapshot,
        files: &[Arc<DataFile>],
        (scope, part): (&RepriceScope, HashPart),
        bytes_max: usize,
    ) -> Result<Option<Self>, RepriceError> {
        let (mut read, entries_max) = (Self::default(), (bytes_max / ENTRY_BYTES).max(1));
        let names = EventColumns::NAMES;
        for file in files.iter().filter(|file| may_correct(snapshot, file)) {
            let mut rows = open_events(archive, snapshot, file, &names, scope).await?;
            while let Some(more) = rows.try_next().await? {
                read.add(snapshot, &with_all(more, &names)?, part)?;
                if read.events.len() > entries_max {
                    return Ok(None);
                }
            }
        }
        Ok(Some(read))
    }

    fn add(
        &mut self,
        snapshot: &Snapshot,
        rows: &RecordBatch,
        part: HashPart,
    ) -> Result<(), EventError> {
        let columns = EventColumns::of(rows)?;
        let hasher = snapshot.table().hasher;
        for row in 0..rows.num_rows() {
            if columns.types.value(row) != COST_CORRECTION {
                continue;
            }
            let Some(event) = attribute_of(columns.attributes, row, CORRECTS) else { continue };
            let hash = hasher.hash(columns.orgs.value(row), event);
            if part.contains(hash) {
                let correction = correction(&columns, row, event);
                self.events.entry(hash).or_default().add(correction);
            }
        }
        Ok(())
    }
}

fn correction(columns: &EventColumns<'_>, row: usize, event: &str) -> Correction {
    let prices = attribute_of(columns.attributes, row, WAS_UNPRICED).and_then(dimension_value);
    let by = match columns.cost_source(row).is_some_and(is_of_table) {
        true => PricedBy::Table,
        false => PricedBy::Report,
    };
    Correction {
        units: columns.cost(row).unwrap_or_default(),
        ordinal: ordinal_of(columns.ids.value(row), event, columns.ts(row)),
        prices: prices.filter(|text| text == "true").map(|_| by),
    }
}

/// False only if a file has no corrections: one of ours with the usual sums carries sums of them, too.
fn may_correct(snapshot: &Snapshot, file: &DataFile) -> bool {
    let tells = file.is_ours() && file.stored_partial(&sql_version()).is_some();
    snapshot.table().may_hold_corrections()
        && (!tells || CarriedCells::of(&CellKind::Corrections, file).is_some())
}

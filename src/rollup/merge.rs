//! Making a totals snapshot: every organisation's usage at a version, in bounded memory.
//!
//! Inputs are sorted by organisation. So organisations are added up in passes over the inputs: as
//! many as fit into memory, then those after them in the next pass.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::cache::PartialCache;
use super::org_usage::{EARLIER, OrgUsage};
use super::partial::Partial;
use crate::archive::{CellWriter, DataFile};
use crate::clock::Micros;
use crate::sql::{
    CellKind, PartialRow, SqlError, SumsBase, cell_columns, cell_schema, partial_rows, started,
};

/// Memory for organisations that are being added up.
pub const BYTES_MAX: usize = 32 << 20;
/// Small partials that are read ahead.
const AHEAD: usize = 16;
/// Rows that are encoded together.
const BATCH_ROWS: usize = 8 * 1024;

/// In place of the first hour to keep apart, if none is.
pub const NO_HOURS: Micros = Micros::MAX;

/// The inputs of a merge.
#[derive(Debug)]
pub struct MergeInputs {
    /// Which cells.
    pub kind: CellKind,
    /// Sums up to some version, from a totals snapshot or a ledger.
    pub base: Option<SumsBase>,
    /// The files whose events are not in `base`.
    pub files: Vec<Arc<DataFile>>,
    /// Hours from this one on are kept apart.
    pub hours_from: Micros,
}

/// Adds up the inputs and encodes the result.
///
/// # Errors
/// Corrupt or Unavailable, naming the object.
pub async fn merge(inputs: &MergeInputs, partials: &PartialCache) -> Result<Bytes, SqlError> {
    merge_within(inputs, partials, BYTES_MAX).await
}

async fn merge_within(
    inputs: &MergeInputs,
    partials: &PartialCache,
    bytes_max: usize,
) -> Result<Bytes, SqlError> {
    let mut writer = CellWriter::new(cell_schema(&inputs.kind))?;
    let mut from = Some(Arc::from(""));
    while let Some(first) = from {
        let mut pass = Pass::new(first, inputs.hours_from, bytes_max);
        if let Some(base) = &inputs.base {
            let mut cells = base.cells.of_orgs((Bound::Included(&*pass.from), Bound::Unbounded))?;
            while let Some(cells) = cells.try_next().await? {
                pass.add(&Partial::new(started(partial_rows(&[cells])?, base.start)));
            }
        }
        let small = inputs.files.iter().cloned().map(|file| async move {
            let partial = partials.small(&inputs.kind, &file).await?;
            Ok::<_, SqlError>((file, partial))
        });
        let mut small = stream::iter(small).buffered(AHEAD);
        while let Some((file, partial)) = small.try_next().await? {
            if let Some(partial) = partial {
                pass.add(&partial);
                continue;
            }
            let orgs = (pass.from.clone(), pass.until.clone());
            let until = orgs.1.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let orgs = (Bound::Included(&*orgs.0), until);
            partials.read_orgs(&inputs.kind, &file, orgs, |partial| pass.add(partial)).await?;
        }
        for rows in rows_of(&pass.orgs).chunks(BATCH_ROWS) {
            writer.write(&cell_columns(&inputs.kind, rows)?)?;
        }
        from = pass.until;
    }
    Ok(writer.finish()?)
}

/// The organisations that are added up together.
#[derive(Debug)]
struct Pass {
    from: Arc<str>,
    /// The first organisation that is left for the next pass.
    until: Option<Arc<str>>,
    orgs: BTreeMap<Arc<str>, OrgUsage>,
    hours_from: Micros,
    bytes: usize,
    bytes_max: usize,
}

impl Pass {
    fn new(from: Arc<str>, hours_from: Micros, bytes_max: usize) -> Self {
        Self { from, until: None, orgs: BTreeMap::new(), hours_from, bytes: 0, bytes_max }
    }

    fn add(&mut self, partial: &Partial) {
        for (org_id, cells) in partial.orgs() {
            if *org_id < self.from || self.until.as_ref().is_some_and(|until| org_id >= until) {
                continue;
            }
            let known = self.orgs.remove(org_id);
            self.bytes -= known.as_ref().map_or(0, OrgUsage::bytes);
            let mut usage = known.unwrap_or_else(|| OrgUsage::from_hour(self.hours_from));
            usage.add(cells);
            self.bytes += usage.bytes();
            self.orgs.insert(org_id.clone(), usage);
            // A single organisation is added up however large it is.
            while self.bytes > self.bytes_max && self.orgs.len() > 1 {
                let Some((last, usage)) = self.orgs.pop_last() else { break };
                self.bytes -= usage.bytes();
                self.until = Some(last);
            }
        }
    }
}

/// Usage as cells: one for each series, at an hour before all that are kept apart, and one without
/// a series for each hour.
fn rows_of(orgs: &BTreeMap<Arc<str>, OrgUsage>) -> Vec<PartialRow> {
    orgs.iter().flat_map(|(org_id, usage)| usage.rows(org_id, EARLIER)).collect()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;

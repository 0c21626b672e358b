//! Keeps counters from falling if another program took events away and that is accepted: the
//! missing sums go into the ledger.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Rollup;
use super::merge::{MergeInputs, NO_HOURS, merge};
use super::sources::ledger_kinds;
use crate::archive::{CellBatches, CellWriter, DataFile, LedgerCells, Snapshot};
use crate::clock::Micros;
use crate::error::Kind;
use crate::sql::{
    CellKind, PartialRow, SeriesTotals, SqlError, SumsBase, cell_columns, cell_schema, partial_rows,
};

impl Rollup {
    /// From now on keeps all cells that are made in memory, so that new files can be added up before
    /// they are stored.
    pub fn keep_made(&self) {
        let partials = &self.sources.partials;
        [&partials.parts_asked, &partials.starts_asked]
            .iter()
            .for_each(|asked| asked.store(true, Ordering::Relaxed));
    }

    /// The cells of a ledger that lets no counter of `good` fall if `live` become the live files.
    /// They are the cells of its own ledger and, for each series, the sums that it had and no
    /// longer has.
    ///
    /// # Errors
    /// Corrupt, naming a file that is gone, if no totals snapshot contains its sums; Unavailable.
    pub async fn fold_lost(
        &self,
        good: &Arc<Snapshot>,
        live: &[Arc<DataFile>],
    ) -> Result<LedgerCells, SqlError> {
        let core = self.fold_lost_of(&CellKind::Core, good, live).await?;
        let mut further = Vec::new();
        for kind in ledger_kinds(good) {
            match self.fold_lost_of(&kind, good, live).await {
                // When the series of a ledger without starts began is not known any longer.
                Err(error) if kind == CellKind::Days && error.kind() == Kind::Corrupt => {
                    tracing::warn!(%error, "start times are lost");
                }
                cells => further.push((kind.totals_version(), cells?)),
            }
        }
        Ok(LedgerCells { core, further })
    }

    async fn fold_lost_of(
        &self,
        kind: &CellKind,
        good: &Arc<Snapshot>,
        live: &[Arc<DataFile>],
    ) -> Result<Bytes, SqlError> {
        let ledger = self.sources.engine.ledger_cells(kind, good).await?;
        let had = match self.cells(kind, ledger.clone(), good.files().cloned().collect()).await {
            Err(error) if error.kind() == Kind::Corrupt => {
                self.told_of(kind, good).await?.ok_or(error)?
            }
            had => had?,
        };
        let has = self.cells(kind, ledger.clone(), live.to_vec()).await?;
        let kept = self.cells(kind, ledger, Vec::new()).await?;
        let [kept, had, has] = [kept, had, has].map(OrgCells::new);
        join(kind, kept?, had?, has?)
    }

    /// The sums of `good`, from the newest totals snapshot and the files that came after it.
    async fn told_of(
        &self,
        kind: &CellKind,
        good: &Arc<Snapshot>,
    ) -> Result<Option<Bytes>, SqlError> {
        let Some(bases) = self.sources.bases(kind) else { return Ok(None) };
        let Some(base) = bases.look(good).await else { return Ok(None) };
        let Some(files) = base.arrivals(good) else { return Ok(None) };
        self.cells(kind, Some(base.totals().cells().clone().into()), files).await.map(Some)
    }

    async fn cells(
        &self,
        kind: &CellKind,
        base: Option<SumsBase>,
        files: Vec<Arc<DataFile>>,
    ) -> Result<Bytes, SqlError> {
        let inputs = MergeInputs { kind: kind.clone(), base, files, hours_from: NO_HOURS };
        merge(&inputs, &self.sources.partials).await
    }
}

/// The kept cells, and the missing sums of each series, organisation by organisation.
fn join(
    kind: &CellKind,
    mut kept: OrgCells,
    mut had: OrgCells,
    mut has: OrgCells,
) -> Result<Bytes, SqlError> {
    let mut writer = CellWriter::new(cell_schema(kind))?;
    loop {
        let next = [&kept, &had, &has].into_iter().filter_map(OrgCells::org).min().cloned();
        let Some(org_id) = next else { return Ok(writer.finish()?) };
        let mut rows = kept.take(&org_id)?;
        let (had, has) = (had.take(&org_id)?, has.take(&org_id)?);
        let has: HashMap<_, _> = has.into_iter().map(|row| (series_of(&row), row)).collect();
        let none = PartialRow::default();
        let missing = had.into_iter().map(|had| {
            let has = has.get(&series_of(&had)).unwrap_or(&none);
            less(had, has)
        });
        rows.extend(missing.filter(|row| row.totals != SeriesTotals::default()));
        for rows in rows.chunks(ROWS) {
            writer.write(&cell_columns(kind, rows)?)?;
        }
    }
}

/// Rows that are encoded together.
const ROWS: usize = 8 * 1024;

/// The names of a series, if there is one, and an hour.
type SeriesName = (Option<Arc<str>>, Option<Arc<str>>, Micros);

fn series_of(row: &PartialRow) -> SeriesName {
    (row.provider.clone(), row.model.clone(), row.hour)
}

/// The sums of `had` minus those of `has`; none is below 0.
fn less(had: PartialRow, has: &PartialRow) -> PartialRow {
    PartialRow { totals: had.totals.minus(&has.totals), ..had }
}

/// Cells, read an organisation at a time.
struct OrgCells {
    batches: CellBatches,
    /// Rows that were read and not taken yet, in reverse order.
    rows: Vec<PartialRow>,
}

impl OrgCells {
    fn new(cells: Bytes) -> Result<Self, SqlError> {
        let mut orgs = Self { batches: CellBatches::of(cells)?, rows: Vec::new() };
        orgs.fill()?;
        Ok(orgs)
    }

    fn fill(&mut self) -> Result<(), SqlError> {
        while self.rows.is_empty() {
            let Some(batch) = self.batches.next().transpose()? else { break };
            self.rows = partial_rows(&[batch])?;
            self.rows.reverse();
        }
        Ok(())
    }

    /// The organisation that comes next.
    fn org(&self) -> Option<&Arc<str>> {
        self.rows.last().map(|row| &row.org_id)
    }

    fn take(&mut self, org_id: &Arc<str>) -> Result<Vec<PartialRow>, SqlError> {
        let mut taken = Vec::new();
        while self.org() == Some(org_id) {
            taken.extend(self.rows.pop());
            self.fill()?;
        }
        Ok(taken)
    }
}

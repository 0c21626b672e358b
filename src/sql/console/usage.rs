//! The tables of usage: of the cells that files carry, and of rows for the other files.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result as DataFusionResult;
use datafusion::prelude::DataFrame;

use super::Console;
use crate::archive::DataFile;
use crate::sql::asker::Asker;
use crate::sql::cell_kind::CellKind;
use crate::sql::live_table::TableContent;
use crate::sql::parts::{
    SUMMED, made_corrections, made_parts, no_dimension, stored_corrections, stored_parts, together,
    usage_by_dimension,
};
use crate::sql::query::{PARTIAL, USAGE_HOURLY};
use crate::sql::sql_version;
use crate::sql::views::with_views;
use crate::sql::walled_table::WalledTable;

impl Console {
    /// `usage_by_dimension.sql` for each dimension behind the wall.
    pub(super) async fn own_by_dimension(
        &self,
        events: &WalledTable,
        asker: &Asker,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let kinds = shown_kinds(asker);
        let mut shown = Vec::new();
        for (name, kind) in kinds {
            // Its columns are those of the query, whatever files there are.
            let none = self.context([("events", self.table(TableContent::Events, Vec::new()))])?;
            let columns = made_parts(&none, &kind).await?;
            let schema = with_views(&Arc::new(nullable(columns.schema().as_arrow())));
            let cells: Arc<dyn TableProvider> = Arc::new(events.parts(kind, schema));
            shown.push(usage_by_dimension(&self.context([("cells", cells)])?, &name).await?);
        }
        let shown = together(shown)?.ok_or_else(|| exec_datafusion_err!("there are no columns"))?;
        Ok(shown.into_view())
    }

    /// `usage_by_dimension.sql` for each dimension.
    pub(super) async fn usage_by_dimension(
        &self,
        files: &[Arc<DataFile>],
        asker: &Asker,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let mut shown = Vec::new();
        for (name, kind) in shown_kinds(asker) {
            let files = if name.is_empty() { &[] } else { files };
            let version = kind.version();
            let carry = |file: &Arc<DataFile>| file.stored_cells(&version).is_some();
            let (with, without): (Vec<_>, Vec<_>) = files.iter().cloned().partition(carry);
            let mut cells = Vec::new();
            if !with.is_empty() {
                let stored = self.table(TableContent::Cells(kind.clone()), with);
                cells.push(stored_parts(&self.context([("stored", stored)])?).await?);
            }
            if !without.is_empty() || cells.is_empty() {
                let events =
                    self.context([("events", self.table(TableContent::Events, without))])?;
                cells.push(made_parts(&events, &kind).await?);
            }
            let cells = together(cells)?.map(|cells| ("cells", cells.into_view()));
            shown.push(usage_by_dimension(&self.context(cells)?, &name).await?);
        }
        let shown = together(shown)?.ok_or_else(|| exec_datafusion_err!("there are no columns"))?;
        Ok(shown.into_view())
    }

    /// `usage_hourly.sql` over the partials that files carry, and over `partial.sql` for the other
    /// files.
    pub(super) async fn usage_hourly(
        &self,
        files: &[Arc<DataFile>],
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let version = sql_version();
        let carry = |file: &Arc<DataFile>| file.stored_partial(&version).is_some();
        let (with, without): (Vec<_>, Vec<_>) = files.iter().cloned().partition(carry);
        let mut partials = None;
        if !with.is_empty() || without.is_empty() {
            let carried = self
                .context([("partials", self.table(TableContent::Cells(CellKind::Core), with))])?;
            partials = Some(carried.table("partials").await?.select_columns(&SUMMED)?);
        }
        if !without.is_empty() {
            let events = self.context([("events", self.table(TableContent::Events, without))])?;
            let made = events.sql(PARTIAL.text).await?.select_columns(&SUMMED)?;
            partials = Some(match partials {
                Some(carried) => carried.union(made)?,
                None => made,
            });
        }
        let partials = partials.into_iter().chain(self.corrections(files).await?);
        let partials = together(partials.collect())?;
        let partials =
            partials.map(DataFrame::into_view).into_iter().map(|view| ("partials", view));
        let context = self.context(partials)?;
        Ok(context.sql(USAGE_HOURLY.text).await?.into_view())
    }

    /// What corrections add to `usage_hourly`: of files of ours, those that carry cells of them.
    async fn corrections(&self, files: &[Arc<DataFile>]) -> DataFusionResult<Vec<DataFrame>> {
        let (kind, mut frames) = (CellKind::Corrections, Vec::new());
        let version = kind.version();
        let carry = |file: &&Arc<DataFile>| file.stored_cells(&version).is_some();
        let with: Vec<_> = files.iter().filter(carry).cloned().collect();
        if !with.is_empty() {
            let stored = self.context([("stored", self.table(TableContent::Cells(kind), with))])?;
            frames.push(stored_corrections(&stored).await?.select_columns(&SUMMED)?);
        }
        let foreign: Vec<_> = files.iter().filter(|file| !file.is_ours()).cloned().collect();
        if !foreign.is_empty() {
            let events = self.context([("events", self.table(TableContent::Events, foreign))])?;
            let made = made_corrections(&events, &self.plain).await?;
            frames.push(made.select_columns(&SUMMED)?);
        }
        Ok(frames)
    }
}

/// The dimensions that there are for whoever asks, by name; without any one that has no events.
fn shown_kinds(asker: &Asker) -> Vec<(Arc<str>, CellKind)> {
    let shown = asker.shown();
    if shown.is_empty() {
        return vec![(Arc::from(""), no_dimension())];
    }
    shown.iter().map(|dimension| (dimension.name.clone(), CellKind::of(dimension))).collect()
}

/// The same columns, each of which may be null.
fn nullable(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Schema::new(fields.collect::<Vec<_>>())
}

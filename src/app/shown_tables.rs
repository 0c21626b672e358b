//! What scrapes show of the tables of prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{App, AppError, BodyForm};
use crate::event::OrgId;
use crate::rollup::{PriceTableView, UsageView};

/// The tables that a scrape shows; none if it does not ask for them.
#[derive(Debug, Clone, Default)]
pub(super) struct ShownTables(Option<Arc<[PriceTableView]>>);

impl ShownTables {
    /// A view with the tables.
    pub(super) fn on<'a>(&'a self, view: &UsageView<'a>) -> UsageView<'a> {
        UsageView { price_tables: self.0.as_deref().unwrap_or_default(), ..*view }
    }
}

impl App {
    /// The tables that price an organisation's calls, if a scrape in this form shows them.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub(super) async fn shown_tables(
        &self,
        org_id: &OrgId,
        form: BodyForm,
    ) -> Result<ShownTables, AppError> {
        if !form.collect.has_pricing() {
            return Ok(ShownTables::default());
        }
        let Some(in_force) = self.admission.prices().await? else {
            return Ok(ShownTables::default());
        };
        let mut tables = BTreeMap::new();
        for (name, taken) in in_force.taken(org_id.as_str()) {
            // Of two tables of one name, the first one decides.
            tables.entry(name).or_insert(taken);
        }
        let tables = tables.into_iter();
        let tables = tables.map(|(name, taken)| PriceTableView { name: name.into(), taken });
        Ok(ShownTables(Some(tables.collect())))
    }
}

//! What scrapes show of dimensions, against the ledger and the raw rows.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::archive::{DataFile, Snapshot};
use crate::clock::{DAY, Micros};
use crate::event::OrgId;
use crate::event::money::format_decimal;
use crate::rollup::{Asked, Rollup, UsageScope, UsageView};
use crate::sql::{CellKind, Engine, PartialRow, SqlError, org_and_value, part_of};

/// The sums of one part of an organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PartSums {
    requests: u64,
    tokens: i128,
    spent: i128,
    credits: i128,
    rolling: i128,
}

/// By the name of the dimension and that of the part.
#[derive(Debug, Default)]
pub(super) struct Parts(BTreeMap<(Arc<str>, String), PartSums>);

impl Parts {
    /// Adds the parts of another.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, sums) in other.0 {
            let sum = self.0.entry(key).or_default();
            sum.requests += sums.requests;
            sum.tokens += sums.tokens;
            sum.spent += sums.spent;
            sum.credits += sums.credits;
            sum.rolling += sums.rolling;
        }
    }

    /// Adds cells of a dimension. What is of no series shows in no counter.
    pub(super) fn add(&mut self, name: &Arc<str>, rows: &[PartialRow]) {
        for row in rows.iter().filter(|row| row.provider.is_some() && row.model.is_some()) {
            let sum = self.0.entry((name.clone(), row.org_id.to_string())).or_default();
            sum.requests += row.totals.requests;
            sum.tokens += row.totals.input_tokens + row.totals.output_tokens;
            sum.spent += row.totals.spent();
            sum.credits += row.totals.credits();
        }
    }

    /// Adds what the window that ends at `now` has of the rows of a file.
    pub(super) async fn add_rolling(
        &mut self,
        engine: &Engine,
        kind: &CellKind,
        file: &Arc<DataFile>,
        now: Micros,
    ) -> Result<(), SqlError> {
        let Some(dimension) = kind.dimension() else { return Ok(()) };
        let costs = engine.dimension_rolling_cost(file, &dimension.attribute, now - DAY, now);
        for (org_id, value, cost) in costs.await? {
            let key = (dimension.name.clone(), part_of(&org_id, &value));
            self.0.entry(key).or_default().rolling += cost;
        }
        Ok(())
    }

    /// Adds what the ledger has.
    pub(super) async fn add_expired(
        &mut self,
        engine: &Engine,
        snapshot: &Snapshot,
    ) -> Result<(), SqlError> {
        for dimension in snapshot.table().dimensions.iter() {
            let kind = CellKind::of(dimension);
            let Some(cells) = engine.ledger_cells(&kind, snapshot).await? else { continue };
            let all = (Bound::Unbounded, Bound::Unbounded);
            self.add(&dimension.name, &cells.of_orgs(all).await?);
        }
        Ok(())
    }

    /// A line for each part that scrapes show otherwise.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub(super) async fn compare(
        mut self,
        rollup: &Rollup,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        mut differs: impl FnMut(String),
    ) -> Result<(), SqlError> {
        // What comes to nothing is shown as nothing, or not at all.
        self.0.retain(|_, sums| *sums != PartSums::default());
        let orgs = self.0.keys().filter_map(|(_, part)| org_and_value(part));
        let orgs: BTreeSet<_> = orgs.map(|(org_id, _)| org_id.to_owned()).collect();
        for org_id in orgs {
            // No key is of an organisation without a valid name: nothing shows it.
            let Ok(org) = OrgId::parse(&org_id) else { continue };
            let scopes = snapshot.table().dimensions.iter();
            let scopes = scopes.map(|dimension| Arc::new(UsageScope::parts(&org, dimension)));
            let dimensions = scopes.collect();
            let asked = Asked { dimensions, ..Asked::of_org(&org, snapshot) };
            let of = org_id.clone();
            let see = move |view: &UsageView<'_>| shown(view, &of);
            let mut shown = rollup.show_asked(asked, snapshot, now, see).await?;
            let own = |key: &(Arc<str>, String)| {
                org_and_value(&key.1).is_some_and(|(org, _)| org == org_id)
            };
            for (key, sums) in self.0.iter().filter(|(key, _)| own(key)) {
                let told = shown.remove(key).unwrap_or_default();
                if told != *sums {
                    differs(line(key, Some(&told), Some(sums)));
                }
            }
            for (key, told) in shown.iter().filter(|(_, told)| **told != PartSums::default()) {
                differs(line(key, Some(told), None));
            }
        }
        Ok(())
    }
}

fn shown(view: &UsageView<'_>, org_id: &str) -> BTreeMap<(Arc<str>, String), PartSums> {
    let mut shown = BTreeMap::new();
    for dimension in view.dimensions {
        for (part, rolling) in dimension.parts.iter().zip(&*dimension.rolling_costs) {
            let sums = PartSums {
                requests: part.requests,
                tokens: part.tokens,
                spent: part.spent,
                credits: part.credits,
                rolling: *rolling,
            };
            shown.insert((dimension.name.clone(), part_of(org_id, &part.value)), sums);
        }
    }
    shown
}

fn line(
    (dimension, part): &(Arc<str>, String),
    shown: Option<&PartSums>,
    is: Option<&PartSums>,
) -> String {
    let text = |sums: Option<&PartSums>| match sums {
        None => "nothing".to_owned(),
        Some(PartSums { requests, tokens, spent, credits, rolling }) => {
            let [spent, credits, rolling] =
                [spent, credits, rolling].map(|cost| format_decimal(*cost));
            format!(
                "{requests} requests, {tokens} tokens, {spent} dollars, {credits} in credits, \
                 {rolling} of the last 24 hours"
            )
        }
    };
    let (org_id, value) = org_and_value(part).unwrap_or((part, ""));
    format!(
        "organisation {org_id:?}, {dimension} {value:?}: shown are {}, in the rows and the ledger are {}",
        text(shown),
        text(is)
    )
}

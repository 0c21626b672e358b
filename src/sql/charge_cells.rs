//! Typed parameters and rows of `charge_cells.sql`.

use std::sync::Arc;

use datafusion::common::ScalarValue;

use super::columns::ResultColumns;
use super::queries::time;
use super::query::CHARGE_CELLS;
use super::{Engine, SqlError};
use crate::archive::DataFile;
use crate::clock::Micros;
use crate::event::money;

/// Whose charges are asked for.
#[derive(Debug, Clone, Copy)]
pub struct ChargeQuestion<'q> {
    /// The organisation; `None` for all.
    pub org_id: Option<&'q str>,
    /// The key of a dimension's attribute, whose values are told apart.
    pub attribute: Option<&'q str>,
    /// When the books were closed: corrections that came before are told apart from later ones.
    pub closed_at: Micros,
}

/// What a row of `charge_cells.sql` is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Calls.
    Calls,
    /// Corrections that came before the books were closed.
    Correction,
    /// Later ones.
    LateCorrection,
}

/// A row of `charge_cells.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeCell {
    /// As stored.
    pub org_id: Arc<str>,
    /// Of the dimension.
    pub value: Option<Arc<str>>,
    /// In lower case; `None` if unknown.
    pub provider: Option<Arc<str>>,
    /// In lower case; `None` if unknown.
    pub model: Option<Arc<str>>,
    /// What priced them.
    pub cost_source: Option<Arc<str>>,
    /// What it is of.
    pub charge: Charge,
    /// Calls.
    pub requests: i128,
    /// Tokens, with those that were cached and written.
    pub input_tokens: i128,
    /// Tokens, with those of reasoning.
    pub output_tokens: i128,
    /// Of the input.
    pub cached_input_tokens: i128,
    /// Of the input.
    pub cache_write_tokens: i128,
    /// Of the output.
    pub reasoning_tokens: i128,
    /// In units of 10⁻¹² dollars.
    pub cost: i128,
    /// Calls without a price, less those that got one.
    pub unpriced: i128,
}

impl Engine {
    /// Runs `charge_cells.sql` over `files`.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn charge_cells(
        &self,
        files: &[Arc<DataFile>],
        question: ChargeQuestion<'_>,
    ) -> Result<Vec<ChargeCell>, SqlError> {
        let query = &CHARGE_CELLS;
        let params = vec![
            ("org_id", ScalarValue::from(question.org_id.unwrap_or_default())),
            ("attribute", ScalarValue::from(question.attribute.unwrap_or_default())),
            ("closed_ts", time(question.closed_at)),
        ];
        let mut cells = Vec::new();
        for batch in &self.run(query, files, params).await? {
            cells.extend(cells_of(&ResultColumns { query, batch })?);
        }
        Ok(cells)
    }
}

fn cells_of(columns: &ResultColumns<'_>) -> Result<Vec<ChargeCell>, SqlError> {
    let mut sums = Vec::new();
    for name in [
        "requests",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "unpriced",
    ] {
        sums.push(columns.sums(name, 0)?.into_iter());
    }
    let mut names = Vec::new();
    for name in ["org_id", "value", "provider", "model", "cost_source"] {
        names.push(columns.names(name)?.into_iter());
    }
    let charges = columns.counts("charge")?;
    let costs = columns.sums("cost_usd", money::PLACES)?;
    let mut cells = Vec::with_capacity(costs.len());
    for (charge, cost) in charges.into_iter().zip(costs) {
        let mut names = names.iter_mut().map(|names| names.next().flatten());
        let mut name = || names.next().flatten();
        let mut sums = sums.iter_mut().map(|sums| sums.next().unwrap_or_default());
        let mut sum = || sums.next().unwrap_or_default();
        // Fields are evaluated in the order in which they are written: that of the lists above.
        cells.push(ChargeCell {
            org_id: name().unwrap_or_default(),
            value: name(),
            provider: name(),
            model: name(),
            cost_source: name(),
            charge: match charge {
                0 => Charge::Calls,
                1 => Charge::Correction,
                _ => Charge::LateCorrection,
            },
            requests: sum(),
            input_tokens: sum(),
            output_tokens: sum(),
            cached_input_tokens: sum(),
            cache_write_tokens: sum(),
            reasoning_tokens: sum(),
            cost,
            unpriced: sum(),
        });
    }
    Ok(cells)
}

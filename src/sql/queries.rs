//! Typed parameters and rows of the queries in `queries/*.sql`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;

use super::columns::ResultColumns;
use super::query::{
    CORRECTION_EDGE_ROWS, DIMENSION_EDGE_ROWS, DIMENSION_ROLLING_COST, EDGE_ROWS, FILE_CHECK,
    Query, ROLLING_COST, TOTALS,
};
use super::{Engine, SqlError};
use crate::archive::DataFile;
use crate::clock::Micros;
use crate::event::money;

/// A row of `edge_rows.sql`: an instant and the cost (10⁻¹² dollars) of its events.
pub type EdgeRow = (Micros, i128);

/// A row of `totals.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesTotal {
    /// As stored.
    pub org_id: String,
    /// Lower case.
    pub provider: String,
    /// Lower case.
    pub model: String,
    /// Events.
    pub requests: u64,
    /// LLM tokens, input and output.
    pub total_tokens: i128,
    /// In units of 10⁻¹² dollars.
    pub cost: i128,
}

/// The row of `file_check.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCheck {
    /// Number of rows.
    pub events: u64,
    /// Rows whose date is not the file's.
    pub misplaced: u64,
    /// `None` without rows.
    pub bounds: Option<FileBounds>,
}

/// The smallest and largest values in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileBounds {
    /// Of `ts`.
    pub times: [Micros; 2],
    /// Of `org_id`.
    pub orgs: [String; 2],
}

/// A row of `rolling_cost.sql`: an organisation and its cost (10⁻¹² dollars).
pub type OrgCost = (String, i128);

impl Engine {
    /// Runs `edge_rows.sql` over one file, for `from ≤ ts < to`.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn edge_rows(
        &self,
        file: &Arc<DataFile>,
        org_id: &str,
        from: Micros,
        to: Micros,
    ) -> Result<Vec<EdgeRow>, SqlError> {
        self.instants(&EDGE_ROWS, file, org_id, (from, to)).await
    }

    async fn instants(
        &self,
        query: &'static Query,
        file: &Arc<DataFile>,
        org_id: &str,
        (from, to): (Micros, Micros),
    ) -> Result<Vec<EdgeRow>, SqlError> {
        let params = vec![
            ("org_id", ScalarValue::from(org_id)),
            ("from_ts", time(from)),
            ("to_ts", time(to)),
        ];
        let mut rows = Vec::new();
        for batch in &self.run(query, std::slice::from_ref(file), params).await? {
            let columns = ResultColumns { query, batch };
            rows.extend(
                columns.times("ts")?.into_iter().zip(columns.sums("cost_usd", money::PLACES)?),
            );
        }
        Ok(rows)
    }

    /// Runs `correction_edge_rows.sql` over one file, for `from ≤ ts < to`.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn correction_edge_rows(
        &self,
        file: &Arc<DataFile>,
        org_id: &str,
        from: Micros,
        to: Micros,
    ) -> Result<Vec<EdgeRow>, SqlError> {
        self.instants(&CORRECTION_EDGE_ROWS, file, org_id, (from, to)).await
    }

    /// Runs `dimension_edge_rows.sql` over one file, for `from ≤ ts < to`: the rows of each value.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn dimension_edge_rows(
        &self,
        file: &Arc<DataFile>,
        (org_id, attribute): (&str, &str),
        from: Micros,
        to: Micros,
    ) -> Result<HashMap<Arc<str>, Vec<EdgeRow>>, SqlError> {
        let params = vec![
            ("org_id", ScalarValue::from(org_id)),
            ("attribute", ScalarValue::from(attribute)),
            ("from_ts", time(from)),
            ("to_ts", time(to)),
        ];
        let mut values = HashMap::<_, Vec<_>>::new();
        for batch in &self.run(&DIMENSION_EDGE_ROWS, std::slice::from_ref(file), params).await? {
            let columns = ResultColumns { query: &DIMENSION_EDGE_ROWS, batch };
            let rows = columns.times("ts")?.into_iter();
            let rows = rows.zip(columns.sums("cost_usd", money::PLACES)?);
            for (value, row) in columns.names("value")?.into_iter().zip(rows) {
                values.entry(value.unwrap_or_default()).or_default().push(row);
            }
        }
        Ok(values)
    }

    /// Runs `dimension_rolling_cost.sql` over one file, for `after < ts ≤ until`: organisation, value and
    /// cost (10⁻¹² dollars).
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn dimension_rolling_cost(
        &self,
        file: &Arc<DataFile>,
        attribute: &str,
        after: Micros,
        until: Micros,
    ) -> Result<Vec<(String, String, i128)>, SqlError> {
        let params = vec![
            ("attribute", ScalarValue::from(attribute)),
            ("after_ts", time(after)),
            ("until_ts", time(until)),
        ];
        let (query, mut rows) = (&DIMENSION_ROLLING_COST, Vec::new());
        for batch in &self.run(query, std::slice::from_ref(file), params).await? {
            let columns = ResultColumns { query, batch };
            let names = columns.texts("org_id")?.into_iter().zip(columns.texts("value")?);
            let costs = columns.sums("cost_usd", money::PLACES)?;
            rows.extend(names.zip(costs).map(|((org_id, value), cost)| {
                (org_id.unwrap_or_default(), value.unwrap_or_default(), cost)
            }));
        }
        Ok(rows)
    }

    /// Runs `totals.sql` over `files`.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn totals(&self, files: &[Arc<DataFile>]) -> Result<Vec<SeriesTotal>, SqlError> {
        let mut rows = Vec::new();
        for batch in &self.run(&TOTALS, files, Vec::new()).await? {
            let columns = ResultColumns { query: &TOTALS, batch };
            let names = columns.texts("org_id")?.into_iter();
            let names = names.zip(columns.texts("provider")?).zip(columns.texts("model")?);
            let sums = columns.counts("requests")?.into_iter();
            let sums = sums
                .zip(columns.sums("total_tokens", 0)?)
                .zip(columns.sums("cost_usd", money::PLACES)?);
            rows.extend(names.zip(sums).map(
                |(((org_id, provider), model), ((requests, total_tokens), cost))| SeriesTotal {
                    org_id: org_id.unwrap_or_default(),
                    provider: provider.unwrap_or_default(),
                    model: model.unwrap_or_default(),
                    requests,
                    total_tokens,
                    cost,
                },
            ));
        }
        Ok(rows)
    }

    /// Runs `file_check.sql` over one file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn file_check(&self, file: &Arc<DataFile>) -> Result<FileCheck, SqlError> {
        let mut check = FileCheck { events: 0, misplaced: 0, bounds: None };
        for batch in &self.run(&FILE_CHECK, std::slice::from_ref(file), Vec::new()).await? {
            let columns = ResultColumns { query: &FILE_CHECK, batch };
            check.events += columns.counts("events")?.iter().sum::<u64>();
            check.misplaced += columns.counts("misplaced")?.iter().sum::<u64>();
            let orgs = [columns.texts("first_org")?, columns.texts("last_org")?];
            if let [Some(Some(first)), Some(Some(last))] = orgs.map(|orgs| orgs.into_iter().next())
            {
                let times = [columns.times("first_ts")?, columns.times("last_ts")?];
                let [first_ts, last_ts] =
                    times.map(|times| times.into_iter().next().unwrap_or_default());
                check.bounds = Some(FileBounds { times: [first_ts, last_ts], orgs: [first, last] });
            }
        }
        Ok(check)
    }

    /// Runs `rolling_cost.sql` over `files`, for `after < ts ≤ until`.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn rolling_cost(
        &self,
        files: &[Arc<DataFile>],
        after: Micros,
        until: Micros,
    ) -> Result<Vec<OrgCost>, SqlError> {
        let params = vec![("after_ts", time(after)), ("until_ts", time(until))];
        let mut rows = Vec::new();
        for batch in &self.run(&ROLLING_COST, files, params).await? {
            let columns = ResultColumns { query: &ROLLING_COST, batch };
            let orgs = columns.texts("org_id")?.into_iter().map(Option::unwrap_or_default);
            rows.extend(orgs.zip(columns.sums("cost_usd", money::PLACES)?));
        }
        Ok(rows)
    }
}

/// An instant as a parameter.
pub(super) fn time(at: Micros) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into()))
}

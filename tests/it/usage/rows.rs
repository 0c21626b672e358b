//! The rows of an archive, read by plain SQL, and what usage must be by them.

use std::collections::BTreeMap;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono_tz::Tz;
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use tokenlake::clock::Micros;
use tokenlake::event::time::from_text;
use tokenlake::sql::Console;

use super::calendar;
use crate::support::exact;
use crate::support::lake::Lake;

const QUERY: &str = "SELECT ts, event_type, lower(btrim(provider)), lower(btrim(model)), \
    btrim(attributes['team']), attributes['was_unpriced'], input_tokens, output_tokens, \
    cached_input_tokens, cache_write_tokens, reasoning_tokens, cost_usd FROM events \
    WHERE org_id = 'acme' AND event_id <> ''";
/// The names of the sums of tokens, in the order of the query.
const TOKENS: [&str; 5] = [
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
];

/// A row of an archive: a call, or a correction.
#[derive(Debug, Clone)]
pub struct Row {
    ts: Micros,
    is_call: bool,
    names: [Option<String>; 3],
    was_unpriced: bool,
    tokens: [i128; 5],
    cost: Option<i128>,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    pub range: (Micros, Micros),
    pub step: &'static str,
    pub zone: Tz,
    pub groups: Vec<&'static str>,
}

/// The rows of `acme`.
pub async fn rows(lake: &Lake) -> Vec<Row> {
    let console = Console::new(lake.store.clone()).unwrap();
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let answer = console.query(&files, None, QUERY).await.unwrap();
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await.unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap());
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            let text = |column: usize| {
                let column = columns[column].as_string::<i32>();
                column.iter().nth(row).unwrap().map(str::to_owned)
            };
            let name = |column| text(column).filter(|name| !name.is_empty());
            let known = |column| name(column).filter(|name| name != "unknown");
            rows.push(Row {
                ts: from_text(&text(0).unwrap()).unwrap(),
                is_call: text(1).unwrap() == "api_call",
                names: [known(2), known(3), name(4)],
                was_unpriced: text(5).as_deref() == Some("true"),
                tokens: [6, 7, 8, 9, 10].map(|at| text(at).map_or(0, |text| text.parse().unwrap())),
                cost: text(11).map(|cost| signed(&cost)),
            });
        }
    }
    rows
}

fn signed(cost: &str) -> i128 {
    cost.strip_prefix('-').map_or_else(|| exact::parse(cost), |cost| -exact::parse(cost))
}

fn money(cost: i128) -> String {
    if cost < 0 { format!("-{}", exact::format(-cost)) } else { exact::format(cost) }
}

#[derive(Debug, Default)]
struct Sums {
    requests: i64,
    tokens: [i128; 5],
    cost: i128,
    unpriced: i64,
}

/// The rows of the answer to a question, by the rows of the archive.
pub fn expected(rows: &[Row], question: &Question) -> Vec<Value> {
    let (from, to) = question.range;
    // By the instant where the step begins, then the groups, what is unknown last.
    let mut groups = BTreeMap::<(Micros, String, Vec<(bool, Option<String>)>), Sums>::new();
    for row in rows.iter().filter(|row| from <= row.ts && row.ts < to) {
        let start = match question.step {
            "total" => calendar::text(question.zone, from),
            step => calendar::start(step, question.zone, row.ts),
        };
        let key = question.groups.iter().map(|group| {
            let at = ["provider", "model", "team"].iter().position(|name| name == group).unwrap();
            (row.names[at].is_none(), row.names[at].clone())
        });
        let key = (from_text(&start).unwrap(), start, key.collect());
        let sums = groups.entry(key).or_default();
        sums.cost += row.cost.unwrap_or_default();
        if row.is_call {
            sums.requests += 1;
            sums.unpriced += i64::from(row.cost.is_none());
            sums.tokens.iter_mut().zip(row.tokens).for_each(|(sum, tokens)| *sum += tokens);
        } else {
            sums.unpriced -= i64::from(row.was_unpriced);
        }
    }
    let told = groups.into_iter().filter(|(_, sums)| sums.requests != 0 || sums.cost != 0);
    told.map(|((_, start, key), sums)| {
        let mut row = json!({ "start": start, "requests": sums.requests });
        for (group, (_, value)) in question.groups.iter().zip(key) {
            row[*group] = value.into();
        }
        for (name, tokens) in TOKENS.iter().zip(sums.tokens) {
            row[*name] = tokens.to_string().into();
        }
        row["cost_usd"] = money(sums.cost).into();
        row["unpriced_requests"] = sums.unpriced.into();
        row
    })
    .collect()
}

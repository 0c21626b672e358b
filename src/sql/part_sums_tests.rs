use std::sync::Arc;

use object_store::memory::InMemory;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::{Dimension, EventBatchBuilder, OrgRule};
use crate::ingest;
use crate::sql::{CellKind, Engine, part_cells, part_columns, partial_rows};

const NOW: Micros = 1_770_000_000_000_000;
const MONEY: [&str; 3] = ["cost_usd", "corrected_cost_usd", "credits_usd"];

fn team() -> Dimension {
    Dimension::new("team", None, "1").unwrap()
}

/// The rows of events of organisations in order, in batches of at most `size`.
fn rows(events: &[serde_json::Value], size: usize) -> Vec<RecordBatch> {
    let batch = |(at, events): (usize, &[serde_json::Value])| {
        let mut builder =
            EventBatchBuilder::new(OrgRule::Own, NOW + at as Micros).corrections(true);
        for (place, event) in events.iter().enumerate() {
            let text = event.to_string();
            builder.push(place, &ingest::fields(&text).unwrap());
        }
        let made = builder.finish().unwrap();
        assert_eq!(made.rejections, [], "{events:?}");
        made.batch.record_batch().clone()
    };
    events.chunks(size).enumerate().map(batch).collect()
}

fn event() -> impl Strategy<Value = serde_json::Value> {
    let names = |names: &[&'static str]| prop::sample::select(names.to_vec());
    let models = names(&["a", "A", " a ", "\ta", "ÉTÉ ", "été", "unknown", "Unknown ", " ", "ΑΣ"]);
    let teams = names(&["core", " core", "Core", "unknown", "", " ", "x\u{0}y", "ü"]);
    let costs = names(&["0", "0.000000000001", "-0.5", "999999.999999999999", "-3"]);
    let kinds = prop::sample::select(vec!["api_call", "api_call", "cost_correction", "other"]);
    let first = (0..3_usize, kinds, 0..200_000_i64, prop::option::of(models.clone()));
    let then = (prop::option::of(models), prop::option::of(teams), prop::option::of(costs));
    (first, then, any::<bool>(), 0..1_000_000_000_000_i64).prop_map(
        |((org, kind, ago, provider), (model, team, cost), flag, tokens)| {
            let is_correction = kind == "cost_correction";
            let tokens = if is_correction { 0 } else { tokens };
            let cost = match cost {
                None if is_correction => Some("1"),
                Some(cost) if !is_correction => Some(cost.trim_start_matches('-')),
                other => other,
            };
            let cached = (flag && !is_correction).then_some(tokens / 2);
            let was_unpriced = if flag { "true" } else { "no" };
            let org = ["acme", "b", "zeta"][org];
            json!({
                "org_id": org, "event_type": kind,
                "ts": NOW / 1_000_000 - ago, "provider": provider, "model": model,
                "input_tokens": tokens, "output_tokens": tokens / 3, "cached_input_tokens": cached,
                "cost_usd": cost,
                "attributes": {"team": team, "corrects": "x", "was_unpriced": was_unpriced},
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn sums_are_those_of_the_query(
        mut events in prop::collection::vec(event(), 1..80),
        size in 1..80_usize,
    ) {
        events.sort_by_key(|event| event["org_id"].to_string());
        for (id, event) in events.iter_mut().enumerate() {
            event["event_id"] = id.to_string().into();
        }
        let (rows, team) = (rows(&events, size), team());
        let kind = CellKind::of(&Arc::new(team.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let engine = Engine::new(Arc::new(InMemory::new())).unwrap();
        let by_query = runtime.block_on(engine.cells_of_rows(&kind, &rows)).unwrap();
        let cells = part_cells(&team, &rows, usize::MAX).unwrap().unwrap();
        prop_assert_eq!(&cells, &partial_rows(&by_query).unwrap());
        let stored = part_columns(&kind, &cells).unwrap();
        prop_assert_eq!(&partial_rows(std::slice::from_ref(&stored)).unwrap(), &cells);
        let count = cells.len();
        for name in MONEY.iter().filter(|_| count > 0) {
            prop_assert_eq!(&stored[*name], &by_query[0][*name], "{}", name);
        }
        prop_assert_eq!(part_cells(&team, &rows, count).unwrap(), Some(cells));
        if count > 0 {
            prop_assert_eq!(part_cells(&team, &rows, count - 1).unwrap(), None);
        }
    }
}

#[test]
fn what_was_taken_is_not_there_any_more() {
    let call = |id: usize, team: &str| {
        json!({
            "event_id": id.to_string(), "org_id": "acme", "ts": NOW / 1_000_000,
            "input_tokens": id, "output_tokens": 1, "attributes": {"team": team},
        })
    };
    let rows = rows(&[call(1, "a"), call(2, "b"), call(4, "a"), call(8, "c")], 2);
    let mut sums = RowsByPart::of(&"team".into());
    let mut tokens = Vec::new();
    for rows in &rows {
        sums.add(rows, usize::MAX).unwrap();
        assert_eq!(sums.cells(), 2);
        tokens.extend(sums.take().into_iter().map(|row| (row.org_id, row.totals.input_tokens)));
    }
    let part = |value: &str| Arc::<str>::from(part_of("acme", value));
    assert_eq!(tokens, [(part("a"), 1), (part("b"), 2), (part("a"), 4), (part("c"), 8)]);
    assert!(sums.take().is_empty());
}

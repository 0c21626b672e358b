//! Tests of each of `queries/*.sql` over data files.

mod columns;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokenlake::archive::DataFile;
use tokenlake::clock::{DAY, HOUR};
use tokenlake::sql::{CellKind, FileBounds, FileCheck, SeriesTotal};

use crate::support::event::{Event, NOW};
use crate::support::lake::Lake;

/// The greatest cost of one event, in units of 10⁻¹² dollars.
const COST_MAX: i128 = 999_999_999_999_999_999;

/// The live files of a new archive of these events, and the archive.
async fn files(events: &[(&str, Event)]) -> (Lake, Vec<Arc<DataFile>>) {
    let lake = Lake::at(NOW).await;
    for org in events.iter().map(|(org, _)| *org).collect::<BTreeSet<_>>() {
        let own = events.iter().filter(|(owner, _)| *owner == org);
        lake.add(org, &own.map(|(_, event)| event.clone()).collect::<Vec<_>>()).await;
    }
    let files = lake.snapshot().await.files().cloned().collect();
    (lake, files)
}

fn named(id: &str, provider: Option<&str>, model: Option<&str>) -> Event {
    let (provider, model) = (provider.map(str::to_owned), model.map(str::to_owned));
    Event { provider, model, ..Event::priced(id, NOW - HOUR, "0.1") }
}

#[tokio::test]
async fn a_partial_has_a_row_for_each_series_and_hour() {
    let unpriced = Event { cost: None, ..Event::priced("d", NOW, "") };
    let other = Event { event_type: Some("other".into()), ..Event::priced("e", NOW, "9") };
    let (lake, files) = files(&[
        ("acme", Event::priced("a", NOW - 2 * HOUR, "0.1")),
        ("acme", Event { provider: Some(" OpenAI ".into()), ..Event::priced("b", NOW, "0.2") }),
        ("acme", Event::priced("c", NOW - 1, "0.3")),
        ("acme", unpriced),
        ("acme", other),
        ("acme", named("f", Some("UNKNOWN"), Some("GPT-4o"))),
        ("acme", named("g", Some("openai"), None)),
    ])
    .await;
    assert_eq!(files.len(), 1);
    let mut rows = lake.engine().cells(&CellKind::Core, &files[0]).await.unwrap();
    rows.sort_by_key(|row| (row.hour, row.provider.clone()));
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let names = (row.provider.as_deref(), row.model.as_deref());
            let hours_ago = (NOW / HOUR * HOUR - row.hour) / HOUR;
            let last = NOW - row.last_ts;
            (names, hours_ago, row.totals.requests, row.totals.unpriced, row.totals.cost, last)
        })
        .collect();
    let (openai, gpt, unit) = (Some("openai"), Some("gpt-4o"), 100_000_000_000);
    let expected = [
        ((openai, gpt), 2, 1, 0, unit, 2 * HOUR),
        ((None, gpt), 1, 1, 0, unit, HOUR),
        ((openai, None), 1, 1, 0, unit, HOUR),
        ((openai, gpt), 0, 3, 1, 5 * unit, 0),
    ];
    assert_eq!(shown, expected);
    assert!(rows.iter().all(|row| &*row.org_id == "acme"));
    let last = &rows[3].totals;
    assert_eq!((last.input_tokens, last.output_tokens), (30, 3));
    assert_eq!((last.cached_input_tokens, last.reasoning_tokens), (0, 0));
}

#[tokio::test]
async fn edge_rows_are_the_priced_instants_of_one_organisation() {
    let unpriced = Event { cost: None, ..Event::priced("u", NOW - 3, "") };
    let other = Event { event_type: Some("other".into()), ..Event::priced("o", NOW - 3, "9") };
    let (lake, files) = files(&[
        ("acme", Event::priced("late", NOW, "1")),
        ("acme", Event::priced("b", NOW - 2, "0.2")),
        ("acme", Event::priced("a", NOW - 2, "0.1")),
        ("acme", named("unnamed", None, None)),
        ("acme", unpriced),
        ("acme", other),
        ("beta", Event::priced("b", NOW - 2, "7")),
    ])
    .await;
    let engine = lake.engine();
    let mut rows = Vec::new();
    for file in &files {
        rows.extend(engine.edge_rows(file, "acme", NOW - HOUR, NOW).await.unwrap());
    }
    assert_eq!(rows, [(NOW - HOUR, 100_000_000_000), (NOW - 2, 300_000_000_000)]);
}

#[tokio::test]
async fn totals_are_of_known_series_over_all_files() {
    let dear = "999999.999999999999";
    let (lake, files) = files(&[
        ("acme", Event::priced("a", NOW, dear)),
        ("acme", Event::priced("b", NOW - 40 * DAY, dear)),
        ("acme", Event { model: Some("GPT-4O".into()), ..Event::priced("c", NOW - DAY, dear) }),
        ("acme", named("d", None, Some("m"))),
        ("acme", named("e", Some("p"), Some("Unknown"))),
        ("Beta", Event { cost: None, ..Event::priced("a", NOW, "") }),
        ("Beta", Event { event_type: Some("other".into()), ..Event::priced("b", NOW, "1") }),
    ])
    .await;
    assert!(files.len() > 2);
    let row = |org: &str, requests, total_tokens, cost| SeriesTotal {
        org_id: org.into(),
        provider: "openai".into(),
        model: "gpt-4o".into(),
        requests,
        total_tokens,
        cost,
    };
    let expected = [row("Beta", 1, 11, 0), row("acme", 3, 33, 3 * COST_MAX)];
    assert_eq!(lake.engine().totals(&files).await.unwrap(), expected);
}

#[tokio::test]
async fn rolling_cost_is_over_the_half_open_window() {
    let (lake, files) = files(&[
        ("acme", Event::priced("a", NOW - DAY, "1")),
        ("acme", Event::priced("b", NOW - DAY + 1, "2")),
        ("acme", Event::priced("c", NOW, "4")),
        ("acme", Event::priced("d", NOW + 1, "8")),
        ("acme", named("e", None, None)),
        ("beta", Event::priced("a", NOW, "16")),
        ("gone", Event::priced("a", NOW - DAY, "32")),
        ("free", Event { cost: None, ..Event::priced("a", NOW, "") }),
    ])
    .await;
    let rows = lake.engine().rolling_cost(&files, NOW - DAY, NOW).await.unwrap();
    let dollar = 1_000_000_000_000;
    let expected =
        [("acme".into(), 61 * dollar / 10), ("beta".into(), 16 * dollar), ("free".into(), 0)];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn file_check_tells_what_is_in_a_file() {
    let (lake, files) = files(&[
        ("acme", Event::priced("a", NOW - 7, "1")),
        ("acme", Event::priced("b", NOW, "1")),
    ])
    .await;
    let bounds = FileBounds { times: [NOW - 7, NOW], orgs: ["acme".into(), "acme".into()] };
    let found = lake.engine().file_check(&files[0]).await.unwrap();
    assert_eq!(found, FileCheck { events: 2, misplaced: 0, bounds: Some(bounds) });
    let mut misplaced = DataFile::clone(&files[0]);
    misplaced.date = misplaced.date.pred_opt().unwrap();
    let found = lake.engine().file_check(&Arc::new(misplaced)).await.unwrap();
    assert_eq!(found.misplaced, 2);
}

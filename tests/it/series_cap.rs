//! Tests of the cap of series: calls of series beyond it are stored as `other`, and no stored call
//! ever changes its series.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::ObjectStore;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::app::AppSettings;
use tokenlake::clock::{Clock as _, SECOND};
use tokenlake::event::OrgId;
use tokenlake::ingest::ContentKind;

use crate::stores::{Fault, FaultyStore, Op, Verb};
use crate::support::client;
use crate::support::event::{ACME, Event, NOON, requests};
use crate::support::lake::{Lake, settings, verified};
use crate::support::process::{Server, key, tokenlake};
use crate::support::scrape::{Series, assert_no_counter_fell, parse, scrape};
use crate::support::store::memory;

fn event(id: &str, provider: &str, model: &str) -> Value {
    json!({
        "event_id": id, "ts": "2026-01-15T10:00:00Z", "provider": provider, "model": model,
        "input_tokens": 10, "output_tokens": 5, "cost_usd": "0.25",
    })
}

fn post(server: &Server, key: &str, events: &[Value]) -> Value {
    let body = serde_json::to_vec(events).unwrap();
    let answer = client::post(&server.url("/v1/events"), key, "application/json", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Requests by provider and model.
fn shown(series: &Series) -> Vec<(String, u64)> {
    let counters = series.iter().filter_map(|(name, value)| {
        let labels = name.strip_prefix("llm_requests_total{provider=\"")?;
        let labels = labels.split(",org_id").next()?.replace("\",model=\"", "/");
        Some((labels.trim_end_matches('"').to_owned(), value.parse().unwrap()))
    });
    counters.collect()
}

fn counts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn rows(archive: &Path, query: &str) -> Value {
    let done = tokenlake(archive, &["sql", "--format", "json", "-c", query]);
    assert_eq!(done.status, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

/// Its name has what no label can show: it is known again all the same.
#[tokio::test]
async fn a_known_series_with_a_nul_in_its_name_is_not_one_too_many() {
    let settings = AppSettings { series_max: Some(1), ..settings() };
    let app = Lake::try_open(&memory(), settings).await.unwrap();
    for id in 0..3 {
        assert_eq!(app.sent(&[Event::new(id).model("a\0B")]).await, (1, 0));
    }
    let shown = shown(&parse(&app.scrape(ACME).await));
    assert_eq!(shown, counts(&[("openai/a\u{FFFD}b", 3)]));
}

/// Of two events with one id the first stands, so the other's series is not there.
#[tokio::test]
async fn a_duplicate_of_another_series_takes_no_room() {
    let settings = AppSettings { series_max: Some(2), ..settings() };
    let app = Lake::try_open(&memory(), settings).await.unwrap();
    assert_eq!(app.sent(&[Event::new(1).model("a")]).await, (1, 0));
    assert_eq!(app.sent(&[Event::new(1).model("b")]).await, (0, 1));
    assert_eq!(app.sent(&[Event::new(2).model("c")]).await, (1, 0));
    let shown = shown(&parse(&app.scrape(ACME).await));
    assert_eq!(shown, counts(&[("openai/a", 1), ("openai/c", 1)]));
}

#[test]
fn a_series_too_many_is_stored_as_other_and_stays_there() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let (acme, globex) = (key(archive, "acme"), key(archive, "globex"));
    let cap = ["serve", "--max-series", "2"];
    let server = Server::start_with(archive, &cap);
    let full = [event("1", "OpenAI", "gpt-4o"), event("2", "openai", "GPT-4o-mini")];
    post(&server, &acme, &full);
    let before = scrape(&server, &acme);
    let mut third = event("3", "openai", "o3");
    third["attributes"] = json!({ "team": "x" });
    // Another spelling, no series at all, another type of event, and a second provider.
    let mut other_type = event("7", "openai", "o4");
    other_type["event_type"] = json!("other");
    let more = [
        third.clone(),
        event("4", " openai", "gpt-4O-MINI "),
        event("5", "openai", "unknown"),
        event("6", "anthropic", "claude"),
        other_type,
    ];
    assert_eq!(post(&server, &acme, &more)["accepted"], 5);
    let after = scrape(&server, &acme);
    assert_no_counter_fell(&before, &after);
    let expected = [
        ("anthropic/other", 1),
        ("openai/gpt-4o", 1),
        ("openai/gpt-4o-mini", 2),
        ("openai/other", 1),
    ];
    assert_eq!(shown(&after), counts(&expected));
    // Another organisation has its own.
    post(&server, &globex, &[event("3", "openai", "o3")]);
    assert_eq!(shown(&scrape(&server, &globex)), counts(&[("openai/o3", 1)]));

    // A new process knows what there is, also where it may have more by now.
    drop(server);
    let server = Server::start_with(archive, &cap);
    let retried =
        post(&server, &acme, &[third, event("8", "openai", "gpt-4o"), event("9", "x", "y")]);
    assert_eq!((&retried["accepted"], &retried["duplicates"]), (&json!(2), &json!(1)));
    drop(server);
    let server = Server::start_with(archive, &["serve", "--max-series", "3"]);
    post(&server, &acme, &[event("10", "openai", "o3"), event("11", "openai", "o5")]);
    let expected = [
        ("anthropic/other", 1),
        ("openai/gpt-4o", 2),
        ("openai/gpt-4o-mini", 2),
        ("openai/o3", 1),
        ("openai/other", 2),
        ("other/other", 1),
    ];
    let last = scrape(&server, &acme);
    assert_eq!(shown(&last), counts(&expected));
    assert_no_counter_fell(&after, &last);
    let query = "SELECT event_id, model, attributes['model'] AS own, attributes['team'] AS team \
                 FROM events WHERE org_id = 'acme' AND model = 'other' ORDER BY event_id";
    assert_eq!(
        rows(archive, query),
        json!([
            { "event_id": "11", "model": "other", "own": "o5", "team": null },
            { "event_id": "3", "model": "other", "own": "o3", "team": "x" },
            { "event_id": "6", "model": "other", "own": "claude", "team": null },
            { "event_id": "9", "model": "other", "own": "y", "team": null },
        ])
    );
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
}

#[test]
fn a_provider_too_many_is_stored_as_other_with_its_model() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    let cap = ["serve", "--max-series", "3"];
    let server = Server::start_with(archive, &cap);
    let events = |from: usize, to: usize| {
        let events = (from..to).map(|n| event(&n.to_string(), &format!("P{n}"), "other"));
        events.collect::<Vec<_>>()
    };
    post(&server, &acme, &events(0, 2));
    let before = scrape(&server, &acme);
    post(&server, &acme, &events(2, 40));
    post(&server, &acme, &[event("x", "p7", "m"), event("y", "p1", "m"), event("z", "Other", "n")]);
    // A new process knows which providers there are, also of those without a series that counts.
    drop(server);
    let server = Server::start_with(archive, &cap);
    post(&server, &acme, &[event("p", "p2", "m"), event("q", "p9", "m"), event("r", "p0", "k")]);
    let after = scrape(&server, &acme);
    assert_no_counter_fell(&before, &after);
    let expected = [
        ("other/n", 1),
        ("other/other", 39),
        ("p0/other", 2),
        ("p1/m", 1),
        ("p1/other", 1),
        ("p2/m", 1),
        ("p2/other", 1),
    ];
    assert_eq!(shown(&after), counts(&expected));
    let query = "SELECT event_id, provider, model, attributes['provider'] AS own_provider, \
                 attributes['model'] AS own_model FROM events WHERE event_id IN ('7', 'q', 'r') \
                 ORDER BY event_id";
    let row = |id: &str, provider: &str, own: Option<&str>, model: &str| {
        json!({
            "event_id": id, "provider": provider, "model": "other", "own_provider": own,
            "own_model": model,
        })
    };
    let expected = [
        row("7", "other", Some("P7"), "other"),
        row("q", "other", Some("p9"), "m"),
        row("r", "p0", None, "k"),
    ];
    assert_eq!(rows(archive, query), json!(expected));
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
}

#[test]
fn a_backfill_keeps_to_the_cap_and_finds_its_rows_again() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    let server = Server::start(archive);
    post(&server, &acme, &[event("1", "openai", "a"), event("2", "openai", "b")]);
    let input = folder.path().join("in.ndjson");
    let lines: Vec<_> = (0..3_000)
        .map(|id| {
            let mut row = event(&format!("b{id}"), "openai", &format!("m{}", id % 30));
            row["org_id"] = json!(if id % 2 == 0 { "acme" } else { "globex" });
            row["ts"] = json!(1_735_689_600 + (id % 5) * 86_400);
            row.to_string()
        })
        .collect();
    std::fs::write(&input, lines.join("\n")).unwrap();
    let input = input.to_str().unwrap();
    for accepted in [3_000, 0] {
        let done = tokenlake(archive, &["backfill", "--org", "*", "--max-series", "12", input]);
        assert_eq!(done.status, 0, "{done:?}");
        let summary: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(summary["accepted"], accepted, "{summary}");
    }
    let series = shown(&scrape(&server, &acme));
    assert_eq!(series.len(), 13, "{series:?}");
    assert_eq!(series.iter().map(|(_, count)| count).sum::<u64>(), 1_502);
    let of = |name: &str| series.iter().find(|(found, _)| found == name).map(|(_, count)| *count);
    assert_eq!((of("openai/a"), of("openai/b"), of("openai/other")), (Some(1), Some(1), Some(500)));
    let query = "SELECT org_id, count(*) AS n, count(DISTINCT attributes['model']) AS own FROM events \
                 WHERE model = 'other' GROUP BY 1 ORDER BY 1";
    assert_eq!(
        rows(archive, query),
        json!([{ "org_id": "acme", "n": 500, "own": 5 }, { "org_id": "globex", "n": 300, "own": 3 }])
    );
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
}

/// What a process with a cap does to series, as simply as can be said.
#[derive(Default)]
struct Model {
    series: BTreeMap<(String, String), u64>,
    sent: u64,
}

impl Model {
    fn providers(&self) -> BTreeSet<String> {
        let providers = self.series.keys().map(|(provider, _)| provider.clone());
        providers.filter(|provider| provider != "other").collect()
    }

    fn take(&mut self, provider: &str, model: &str, cap: usize) {
        let label = |text: &str| Some(text.trim().to_lowercase()).filter(|text| text != "unknown");
        let (Some(mut provider), Some(mut model)) = (label(provider), label(model)) else { return };
        let providers = self.providers();
        if provider != "other" && !providers.contains(&provider) && providers.len() >= cap {
            (provider, model) = ("other".to_owned(), "other".to_owned());
        }
        let counted = self.series.keys().filter(|(_, model)| model != "other").count();
        let known = self.series.contains_key(&(provider.clone(), model.clone()));
        if !known && model != "other" && counted >= cap {
            model = "other".to_owned();
        }
        *self.series.entry((provider, model)).or_default() += 1;
        self.sent += 1;
    }
}

async fn open(store: &Arc<dyn ObjectStore>, cap: usize) -> Lake {
    Lake::try_open(store, AppSettings { series_max: Some(cap), ..settings() }).await.unwrap()
}

async fn send(app: &Lake, events: &[Value]) {
    // What others committed is looked for once a second.
    app.clock.set(app.clock.now() + 2 * SECOND);
    let org = OrgId::parse(ACME).unwrap();
    let body = serde_json::to_vec(events).unwrap();
    let decoded = app.app.decode(&org, &ContentKind::Json, body.as_ref()).unwrap();
    let receipt = app.app.commit(&org, decoded).await.unwrap();
    assert_eq!(receipt.accepted, events.len(), "{receipt:?}");
}

async fn law(batches: &[(usize, Vec<(String, String)>)], cap: usize) {
    let store = memory();
    let mut replicas = [open(&store, cap).await, open(&store, cap).await];
    let (mut model, mut before, mut id) = (Model::default(), Series::new(), 0);
    for (turn, names) in batches {
        if *turn == 2 {
            replicas[0] = open(&store, cap).await;
        }
        let events: Vec<_> = names
            .iter()
            .map(|(provider, name)| {
                id += 1;
                model.take(provider, name, cap);
                json!({
                    "event_id": id.to_string(), "ts": NOON / SECOND - 60, "provider": provider,
                    "model": name, "input_tokens": 1,
                })
            })
            .collect();
        let replica = &replicas[turn % 2];
        send(replica, &events).await;
        let body = replica.scrape(ACME).await;
        assert_eq!(requests(&body), model.sent);
        let series = parse(&body);
        let expected = model
            .series
            .iter()
            .map(|((provider, model), count)| (format!("{provider}/{model}"), *count));
        assert_eq!(shown(&series), expected.collect::<Vec<_>>());
        assert!(model.providers().len() <= cap);
        assert!(model.series.len() <= cap + model.providers().len() + 1);
        assert_no_counter_fell(&before, &series);
        before = series;
    }
    verified(&store).await;
}

fn names() -> impl Strategy<Value = (String, String)> {
    let models = prop_oneof![
        8 => (0..9, any::<bool>()).prop_map(|(n, upper)| {
            if upper { format!("Model-{n} ") } else { format!("model-{n}") }
        }),
        1 => Just("Other".to_owned()),
        1 => Just("unknown".to_owned()),
    ];
    let providers = prop_oneof![
        4 => prop_oneof![Just("P"), Just("p"), Just("q"), Just("Unknown"), Just("Other")]
            .prop_map(str::to_owned),
        2 => (0..6).prop_map(|n| format!("provider-{n}")),
    ];
    (providers, models)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn no_series_is_lost_or_moved_and_there_are_no_more_than_may_be(
        batches in prop::collection::vec((0usize..3, prop::collection::vec(names(), 1..8)), 1..8),
        cap in 1usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(law(&batches, cap));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_come_together_share_the_room_and_one_that_fails_leaves_it() {
    let failing = Arc::new(AtomicBool::new(false));
    let fails = failing.clone();
    let store: Arc<dyn ObjectStore> = FaultyStore::new(memory(), move |op: &Op| {
        let is_data = op.verb == Verb::Put && op.path.as_ref().ends_with(".parquet");
        (is_data && fails.load(Ordering::SeqCst)).then_some(Fault::FailBefore)
    });
    let app = Arc::new(open(&store, 10).await);
    let org = OrgId::parse(ACME).unwrap();
    let sends = (0..20_usize).map(|sender| {
        let (app, org) = (app.clone(), org.clone());
        tokio::spawn(async move {
            let events: Vec<_> = (0..5)
                .map(|n| {
                    let mut event = event(&format!("{sender}-{n}"), "p", &format!("m{sender}-{n}"));
                    event["ts"] = json!(NOON / SECOND - 60);
                    event
                })
                .collect();
            let body = serde_json::to_vec(&events).unwrap();
            let decoded = app.app.decode(&org, &ContentKind::Json, body.as_ref()).unwrap();
            app.app.commit(&org, decoded).await.unwrap()
        })
    });
    for sent in sends.collect::<Vec<_>>() {
        assert_eq!(sent.await.unwrap().accepted, 5);
    }
    let series = shown(&parse(&app.scrape(ACME).await));
    assert_eq!(series.len(), 11, "{series:?}");
    assert_eq!(series.iter().find(|(name, _)| name == "p/other").unwrap().1, 90);
    assert_eq!(app.telemetry("tokenlake_models_renamed_total"), 90);

    // What is let in but never committed does not count.
    let other = OrgId::parse("globex").unwrap();
    failing.store(true, Ordering::SeqCst);
    for round in 0..3 {
        let body = json!([{
            "event_id": "1", "ts": NOON / SECOND - 60, "provider": "p", "model": format!("m{round}"),
        }]);
        let body = body.to_string().into_bytes();
        let decoded = app.app.decode(&other, &ContentKind::Json, body.as_ref()).unwrap();
        app.app.commit(&other, decoded).await.unwrap_err();
    }
    failing.store(false, Ordering::SeqCst);
    let renamed = app.telemetry("tokenlake_models_renamed_total");
    for model in (0..10).map(|n| format!("n{n}")) {
        let body = json!([{ "event_id": model, "ts": NOON / SECOND - 60, "provider": "p", "model": model }]);
        let body = body.to_string().into_bytes();
        let decoded = app.app.decode(&other, &ContentKind::Json, body.as_ref()).unwrap();
        app.app.commit(&other, decoded).await.unwrap();
    }
    assert_eq!(app.telemetry("tokenlake_models_renamed_total"), renamed);
}

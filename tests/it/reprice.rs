//! Reprices in this process: what calls cost after them, whatever else happens to their files.

mod law;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use object_store::ObjectStore;
use serde_json::{Value, json};
use tokenlake::access::{Caller, Scope, Scopes};
use tokenlake::app::AppSettings;
use tokenlake::clock::{DAY, HOUR};
use tokenlake::event::{Dimension, OrgId};
use tokenlake::exposition::MetricsFormat;
use tokenlake::ingest::ContentKind;
use tokenlake::maintain::compact::CompactSettings;
use tokenlake::pricing::{Prices, Table};
use tokenlake::reprice::{RepriceOutcome, RepriceScope, Repricing, reprice};

use crate::stores::{Fault, FaultyStore};
use crate::support::event::{ACME, Event, NOON};
use crate::support::exact;
use crate::support::lake::{Lake, caller, settings, verified};
use crate::support::rewrite::{dates, delete, rewrite};
use crate::support::scrape::{Series, assert_no_counter_fell, parse};
use crate::support::store::{memory, paths};

const GROUPS: [&str; 3] = ["core", "pricing", "dimensions"];
/// Room for all that a test corrects.
const MEMORY: usize = 64 << 20;

/// Prices by a table with one rule for all models: so many units of 10^-12 dollars for each token.
pub fn table(name: &str, units: i64) -> Prices {
    let rate = exact::format(i128::from(units) * 1_000_000);
    let rule =
        json!({ "id": "any", "patterns": ["*"], "rates": { "input": rate, "output": rate } });
    let table =
        json!({ "format": "tokenlake.prices", "version": 1, "table": name, "rules": [rule] });
    let table = Table::parse(table.to_string().as_bytes(), name).unwrap();
    Prices::new(vec![Arc::new(table)])
}

/// All calls that tables may price.
pub fn all() -> RepriceScope {
    RepriceScope { all: true, ..RepriceScope::default() }
}

/// Reprices to the end, with so much memory.
pub async fn repriced_in(
    lake: &Lake,
    prices: &Prices,
    scope: RepriceScope,
    memory_bytes: usize,
) -> RepriceOutcome {
    let engine = lake.engine();
    let repricing = Repricing {
        archive: lake.app.archive(),
        engine: &engine,
        prices,
        clock: &*lake.clock,
        scope,
        dry_run: false,
        memory_bytes,
    };
    reprice(&repricing, std::future::pending(), |_| ()).await
}

/// Reprices to an end that is no failure; gives how many corrections were written, and by others.
pub async fn repriced(lake: &Lake, prices: &Prices, scope: RepriceScope) -> (u64, u64) {
    let outcome = repriced_in(lake, prices, scope, MEMORY).await;
    assert!(outcome.error.is_none() && !outcome.stopped, "{outcome:?}");
    (outcome.written, outcome.already)
}

/// A call without a cost, of so many tokens.
pub fn bare(id: &str, tokens: u64) -> Event {
    Event { cost: None, input_tokens: tokens, output_tokens: 0, ..Event::new(id) }
}

pub async fn shown(lake: &Lake) -> Series {
    parse(&lake.scrape_as(ACME, &GROUPS, MetricsFormat::Text004).await)
}

/// The sum of a family over its series.
pub fn sum(series: &Series, family: &str) -> i128 {
    let start = format!("{family}{{");
    let of = series.iter().filter(|(name, _)| name.starts_with(&start));
    of.map(|(_, value)| exact::parse(value)).sum()
}

/// What all calls cost, net, as counters tell it, in 10^-12 dollars.
pub fn net(series: &Series) -> i128 {
    sum(series, "llm_cost_usd_total") - sum(series, "llm_cost_usd_credits_total")
}

/// Calls without a price.
pub fn unpriced(series: &Series) -> i128 {
    let left = sum(series, "llm_requests_unpriced_total");
    (left - sum(series, "llm_requests_priced_later_total")) / exact::parse("1")
}

/// Sends corrections.
async fn correct(lake: &Lake, corrections: &[Value]) {
    let scopes = Scopes::or_usual(vec![Scope::EventsWrite, Scope::CorrectionsWrite]);
    let sender = Caller { scopes, ..caller(ACME) };
    let body = serde_json::to_vec(corrections).unwrap();
    let decoded = lake.app.decode(&sender, &ContentKind::Json, &body).unwrap();
    assert_eq!(decoded.rejections, []);
    lake.app.commit(&sender.org_id, decoded).await.unwrap();
}

fn correction(id: &str, of: &str, cost: &str, was_unpriced: &str) -> Value {
    json!({
        "event_id": id, "event_type": "cost_correction", "ts": NOON - HOUR, "provider": "openai",
        "model": "gpt-4o", "cost_usd": cost, "corrects": of, "was_unpriced": was_unpriced,
    })
}

#[tokio::test]
async fn memory_for_few_corrections_does_all_in_parts() {
    let lake = Lake::at(NOON).await;
    let events: Vec<_> = (0..60).map(|n| bare(&format!("e{n}"), n)).collect();
    lake.add(ACME, &events).await;
    let tokens: i128 = (0..60).sum();
    for (units, memory_bytes) in [(3, 1), (5, 4_000), (2, 8_000)] {
        let prices = table(&format!("t{units}"), units);
        let outcome = repriced_in(&lake, &prices, all(), memory_bytes).await;
        assert!(outcome.error.is_none(), "{outcome:?}");
        // A call without tokens costs nothing, which is corrected once.
        assert_eq!(outcome.written, if units == 3 { 60 } else { 59 }, "{outcome:?}");
        assert_eq!(repriced_in(&lake, &prices, all(), memory_bytes).await.written, 0);
        let series = shown(&lake).await;
        assert_eq!((net(&series), unpriced(&series)), (tokens * i128::from(units), 0));
    }
    assert_eq!(verified(&lake.store).await, 60 + 60 + 59 + 59);
}

#[tokio::test]
async fn of_two_runs_at_once_one_corrects_each_event_whatever_their_tables() {
    let lake = Lake::at(NOON).await;
    let other = lake.replica(MEMORY).await;
    let events: Vec<_> = (1..60).map(|n| bare(&format!("e{n}"), n)).collect();
    lake.add(ACME, &events).await;
    let tokens: i128 = (1..60).sum();
    let (one, two) = (table("one", 1), table("two", 1_000));
    let default = RepriceScope::default;
    let (first, second) =
        tokio::join!(repriced(&lake, &one, default()), repriced(&other, &two, default()));
    assert_eq!(first.0 + second.0, 59, "{first:?} {second:?}");
    let series = shown(&lake).await;
    assert_eq!(unpriced(&series), 0);
    // Each event costs what one of the tables says: no two of these sums are alike.
    let net = net(&series);
    assert!(net == tokens || net == tokens * 1_000, "{net}: {first:?} {second:?}");
    let same = tokio::join!(repriced(&lake, &two, all()), repriced(&other, &two, all()));
    let written = same.0.0 + same.1.0;
    assert_eq!(written, if net == tokens { 59 } else { 0 }, "{same:?}");
    assert_eq!(self::net(&shown(&other).await), tokens * 1_000);
    verified(&lake.store).await;
}

#[tokio::test]
async fn corrections_of_others_are_part_of_what_an_event_had() {
    let lake = Lake::at(NOON).await;
    let ids = ["a", "b", "c", "d"];
    lake.add(ACME, &ids.map(|id| bare(id, 10))).await;
    let reported = Event::new("r").cost("0.5");
    lake.add(ACME, &[reported]).await;
    // One that says nothing of a price, one that gives it, and some that are of no call here.
    let more = [
        correction("m1", "a", "0.000000000003", "no"),
        correction("m2", "b", "0.000000000004", "true"),
        correction("m3", "r", "-0.25", "no"),
        correction("m4", "invoice 7", "1", "no"),
    ];
    correct(&lake, &more).await;
    assert_eq!(repriced(&lake, &table("one", 2), RepriceScope::default()).await, (3, 0));
    let after = shown(&lake).await;
    let known = exact::parse("0.5") - exact::parse("0.25") + exact::parse("1");
    assert_eq!((net(&after), unpriced(&after)), (known + 3 * 20 + 4, 0));
    // What was reported is left alone even where all are asked for.
    assert_eq!(repriced(&lake, &table("two", 1), all()).await, (3, 0));
    let last = shown(&lake).await;
    assert_eq!(net(&last), known + 3 * 10 + 4);
    assert_no_counter_fell(&after, &last);
    verified(&lake.store).await;
}

#[tokio::test]
async fn sums_of_a_dimension_have_each_correction_of_their_events() {
    let lake = Lake::at(NOON).await;
    let new = Dimension::new("team", None, "1").unwrap();
    lake.app.archive().declare(|known| known.with(new.clone())).await.unwrap();
    let teams = (1..30).map(|n| bare(&format!("e{n}"), n).team(&format!("t{}", n % 3)));
    lake.add(ACME, &teams.collect::<Vec<_>>()).await;
    for (units, scope) in [(5, RepriceScope::default()), (2, all())] {
        repriced(&lake, &table("t", units), scope).await;
        let series = shown(&lake).await;
        for team in 0..3 {
            let value = format!("value=\"t{team}\"");
            let of = |family: &str| {
                let mut of = series.clone();
                of.retain(|name, _| name.contains(&value));
                sum(&of, family)
            };
            let tokens: i128 = (1..30).filter(|n| n % 3 == team).sum();
            let net =
                of("llm_dimension_cost_usd_total") - of("llm_dimension_cost_usd_credits_total");
            assert_eq!(net, tokens * i128::from(units), "{team}: {series:?}");
            assert_eq!(of("llm_dimension_cost_usd_rolling_24h"), net);
        }
    }
    verified(&lake.store).await;
}

#[tokio::test]
async fn what_has_expired_is_left_and_counted() {
    let lake = Lake::at(NOON).await;
    let old = |id: &str, days: i64| bare(id, 10).at(NOON - days * DAY);
    lake.add(ACME, &[old("a", 40), old("b", 39), old("c", 38), old("new", 1)]).await;
    lake.add("Other", &[old("a", 40)]).await;
    let one = RepriceScope { to: Some(NOON - 39 * DAY - HOUR), ..RepriceScope::default() };
    let acme = RepriceScope { org_id: Some(OrgId::parse(ACME).unwrap()), ..one.clone() };
    assert_eq!(repriced(&lake, &table("t", 1), acme.clone()).await, (1, 0));
    lake.expire(30).await.unwrap();
    let before = shown(&lake).await;
    let outcome = repriced_in(&lake, &table("t", 1), RepriceScope::default(), MEMORY).await;
    assert_eq!((outcome.written, outcome.left.expired), (1, 3), "{outcome:?}");
    assert_eq!(outcome.floor.unwrap().to_string(), "2026-02-08");
    let scopes = [
        (RepriceScope { to: None, ..acme.clone() }, 2),
        (RepriceScope { from: Some(NOON - 10 * DAY), ..RepriceScope::default() }, 0),
        (RepriceScope { model: Some("o3".to_owned()), ..RepriceScope::default() }, 0),
        (RepriceScope { all: true, ..RepriceScope::default() }, 4),
    ];
    for (scope, expired) in scopes {
        let outcome = repriced_in(&lake, &table("t", 1), scope.clone(), MEMORY).await;
        assert_eq!((outcome.written, outcome.left.expired), (0, expired), "{scope:?}");
    }
    let after = shown(&lake).await;
    assert_no_counter_fell(&before, &after);
    assert_eq!((net(&after), unpriced(&after)), (20, 2));
    verified(&lake.store).await;
}

/// The calls above the cap are stored as others, and cost what the model costs that was sent.
#[tokio::test]
async fn calls_above_the_cap_of_series_have_the_price_of_their_own_model() {
    let settings = AppSettings { series_max: Some(1), ..settings() };
    let lake = Lake::try_open(&memory(), settings).await.unwrap();
    lake.add(ACME, &[bare("a", 1).model("first")]).await;
    lake.add(ACME, &[bare("b", 10).model("Second"), bare("c", 100).model("third")]).await;
    let rule = json!({ "id": "s", "model": "second", "rates": { "input": "1", "output": "1" } });
    let table =
        json!({ "format": "tokenlake.prices", "version": 1, "table": "t", "rules": [rule] });
    let table = Table::parse(table.to_string().as_bytes(), "t").unwrap();
    let prices = Prices::new(vec![Arc::new(table)]);
    let scope = RepriceScope { model: Some("SECOND".to_owned()), ..RepriceScope::default() };
    let outcome = repriced_in(&lake, &prices, scope, MEMORY).await;
    assert_eq!((outcome.written, outcome.left.without_price), (1, 0), "{outcome:?}");
    let changes: Vec<_> = outcome.changes.iter().collect();
    assert_eq!((changes[0].0, changes[0].1, changes[0].2.units), (ACME, Some("other"), 10_000_000));
    let outcome = repriced_in(&lake, &prices, RepriceScope::default(), MEMORY).await;
    assert_eq!((outcome.written, outcome.left.without_price), (0, 2), "{outcome:?}");
    assert_eq!(net(&shown(&lake).await), 10_000_000);
    verified(&lake.store).await;
}

/// A request that fails, one that is answered by an error and has an effect, and a process that dies: at
/// each of its requests.
#[tokio::test(start_paused = true)]
async fn a_run_that_fails_anywhere_goes_on_when_it_is_run_again() {
    let faults = [Fault::FailBefore, Fault::FailAfter, Fault::CrashBefore, Fault::CrashAfter];
    let mut nth = 0;
    loop {
        let inner = memory();
        let lake = Lake::open(&inner).await;
        for day in 1..3 {
            let events = (1..8).map(|n| bare(&format!("{day}-{n}"), n).at(NOON - day * DAY));
            lake.add(ACME, &events.collect::<Vec<_>>()).await;
        }
        let before = shown(&lake).await;
        let (met, fault) = (AtomicUsize::new(0), faults[nth % faults.len()]);
        let reached = Arc::new(AtomicBool::new(false));
        let (begun, seen) = (Arc::new(AtomicBool::new(false)), reached.clone());
        let counts = begun.clone();
        let store: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), move |_| {
            let is_it = counts.load(Ordering::SeqCst) && met.fetch_add(1, Ordering::SeqCst) == nth;
            seen.fetch_or(is_it, Ordering::SeqCst);
            is_it.then_some(fault)
        });
        let hit = Lake::open(&store).await;
        begun.store(true, Ordering::SeqCst);
        let first = repriced_in(&hit, &table("t", 3), RepriceScope::default(), MEMORY).await;
        begun.store(false, Ordering::SeqCst);
        let last = repriced_in(&lake, &table("t", 3), RepriceScope::default(), MEMORY).await;
        assert!(last.error.is_none(), "{last:?}");
        // What it told of commits is true, even if it did not come to its end.
        assert!(first.written + last.written <= 14, "{nth}: {first:?} {last:?}");
        let after = shown(&lake).await;
        assert_eq!((net(&after), unpriced(&after)), (3 * 2 * 28, 0), "{nth}: {first:?}");
        assert_no_counter_fell(&before, &after);
        assert_eq!(verified(&inner).await, 28);
        if !reached.load(Ordering::SeqCst) {
            assert!(nth > 10 && first.error.is_none(), "{nth}: {first:?}");
            return;
        }
        nth += 1;
    }
}

/// A dry run tells what the run does, and puts no object.
#[tokio::test]
async fn a_dry_run_tells_the_same_and_writes_nothing() {
    let lake = Lake::at(NOON).await;
    let models = (1..40).map(|n| bare(&format!("e{n}"), n).model(["A", "b"][n as usize % 2]));
    lake.add(ACME, &models.collect::<Vec<_>>()).await;
    let (prices, engine) = (table("t", 7), lake.engine());
    let before = paths(&lake.store, "").await;
    let repricing = Repricing {
        archive: lake.app.archive(),
        engine: &engine,
        prices: &prices,
        clock: &*lake.clock,
        scope: RepriceScope::default(),
        dry_run: true,
        memory_bytes: MEMORY,
    };
    let told = reprice(&repricing, std::future::pending(), |_| ()).await;
    assert_eq!(paths(&lake.store, "").await, before);
    assert_eq!((told.written, told.changes.total().events), (0, 39));
    let done = repriced_in(&lake, &prices, RepriceScope::default(), MEMORY).await;
    assert_eq!(done.changes, told.changes);
    // One that is told to stop before it begins changes nothing.
    let again = Repricing { dry_run: false, scope: all(), ..repricing };
    let stopped = reprice(&again, std::future::ready(()), |_| ()).await;
    assert!(stopped.stopped && stopped.written == 0, "{stopped:?}");
}

/// Files that are merged and deleted between two looks are no damage.
#[tokio::test]
async fn a_run_beside_a_compaction_reads_the_new_files() {
    let lake = Lake::at(NOON).await;
    let (other, prices) = (lake.replica(MEMORY).await, table("t", 3));
    for n in 1..40 {
        lake.add(ACME, &[bare(&format!("e{n}"), n)]).await;
    }
    let compacts = async {
        let old: Vec<_> = other.snapshot().await.files().cloned().collect();
        let mut compactor = other.app.compactor(CompactSettings::default());
        compactor.compact(0, |_| ()).await.unwrap();
        let newest = other.snapshot().await;
        let gone: Vec<_> = old.into_iter().filter(|file| !newest.is_live(file)).collect();
        assert!(!gone.is_empty());
        delete(&other, &gone).await;
    };
    let (outcome, ()) =
        tokio::join!(repriced_in(&lake, &prices, RepriceScope::default(), MEMORY), compacts);
    assert!(outcome.error.is_none(), "{outcome:?}");
    assert_eq!(outcome.changes.total().events, outcome.written, "{outcome:?}");
    assert_eq!(repriced(&lake, &prices, all()).await, (39 - outcome.written, 0));
    // By another program: unsorted, without sums, and to be judged before it is read.
    for date in dates(&lake).await {
        rewrite(&lake, date, 3).await;
    }
    assert_eq!(repriced(&lake, &prices, all()).await, (0, 0));
    assert_eq!(repriced(&lake, &table("u", 4), all()).await, (39, 0));
    let after = shown(&lake).await;
    assert_eq!((net(&after), unpriced(&after)), ((1..40).sum::<i128>() * 4, 0));
    assert_eq!(verified(&lake.store).await, 3 * 39);
}

//! Laws: the sum over the values of a dimension, plus the events without it, is the core, whatever
//! happens to the files; and counters never fall.

use std::collections::BTreeMap;

use tokenlake::access::{BoundTo, Caller, Scopes};
use tokenlake::app::BodyForm;
use tokenlake::archive::Declared;
use tokenlake::clock::{DAY, HOUR, SECOND};
use tokenlake::event::{Dimension, OrgId};
use tokenlake::exposition::{Coding, Collect, MetricsFormat};

use crate::support::event::{ACME, Event, NOON};
use crate::support::exact;
use crate::support::lake::{Lake, verified};
use crate::support::scrape::{Series, assert_no_counter_fell, parse};
use crate::support::store::memory;

const GROUPS: [&str; 2] = ["core", "dimensions"];

pub async fn declare(app: &Lake, name: &str) {
    let new = Dimension::new(name, None, name).unwrap();
    let declared = app.app.archive().declare(|known| known.with(new.clone())).await.unwrap();
    assert!(matches!(declared, Declared::At(_)), "{declared:?}");
}

pub async fn shown(app: &Lake) -> Series {
    parse(&app.scrape_as(ACME, &GROUPS, MetricsFormat::Text004).await)
}

/// What each family of parts comes to.
fn sums(series: &Series) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for (name, value) in series {
        let family = name.split('{').next().unwrap().replace("llm_dimension_", "llm_");
        let kind = if name.starts_with("llm_dimension_") { "parts" } else { "core" };
        *sums.entry(format!("{kind} {family}")).or_default() += exact::parse(value);
    }
    sums
}

/// Every event has a team, so that parts and core are equal.
pub fn assert_law(series: &Series) {
    let sums = sums(series);
    for family in
        ["llm_requests_total", "llm_tokens_total", "llm_cost_usd_total", "llm_cost_usd_rolling_24h"]
    {
        let [parts, core] = ["parts", "core"].map(|kind| sums.get(&format!("{kind} {family}")));
        assert_eq!(parts, core, "{family}: {series:?}");
    }
}

fn team_event(id: usize) -> Event {
    let ts = NOON - (id as i64 % 40) * HOUR - (id as i64 % 7) * SECOND;
    let model = ["a", "b"][id % 2];
    let cost = ["0.5", "0.25", "1.75"][id % 3];
    Event::new(id).at(ts).model(model).cost(cost).team(&format!("t{}", id % 5))
}

#[tokio::test]
async fn parts_add_up_to_the_core_over_windows_checkpoints_and_restarts() {
    let store = memory();
    let app = Lake::open(&store).await;
    let mut before = Series::new();
    for round in 0..6 {
        let events: Vec<_> = (round * 20..round * 20 + 20).map(team_event).collect();
        app.sent(&events).await;
        if round == 2 {
            declare(&app, "team").await;
        }
        if round < 2 {
            continue;
        }
        app.clock.set(NOON + round as i64 * 17 * 60 * SECOND + 3);
        let series = shown(&app).await;
        assert_law(&series);
        assert_no_counter_fell(&before, &series);
        before = series;
        if round == 4 {
            app.snapshot_totals().await;
        }
        let cold = Lake::open(&store).await;
        cold.clock.set(NOON + round as i64 * 17 * 60 * SECOND + 3);
        assert_eq!(shown(&cold).await, before);
    }
    verified(&store).await;
}

#[tokio::test]
async fn parts_stay_when_their_events_expire() {
    let store = memory();
    let app = Lake::open(&store).await;
    declare(&app, "team").await;
    let old = |id: usize| team_event(id).at(NOON - 30 * DAY + id as i64 * SECOND);
    app.sent(&(0..10).map(old).collect::<Vec<_>>()).await;
    app.sent(&(10..20).map(team_event).collect::<Vec<_>>()).await;
    let before = shown(&app).await;
    assert_law(&before);
    assert!(app.expire(10).await.unwrap().events > 0);
    assert_eq!(shown(&app).await, before);
    let cold = Lake::open(&store).await;
    assert_eq!(shown(&cold).await, before);
    verified(&store).await;
    // What is declared after that counts as without what has expired.
    declare(&app, "note").await;
    cold.app.archive().newest().await.unwrap();
    let team = |series: &Series| {
        let of = series.iter().filter(|(name, _)| name.contains("dimension=\"team\""));
        of.map(|(name, value)| (name.clone(), value.clone())).collect::<Series>()
    };
    assert_eq!(team(&shown(&cold).await), team(&before));
}

/// A bound key's numbers are those of an organisation that had only its events.
#[tokio::test]
async fn a_part_is_shown_as_an_organisation_of_its_own() {
    let (whole, alone) = (memory(), memory());
    let (app, other) = (Lake::open(&whole).await, Lake::open(&alone).await);
    declare(&app, "team").await;
    let events: Vec<_> = (0..90).map(team_event).collect();
    let own: Vec<_> = events.iter().filter(|event| event.team.as_deref() == Some("t1")).collect();
    for events in events.chunks(30) {
        app.sent(events).await;
    }
    for events in own.chunks(7) {
        other.sent(&events.iter().map(|event| (*event).clone()).collect::<Vec<_>>()).await;
    }
    let bound = BoundTo { dimension: "team".into(), value: "t1".into() };
    let caller = Caller {
        org_id: OrgId::parse(ACME).unwrap(),
        scopes: Scopes::or_usual(Vec::new()),
        bound: Some(bound),
    };
    let form = BodyForm {
        collect: Collect::parse(["core", "tokens", "pricing"].into_iter()).unwrap(),
        format: MetricsFormat::Text004,
        coding: Coding::Identity,
    };
    for step in 0..12 {
        let now = NOON + step * 37 * 60 * SECOND + step;
        app.clock.set(now);
        other.clock.set(now);
        let body = app.app.scrape(&caller, form, app.app.now()).await.unwrap();
        let body = String::from_utf8(body.into()).unwrap();
        let groups = ["core", "tokens", "pricing"];
        let expected = other.scrape_as(ACME, &groups, MetricsFormat::Text004).await;
        assert_eq!(body, expected, "step {step}");
    }
}

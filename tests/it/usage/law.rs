//! The law: for any range, step, zone and groups, usage is what plain SQL over the rows says, whatever
//! happened to the files.

use std::sync::Arc;

use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokenlake::access::{BoundTo, Caller, Scope, Scopes};
use tokenlake::app::UsageForm;
use tokenlake::archive::Declared;
use tokenlake::clock::{HOUR, ManualClock, Micros, SECOND};
use tokenlake::event::{Dimension, OrgId};
use tokenlake::exposition::Coding;
use tokenlake::ingest::ContentKind;
use tokenlake::sql::RowFormat;
use tokenlake::usage::{AskedUsage, UsageQuestion};

use super::calendar;
use super::rows::{Question, expected, rows};
use crate::support::lake::{CACHE_BYTES_MAX, Lake, caller};
use crate::support::rewrite::{dates, rewrite};
use crate::support::store::memory;

/// 2026-12-01T00:00:00Z.
const NOW: Micros = 1_796_083_200 * SECOND;
/// Around which events lie: changes of clocks in New York, Lord Howe and Chatham, and today.
const PLACES: [Micros; 5] = [
    1_772_953_200 * SECOND, // 2026-03-08T07:00:00Z
    1_775_314_800 * SECOND, // 2026-04-04T15:00:00Z
    1_791_039_600 * SECOND, // 2026-10-03T15:00:00Z
    1_793_512_800 * SECOND, // 2026-11-01T06:00:00Z
    NOW - 3 * HOUR,
];
const ZONES: [Tz; 6] = [
    Tz::UTC,
    Tz::Asia__Kolkata,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Pacific__Chatham,
    Tz::America__Sao_Paulo,
];
const STEPS: [&str; 5] = ["total", "hour", "day", "week", "month"];
const GROUPS: [&[&str]; 6] =
    [&[], &["provider"], &["model"], &["provider", "model"], &["team"], &["team", "model"]];

/// An event that is sent.
#[derive(Debug, Clone)]
struct Draft {
    ts: Micros,
    provider: Option<&'static str>,
    model: Option<&'static str>,
    team: Option<&'static str>,
    cost: Option<&'static str>,
    /// A correction, which may be below 0, and of a call without a price.
    corrects: Option<bool>,
}

/// At the edges of hours and half hours, and between them.
fn ts() -> impl Strategy<Value = Micros> {
    let offset = prop_oneof![Just(0), Just(-1), Just(1), 0..HOUR / 4];
    (select(&PLACES[..]), -120_i64..12, offset)
        .prop_map(|(place, quarters, offset)| place + quarters * (HOUR / 4) + offset)
}

fn draft() -> impl Strategy<Value = Draft> {
    let names = (
        select(&[Some("OpenAI"), Some("anthropic"), Some(" unknown "), None][..]),
        select(&[Some("A"), Some("a"), Some("b"), None][..]),
        select(&[Some("core"), Some(" ops "), Some(" "), None][..]),
    );
    let costs = select(&[Some("0.5"), Some("0.000000000001"), Some("0"), None][..]);
    let corrects = prop_oneof![8 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (ts(), names, costs, corrects).prop_map(|(ts, (provider, model, team), cost, corrects)| {
        let cost = match corrects {
            Some(true) => cost.or(Some("0.25")),
            Some(false) => Some("-0.125"),
            None => cost,
        };
        Draft { ts, provider, model, team, cost, corrects }
    })
}

fn line(id: usize, draft: &Draft) -> String {
    let Draft { ts, provider, model, team, cost, corrects } = draft;
    let mut event = json!({
        "event_id": id.to_string(), "ts": ts, "provider": provider, "model": model,
        "cost_usd": cost, "attributes": { "team": team, "note": "x" },
    });
    match corrects {
        None => {
            event["input_tokens"] = (id % 97 + 10).into();
            event["output_tokens"] = (id % 13 + 3).into();
            event["cached_input_tokens"] = id.is_multiple_of(3).then_some(id % 7).into();
            event["cache_write_tokens"] = id.is_multiple_of(5).then_some(2).into();
            event["reasoning_tokens"] = id.is_multiple_of(2).then_some(3).into();
        }
        Some(was_unpriced) => {
            event["event_type"] = "cost_correction".into();
            event["attributes"]["corrects"] = "0".into();
            event["attributes"]["was_unpriced"] = was_unpriced.to_string().into();
        }
    }
    event.to_string()
}

fn question() -> impl Strategy<Value = Question> {
    let ends = prop_oneof![
        Just((PLACES[0] - 400 * HOUR, NOW)),
        (ts(), ts()).prop_map(|(one, other)| (one.min(other), one.max(other))),
    ];
    (ends, select(&STEPS[..]), select(&ZONES[..]), select(&GROUPS[..])).prop_map(
        |(range, step, zone, groups)| Question { range, step, zone, groups: groups.to_vec() },
    )
}

/// What happens to the archive between two batches.
#[derive(Debug, Clone, Copy)]
enum Act {
    Nothing,
    Declare,
    Rewrite,
    Expire,
    Restart,
}

/// Rows of an answer.
pub async fn usage(lake: &Lake, caller: &Caller, question: &Question) -> Vec<Value> {
    let [from, to] = [question.range.0, question.range.1].map(|at| calendar::text(Tz::UTC, at));
    let groups = question.groups.join(",");
    let asked = AskedUsage {
        from: Some(&from),
        to: Some(&to),
        step: Some(question.step),
        timezone: Some(question.zone.name()),
        group_by: Some(&groups),
    };
    let ask = UsageQuestion::read(asked, NOW).unwrap();
    let form = UsageForm { format: RowFormat::Json, coding: Coding::Identity };
    let mut answer = lake.app.usage(caller, &ask, form).await.unwrap();
    let mut body = Vec::new();
    while let Some(part) = answer.next().await.unwrap() {
        body.extend_from_slice(&part);
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["version"], lake.snapshot().await.version());
    body["rows"].as_array().unwrap().clone()
}

async fn send(lake: &Lake, first: usize, drafts: &[Draft]) {
    let scopes = Scopes::of(Scope::ALL.to_vec());
    let caller = Caller { scopes, ..caller("acme") };
    let lines = (first..).zip(drafts).map(|(id, draft)| line(id, draft));
    let body = lines.collect::<Vec<_>>().join("\n");
    let decoded = lake.app.decode(&caller, &ContentKind::Ndjson, body.as_bytes()).unwrap();
    let floor = |error: &str| error.contains("expired") || error.contains("floor");
    let receipt = lake.app.commit(&caller.org_id, decoded).await.unwrap();
    assert!(receipt.rejected.iter().all(|rejected| floor(&rejected.error)), "{receipt:?}");
    // A neighbour, whose numbers are in the same files.
    let other = drafts.first().map(|draft| line(first, draft)).unwrap_or_default();
    let org_id = OrgId::parse("acmf").unwrap();
    let decoded = lake.app.decode(&org_id, &ContentKind::Ndjson, other.as_bytes()).unwrap();
    lake.app.commit(&org_id, decoded).await.unwrap();
}

async fn declare(lake: &Lake) {
    let team = Dimension::new("team", None, "1").unwrap();
    let declared = lake.app.archive().declare(|known| known.with(team.clone())).await.unwrap();
    assert!(!matches!(declared, Declared::Refused(_)), "{declared:?}");
}

async fn act(lake: Lake, act: Act, cache: usize) -> Lake {
    match act {
        Act::Nothing => {}
        Act::Declare => declare(&lake).await,
        Act::Rewrite => {
            for date in dates(&lake).await.into_iter().step_by(2) {
                rewrite(&lake, date, 2).await;
            }
        }
        Act::Expire => drop(lake.expire(230).await.unwrap()),
        Act::Restart => return lake.replica(cache).await,
    }
    lake
}

async fn holds(batches: &[(Vec<Draft>, Act)], questions: &[Question], cache: usize) {
    let mut lake = Lake::on(memory(), Arc::new(ManualClock::at(NOW)), cache).await;
    let mut first = 0;
    for (drafts, what) in batches {
        send(&lake, first, drafts).await;
        first += drafts.len();
        lake = act(lake, *what, cache).await;
        if matches!(what, Act::Declare) {
            first += 1;
        }
        let declared = !lake.snapshot().await.table().dimensions.is_empty();
        let rows = rows(&lake).await;
        for question in questions {
            if declared || !question.groups.contains(&"team") {
                let found = usage(&lake, &caller("acme"), question).await;
                assert_eq!(found, expected(&rows, question), "{question:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn usage_is_what_sql_over_the_rows_says(
        batches in prop::collection::vec(
            (
                prop::collection::vec(draft(), 1..40),
                select(&[Act::Nothing, Act::Declare, Act::Declare, Act::Rewrite, Act::Expire, Act::Restart][..]),
            ),
            1..5,
        ),
        questions in prop::collection::vec(question(), 1..8),
        cache in select(&[CACHE_BYTES_MAX, 0][..]),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(holds(&batches, &questions, cache));
    }
}

/// A bound key's usage is that of an organisation that had only its events.
#[tokio::test]
async fn a_part_has_the_usage_of_its_own_events() {
    let [whole, alone] = [memory(), memory()];
    let clock = Arc::new(ManualClock::at(NOW));
    let lake = Lake::on(whole, clock.clone(), CACHE_BYTES_MAX).await;
    let other = Lake::on(alone, clock, CACHE_BYTES_MAX).await;
    declare(&lake).await;
    declare(&other).await;
    let drafts: Vec<_> = (0..120_i64)
        .map(|nth| Draft {
            ts: PLACES[usize::try_from(nth % 5).unwrap()] - nth * 977 * SECOND,
            provider: Some("openai"),
            model: [Some("a"), Some("b"), None][usize::try_from(nth % 3).unwrap()],
            team: [Some("core"), Some("ops"), None][usize::try_from(nth / 7 % 3).unwrap()],
            cost: (nth % 4 > 0).then_some("0.5"),
            corrects: (nth % 11 == 0 && nth % 4 > 0).then_some(false),
        })
        .collect();
    send(&lake, 0, &drafts).await;
    for (id, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.team == Some("core")) {
        send(&other, id, std::slice::from_ref(draft)).await;
    }
    let bound = Some(BoundTo { dimension: "team".into(), value: "core".into() });
    let bound = Caller { bound, ..caller("acme") };
    for step in STEPS {
        for groups in GROUPS {
            for zone in ZONES {
                let range = (PLACES[0] - 1000 * HOUR - 5, NOW - 77);
                let question = Question { range, step, zone, groups: groups.to_vec() };
                let found = usage(&lake, &bound, &question).await;
                assert!(!found.is_empty());
                assert_eq!(found, usage(&other, &caller("acme"), &question).await, "{question:?}");
            }
        }
    }
}

/// Files with many values carry no cells of them: usage is made of their rows.
#[tokio::test]
async fn usage_of_many_values_is_what_sql_over_the_rows_says() {
    let lake = Lake::on(memory(), Arc::new(ManualClock::at(NOW)), CACHE_BYTES_MAX).await;
    declare(&lake).await;
    let teams: Vec<&'static str> = (0..400).map(|team| &*format!("t{team}").leak()).collect();
    let draft = |nth: usize| Draft {
        ts: NOW - 12 * HOUR - (nth as i64 * 7_919 * SECOND) % (11 * HOUR),
        provider: Some("openai"),
        model: [Some("a"), Some("B"), None][nth % 3],
        team: (!nth.is_multiple_of(7)).then_some(teams[nth / 3 % teams.len()]),
        cost: (!nth.is_multiple_of(4)).then_some("0.5"),
        corrects: (nth % 44 == 11).then_some(true),
    };
    send(&lake, 0, &(0..9_000).map(draft).collect::<Vec<_>>()).await;
    send(&lake, 20_000, &(9_000..9_100).map(draft).collect::<Vec<_>>()).await;
    let rows = rows(&lake).await;
    for lake in [&lake, &lake.replica(0).await] {
        for (step, zone) in [("total", Tz::UTC), ("hour", Tz::Asia__Kolkata), ("day", ZONES[4])] {
            let range = (NOW - 23 * HOUR + 5, NOW - 13 * HOUR - 77);
            let question = Question { range, step, zone, groups: vec!["team", "model"] };
            let found = usage(lake, &caller("acme"), &question).await;
            assert_eq!(found, expected(&rows, &question), "{question:?}");
        }
    }
}

//! Tests of the same event again: in the request, later, after a restart, on another server, on the
//! next date.

use tokenlake::clock::{DAY, SECOND};

use crate::support::event::{ACME, Event, NOON, events, requests, value};
use crate::support::lake::{Lake, verified};
use crate::support::store::memory;

/// The one that began the day before [`NOON`].
const MIDNIGHT: i64 = NOON - DAY / 2 - DAY;

#[tokio::test]
async fn a_repeat_is_found_in_the_request_later_after_reopening_and_elsewhere() {
    let store = memory();
    let app = Lake::open(&store).await;
    let twice: Vec<_> = events([1, 2, 1, 2, 2]);
    assert_eq!(app.sent(&twice).await, (2, 3));
    assert_eq!(app.sent(&events([2, 3])).await, (1, 1));
    let elsewhere = Lake::open(&store).await;
    assert_eq!(elsewhere.sent(&events([1, 3, 4])).await, (1, 2));
    // The first one has to look again for what another wrote meanwhile.
    assert_eq!(app.sent(&events([1, 2, 3, 4])).await, (0, 4));
    drop(app);
    let reopened = Lake::open(&store).await;
    assert_eq!(reopened.sent(&events([1, 2, 3, 4, 5])).await, (1, 4));
    assert_eq!(reopened.requests().await, 5);
    assert_eq!(verified(&store).await, 5);
}

#[tokio::test]
async fn an_id_belongs_to_its_organisation() {
    let app = Lake::open(&memory()).await;
    assert_eq!(app.sent(&events(0..3)).await, (3, 0));
    let other = app.send("umbrella", &events(1..5)).await.unwrap();
    assert_eq!((other.accepted, other.duplicates), (4, 0));
    let again = app.send("umbrella", &events(0..5)).await.unwrap();
    assert_eq!((again.accepted, again.duplicates), (1, 4));
    assert_eq!(app.requests().await, 3);
    assert_eq!(requests(&app.scrape("umbrella").await), 5);
}

#[tokio::test]
async fn an_event_sent_again_over_midnight_is_the_same_event() {
    for reopen in [false, true] {
        for (first, then) in [(-1, 1), (1, -1), (-1, DAY - 1), (0, -DAY)] {
            let store = memory();
            let mut app = Lake::open(&store).await;
            let event = Event::new("x");
            assert_eq!(app.sent(&[event.clone().at(MIDNIGHT + first)]).await, (1, 0));
            if reopen {
                app = Lake::open(&store).await;
            }
            let moved = app.sent(&[event.at(MIDNIGHT + then)]).await;
            assert_eq!(moved, (0, 1), "from {first} to {then}, reopened: {reopen}");
            assert_eq!(app.requests().await, 1);
        }
    }
}

#[tokio::test]
async fn two_dates_apart_it_is_another_event() {
    let store = memory();
    let app = Lake::open(&store).await;
    let day = |days: i64| Event::new("x").at(NOON - SECOND - days * DAY);
    assert_eq!(app.sent(&[day(4)]).await, (1, 0));
    assert_eq!(app.sent(&[day(2)]).await, (1, 0));
    // The date between has both as neighbours.
    assert_eq!(app.sent(&[day(3)]).await, (0, 1));
    // In one request too.
    assert_eq!(app.sent(&[day(12), day(11), day(10)]).await, (2, 1));
    assert_eq!(app.requests().await, 4);
}

#[tokio::test]
async fn the_first_one_stands() {
    let store = memory();
    let app = Lake::open(&store).await;
    let first = Event::new("x").model("first").cost("0.1");
    let second = Event::new("x").model("second").cost("7");
    assert_eq!(app.sent(&[first, second.clone()]).await, (1, 1));
    assert_eq!(app.sent(std::slice::from_ref(&second)).await, (0, 1));
    assert_eq!(Lake::open(&store).await.sent(&[second]).await, (0, 1));
    let text = app.scrape(ACME).await;
    let labels = r#"{provider="openai",model="first",org_id="acme"}"#;
    assert_eq!(value(&text, &format!("llm_cost_usd_total{labels}")), "0.1");
    assert_eq!(value(&text, &format!("llm_tokens_total{labels}")), "7");
    assert_eq!(value(&text, r#"llm_cost_usd_rolling_24h{org_id="acme"}"#), "0.1");
    assert!(!text.contains("second"), "{text}");
}

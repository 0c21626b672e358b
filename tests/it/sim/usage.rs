//! What usage tells by day: each event that has not expired, once, on its date.

use serde_json::Value;
use tokenlake::app::UsageForm;
use tokenlake::clock::DAY;
use tokenlake::event::time::from_text;
use tokenlake::exposition::Coding;
use tokenlake::sql::RowFormat;
use tokenlake::usage::{AskedUsage, UsageQuestion};

use super::book::{Events, ORGS, numbers};
use super::history::Scene;
use super::host::Process;
use crate::support::exact;
use crate::support::lake::caller;

/// Whose dates cut hours of UTC; its clock never changes.
const ZONE: &str = "Asia/Kolkata";

/// Compares what a process tells of an organisation with the events that its scrape shows.
pub async fn told(scene: &Scene, process: &Process, org: usize, shown: Events) {
    let asked = AskedUsage {
        from: Some("2015-01-01"),
        to: Some("2100-01-01"),
        step: Some("day"),
        timezone: Some(ZONE),
        group_by: Some("model"),
    };
    let question = UsageQuestion::read(asked, process.app.now()).unwrap();
    let form = UsageForm { format: RowFormat::Json, coding: Coding::Identity };
    let mut answer = process.app.usage(&caller(ORGS[org]), &question, form).await.unwrap();
    let mut body = Vec::new();
    while let Some(part) = answer.next().await.unwrap() {
        body.extend_from_slice(&part);
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut told: Events = 0;
    for row in body["rows"].as_array().unwrap() {
        let net = exact::parse(row["cost_usd"].as_str().unwrap());
        let (events, calls) = scene.book.in_net(org, net);
        assert_eq!(row["requests"], calls, "{row}");
        let start = from_text(row["start"].as_str().unwrap()).unwrap();
        let of_date = scene.book.since(org, start) & !scene.book.since(org, start + DAY);
        assert_eq!(events & !of_date, 0, "{row} has what is not of its date");
        assert_eq!(told & events, 0, "{row} tells again what is told");
        told |= events;
    }
    let kept = scene.book.since(org, scene.highest_floor());
    assert_eq!(told & !shown, 0, "usage has what no scrape shows");
    let missing = shown & kept & !scene.book.taken(org) & !told;
    assert_eq!(missing, 0, "usage lacks {:?}: {body}", numbers(missing));
}

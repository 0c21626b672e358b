//! Tests that the same requests have the same outcome with any amount of memory for known ids.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use proptest::prelude::*;
use tokenlake::app::AppSettings;
use tokenlake::archive::WriterSettings;
use tokenlake::clock::DAY;

use crate::support::event::{Event, NOON};
use crate::support::foreign::{live, rewrite};
use crate::support::lake::{Lake, settings};
use crate::support::store::memory;

/// What happens to the archive.
#[derive(Clone, Debug)]
enum Step {
    /// A request through one of two processes: organisation, and events by id and days ago.
    Send { writer: usize, org: usize, events: Vec<(u8, i64)> },
    /// Another program rewrites every file: no tags, no filters in the log.
    Rewrite,
}

/// Accepted and duplicates of each request.
type Outcomes = Vec<(usize, usize)>;

const ORGS: [&str; 2] = ["acme", "umbrella"];

fn step() -> impl Strategy<Value = Step> {
    let events = prop::collection::vec((0..24_u8, 0..6_i64), 1..12);
    let send = (0..2_usize, 0..ORGS.len(), events);
    let send = send.prop_map(|(writer, org, events)| Step::Send { writer, org, events });
    prop_oneof![8 => send, 1 => Just(Step::Rewrite)]
}

/// The rule itself: an event stands if it stands on its date or on a neighbour of it, looked for
/// in its request first and then in the archive.
fn by_the_rule(steps: &[Step]) -> (Outcomes, u64) {
    let mut stands = BTreeSet::new();
    let mut outcomes = Vec::new();
    for step in steps {
        let Step::Send { org, events, .. } = step else { continue };
        let near = |known: &BTreeSet<(usize, u8, i64)>, (id, day): (u8, i64)| {
            (day - 1..=day + 1).any(|date| known.contains(&(*org, id, date)))
        };
        let mut request = BTreeSet::new();
        for event in events {
            if !near(&request, *event) {
                request.insert((*org, event.0, event.1));
            }
        }
        request.retain(|(_, id, day)| !near(&stands, (*id, *day)));
        outcomes.push((request.len(), events.len() - request.len()));
        stands.append(&mut request);
    }
    (outcomes, stands.len() as u64)
}

fn with_memory(dedupe_bytes_max: usize) -> AppSettings {
    AppSettings {
        writer: WriterSettings { dedupe_bytes_max, ..WriterSettings::default() },
        ..settings()
    }
}

async fn run(steps: &[Step], dedupe_bytes_max: usize) -> (Outcomes, u64) {
    let store: Arc<dyn ObjectStore> = memory();
    let open = || Lake::try_open(&store, with_memory(dedupe_bytes_max));
    let writers = [open().await.unwrap(), open().await.unwrap()];
    let mut outcomes = Vec::new();
    for step in steps {
        match step {
            Step::Send { writer, org, events } => {
                let at = |(id, day): &(u8, i64)| Event::new(id).at(NOON - day * DAY);
                let events: Vec<_> = events.iter().map(at).collect();
                let receipt = writers[*writer].send(ORGS[*org], &events).await.unwrap();
                outcomes.push((receipt.accepted, receipt.duplicates));
            }
            Step::Rewrite => drop(rewrite(&store).await),
        }
    }
    let rows = live(&store).await.1.iter().map(|file| file.rows).sum();
    (outcomes, rows)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_for_ids_changes_no_outcome(steps in prop::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let expected = by_the_rule(&steps);
        // None; a file or two; most of a run but not all; all.
        for bytes in [0, 400, 3_000, 512 << 20] {
            let found = runtime.block_on(run(&steps, bytes));
            prop_assert_eq!(&found, &expected, "with {} bytes", bytes);
        }
    }
}

#[tokio::test]
async fn without_memory_the_files_are_asked_and_with_it_they_are_not() {
    const READS: &str = "tokenlake_dedupe_file_reads_total";
    let store = memory();
    let with = Lake::try_open(&store, with_memory(1 << 20)).await.unwrap();
    let without = Lake::try_open(&memory(), with_memory(0)).await.unwrap();
    for app in [&with, &without] {
        let events: Vec<_> = (0..10).map(Event::new).collect();
        for sent in [(10, 0), (0, 10), (0, 10), (0, 10)] {
            assert_eq!(app.sent(&events).await, sent);
        }
    }
    assert_eq!(with.telemetry(READS), 0, "what this process wrote it knows");
    // The first repeat still met the ids of the commit before it.
    assert_eq!(without.telemetry(READS), 2);
    assert_eq!(without.telemetry("tokenlake_dedupe_bytes"), 0);
}

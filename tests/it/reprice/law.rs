//! The law: after any history, each call costs what the last reprice of it said, on each replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use proptest::prelude::*;
use tokenlake::clock::{DAY, ManualClock};
use tokenlake::maintain::compact::CompactSettings;
use tokenlake::reprice::RepriceScope;

use super::{all, bare, net, repriced_in, shown, sum, table, unpriced};
use crate::support::event::{ACME, Event, NOON};
use crate::support::exact;
use crate::support::lake::{Lake, verified};
use crate::support::rewrite::{dates, rewrite};
use crate::support::scrape::{Series, assert_no_counter_fell};

const REPLICAS: usize = 2;
const CACHES: [usize; REPLICAS] = [1 << 20, 0];

#[derive(Debug, Clone)]
enum Step {
    /// Calls: days ago, tokens, and whether a cost comes with them.
    Send(Vec<(i64, u64, bool)>),
    /// By the table of this price, of all or of those without a price; for one model or both.
    Reprice {
        replica: usize,
        units: i64,
        all: bool,
        model: Option<usize>,
        memory: usize,
    },
    Compact,
    Rewrite(usize),
    Expire(u64),
    Snapshot,
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let call = (0..9_i64, 0..50_u64, prop::bool::weighted(0.2));
    let model = prop::option::weighted(0.3, 0..2_usize);
    let reprice =
        (0..REPLICAS, 0..5_i64, any::<bool>(), model, prop::sample::select(vec![1, 1 << 20]))
            .prop_map(|(replica, units, all, model, memory)| Step::Reprice {
                replica,
                units,
                all,
                model,
                memory,
            });
    prop_oneof![
        4 => prop::collection::vec(call, 1..6).prop_map(Step::Send),
        5 => reprice,
        1 => Just(Step::Compact),
        1 => (1..4_usize).prop_map(Step::Rewrite),
        1 => (3..9_u64).prop_map(Step::Expire),
        1 => Just(Step::Snapshot),
        1 => (0..REPLICAS).prop_map(Step::Restart),
    ]
}

/// A call as the model knows it.
#[derive(Debug)]
struct Call {
    model: usize,
    days: i64,
    tokens: u64,
    /// In 10^-12 dollars; none without a price.
    cost: Option<i128>,
    is_reported: bool,
}

struct World {
    replicas: Vec<Lake>,
    calls: BTreeMap<usize, Call>,
    /// Days ago, from which on calls have expired.
    kept_days: i64,
    before: Series,
}

const MODELS: [&str; 2] = ["gpt-4o", "O3"];

impl World {
    async fn new() -> Self {
        let (store, clock) = (Arc::new(InMemory::new()), Arc::new(ManualClock::at(NOON)));
        let mut replicas = Vec::new();
        for bytes in CACHES {
            replicas.push(Lake::on(store.clone(), clock.clone(), bytes).await);
        }
        Self { replicas, calls: BTreeMap::new(), kept_days: i64::MAX, before: Series::new() }
    }

    async fn take(&mut self, step: &Step) {
        let first = &self.replicas[0];
        match step {
            Step::Send(calls) => self.send(calls).await,
            Step::Reprice { replica, units, all, model, memory } => {
                self.reprice((*replica, *memory), *units, *all, *model).await;
            }
            Step::Compact => {
                let mut compactor = first.app.compactor(CompactSettings::default());
                compactor.compact(0, |_| ()).await.unwrap();
            }
            Step::Rewrite(parts) => {
                for date in dates(first).await {
                    rewrite(first, date, *parts).await;
                }
            }
            Step::Expire(days) => {
                let expiry = first.expire(*days).await.unwrap();
                if expiry.floor.is_some() {
                    self.kept_days = self.kept_days.min(*days as i64);
                }
            }
            Step::Snapshot => first.snapshot_totals().await,
            Step::Restart(nth) => {
                let fresh = first.replica(CACHES[*nth]).await;
                self.replicas[*nth] = fresh;
            }
        }
    }

    async fn send(&mut self, calls: &[(i64, u64, bool)]) {
        let mut events = Vec::new();
        for (days, tokens, is_reported) in calls {
            if *days > self.kept_days {
                continue;
            }
            let id = self.calls.len();
            let model = id % 2;
            let event = bare(&format!("e{id}"), *tokens).at(NOON - days * DAY).model(MODELS[model]);
            let cost = is_reported.then_some(1_000_i128);
            let cost_text = cost.map(exact::format);
            events.push(Event { cost: cost_text, ..event });
            let call =
                Call { model, days: *days, tokens: *tokens, cost, is_reported: *is_reported };
            self.calls.insert(id, call);
        }
        if !events.is_empty() {
            self.replicas[self.calls.len() % REPLICAS].add(ACME, &events).await;
        }
    }

    async fn reprice(
        &mut self,
        (replica, memory): (usize, usize),
        units: i64,
        everything: bool,
        model: Option<usize>,
    ) {
        let scope = if everything { all() } else { RepriceScope::default() };
        let scope = RepriceScope { model: model.map(|at| MODELS[at].to_lowercase()), ..scope };
        let prices = table(&format!("t{units}"), units);
        let outcome = repriced_in(&self.replicas[replica], &prices, scope, memory).await;
        assert!(outcome.error.is_none(), "{outcome:?}");
        let (mut events, mut difference) = (0, 0);
        for call in self.calls.values_mut() {
            let is_due = call.cost.is_none() || everything && !call.is_reported;
            let is_asked = model.is_none_or(|model| model == call.model);
            if is_due && is_asked && call.days <= self.kept_days {
                let price = i128::from(call.tokens) * i128::from(units);
                if call.cost != Some(price) {
                    events += 1;
                    difference += price - call.cost.unwrap_or_default();
                }
                call.cost = Some(price);
            }
        }
        let total = outcome.changes.total();
        assert_eq!((total.events, total.units, outcome.written), (events, difference, events));
    }

    async fn check(&mut self) {
        let expected: i128 = self.calls.values().filter_map(|call| call.cost).sum();
        let bare = self.calls.values().filter(|call| call.cost.is_none()).count();
        for replica in &self.replicas {
            let series = shown(replica).await;
            assert_no_counter_fell(&self.before, &series);
            assert_eq!((net(&series), unpriced(&series)), (expected, bare as i128));
            let requests = sum(&series, "llm_requests_total") / exact::parse("1");
            assert_eq!(requests, self.calls.len() as i128);
            self.before = series;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.div_ceil(16),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_call_costs_what_the_last_reprice_said(steps in prop::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.take(step).await;
                world.check().await;
            }
            verified(&world.replicas[0].store).await;
        });
    }
}

//! The courier and its receivers: one that is set anew while it is tried, notes that are known, and
//! receivers that hang while others are told again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use object_store::memory::InMemory;
use parking_lot::Mutex;

use super::book::{Book, SharedReceiver};
use super::bucket::Bucket;
use crate::archive::Records;
use crate::budget::attempt::{Ending, TryOutcome};
use crate::budget::courier::{Courier, Delivery};
use crate::budget::crossing::tests::crossing;
use crate::budget::crossing::{Crossing, CrossingKey};
use crate::budget::crossings::Crossings;
use crate::budget::definition::{AskedBudget, DecimalText, Definition};
use crate::budget::evaluator::Evaluator;
use crate::budget::message::Message;
use crate::budget::store::BudgetStore;
use crate::budget::stored::{Budget, BudgetRecord};
use crate::budget::webhooks::Webhooks;
use crate::clock::{Clock as _, ManualClock, SECOND};
use crate::event::money::UNITS_PER_DOLLAR;

fn definition(url: &str, kind: &str) -> Definition {
    Definition::read(&AskedBudget {
        amount: DecimalText("100".to_owned()),
        period: "month".to_owned(),
        thresholds: vec![80],
        webhook: url.to_owned(),
        kind: Some(kind.to_owned()),
        ..AskedBudget::default()
    })
    .unwrap()
}

async fn set(store: &BudgetStore, org: &str, definition: &Definition, now: i64) {
    let set = |known: &BudgetRecord| Ok(known.set(definition, now));
    store.change(org, &"all".parse().unwrap(), set).await.unwrap();
}

const OLD: &str = "https://old.example.com/";
const NEW: &str = "https://new.example.com/";

/// The old receiver says that it is gone, after the budget got the new one.
#[derive(Debug)]
struct Moving {
    store: Arc<BudgetStore>,
    told: Mutex<Vec<String>>,
}

#[async_trait]
impl Webhooks for Moving {
    async fn send(&self, budget: &Budget, _: &Message) -> TryOutcome {
        let url = budget.definition.webhook.url().to_string();
        self.told.lock().push(url.clone());
        if url == OLD {
            set(&self.store, "acme", &definition(NEW, "generic"), 2).await;
            return TryOutcome::Gone;
        }
        TryOutcome::Taken
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_late_does_not_turn_the_next_one_off() {
    let store = Arc::new(BudgetStore::new(Records::new(Arc::new(InMemory::new()))));
    set(&store, "acme", &definition(OLD, "generic"), 1).await;
    let webhooks = Arc::new(Moving { store: store.clone(), told: Mutex::default() });
    let clock = Arc::new(ManualClock::at(1_794_700_800 * SECOND));
    let courier = Courier::new(store.clone(), webhooks.clone(), clock.clone());
    courier.take(Arc::new(Crossing { revision: 1, ..crossing() }));
    let deliver = async || {
        let due = courier.due();
        courier.deliver(&due[0]).await.unwrap()
    };
    assert_eq!(deliver().await, Delivery::Again);
    clock.set(clock.now() + 10 * SECOND);
    assert_eq!(deliver().await, Delivery::Ended(Ending::Delivered));
    assert_eq!(*webhooks.told.lock(), [OLD, NEW]);
    let newest = store.newest("acme", &"all".parse().unwrap()).await.unwrap();
    assert_eq!(newest.budget.unwrap().gone_at_us, None);
}

#[tokio::test]
async fn a_note_that_is_known_is_not_read_again() {
    let bucket = Arc::new(Bucket::new(Arc::new(InMemory::new()), 1));
    let store = Arc::new(BudgetStore::new(Records::new(bucket.clone())));
    let crossings = Crossings::new(store.records().clone());
    for threshold in 1..=20 {
        crossings.note(&Crossing { threshold, ..crossing() }).await.unwrap();
    }
    let clock = Arc::new(ManualClock::at(1_794_700_800 * SECOND));
    let courier = Courier::new(store, Arc::new(SharedReceiver::new(1)), clock);
    let asked = async || {
        bucket.fuel.store(1_000, Ordering::SeqCst);
        courier.look().await.unwrap();
        1_000 - bucket.fuel.load(Ordering::SeqCst)
    };
    assert_eq!(asked().await, 21);
    assert_eq!(asked().await, 1, "one listing");
}

/// The receiver of one organisation hangs when it is told again.
#[derive(Debug, Default)]
struct Hanging(Mutex<Vec<String>>);

#[async_trait]
impl Webhooks for Hanging {
    async fn send(&self, budget: &Budget, _: &Message) -> TryOutcome {
        let url = budget.definition.webhook.url().to_string();
        let tries = {
            let mut told = self.0.lock();
            told.push(url.clone());
            told.iter().filter(|known| **known == url).count()
        };
        if url == OLD && tries > 1 {
            std::future::pending::<()>().await;
        }
        TryOutcome::Taken
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_keeps_no_other_from_being_told_again() {
    let store = Arc::new(BudgetStore::new(Records::new(Arc::new(InMemory::new()))));
    let now = 1_794_700_800 * SECOND;
    set(&store, "acme", &definition(OLD, "alertmanager"), now).await;
    set(&store, "victim", &definition(NEW, "alertmanager"), now).await;
    let (book, webhooks) = (Book::default(), Arc::new(Hanging::default()));
    book.0.lock().add(now, 90 * UNITS_PER_DOLLAR);
    let clock = Arc::new(ManualClock::at(now + SECOND));
    let courier = Arc::new(Courier::new(store.clone(), webhooks.clone(), clock.clone()));
    let evaluator = Evaluator::new(store, Arc::new(book), courier.clone(), clock);
    evaluator.look().await.unwrap();
    for crossing in courier.due() {
        courier.deliver(&crossing).await.unwrap();
    }
    assert_eq!(webhooks.0.lock().len(), 2);
    let told = tokio::time::timeout(Duration::from_millis(500), evaluator.tell_again()).await;
    assert!(told.is_err(), "the one hangs");
    let to_new = webhooks.0.lock().iter().filter(|url| *url == NEW).count();
    assert_eq!(to_new, 2, "the other is told again");
}

#[tokio::test]
async fn a_damaged_note_is_about_what_was_put_after_it() {
    let objects = Arc::new(InMemory::new());
    let records = Records::new(objects.clone());
    let crossings = Crossings::new(records.clone());
    crossings.note(&crossing()).await.unwrap();
    crossings.put(&crossing()).await.unwrap();
    let open = crossings.open().await.unwrap();
    let note = &open[0].note;
    assert!(note.path.as_ref().contains(&CrossingKey::of(&crossing()).stem()));
    object_store::ObjectStoreExt::put(objects.as_ref(), &note.path, "{}".into()).await.unwrap();
    assert_eq!(crossings.noted(note).await.unwrap(), Some(crossing()));
}

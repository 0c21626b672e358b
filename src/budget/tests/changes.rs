//! Changes of budgets: other spellings, other parts, damage, limits, and changes at the same time.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::access::BoundTo;
use crate::archive::{Record, Records, budget_edition};
use crate::budget::definition::{AskedBudget, DecimalText, Definition};
use crate::budget::error::BudgetError;
use crate::budget::name::BudgetName;
use crate::budget::store::{BUDGETS_MAX, BudgetStore};
use crate::budget::stored::BudgetRecord;
use crate::error::Kind;
use crate::event::OrgId;

fn definition(amount: &str, part: Option<&BoundTo>) -> Definition {
    Definition::read(&AskedBudget {
        amount: DecimalText(amount.to_owned()),
        period: "day".to_owned(),
        dimension: part.map(ToString::to_string),
        thresholds: vec![50],
        webhook: "https://hooks.example.com/x".to_owned(),
        ..AskedBudget::default()
    })
    .unwrap()
}

fn org(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

fn name(name: &str) -> BudgetName {
    name.parse().unwrap()
}

fn part(text: &str) -> BoundTo {
    text.parse().unwrap()
}

/// A bucket in which acme is claimed.
async fn bucket() -> (Arc<InMemory>, BudgetStore) {
    let objects = Arc::new(InMemory::new());
    let store = BudgetStore::new(Records::new(objects.clone()));
    store.records().claim_org(&org("acme")).await.unwrap();
    (objects, store)
}

async fn set(store: &BudgetStore, budget: &str, bound: Option<&BoundTo>) -> Result<bool, Kind> {
    let definition = definition("100", bound);
    let set = store.set((&org("acme"), bound), &name(budget), &definition, 7).await;
    set.map(|set| set.is_some_and(|set| set.is_new)).map_err(|error| error.kind())
}

#[tokio::test]
async fn another_spelling_of_an_organisation_has_none_of_its_budgets() {
    let (_, store) = bucket().await;
    assert_eq!(set(&store, "all", None).await, Ok(true));
    let other = org("ACME");
    assert!(store.of_org(&other).await.unwrap().is_empty());
    assert_eq!(store.newest("ACME", &name("all")).await.unwrap().budget, None);
    let removed = store.remove((&other, None), &name("all")).await;
    assert!(matches!(removed, Err(BudgetError::Unknown(_))), "{removed:?}");
    let rotated = |known: &BudgetRecord| Ok(known.rotated(8));
    assert_eq!(store.change("ACME", &name("all"), rotated).await.unwrap(), None);
    let own = store.of_org(&org("acme")).await.unwrap();
    assert_eq!(own.values().map(|record| record.edition).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_budget_that_nobody_can_read_is_named_and_set_or_removed() {
    let (objects, store) = bucket().await;
    assert_eq!(set(&store, "all", None).await, Ok(true));
    assert_eq!(set(&store, "more", None).await, Ok(true));
    let first = store.newest("acme", &name("all")).await.unwrap().budget.unwrap();
    let damage = async |edition| {
        let path = budget_edition("acme", "all", edition);
        objects.put(&path, "{}".into()).await.unwrap();
        BudgetStore::new(Records::new(objects.clone()))
    };
    let store = damage(1).await;
    let error = store.of_org(&org("acme")).await.unwrap_err();
    assert!(error.kind() == Kind::Corrupt && error.to_string().contains("budget=all"), "{error}");
    assert_eq!(store.all().await.unwrap().len(), 1, "the others are looked at");
    assert_eq!(store.count(&org("acme")).await.unwrap(), 2);
    assert!(store.of_org(&org("ACME")).await.unwrap().is_empty());
    let other = store.remove((&org("ACME"), None), &name("all")).await;
    assert!(matches!(other, Err(BudgetError::Unknown(_))), "{other:?}");
    let bound = part("team=a");
    assert_eq!(set(&store, "all", Some(&bound)).await, Err(Kind::Corrupt));
    assert_eq!(set(&store, "all", None).await, Ok(true));
    let again = store.newest("acme", &name("all")).await.unwrap();
    let budget = again.budget.unwrap();
    assert_eq!((again.edition, budget.revision, budget.since), (2, 2, 2));
    assert_ne!(budget.secret, first.secret);
    let store = damage(2).await;
    store.remove((&org("acme"), None), &name("all")).await.unwrap();
    assert_eq!(store.of_org(&org("acme")).await.unwrap().len(), 1);
}

/// An edition of a program that knows one thing more.
#[derive(Debug, Serialize, Deserialize)]
struct NewerEdition {
    #[serde(flatten)]
    known: BudgetRecord,
    only_on: String,
}

impl Record for NewerEdition {}

#[tokio::test]
async fn what_a_newer_program_set_is_neither_replaced_nor_removed() {
    let (objects, store) = bucket().await;
    assert_eq!(set(&store, "all", None).await, Ok(true));
    let known = store.newest("acme", &name("all")).await.unwrap().next(None);
    let path = budget_edition("acme", "all", 2);
    let newer = NewerEdition { known, only_on: "Monday".to_owned() };
    store.records().put(&path, &newer).await.unwrap();
    let written = objects.get(&path).await.unwrap().bytes().await.unwrap();
    let says_upgrade = |error: BudgetError| {
        assert!(error.to_string().contains("upgrade this one"), "{error}");
    };
    let acme = org("acme");
    let changed = store.set((&acme, None), &name("all"), &definition("7", None), 8).await;
    says_upgrade(changed.unwrap_err());
    says_upgrade(store.remove((&acme, None), &name("all")).await.unwrap_err());
    says_upgrade(store.newest("acme", &name("all")).await.unwrap_err().into());
    assert_eq!(store.count(&acme).await.unwrap(), 1);
    assert!(store.all().await.unwrap().is_empty(), "it fires nothing here");
    assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), written);
    let third = budget_edition("acme", "all", 3);
    assert!(objects.head(&third).await.is_err(), "no edition was put after it");
}

#[tokio::test]
async fn a_name_of_another_part_is_neither_set_nor_removed() {
    let (_, store) = bucket().await;
    let (a, b) = (part("team=a"), part("team=b"));
    assert_eq!(set(&store, "core", Some(&a)).await, Ok(true));
    assert_eq!(set(&store, "core", Some(&b)).await, Err(Kind::Forbidden));
    let foreign = definition("1", Some(&a));
    let refused = store.set((&org("acme"), Some(&b)), &name("b"), &foreign, 7).await;
    assert!(matches!(refused, Err(BudgetError::OtherPart(_))), "{refused:?}");
    let removed = store.remove((&org("acme"), Some(&b)), &name("core")).await;
    assert!(matches!(removed, Err(BudgetError::Unknown(_))), "{removed:?}");
    store.remove((&org("acme"), Some(&a)), &name("core")).await.unwrap();
}

/// Stores of processes whose requests to one bucket take turns.
fn at_once(objects: &Arc<InMemory>) -> BudgetStore {
    let wait = Duration::from_millis(1);
    let config = ThrottleConfig {
        wait_get_per_call: wait,
        wait_list_per_call: wait,
        wait_put_per_call: wait,
        ..ThrottleConfig::default()
    };
    let slow = ThrottledStore::new(objects.clone() as Arc<dyn ObjectStore>, config);
    BudgetStore::new(Records::new(Arc::new(slow)))
}

#[tokio::test]
async fn of_two_parts_that_set_a_name_at_once_one_has_it() {
    let (objects, _) = bucket().await;
    let (one, other) = (at_once(&objects), at_once(&objects));
    let (a, b) = (part("team=a"), part("team=b"));
    let mut both =
        <[_; 2]>::from(futures::join!(set(&one, "core", Some(&a)), set(&other, "core", Some(&b))));
    both.sort_by_key(Result::is_err);
    assert_eq!(both, [Ok(true), Err(Kind::Forbidden)]);
}

#[tokio::test]
async fn who_set_a_budget_at_once_with_another_does_not_tell_of_a_new_one() {
    let (objects, _) = bucket().await;
    let (one, other) = (at_once(&objects), at_once(&objects));
    let both = futures::join!(set(&one, "all", None), set(&other, "all", None));
    assert!(matches!(both, (Ok(true), Ok(false)) | (Ok(false), Ok(true))), "{both:?}");
}

#[tokio::test]
async fn the_limit_holds_for_those_who_set_at_once() {
    let (objects, store) = bucket().await;
    for at in 1..BUDGETS_MAX {
        assert_eq!(set(&store, &format!("b{at}"), None).await, Ok(true));
    }
    let (one, other) = (at_once(&objects), at_once(&objects));
    let both = futures::join!(set(&one, "x", None), set(&other, "y", None));
    assert!(both.0.is_err() || both.1.is_err(), "{both:?}");
    assert!(store.count(&org("acme")).await.unwrap() <= BUDGETS_MAX);
    set(&store, "z", None).await.ok();
    assert_eq!(set(&store, "zz", None).await, Err(Kind::Invalid));
}

#[tokio::test]
async fn old_editions_are_deleted_and_who_is_late_follows_the_newest() {
    let (objects, store) = bucket().await;
    let other = BudgetStore::new(Records::new(objects.clone()));
    assert_eq!(set(&store, "all", None).await, Ok(true));
    let busy = |known: &BudgetRecord| {
        if known.edition == 1 {
            for amount in 1..30 {
                let next =
                    |known: &BudgetRecord| Ok(known.set(&definition(&amount.to_string(), None), 8));
                other.change("acme", &name("all"), next).now_or_never().unwrap().unwrap();
            }
        }
        Ok(known.set(&definition("777", None), 9))
    };
    let late = store.change("acme", &name("all"), busy).await.unwrap().unwrap();
    let newest = other.newest("acme", &name("all")).await.unwrap();
    assert_eq!((&newest, newest.edition), (&late, 31));
    let kept = store.records().list("budgets/set").await.unwrap();
    assert!(kept.len() <= 9, "{kept:?}");
}

/// A record that cannot be read again.
#[derive(Debug, Serialize)]
struct Unreadable {
    member: u64,
}

impl<'a> Deserialize<'a> for Unreadable {
    fn deserialize<D: Deserializer<'a>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}

impl Record for Unreadable {}

#[tokio::test]
async fn what_nobody_could_read_is_not_put() {
    let (_, store) = bucket().await;
    let path = Path::from("budgets/set/x.json");
    let record = Unreadable { member: 1 };
    assert!(store.records().put_new(&path, &record).await.is_err());
    assert!(store.records().put(&path, &record).await.is_err());
    assert!(store.records().list("budgets/set").await.unwrap().is_empty());
}

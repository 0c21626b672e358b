//! Tests of random damage to any object of an archive, as seen by a process that starts, by one
//! that knows the archive, and by one that is behind: an error, or the same numbers and the same
//! rights.
//!
//! `TOKENLAKE_TEST_DAMAGES=5000` tries this many; `TOKENLAKE_TEST_DAMAGES_SEED=7` tries others.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::access::{NewKey, Scopes};
use tokenlake::clock::{DAY, SECOND};
use tokenlake::event::OrgId;
use tokenlake::sql::Console;
use tokio::runtime::Runtime;

use crate::compact::compact;
use crate::support::environment::number;
use crate::support::event::{ACME, Event, NOON, events, requests};
use crate::support::lake::{Lake, settings, verified};
use crate::support::random::Random;
use crate::support::store::{paths, read, write};
use crate::support::{foreign, table};

/// How many damages are tried.
const COUNT: &str = "TOKENLAKE_TEST_DAMAGES";
/// Which.
const SEED: &str = "TOKENLAKE_TEST_DAMAGES_SEED";
/// Damages of a usual run.
const USUAL: u64 = 120;
/// Whose numbers are looked at.
const ORGS: [&str; 3] = [ACME, "umbrella", "nobody"];
/// What is asked by SQL.
const QUERY: &str = "SELECT org_id, CAST(ts AS date) AS day, count(*) AS n, sum(cost_usd) AS cost, \
                     min(event_id) AS first FROM events GROUP BY 1, 2 ORDER BY 1, 2";

/// A key, and whom it lets in.
struct Key {
    text: String,
    org: Option<&'static str>,
}

/// An archive in two stages, and what is right of the second.
struct Archive {
    before: InMemory,
    after: InMemory,
    /// The objects of `after`, by kind.
    kinds: Vec<Vec<String>>,
    right: Vec<String>,
    keys: Vec<Key>,
}

async fn add_key(app: &Lake, org: &'static str, expires_at_us: Option<i64>) -> Key {
    let org_id = OrgId::parse(org).unwrap();
    let new = NewKey {
        org_id,
        scopes: Scopes::or_usual(Vec::new()),
        name: None,
        expires_at_us,
        bound: None,
    };
    let text = app.app.keys().create(new).await.unwrap().reveal().to_owned();
    Key { text, org: expires_at_us.is_none_or(|at| at > NOON).then_some(org) }
}

async fn add_keys(app: &Lake) -> Vec<Key> {
    let revoked = Key { org: None, ..add_key(app, ACME, None).await };
    for key in app.app.keys().list().await.unwrap() {
        app.app.keys().revoke(&key.id).await.unwrap();
    }
    let mut keys = vec![revoked];
    for (org, expires) in [(ACME, None), ("umbrella", Some(NOON + DAY)), (ACME, Some(NOON - DAY))] {
        keys.push(add_key(app, org, expires).await);
    }
    keys
}

/// Kinds of objects: by folder and ending, without what differs between two of a kind.
fn kind(path: &str) -> String {
    let letters = path.split(['/', '.', '-']).filter(|part| {
        part.chars().all(|char| char.is_ascii_lowercase() || char == '_') && part.len() > 2
    });
    letters.collect::<Vec<_>>().join("/")
}

async fn make() -> Archive {
    let store = InMemory::new();
    let shared: Arc<dyn ObjectStore> = Arc::new(store.clone());
    let app = Lake::open(&shared).await;
    let keys = add_keys(&app).await;
    app.sent(&[Event::new("old").at(NOON - 40 * DAY)]).await;
    for round in 0..4_u64 {
        app.sent(&events(round * 10..round * 10 + 10)).await;
        app.send("umbrella", &events([round])).await.unwrap();
    }
    compact(&app).await;
    app.expire(30).await.unwrap();
    app.snapshot_totals().await;
    table::log_checkpoint(&shared, app.app.archive().current().version()).await.unwrap();
    foreign::rewrite(&shared).await;
    // As a server does in the background.
    let rewritten = app.snapshot().await;
    app.engine().noting().judge().note_all(&rewritten, &mut HashSet::new()).await.unwrap();
    let before = store.fork();
    app.sent(&events(100..120)).await;
    app.send("umbrella", &events(100..103)).await.unwrap();
    app.sent(&events(120..125)).await;
    let right = answers(&app, &shared).await.into_iter().map(Result::unwrap).collect();
    app.app.close().await;
    let mut kinds = BTreeMap::<String, Vec<String>>::new();
    for path in paths(&shared, "").await {
        kinds.entry(kind(&path)).or_default().push(path);
    }
    let kinds = kinds.into_values().collect();
    Archive { before, after: store, kinds, right, keys }
}

/// What a process shows of each organisation, and what SQL says of all.
async fn answers(app: &Lake, store: &Arc<dyn ObjectStore>) -> Vec<Result<String, String>> {
    let mut answers = Vec::new();
    for org in ORGS {
        answers.push(app.try_scrape(org).await.map_err(|error| error.to_string()));
    }
    answers.push(by_sql(app, store).await);
    answers
}

async fn by_sql(app: &Lake, store: &Arc<dyn ObjectStore>) -> Result<String, String> {
    let newest = app.app.archive().newest().await.map_err(|error| error.to_string())?;
    let files: Vec<_> = newest.files().cloned().collect();
    let console = Console::new(store.clone()).unwrap();
    let answer = console.query(&files, None, QUERY).await.map_err(|error| error.to_string())?;
    let rows: Vec<_> = answer.batches.try_collect().await.map_err(|error| error.to_string())?;
    Ok(pretty_format_batches(&rows).unwrap().to_string())
}

/// What was done to which objects, and the bytes that they had.
struct Damage {
    words: String,
    whole: Vec<(String, Vec<u8>)>,
}

/// Damages one object, or puts two in each other's place.
async fn damage(store: &Arc<dyn ObjectStore>, archive: &Archive, random: &mut Random) -> Damage {
    let pick = |random: &mut Random, paths: &[String]| {
        paths[usize::try_from(random.below(paths.len() as u64)).unwrap()].clone()
    };
    let kind = &archive.kinds[usize::try_from(random.below(archive.kinds.len() as u64)).unwrap()];
    let path = pick(random, kind);
    let mut bytes = read(store, &path).await;
    let mut whole = vec![(path.clone(), bytes.clone())];
    let at = usize::try_from(random.below(bytes.len().max(1) as u64)).unwrap();
    let what = match random.below(7) {
        0 => {
            store.delete(&path.as_str().into()).await.unwrap();
            let words = format!("{path}: deleted");
            return Damage { words, whole };
        }
        1 => {
            // Of its own kind more often than of another.
            let other_kind = match random.below(4) {
                0 => {
                    &archive.kinds
                        [usize::try_from(random.below(archive.kinds.len() as u64)).unwrap()]
                }
                _ => kind,
            };
            let other = pick(random, other_kind);
            let others = read(store, &other).await;
            write(store, &other, bytes).await;
            bytes = others.clone();
            let words = format!("in the place of {other}");
            whole.push((other, others));
            words
        }
        2 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        3 => {
            let end = bytes.len().min(at + 1 + usize::try_from(random.below(64)).unwrap());
            bytes[at..end].fill(0);
            format!("zeros in {at}..{end}")
        }
        4 => {
            bytes.drain(..at);
            format!("without its first {at}")
        }
        _ if bytes.is_empty() => {
            bytes.push(0);
            "no longer empty".to_owned()
        }
        _ => {
            let bit = random.below(8);
            bytes[at] ^= 1 << bit;
            format!("byte {at}, bit {bit}")
        }
    };
    write(store, &path, bytes).await;
    Damage { words: format!("{path}: {what}"), whole }
}

/// What a process may know of the archive before it meets the damage.
#[derive(Debug, Clone, Copy)]
enum Knows {
    Nothing,
    All,
    Before,
}

async fn copy_missing(from: &InMemory, to: &Arc<dyn ObjectStore>) {
    let from: Arc<dyn ObjectStore> = Arc::new(from.clone());
    for path in paths(&from, "").await {
        let bytes = read(&from, &path).await;
        if to.head(&path.as_str().into()).await.is_err() || read(to, &path).await != bytes {
            write(to, &path, bytes).await;
        }
    }
}

async fn warm(store: &Arc<dyn ObjectStore>, keys: &[Key]) -> Lake {
    let app = Lake::open(store).await;
    for answer in answers(&app, store).await {
        answer.unwrap();
    }
    for key in keys {
        let _ = app.app.authenticate(&key.text).await;
    }
    app
}

/// Tries one damage; gives whether anything was refused.
async fn tried(archive: &Archive, seed: u64) -> bool {
    let mut random = Random(seed);
    let knows =
        [Knows::Nothing, Knows::All, Knows::Before][usize::try_from(random.below(3)).unwrap()];
    let (store, known): (Arc<dyn ObjectStore>, _) = match knows {
        Knows::Nothing => (Arc::new(archive.after.fork()), None),
        Knows::All => {
            let store: Arc<dyn ObjectStore> = Arc::new(archive.after.fork());
            let app = warm(&store, &archive.keys).await;
            (store, Some(app))
        }
        Knows::Before => {
            let store: Arc<dyn ObjectStore> = Arc::new(archive.before.fork());
            let app = warm(&store, &archive.keys).await;
            copy_missing(&archive.after, &store).await;
            // The note of the newest commit is read every few seconds.
            app.pass(10 * SECOND);
            (store, Some(app))
        }
    };
    let damage = damage(&store, archive, &mut random).await;
    let context = format!("seed {seed}, {}, a process that knows {knows:?}", damage.words);
    let app = match known {
        Some(app) => app,
        None => match Lake::try_open(&store, settings()).await {
            Ok(app) => app,
            Err(_) => return true,
        },
    };
    let mut refused = false;
    for (answer, right) in answers(&app, &store).await.iter().zip(&archive.right) {
        match answer {
            Ok(answer) => assert_eq!(answer, right, "{context}"),
            Err(_) => refused = true,
        }
    }
    for (at, key) in archive.keys.iter().enumerate() {
        match app.app.authenticate(&key.text).await {
            Ok(caller) => assert_eq!(Some(caller.org_id.as_str()), key.org, "{context}, key {at}"),
            Err(_) => refused |= key.org.is_some(),
        }
    }
    refused | goes_on(archive, &app, &store, &damage, &context).await
}

/// Events that exist are not taken again, and new ones count once the damage is mended.
async fn goes_on(
    archive: &Archive,
    app: &Lake,
    store: &Arc<dyn ObjectStore>,
    damage: &Damage,
    context: &str,
) -> bool {
    let again = app.send(ACME, &events([3, 100])).await;
    if let Ok(again) = &again {
        assert_eq!(again.accepted, 0, "{context}: events count twice");
    }
    let new = app.send(ACME, &events(["new"])).await;
    for (path, bytes) in &damage.whole {
        write(store, path, bytes.clone()).await;
    }
    let came = new.as_ref().map_or(0, |receipt| receipt.accepted as u64);
    let healed = Lake::open(store).await;
    let least = requests(&archive.right[0]) + came;
    let now = healed.requests().await;
    // A put that is in doubt may be found to have worked.
    assert!(now == least || (new.is_err() && now == least + 1), "{context}: {now}, not {least}");
    assert!(verified(store).await > 0, "{context}");
    again.is_err() || new.is_err()
}

#[test]
fn random_damage_is_an_error_or_changes_no_number_and_no_right() {
    let runtime = Runtime::new().unwrap();
    let archive = runtime.block_on(make());
    assert!(archive.kinds.len() >= 9, "{:?}", archive.kinds);
    let count = number(COUNT).unwrap_or(USUAL);
    let first = number(SEED).unwrap_or(20_260_301).wrapping_mul(1 << 32);
    let (next, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let runtime = Runtime::new().unwrap();
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    if at >= count {
                        return;
                    }
                    if runtime.block_on(tried(&archive, first + at)) {
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let refused = refused.into_inner();
    eprintln!("{refused} of {count} damages were refused, the others changed nothing");
    assert!(refused > count / 8 && refused < count, "{refused} of {count}");
}

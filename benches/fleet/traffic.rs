//! What the fleet is asked: batches of events, and scrapes.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokenlake::access::{Caller, Scopes};
use tokenlake::app::{App, BodyForm};
use tokenlake::event::OrgId;
use tokenlake::exposition::{Coding, Collect, MetricsFormat};
use tokenlake::ingest::ContentKind;
use tokio::time::Instant;

const MODELS: [(&str, &str); 8] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4"),
    ("anthropic", "claude-haiku-4"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-large"),
    ("deepseek", "deepseek-chat"),
];
/// How often an organisation is scraped.
const SCRAPED_EVERY: Duration = Duration::from_secs(60);
/// A client tries a refused request again after this time.
const AGAIN: Duration = Duration::from_millis(500);

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Events a second, of all replicas together.
    pub events: u64,
    /// Events of a request.
    pub batch: u64,
    /// Organisations.
    pub orgs: u64,
    /// Organisations of these that are scraped.
    pub scraped: u64,
    /// For how long clients send.
    pub lasts: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Times from sending to the acknowledgement.
    pub acknowledged: Mutex<Vec<Duration>>,
    /// Events that were acknowledged, by organisation.
    pub events: Vec<AtomicU64>,
    /// Answers other than an acknowledgement.
    pub refused: AtomicU64,
    /// Times of scrapes.
    pub scrapes: Mutex<Vec<Duration>>,
}

impl Outcome {
    pub fn of(load: Load) -> Self {
        Self { events: (0..load.orgs).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }
}

/// A replica.
pub type Replica = Arc<App>;

/// The name of an organisation.
fn org(number: u64) -> OrgId {
    OrgId::parse(&format!("org-{number:06}")).unwrap()
}

fn caller(number: u64) -> Caller {
    Caller { org_id: org(number), scopes: Scopes::or_usual(Vec::new()), bound: None }
}

/// Sends to one of `of` replicas, which gets its share of the load, until the time is over. A request is
/// sent when it is due, whether or not those before it are answered.
pub async fn send(replica: Replica, nth: u64, of: u64, load: Load, outcome: Arc<Outcome>) {
    let began = Instant::now();
    let gap = Duration::from_secs_f64((of * load.batch) as f64 / load.events as f64);
    let mut random = fastrand::Rng::with_seed(nth);
    let mut sent = Vec::new();
    for request in 0.. {
        let due = gap.mul_f64(request as f64 + nth as f64 / of as f64);
        if due >= load.lasts {
            break;
        }
        tokio::time::sleep_until(began + due).await;
        // Some organisations send much, most little.
        let number = random.u64(0..load.orgs) * random.u64(0..load.orgs) / load.orgs;
        let lines = lines(&mut random, &format!("{nth}-{request}"), load.batch, replica.now());
        let (replica, outcome) = (replica.clone(), outcome.clone());
        sent.push(tokio::spawn(deliver(replica, number, lines, load.batch, outcome)));
    }
    for one in sent {
        one.await.unwrap();
    }
}

async fn deliver(replica: Replica, number: u64, lines: String, batch: u64, outcome: Arc<Outcome>) {
    let (began, caller) = (Instant::now(), caller(number));
    loop {
        let decoded = replica.decode(&caller, &ContentKind::Ndjson, lines.as_bytes());
        match replica.commit(&caller.org_id, decoded.unwrap()).await {
            Ok(_) => break,
            Err(_) => outcome.refused.fetch_add(1, Ordering::Relaxed),
        };
        tokio::time::sleep(AGAIN).await;
    }
    outcome.acknowledged.lock().unwrap().push(began.elapsed());
    outcome.events[usize::try_from(number).unwrap()].fetch_add(batch, Ordering::SeqCst);
}

fn lines(random: &mut fastrand::Rng, id: &str, events: u64, now: i64) -> String {
    let mut lines = String::new();
    for event in 0..events {
        let (provider, model) = MODELS[random.usize(0..MODELS.len())];
        let (input, output, cost) =
            (random.u32(20..8_000), random.u32(1..1_500), random.u32(1..99_999));
        writeln!(
            lines,
            r#"{{"event_id":"{id}-{event}","ts":{now},"provider":"{provider}","model":"{model}","input_tokens":{input},"output_tokens":{output},"cost_usd":"0.{cost:06}"}}"#
        )
        .unwrap();
    }
    lines
}

/// Scrapes an organisation each minute, each time of the next replica, as a load balancer has it, until the
/// time is over. Every scrape must show what was acknowledged before it, and no counter may be less than in
/// the one before.
pub async fn scrape(replicas: Vec<Replica>, number: u64, load: Load, outcome: Arc<Outcome>) {
    let began = Instant::now();
    let offset = SCRAPED_EVERY.mul_f64(number as f64 / load.scraped as f64);
    let mut shown = 0;
    for turn in 0.. {
        let due = offset + SCRAPED_EVERY * turn;
        if due >= load.lasts {
            return;
        }
        tokio::time::sleep_until(began + due).await;
        let nth = usize::try_from(u64::from(turn) + number).unwrap() % replicas.len();
        let asked = Instant::now();
        let requests = requests_of(&replicas[nth], number).await;
        outcome.scrapes.lock().unwrap().push(asked.elapsed());
        assert!(requests >= shown, "a counter fell: {shown}, then {requests}");
        shown = requests;
    }
}

/// The requests that a scrape of an organisation shows.
pub async fn requests_of(replica: &Replica, number: u64) -> u64 {
    let form = BodyForm {
        collect: Collect::parse(std::iter::empty()).unwrap(),
        format: MetricsFormat::Text004,
        coding: Coding::Identity,
    };
    loop {
        match replica.scrape(&caller(number), form, replica.now()).await {
            Ok(body) => {
                let text = String::from_utf8(body.into()).unwrap();
                let values = text.lines().filter(|line| line.starts_with("llm_requests_total{"));
                return values.map(value).sum();
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

fn value(line: &str) -> u64 {
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

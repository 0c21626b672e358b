//! The random steps of an archive's history.

use proptest::collection::vec;
use proptest::prelude::*;
use tokenlake::clock::{DAY, HOUR, Micros, SECOND};

use crate::support::event::Event;

/// Organisations; one has upper case.
pub const ORGS: [&str; 3] = ["Acme", "b-2", "z.eta"];
/// Processes on the archive.
pub const REPLICAS: usize = 3;

const NAMES: [Option<&str>; 16] = [
    Some("openai"),
    Some("OpenAI"),
    Some(" openai\t"),
    Some("azure"),
    Some("AZURE"),
    Some("Ärger"),
    Some("ärger"),
    Some("a\0b"),
    Some("A\u{FFFD}B"),
    Some("q\"uo\\te\n\u{1F600}"),
    Some("unknown"),
    Some(" UNKNOWN "),
    Some("unknown-2"),
    Some(""),
    Some("  "),
    None,
];

#[derive(Clone, Debug)]
pub enum Step {
    /// A batch of new events through one of the replicas.
    Send { replica: usize, org: &'static str, drafts: Vec<Draft> },
    /// An earlier batch once more.
    Resend { replica: usize, nth: usize },
    /// One date's events move into other files; the old ones may be deleted.
    Rewrite { date: usize, parts: usize, delete: bool },
    /// What is older than so many days expires; its files may be deleted.
    Expire { replica: usize, days: u64, delete: bool },
    /// A checkpoint of totals is made by one of the replicas.
    Checkpoint { replica: usize },
    /// An object of the checkpoints is damaged.
    Damage { nth: usize, how: Damage },
    /// The clock moves.
    Pass(Micros),
    /// All replicas, and a new one, are scraped for an organisation.
    Scrape { org: &'static str },
    /// One of the replicas is scraped; the others fall behind.
    ScrapeOne { replica: usize, org: &'static str },
}

/// What happens to an object.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    Deleted,
    /// Cut to this part in 256.
    Cut(usize),
    /// A bit is flipped at this part in 256.
    Flipped(usize),
}

/// An event whose time depends on when it is sent.
#[derive(Clone, Debug)]
pub struct Draft {
    when: When,
    event: Event,
}

#[derive(Clone, Copy, Debug)]
enum When {
    /// So long before now.
    Ago(Micros),
    /// So long after the start of the window.
    Start(Micros),
    /// So long after the start of the hour, so many hours ago.
    Hour(i64, Micros),
}

impl Draft {
    /// The event, as sent at `now`.
    pub fn at(&self, id: String, now: Micros) -> Event {
        let ts = match self.when {
            When::Ago(ago) => now - ago,
            When::Start(after) => now - DAY + after,
            When::Hour(ago, after) => (now - ago * HOUR).div_euclid(HOUR) * HOUR + after,
        };
        Event { id, ts, ..self.event.clone() }
    }
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        (-300 * SECOND..30 * HOUR).prop_map(When::Ago),
        (-1..=1_i64).prop_map(When::Ago),
        (-1..=1_i64).prop_map(When::Start),
        (-HOUR..HOUR).prop_map(When::Start),
        (0..26_i64, -1..=1_i64).prop_map(|(ago, after)| When::Hour(ago, after)),
        (0..60_i64).prop_map(|days| When::Ago(days * DAY)),
    ]
}

fn cost() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        Just(Some("0".to_owned())),
        Just(Some("0.1".to_owned())),
        Just(Some("999999.999999999999".to_owned())),
        (0..1_000_000_u64, 0..1_000_000_000_000_u64)
            .prop_map(|(whole, fraction)| Some(format!("{whole}.{fraction:012}"))),
        (0..100_u64).prop_map(|fraction| Some(format!("0.0000000000{fraction:02}"))),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let name = || prop::sample::select(&NAMES[..]).prop_map(|name| name.map(str::to_owned));
    let kind = prop_oneof![
        4 => Just(None),
        2 => Just(Some("api_call".to_owned())),
        1 => Just(Some("API_CALL".to_owned())),
        1 => Just(Some("tool".to_owned())),
    ];
    let tokens = prop_oneof![0..5_000_u64, Just(1_000_000_000_000)];
    let tokens = (tokens.clone(), tokens);
    (when(), name(), name(), kind, tokens, cost()).prop_map(
        |(when, provider, model, event_type, (input_tokens, output_tokens), cost)| {
            let id = String::new();
            let event = Event {
                id,
                ts: 0,
                event_type,
                provider,
                model,
                input_tokens,
                output_tokens,
                cost,
                note: None,
                team: None,
            };
            Draft { when, event }
        },
    )
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Deleted),
        (0..256_usize).prop_map(Damage::Cut),
        (0..256_usize).prop_map(Damage::Flipped),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let org = || prop::sample::select(&ORGS[..]);
    let passed =
        prop_oneof![Just(1), Just(DAY), 0..2 * HOUR, 0..40 * HOUR, -2 * HOUR..0, -4 * DAY..0,];
    prop_oneof![
        6 => (0..REPLICAS, org(), vec(draft(), 1..12))
            .prop_map(|(replica, org, drafts)| Step::Send { replica, org, drafts }),
        1 => (0..REPLICAS, any::<usize>()).prop_map(|(replica, nth)| Step::Resend { replica, nth }),
        3 => (any::<usize>(), 1..4_usize, any::<bool>())
            .prop_map(|(date, parts, delete)| Step::Rewrite { date, parts, delete }),
        2 => (0..REPLICAS, 2..40_u64, any::<bool>())
            .prop_map(|(replica, days, delete)| Step::Expire { replica, days, delete }),
        2 => (0..REPLICAS).prop_map(|replica| Step::Checkpoint { replica }),
        1 => (any::<usize>(), damage()).prop_map(|(nth, how)| Step::Damage { nth, how }),
        3 => passed.prop_map(Step::Pass),
        3 => org().prop_map(|org| Step::Scrape { org }),
        3 => (0..REPLICAS, org()).prop_map(|(replica, org)| Step::ScrapeOne { replica, org }),
    ]
}

/// A history.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..32)
}

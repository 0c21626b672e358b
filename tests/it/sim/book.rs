//! The model by which histories are judged: the content of every scrape.
//!
//! Each event of an organisation costs a power of two of the smallest unit of money, so that a sum
//! shows exactly which events are in it, and that each is in it once. So does each correction: one
//! downward costs its power of two below 0, and shows in the sum of credits.

use std::sync::Mutex;

use tokenlake::clock::{DAY, HOUR, Micros};

use super::showback::TEAM;
use super::world::START;
use crate::support::exact;
use crate::support::random::Random;
use crate::support::scrape::{Series, parse};

/// Organisations; one has upper case.
pub const ORGS: [&str; 3] = ["acme", "Umbrella", "z.wayne"];
/// Spellings of provider and model; the first two are one series.
const NAMES: [(&str, &str); 4] =
    [("openai", "gpt-4o"), ("OpenAI", " GPT-4o"), ("openai", "o3"), ("azure", "gpt-4o")];
/// Events that clients send for an organisation.
const EVENTS_MAX: u32 = 56;
/// With those of another program: their costs stay below the highest that an event may have.
const ALL_EVENTS_MAX: u64 = 59;

/// Events of one organisation, a bit each.
pub type Events = u64;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Call,
    /// A correction upward, of a call that had no price.
    Raise,
    /// A correction downward.
    Credit,
}

/// An event as it is sent.
#[derive(Debug, Clone)]
struct Event {
    ts: Micros,
    names: usize,
    what: What,
}

#[derive(Debug, Default)]
struct Account {
    events: Vec<Event>,
    /// How many of them clients send; the others are another program's.
    own: u32,
    /// May have come in.
    sent: Events,
    /// Whoever sent them was told that they are in.
    acknowledged: Events,
    /// Whoever sent them was told that they are too old.
    refused: Events,
    /// Some scrape has shown them.
    shown: Events,
    /// They may have been deleted for good: counters have them, and the window need not.
    going: Events,
    /// They have been.
    gone: Events,
}

/// The events of a history.
#[derive(Debug)]
pub struct Book {
    accounts: [Mutex<Account>; ORGS.len()],
}

/// What a scrape that begins now must show at least.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    counted: Events,
    /// Of these, what its window must not show.
    gone: Events,
}

impl Book {
    /// Events for each organisation, at random times before the start. Most histories are small:
    /// what goes wrong seldom needs many events, and so many more ways are tried.
    pub fn new(random: &mut Random) -> Self {
        let most = [6, 6, 12, EVENTS_MAX][usize::try_from(random.below(4)).unwrap()];
        let accounts = ORGS.map(|_| {
            let count = 2 + random.below(u64::from(most) - 1);
            let events = (0..count).map(|_| event(random)).collect();
            let own = u32::try_from(count).unwrap();
            Mutex::new(Account { events, own, ..Account::default() })
        });
        Self { accounts }
    }

    /// Makes some of the events that clients send corrections.
    pub fn correct(&self, random: &mut Random) {
        for account in &self.accounts {
            let mut account = account.lock().unwrap();
            let own = account.own as usize;
            for event in account.events.iter_mut().take(own) {
                event.what = match random.below(6) {
                    0 => What::Raise,
                    1 => What::Credit,
                    _ => What::Call,
                };
            }
        }
    }

    /// Adds events that only another program brings.
    pub fn reserve(&self, random: &mut Random) {
        for account in &self.accounts {
            let mut account = account.lock().unwrap();
            let count = (account.events.len() as u64 + random.below(7)).min(ALL_EVENTS_MAX);
            while (account.events.len() as u64) < count {
                account.events.push(event(random));
            }
        }
    }

    /// How many events of an organisation clients send.
    pub fn count(&self, org: usize) -> u32 {
        self.accounts[org].lock().unwrap().own
    }

    /// The events of another program that are not in yet and are of this time or later, with their
    /// times.
    pub fn reserved(&self, org: usize, ts: Micros) -> Vec<(u32, Micros)> {
        let account = self.accounts[org].lock().unwrap();
        let all = (0..).zip(&account.events).skip(account.own as usize);
        let left = all.filter(|(nth, event)| account.sent & (1 << nth) == 0 && event.ts >= ts);
        left.map(|(nth, event)| (nth, event.ts)).collect()
    }

    /// Some events may leave the table for good.
    pub fn leave(&self, org: usize, events: Events) {
        self.accounts[org].lock().unwrap().going |= events;
    }

    /// What may leave has left.
    pub fn left(&self) {
        for account in &self.accounts {
            let mut account = account.lock().unwrap();
            account.gone = account.going;
        }
    }

    /// Some events as newline-separated JSON; from now on they may be in.
    pub fn lines(&self, org: usize, events: &[u32]) -> String {
        let mut account = self.accounts[org].lock().unwrap();
        let line = |nth: &u32| {
            account.sent |= 1 << nth;
            account.events[*nth as usize].line(*nth) + "\n"
        };
        events.iter().map(line).collect()
    }

    /// Their sender knows that all of these are in, but for those that were refused by number.
    pub fn acknowledged(&self, org: usize, events: &[u32], refused: &[usize]) -> u64 {
        let mut account = self.accounts[org].lock().unwrap();
        let before = account.acknowledged;
        for (number, nth) in events.iter().enumerate() {
            match refused.contains(&number) {
                true => account.refused |= 1 << nth,
                false => account.acknowledged |= 1 << nth,
            }
        }
        u64::from((account.acknowledged & !before).count_ones())
    }

    /// The events whose costs, less credits, come to `net`, and how many of them are calls.
    pub fn in_net(&self, org: usize, net: i128) -> (Events, u32) {
        let kinds = Kinds::of(&self.accounts[org].lock().unwrap().events);
        let (mut left, mut events) = (net, 0);
        for nth in 0..u64::BITS {
            let cost = 1_i128 << nth;
            if left & cost != 0 {
                events |= 1 << nth;
                left -= if kinds.credits & (1 << nth) == 0 { cost } else { -cost };
            }
        }
        assert_eq!(left, 0, "{net} is no sum of events");
        (events, (events & kinds.calls).count_ones())
    }

    /// The events that are of this time or later.
    pub fn since(&self, org: usize, ts: Micros) -> Events {
        let account = self.accounts[org].lock().unwrap();
        mask(account.events.iter().map(|event| event.ts >= ts))
    }

    /// The events that another program took away, or is taking away: no row tells them.
    pub fn taken(&self, org: usize) -> Events {
        let account = self.accounts[org].lock().unwrap();
        account.gone | account.going
    }

    /// To be asked before a scrape begins.
    pub fn floor(&self, org: usize) -> Floor {
        let account = self.accounts[org].lock().unwrap();
        Floor { counted: account.acknowledged | account.shown, gone: account.gone }
    }

    /// Compares a scrape at `now` with the book; gives which events it shows.
    /// Events of `kept_from` or later surely have not expired.
    pub fn check(
        &self,
        org: usize,
        floor: Floor,
        now: Micros,
        body: &str,
        kept_from: Micros,
    ) -> Events {
        let mut account = self.accounts[org].lock().unwrap();
        let label = ORGS[org].to_lowercase();
        let mut samples = parse(body);
        let mut shown: Events = 0;
        let kinds = Kinds::of(&account.events);
        for (series, (provider, model)) in NAMES.iter().enumerate() {
            let of_series =
                mask(account.events.iter().map(|event| series_of(event.names) == series));
            let labels =
                format!("{{provider=\"{provider}\",model=\"{model}\",org_id=\"{label}\"}}");
            let mut take = |name: &str| samples.remove(&format!("llm_{name}_total{labels}"));
            let Some(cost) = take("cost_usd") else { continue };
            let events = kinds.shown(&cost, take("cost_usd_credits").as_deref());
            let calls = events & kinds.calls;
            assert_eq!(events & !of_series, 0, "{labels} shows what is not of it: {body}");
            assert_eq!(take("requests"), Some(calls.count_ones().to_string()), "{labels}: {body}");
            assert_eq!(take("tokens"), Some(tokens(calls).to_string()), "{labels}: {body}");
            if let Some(unpriced) = take("requests_unpriced") {
                assert_eq!(unpriced, "0", "{labels}: {body}");
                let later = (events & kinds.raises).count_ones().to_string();
                assert_eq!(take("requests_priced_later"), Some(later), "{labels}: {body}");
            }
            shown |= events;
        }
        let rolling = samples.remove(&format!("llm_cost_usd_rolling_24h{{org_id=\"{label}\"}}"));
        let kept = mask(account.events.iter().map(|event| event.ts >= kept_from));
        let in_window = account.events.iter().map(|event| now - DAY < event.ts && event.ts <= now);
        let (in_window, going) = (mask(in_window), account.going);
        let of = Shown { shown, kept, in_window, going, kinds };
        let all = u32::try_from(account.events.len()).unwrap();
        check_parts(&mut samples, &label, all, of, body);
        assert!(samples.is_empty(), "more than there should be: {body}");
        assert_eq!(shown & !account.sent, 0, "events that nobody sent: {body}");
        let missing = floor.counted & !shown;
        assert_eq!(missing, 0, "{} lost events {:?}: {body}", ORGS[org], numbers(missing));
        // What leaves meanwhile is in the window or not.
        let expected = [floor.gone, account.going].map(|gone| shown & in_window & !gone);
        let expected = expected.map(|events| Some(exact::format(kinds.net(events))));
        assert!(
            expected.contains(&rolling),
            "the window of {} at {now} is not {expected:?}: {body}",
            ORGS[org]
        );
        account.shown |= shown;
        shown
    }

    /// The events whose sender does not know what became of them.
    pub fn unsettled(&self, org: usize) -> Vec<u32> {
        let account = self.accounts[org].lock().unwrap();
        let all = mask((0..account.own).map(|_| true));
        numbers(all & !account.acknowledged & !account.refused)
    }
}

impl Event {
    /// The event as JSON.
    fn line(&self, nth: u32) -> String {
        let Self { ts, names, what } = self;
        let (provider, model) = NAMES[*names];
        let team = team_of(nth).map(|team| format!(r#","team":"{team}""#)).unwrap_or_default();
        let cost = exact::format(if *what == What::Credit { -(1 << nth) } else { 1 << nth });
        let kind = match what {
            What::Call => format!(r#""input_tokens":{nth},"output_tokens":1"#),
            What::Raise => CORRECTION.to_owned() + r#","was_unpriced":"true""#,
            What::Credit => CORRECTION.to_owned(),
        };
        format!(
            r#"{{"event_id":"e{nth}","ts":{ts},"provider":"{provider}","model":"{model}",{kind},"cost_usd":"{cost}"{team}}}"#
        )
    }
}

const CORRECTION: &str = r#""event_type":"cost_correction","corrects":"x""#;

/// The teams of events, by turns; every fourth event has none.
const TEAMS: [&str; 3] = ["a", "Core", "ops"];

fn team_of(nth: u32) -> Option<&'static str> {
    TEAMS.get(nth as usize % 4).copied()
}

/// What the core shows.
#[derive(Debug, Clone, Copy)]
struct Shown {
    shown: Events,
    kept: Events,
    in_window: Events,
    going: Events,
    kinds: Kinds,
}

/// What the events of an account are.
#[derive(Debug, Clone, Copy)]
struct Kinds {
    calls: Events,
    raises: Events,
    credits: Events,
}

impl Kinds {
    fn of(events: &[Event]) -> Self {
        let of = |what| mask(events.iter().map(|event| event.what == what));
        Self { calls: of(What::Call), raises: of(What::Raise), credits: of(What::Credit) }
    }

    /// The events in a counter of costs and in that of credits.
    fn shown(&self, cost: &str, credits: Option<&str>) -> Events {
        let bits = |text: &str| u64::try_from(exact::parse(text)).unwrap();
        let (spent, credited) = (bits(cost), credits.map_or(0, bits));
        assert_eq!(spent & self.credits, 0, "a credit is no cost");
        assert_eq!(credited & !self.credits, 0, "a cost is no credit");
        spent | credited
    }

    /// What events cost, less credits.
    fn net(&self, events: Events) -> i128 {
        i128::from(events & !self.credits) - i128::from(events & self.credits)
    }
}

/// LLM tokens of calls.
fn tokens(calls: Events) -> u32 {
    numbers(calls).iter().map(|nth| nth + 1).sum()
}

/// Where a dimension is shown, each part has the core's events of its value: all that cannot have expired,
/// and perhaps others that have.
fn check_parts(samples: &mut Series, label: &str, all: u32, of: Shown, body: &str) {
    if !samples.keys().any(|name| name.starts_with("llm_dimension_")) {
        return;
    }
    for team in TEAMS {
        let of_team = mask((0..all).map(|nth| team_of(nth) == Some(team)));
        let labels = format!("{{dimension=\"{TEAM}\",value=\"{team}\",org_id=\"{label}\"}}");
        let mut take = |name: &str| samples.remove(&format!("llm_dimension_{name}{labels}"));
        let (cost, credits) = (take("cost_usd_total"), take("cost_usd_credits_total"));
        let events = cost.map_or(0, |cost| of.kinds.shown(&cost, credits.as_deref()));
        let calls = events & of.kinds.calls;
        assert_eq!(events & !(of.shown & of_team), 0, "{labels} has what the core has not: {body}");
        let missing = of.shown & of_team & of.kept & !of.going & !events;
        assert_eq!(missing, 0, "{labels} lacks {:?}: {body}", numbers(missing));
        let requests = take("requests_total").map_or(0, |count| count.parse().unwrap());
        assert_eq!(calls.count_ones(), requests, "{labels}: {body}");
        let told = take("tokens_total").map_or(0, |count| count.parse::<u32>().unwrap());
        assert_eq!(tokens(calls), told, "{labels}: {body}");
        let rolling = take("cost_usd_rolling_24h").map_or(0, |cost| exact::parse(&cost));
        let expected = of.shown & of_team & of.in_window;
        if expected & of.going & of.kinds.credits == 0 {
            // What goes is in the window or not, each by itself.
            let credits = i128::from(expected & of.kinds.credits);
            let rolling = u64::try_from(rolling + credits).unwrap();
            let expected = expected & !of.kinds.credits;
            assert_eq!((rolling ^ expected) & !of.going, 0, "the window of {labels}: {body}");
        }
    }
}

fn event(random: &mut Random) -> Event {
    let micros = |random: &mut Random, most: Micros| {
        Micros::try_from(random.below(most.unsigned_abs())).unwrap()
    };
    let ago = match random.below(10) {
        0..4 => micros(random, 26 * HOUR),
        4..6 => DAY - HOUR + micros(random, 2 * HOUR),
        6..8 => micros(random, 5 * DAY),
        _ => micros(random, 45 * DAY),
    };
    let names = usize::try_from(random.below(NAMES.len() as u64)).unwrap();
    Event { ts: START - ago, names, what: What::Call }
}

/// Which series a spelling is of.
fn series_of(names: usize) -> usize {
    if names == 1 { 0 } else { names }
}

fn mask(events: impl Iterator<Item = bool>) -> Events {
    events.enumerate().filter(|(_, is)| *is).fold(0, |mask, (nth, _)| mask | 1 << nth)
}

/// The numbers of events.
pub fn numbers(events: Events) -> Vec<u32> {
    (0..u64::BITS).filter(|nth| events & (1 << nth) != 0).collect()
}

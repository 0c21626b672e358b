//! A generator of NDJSON events as a gateway logs them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// Number of dates that the events are spread over.
const DATES: u64 = 30;
const DAY_US: u64 = 86_400_000_000;
/// 2026-01-01 in days since 1970.
const FIRST_DAY: u64 = 20_454;
const ORGS: u64 = 200;
/// Provider, model, and prices of an LLM token of input and output in 10⁻¹² dollars.
const MODELS: [(&str, &str, u64, u64); 10] = [
    ("openai", "gpt-4o", 2_500_000, 10_000_000),
    ("anthropic", "claude-sonnet-4-20250514", 3_000_000, 15_000_000),
    ("google", "gemini-2.5-flash", 300_000, 2_500_000),
    ("openai", "gpt-4o-mini", 150_000, 600_000),
    ("mistral", "mistral-large-latest", 2_000_000, 6_000_000),
    ("deepseek", "deepseek-chat", 270_000, 1_100_000),
    ("anthropic", "claude-3-5-haiku-20241022", 800_000, 4_000_000),
    ("openai", "o4-mini", 1_100_000, 4_400_000),
    ("google", "gemini-2.5-pro", 1_250_000, 10_000_000),
    ("openai", "text-embedding-3-small", 20_000, 0),
];
const SOURCES: [&str; 4] = ["gateway", "sdk-python", "sdk-node", "batch"];

/// The order of the events in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By time, as logs are written.
    Time,
    /// No order: each row is of a random date.
    Shuffled,
}

/// Writes this many events, the same ones each time.
pub fn write(path: &Path, events: u64, order: Order) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let (mut random, mut line) = (0x9e37_79b9_7f4a_7c15, String::new());
    for number in 0..events {
        let us = match order {
            Order::Time => number * (DATES * DAY_US / events) + any(&mut random) % 1_000_000,
            Order::Shuffled => any(&mut random) % (DATES * DAY_US),
        };
        line.clear();
        event(&mut line, us.min(DATES * DAY_US - 1), &mut random);
        out.write_all(line.as_bytes()).unwrap();
    }
    out.flush().unwrap();
}

/// Adds the line of an event this many microseconds after the start of the first date.
fn event(line: &mut String, us: u64, random: &mut u64) {
    let skewed = |random: &mut u64, of: u64| any(random) % of * (any(random) % of) / of;
    let pick = |at: u64| usize::try_from(at).unwrap();
    let (provider, model, input_price, output_price) =
        MODELS[pick(skewed(random, MODELS.len() as u64))];
    let input = 20 + skewed(random, 8_000);
    let output = if output_price == 0 { 0 } else { 1 + skewed(random, 1_500) };
    let cached = any(random) % 10 < 6;
    let (high, low) = (any(random), any(random));
    let (second, micros) = (us / 1_000_000, us % 1_000_000);
    let (year, month, day) = civil(FIRST_DAY + second / 86_400);
    let second = second % 86_400;
    write!(
        line,
        r#"{{"event_id":"{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}","org_id":"org-{:04}","ts":"{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z","provider":"{provider}","model":"{model}","input_tokens":{input},"output_tokens":{output}"#,
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff,
        skewed(random, ORGS),
        second / 3_600,
        second / 60 % 60,
        second % 60,
    )
    .unwrap();
    if cached {
        write!(line, r#","cached_input_tokens":{}"#, input * (any(random) % 90) / 100).unwrap();
    }
    let cost = input * input_price + output * output_price;
    let (dollars, rest) = (cost / 1_000_000_000_000, cost % 1_000_000_000_000);
    let rest = format!("{rest:012}");
    let rest = rest.trim_end_matches('0');
    write!(line, r#","cost_usd":{dollars}.{}"#, if rest.is_empty() { "0" } else { rest }).unwrap();
    let source = SOURCES[pick(skewed(random, SOURCES.len() as u64))];
    writeln!(line, r#","source":"{source}"}}"#).unwrap();
}

/// Year, month and day (Hinnant's `civil_from_days`, for days from 1970 on).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// The next pseudo-random number (splitmix64).
fn any(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

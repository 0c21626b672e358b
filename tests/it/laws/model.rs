//! The model of a scrape, computed from the events as sent: whole numbers, plain loops, nothing of
//! the program.

use std::collections::BTreeMap;

use tokenlake::clock::{DAY, Micros};

use crate::support::event::Event;

const UNITS_PER_DOLLAR: i128 = 1_000_000_000_000;

/// All events that were acknowledged.
#[derive(Debug, Default)]
pub struct Model {
    pub rows: Vec<(&'static str, Event)>,
}

/// Requests, LLM tokens, cost and unpriced requests of a series.
type Sums = [i128; 4];

impl Model {
    /// The lines of the groups `core` and `pricing`, without comments.
    pub fn samples(&self, org: &str, now: Micros) -> Vec<String> {
        let mut series: BTreeMap<(String, String), Sums> = BTreeMap::new();
        let mut rolling = 0;
        for (owner, event) in &self.rows {
            let counts = event.event_type.as_deref().is_none_or(|name| name == "api_call");
            if *owner != org || !counts {
                continue;
            }
            let cost = event.cost.as_deref().map(units);
            if now - DAY < event.ts && event.ts <= now {
                rolling += cost.unwrap_or_default();
            }
            if let (Some(provider), Some(model)) = (label(&event.provider), label(&event.model)) {
                let sums = series.entry((provider, model)).or_default();
                sums[0] += 1;
                sums[1] += i128::from(event.input_tokens) + i128::from(event.output_tokens);
                sums[2] += cost.unwrap_or_default();
                sums[3] += i128::from(cost.is_none());
            }
        }
        let org = org.to_lowercase();
        let family = |name: &str, value: &dyn Fn(&Sums) -> String| -> Vec<String> {
            let line = |((provider, model), sums): (&(String, String), &Sums)| {
                let (provider, model) = (escape(provider), escape(model));
                let labels = format!("provider=\"{provider}\",model=\"{model}\",org_id=\"{org}\"");
                format!("{name}{{{labels}}} {}", value(sums))
            };
            series.iter().map(line).collect()
        };
        let mut lines = family("llm_requests_total", &|sums| sums[0].to_string());
        lines.extend(family("llm_tokens_total", &|sums| sums[1].to_string()));
        lines.extend(family("llm_cost_usd_total", &|sums| dollars(sums[2])));
        lines.push(format!("llm_cost_usd_rolling_24h{{org_id=\"{org}\"}} {}", dollars(rolling)));
        lines.extend(family("llm_requests_unpriced_total", &|sums| sums[3].to_string()));
        lines.extend(family("llm_requests_priced_later_total", &|_| "0".to_owned()));
        lines.extend(family("llm_cost_usd_credits_total", &|_| "0".to_owned()));
        lines
    }
}

/// Decimal text with up to 12 places as units of 10⁻¹² dollars.
pub fn units(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: i128 = format!("{fraction:0<12}").parse().unwrap();
    whole.parse::<i128>().unwrap() * UNITS_PER_DOLLAR + fraction
}

fn dollars(units: i128) -> String {
    let text = format!("{}.{:012}", units / UNITS_PER_DOLLAR, units % UNITS_PER_DOLLAR);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The label for a name; `None` where it is unknown.
fn label(name: &Option<String>) -> Option<String> {
    let name = name.as_deref()?.trim().to_lowercase().replace('\0', "\u{FFFD}");
    (!name.is_empty() && name != "unknown").then_some(name)
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

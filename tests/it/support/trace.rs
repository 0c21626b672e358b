//! 19,366 production calls of one hour: the Azure LLM inference trace of conversations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime};

use super::exact;
use super::process::passed_over;
use super::scrape::Series;

/// One of them in capitals: labels are lower case.
const MODELS: [&str; 5] = ["gpt-4o", "gpt-4o-mini", "GPT-4-Turbo", "o1", "o3-mini"];
/// 10^-12 dollars for a token in and a token out.
const PRICES: (i128, i128) = (2_500_000, 10_000_000);

/// One call, priced for an organisation.
#[derive(Debug, Clone)]
pub struct Call {
    pub event_id: String,
    pub ts_us: i64,
    pub model: &'static str,
    pub input: i128,
    pub output: i128,
    /// In 10^-12 dollars.
    pub cost: i128,
}

/// The calls; `None`, and a word about it, where the file is not here.
pub fn load() -> Option<Vec<Call>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let Ok(text) = std::fs::read_to_string(folder.join("AzureLLMInferenceTrace_conv.csv")) else {
        passed_over("../shared is not here");
        return None;
    };
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("TIMESTAMP,ContextTokens,GeneratedTokens"));
    let calls: Vec<_> = lines.enumerate().map(|(number, line)| Call::read(number, line)).collect();
    assert_eq!(calls.len(), 19_366);
    Some(calls)
}

impl Call {
    fn read(number: usize, line: &str) -> Self {
        let mut columns = line.split(',');
        let mut column = || columns.next().unwrap();
        let ts = NaiveDateTime::parse_from_str(column(), "%Y-%m-%d %H:%M:%S%.f").unwrap();
        let (input, output): (i128, i128) = (column().parse().unwrap(), column().parse().unwrap());
        // The last term makes use of all twelve places.
        let cost = input * PRICES.0 + output * PRICES.1 + i128::try_from(number % 1_000).unwrap();
        let model = MODELS[usize::try_from((input + output) % 5).unwrap()];
        let event_id = format!("azure-{number}");
        Self { event_id, ts_us: ts.and_utc().timestamp_micros(), model, input, output, cost }
    }

    fn write(&self, lines: &mut String) {
        let ts = DateTime::from_timestamp_micros(self.ts_us).unwrap().to_rfc3339();
        writeln!(
            lines,
            r#"{{"event_id":"{}","ts":"{ts}","provider":"Azure","model":"{}","input_tokens":{},"output_tokens":{},"cost_usd":"{}"}}"#,
            self.event_id,
            self.model,
            self.input,
            self.output,
            exact::format(self.cost)
        )
        .unwrap();
    }
}

/// A body of NDJSON.
pub fn ndjson(calls: &[Call]) -> String {
    let mut lines = String::new();
    calls.iter().for_each(|call| call.write(&mut lines));
    lines
}

/// What a scrape must show once these calls are in: plain sums, call by call.
pub fn expected(org: &str, calls: &[Call], rolling: i128) -> Series {
    let mut sums: BTreeMap<String, (i128, i128, i128)> = BTreeMap::new();
    for call in calls {
        let sum = sums.entry(call.model.to_lowercase()).or_default();
        *sum = (sum.0 + 1, sum.1 + call.input + call.output, sum.2 + call.cost);
    }
    let mut series = Series::new();
    for (model, (requests, tokens, cost)) in sums {
        let labels = format!(r#"{{provider="azure",model="{model}",org_id="{org}"}}"#);
        series.insert(format!("llm_requests_total{labels}"), requests.to_string());
        series.insert(format!("llm_tokens_total{labels}"), tokens.to_string());
        series.insert(format!("llm_cost_usd_total{labels}"), exact::format(cost));
    }
    let gauge = format!(r#"llm_cost_usd_rolling_24h{{org_id="{org}"}}"#);
    series.insert(gauge, exact::format(rolling));
    series
}

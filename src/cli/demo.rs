//! The command `tokenlake demo`: a small archive to try out.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use fastrand::Rng;

use super::print::print_result;
use super::serve_args::ServeArgs;
use super::{key, open, serve, signals};
use crate::access::{NewKey, Scopes};
use crate::app::App;
use crate::archive::ArchiveLocation;
use crate::clock::{Micros, SECOND};
use crate::event::OrgId;
use crate::ingest::ContentKind;

/// The organisation whose key is printed, and another that it must not see.
const ORGS: [&str; 2] = ["acme", "globex"];
const EVENTS: u64 = 1_500;
/// The events are spread over the last 26 hours, so that some have left the rolling window.
const SPACING: Micros = 62 * SECOND;
const KEY_VALID: Duration = Duration::from_secs(24 * 3_600);

/// A model with its price for a thousand LLM tokens in and out, in 10⁻⁹ dollars.
const MODELS: [(&str, &str, u64, u64); 5] = [
    ("openai", "gpt-4o", 2_500_000, 10_000_000),
    ("openai", "gpt-4o-mini", 150_000, 600_000),
    ("anthropic", "claude-sonnet-4", 3_000_000, 15_000_000),
    ("anthropic", "claude-haiku-4", 800_000, 4_000_000),
    ("google", "gemini-2.5-flash", 300_000, 2_500_000),
];

/// Fills an empty archive, prints a key and a curl line, and serves.
pub(super) async fn run(location: &ArchiveLocation, args: ServeArgs) -> anyhow::Result<ExitCode> {
    signals::end_well();
    let listeners = serve::listen(&args).await?;
    let app = serve::start(location, &args).await?;
    let clock = open::clock();
    if app.archive().current().file_count() == 0 {
        for org in ORGS {
            fill(&app, &OrgId::parse(org)?, clock.now()).await?;
        }
    }
    let new = NewKey {
        org_id: OrgId::parse(ORGS[0])?,
        scopes: Scopes::or_usual(Vec::new()),
        name: Some("demo".to_owned()),
        expires_at_us: Some(key::expiry(clock.as_ref(), KEY_VALID)?),
        bound: None,
    };
    let key = app.keys().create(new).await?;
    print_result(key.reveal());
    print_result(&format!(
        "curl -H 'Authorization: Bearer {}' {}/metrics",
        key.reveal(),
        listeners.http.url()?
    ));
    serve::serve(location, app, listeners, &args).await
}

async fn fill(app: &App, org_id: &OrgId, now: Micros) -> anyhow::Result<()> {
    let body = events(org_id, now);
    let decoded = app.decode(org_id, &ContentKind::Ndjson, body.as_bytes())?;
    let receipt = app.commit(org_id, decoded).await?;
    anyhow::ensure!(
        receipt.rejected.is_empty(),
        "the demo's own events were rejected: {:?}",
        receipt.rejected
    );
    Ok(())
}

/// The same events each time, except for their times.
fn events(org_id: &OrgId, now: Micros) -> String {
    let mut lines = String::new();
    let mut random = Rng::with_seed(org_id.as_str().bytes().map(u64::from).sum());
    for (number, (provider, model, price_in, price_out)) in (0..EVENTS).zip(MODELS.iter().cycle()) {
        let (input, output) = (random.u64(200..8_119), random.u64(20..1_243));
        let nano_dollars = (input * price_in + output * price_out) / 1_000;
        let ts = now - SPACING * i64::try_from(EVENTS - number).unwrap_or(0);
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            r#"{{"event_id":"demo-{number}","ts":{ts},"provider":"{provider}","model":"{model}","input_tokens":{input},"output_tokens":{output},"cost_usd":"{}.{:09}"}}"#,
            nano_dollars / 1_000_000_000,
            nano_dollars % 1_000_000_000,
        );
    }
    lines
}

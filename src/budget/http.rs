//! Sends messages over HTTP, to what the operator allows and to nothing else.
//!
//! A name is resolved once for each try, and the connection goes to one of the addresses that were
//! found, so that a name that changes meanwhile changes nothing. Redirects are not followed, and no
//! proxy of the environment is asked.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, redirect};

use super::attempt::TryOutcome;
use super::message::Message;
use super::stored::Budget;
use super::target::{AllowedTargets, Target, TargetError};
use super::webhooks::Webhooks;
use crate::clock::{Clock, Micros, SECOND};

/// How long a try may take in all.
const TRY_WAIT: Duration = Duration::from_secs(15);
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Sends messages over HTTP.
#[derive(Debug)]
pub struct HttpWebhooks {
    allowed: AllowedTargets,
    clock: Arc<dyn Clock>,
}

impl HttpWebhooks {
    /// Sends to what is allowed.
    pub fn new(allowed: AllowedTargets, clock: Arc<dyn Clock>) -> Self {
        Self { allowed, clock }
    }

    /// What is allowed.
    pub fn allowed(&self) -> &AllowedTargets {
        &self.allowed
    }

    async fn try_once(&self, budget: &Budget, message: &Message) -> Result<TryOutcome, String> {
        let target = &budget.definition.webhook;
        self.allowed.check(target).map_err(|error| error.to_string())?;
        let addresses = addresses(target).await.map_err(|error| error.to_string())?;
        let client = client(target, &addresses).map_err(|error| reason(&error))?;
        let now = self.clock.now();
        let timestamp = now.div_euclid(SECOND);
        let sign = |secret: &super::secret::WebhookSecret| {
            secret.sign(&message.id, timestamp, message.body.as_bytes())
        };
        let signatures: Vec<_> = budget.secrets(now).map(sign).collect();
        let request = client
            .post(target.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signatures.join(" "))
            .body(message.body.clone());
        // Its body says nothing that is needed, so it is not read.
        let answer = request.send().await.map_err(|error| reason(&error))?;
        let retry_after = retry_after(answer.headers(), now);
        Ok(TryOutcome::of_status(answer.status().as_u16(), retry_after))
    }
}

#[async_trait]
impl Webhooks for HttpWebhooks {
    async fn send(&self, budget: &Budget, message: &Message) -> TryOutcome {
        let tried = tokio::time::timeout(TRY_WAIT, self.try_once(budget, message)).await;
        let failed = |reason| TryOutcome::Failed { reason, retry_after: None };
        match tried {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(reason)) => failed(reason),
            Err(_) => failed(format!("no answer within {} s", TRY_WAIT.as_secs())),
        }
    }
}

/// The addresses of a target that may be reached.
async fn addresses(target: &Target) -> Result<Vec<SocketAddr>, TargetError> {
    // One that is written out is allowed as it is.
    if let Some(address) = target.address() {
        return Ok(vec![SocketAddr::new(address, target.port())]);
    }
    let host = target.host().to_string();
    let found = tokio::net::lookup_host((host.as_str(), target.port())).await;
    let found =
        found.map_err(|error| TargetError::Unresolved(target.place(), error.to_string()))?;
    let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    target.reachable(&found)
}

/// A client whose connections go to these addresses, of the one target.
fn client(target: &Target, addresses: &[SocketAddr]) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WAIT)
        .timeout(TRY_WAIT)
        .user_agent(concat!("tokenlake/", env!("CARGO_PKG_VERSION")));
    builder.resolve_to_addrs(&target.host().to_string(), addresses).build()
}

/// How long the receiver asks to wait: seconds, or until a date.
fn retry_after(headers: &HeaderMap, now: Micros) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_secs(u64::try_from(now.div_euclid(SECOND)).ok()?);
    Some(at.saturating_sub(now))
}

/// An error with its causes, without the URL, which is as good as a password.
fn reason(error: &reqwest::Error) -> String {
    let mut text = match error {
        error if error.is_timeout() => "no answer in time".to_owned(),
        error if error.is_connect() => "no connection".to_owned(),
        _ => "no answer".to_owned(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

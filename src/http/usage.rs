//! `GET /v1/usage`: one organisation's usage by time and group.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;

use super::answers::HeldUntilSent;
use super::error::HttpError;
use super::observe::observed;
use super::request::{ORG, caller_naming, joined, named_orgs, within};
use super::shared::Shared;
use super::shares::{Reserved, Turn};
use crate::access::Scope;
use crate::app::{UsageAnswer, UsageForm};
use crate::clock::Micros;
use crate::event::{OrgId, excerpt};
use crate::exposition::Coding;
use crate::sql::RowFormat;
use crate::usage::{AskedUsage, UsageError, UsageQuestion};

/// The path.
pub(super) const PATH: &str = "/v1/usage";
/// The header that lists what `group_by` may name, for clients that let people choose.
const GROUPS: HeaderName = HeaderName::from_static("tokenlake-group-by");
/// How long a part of an answer may take.
const PART_WAIT: Duration = Duration::from_millis(9_500);
/// Memory for what is made before its size is known.
const FIRST_BYTES: usize = 256 * 1024;
/// The parameters.
const NAMES: [&str; 6] = ["from", "to", "step", "timezone", "group_by", "format"];

/// `GET` and `HEAD /v1/usage`.
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let work = answered(&shared, query.as_deref().unwrap_or_default(), &headers);
    observed(shared.app.telemetry(), PATH, &method, work).await
}

async fn answered(
    shared: &Arc<Shared>,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response, HttpError> {
    let begun = async {
        let orgs = named_orgs(Some(query));
        let caller = caller_naming(&shared.app, headers, Scope::MetricsRead, &orgs).await?;
        let (question, format) = asked(query, shared.app.now())?;
        let coding = Coding::negotiate(joined(headers, ACCEPT_ENCODING).as_deref());
        let form = UsageForm { format, coding };
        let turn = shared.usages.begin(&caller.org_id)?;
        let memory = shared.answers.reserve(&caller.org_id, FIRST_BYTES).await?;
        let answer = Box::pin(shared.app.usage(&caller, &question, form)).await?;
        let (shared, org_id) = (shared.clone(), caller.org_id.clone());
        Ok((form, Sending { answer, shared, org_id, memory: vec![memory], turn }))
    };
    let (form, mut sending) = within(PART_WAIT, begun).await?;
    let groups = HeaderValue::from_str(&sending.answer.group_names().join(", "));
    let mut response = match sending.answer.whole() {
        Some(whole) => {
            sending.hold(whole.len()).await?;
            let Sending { memory, turn, .. } = sending;
            HeldUntilSent::new((memory, turn)).until_taken(Response::new(Body::from(whole)))
        }
        None => {
            sending.hold(sending.answer.bytes()).await?;
            // An error in the stream ends the connection before the body is complete, so that the
            // client notices.
            Response::new(Body::from_stream(sending.into_stream()))
        }
    };
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(form.format.content_type()));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Names of groups are lower-case letters.
    if let Ok(groups) = groups {
        answer.insert(GROUPS, groups);
    }
    answer.insert(VARY, HeaderValue::from_static("Accept-Encoding, Authorization"));
    if let Some(coding) = form.coding.name() {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    Ok(response)
}

/// An answer that is being sent, with what it holds meanwhile.
struct Sending {
    answer: UsageAnswer,
    shared: Arc<Shared>,
    org_id: OrgId,
    memory: Vec<Reserved>,
    turn: Turn,
}

impl Sending {
    /// Reserves what `bytes` take beyond what is reserved.
    async fn hold(&mut self, bytes: usize) -> Result<(), HttpError> {
        let held: usize = self.memory.iter().map(Reserved::bytes).sum();
        if bytes > held {
            self.memory.push(self.shared.answers.reserve(&self.org_id, bytes - held).await?);
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let part = async { Ok(self.answer.next().await?) };
        let part = within(PART_WAIT, part).await?;
        self.hold(self.answer.bytes()).await?;
        Ok(part)
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
        futures::stream::unfold(Some(self), |sending| async move {
            let mut sending = sending?;
            match sending.next().await {
                Ok(part) => Some((Ok(part?), Some(sending))),
                Err(_) => {
                    tracing::warn!("an answer about usage broke off");
                    Some((Err(std::io::Error::other("the answer broke off")), None))
                }
            }
        })
    }
}

/// What is asked by the query of a URL, and the format of its answer.
fn asked(query: &str, now: Micros) -> Result<(UsageQuestion, RowFormat), UsageError> {
    let mut values: [Option<String>; NAMES.len()] = Default::default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    for (name, value) in pairs.filter(|(name, _)| name != ORG) {
        // What is misspelled would go unnoticed.
        let known = NAMES.iter().zip(&mut values).find(|(known, _)| **known == name);
        let (known, known_value) = known.ok_or_else(|| UsageError::Parameter(excerpt(&name)))?;
        if known_value.replace(value.into_owned()).is_some() {
            return Err(UsageError::Repeated(known));
        }
    }
    let [from, to, step, timezone, group_by, format] = &values;
    let format = match format.as_deref() {
        None | Some("json") => RowFormat::Json,
        Some("csv") => RowFormat::Csv,
        Some(other) => return Err(UsageError::Format(excerpt(other))),
    };
    let [from, to, step, timezone, group_by] =
        [from, to, step, timezone, group_by].map(Option::as_deref);
    Ok((UsageQuestion::read(AskedUsage { from, to, step, timezone, group_by }, now)?, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_known_and_sent_once() {
        let of =
            |query| asked(query, 0).map(|(_, format)| format).map_err(|error| error.to_string());
        assert_eq!(of(""), Ok(RowFormat::Json));
        assert_eq!(
            of("format=csv&step=day&timezone=Asia%2FKolkata&group_by=model"),
            Ok(RowFormat::Csv)
        );
        for (query, reason) in [
            ("format=xml", "unknown format"),
            ("tz=UTC", "unknown parameter \"tz\""),
            ("step=day&step=day", "step is sent twice"),
            ("step=", "unknown step"),
        ] {
            let error = of(query).unwrap_err();
            assert!(error.contains(reason), "{query}: {error}");
        }
    }
}

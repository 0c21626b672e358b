//! The steps that all requests with a body share: authentication, a turn of the organisation, the
//! time limit for storage and, if a request is refused, reading the rest of its body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::EXPECT;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, post};
use tokio::time::Instant;

use super::body::drain;
use super::error::HttpError;
use super::observe::observed;
use super::request::{caller, within};
use super::shared::Shared;
use super::shares::{Turn, Turns};
use crate::access::{Caller, Scope};

/// How long a request may wait for storage, so that it is answered within ten seconds.
const STORE_WAIT: Duration = Duration::from_millis(9_500);

/// An endpoint whose requests have a body.
pub(super) trait Endpoint: Copy + Send + Sync + 'static {
    /// What its callers must be allowed.
    const SCOPE: Scope;

    /// The route's pattern, under which its requests are counted.
    fn path(self) -> &'static str;

    /// The turns of which a request takes one.
    fn turns(shared: &Shared) -> &Turns;

    /// Answers a request.
    fn answer(
        self,
        request: Request<'_>,
    ) -> impl Future<Output = Result<Response, HttpError>> + Send;

    /// Says why a request is refused.
    fn refusal(self, _headers: &HeaderMap, error: HttpError) -> Response {
        error.into_response()
    }
}

/// A request of a caller who may make it.
pub(super) struct Request<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) headers: &'a HeaderMap,
    /// Not read yet.
    pub(super) body: &'a mut Body,
    pub(super) caller: Arc<Caller>,
    /// To be held until the answer was taken.
    pub(super) turn: Turn,
    pub(super) store_wait: StoreWait,
}

/// The rest of the time that a request may wait for storage. The time in which its client sends the
/// body does not count.
pub(super) struct StoreWait {
    left: Duration,
}

impl StoreWait {
    fn new() -> Self {
        Self { left: STORE_WAIT }
    }

    /// The result of `work`, if it comes in the time that is left.
    pub(super) async fn within<T>(
        &mut self,
        work: impl Future<Output = Result<T, HttpError>>,
    ) -> Result<T, HttpError> {
        let start = Instant::now();
        let done = within(self.left, work).await;
        self.left = self.left.saturating_sub(start.elapsed());
        done
    }
}

/// The route of an endpoint.
pub(super) fn route<E: Endpoint>(endpoint: E) -> MethodRouter<Arc<Shared>> {
    post(move |State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body| {
        handle(endpoint, shared, headers, body)
    })
}

async fn handle<E: Endpoint>(
    endpoint: E,
    shared: Arc<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // The client sent `Expect: 100-continue`; reading the body would send the 100.
    let asks_first = headers.contains_key(EXPECT);
    let work = async {
        let mut body = body;
        match answered(endpoint, &shared, &headers, &mut body).await {
            Ok(response) => response,
            Err(error) => {
                if !asks_first {
                    drain(body, &error).await;
                }
                endpoint.refusal(&headers, error)
            }
        }
    };
    observed(shared.app.telemetry(), endpoint.path(), &Method::POST, work).await
}

async fn answered<E: Endpoint>(
    endpoint: E,
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<Response, HttpError> {
    let mut store_wait = StoreWait::new();
    let caller = store_wait.within(caller(&shared.app, headers, E::SCOPE)).await?;
    let turn = E::turns(shared).begin(&caller.org_id)?;
    endpoint.answer(Request { shared, headers, body, caller, turn, store_wait }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_one_step_waits_is_taken_from_the_next() {
        let mut wait = StoreWait::new();
        let step = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(())
        };
        wait.within(step(4)).await.unwrap();
        // The client sends its body.
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(wait.left, Duration::from_millis(5_500));
        wait.within(step(5)).await.unwrap();
        assert!(wait.within(step(1)).await.unwrap_err().is_unavailable());
    }
}

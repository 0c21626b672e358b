//! Reading request bodies, within bounds.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::error::{HttpError, plain};

/// What is read of a refused body, and for how long.
const DRAINED_BYTES_MAX: usize = 128 << 20;
const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// How long a client may take to send its body.
const BODY_WAIT: Duration = Duration::from_secs(60);

/// Reads a body; one that is longer is refused with `too_large`.
pub(super) async fn read(
    body: &mut Body,
    bytes_max: usize,
    too_large: impl FnOnce() -> HttpError,
) -> Result<Bytes, HttpError> {
    let collected = tokio::time::timeout(BODY_WAIT, Limited::new(body, bytes_max).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            Err(plain(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}")))
        }
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "the body took more than a minute")),
    }
}

/// Reads what is left of a refused body, up to a bound. A client that sends all of its request
/// before it reads would else find the connection reset, and never see why it was refused.
pub(super) async fn drain(mut body: Body) {
    let read = async {
        let mut left = DRAINED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(bytes);
            if left == 0 {
                return;
            }
        }
    };
    // A client that is too slow for this is cut off, as one that sends too much is.
    let _ = tokio::time::timeout(DRAIN_WAIT, read).await;
}

//! Reading request bodies, within bounds.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::Instant;

use super::error::{HttpError, plain};
use crate::telemetry::Telemetry;

/// How much of a refused body is read, and for how long.
const DRAINED_BYTES_MAX: usize = 128 << 20;
const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// How long a client may take to send its body.
const BODY_WAIT: Duration = Duration::from_secs(60);
/// After this time, a body that arrives more slowly than `BYTES_PER_SECOND_MIN` is abandoned,
/// because it holds the memory that was reserved for its announced length.
const GRACE: Duration = Duration::from_secs(5);
const BYTES_PER_SECOND_MIN: u64 = 16 * 1024;
/// Memory allocated before the first bytes arrive.
const FIRST_BYTES_MAX: usize = 64 * 1024;

/// Reads a body. One longer than `bytes_max` is refused with `too_large`.
pub(super) async fn read(
    telemetry: &Telemetry,
    body: &mut Body,
    bytes_max: usize,
    too_large: impl FnOnce() -> HttpError,
) -> Result<Bytes, HttpError> {
    let (start, mut body) = (Instant::now(), Limited::new(body, bytes_max));
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    // Copied into one buffer: bytes that arrive one by one would otherwise each hold a buffer.
    let mut bytes = Vec::with_capacity(announced.min(FIRST_BYTES_MAX));
    loop {
        match tokio::time::timeout_at(start + patience(bytes.len()), body.frame()).await {
            Ok(None) => return Ok(bytes.into()),
            Ok(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&[][..], Bytes::as_ref);
                make_room(&mut bytes, data.len(), announced);
                bytes.extend_from_slice(data);
            }
            Ok(Some(Err(error))) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Some(Err(error))) => {
                let message = format!("the body broke off: {error}");
                return Err(plain(StatusCode::BAD_REQUEST, &message));
            }
            Err(_) => {
                telemetry.overload.slow_bodies.inc();
                let message = "the body arrives too slowly; send smaller bodies";
                return Err(plain(StatusCode::REQUEST_TIMEOUT, message));
            }
        }
    }
}

/// Grows the buffer to twice its size, but not beyond the announced length, for which memory was
/// reserved.
fn make_room(bytes: &mut Vec<u8>, more: usize, announced: usize) {
    let needed = bytes.len().saturating_add(more);
    if needed > bytes.capacity() {
        let usual = bytes.capacity().saturating_mul(2);
        let room = if needed <= announced { usual.min(announced) } else { usual };
        bytes.reserve_exact(room.max(needed) - bytes.len());
    }
}

/// The time limit, from the body's start, while `bytes` of it have arrived.
fn patience(bytes: usize) -> Duration {
    let seconds = u64::try_from(bytes).unwrap_or(u64::MAX) / BYTES_PER_SECOND_MIN;
    BODY_WAIT.min(GRACE + Duration::from_secs(seconds))
}

/// Reads the rest of a refused body, up to a limit. Otherwise a client that sends its whole request
/// before it reads would find the connection reset, and never see the refusal. A client that was
/// already too slow is not waited for again.
pub(super) async fn drain(mut body: Body, error: &HttpError) {
    if error.is_timeout() {
        return;
    }
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
    // A client that is too slow for this is cut off, as is one that sends too much.
    let _ = tokio::time::timeout(DRAIN_WAIT, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_no_more_than_it_announced() {
        let (mut bytes, part) = (Vec::with_capacity(FIRST_BYTES_MAX), [b'x'; 10_000]);
        let announced = 17 * FIRST_BYTES_MAX + 1;
        while bytes.len() < announced {
            let part = part.split_at(part.len().min(announced - bytes.len())).0;
            make_room(&mut bytes, part.len(), announced);
            bytes.extend_from_slice(part);
            assert!(bytes.capacity() <= announced, "{}", bytes.capacity());
        }
        make_room(&mut bytes, 1, 0);
        assert_eq!(bytes.capacity(), 2 * announced, "of others it grows by leaps");
    }
}

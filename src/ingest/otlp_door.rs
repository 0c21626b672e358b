//! The doors of OTLP over HTTP: traces, logs, and metrics, which are answered and not counted.

use super::content::ContentKind;
use super::door::{Answer, Door, Headers};
use super::error::IngestError;
use super::limits::EVENTS_MAX;
use super::otlp::{self, CallSink, Encoding, Kept, OtlpSignal};
use super::receipt::Receipt;
use crate::event::{EventBatchBuilder, NamedValue, excerpt};
use crate::media::ContentType;

/// The status of a request that was taken, be it without a good record: exporters must not send the
/// batch again.
const OK: u16 = 200;

/// Rejected records whose reasons are told.
const REASONS_MAX: usize = 5;

/// The door of a signal.
#[derive(Debug)]
pub(super) struct Otlp(pub(super) OtlpSignal);

impl Door for Otlp {
    fn path(&self) -> &'static str {
        match self.0 {
            OtlpSignal::Traces => "/v1/traces",
            OtlpSignal::Logs => "/v1/logs",
            OtlpSignal::Metrics => "/v1/metrics",
        }
    }

    fn kind(&self, headers: &dyn Headers) -> Result<ContentKind, IngestError> {
        let encoding = encoding(headers).ok_or_else(|| {
            let sent = headers.get("content-type").unwrap_or_default();
            IngestError::UnsupportedType {
                sent: excerpt(&String::from_utf8_lossy(sent)),
                accepted: "application/x-protobuf or application/json".to_owned(),
            }
        })?;
        Ok(ContentKind::Otlp(self.0, encoding))
    }

    fn answer(
        &self,
        headers: &dyn Headers,
        receipt: &Receipt,
    ) -> Result<Answer, serde_json::Error> {
        let encoding = encoding(headers).unwrap_or(Encoding::Json);
        let body = otlp::accepted(self.0, encoding, receipt.rejected(), &reasons(receipt));
        Ok(Answer::of(OK, encoding.content_type(), body))
    }

    fn refusal(&self, headers: &dyn Headers, status: u16, message: &str) -> Answer {
        let encoding = encoding(headers).unwrap_or(Encoding::Json);
        let body = otlp::failed(encoding, status, message);
        Answer::of(otlp::status(status), encoding.content_type(), body)
    }
}

/// By the content type; none if it is of neither.
fn encoding(headers: &dyn Headers) -> Option<Encoding> {
    let sent = String::from_utf8_lossy(headers.get("content-type").unwrap_or_default());
    let content_type = ContentType::of(&sent);
    let is = |name: &str| content_type.is(name);
    if is("application/x-protobuf") || is("application/protobuf") {
        Some(Encoding::Protobuf)
    } else {
        (is("application/json") && content_type.is_utf8()).then_some(Encoding::Json)
    }
}

/// What is wrong with the first rejected records.
pub(super) fn reasons(receipt: &Receipt) -> String {
    let named = receipt.rejected.iter().take(REASONS_MAX);
    let mut reasons: Vec<_> =
        named.map(|rejection| format!("record {}: {}", rejection.index, rejection.error)).collect();
    let more = receipt.rejected().saturating_sub(reasons.len());
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    reasons.join("; ")
}

/// Reads the calls of a request.
pub(super) fn decode(
    signal: OtlpSignal,
    encoding: Encoding,
    body: &[u8],
    kept: &Kept<'_>,
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let mut events = BatchSink { builder, count: 0 };
    otlp::read(signal, encoding, body, kept, &mut events).map_err(IngestError::NotOtlp)?;
    if events.count > EVENTS_MAX { Err(IngestError::TooManyEvents) } else { Ok(()) }
}

/// Adds events to a batch, up to [`EVENTS_MAX`].
struct BatchSink<'b> {
    builder: &'b mut EventBatchBuilder,
    count: usize,
}

impl CallSink for BatchSink<'_> {
    fn event(&mut self, index: usize, fields: &[NamedValue<'_>]) {
        self.count += 1;
        if self.count <= EVENTS_MAX {
            self.builder.push(index, fields);
        }
    }

    fn reject(&mut self, index: usize, reason: String) {
        self.builder.reject(index, None, reason);
    }

    fn dropped(&mut self, attributes: usize) {
        self.builder.attributes_dropped(attributes);
    }

    fn again(&mut self) {
        self.builder.clear();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Rejection;

    struct Type(&'static str);

    impl Headers for Type {
        fn get(&self, name: &str) -> Option<&[u8]> {
            (name == "content-type").then_some(self.0.as_bytes())
        }
    }

    #[test]
    fn a_request_is_answered_in_its_own_encoding() {
        for (sent, encoding) in [
            ("application/x-protobuf", Some(Encoding::Protobuf)),
            ("Application/Protobuf; x=y", Some(Encoding::Protobuf)),
            ("application/json; charset=UTF-8", Some(Encoding::Json)),
            ("application/json; charset=latin1", None),
            ("text/plain", None),
            ("", None),
        ] {
            let kind = Otlp(OtlpSignal::Logs).kind(&Type(sent));
            let expected = encoding.map(|encoding| ContentKind::Otlp(OtlpSignal::Logs, encoding));
            assert_eq!(kind.ok(), expected, "{sent}");
            let refusal = Otlp(OtlpSignal::Logs).refusal(&Type(sent), 415, "no");
            let content_type = encoding.unwrap_or(Encoding::Json).content_type();
            assert_eq!((refusal.status, refusal.content_type), (415, content_type), "{sent}");
        }
    }

    #[test]
    fn a_request_of_which_nothing_is_good_is_taken_all_the_same() {
        let one = |index| Rejection { index, event_id: None, error: "bad".to_owned() };
        let receipt = Receipt::new(0, 0, (0..6).map(one).collect(), 1);
        let answer = Otlp(OtlpSignal::Traces).answer(&Type("application/json"), &receipt).unwrap();
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200);
        assert!(body.contains(r#""rejectedSpans":"7""#), "{body}");
        assert!(body.contains("record 0: bad; ") && body.contains("; and 2 more\""), "{body}");
    }
}

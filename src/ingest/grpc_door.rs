//! The doors of OTLP over gRPC, which are those over HTTP in frames.

use bytes::Bytes;

use super::content::ContentKind;
use super::door::{Answer, Door, Headers};
use super::error::IngestError;
use super::grpc;
use super::otlp::{self, Encoding, OtlpSignal};
use super::otlp_door::reasons;
use super::receipt::Receipt;
use crate::event::excerpt;
use crate::media::ContentType;

/// The status of HTTP of every call.
const OK: u16 = 200;

/// The status of HTTP for what is compressed in a way that nobody undoes.
const UNSUPPORTED: u16 = 415;

/// What gRPC says of that.
const UNIMPLEMENTED: u8 = 12;

/// How messages may be compressed.
const ENCODINGS: &str = "identity,gzip,zstd";

const CONTENT_TYPE: &str = "application/grpc";

/// The method `Export` of a signal's service.
#[derive(Debug)]
pub(super) struct Grpc(pub(super) OtlpSignal);

impl Door for Grpc {
    fn path(&self) -> &'static str {
        match self.0 {
            OtlpSignal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            OtlpSignal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            OtlpSignal::Metrics => {
                "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
            }
        }
    }

    fn kind(&self, headers: &dyn Headers) -> Result<ContentKind, IngestError> {
        let sent = String::from_utf8_lossy(headers.get("content-type").unwrap_or_default());
        let content_type = ContentType::of(&sent);
        if content_type.is(CONTENT_TYPE) || content_type.is("application/grpc+proto") {
            return Ok(ContentKind::Otlp(self.0, Encoding::Protobuf));
        }
        let accepted = CONTENT_TYPE.to_owned();
        Err(IngestError::UnsupportedType { sent: excerpt(&sent), accepted })
    }

    fn message(
        &self,
        headers: &dyn Headers,
        body: Bytes,
    ) -> Result<(Bytes, Option<String>), IngestError> {
        let encoding = headers.get("grpc-encoding").and_then(|value| str::from_utf8(value).ok());
        grpc::message(body, encoding)
    }

    fn answer(&self, _: &dyn Headers, receipt: &Receipt) -> Result<Answer, serde_json::Error> {
        let (rejected, reasons) = (receipt.rejected(), reasons(receipt));
        let message = otlp::accepted(self.0, Encoding::Protobuf, rejected, &reasons);
        let body = grpc::framed(&message);
        Ok(Answer { status: OK, content_type: CONTENT_TYPE, body, trailers: grpc::worked() })
    }

    fn refusal(&self, _: &dyn Headers, status: u16, message: &str) -> Answer {
        let trailers = if status == UNSUPPORTED {
            let encodings = ("grpc-accept-encoding", ENCODINGS.to_owned());
            [grpc::failed(UNIMPLEMENTED, message), vec![encodings]].concat()
        } else {
            grpc::failed(otlp::code(otlp::status(status)), message)
        };
        Answer { status: OK, content_type: CONTENT_TYPE, body: Vec::new(), trailers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoHeaders;

    impl Headers for NoHeaders {
        fn get(&self, _: &str) -> Option<&[u8]> {
            None
        }
    }

    #[test]
    fn an_unknown_compression_is_not_implemented_and_the_known_ones_are_told() {
        let answer = Grpc(OtlpSignal::Traces).refusal(&NoHeaders, 415, "no deflate");
        let [status, message, encodings] = answer.trailers.try_into().unwrap();
        assert_eq!(status, ("grpc-status", "12".to_owned()));
        assert_eq!(message, ("grpc-message", "no deflate".to_owned()));
        assert_eq!(encodings, ("grpc-accept-encoding", "identity,gzip,zstd".to_owned()));
        assert_eq!(Grpc(OtlpSignal::Traces).refusal(&NoHeaders, 400, "no").trailers.len(), 2);
    }
}

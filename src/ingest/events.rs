//! `/v1/events`: tokenlake's own JSON, and CloudEvents, in any of their modes.

use bytes::Bytes;

use super::door::{Answer, Door, Headers};
use super::{BinaryCloudEvent, ContentKind, IngestError, Receipt};
use crate::event::excerpt;
use crate::media::{ContentType, one_of};

const OK: u16 = 200;
const UNPROCESSABLE: u16 = 422;

/// The media types of bodies. The first of each kind is the one that senders are told.
static TYPES: [(&[&str], ContentKind); 4] = [
    (&["application/json"], ContentKind::Json),
    (&["application/x-ndjson", "application/ndjson", "application/jsonl"], ContentKind::Ndjson),
    (&["application/cloudevents+json"], ContentKind::CloudEvent),
    (&["application/cloudevents-batch+json"], ContentKind::CloudEventBatch),
];

/// The door of tokenlake's own events.
#[derive(Debug)]
pub(super) struct Events;

impl Door for Events {
    fn path(&self) -> &'static str {
        "/v1/events"
    }

    fn kind(&self, headers: &dyn Headers) -> Result<ContentKind, IngestError> {
        let sent = headers.get("content-type").unwrap_or_default();
        let sent = String::from_utf8_lossy(sent);
        match cloud_event(headers) {
            None => of_content_type(&sent),
            Some(event) => of_cloud_event(&sent, event),
        }
    }

    fn answer(&self, _: &dyn Headers, receipt: &Receipt) -> Result<Answer, serde_json::Error> {
        let status = if receipt.is_all_rejected() { UNPROCESSABLE } else { OK };
        let body = serde_json::to_vec(receipt)?;
        Ok(Answer::of(status, "application/json", body))
    }

    fn refusal(&self, _: &dyn Headers, status: u16, message: &str) -> Answer {
        Answer::error(status, message)
    }
}

/// In any case and with any parameters, as long as a `charset` is UTF-8.
fn of_content_type(sent: &str) -> Result<ContentKind, IngestError> {
    let content_type = ContentType::of(sent);
    let known = TYPES.iter().find(|(names, _)| names.iter().any(|name| content_type.is(name)));
    let known = known.filter(|_| content_type.is_utf8());
    known.map(|(_, kind)| kind.clone()).ok_or_else(|| {
        let names: Vec<_> = TYPES.iter().filter_map(|(names, _)| names.first().copied()).collect();
        IngestError::UnsupportedType { sent: excerpt(sent), accepted: one_of(&names) }
    })
}

/// Of a CloudEvent in binary mode the type is that of its data: JSON of any name, and also where there
/// is none, as the specification has it. With one of the types of CloudEvents the headers mean
/// nothing.
fn of_cloud_event(sent: &str, event: BinaryCloudEvent) -> Result<ContentKind, IngestError> {
    let content_type = ContentType::of(sent);
    let name = content_type.name().to_ascii_lowercase();
    let is_json = match name.split_once('/') {
        None => name.is_empty(),
        Some((_, name)) => {
            let envelope = name.starts_with("cloudevents");
            name == "json" || name.ends_with("+json") && !envelope
        }
    };
    if is_json && content_type.is_utf8() {
        return Ok(ContentKind::BinaryCloudEvent(Box::new(event)));
    }
    match of_content_type(sent)? {
        ContentKind::Ndjson => Err(IngestError::BinaryNdjson),
        kind => Ok(kind),
    }
}

/// The headers of a CloudEvent in binary mode, if there is any that it must have.
fn cloud_event(headers: &dyn Headers) -> Option<BinaryCloudEvent> {
    let header = |name: &str| headers.get(name).map(Bytes::copy_from_slice);
    let required = ["ce-specversion", "ce-id", "ce-source"];
    required.iter().any(|name| headers.get(name).is_some()).then(|| BinaryCloudEvent {
        specversion: header("ce-specversion"),
        id: header("ce-id"),
        source: header("ce-source"),
        time: header("ce-time"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Rejection;

    type Sent<'a> = &'a [(&'a str, &'a str)];

    impl Headers for Sent<'_> {
        fn get(&self, name: &str) -> Option<&[u8]> {
            self.iter().find(|(sent, _)| *sent == name).map(|(_, value)| value.as_bytes())
        }
    }

    fn kind(content_type: Option<&str>, more: Sent<'_>) -> Result<ContentKind, IngestError> {
        let content_type = content_type.map(|value| ("content-type", value));
        let sent: Vec<_> = content_type.into_iter().chain(more.iter().copied()).collect();
        Events.kind(&sent.as_slice())
    }

    fn binary(content_type: Option<&str>) -> Result<ContentKind, IngestError> {
        kind(content_type, &[("ce-id", "7")])
    }

    #[test]
    fn known_types_in_any_spelling() {
        let cases = [
            ("application/json", ContentKind::Json),
            ("Application/JSON; Charset=\"UTF-8\"", ContentKind::Json),
            ("application/json;", ContentKind::Json),
            ("application/json; profile=x; charset=utf8", ContentKind::Json),
            ("application/x-ndjson", ContentKind::Ndjson),
            ("application/ndjson", ContentKind::Ndjson),
            ("application/jsonl", ContentKind::Ndjson),
            ("application/cloudevents+json; charset=utf-8", ContentKind::CloudEvent),
            ("application/cloudevents-batch+json", ContentKind::CloudEventBatch),
        ];
        for (text, expected) in cases {
            assert_eq!(kind(Some(text), &[]).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn data_of_a_cloud_event_is_json_unless_it_says_otherwise() {
        for json in [
            None,
            Some(""),
            Some("application/json; charset=utf-8"),
            Some("text/json"),
            Some("application/vnd.acme.call+json"),
        ] {
            let ContentKind::BinaryCloudEvent(event) = binary(json).unwrap() else {
                panic!("{json:?}")
            };
            assert_eq!(event.id.as_deref(), Some(b"7".as_slice()));
            assert_eq!((event.specversion, event.source, event.time), (None, None, None));
        }
        let structured = binary(Some("application/cloudevents+json"));
        assert_eq!(structured.unwrap(), ContentKind::CloudEvent);
        for other in ["text/plain", "application/xml", "application/json; charset=utf-16"] {
            assert!(binary(Some(other)).is_err(), "{other}");
        }
        let lines = binary(Some("application/x-ndjson")).unwrap_err();
        assert!(matches!(lines, IngestError::BinaryNdjson));
        // A time alone makes no CloudEvent.
        assert!(kind(None, &[("ce-time", "2024-01-02T03:04:00Z")]).is_err());
    }

    #[test]
    fn other_types_and_charsets_are_refused() {
        let cases = [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/jsonp"),
            Some("application/json, application/json"),
            Some("application/json; charset=latin1"),
            Some("application/json; x=y; charset=utf-16"),
            Some("application/cloudevents+avro"),
        ];
        for content_type in cases {
            let error = kind(content_type, &[]).unwrap_err();
            assert!(matches!(error, IngestError::UnsupportedType { .. }), "{content_type:?}");
        }
        assert_eq!(
            kind(Some("text/plain"), &[]).unwrap_err().to_string(),
            "unsupported content type \"text/plain\"; send application/json, application/x-ndjson, \
             application/cloudevents+json or application/cloudevents-batch+json in UTF-8"
        );
    }

    #[test]
    fn a_request_of_which_nothing_is_good_is_unprocessable() {
        let bad = || vec![Rejection { index: 0, event_id: None, error: "x".to_owned() }];
        for (receipt, status) in [
            (Receipt::new(0, 0, bad(), 0), 422),
            (Receipt::new(0, 0, Vec::new(), 1), 422),
            (Receipt::new(1, 0, bad(), 0), 200),
            (Receipt::new(0, 1, bad(), 0), 200),
            (Receipt::new(0, 0, Vec::new(), 0), 200),
        ] {
            let sent: Sent<'_> = &[];
            assert_eq!(Events.answer(&sent, &receipt).unwrap().status, status, "{receipt:?}");
        }
    }
}

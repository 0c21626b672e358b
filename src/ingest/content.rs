//! The format of a body, by its `Content-Type`.

use super::IngestError;
use crate::event::excerpt;

/// The formats that a body can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// One event, an array, or `{"events":[…]}`.
    Json,
    /// One event per line.
    Ndjson,
    /// One CloudEvent in structured mode.
    CloudEvent,
    /// An array of CloudEvents.
    CloudEventBatch,
}

impl ContentKind {
    /// Reads the value of `Content-Type`, in upper or lower case and with any parameters, except a
    /// `charset` other than UTF-8.
    ///
    /// # Errors
    /// [`IngestError::UnsupportedType`].
    pub fn from_content_type(content_type: Option<&str>) -> Result<Self, IngestError> {
        let sent = content_type.unwrap_or_default();
        let (essence, parameters) = sent.split_once(';').unwrap_or((sent, ""));
        let kind = match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                Some(Self::Ndjson)
            }
            "application/cloudevents+json" => Some(Self::CloudEvent),
            "application/cloudevents-batch+json" => Some(Self::CloudEventBatch),
            _ => None,
        };
        kind.filter(|_| parameters.split(';').all(readable))
            .ok_or_else(|| IngestError::UnsupportedType(excerpt(sent)))
    }

    /// The same for a CloudEvent in binary mode, whose `Content-Type` is that of its data: any JSON
    /// type. A missing type means JSON, as the specification says.
    ///
    /// # Errors
    /// [`IngestError::UnsupportedType`].
    pub fn of_cloud_event(content_type: Option<&str>) -> Result<Self, IngestError> {
        let sent = content_type.unwrap_or_default();
        let (essence, parameters) = sent.split_once(';').unwrap_or((sent, ""));
        let essence = essence.trim().to_ascii_lowercase();
        let is_json = match essence.split_once('/') {
            None => essence.is_empty(),
            Some((_, name)) => {
                let envelope = name.starts_with("cloudevents");
                name == "json" || name.ends_with("+json") && !envelope
            }
        };
        if is_json && parameters.split(';').all(readable) {
            return Ok(Self::Json);
        }
        Self::from_content_type(content_type)
    }
}

/// Whether the body is readable with this parameter: it is not a charset, or names UTF-8.
fn readable(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || value.eq_ignore_ascii_case("utf-8")
        || value.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (text, kind) in cases {
            assert_eq!(ContentKind::from_content_type(Some(text)).unwrap(), kind, "{text}");
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
            assert_eq!(ContentKind::of_cloud_event(json).unwrap(), ContentKind::Json, "{json:?}");
        }
        let structured = ContentKind::of_cloud_event(Some("application/cloudevents+json"));
        assert_eq!(structured.unwrap(), ContentKind::CloudEvent);
        for other in ["text/plain", "application/xml", "application/json; charset=utf-16"] {
            assert!(ContentKind::of_cloud_event(Some(other)).is_err(), "{other}");
        }
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
            let error = ContentKind::from_content_type(content_type).unwrap_err();
            assert!(matches!(error, IngestError::UnsupportedType(_)), "{content_type:?}");
        }
    }
}

//! Properties that hold for any input.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const KINDS: [ContentKind; 4] =
    [ContentKind::Json, ContentKind::Ndjson, ContentKind::CloudEvent, ContentKind::CloudEventBatch];

/// Text that is nearly JSON, of pieces that decoders branch on.
fn nearly_json() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\ud800",
        "NaN",
        "-Infinity",
        "\"event_id\"",
        "\"ts\"",
        "\"events\"",
        "\"attributes\"",
        "\"data\"",
        "\"data_base64\"",
        "\"specversion\":\"1.0\"",
        "\"id\":\"a\"",
        "\"source\":\"s\"",
        "1704164645",
        "1e400",
        "null",
        "true",
        "\n",
        " ",
        "é",
        "\u{feff}",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

/// The source of an array element that is rarely a usable event and not always JSON.
fn broken_event() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{}".to_owned()),
        Just("[[[]]]".to_owned()),
        "[a-zNI+.0-9-]{1,9}",
        "\\{[a-zNI+.:,0-9-]{0,9}\\}",
        "\\[[a-zNI+.:,0-9-]{0,9}\\]",
        "-?[1-9][0-9]{0,30}(\\.[0-9]{1,9})?(e[0-9]{1,9})?",
        "[a-z{}\\[\\]:, é]{0,20}".prop_map(|text| format!("\"{text}\"")),
        "[a-z_]{1,9}".prop_map(|name| format!("{{\"{name}\":1,\"{name}\":1}}")),
        "[a-z]{1,9}".prop_map(|id| format!("{{\"event_id\":\"{id}\",\"ts\":\"never\"}}")),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in KINDS {
            let _ = decode_bytes(&kind, &body);
        }
    }

    #[test]
    fn any_near_miss_is_answered(body in nearly_json(), header in nearly_json()) {
        for kind in KINDS {
            let _ = decode_bytes(&kind, body.as_bytes());
        }
        let specversion = Some(Bytes::from_static(b"1.0"));
        let [id, source, time] = [(); 3].map(|()| Some(Bytes::copy_from_slice(header.as_bytes())));
        let event = BinaryCloudEvent { specversion, id, source, time };
        let kind = ContentKind::BinaryCloudEvent(event.into());
        let builder = EventBatchBuilder::new(OrgRule::Own, NOW);
        let _ = decode(&kind, body.as_bytes(), builder);
    }

    #[test]
    fn a_good_event_is_taken_whatever_its_neighbours(
        before in prop::collection::vec(broken_event(), 0..5),
        after in prop::collection::vec(broken_event(), 0..5),
        wrapped in any::<bool>(),
    ) {
        let index = u32::try_from(before.len()).unwrap();
        let count = before.len() + 1 + after.len();
        let all = [before, vec![event("good", "")], after].concat();
        let array = format!("[{}]", all.join(","));
        let body = if wrapped { format!("{{\"events\":{array}}}") } else { array };
        for decoded in [decode_json(&body), decode_bytes(&ContentKind::Ndjson, all.join("\n").as_bytes()).unwrap()] {
            prop_assert_eq!(taken(&decoded), vec![(index, "good".to_owned())]);
            prop_assert_eq!(decoded.events(), count);
        }
    }

    #[test]
    fn a_good_line_is_taken_whatever_the_bytes_around_it(
        before in prop::collection::vec(any::<u8>(), 0..60),
        after in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let body = [&before, b"\n".as_slice(), event("good", "").as_bytes(), b"\n", &after].concat();
        let decoded = decode_bytes(&ContentKind::Ndjson, &body).unwrap();
        prop_assert!(taken(&decoded).iter().any(|(_, id)| id == "good"));
    }
}

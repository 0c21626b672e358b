//! Tests of readers with whole, cut and arbitrary bytes.

use proptest::prelude::*;

use super::rows::RawRows;
use super::*;
use crate::backfill::decode::Decoder;
use crate::backfill::shape::Shape;
use crate::event::OrgRule;
use crate::ingest::HistoryFormat;

fn values(text: &str) -> Result<Vec<(u64, String)>, String> {
    let mut found = Vec::new();
    let mut sink = |first: u64, rows| {
        let RawRows::Values(values) = rows else { panic!("not values") };
        assert_eq!(first, found.len() as u64);
        found.extend(
            values.into_iter().map(|(line, value)| (line, String::from_utf8(value).unwrap())),
        );
        true
    };
    let read = json::read(&mut text.as_bytes(), &mut sink);
    read.map_err(|error| error.to_string()).map(|()| found)
}

#[test]
fn json_values_are_found_in_each_form() {
    let two = vec![(2, r#"{"a":"]\"}","b":[1,{}]}"#.to_owned()), (3, "7".to_owned())];
    for (before, after) in [
        ("[", "]"),
        ("{\"events\":[", "]}"),
        ("{ \"n\" : {\"x\":1}, \"events\" : [", "], \"more\": [1, 2]}\n"),
    ] {
        let text = format!("{before}\n{}\n,{}{after}", two[0].1, two[1].1);
        assert_eq!(values(&text), Ok(two.clone()), "{text}");
    }
    assert_eq!(values("[]"), Ok(vec![]));
    assert_eq!(values(" \n"), Ok(vec![]));
    let objects =
        values("{\"a\": \"x y\", \"n\": 1 }\n{\"event_id\":\"1\",\"events\":[1]}").unwrap();
    let parsed: Vec<serde_json::Value> =
        objects.iter().map(|(_, object)| serde_json::from_str(object).unwrap()).collect();
    assert_eq!(parsed[0], serde_json::json!({ "a": "x y", "n": 1 }));
    assert_eq!(parsed[1], serde_json::json!({ "event_id": "1", "events": [1] }));
}

#[test]
fn json_that_is_cut_or_garbled_is_an_error() {
    for text in ["[", "[1", "[1,", "[1,]", "[1 2]", "[,1]", "{", "{\"a\"", "x", "\"x\"", "]", "{]"]
    {
        assert!(values(text).is_err(), "{text}: {:?}", values(text));
    }
    assert!(values("[\n\n{\"a\":").unwrap_err().starts_with("line 3"));
    // Over HTTP, an object with an id is an event, and two lists are none.
    for second in ["\"events\":[1]", "\"event_id\":\"1\"", "\"a\": 1 , \"event_id\" : 1"] {
        let error = values(&format!("{{\"events\":[1], {second}}}")).unwrap_err();
        assert!(error.contains("and another one or an event_id"), "{second}: {error}");
    }
    for second in ["\"a\":\"events\"", "\"event_id\":null", "\"a\":{\"event_id\":1}"] {
        assert!(values(&format!("{{\"events\":[1], {second}}}")).is_ok(), "{second}");
    }
}

/// Reads and decodes all bytes; returns the number of rows.
fn all(format: InputFormat, bytes: &[u8]) -> u64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let input = Arc::new(Input::for_tests(file.path(), Some(format)));
    let shape = Shape::new(Vec::new(), Vec::new(), OrgRule::Own);
    let (now, refused) = (1_770_000_000_000_000, Default::default());
    let decoder = Arc::new(Decoder { shape, now, versions: None, prices: None, refused });
    let reading =
        Reading { decoder: decoder.clone(), delimiter: None, progress: Default::default() };
    let mut rows = 0;
    let mut sink = |first, chunk| {
        let decoded = decoder.decode(&Chunk { input: input.clone(), first, rows: chunk }).unwrap();
        let events: usize = decoded.split.dates.iter().map(|(_, batch)| batch.len()).sum();
        assert_eq!(decoded.rows, (events + decoded.rejects.len()) as u64);
        rows += decoded.rows;
        true
    };
    // Whether the input can be read does not matter here.
    let _ = reading.one(&input, &mut sink);
    rows
}

#[test]
fn rows_of_each_format_are_decoded() {
    let row = r#"{"event_id":"1","org_id":"a","ts":1735689600}"#;
    assert_eq!(all(InputFormat::Ndjson, format!("{row}\n\n{row}").as_bytes()), 2);
    assert_eq!(all(InputFormat::Json, format!("[{row},{row}]").as_bytes()), 2);
    assert_eq!(all(InputFormat::Csv, b"event_id,org_id,ts\n1,a,1735689600\n"), 1);
    assert_eq!(all(InputFormat::Csv, b""), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "[\\[\\]{}:,\"\\\\ a1\n]{0,60}".prop_map(String::into_bytes),
            "(ts|model|attributes|[a,\"]){1,4}(\n[0-9a-z:,\" -]{0,30}){0,4}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60).prop_map(|middle| {
                [b"PAR1".as_slice(), &middle, b"PAR1"].concat()
            }),
        ],
    ) {
        for format in [
            InputFormat::Ndjson,
            InputFormat::Json,
            InputFormat::Csv,
            InputFormat::Tsv,
            InputFormat::Parquet,
            InputFormat::History(HistoryFormat::LiteLlm),
            InputFormat::History(HistoryFormat::Codex),
        ] {
            all(format, &bytes);
        }
    }
}

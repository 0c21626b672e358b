use arrow::array::{AsArray as _, RecordBatch};
use arrow::json::ArrayWriter;

use super::super::{Dimension, EventBatchBuilder, FieldValue, OrgId, OrgRule, attribute_of};
use super::*;

const NOW: Micros = 1_770_000_000_000_000;

fn text(value: &str) -> FieldValue<'_> {
    FieldValue::Text(value.to_owned().into())
}

fn event(attributes: &[(String, String)]) -> RecordBatch {
    let mut builder = EventBatchBuilder::new(OrgRule::Only(OrgId::parse("a").unwrap()), NOW);
    let attributes = attributes.iter().map(|(key, value)| (key.as_str().into(), text(value)));
    let fields = [
        ("event_id".into(), text("e")),
        ("ts".into(), FieldValue::Number("1769990000".into())),
        ("provider".into(), text("OpenAI")),
        ("model".into(), text("gpt-4o")),
        ("source".into(), text("app")),
        ("input_tokens".into(), FieldValue::Number("3".into())),
        ("attributes".into(), FieldValue::Map(attributes.collect())),
    ];
    builder.push(0, &fields);
    let decoded = builder.finish().unwrap();
    assert_eq!(decoded.rejections, []);
    decoded.batch.record_batch().clone()
}

fn made(rows: &RecordBatch, was_unpriced: bool, dimensions: &Dimensions) -> NewCorrections {
    let event_id = "c".to_owned();
    let one = NewCorrection { row: 0, event_id, units: -7, source: "price:t#r", was_unpriced };
    NewCorrections::of(rows, &[one], dimensions, NOW).unwrap()
}

fn teams() -> Dimensions {
    let team = Dimension::new("team", None, "1").unwrap();
    Dimensions::default().with(team).unwrap().unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_correction_has_what_its_event_has_and_no_tokens() {
    let rows = event(&pairs(&[("team", "x"), ("was_unpriced", "true"), ("b", "1")]));
    let shown = |was_unpriced| {
        let made = made(&rows, was_unpriced, &teams());
        assert_eq!(made.attributes_dropped, 0);
        let mut writer = ArrayWriter::new(Vec::new());
        writer.write(made.batch.record_batch()).unwrap();
        writer.finish().unwrap();
        String::from_utf8(writer.into_inner()).unwrap()
    };
    let expected = |attributes: &str| {
        r#"[{"event_id":"c","org_id":"a","event_type":"cost_correction","ts":"2026-02-01T23:53:20Z","#
            .to_owned()
            + r#""provider":"OpenAI","model":"gpt-4o","input_tokens":0,"output_tokens":0,"#
            + r#""cost_usd":-0.000000000007,"source":"app","ingested_at":"2026-02-02T02:40:00Z","#
            + &format!(r#""attributes":{attributes},"cost_source":"price:t#r"}}]"#)
    };
    assert_eq!(shown(false), expected(r#"{"corrects":"e","team":"x","b":"1"}"#));
    let first = r#"{"corrects":"e","was_unpriced":"true","team":"x","b":"1"}"#;
    assert_eq!(shown(true), expected(first));
}

#[test]
fn where_attributes_are_full_dimensions_have_room_first() {
    let many = (0..63).map(|n| (format!("k{n}"), "v".to_owned()));
    let full: Vec<_> = many.chain(pairs(&[("team", " core ")])).collect();
    let long: Vec<_> = pairs(&[("team", &"t".repeat(ATTRIBUTE_BYTES_MAX - 4))]);
    let cut = "t".repeat(128);
    for (attributes, team, dropped) in [(full, "core", 2), (long, cut.as_str(), 0)] {
        let made = made(&event(&attributes), true, &teams());
        let column = made.batch.record_batch().column_by_name("attributes").unwrap().as_map();
        let has = |key| attribute_of(column, 0, key);
        assert_eq!((has("corrects"), has("was_unpriced")), (Some("e"), Some("true")));
        assert_eq!((has("team"), made.attributes_dropped), (Some(team), dropped));
    }
}

#[test]
fn no_event_is_made_that_breaks_a_rule() {
    let rows = event(&[]);
    let of = |event_id: &str, units| {
        let (event_id, source) = (event_id.to_owned(), "price:t#r");
        let one = NewCorrection { row: 0, event_id, units, source, was_unpriced: true };
        NewCorrections::of(&rows, &[one], &Dimensions::default(), NOW).is_ok()
    };
    assert!(of("c", COST_MAX - 1) && of(&"c".repeat(TEXT_BYTES_MAX), 1 - COST_MAX));
    assert!(!of("c", COST_MAX) && !of("c", -COST_MAX));
    assert!(!of("", 1) && !of(&"c".repeat(TEXT_BYTES_MAX + 1), 1));
}

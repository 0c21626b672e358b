//! Tests of attributes, rejections, and events next to each other.

use arrow::datatypes::Int64Type;
use proptest::prelude::*;

use super::*;

#[test]
fn attributes_take_what_no_column_names() {
    let explicit =
        vec![("k".into(), text("v")), ("both".into(), number("1.0")), ("gone".into(), Null)];
    let changes = [
        ("x", Bool(true)),
        ("both", text("other")),
        ("attributes", Map(explicit)),
        ("list", Json("[1,{\"a\":2}]".into())),
        ("ingested_at", text("2020-01-01T00:00:00Z")),
        ("event_date", number("5")),
        ("cost_source", text("price:mine#1")),
    ];
    let decoded = decode(&[event(&changes)], only_acme());
    let expected = [("k", "v"), ("both", "1.0"), ("x", "true"), ("list", "[1,{\"a\":2}]")];
    assert_eq!(attributes(&decoded.batch).unwrap(), expected.map(|(k, v)| (k.into(), v.into())));
    assert_eq!(decoded.attributes_dropped, 1);
    assert_eq!(attributes(&one(&[("attributes", Map(vec![]))]).unwrap()), None);
}

#[test]
fn the_source_of_a_cost_is_not_the_producers_to_say() {
    for (cost, source) in
        [(Null, None), (number("0"), Some("reported")), (text("1.5"), Some("reported"))]
    {
        let sent = [("cost_usd", cost), ("cost_source", text("price:mine#1"))];
        assert_eq!(string(&one(&sent).unwrap(), "cost_source").as_deref(), source);
        assert_eq!(string(&one(&sent[..1]).unwrap(), "cost_source").as_deref(), source);
    }
}

#[test]
fn corrections_are_seen_among_rows() {
    let kinds = |kinds: &[&str]| {
        let mut builder = EventBatchBuilder::new(only_acme(), NOW).corrections(true);
        for (at, kind) in kinds.iter().enumerate() {
            let id = at.to_string();
            let fields = [
                ("event_id", text(&id)),
                ("event_type", text(kind)),
                ("cost_usd", number("1")),
                ("corrects", text("a")),
            ];
            builder.push(at, &event(&fields));
        }
        let decoded = builder.finish().unwrap();
        assert_eq!(decoded.batch.len(), kinds.len());
        has_corrections(decoded.batch.record_batch())
    };
    assert!(!kinds(&[]) && !kinds(&["api_call", "fifteen-letters", ""]));
    assert!(kinds(&["api_call", "cost_correction"]) && kinds(&["cost_correction"]));
}

#[test]
fn attributes_that_are_no_object_cost_no_event() {
    let pair = |key: &str, value: &str| Some(vec![(key.to_owned(), value.to_owned())]);
    for empty in
        [Null, text(""), text(" null "), text("[]"), text("{ }"), Json("[]".into()), text("[ ]")]
    {
        let (batch, reasons) = mended(&[("attributes", empty)]);
        assert_eq!((attributes(&batch), reasons), (None, vec![]));
    }
    for object in [text(" {\"a\": \"b\"} "), Json("{\"a\":\"b\"}".into())] {
        let (batch, reasons) = mended(&[("attributes", object)]);
        assert_eq!((attributes(&batch), reasons), (pair("a", "b"), vec![]));
    }
    for (value, kept) in [
        (text("x"), "x"),
        (text("{broken"), "{broken"),
        (number("1.0"), "1.0"),
        (Bool(true), "true"),
        (Json("[1]".into()), "[1]"),
    ] {
        let (batch, reasons) = mended(&[("attributes", value)]);
        assert_eq!(attributes(&batch), pair("attributes", kept));
        assert_eq!(reasons, [("no_object", 1)]);
    }
    let inside = text("{\"a\":1,\"a\":2,\"\\u0062\":{\"c\": \"\\ud800\"},\"n\":null}");
    let decoded = decode(&[event(&[("attributes", inside), ("b", text("other"))])], only_acme());
    let expected = [("a", "1"), ("b", "{\"c\":\"\\ufffd\"}")];
    assert_eq!(attributes(&decoded.batch).unwrap(), expected.map(|(k, v)| (k.into(), v.into())));
    assert_eq!(decoded.attributes_dropped, 2);
    assert_eq!(decoded.mended.counts().collect::<Vec<_>>(), [(Mend::Replaced, 1)]);
}

#[test]
fn rejections_beyond_a_bound_are_counted_and_not_kept() {
    let mut builder = EventBatchBuilder::new(only_acme(), NOW).rejections_max(2);
    for index in 0..5 {
        builder.push(index, &event(&[("ts", Null)]));
    }
    builder.push(5, &event(&[]));
    let decoded = builder.finish().unwrap();
    assert_eq!(decoded.rejections.iter().map(|r| r.index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((decoded.rejected_more, decoded.rejected(), decoded.events()), (3, 5, 6));
}

#[test]
fn a_rejection_echoes_the_id_as_far_as_it_goes() {
    let events = [
        event(&[("ts", Null)]),
        event(&[("event_id", number("7")), ("ts", Null)]),
        event(&[("event_id", text(&format!("x{}", "é".repeat(200))))]),
        event(&[("model", text("a")), ("extra", Null)]).into_iter().chain(event(&[])).collect(),
        event(&[("event_id", Bool(true))]),
    ];
    let decoded = decode(&events, only_acme());
    let ids: Vec<_> = decoded.rejections.iter().map(|r| r.event_id.as_deref()).collect();
    let cut = format!("x{}", "é".repeat(127));
    assert_eq!(ids, [Some("e1"), Some("7"), Some(cut.as_str()), Some("e1"), None]);
    assert_eq!(decoded.rejections[3].error, "event_id: given more than once");
    let json = serde_json::to_string(&decoded.rejections[4]).unwrap();
    let error = "event_id: true is neither text nor a number";
    assert_eq!(json, format!(r#"{{"index":4,"event_id":null,"error":"{error}"}}"#));
}

#[test]
fn a_bad_event_leaves_no_trace_in_the_batch() {
    let good = event(&[("input_tokens", number("3")), ("k", text("v"))]);
    // It breaks the last rule to be checked, after all other columns were read.
    let bad = event(&[("cost_usd", text("x")), ("model", text("m"))]);
    let decoded = decode(&[bad.clone(), good.clone(), bad.clone(), good, bad], only_acme());
    assert_eq!(decoded.batch.indices(), [1, 3]);
    assert_eq!((decoded.batch.len(), decoded.batch.is_empty()), (2, false));
    let inputs = decoded.batch.record_batch().column_by_name("input_tokens").unwrap();
    assert_eq!(inputs.as_primitive::<Int64Type>().values(), &[3, 3]);
    assert_eq!(decoded.rejections.iter().map(|r| r.index).collect::<Vec<_>>(), [0, 2, 4]);
    assert!(decode(&[], OrgRule::Own).batch.is_empty());
}

fn any_value() -> impl Strategy<Value = FieldValue<'static>> {
    let scalar = prop_oneof![
        Just(Null),
        any::<bool>().prop_map(Bool),
        ".{0,8}|[0-9.e+-]{1,9}".prop_map(|value| FieldValue::Text(value.into())),
        "-?[0-9]{1,20}(\\.[0-9]{1,9})?(e-?[0-9]{1,9})?".prop_map(|n| FieldValue::Number(n.into())),
        Just(Json("[1]".into())),
    ];
    let entries = prop::collection::vec((".{0,3}".prop_map(Cow::from), scalar.clone()), 0..4);
    prop_oneof![4 => scalar, 1 => entries.prop_map(Map)]
}

proptest! {
    #[test]
    fn any_fields_are_taken_or_rejected(
        events in prop::collection::vec(
            prop::collection::vec((0..16_usize, any_value()), 0..6), 0..6),
    ) {
        let name = |at: usize| -> Cow<'static, str> {
            schema().fields().get(at).map_or("other".into(), |field| field.name().clone().into())
        };
        let events: Vec<Vec<Field>> = events
            .into_iter()
            .map(|fields| {
                let fields = fields.into_iter().map(|(at, value)| (name(at), value));
                fields.chain(event(&[])).collect()
            })
            .collect();
        let decoded = decode(&events, only_acme());
        prop_assert_eq!(decoded.events(), events.len());
        prop_assert_eq!(decoded.batch.record_batch().num_rows(), decoded.batch.len());
    }
}

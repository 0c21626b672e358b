//! Tests of the mapping from columns to fields.

use super::*;
use crate::event::OrgId;

fn shape(maps: &[&str], defaults: &[&str]) -> Shape {
    let maps = maps.iter().map(|text| FieldPair::parse(text).unwrap()).collect();
    let defaults = defaults.iter().map(|text| FieldPair::parse_default(text).unwrap()).collect();
    Shape::new(maps, defaults, OrgRule::Only(OrgId::parse("acme").unwrap()))
}

fn text(name: &'static str, value: &'static str) -> (Cow<'static, str>, FieldValue<'static>) {
    (name.into(), FieldValue::Text(value.into()))
}

const ORIGIN: RowOrigin<'_> = RowOrigin { identity: "a.csv", index: 7, json: None };

#[test]
fn columns_are_renamed_and_defaults_fill_what_is_absent() {
    let shape =
        shape(&["model=deployment", "attributes.team=dept"], &["provider=azure", "model=x"]);
    let columns = vec![
        text("event_id", "1"),
        text("deployment", "gpt-4"),
        text("model", "left out"),
        ("provider".into(), FieldValue::Null),
        text("dept", "ops"),
        text("note", "n"),
    ];
    let fields = shape.fields(columns, &[], ORIGIN, &[]).unwrap();
    let expected = vec![
        text("model", "gpt-4"),
        text("team", "ops"),
        text("event_id", "1"),
        text("note", "n"),
        text("provider", "azure"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn an_attribute_from_another_column_stands_above_the_row_s_own() {
    let shape = shape(&["attributes.team=dept"], &[]);
    let own = || vec![text("team", "own"), text("k", "v")];
    for attributes in [
        FieldValue::Map(own()),
        FieldValue::Text(r#"{"team":"own","k":"v"}"#.into()),
        FieldValue::Json(r#"{"team":"own","k":"v"}"#.into()),
    ] {
        let columns = vec![("attributes".into(), attributes), text("dept", "ops")];
        let fields = shape.fields(columns, &[], ORIGIN, &[]).unwrap();
        assert_eq!(find(&fields, "team"), Some(&text("team", "ops").1));
        let kept = FieldValue::Map(vec![text("k", "v")]);
        assert_eq!(find(&fields, "attributes"), Some(&kept));
    }
    for other in ["[1]", "text", "{"] {
        let fields = shape.fields(vec![text("attributes", other)], &[], ORIGIN, &[]).unwrap();
        assert_eq!(find(&fields, "attributes"), Some(&text("attributes", other).1));
    }
}

#[test]
fn derived_ids_depend_on_name_place_and_row() {
    let id =
        |identity, index, row: &[&[u8]]| derived_id(RowOrigin { identity, index, json: None }, row);
    let one = id("a.csv", 7, &[b"x", b"y"]);
    assert_eq!(one, "f2b5073318ae99e918d3717cb689824e");
    for other in [
        id("b.csv", 7, &[b"x", b"y"]),
        id("a.csv", 8, &[b"x", b"y"]),
        id("a.csv", 7, &[b"xy"]),
        id("a.csv", 7, &[b"xy", b""]),
    ] {
        assert_ne!(other, one);
    }
}

#[test]
fn an_id_is_derived_where_none_is_mapped() {
    let id = |maps: &[&str], columns| {
        let shape = shape(maps, &[]);
        let fields = shape.fields(columns, &[], ORIGIN, &[b"x"]).unwrap();
        find(&fields, "event_id").is_some()
    };
    assert!(id(&[], vec![]));
    assert!(!id(&["event_id=call"], vec![]));
    assert!(id(&["event_id=call"], vec![text("call", "1")]));
}

#[test]
fn another_org_is_refused_and_an_empty_one_is_absent() {
    let shape = shape(&[], &[]);
    let number = ("org_id".into(), FieldValue::Number("7".into()));
    for other in [text("org_id", "other"), number] {
        let error = shape.fields(vec![other], &[], ORIGIN, &[]).unwrap_err();
        assert!(error.contains("--org"), "{error}");
    }
    for own in ["acme", ""] {
        assert!(shape.fields(vec![text("org_id", own)], &[], ORIGIN, &[]).is_ok(), "{own}");
    }
}

#[test]
fn a_mapped_column_is_missing_until_an_input_has_it() {
    let shape = shape(&["model=deployment", "input_tokens=usage.prompt"], &["model=x"]);
    assert_eq!(shape.missing().map(FieldPair::field), Some("model"));
    // The model has a default; the tokens have none.
    assert_eq!(shape.look(|_| Has::No).map(FieldPair::field), Some("input_tokens"));
    assert!(shape.look(|_| Has::Maybe).is_none());
    let has = |place: &str| if place == "usage.prompt" { Has::Yes } else { Has::No };
    assert!(shape.look(has).is_none());
    assert_eq!(shape.missing().map(FieldPair::field), Some("model"));
    let columns = vec![("deployment".into(), FieldValue::Null)];
    let fields = shape.fields(columns, &[], ORIGIN, &[]).unwrap();
    assert_eq!(find(&fields, "model"), Some(&FieldValue::Text("x".into())));
    assert!(shape.missing().is_none());
    assert!(shape.is_field("usage") && shape.is_field("deployment") && shape.is_field("ts"));
    assert!(!shape.is_field("us") && !shape.is_field("attributes") && !shape.is_field("note"));
}

#[test]
fn folders_are_fields_and_contradict_no_row() {
    let folders: Vec<(String, Option<String>)> =
        [("org_id", Some("acme")), ("model", None), ("ts", Some("1769000000")), ("day", Some("1"))]
            .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
            .into();
    let shape = shape(&["source=day"], &[]);
    let fields = shape.fields(vec![text("day", "01")], &folders, ORIGIN, &[]).unwrap();
    let expected = [
        ("org_id", Some(FieldValue::Text("acme".into()))),
        ("model", None),
        ("ts", Some(FieldValue::Text("1769000000".into()))),
        ("source", Some(FieldValue::Text("1".into()))),
    ];
    for (name, value) in expected {
        assert_eq!(find(&fields, name), value.as_ref(), "{name}");
    }
    let row = vec![text("org_id", "acme"), ("model".into(), FieldValue::Null)];
    assert!(shape.fields(row, &folders, ORIGIN, &[]).is_ok());
    let number = |name: &'static str, value: &'static str| {
        (Cow::from(name), FieldValue::Number(value.into()))
    };
    let numbers: Vec<(String, Option<String>)> =
        [("cost_usd", "1.0"), ("input_tokens", "05"), ("ts", "2026-01-21T12:53:20Z")]
            .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
            .into();
    let alike =
        || vec![text("cost_usd", "1"), number("input_tokens", "5"), number("ts", "1769000000")];
    assert!(shape.fields(alike(), &numbers, ORIGIN, &[]).is_ok());
    for wrong in
        [text("cost_usd", "1.01"), number("input_tokens", "50"), number("ts", "1769000001")]
    {
        let mut row = alike();
        row.retain(|(name, _)| *name != wrong.0);
        row.push(wrong);
        let error = shape.fields(row, &numbers, ORIGIN, &[]).unwrap_err();
        assert!(error.contains("folder"), "{error}");
    }
    for wrong in [text("org_id", "beta"), text("model", "m")] {
        let error = shape.fields(vec![wrong], &folders, ORIGIN, &[]).unwrap_err();
        assert!(error.contains("folder"), "{error}");
    }
    let beta = [("org_id".to_owned(), Some("beta".to_owned()))];
    assert!(shape.fields(vec![], &beta, ORIGIN, &[]).unwrap_err().contains("--org"));
}

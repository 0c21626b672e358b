//! The schema, defaults and text columns.

use arrow::datatypes::{DataType, TimestampMicrosecondType};

use super::*;

#[test]
fn the_schema_is_the_contracts() {
    let schema = schema();
    let columns: Vec<_> =
        schema.fields().iter().map(|field| (field.name().as_str(), field.is_nullable())).collect();
    let expected = [
        ("event_id", false),
        ("org_id", false),
        ("event_type", false),
        ("ts", false),
        ("provider", true),
        ("model", true),
        ("input_tokens", false),
        ("output_tokens", false),
        ("cached_input_tokens", true),
        ("cache_write_tokens", true),
        ("reasoning_tokens", true),
        ("cost_usd", true),
        ("source", true),
        ("ingested_at", true),
        ("attributes", true),
    ];
    assert_eq!(columns, expected);
    let kind = |name| schema.field_with_name(name).unwrap().data_type().clone();
    assert_eq!(kind("cost_usd"), DataType::Decimal128(18, 12));
    assert_eq!(kind("ts").to_string(), "Timestamp(µs, \"UTC\")");
    let DataType::Map(entry, false) = kind("attributes") else { panic!("not a map") };
    assert_eq!((entry.name().as_str(), entry.is_nullable()), ("key_value", false));
}

#[test]
fn the_least_event_gets_the_defaults() {
    let batch = one(&[]).unwrap();
    assert_eq!(string(&batch, "org_id").as_deref(), Some("acme"));
    assert_eq!(string(&batch, "event_type").as_deref(), Some("api_call"));
    for column in ["provider", "model", "source"] {
        assert_eq!(string(&batch, column), None);
    }
    assert_eq!(
        (integer(&batch, "input_tokens"), integer(&batch, "output_tokens")),
        (Some(0), Some(0))
    );
    for column in ["cached_input_tokens", "cache_write_tokens", "reasoning_tokens"] {
        assert_eq!(integer(&batch, column), None);
    }
    assert_eq!(attributes(&batch), None);
    let rows = batch.record_batch();
    assert!(rows.column_by_name("cost_usd").unwrap().is_null(0));
    for column in ["ts", "ingested_at"] {
        let times = rows.column_by_name(column).unwrap();
        assert_eq!(times.as_primitive::<TimestampMicrosecondType>().value(0), NOW);
    }
}

#[test]
fn null_is_absent_everywhere() {
    let optional = [
        "org_id",
        "event_type",
        "provider",
        "model",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_usd",
        "source",
        "attributes",
        "anything",
        "ingested_at",
        "event_date",
    ];
    let nulls = optional.map(|column| (column, Null));
    assert_eq!(one(&nulls).unwrap().record_batch(), one(&[]).unwrap().record_batch());
    assert_eq!(one(&[("event_id", Null)]).unwrap_err(), "event_id: missing");
    assert_eq!(one(&[("ts", Null)]).unwrap_err(), "ts: missing");
}

#[test]
fn text_columns_hold_what_was_sent() {
    let long = "é".repeat(128);
    for (sent, stored) in [(" x ", " x "), ("a\0\n", "a\0\n"), (long.as_str(), long.as_str())] {
        let batch = one(&[("event_id", text(sent)), ("event_type", text(sent))]).unwrap();
        assert_eq!(string(&batch, "event_id").as_deref(), Some(stored));
        assert_eq!(string(&batch, "event_type").as_deref(), Some(stored));
    }
    let padded = format!(" {long}\n");
    let cases =
        [(" GPT-4o\t", Some("GPT-4o")), ("", None), (" \u{2003}", None), (&padded, Some(&long))];
    for column in ["provider", "model", "source"] {
        for (sent, stored) in cases {
            assert_eq!(string(&one(&[(column, text(sent))]).unwrap(), column).as_deref(), stored);
        }
    }
}

#[test]
fn bad_text_is_rejected_by_column() {
    let long = text(&"x".repeat(257));
    for column in ["event_id", "event_type", "provider", "model", "source"] {
        let error = one(&[(column, long.clone())]).unwrap_err();
        let excerpt = format!("{}…", "x".repeat(39));
        assert_eq!(error, format!("{column}: \"{excerpt}\" is longer than 256 bytes"));
        let cases = [
            (number("12"), "12 is not text"),
            (Bool(true), "true is not text"),
            (Json("[1]".into()), "[1] is not text"),
            (Map(vec![]), "an object is not text"),
        ];
        for (value, error) in cases {
            assert_eq!(one(&[(column, value)]).unwrap_err(), format!("{column}: {error}"));
        }
    }
    for column in ["event_id", "event_type"] {
        assert_eq!(one(&[(column, text(""))]).unwrap_err(), format!("{column}: is empty"));
    }
}

#[test]
fn the_organisation_is_the_keys_or_the_events_own() {
    assert!(one(&[("org_id", text("acme"))]).is_ok());
    for other in ["Acme", "acme ", "", "other"] {
        let error = one(&[("org_id", text(other))]).unwrap_err();
        assert_eq!(error, "org_id: names another organisation than the access key's");
    }
    assert_eq!(one(&[("org_id", number("1"))]).unwrap_err(), "org_id: 1 is not text");

    let events = [
        event(&[("org_id", text("a:B"))]),
        event(&[]),
        event(&[("org_id", Null)]),
        event(&[("org_id", text("a b"))]),
    ];
    let decoded = decode(&events, OrgRule::Own);
    assert_eq!(string(&decoded.batch, "org_id").as_deref(), Some("a:B"));
    let errors: Vec<_> = decoded.rejections.iter().map(|r| r.error.as_str()).collect();
    let rule = "org_id: \"a b\" is not 1 to 128 of A-Z a-z 0-9 _ . : -";
    assert_eq!(errors, ["org_id: missing", "org_id: missing", rule]);
}

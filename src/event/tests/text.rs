//! Tests of the schema, defaults and text columns.

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
        ("cost_source", true),
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
fn an_id_is_text_or_a_number_and_nothing_else() {
    for (sent, stored) in [("12", "12"), ("1.0", "1.0"), ("1e3", "1e3"), ("-7", "-7")] {
        let batch = one(&[("event_id", number(sent))]).unwrap();
        assert_eq!(string(&batch, "event_id").as_deref(), Some(stored));
    }
    let long = format!("\"{}…\" is longer than 256 bytes", "x".repeat(39));
    let cases = [
        (text(&"x".repeat(257)), long.as_str()),
        (text(""), "is empty"),
        (number("NaN"), "NaN is neither text nor a number"),
        (Bool(true), "true is neither text nor a number"),
        (Json("[1]".into()), "[1] is neither text nor a number"),
        (Map(vec![]), "an object is neither text nor a number"),
        (Mended("a\u{fffd}".into()), "holds half of a surrogate pair; send whole characters"),
    ];
    for (value, error) in cases {
        assert_eq!(one(&[("event_id", value)]).unwrap_err(), format!("event_id: {error}"));
    }
    // U+FFFD that was sent as such is a character like any other.
    assert!(one(&[("event_id", text("a\u{fffd}"))]).is_ok());
}

#[test]
fn metadata_is_stored_as_text_whatever_it_is() {
    let long = "é".repeat(200);
    let cut = "é".repeat(128);
    let cases = [
        (number("12"), Some("12"), None),
        (number("4.10"), Some("4.10"), None),
        (number("NaN"), None, Some("not_text")),
        (Bool(true), Some("true"), Some("not_text")),
        (Json("[1]".into()), Some("[1]"), Some("not_text")),
        (Map(vec![("a".into(), number("1"))]), Some("{\"a\":1}"), Some("not_text")),
        (Mended("gpt \u{fffd}".into()), Some("gpt \u{fffd}"), Some("replaced")),
        (text(&long), Some(cut.as_str()), Some("cut")),
        (text(&"x".repeat(256)), Some(&*"x".repeat(256)), None),
    ];
    for column in ["event_type", "provider", "model", "source"] {
        for (value, stored, reason) in cases.clone() {
            let (batch, reasons) = mended(&[(column, value)]);
            let stored = stored.or((column == "event_type").then_some("api_call"));
            assert_eq!(string(&batch, column).as_deref(), stored, "{column}");
            assert_eq!(reasons, reason.map(|reason| (reason, 1)).into_iter().collect::<Vec<_>>());
        }
    }
    // A text of 257 bytes whose last character begins before the limit.
    let (batch, _) = mended(&[("model", text(&format!("x{}", "é".repeat(128))))]);
    assert_eq!(string(&batch, "model").unwrap().len(), 255);
    // Only what is left after trimming has to fit.
    let (_, reasons) = mended(&[("model", text(&format!(" {}\n", "x".repeat(256))))]);
    assert_eq!(reasons, []);
    for blank in ["", " ", "\u{2003}\n"] {
        assert_eq!(
            string(&one(&[("event_type", text(blank))]).unwrap(), "event_type").unwrap(),
            API_CALL
        );
    }
}

#[test]
fn of_metadata_that_is_given_twice_the_first_stands() {
    for column in ["event_type", "provider", "model", "source"] {
        let fields = [event(&[(column, text("a"))]), vec![(column.into(), text("b"))]].concat();
        let decoded = decode(&[fields], only_acme());
        assert_eq!(string(&decoded.batch, column).as_deref(), Some("a"));
        let reasons: Vec<_> = decoded.mended.counts().collect();
        assert_eq!(reasons, [(Mend::Repeated, 1)]);
    }
    for column in ["event_id", "org_id", "ts", "input_tokens", "reasoning_tokens", "cost_usd"] {
        let one = event(&[(column, number("1704164645"))]);
        let fields = [one, vec![(column.into(), number("1704164645"))]].concat();
        let decoded = decode(&[fields], only_acme());
        assert_eq!(decoded.rejections[0].error, format!("{column}: given more than once"));
    }
}

#[test]
fn the_organisation_is_the_keys_or_the_events_own() {
    assert!(one(&[("org_id", text("acme"))]).is_ok());
    for other in ["Acme", "acme ", " ", "other"] {
        let error = one(&[("org_id", text(other))]).unwrap_err();
        assert_eq!(error, "org_id: names another organisation than the access key's");
    }
    assert_eq!(string(&one(&[("org_id", text(""))]).unwrap(), "org_id").unwrap(), "acme");
    let foreign = "org_id: names another organisation than the access key's";
    assert_eq!(one(&[("org_id", number("1"))]).unwrap_err(), foreign);
    let list = one(&[("org_id", Json("[]".into()))]).unwrap_err();
    assert_eq!(list, "org_id: [] is neither text nor a number");
    let seven = decode(&[event(&[("org_id", number("7"))])], OrgRule::Own);
    assert_eq!(string(&seven.batch, "org_id").unwrap(), "7");

    let events = [
        event(&[("org_id", text("a:B"))]),
        event(&[]),
        event(&[("org_id", text(""))]),
        event(&[("org_id", text("a b"))]),
    ];
    let decoded = decode(&events, OrgRule::Own);
    assert_eq!(string(&decoded.batch, "org_id").as_deref(), Some("a:B"));
    let errors: Vec<_> = decoded.rejections.iter().map(|r| r.error.as_str()).collect();
    let rule = "org_id: \"a b\" is not 1 to 128 of A-Z a-z 0-9 _ . : -";
    assert_eq!(errors, ["org_id: missing", "org_id: missing", rule]);
}

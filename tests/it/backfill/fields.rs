//! Tests of the mapping from columns to fields, in each format, and of the values.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use serde_json::Value;
use tempfile::tempdir;

use super::formats::parquet;
use super::{counts, done, file, run, summary, verified};
use crate::support::process::{Server, key};
use crate::support::scrape::scrape;

const AT: i64 = 1_735_689_600;
const MAPS: [&str; 8] = [
    "--map",
    "event_id=id",
    "--map",
    "ts=created",
    "--map",
    "input_tokens=usage.prompt_tokens",
    "--map",
    "cached_input_tokens=usage.details.cached",
];

/// Two calls of a chat API as Parquet has them.
fn calls() -> RecordBatch {
    let details = StructArray::from(vec![(
        Arc::new(Field::new("cached", DataType::Int32, true)),
        Arc::new(Int32Array::from(vec![Some(64), None])) as ArrayRef,
    )]);
    let usage = StructArray::from(vec![
        (
            Arc::new(Field::new("prompt_tokens", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![120, 7])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("details", details.data_type().clone(), true)),
            Arc::new(details) as ArrayRef,
        ),
    ]);
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("created", Arc::new(Int64Array::from(vec![AT, AT]))),
        ("usage", Arc::new(usage)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// As [`calls`], with the usage as JSON text, which some programs have for lack of structs.
fn calls_in_text(usage: &[&str; 2]) -> RecordBatch {
    let texts: ArrayRef = Arc::new(StringArray::from(usage.to_vec()));
    let named = calls();
    let columns =
        [("id", named.column(0).clone()), ("created", named.column(1).clone()), ("usage", texts)];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The same in each format.
fn inputs(folder: &Path) -> [String; 6] {
    let usage = [r#"{"prompt_tokens":120,"details":{"cached":64}}"#, r#"{"prompt_tokens":7}"#];
    let row = |id: &str, usage: &str| format!(r#"{{"id":"{id}","created":{AT},"usage":{usage}}}"#);
    let [a, b] = [row("a", usage[0]), row("b", usage[1])];
    let quoted = usage.map(|usage| usage.replace('"', "\"\""));
    let csv = format!("id,created,usage\na,{AT},\"{}\"\nb,{AT},\"{}\"\n", quoted[0], quoted[1]);
    // Names with dots are names.
    let flat =
        format!("id,created,usage.prompt_tokens,usage.details.cached\na,{AT},120,64\nb,{AT},7,\n");
    parquet(&folder.join("e.parquet"), &calls());
    parquet(&folder.join("f.parquet"), &calls_in_text(&usage));
    [
        file(folder, "a.ndjson", format!("{a}\n{b}")),
        file(folder, "b.json", format!("[{a},{b}]")),
        file(folder, "c.csv", csv),
        file(folder, "d.csv", flat),
        folder.join("e.parquet").display().to_string(),
        folder.join("f.parquet").display().to_string(),
    ]
}

#[test]
fn fields_are_taken_out_of_objects_in_each_format() {
    let folder = tempdir().unwrap();
    for input in inputs(folder.path()) {
        let archive = tempdir().unwrap();
        let key = key(archive.path(), "acme");
        let series = ["--default", "provider=p", "--default", "model=m", &input];
        let args = [["--org", "acme"].as_slice(), &MAPS, &series].concat();
        assert_eq!(done(archive.path(), &args), counts(2, 2, 0, 0, 1), "{input}");
        let series = scrape(&Server::start(archive.path()), &key);
        let labels = r#"{provider="p",model="m",org_id="acme"}"#;
        assert_eq!(series[&format!("llm_tokens_total{labels}")], "127", "{input}");
    }
}

/// Python writes `NaN` for a number that it does not know, and half a character of a text that was cut.
#[test]
fn what_is_no_number_or_id_within_an_object_is_rejected_as_it_is_outside() {
    let folder = tempdir().unwrap();
    let row = |id: &str, usage: &str| {
        format!(r#"{{"call":{{"id":"{id}"}},"ts":{AT},"usage":{{"prompt_tokens":{usage}}}}}"#)
    };
    let rows = [
        row("a", "5"),
        row("b", "NaN"),
        row("c\\ud83d", "6"),
        row("c\\ud83e", "7"),
        row("d", r#"8,"latency":NaN"#),
    ];
    let input = file(folder.path(), "a.ndjson", rows.join("\n"));
    let archive = tempdir().unwrap();
    let maps = ["--map", "event_id=call.id", "--map", "input_tokens=usage.prompt_tokens"];
    let args = [["--org", "acme"].as_slice(), &maps, &[&input]].concat();
    assert_eq!(done(archive.path(), &args), counts(5, 2, 0, 3, 1));
}

#[test]
fn a_mapped_column_that_no_input_has_commits_nothing() {
    let folder = tempdir().unwrap();
    for input in inputs(folder.path()) {
        for (wrong, default) in [
            ("output_tokens=usage.completion", None),
            ("output_tokens=usagee.prompt_tokens", None),
            ("output_tokens=completion", Some("output_tokens=5")),
            ("attributes.team=group", None),
        ] {
            let archive = tempdir().unwrap();
            let mut args =
                [["--org", "acme"].as_slice(), &MAPS, &["--map", wrong, &input]].concat();
            args.extend(default.iter().flat_map(|default| ["--default", default]));
            let ran = run(archive.path(), &args);
            assert_eq!(
                (ran.status, ran.stderr.lines().count()),
                (1, 1),
                "{input} {wrong}: {ran:?}"
            );
            let (field, column) = wrong.split_once('=').unwrap();
            let field = field.trim_start_matches("attributes.");
            assert!(ran.stderr.contains(field) && ran.stderr.contains(column), "{input}: {ran:?}");
            assert_eq!(summary(&ran)["accepted"], 0, "{input} {wrong}");
            verified(archive.path(), 0);
        }
    }
    // One input that has it is enough where rows tell, and a file without it says so where heads do.
    let archive = tempdir().unwrap();
    let [a, _, c, ..] = inputs(folder.path());
    let other =
        file(folder.path(), "x.ndjson", format!(r#"{{"id":"x","created":{AT},"group":"ops"}}"#));
    let args =
        [["--org", "acme", "--map", "attributes.team=group"].as_slice(), &MAPS, &[&a, &other]]
            .concat();
    assert_eq!(done(archive.path(), &args), counts(3, 3, 0, 0, 2));
    let args =
        [["--org", "acme", "--map", "attributes.team=group"].as_slice(), &MAPS, &[&c, &other]]
            .concat();
    let ran = run(archive.path(), &args);
    assert!(
        ran.status == 1 && ran.stderr.contains(&c) && ran.stderr.contains("\"group\" for team"),
        "{ran:?}"
    );
}

#[test]
fn many_rows_wait_for_a_column_that_comes_late() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let rows = (0..30_000).map(|id| {
        let team = if id == 29_999 { r#","group":"ops""# } else { "" };
        format!("{{\"event_id\":\"e{id}\",\"ts\":{}{team}}}\n", AT + id / 10_000 * 86_400)
    });
    let input = file(folder.path(), "a.ndjson", rows.collect::<String>());
    let args = ["--org", "acme", "--memory", "2MiB", "--map", "attributes.team=group", &input];
    assert_eq!(done(archive.path(), &args), counts(30_000, 30_000, 0, 0, 1));
    verified(archive.path(), 30_000);
}

/// Writes one event of a column that Arrow's writer does not write so.
fn by_hand(path: &Path, kind: Type, write: impl FnOnce(&mut SerializedFileWriter<std::fs::File>)) {
    let schema =
        Type::group_type_builder("schema").with_fields(vec![Arc::new(kind)]).build().unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema.into(), Default::default()).unwrap();
    write(&mut writer);
    writer.close().unwrap();
}

#[test]
fn a_uuid_is_the_same_id_in_parquet_and_in_text() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let text = "11111111-2222-3333-4444-555555555555";
    let path = folder.path().join("a.parquet");
    let kind = Type::primitive_type_builder("call", PhysicalType::FIXED_LEN_BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_length(16)
        .with_logical_type(Some(LogicalType::Uuid));
    let bytes: Vec<u8> =
        u128::from_str_radix(&text.replace('-', ""), 16).unwrap().to_be_bytes().into();
    by_hand(&path, kind.build().unwrap(), |writer| {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let values = [FixedLenByteArray::from(ByteArray::from(bytes))];
        column.typed::<FixedLenByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    });
    let args = ["--org", "acme", "--map", "event_id=call", "--default", "ts=2025-01-01T00:00:00Z"];
    let parquet = [args.as_slice(), &[path.to_str().unwrap()]].concat();
    assert_eq!(done(archive.path(), &parquet), counts(1, 1, 0, 0, 1));
    for input in [
        file(folder.path(), "a.ndjson", format!("{{\"call\":\"{text}\"}}")),
        file(folder.path(), "a.csv", format!("call\n{text}\n")),
    ] {
        assert_eq!(
            done(archive.path(), &[args.as_slice(), &[&input]].concat()),
            counts(1, 0, 1, 0, 1)
        );
    }
}

#[test]
fn old_times_of_parquet_go_beyond_nanoseconds() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let path = folder.path().join("a.parquet");
    let kind = Type::primitive_type_builder("ts", PhysicalType::INT96)
        .with_repetition(Repetition::REQUIRED);
    by_hand(&path, kind.build().unwrap(), |writer| {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        // 2025-01-01 12:00:00.000001, and 2610-12-31, which nanoseconds in 64 bits would wrap.
        let at = |day: u32, nanos: u64| {
            let mut time = Int96::new();
            let [low, high] = [nanos as u32, (nanos >> 32) as u32];
            time.set_data(low, high, day);
            time
        };
        let values = [at(2_460_677, 43_200_000_001_000), at(2_674_707, 0)];
        column.typed::<Int96Type>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    });
    let rejects = folder.path().join("rejects");
    let args = ["--org", "acme", "--rejects", rejects.to_str().unwrap(), path.to_str().unwrap()];
    assert_eq!(done(archive.path(), &args), counts(2, 1, 0, 1, 1));
    let reject: Value = serde_json::from_slice(&std::fs::read(rejects).unwrap()).unwrap();
    let error = reject["error"].as_str().unwrap();
    assert!(error.contains("2610-12-31") && error.contains("ahead"), "{error}");
}

#[test]
fn what_is_no_number_or_text_is_rejected_with_its_reason() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let bad = Arc::new(BinaryArray::from(vec![b"\xff\xfe".as_slice()])) as ArrayRef;
    let dictionary = DictionaryArray::<Int32Type>::new(Int32Array::from(vec![0]), bad.clone());
    let float = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    let rejects = folder.path().join("rejects");
    for (column, values, word) in [
        ("model", bad.clone(), "not UTF-8"),
        ("event_id", bad.clone(), "not UTF-8"),
        ("provider", Arc::new(dictionary), "not UTF-8"),
        ("cost_usd", float(f64::INFINITY), "inf"),
        ("cost_usd", float(f64::NAN), "NaN"),
        ("input_tokens", float(f64::NAN), "NaN"),
        ("input_tokens", float(0.5), "0.5"),
        ("output_tokens", float(f64::NEG_INFINITY), "-inf"),
        ("ts", float(f64::INFINITY), "inf"),
    ] {
        let good: [(&str, ArrayRef); 2] = [
            ("event_id", Arc::new(StringArray::from(vec!["e"]))),
            ("ts", Arc::new(Int64Array::from(vec![AT]))),
        ];
        let columns =
            good.into_iter().filter(|(name, _)| *name != column).chain([(column, values)]);
        let path = folder.path().join("a.parquet");
        parquet(&path, &RecordBatch::try_from_iter(columns).unwrap());
        let args =
            ["--org", "acme", "--rejects", rejects.to_str().unwrap(), path.to_str().unwrap()];
        let ran = run(archive.path(), &args);
        assert_eq!((ran.status, summary(&ran)), (1, counts(1, 0, 0, 1, 1)), "{column}: {ran:?}");
        let reject: Value = serde_json::from_slice(&std::fs::read(&rejects).unwrap()).unwrap();
        let error = reject["error"].as_str().unwrap();
        assert!(error.contains(column) && error.contains(word), "{column}: {error}");
    }
    // As an attribute it is left out, and that is said.
    let columns: [(&str, ArrayRef); 4] = [
        ("event_id", Arc::new(StringArray::from(vec!["e"]))),
        ("ts", Arc::new(Int64Array::from(vec![AT]))),
        ("blob", bad),
        (
            "cost_usd",
            Arc::new(Decimal128Array::from(vec![5]).with_precision_and_scale(9, 1).unwrap()),
        ),
    ];
    let path = folder.path().join("b.parquet");
    parquet(&path, &RecordBatch::try_from_iter(columns).unwrap());
    let ran = run(archive.path(), &["--org", "acme", path.to_str().unwrap()]);
    assert_eq!((ran.status, summary(&ran)), (0, counts(1, 1, 0, 0, 1)), "{ran:?}");
    assert!(ran.stderr.contains("1 values of attributes are not text"), "{ran:?}");
}

#[test]
fn whole_numbers_are_ids_in_each_format() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let columns: [(&str, ArrayRef); 2] = [
        ("event_id", Arc::new(Int64Array::from(vec![7]))),
        ("ts", Arc::new(Int64Array::from(vec![AT]))),
    ];
    let path = folder.path().join("a.parquet");
    parquet(&path, &RecordBatch::try_from_iter(columns).unwrap());
    let row = format!("{{\"event_id\":7,\"ts\":{AT}}}");
    let inputs = [
        path.display().to_string(),
        file(folder.path(), "a.ndjson", &row),
        file(folder.path(), "a.json", format!("[{row}]")),
        file(folder.path(), "a.csv", format!("event_id,ts\n7,{AT}\n")),
        file(folder.path(), "b.ndjson", row.replace(":7", ":\"7\"")),
    ];
    for (at, input) in inputs.iter().enumerate() {
        let (new, old) = (u64::from(at == 0), u64::from(at > 0));
        assert_eq!(
            done(archive.path(), &["--org", "acme", input]),
            counts(1, new, old, 0, 1),
            "{input}"
        );
    }
}

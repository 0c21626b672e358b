//! Tests of the columns of each query, of sums past the limits of one event, and of the files'
//! statistics, with DataFusion alone, without the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, Date32Array, Decimal128Array, Int64Array, MapArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokenlake::clock::{DAY, HOUR, Micros};
use tokenlake::event;
use tokenlake::sql::dimension_function;

use super::COST_MAX;
use crate::support::event::NOW;

fn query(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries").join(name);
    fs::read_to_string(path).unwrap()
}

/// Rows of `events` beyond what a producer may send: `cost_usd` and both token totals as given.
fn events(rows: &[(Micros, i64, i128)]) -> RecordBatch {
    let schema = event::schema();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for field in schema.fields() {
        let text = |text: &str| Arc::new(StringArray::from(vec![text; rows.len()])) as ArrayRef;
        columns.push(match field.name().as_str() {
            "org_id" => text("acme"),
            "event_type" => text("api_call"),
            "provider" | "model" | "event_id" => text("x"),
            "ts" => {
                let times = rows.iter().map(|(ts, ..)| *ts).collect::<Vec<_>>();
                Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
            }
            "cost_usd" => {
                let costs = rows.iter().map(|(.., cost)| *cost).collect::<Vec<_>>();
                Arc::new(Decimal128Array::from(costs).with_data_type(field.data_type().clone()))
            }
            name if name.ends_with("_tokens") => {
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, tokens, _)| *tokens)))
            }
            "ingested_at" => {
                let times = rows.iter().map(|(ts, ..)| *ts).collect::<Vec<_>>();
                Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
            }
            "attributes" => attributes(field.data_type(), rows.len()),
            _ => new_null_array(field.data_type(), rows.len()),
        });
    }
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("event_date", DataType::Date32, false)));
    columns.push(Arc::new(Date32Array::from(vec![20_486; rows.len()])));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Each row's team is `core`.
fn attributes(kind: &DataType, rows: usize) -> ArrayRef {
    let DataType::Map(entries, _) = kind else { panic!("{kind}") };
    let DataType::Struct(parts) = entries.data_type() else { panic!("{kind}") };
    let text = |text: &str| Arc::new(StringArray::from(vec![text; rows])) as ArrayRef;
    let values = StructArray::new(parts.clone(), vec![text("team"), text("core")], None);
    let offsets = OffsetBuffer::from_lengths(vec![1; rows]);
    Arc::new(MapArray::new(entries.clone(), offsets, values, None, false))
}

/// The same rows with another text in a column.
fn with_text(rows: &RecordBatch, name: &str, text: &str) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    columns[rows.schema().index_of(name).unwrap()] =
        Arc::new(StringArray::from(vec![text; rows.num_rows()]));
    let fields = rows.schema();
    let fields = fields.fields().iter().map(|field| match field.name() == name {
        true => Field::new(name, DataType::Utf8, true),
        false => field.as_ref().clone(),
    });
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

/// The table that a query is over, and the rows of it that are made of these events.
async fn table(name: &str, rows: RecordBatch) -> (&'static str, RecordBatch) {
    let correction = || with_text(&rows, "event_type", "cost_correction");
    match name {
        "usage_hourly.sql" => ("partials", Box::pin(answer("partial.sql", rows)).await),
        "usage_by_dimension.sql" => ("cells", Box::pin(answer("dimension_cells.sql", rows)).await),
        "stored_parts.sql" => {
            let cells = Box::pin(answer("dimension_cells.sql", rows)).await;
            ("stored", with_text(&cells, "org_id", "acme\0core"))
        }
        "stored_corrections.sql" => {
            ("stored", Box::pin(answer("correction_cells.sql", rows)).await)
        }
        "correction_cells.sql" | "correction_edge_rows.sql" => ("events", correction()),
        _ => ("events", rows),
    }
}

/// What a query file answers over these rows, run by DataFusion alone, but for the function that reads
/// the value of a dimension.
async fn answer(name: &str, rows: RecordBatch) -> RecordBatch {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    context.register_udf((*dimension_function()).clone());
    let (of, rows) = table(name, rows).await;
    context.register_batch(of, rows).unwrap();
    let time = |at| ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into()));
    let frame = context.sql(&query(name)).await.unwrap();
    let frame = match name {
        "edge_rows.sql" | "correction_edge_rows.sql" => frame.with_param_values(vec![
            ("org_id", ScalarValue::from("acme")),
            ("from_ts", time(NOW - HOUR)),
            ("to_ts", time(NOW + HOUR)),
        ]),
        "dimension_edge_rows.sql" => frame.with_param_values(vec![
            ("org_id", ScalarValue::from("acme")),
            ("attribute", ScalarValue::from("team")),
            ("from_ts", time(NOW - HOUR)),
            ("to_ts", time(NOW + HOUR)),
        ]),
        "dimension_rolling_cost.sql" => frame.with_param_values(vec![
            ("attribute", ScalarValue::from("team")),
            ("after_ts", time(NOW - DAY)),
            ("until_ts", time(NOW)),
        ]),
        "charge_cells.sql" => frame.with_param_values(vec![
            ("org_id", ScalarValue::from("acme")),
            ("attribute", ScalarValue::from("team")),
            ("closed_ts", time(NOW)),
        ]),
        "dimension_cells.sql" => {
            frame.with_param_values(vec![("attribute", ScalarValue::from("team"))])
        }
        "stored_parts.sql" => frame.with_param_values(vec![("between", ScalarValue::from("\0"))]),
        "usage_by_dimension.sql" => {
            frame.with_param_values(vec![("dimension", ScalarValue::from("team"))])
        }
        "rolling_cost.sql" => {
            frame.with_param_values(vec![("after_ts", time(NOW - DAY)), ("until_ts", time(NOW))])
        }
        _ => Ok(frame),
    };
    let mut batches = frame.unwrap().collect().await.unwrap();
    assert_eq!(batches.len(), 1, "{name}");
    batches.remove(0)
}

/// `name type` of every column; text is text in any of Arrow's forms.
fn columns(batch: &RecordBatch) -> Vec<String> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = batch.schema();
    let columns = fields.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".to_owned(),
            DataType::Int64 => "count".to_owned(),
            DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
            time if *time == utc => "utc".to_owned(),
            other => format!("unexpected {other}"),
        };
        format!("{} {kind}", field.name())
    });
    columns.collect()
}

#[tokio::test]
async fn columns_have_the_names_and_types_that_the_files_promise() {
    let expected = [
        (
            "partial.sql",
            "org_id text, provider text, model text, hour utc, requests count, \
             input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), cost_usd decimal(38,12), unpriced count, \
             last_ts utc",
        ),
        ("edge_rows.sql", "ts utc, cost_usd decimal(38,12)"),
        (
            "charge_cells.sql",
            "org_id text, value text, provider text, model text, cost_source text, charge count, \
             requests count, input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), cost_usd decimal(38,12), unpriced count",
        ),
        ("correction_edge_rows.sql", "ts utc, cost_usd decimal(38,12)"),
        ("dimension_edge_rows.sql", "value text, ts utc, cost_usd decimal(38,12)"),
        ("dimension_rolling_cost.sql", "org_id text, value text, cost_usd decimal(38,12)"),
        (
            "dimension_cells.sql",
            "org_id text, value text, provider text, model text, hour utc, requests count, \
             input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), cost_usd decimal(38,12), unpriced count, \
             last_ts utc, corrected_cost_usd decimal(38,12), credits_usd decimal(38,12), \
             priced_later count, first_ingested utc",
        ),
        (
            "day_cells.sql",
            "org_id text, provider text, model text, hour utc, requests count, \
             input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), cost_usd decimal(38,12), unpriced count, \
             last_ts utc, first_ingested utc",
        ),
        (
            "correction_cells.sql",
            "org_id text, provider text, model text, hour utc, requests count, \
             input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), cost_usd decimal(38,12), unpriced count, \
             last_ts utc, corrected_cost_usd decimal(38,12), credits_usd decimal(38,12), \
             priced_later count, first_ingested utc",
        ),
        (
            "stored_parts.sql",
            "org_id text, value text, provider text, model text, hour utc, requests count, \
             input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), cost_usd decimal(38,12), unpriced count, \
             last_ts utc, corrected_cost_usd decimal(38,12), credits_usd decimal(38,12), \
             priced_later count, first_ingested utc",
        ),
        (
            "stored_corrections.sql",
            "org_id text, provider text, model text, hour utc, requests count, \
             input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), cost_usd decimal(38,12), unpriced count, last_ts utc",
        ),
        (
            "usage_by_dimension.sql",
            "org_id text, dimension text, value text, provider text, model text, hour utc, \
             requests count, input_tokens decimal(38,0), output_tokens decimal(38,0), \
             cost_usd decimal(38,12), cached_input_tokens decimal(38,0), \
             cache_write_tokens decimal(38,0), reasoning_tokens decimal(38,0), unpriced count",
        ),
        (
            "totals.sql",
            "org_id text, provider text, model text, requests count, \
             total_tokens decimal(38,0), cost_usd decimal(38,12)",
        ),
        ("rolling_cost.sql", "org_id text, cost_usd decimal(38,12)"),
        (
            "usage_hourly.sql",
            "org_id text, provider text, model text, hour utc, requests count, \
             input_tokens decimal(38,0), output_tokens decimal(38,0), cost_usd decimal(38,12), \
             cached_input_tokens decimal(38,0), cache_write_tokens decimal(38,0), \
             reasoning_tokens decimal(38,0), unpriced count",
        ),
        (
            "file_check.sql",
            "events count, misplaced count, first_ts utc, last_ts utc, \
             first_org text, last_org text",
        ),
    ];
    let covered: BTreeSet<_> = expected.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(covered, query_files(), "a query file has no expected schema");
    for (name, expected) in expected {
        let batch = answer(name, events(&[(NOW, 1, 1)])).await;
        assert_eq!(columns(&batch).join(", "), expected, "{name}");
    }
}

fn sum(batch: &RecordBatch, column: &str, scale: i8) -> i128 {
    let column = batch.column_by_name(column).unwrap();
    let column = cast(column, &DataType::Decimal128(38, scale)).unwrap();
    column.as_primitive::<Decimal128Type>().iter().flatten().sum()
}

#[tokio::test]
async fn sums_go_past_what_an_event_and_an_i64_can_hold() {
    let rows = vec![(NOW, i64::MAX, COST_MAX); 1_000];
    let tokens = i128::from(i64::MAX) * 1_000;
    let cost = COST_MAX * 1_000;
    let partial = answer("partial.sql", events(&rows)).await;
    for name in [
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ] {
        assert_eq!(sum(&partial, name, 0), tokens, "{name}");
    }
    assert_eq!(sum(&partial, "cost_usd", 12), cost);
    let totals = answer("totals.sql", events(&rows)).await;
    assert_eq!(sum(&totals, "total_tokens", 0), 2 * tokens);
    assert_eq!(sum(&totals, "cost_usd", 12), cost);
    let usage = answer("usage_hourly.sql", events(&rows)).await;
    for name in [
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ] {
        assert_eq!(sum(&usage, name, 0), tokens, "{name}");
    }
    for name in ["edge_rows.sql", "rolling_cost.sql", "usage_hourly.sql"] {
        assert_eq!(sum(&answer(name, events(&rows)).await, "cost_usd", 12), cost, "{name}");
    }
}

fn query_files() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    files.map(|file| file.file_name().into_string().unwrap()).collect()
}

#[test]
fn each_file_says_what_it_takes_and_gives() {
    for name in query_files() {
        let text = query(&name);
        let header: Vec<_> = text.lines().take_while(|line| line.starts_with("--")).collect();
        let header = header.join("\n");
        assert!(header.contains("\n-- Table:") && header.contains("Columns:"), "{name}");
        let body = &text[header.len()..];
        for param in body.split(|char: char| !char.is_alphanumeric() && !"$_".contains(char)) {
            let known = !param.starts_with('$') || header.contains(&format!(" {param} "));
            assert!(known, "{name} does not describe {param}");
        }
    }
}

#[test]
fn each_file_is_loaded_by_the_program() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
    let sources: Vec<PathBuf> =
        fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()).collect();
    let sources = sources.into_iter().filter(|path| path.is_file()).collect::<Vec<_>>();
    let code: String = sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for name in query_files() {
        let stem = name.strip_suffix(".sql").expect("queries/ holds queries only");
        assert!(code.contains(&format!("query!(\"{stem}\")")), "{name} is not loaded");
    }
}

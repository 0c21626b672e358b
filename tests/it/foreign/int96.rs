//! Tests of files with 96-bit times, as older Spark, Impala and Hive write them.

use std::sync::Arc;

use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tokenlake::clock::DAY;

use crate::support::event::Event;

const SCHEMA: &str = "message spark_schema {
    optional binary event_id (UTF8); optional binary org_id (UTF8);
    optional binary event_type (UTF8); optional int96 ts;
    optional binary provider (UTF8); optional binary model (UTF8);
    optional int32 input_tokens; optional int32 output_tokens;
    optional fixed_len_byte_array(8) cost_usd (DECIMAL(18, 12));
    optional group attributes (MAP) { repeated group map {
        optional binary key (UTF8); optional binary value (UTF8);
    } }
}";
/// 1970-01-01, by days of Julius Scaliger.
const JULIAN_1970: i64 = 2_440_588;

fn time(ts: i64) -> Int96 {
    let (days, nanos) = (ts.div_euclid(DAY) + JULIAN_1970, ts.rem_euclid(DAY) as u64 * 1_000);
    let mut time = Int96::new();
    time.set_data(nanos as u32, (nanos >> 32) as u32, u32::try_from(days).unwrap());
    time
}

/// A file of these events, which have costs with up to four places.
pub fn parquet(org: &str, events: &[Event]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::default());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let text = |of: fn(&Event) -> String| {
        events.iter().map(|event| ByteArray::from(of(event).as_str())).collect::<Vec<_>>()
    };
    let texts = [
        text(|event| event.id.clone()),
        vec![ByteArray::from(org); events.len()],
        text(|_| "api_call".to_owned()),
        text(|_| "openai".to_owned()),
        text(|event| event.model.clone().unwrap()),
    ];
    let mut texts = texts.into_iter();
    let levels = vec![1; events.len()];
    let times: Vec<_> = events.iter().map(|event| time(event.ts)).collect();
    let mut counts = [3, 4].into_iter();
    let costs: Vec<_> = events
        .iter()
        .map(|event| {
            let cost = tokenlake::event::money::parse_decimal(event.cost.as_ref().unwrap()).unwrap()
                as i64;
            FixedLenByteArray::from(cost.to_be_bytes().to_vec())
        })
        .collect();
    for column in 0..11 {
        let mut column_writer = group.next_column().unwrap().unwrap();
        match column {
            3 => {
                let typed = column_writer.typed::<Int96Type>();
                typed.write_batch(&times, Some(&levels), None).unwrap();
            }
            6 | 7 => {
                let counts = vec![counts.next().unwrap(); events.len()];
                let typed = column_writer.typed::<Int32Type>();
                typed.write_batch(&counts, Some(&levels), None).unwrap();
            }
            8 => {
                let typed = column_writer.typed::<FixedLenByteArrayType>();
                typed.write_batch(&costs, Some(&levels), None).unwrap();
            }
            // Each has one attribute, which has no key.
            9 => {
                let (entry, first) = (vec![2; events.len()], vec![0; events.len()]);
                let typed = column_writer.typed::<ByteArrayType>();
                typed.write_batch(&[], Some(&entry), Some(&first)).unwrap();
            }
            10 => {
                let (entry, first) = (vec![3; events.len()], vec![0; events.len()]);
                let values = vec![ByteArray::from("lost"); events.len()];
                let typed = column_writer.typed::<ByteArrayType>();
                typed.write_batch(&values, Some(&entry), Some(&first)).unwrap();
            }
            _ => {
                let typed = column_writer.typed::<ByteArrayType>();
                typed.write_batch(&texts.next().unwrap(), Some(&levels), None).unwrap();
            }
        }
        column_writer.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

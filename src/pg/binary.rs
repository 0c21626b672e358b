//! Values of parameters in PostgreSQL's binary format, as texts.

use bytes::{Buf as _, Bytes};
use chrono::{DateTime, NaiveDate, TimeDelta};
use uuid::Uuid;

use crate::sql::{WireType, oid, read_numeric};

/// From 1970 to 2000, from which PostgreSQL counts.
const SECONDS_TO_2000: i64 = 946_684_800;
/// The version of the format of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// The text of a value; `None` for what is no value of the type.
pub(super) fn text_of(number: u32, mut bytes: Bytes) -> Option<String> {
    if let Some(item) = WireType::of_items(number) {
        return list(item.oid, bytes);
    }
    let text = match number {
        oid::BOOL => bytes.try_get_u8().ok().map(|value| (value != 0).to_string()),
        oid::INT2 => bytes.try_get_i16().ok().map(|value| value.to_string()),
        oid::INT4 => bytes.try_get_i32().ok().map(|value| value.to_string()),
        oid::INT8 => bytes.try_get_i64().ok().map(|value| value.to_string()),
        oid::OID => bytes.try_get_u32().ok().map(|value| value.to_string()),
        oid::FLOAT4 => bytes.try_get_f32().ok().map(|value| value.to_string()),
        oid::FLOAT8 => bytes.try_get_f64().ok().map(|value| value.to_string()),
        oid::DATE => date(bytes.try_get_i32().ok()?),
        oid::TIMESTAMP => timestamp(bytes.try_get_i64().ok()?, ""),
        oid::TIMESTAMPTZ => timestamp(bytes.try_get_i64().ok()?, "+00"),
        oid::TIME => timestamp(bytes.try_get_i64().ok()?, "")
            .and_then(|text| Some(text.split_once(' ')?.1.to_owned())),
        oid::INTERVAL => interval(&mut bytes),
        oid::NUMERIC => return read_numeric(&bytes),
        oid::UUID => bytes.try_get_u128().ok().map(|value| Uuid::from_u128(value).to_string()),
        oid::BYTEA => return Some(format!("\\x{}", hex::encode(&bytes))),
        oid::JSONB if bytes.first() != Some(&JSONB_VERSION) => None,
        oid::JSONB => return String::from_utf8(bytes.slice(1..).into()).ok(),
        _ => return String::from_utf8(bytes.into()).ok(),
    };
    text.filter(|_| bytes.is_empty())
}

fn date(days: i32) -> Option<String> {
    let start = NaiveDate::from_ymd_opt(2000, 1, 1)?;
    Some(start.checked_add_signed(TimeDelta::try_days(days.into())?)?.to_string())
}

fn timestamp(micros: i64, zone: &str) -> Option<String> {
    let micros = micros.checked_add(SECONDS_TO_2000.checked_mul(1_000_000)?)?;
    let at = DateTime::from_timestamp_micros(micros)?;
    Some(format!("{}{zone}", at.format("%Y-%m-%d %H:%M:%S%.6f")))
}

fn interval(bytes: &mut Bytes) -> Option<String> {
    let micros = bytes.try_get_i64().ok()?;
    let (days, months) = (bytes.try_get_i32().ok()?, bytes.try_get_i32().ok()?);
    Some(format!("{months} months {days} days {micros} microseconds"))
}

/// A list of one dimension, as the text of one.
fn list(item: u32, mut bytes: Bytes) -> Option<String> {
    let dimensions = bytes.try_get_i32().ok()?;
    let (_, told) = (bytes.try_get_i32().ok()?, bytes.try_get_u32().ok()?);
    if dimensions == 0 {
        return Some("{}".to_owned());
    }
    let (count, _) = (bytes.try_get_i32().ok()?, bytes.try_get_i32().ok()?);
    let item = WireType::of(told).map_or(item, |known| known.oid);
    let mut items = Vec::new();
    for _ in 0..usize::try_from(count).ok().filter(|_| dimensions == 1)? {
        match bytes.try_get_i32().ok()? {
            -1 => items.push("NULL".to_owned()),
            length => {
                let length =
                    usize::try_from(length).ok().filter(|length| *length <= bytes.len())?;
                let text = text_of(item, bytes.split_to(length))?;
                items.push(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
            }
        }
    }
    bytes.is_empty().then(|| format!("{{{}}}", items.join(",")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(number: u32, bytes: &[u8]) -> Option<String> {
        text_of(number, Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn values_are_read() {
        assert_eq!(of(oid::INT8, &7_i64.to_be_bytes()).as_deref(), Some("7"));
        assert_eq!(of(oid::DATE, &1_i32.to_be_bytes()).as_deref(), Some("2000-01-02"));
        let second = 1_500_000_i64.to_be_bytes();
        assert_eq!(of(oid::TIMESTAMPTZ, &second).as_deref(), Some("2000-01-01 00:00:01.500000+00"));
        assert_eq!(of(oid::TIME, &second).as_deref(), Some("00:00:01.500000"));
        assert_eq!(of(oid::TEXT, "é".as_bytes()).as_deref(), Some("é"));
        assert_eq!(of(oid::TEXT, b"\xff"), None);
        assert_eq!(
            of(oid::UUID, &[0xab; 16]).as_deref(),
            Some("abababab-abab-abab-abab-abababababab")
        );
        assert_eq!(of(oid::UUID, &[0xab; 17]), None);
        assert_eq!(of(oid::INT4, &[0; 5]), None);
        let words = [1_i32, 0, 25, 2, 1, 1].map(i32::to_be_bytes).concat();
        let list = [&words[..], b"\"", &(-1_i32).to_be_bytes()].concat();
        assert_eq!(of(1009, &list).as_deref(), Some(r#"{"\"",NULL}"#));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_not(number in 0_usize..44, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let known = WireType::ALL[number / 2];
            let number = if number % 2 == 0 { known.oid } else { known.list };
            let _ = of(number, &bytes);
        }
    }
}

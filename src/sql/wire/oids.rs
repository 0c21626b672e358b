//! PostgreSQL's numbers of types, and which of them a column of a result has.
//!
//! The numbers are those of PostgreSQL's `pg_type.dat`, and never change.

use arrow::datatypes::{DataType, Field, IntervalUnit};

/// PostgreSQL's numbers of types.
#[allow(missing_docs, reason = "each is the name of the type in PostgreSQL")]
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const UNKNOWN: u32 = 705;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
}

/// A type, its name, the bytes of a value (below 0 if they vary), and the type of its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireType {
    /// Its number.
    pub oid: u32,
    /// Its name in `pg_type`.
    pub name: &'static str,
    /// Its name in SQL.
    pub sql_name: &'static str,
    /// Bytes of a value; -1 if they vary.
    pub size: i16,
    /// The type of its lists.
    pub list: u32,
    /// Its category in `pg_type`.
    pub category: &'static str,
}

const fn known(
    oid: u32,
    name: &'static str,
    sql_name: &'static str,
    size: i16,
    list: u32,
    category: &'static str,
) -> WireType {
    WireType { oid, name, sql_name, size, list, category }
}

impl WireType {
    /// All that results and parameters can have.
    pub const ALL: [Self; 22] = [
        known(oid::BOOL, "bool", "boolean", 1, 1000, "B"),
        known(oid::BYTEA, "bytea", "bytea", -1, 1001, "U"),
        known(oid::NAME, "name", "name", 64, 1003, "S"),
        known(oid::INT8, "int8", "bigint", 8, 1016, "N"),
        known(oid::INT2, "int2", "smallint", 2, 1005, "N"),
        known(oid::INT4, "int4", "integer", 4, 1007, "N"),
        known(oid::TEXT, "text", "text", -1, 1009, "S"),
        known(oid::OID, "oid", "oid", 4, 1028, "N"),
        known(oid::JSON, "json", "json", -1, 199, "U"),
        known(oid::FLOAT4, "float4", "real", 4, 1021, "N"),
        known(oid::FLOAT8, "float8", "double precision", 8, 1022, "N"),
        known(oid::UNKNOWN, "unknown", "unknown", -2, 1009, "X"),
        known(oid::BPCHAR, "bpchar", "character", -1, 1014, "S"),
        known(oid::VARCHAR, "varchar", "character varying", -1, 1015, "S"),
        known(oid::DATE, "date", "date", 4, 1182, "D"),
        known(oid::TIME, "time", "time without time zone", 8, 1183, "D"),
        known(oid::TIMESTAMP, "timestamp", "timestamp without time zone", 8, 1115, "D"),
        known(oid::TIMESTAMPTZ, "timestamptz", "timestamp with time zone", 8, 1185, "D"),
        known(oid::INTERVAL, "interval", "interval", 16, 1187, "T"),
        known(oid::NUMERIC, "numeric", "numeric", -1, 1231, "N"),
        known(oid::UUID, "uuid", "uuid", 16, 2951, "U"),
        known(oid::JSONB, "jsonb", "jsonb", -1, 3807, "U"),
    ];

    /// The type with a number; `None` for lists and for what is not known.
    pub fn of(oid: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.oid == oid)
    }

    /// The type of the items of a list.
    pub fn of_items(list: u32) -> Option<Self> {
        // Lists of texts have one number, and `unknown` has none of its own.
        Self::ALL.into_iter().find(|known| known.list == list && known.oid != oid::UNKNOWN)
    }

    /// The number of a type, or of the type of its lists (`int8[]`, `_int8`), by a name that it has in SQL or
    /// in `pg_type`.
    pub fn named(name: &str) -> Option<u32> {
        let name = name.replace('"', "").to_ascii_lowercase();
        let name = name.trim();
        let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
        let item = name.strip_suffix("[]").or_else(|| name.strip_prefix('_'));
        let (name, is_list) = item.map_or((name, false), |item| (item.trim_end(), true));
        // A length or the digits say nothing of the type.
        let bare = name.strip_suffix(')').and_then(|name| name.split_once('('));
        let name = match bare.map_or(name, |(name, _)| name.trim_end()) {
            "int" => "integer",
            "char" => "character",
            "timestamp" => "timestamp without time zone",
            "time" => "time without time zone",
            "double" | "float" => "double precision",
            "decimal" => "numeric",
            name => name,
        };
        let mut all = Self::ALL.into_iter();
        let known = all.find(|known| known.name == name || known.sql_name == name)?;
        Some(if is_list { known.list } else { known.oid })
    }
}

/// The number and the modifier of a column's type.
pub(in crate::sql) fn type_of_column(field: &Field) -> (u32, i32) {
    let modifier = match field.data_type() {
        // The declared type of money in `events`; what is computed has no bound of its own.
        DataType::Decimal128(18, places) => (18 << 16) + i32::from(*places) + 4,
        _ => -1,
    };
    (number(field.data_type()), modifier)
}

/// The number of the type that values of an Arrow type have.
pub(super) fn number(kind: &DataType) -> u32 {
    match kind {
        DataType::Boolean => oid::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => oid::INT2,
        DataType::Int32 | DataType::UInt16 => oid::INT4,
        DataType::Int64 | DataType::UInt32 => oid::INT8,
        DataType::Float16 | DataType::Float32 => oid::FLOAT4,
        DataType::Float64 => oid::FLOAT8,
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => oid::NUMERIC,
        DataType::Date32 => oid::DATE,
        DataType::Timestamp(_, Some(_)) => oid::TIMESTAMPTZ,
        DataType::Timestamp(_, None) => oid::TIMESTAMP,
        DataType::Time64(_) => oid::TIME,
        DataType::Interval(IntervalUnit::MonthDayNano) => oid::INTERVAL,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => oid::BYTEA,
        DataType::Map(..) | DataType::Struct(_) => oid::JSONB,
        DataType::List(item) | DataType::LargeList(item) => list_of(item.data_type()),
        _ => oid::TEXT,
    }
}

/// The number of a list's type: of its innermost items, since PostgreSQL does not count dimensions.
fn list_of(item: &DataType) -> u32 {
    match item {
        DataType::List(inner) | DataType::LargeList(inner) => list_of(inner.data_type()),
        item => WireType::of(number(item)).map_or(oid::TEXT, |known| known.list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_and_each_list_is_found_by_its_number() {
        for known in WireType::ALL {
            assert_eq!(WireType::of(known.oid), Some(known));
            if known.oid != oid::UNKNOWN {
                assert_eq!(WireType::of_items(known.list), Some(known));
            }
        }
        assert_eq!(WireType::of_items(1009).map(|known| known.name), Some("text"));
        assert_eq!(WireType::of(1), None);
        for (name, number) in [
            ("int4", oid::INT4),
            ("pg_catalog.int8[]", 1016),
            ("_text", 1009),
            ("Timestamp With Time Zone", oid::TIMESTAMPTZ),
            ("timestamp", oid::TIMESTAMP),
            ("numeric(18,12)", oid::NUMERIC),
            ("\"varchar\"", oid::VARCHAR),
        ] {
            assert_eq!(WireType::named(name), Some(number), "{name}");
        }
        assert_eq!(WireType::named("hstore"), None);
    }

    #[test]
    fn a_list_is_one_of_its_innermost_items() {
        let list = |item| DataType::List(Field::new("item", item, true).into());
        let row = DataType::Struct(vec![Field::new("a", DataType::Int64, true)].into());
        assert_eq!(number(&list(DataType::Int64)), 1016);
        assert_eq!(number(&list(list(DataType::Utf8))), 1009);
        assert_eq!(number(&list(row.clone())), 3807, "rows and maps are JSON");
        assert_eq!(number(&row), oid::JSONB);
    }

    #[test]
    fn money_tells_its_places() {
        let cost = Field::new("cost_usd", DataType::Decimal128(18, 12), true);
        assert_eq!(type_of_column(&cost), (oid::NUMERIC, (18 << 16) + 16));
        let sum = Field::new("sum", DataType::Decimal128(38, 12), true);
        assert_eq!(type_of_column(&sum), (oid::NUMERIC, -1));
    }
}

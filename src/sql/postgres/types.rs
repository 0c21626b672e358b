//! PostgreSQL's types, as named in `CAST` and `::`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};

use super::refusal::refused;

/// The one time zone of a session.
pub(super) const UTC: &str = "UTC";

/// A timestamp, with a time zone or without one.
pub(super) fn timestamp(with_zone: bool) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, with_zone.then(|| UTC.into()))
}

/// `numeric` without a precision.
pub(super) fn is_numeric(kind: &SqlType) -> bool {
    use SqlType::{Dec, Decimal, Numeric};
    matches!(
        kind,
        Numeric(ExactNumberInfo::None)
            | Decimal(ExactNumberInfo::None)
            | Dec(ExactNumberInfo::None)
    )
}

/// Plans types for which DataFusion has other names or other limits.
#[derive(Debug)]
pub(super) struct PostgresTypes;

impl TypePlanner for PostgresTypes {
    fn plan_type_field(&self, named: &SqlType) -> Result<Option<FieldRef>> {
        let kind = match named {
            SqlType::Timestamp(None | Some(6), zone) => {
                timestamp(matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz))
            }
            SqlType::Timestamp(..) => {
                return Err(refused("timestamps have microseconds; cut them with date_trunc"));
            }
            SqlType::Time(None | Some(6), TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                DataType::Time64(TimeUnit::Nanosecond)
            }
            SqlType::Time(..) => {
                return Err(refused(
                    "times of a day have microseconds and no zone; use a timestamp",
                ));
            }
            SqlType::Float(ExactNumberInfo::None) => DataType::Float64,
            SqlType::Float(ExactNumberInfo::Precision(bits)) if *bits >= 25 => DataType::Float64,
            // A cast of a text or a number to it is reworded in `syntax.rs`.
            SqlType::Varchar(Some(_))
            | SqlType::CharVarying(Some(_))
            | SqlType::CharacterVarying(Some(_)) => {
                return Err(refused("texts have no length here; cut them with left(text, length)"));
            }
            SqlType::Char(_) | SqlType::Character(_) => {
                return Err(refused(
                    "char is not supported here, since it fills texts with spaces; use varchar or text",
                ));
            }
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", kind, true))))
    }
}

//! Expressions with the same value for all rows of a cell: those of its organisation, provider,
//! model and date, and of its time by the hour or coarser.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator, TryCast, Volatility};

use crate::archive::PARTITION;
use crate::clock::{HOUR, Micros};

/// Nanoseconds of an hour.
const HOUR_NANOS: i64 = HOUR * 1_000;
/// The part of a time that is constant within an hour, but not within a day.
const HOUR_PART: &str = "hour";
/// Parts of a time that are constant within a day.
const DAY_PARTS: [&str; 10] =
    ["day", "week", "month", "quarter", "year", "dow", "doy", "isodow", "isoyear", "isoweek"];

/// What presummed rows must distinguish to answer a query.
#[derive(Debug, Default, Clone)]
pub(in crate::sql) struct Needs {
    /// Hours are distinguished within a day.
    pub hours: bool,
    /// Rows before and after these instants are distinguished.
    pub cuts: BTreeSet<Micros>,
    /// Providers are distinguished.
    pub provider: bool,
    /// Models are distinguished.
    pub model: bool,
}

impl Needs {
    /// True if the expression is constant within a cell; adds what that requires to the needs.
    pub(super) fn is_constant(&mut self, expr: &Expr) -> bool {
        match expr {
            Expr::Literal(..) => true,
            Expr::Column(column) => self.is_constant_column(&column.name),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                if let Some(cuts) = cuts(left, *op, right) {
                    self.cuts.extend(cuts);
                    return true;
                }
                self.is_constant(left) && self.is_constant(right)
            }
            Expr::Between(Between { expr, low, high, .. }) if is_time(expr) => {
                let bounds = time_of(low).zip(time_of(high).and_then(|high| high.checked_add(1)));
                self.cuts.extend(bounds.into_iter().flat_map(|(low, high)| [low, high]));
                bounds.is_some()
            }
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
                if is_time(expr) =>
            {
                *field.data_type() == DataType::Date32
            }
            Expr::ScalarFunction(function) => self.is_constant_function(function),
            Expr::Alias(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::InList(_) => self.are_parts_constant(expr),
            _ => false,
        }
    }

    fn is_constant_column(&mut self, name: &str) -> bool {
        match name {
            "provider" => self.provider = true,
            "model" => self.model = true,
            name => return ["org_id", "event_type", PARTITION].contains(&name),
        }
        true
    }

    fn are_parts_constant(&mut self, expr: &Expr) -> bool {
        let mut constant = true;
        let seen = expr.apply_children(|part| {
            constant &= self.is_constant(part);
            Ok(if constant { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        });
        seen.is_ok() && constant
    }

    fn is_constant_function(&mut self, function: &ScalarFunction) -> bool {
        let ScalarFunction { func, args } = function;
        if func.signature().volatility == Volatility::Volatile {
            return false;
        }
        let hours = match (func.name(), args.as_slice()) {
            ("date_trunc" | "date_part", [part, time]) if is_time(time) => is_within_day(part),
            ("date_bin", [width, time]) if is_time(time) => whole_hours(width).then_some(true),
            ("date_bin", [width, time, origin]) if is_time(time) => {
                let whole = time_of(origin).is_some_and(|origin| origin % HOUR == 0);
                (whole && whole_hours(width)).then_some(true)
            }
            _ => return args.iter().all(|arg| self.is_constant(arg)),
        };
        self.hours |= hours.unwrap_or_default();
        hours.is_some()
    }
}

/// True for `ts`, as it is or in other units of the same zone.
pub(super) fn is_time(expr: &Expr) -> bool {
    match expr {
        Expr::Column(column) => column.name == "ts",
        Expr::Cast(Cast { expr, field }) => {
            let utc = matches!(field.data_type(), DataType::Timestamp(_, Some(zone)) if ["UTC", "+00:00"].contains(&&**zone));
            utc && matches!(expr.as_ref(), Expr::Column(column) if column.name == "ts")
        }
        _ => false,
    }
}

/// A literal instant, if it is a whole number of microseconds.
fn time_of(expr: &Expr) -> Option<Micros> {
    match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(at, Some(_)), _) => *at,
        Expr::Literal(ScalarValue::TimestampNanosecond(Some(at), Some(_)), _) => {
            (at % 1_000 == 0).then_some(at / 1_000)
        }
        _ => None,
    }
}

/// The instants at which a comparison of `ts` separates rows: `at` for both `ts < at` and `ts >=
/// at`.
fn cuts(left: &Expr, op: Operator, right: &Expr) -> Option<Vec<Micros>> {
    if is_time(right) {
        return if is_time(left) { None } else { cuts(right, op.swap()?, left) };
    }
    let at = time_of(right).filter(|_| is_time(left))?;
    let next = at.checked_add(1)?;
    match op {
        Operator::Lt | Operator::GtEq => Some(vec![at]),
        Operator::Gt | Operator::LtEq => Some(vec![next]),
        Operator::Eq | Operator::NotEq => Some(vec![at, next]),
        _ => None,
    }
}

/// Whether a part of a time differs within a day; `None` if it differs within an hour too.
fn is_within_day(part: &Expr) -> Option<bool> {
    let Expr::Literal(part, _) = part else { return None };
    let part = part.try_as_str()??.to_lowercase();
    if part == HOUR_PART {
        return Some(true);
    }
    DAY_PARTS.contains(&part.as_str()).then_some(false)
}

fn whole_hours(width: &Expr) -> bool {
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(width)), _) = width else {
        return false;
    };
    width.months == 0 && width.nanoseconds % HOUR_NANOS == 0
}

//! What is summed of events: each column once, with its name, its type and how it merges. The schema
//! of cells, how they are read and written, and how they are added up follow from here.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, TimeUnit};

use super::SqlError;
use super::columns::ResultColumns;
use super::query::PARTIAL;
use crate::clock::Micros;
use crate::event::money;

/// Digits of a sum: the maximum of a 16-byte decimal.
const SUM_DIGITS: u8 = 38;

/// How a column is read, written and merged.
pub trait Summed {
    /// A value; the default is that of no event.
    type Value: Clone + Default + PartialEq;

    /// Adds up two.
    fn add(sum: &mut Self::Value, other: &Self::Value);

    /// What of `had` is not in `has`; never less than nothing.
    fn minus(had: &Self::Value, has: &Self::Value) -> Self::Value;
}

/// A count of events.
#[derive(Debug)]
pub struct Count;
/// A sum of LLM tokens. 2^64 events of 10^12 tokens each fit with room to spare.
#[derive(Debug)]
pub struct Tokens;
/// A sum in units of 10⁻¹² dollars.
#[derive(Debug)]
pub struct Money;
/// The first of some instants.
#[derive(Debug)]
pub struct Earliest;

impl Summed for Count {
    type Value = u64;

    fn add(sum: &mut u64, other: &u64) {
        *sum += other;
    }

    fn minus(had: &u64, has: &u64) -> u64 {
        had.saturating_sub(*has)
    }
}

impl Summed for Tokens {
    type Value = i128;

    fn add(sum: &mut i128, other: &i128) {
        *sum += other;
    }

    fn minus(had: &i128, has: &i128) -> i128 {
        (had - has).max(0)
    }
}

impl Summed for Money {
    type Value = i128;

    fn add(sum: &mut i128, other: &i128) {
        *sum += other;
    }

    fn minus(had: &i128, has: &i128) -> i128 {
        (had - has).max(0)
    }
}

impl Summed for Earliest {
    type Value = Option<Micros>;

    fn add(sum: &mut Option<Micros>, other: &Option<Micros>) {
        *sum = match (*sum, *other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn minus(had: &Option<Micros>, has: &Option<Micros>) -> Option<Micros> {
        had.filter(|_| had != has)
    }
}

/// The column of a file of cells.
pub(super) trait Stored: Summed {
    fn field(name: &str) -> Field;

    fn read(columns: &ResultColumns<'_>, name: &str) -> Result<Vec<Self::Value>, SqlError>;

    fn column(values: impl Iterator<Item = Self::Value>) -> Result<ArrayRef, SqlError>;
}

impl Stored for Count {
    fn field(name: &str) -> Field {
        Field::new(name, DataType::Int64, false)
    }

    fn read(columns: &ResultColumns<'_>, name: &str) -> Result<Vec<u64>, SqlError> {
        columns.counts(name)
    }

    fn column(values: impl Iterator<Item = u64>) -> Result<ArrayRef, SqlError> {
        let counts = values.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }
}

impl Stored for Tokens {
    fn field(name: &str) -> Field {
        Field::new(name, DataType::Decimal128(SUM_DIGITS, 0), false)
    }

    fn read(columns: &ResultColumns<'_>, name: &str) -> Result<Vec<i128>, SqlError> {
        columns.sums(name, 0)
    }

    fn column(values: impl Iterator<Item = i128>) -> Result<ArrayRef, SqlError> {
        decimals(values, 0)
    }
}

impl Stored for Money {
    fn field(name: &str) -> Field {
        Field::new(name, DataType::Decimal128(SUM_DIGITS, money::PLACES), false)
    }

    fn read(columns: &ResultColumns<'_>, name: &str) -> Result<Vec<i128>, SqlError> {
        columns.sums(name, money::PLACES)
    }

    fn column(values: impl Iterator<Item = i128>) -> Result<ArrayRef, SqlError> {
        decimals(values, money::PLACES)
    }
}

impl Stored for Earliest {
    fn field(name: &str) -> Field {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Field::new(name, time, true)
    }

    fn read(columns: &ResultColumns<'_>, name: &str) -> Result<Vec<Option<Micros>>, SqlError> {
        columns.times_if_any(name)
    }

    fn column(values: impl Iterator<Item = Option<Micros>>) -> Result<ArrayRef, SqlError> {
        let times = TimestampMicrosecondArray::from_iter(values);
        Ok(Arc::new(times.with_timezone("UTC")))
    }
}

fn decimals(values: impl Iterator<Item = i128>, scale: i8) -> Result<ArrayRef, SqlError> {
    let sums = Decimal128Array::from_iter_values(values);
    sums.validate_decimal_precision(SUM_DIGITS).map_err(|error| wrong(&error))?;
    let sums = sums.with_precision_and_scale(SUM_DIGITS, scale);
    Ok(Arc::new(sums.map_err(|error| wrong(&error))?))
}

/// A defect in what is summed.
pub(super) fn wrong(error: &arrow::error::ArrowError) -> SqlError {
    SqlError::Query { query: PARTIAL.name, reason: error.to_string() }
}

/// A set of sums: its fields, in the order of the columns, and `more` that only some cells have.
macro_rules! sums {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $kind:ident as $column:literal,)*
            $(; $(#[$more_doc:meta])* $more:ident: $more_type:ident)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: <$kind as Summed>::Value,)*
            $($(#[$more_doc])* pub $more: Option<Box<$more_type>>,)?
        }

        impl std::ops::AddAssign<&Self> for $name {
            fn add_assign(&mut self, other: &Self) {
                $($kind::add(&mut self.$field, &other.$field);)*
                $(if let Some(more) = &other.$more {
                    **self.$more.get_or_insert_default() += more;
                })?
            }
        }

        impl $name {
            /// What of these sums is not in `has`; none is below 0.
            pub fn minus(&self, has: &Self) -> Self {
                Self {
                    $($field: $kind::minus(&self.$field, &has.$field),)*
                    $($more: self.$more.as_ref().and_then(|had| {
                        let left = match &has.$more {
                            Some(has) => had.minus(has),
                            None => (**had).clone(),
                        };
                        (left != $more_type::default()).then(|| Box::new(left))
                    }),)?
                }
            }

            /// Their columns.
            pub(super) fn fields() -> Vec<Field> {
                vec![$($kind::field($column)),*]
            }

            /// Those of each row, in the columns of their own.
            pub(super) fn read(columns: &ResultColumns<'_>) -> Result<Vec<Self>, SqlError> {
                $(let mut $field = $kind::read(columns, $column)?.into_iter();)*
                // All columns of a batch are of one length, so they end together.
                let row = || Some(Self { $($field: $field.next()?,)* $($more: None::<Box<$more_type>>,)? });
                Ok(std::iter::from_fn(row).collect())
            }

            /// Rows as columns, but for what only some cells have.
            pub(super) fn columns<'a>(
                rows: impl Iterator<Item = &'a Self> + Clone,
            ) -> Result<Vec<ArrayRef>, SqlError> {
                Ok(vec![$($kind::column(rows.clone().map(|row| row.$field.clone()))?),*])
            }
        }
    };
}

sums! {
    /// Sums over events of one (provider, model) series, or a part of it.
    SeriesTotals {
        /// Calls.
        requests: Count as "requests",
        /// Sum of `input_tokens`, cached ones included.
        input_tokens: Tokens as "input_tokens",
        /// Sum of `output_tokens`, reasoning included.
        output_tokens: Tokens as "output_tokens",
        /// Sum of `cached_input_tokens`; a part of the input.
        cached_input_tokens: Tokens as "cached_input_tokens",
        /// Sum of `cache_write_tokens`; a part of the input.
        cache_write_tokens: Tokens as "cache_write_tokens",
        /// Sum of `reasoning_tokens`; a part of the output.
        reasoning_tokens: Tokens as "reasoning_tokens",
        /// Sum of `cost_usd` of the calls, in units of 10⁻¹² dollars.
        cost: Money as "cost_usd",
        /// Calls whose `cost_usd` is null.
        unpriced: Count as "unpriced",
        ;
        /// What the cells of dimensions tell besides.
        further: FurtherSums
    }
}

sums! {
    /// Sums that the cells of dimensions have, and partials do not.
    FurtherSums {
        /// Corrections above 0, in units of 10⁻¹² dollars.
        corrected: Money as "corrected_cost_usd",
        /// Corrections below 0, as amounts above 0, in units of 10⁻¹² dollars.
        credits: Money as "credits_usd",
        /// Calls that had no price when they came, and have got one.
        priced_later: Count as "priced_later",
        /// When the first of the events was ingested.
        first_ingested: Earliest as "first_ingested",
    }
}

/// The start of series that began before anybody took down when: earlier than any event.
pub(super) const START_UNKNOWN: Micros = 0;

impl SeriesTotals {
    /// When the first of the events was ingested, if these sums know it.
    pub fn created(&self) -> Option<Micros> {
        let start = self.further.as_ref()?.first_ingested;
        start.filter(|start| *start > START_UNKNOWN)
    }

    /// What was spent: the cost of calls and of corrections above 0, in units of 10⁻¹² dollars. It never
    /// falls.
    pub fn spent(&self) -> i128 {
        self.cost + self.further.as_ref().map_or(0, |further| further.corrected)
    }

    /// Corrections below 0, as an amount above 0, in units of 10⁻¹² dollars.
    pub fn credits(&self) -> i128 {
        self.further.as_ref().map_or(0, |further| further.credits)
    }

    /// Calls without a price that have got one since.
    pub fn priced_later(&self) -> u64 {
        self.further.as_ref().map_or(0, |further| further.priced_later)
    }

    /// The cost less credits, in units of 10⁻¹² dollars.
    pub fn net_cost(&self) -> i128 {
        self.spent() - self.credits()
    }
}

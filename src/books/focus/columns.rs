//! The columns of FOCUS 1.2: their names and types, and the charges of a day in them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::charges::DayCharge;
use super::meter::Meter;
use crate::books::month::{Month, midnight};
use crate::clock::Micros;
use crate::event::money;

/// Digits of a decimal.
const DIGITS: u8 = 38;
/// A whole in units of the last place.
const WHOLE: i128 = money::UNITS_PER_DOLLAR;
/// The name of what has none, where a column may not be null.
const UNKNOWN: &str = "Unknown";
/// The service that all charges are of.
const SERVICE: &str = "LLM API";
/// Its category, as the specification names it.
const CATEGORY: &str = "AI and Machine Learning";
/// What a charge of books that were closed is.
const CORRECTION: &str = "Correction";

/// The type of a column.
#[derive(Clone, Copy)]
enum FocusType {
    Text,
    Time,
    Decimal,
    Count,
}

/// The columns: names, types, and whether they may be null. Those of the specification come by name.
const COLUMNS: [(&str, FocusType, bool); 30] = [
    ("BilledCost", FocusType::Decimal, false),
    ("BillingAccountId", FocusType::Text, false),
    ("BillingAccountName", FocusType::Text, true),
    ("BillingCurrency", FocusType::Text, false),
    ("BillingPeriodEnd", FocusType::Time, false),
    ("BillingPeriodStart", FocusType::Time, false),
    ("ChargeCategory", FocusType::Text, false),
    ("ChargeClass", FocusType::Text, true),
    ("ChargeDescription", FocusType::Text, true),
    ("ChargePeriodEnd", FocusType::Time, false),
    ("ChargePeriodStart", FocusType::Time, false),
    ("ConsumedQuantity", FocusType::Decimal, true),
    ("ConsumedUnit", FocusType::Text, true),
    ("ContractedCost", FocusType::Decimal, false),
    ("EffectiveCost", FocusType::Decimal, false),
    ("InvoiceIssuerName", FocusType::Text, false),
    ("ListCost", FocusType::Decimal, false),
    ("ListUnitPrice", FocusType::Decimal, true),
    ("PricingQuantity", FocusType::Decimal, true),
    ("PricingUnit", FocusType::Text, true),
    ("ProviderName", FocusType::Text, false),
    ("PublisherName", FocusType::Text, false),
    ("ServiceCategory", FocusType::Text, false),
    ("ServiceName", FocusType::Text, false),
    ("SkuId", FocusType::Text, true),
    ("SkuMeter", FocusType::Text, true),
    ("SkuPriceId", FocusType::Text, true),
    ("SubAccountId", FocusType::Text, true),
    (TAGS, FocusType::Text, true),
    ("x_UnpricedRequests", FocusType::Count, false),
];
/// The column that there is only with a dimension.
const TAGS: &str = "Tags";

/// The columns' names and types.
pub(super) fn schema(with_tags: bool) -> SchemaRef {
    let columns = COLUMNS.into_iter().filter(|(name, ..)| with_tags || *name != TAGS);
    let fields = columns.map(|(name, kind, is_null)| {
        let kind = match kind {
            FocusType::Text => DataType::Utf8,
            FocusType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            FocusType::Decimal => DataType::Decimal128(DIGITS, money::PLACES),
            FocusType::Count => DataType::Int64,
        };
        Field::new(name, kind, is_null)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The time that charges are of.
#[derive(Clone, Copy)]
pub(super) struct Period {
    /// The billing period.
    pub(super) month: Month,
    /// The charge period.
    pub(super) day: [Micros; 2],
}

/// Charges of a day as columns.
///
/// # Errors
/// A sum of more than 38 digits.
pub(super) fn columns(
    schema: &SchemaRef,
    charges: &[DayCharge],
    period: Period,
    dimension: Option<&str>,
) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| {
        let name = field.name().as_str();
        match field.data_type() {
            DataType::Timestamp(..) => Ok(time(name, charges.len(), period)),
            DataType::Decimal128(..) => decimals(charges, |charge| decimal(name, charge)),
            DataType::Int64 => Ok(unpriced(charges)),
            _ => Ok(texts(charges, |charge| text(name, charge, dimension))),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

fn time(name: &str, count: usize, Period { month, day: [start, end] }: Period) -> ArrayRef {
    let at = match name {
        "BillingPeriodStart" => midnight(month.first()),
        "BillingPeriodEnd" => midnight(month.next()),
        "ChargePeriodStart" => start,
        _ => end,
    };
    let times = TimestampMicrosecondArray::from_iter_values(std::iter::repeat_n(at, count));
    Arc::new(times.with_timezone("UTC"))
}

fn decimals(
    charges: &[DayCharge],
    of: impl Fn(&DayCharge) -> Option<i128>,
) -> Result<ArrayRef, ArrowError> {
    let decimals = charges.iter().map(of).collect::<Decimal128Array>();
    let decimals = decimals.with_precision_and_scale(DIGITS, money::PLACES)?;
    decimals.validate_decimal_precision(DIGITS)?;
    Ok(Arc::new(decimals))
}

/// In units of the last place.
fn decimal(name: &str, charge: &DayCharge) -> Option<i128> {
    match name {
        "ConsumedQuantity" => charge.consumed.map(|(_, quantity)| quantity.saturating_mul(WHOLE)),
        "PricingQuantity" => charge
            .consumed
            .map(|(meter, quantity)| quantity.saturating_mul(WHOLE / meter.pricing().1)),
        "ListUnitPrice" => charge.unit_price,
        // There are no discounts that are known here.
        _ => Some(charge.cost),
    }
}

fn unpriced(charges: &[DayCharge]) -> ArrayRef {
    let counts = charges.iter().map(|charge| i64::try_from(charge.unpriced).unwrap_or(i64::MAX));
    Arc::new(Int64Array::from_iter_values(counts))
}

fn texts<'c>(charges: &'c [DayCharge], of: impl Fn(&'c DayCharge) -> Option<String>) -> ArrayRef {
    Arc::new(charges.iter().map(of).collect::<StringArray>())
}

fn text(name: &str, charge: &DayCharge, dimension: Option<&str>) -> Option<String> {
    let provider = charge.key.provider.as_deref().unwrap_or(UNKNOWN);
    let model = charge.key.model.as_deref().unwrap_or(UNKNOWN);
    let meter = charge.consumed.map(|(meter, _)| meter);
    let text = match name {
        "BillingCurrency" => "USD",
        "ChargeCategory" => "Usage",
        "ChargeClass" => return charge.consumed.is_none().then(|| CORRECTION.to_owned()),
        "ChargeDescription" => {
            let what = meter.map_or(CORRECTION, Meter::name);
            return Some(format!("{what} of {model}, {provider}"));
        }
        "ConsumedUnit" => meter?.unit(),
        "PricingUnit" => meter?.pricing().0,
        "ServiceCategory" => CATEGORY,
        "ServiceName" => SERVICE,
        "SkuId" => model,
        "SkuMeter" => meter?.name(),
        "SkuPriceId" => return Some(format!("{provider}/{model}:{}", meter?.id())),
        "SubAccountId" => &charge.key.org_id,
        TAGS => {
            let (name, value) = (dimension?, charge.key.value.as_deref()?);
            return Some(serde_json::json!({ name: value }).to_string());
        }
        // Accounts, issuers, publishers: whoever sells the model.
        _ => provider,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_the_specification() {
        let mandatory = "BilledCost BillingAccountId BillingAccountName BillingCurrency \
             BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeClass ChargeDescription \
             ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName \
             ListCost PricingQuantity PricingUnit ProviderName PublisherName ServiceCategory \
             ServiceName";
        let conditional = "ConsumedQuantity ConsumedUnit ListUnitPrice SkuId SkuMeter SkuPriceId \
             SubAccountId Tags";
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(names(mandatory).len(), 21);
        let mut wanted = [names(mandatory), names(conditional)].concat();
        wanted.sort();
        wanted.push("x_UnpricedRequests".to_owned());
        let of = |schema: SchemaRef| {
            schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(of(schema(true)), wanted);
        wanted.retain(|name| name != "Tags");
        assert_eq!(of(schema(false)), wanted);
        for field in schema(true).fields() {
            let (name, kind) = (field.name(), field.data_type());
            let expected = match name.as_str() {
                name if name.contains("Period") => "Timestamp",
                name if name.contains("Cost") || name.contains("Quantity") => "Decimal128(38, 12)",
                "ListUnitPrice" => "Decimal128(38, 12)",
                "x_UnpricedRequests" => "Int64",
                _ => "Utf8",
            };
            assert!(format!("{kind:?}").starts_with(expected), "{name}: {kind:?}");
        }
    }
}

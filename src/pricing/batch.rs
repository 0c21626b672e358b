//! Prices the calls of a batch that came without a cost, by its columns and the context in its attributes.

use arrow::array::{
    Array as _, AsArray as _, MapArray, PrimitiveArray, RecordBatch, StringArray, UInt32Array,
};
use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::call::{ModelCall, PriceContext};
use super::kind::{Counts, TokenKind};
use super::prices::{Pricer, Prices};
use super::unit::{BilledUnit, Quantity};
use crate::event::{
    API_CALL, EventBatch, EventError, NewCost, Rejection, attribute_texts, token_count,
};

/// A batch whose calls have the costs that prices tell.
#[derive(Debug)]
pub struct PricedBatch {
    /// The events that may be stored.
    pub batch: EventBatch,
    /// Calls whose counts contradict each other, so that no cost can be right.
    pub rejections: Vec<Rejection>,
}

/// Whether a batch has a call without a cost.
///
/// # Errors
/// Internal only.
pub fn lacks_cost(batch: &EventBatch) -> Result<bool, EventError> {
    let columns = CallColumns::of(batch.record_batch())?;
    Ok((0..batch.len()).any(|row| columns.lacks_cost(row)))
}

/// Gives each call of a batch that has no cost the one that `prices` tell. One that has none by them
/// stays without.
///
/// # Errors
/// Internal only.
pub fn price_batch(batch: &EventBatch, prices: &Prices) -> Result<PricedBatch, EventError> {
    let mut pricing = BatchPricing::new(batch, prices)?;
    pricing.price_until(|| false);
    pricing.finish()
}

/// A batch that is being priced, as far as there is time: names are the senders' own, and each new one
/// is looked for among all rules.
pub struct BatchPricing<'b> {
    batch: &'b EventBatch,
    columns: CallColumns<'b>,
    pricer: Pricer<'b>,
    costs: Vec<Option<NewCost<'b>>>,
    /// The row that comes next.
    row: usize,
    /// By row, once one is rejected.
    kept: Vec<bool>,
    rejections: Vec<Rejection>,
}

impl<'b> BatchPricing<'b> {
    /// A batch of which no call is priced yet.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(batch: &'b EventBatch, prices: &'b Prices) -> Result<Self, EventError> {
        Ok(Self {
            batch,
            columns: CallColumns::of(batch.record_batch())?,
            pricer: Pricer::new(prices),
            costs: vec![None; batch.len()],
            row: 0,
            kept: Vec::new(),
            rejections: Vec::new(),
        })
    }

    /// Prices calls until `is_over` says so, which is asked after each. True once all are.
    pub fn price_until(&mut self, is_over: impl Fn() -> bool) -> bool {
        while let Some(cost) = self.costs.get_mut(self.row) {
            let row = self.row;
            self.row += 1;
            if !self.columns.lacks_cost(row) {
                continue;
            }
            match self.columns.cost(row, self.columns.names(row), &mut self.pricer) {
                Ok(found) => *cost = found,
                Err(error) => self.reject(row, error),
            }
            if is_over() {
                return false;
            }
        }
        true
    }

    fn reject(&mut self, row: usize, error: String) {
        if self.rejections.is_empty() {
            self.kept = vec![true; self.batch.len()];
        }
        self.kept.get_mut(row).into_iter().for_each(|kept| *kept = false);
        let event_id = Some(self.columns.event_ids.value(row).to_owned());
        let index = self.batch.indices().get(row).and_then(|index| usize::try_from(*index).ok());
        self.rejections.push(Rejection { index: index.unwrap_or(usize::MAX), event_id, error });
    }

    /// The priced batch.
    ///
    /// # Errors
    /// Internal only.
    pub fn finish(self) -> Result<PricedBatch, EventError> {
        let (batch, rejections) = (self.batch.priced(&self.costs)?, self.rejections);
        if rejections.is_empty() {
            return Ok(PricedBatch { batch, rejections });
        }
        let kept = (0_u32..).zip(self.kept).filter_map(|(row, kept)| kept.then_some(row));
        let batch = batch.take(&kept.collect::<UInt32Array>())?;
        Ok(PricedBatch { batch, rejections })
    }
}

/// The columns of events that a price depends on.
#[derive(Debug)]
pub struct CallColumns<'b> {
    event_ids: &'b StringArray,
    orgs: &'b StringArray,
    types: &'b StringArray,
    times: &'b PrimitiveArray<TimestampMicrosecondType>,
    providers: &'b StringArray,
    models: &'b StringArray,
    costs: &'b PrimitiveArray<Decimal128Type>,
    /// Each kind of tokens that has a column.
    tokens: [(TokenKind, &'b PrimitiveArray<Int64Type>); 5],
    attributes: &'b MapArray,
}

/// Who served a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallNames<'n> {
    /// The provider.
    pub provider: Option<&'n str>,
    /// The model.
    pub model: Option<&'n str>,
}

/// The kinds that have a column, so that an attribute of that name is somebody else's.
const COLUMNS: [TokenKind; 5] = [
    TokenKind::Input,
    TokenKind::Output,
    TokenKind::CachedInput,
    TokenKind::CacheWrite,
    TokenKind::Reasoning,
];

/// What the attributes of a call tell of its price.
#[derive(Default)]
struct Details<'b> {
    context: PriceContext<'b>,
    counts: Counts,
    quantities: Vec<(BilledUnit, Quantity)>,
    /// Whether a count is no number, so that no price can be told.
    is_unclear: bool,
}

impl<'b> CallColumns<'b> {
    /// Those of events as they are stored, which must have all of them.
    ///
    /// # Errors
    /// Internal only.
    pub fn of(rows: &'b RecordBatch) -> Result<Self, EventError> {
        let column = |name: &'static str| rows.column_by_name(name).ok_or_else(|| missing(name));
        let text = |name| column(name)?.as_string_opt::<i32>().ok_or_else(|| missing(name));
        let tokens = |name| primitive::<Int64Type>(rows, name);
        Ok(Self {
            event_ids: text("event_id")?,
            orgs: text("org_id")?,
            types: text("event_type")?,
            times: primitive(rows, "ts")?,
            providers: text("provider")?,
            models: text("model")?,
            costs: primitive(rows, "cost_usd")?,
            tokens: [
                (TokenKind::Input, tokens("input_tokens")?),
                (TokenKind::Output, tokens("output_tokens")?),
                (TokenKind::CachedInput, tokens("cached_input_tokens")?),
                (TokenKind::CacheWrite, tokens("cache_write_tokens")?),
                (TokenKind::Reasoning, tokens("reasoning_tokens")?),
            ],
            attributes: column("attributes")?.as_map_opt().ok_or_else(|| missing("attributes"))?,
        })
    }

    fn lacks_cost(&self, row: usize) -> bool {
        self.costs.is_null(row) && self.types.value(row) == API_CALL
    }

    /// The names that a call is priced by: those that it has.
    pub fn names(&self, row: usize) -> CallNames<'b> {
        let text = |column: &'b StringArray| column.is_valid(row).then(|| column.value(row));
        CallNames { provider: text(self.providers), model: text(self.models) }
    }

    /// What a call of these names costs; none if no price is known.
    ///
    /// # Errors
    /// Why its counts contradict each other.
    pub fn cost<'p>(
        &self,
        row: usize,
        names: CallNames<'_>,
        pricer: &mut Pricer<'p>,
    ) -> Result<Option<NewCost<'p>>, String> {
        let mut details = Details::default();
        for (kind, tokens) in &self.tokens {
            if tokens.is_valid(row) {
                details.counts.set(*kind, tokens.value(row));
            }
        }
        if self.attributes.is_valid(row) {
            for (name, value) in attribute_texts(self.attributes, row) {
                details.add(name, value)?;
            }
        }
        let call = ModelCall {
            org: self.orgs.value(row),
            provider: names.provider,
            model: names.model,
            ts: self.times.value(row),
            counts: details.counts,
            quantities: &details.quantities,
            context: details.context,
        };
        match pricer.price(&call) {
            Ok(price) if !details.is_unclear => {
                Ok(Some(NewCost { units: price.cost, source: price.source }))
            }
            Err(why) if why.is_impossible() => Err(why.to_string()),
            _ => Ok(None),
        }
    }
}

impl<'b> Details<'b> {
    /// Takes an attribute, if prices depend on it.
    ///
    /// # Errors
    /// A count below 0.
    fn add(&mut self, name: &str, value: &'b str) -> Result<(), String> {
        match name {
            "service_tier" => self.context.service_tier = Some(value),
            "speed" => self.context.speed = Some(value),
            "processing" => self.context.processing = Some(value),
            "region" => self.context.region = Some(value),
            _ => {
                let kind = name.strip_suffix("_tokens").and_then(TokenKind::named);
                if let Some(kind) = kind.filter(|kind| !COLUMNS.contains(kind)) {
                    return self.count(name, kind, value);
                }
                if let Some(unit) = BilledUnit::of_attribute(name) {
                    self.quantity(unit, value);
                }
            }
        }
        Ok(())
    }

    fn quantity(&mut self, unit: BilledUnit, value: &str) {
        match Quantity::parse(value) {
            Some(quantity) if self.quantities.iter().all(|(known, _)| *known != unit) => {
                self.quantities.push((unit, quantity));
            }
            None if value.trim().is_empty() => {}
            _ => self.is_unclear = true,
        }
    }

    fn count(&mut self, name: &str, kind: TokenKind, value: &str) -> Result<(), String> {
        let value = value.trim();
        match token_count(value) {
            Some(count) => self.counts.set(kind, count),
            None if value.is_empty() => {}
            None if value.strip_prefix('-').and_then(token_count).is_some() => {
                return Err(format!("{name}: {value} is below 0"));
            }
            None => self.is_unclear = true,
        }
        Ok(())
    }
}

fn primitive<'b, T: ArrowPrimitiveType>(
    rows: &'b RecordBatch,
    name: &'static str,
) -> Result<&'b PrimitiveArray<T>, EventError> {
    let column = rows.column_by_name(name);
    column.and_then(|column| column.as_primitive_opt()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> EventError {
    ArrowError::SchemaError(format!("no column {name}")).into()
}

#[cfg(test)]
mod tests {
    use super::super::call::ContextKey;
    use super::*;
    use crate::event::is_price_context;

    #[test]
    fn what_is_read_has_room_before_other_attributes() {
        for name in ContextKey::ALL.map(ContextKey::name) {
            assert!(is_price_context(name), "{name}");
        }
        for kind in TokenKind::ALL {
            let name = format!("{}_tokens", kind.name());
            assert_eq!(is_price_context(&name), !COLUMNS.contains(&kind), "{name}");
        }
        for unit in BilledUnit::ALL.map(BilledUnit::name) {
            for name in [unit.to_owned(), format!("billed_{unit}")] {
                let is_read = BilledUnit::of_attribute(&name).is_some();
                assert_eq!(is_price_context(&name), is_read, "{name}");
            }
        }
        assert!(!is_price_context("team") && !is_price_context("billed_"));
    }
}

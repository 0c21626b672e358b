//! The definition of an event: its columns, their limits, and the one place that checks them.
//!
//! Decoders turn their format into named [`FieldValue`]s. [`EventBatchBuilder`] checks a whole
//! event before it stores any of it. A bad event is a value ([`Rejection`]), never an error, and
//! never costs its neighbours. Only identity, time, tokens and money can get an event rejected.
//! Metadata is kept as far as possible, and every change to it is counted ([`Mended`]). Nothing
//! here does I/O. No float ever holds money, a count or a time: all three are read as decimal text.

mod attributes;
mod batch;
mod builder;
mod column;
mod columns;
mod correction;
mod decimal;
mod dimension;
mod exact;
mod field;
pub(crate) mod json_split;
pub(crate) mod json_text;
mod marked;
mod mended;
pub mod money;
mod needed;
mod new_corrections;
mod org;
mod price_context;
mod priced;
mod renamed;
mod row;
mod scaled;
mod schema;
mod slots;
mod stored;
mod stored_rules;
pub mod time;
mod types;
mod values;

pub use attributes::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX};
pub use batch::{Decoded, EventBatch, EventError, Rejection};
pub use builder::EventBatchBuilder;
pub use column::sent_columns;
pub use correction::{COST_CORRECTION, has_corrections};
pub use dimension::{
    DIMENSIONS_MAX, Dimension, DimensionError, Dimensions, VALUE_BYTES_MAX, attribute_of,
    attributes_of, dimension_value,
};
pub use exact::exact_column;
pub use field::FieldValue;
pub use mended::{Mend, Mended};
pub use needed::{CORRECTS, WAS_UNPRICED};
pub use new_corrections::{NewCorrection, NewCorrections};
pub use org::{InvalidOrgId, OrgId, OrgRule};
pub use price_context::is_price_context;
pub use priced::NewCost;
pub use renamed::{Renaming, attribute_texts};
pub use row::{API_CALL, TOKENS_MAX, token_count};
pub use scaled::format_scaled;
pub use schema::schema;
pub use slots::{FieldName, PlainValue, Slots};
pub use stored_rules::check_stored;
pub use values::{NamedValue, TEXT_BYTES_MAX};

pub(crate) use field::excerpt;

#[cfg(test)]
mod tests;

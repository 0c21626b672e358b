//! What a call costs: from the rules of price tables to an exact cost, or to none with the reason.
//!
//! A *table* ([`Table`]) is a list of rules with a name. A *rule* ([`Rule`]) says for which models of
//! which provider it is, on which dates, and what a million tokens of each kind cost. A *variant* of a
//! rule is the rates of a context: a service tier, a speed, batches, a region, times of the day. A *leaf* is
//! the tokens of one kind that are in no other kind with a rate. [`Prices`] are tables in order; the
//! first rule that matches decides, and what that rule does not know is not asked of another.
//!
//! A price is a function of the call and the tables alone: nothing here does I/O or asks a clock. No
//! float holds a rate: rates are decimals of 12 places, sums are exact, and a cost is rounded once.

mod affixes;
mod batch;
mod builtin;
mod call;
mod checked;
mod identity;
mod import;
mod index;
mod kind;
mod model_name;
mod no_price;
mod ordered;
mod pattern;
mod period;
mod prices;
mod provider;
mod rule;
mod sheet;
mod table;
mod text;
mod unit;

pub use batch::{BatchPricing, CallColumns, CallNames, PricedBatch, lacks_cost, price_batch};
pub use builtin::builtin;
pub use call::{ContextKey, ModelCall, PriceContext};
pub use checked::rule_json;
pub use identity::ModelIdentity;
pub use import::{Form, Import, ImportError, Note, import};
pub use kind::{Counts, Impossible, TokenKind};
pub use no_price::{InvalidRate, NoPrice};
pub use period::instant;
pub use prices::{Price, Pricer, Prices};
pub use rule::Rule;
pub use sheet::Rate;
pub use table::{Table, TableError, is_of_table};
pub use unit::{BilledUnit, Quantity};

#[cfg(test)]
mod tests;

//! The books of a month: held against what providers report, and handed to finance.
//!
//! *Reconciling* compares, by day, provider and model, the sums of events with those of reports, and says why
//! they differ where that can be told. A *charge* is a row of the FOCUS export: what the tokens of one kind
//! of a model cost on a day. The cost of a day and model is divided among its charges, which add up to it
//! exactly.

mod error;
mod focus;
mod month;
mod reconcile;

pub use self::error::BooksError;
pub use self::focus::{FocusFormat, FocusQuestion, export_focus};
pub use self::month::{Month, NoMonth};
pub use self::reconcile::{
    Comparison, ReconcileQuestion, Reconciled, Tolerance, comparison_rows, reconcile,
};

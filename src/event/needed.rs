//! The attributes that sums and prices depend on. They have room before all others: without one of them
//! a call would get another price, or a correction would be of nothing.

use super::price_context::is_price_context;

/// The attribute that names what a correction corrects.
pub const CORRECTS: &str = "corrects";
/// The attribute that says of a correction that the call which it corrects had no price before, by the
/// text `true`.
pub const WAS_UNPRICED: &str = "was_unpriced";

/// Whether a sum or a price depends on the attribute of this name, whatever dimensions there are.
pub(super) fn is_needed(name: &str) -> bool {
    matches!(name, CORRECTS | WAS_UNPRICED) || is_price_context(name)
}

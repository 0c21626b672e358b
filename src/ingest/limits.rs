//! How much one request can hold.

/// Events that one request can hold.
///
/// A request of the default largest size has no room for so many valid events.
pub const EVENTS_MAX: usize = 1 << 20;

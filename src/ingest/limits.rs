//! The limit on the number of events in one request.

/// Events that one request can hold.
///
/// A request of the default maximum size has no room for this many valid events.
pub const EVENTS_MAX: usize = 1 << 20;

//! The limit on the number of events in one request.

/// Events that one request can hold.
///
/// A request of the default maximum size has no room for this many valid events.
pub const EVENTS_MAX: usize = 1 << 20;

/// Rejections of one request that are reported one by one; the others are counted. They are kept in
/// memory until the client has read the answer, and a small request may have a million.
pub const REJECTIONS_MAX: usize = 1_000;

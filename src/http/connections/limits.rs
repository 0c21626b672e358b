//! The limits of connections.

use std::time::Duration;

/// The number of connections and their time limits.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How many connections there may be at a time.
    pub connections_max: usize,
    /// From a connection's start, or a request's first byte, to the end of that request's head.
    pub head_wait: Duration,
    /// From the end of an answer to the next request's first byte.
    pub idle_wait: Duration,
    /// For reading the part of an answer that was written or handed over.
    pub write_wait: Duration,
}

impl ConnectionLimits {
    /// Limits for this many connections, with the times of a server.
    pub fn of(connections_max: usize) -> Self {
        Self {
            connections_max,
            head_wait: Duration::from_secs(10),
            // Prometheus closes an idle connection after five minutes. If the server closed it
            // first, a request could be on its way at that moment.
            idle_wait: Duration::from_secs(330),
            write_wait: Duration::from_secs(60),
        }
    }
}

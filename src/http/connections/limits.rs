//! What connections may take.

use std::time::Duration;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How many there may be at a time.
    pub connections_max: usize,
    /// From a connection's start, or a request's first byte, to the end of that request's head.
    pub head_wait: Duration,
    /// From the end of an answer to the next request's first byte.
    pub idle_wait: Duration,
    /// For taking what has been written of an answer, or what was handed over of it.
    pub write_wait: Duration,
}

impl ConnectionLimits {
    /// So many connections, with the times of a server.
    pub fn of(connections_max: usize) -> Self {
        Self {
            connections_max,
            head_wait: Duration::from_secs(10),
            // Prometheus leaves an idle connection after five minutes. Were the server first, it
            // could be just when a request is on its way.
            idle_wait: Duration::from_secs(330),
            write_wait: Duration::from_secs(60),
        }
    }
}

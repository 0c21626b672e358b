//! Connections that wait, of which the one that has waited longest gives way if there is no room.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The connections that wait, longest waiting first.
#[derive(Debug, Default)]
pub struct WaitingLine(Mutex<TicketedConnections>);

#[derive(Debug, Default)]
struct TicketedConnections {
    next_ticket: u64,
    connections: BTreeMap<u64, CancellationToken>,
}

impl WaitingLine {
    /// Adds a connection, which ends once its token is cancelled; returns its ticket.
    pub fn join(&self, connection: CancellationToken) -> u64 {
        let mut line = self.0.lock();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.connections.insert(ticket, connection);
        ticket
    }

    /// Takes a connection out, if it is still there.
    pub fn leave(&self, ticket: u64) {
        self.0.lock().connections.remove(&ticket);
    }

    /// Asks the longest waiting connection to end; false if none waits.
    pub fn dismiss_first(&self) -> bool {
        let first = self.0.lock().connections.pop_first();
        first.map(|(_, connection)| connection.cancel()).is_some()
    }
}

//! The rows that a rollout has from another one: a session that is forked from another, or spawned
//! by it, begins with copies of that one's rows.

use crate::clock::Micros;
use crate::event::time;
use crate::ingest::json_object::Object;

/// The most time between two rows that are written one after the other. A model takes longer.
const GAP: Micros = 200_000;

/// Whether a rollout is still at copies.
#[derive(Debug, Default)]
pub(super) struct Fork {
    /// When the last copy was written; none where no copies are to come.
    until: Option<Micros>,
}

impl Fork {
    /// What may follow on the first `session_meta` of a rollout.
    pub(super) fn of(row: &Object<'_>, payload: &Object<'_>) -> Self {
        let spawn = payload.object("source").object("subagent").object("thread_spawn");
        let is_fork =
            payload.get("forked_from_id").is_some() || spawn.get("parent_thread_id").is_some();
        Self { until: written(row).filter(|_| is_fork) }
    }

    /// Whether a row is a copy: it has the time of its first writing, which was before the fork, or
    /// that of the fork, where they are all written at once.
    pub(super) fn has(&mut self, row: &Object<'_>) -> bool {
        let Some(until) = self.until else { return false };
        match written(row) {
            Some(time) if time > until.saturating_add(GAP) => self.until = None,
            time => self.until = time.max(Some(until)),
        }
        self.until.is_some()
    }
}

fn written(row: &Object<'_>) -> Option<Micros> {
    row.text("timestamp").and_then(|text| time::from_text(&text).ok())
}

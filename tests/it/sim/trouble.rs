//! Commits of another program that are refused until an operator repairs the table.

use std::sync::Mutex;

use tokenlake::clock::Micros;

use crate::support::store::log_entry;

/// What is refused, and since when.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The first version that is refused, and when it came.
    refused: Option<(u64, Micros)>,
    /// When the last repair was known to be done.
    mended: Option<Micros>,
}

impl Trouble {
    /// A commit came that is to be refused.
    pub fn begin(&self, version: u64, now: Micros) {
        self.0.lock().unwrap().refused = Some((version, now));
    }

    /// Whoever repairs knows that it is done.
    pub fn end(&self, now: Micros) {
        *self.0.lock().unwrap() = State { refused: None, mended: Some(now) };
    }

    /// True while nobody knows of a repair.
    pub fn is_there(&self) -> bool {
        self.0.lock().unwrap().refused.is_some()
    }

    /// True if commits were refused at some time since `began`, and `error` is about them.
    pub fn was_since(&self, began: Micros, error: &str) -> bool {
        let state = self.0.lock().unwrap();
        let names = |(version, _)| error.contains(&log_entry(version));
        state.refused.is_some_and(names) || state.mended >= Some(began)
    }

    /// The first version that is refused, if it came before `began` and nobody knows of a repair.
    pub fn before(&self, began: Micros) -> Option<u64> {
        let state = self.0.lock().unwrap();
        state.refused.filter(|(_, at)| *at < began).map(|(version, _)| version)
    }
}

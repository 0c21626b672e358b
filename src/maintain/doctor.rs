//! Whether what an archive rests on is sound: checks of the store, one after the other, each with
//! a word on what to do.

use std::fmt;

use crate::archive::{ArchiveError, StoreCheck};
use crate::clock::Micros;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// How a check ended. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Sound(String),
    /// Something is wrong; what, and what to do.
    Failed(String),
    /// It was not made, and why.
    PassedOver(String),
}

impl Finding {
    /// What is found by a check that gives a text if all is well.
    pub fn of(name: &'static str, result: Result<String, impl fmt::Display>) -> Self {
        let outcome = match result {
            Ok(text) => Outcome::Sound(text),
            Err(error) => Outcome::Failed(error.to_string().replace('\n', " ")),
        };
        Self { name, outcome }
    }

    /// A check that is not made.
    pub fn passed_over(name: &'static str, why: &str) -> Self {
        Self { name, outcome: Outcome::PassedOver(why.to_owned()) }
    }

    /// True if something is wrong.
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match &self.outcome {
            Outcome::Sound(text) => ("ok", text),
            Outcome::Failed(text) => ("failed", text),
            Outcome::PassedOver(text) => ("skipped", text),
        };
        write!(f, "{word} {}: {text}", self.name)
    }
}

/// Reaches the archive with the credentials that there are.
pub async fn check_access(check: &StoreCheck) -> Finding {
    let reached = check.reach().await.map(|()| "the archive can be listed".to_owned());
    let reached = reached.map_err(|error| {
        format!("{error}; check the address, the credentials and their rights (AWS_*, AZURE_* or GOOGLE_* variables)")
    });
    Finding::of("credentials", reached)
}

/// Tries all that writes.
pub async fn check_writing(check: &StoreCheck, now: Micros, mut each: impl FnMut(Finding)) {
    let text = |result: Result<(), ArchiveError>, text: &str| result.map(|()| text.to_owned());
    let clock = check.clock(now).await;
    each(Finding::of("clock", text(clock, "it agrees with the store's")));
    let put = check.conditional_put().await;
    each(Finding::of("conditional put", text(put, "a second put of a new object is refused")));
    let objects = check.objects().await;
    each(Finding::of("objects", text(objects, "one was written, read, listed and deleted")));
}

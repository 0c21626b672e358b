//! Checks of the store that an archive depends on, one after the other, each with advice.

use std::fmt;

use crate::archive::{ArchiveError, StoreCheck};
use crate::clock::Micros;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a check ended. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Sound(String),
    /// Something is wrong; what, and what to do.
    Failed(String),
    /// The check was not made, and why.
    PassedOver(String),
}

impl Finding {
    /// The finding of a check that returns a text if all is well.
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

/// Checks that the archive can be reached with the given credentials.
pub async fn check_access(check: &StoreCheck) -> Finding {
    let reached = check.reach().await.map(|()| "the archive can be listed".to_owned());
    let reached = reached.map_err(|error| {
        format!("{error}; check the address, the credentials and their rights (AWS_*, AZURE_* or GOOGLE_* variables)")
    });
    Finding::of("credentials", reached)
}

/// Makes the checks that write to the store.
pub async fn check_writing(check: &StoreCheck, now: Micros, mut each: impl FnMut(Finding)) {
    let text = |result: Result<(), ArchiveError>, text: &str| result.map(|()| text.to_owned());
    let clock = check.clock(now).await;
    each(Finding::of("clock", text(clock, "it agrees with the store's")));
    let put = check.conditional_put().await;
    each(Finding::of("conditional put", text(put, "a second put of a new object is refused")));
    let objects = check.objects().await;
    each(Finding::of("objects", text(objects, "one was written, read, listed and deleted")));
}

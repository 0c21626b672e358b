//! Checks of the store that an archive depends on, one after the other, each with advice.

use std::fmt;

use crate::archive::{ArchiveError, StoreCheck};
use crate::clock::{DAY, Micros};
use crate::printable::counted;

/// Days after which list prices may well have changed.
const PRICE_DAYS_MAX: i64 = 90;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// What was checked.
    pub name: &'static str,
    /// How it ended.
    pub outcome: CheckResult,
}

/// How a check ended. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckResult {
    /// All is well.
    Sound(String),
    /// Something is wrong; what, and what to do.
    Failed(String),
    /// The check was not made, and why.
    PassedOver(String),
}

impl CheckReport {
    /// The finding of a check that returns a text if all is well.
    pub fn of(name: &'static str, result: Result<String, impl fmt::Display>) -> Self {
        let outcome = match result {
            Ok(text) => CheckResult::Sound(text),
            Err(error) => CheckResult::Failed(error.to_string().replace('\n', " ")),
        };
        Self { name, outcome }
    }

    /// A check that is not made.
    pub fn passed_over(name: &'static str, why: &str) -> Self {
        Self { name, outcome: CheckResult::PassedOver(why.to_owned()) }
    }

    /// True if something is wrong.
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, CheckResult::Failed(_))
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match &self.outcome {
            CheckResult::Sound(text) => ("ok", text),
            CheckResult::Failed(text) => ("failed", text),
            CheckResult::PassedOver(text) => ("skipped", text),
        };
        write!(f, "{word} {}: {text}", self.name)
    }
}

/// Checks that the archive can be reached with the given credentials.
pub async fn check_access(check: &StoreCheck) -> CheckReport {
    let reached = check.reach().await.map(|()| "the archive can be listed".to_owned());
    let reached = reached.map_err(|error| {
        format!("{error}; check the address, the credentials and their rights (AWS_*, AZURE_* or GOOGLE_* variables)")
    });
    CheckReport::of("credentials", reached)
}

/// Checks that the tables of prices can be read, and how old they are.
pub fn check_prices<'t>(
    tables: Result<impl Iterator<Item = (&'t str, Micros)>, impl fmt::Display>,
    now: Micros,
) -> CheckReport {
    let shown = tables.map(|tables| {
        let tables = tables.map(|(name, taken)| {
            let days = (now - taken).max(0) / DAY;
            let advice = "; warning: that is more than 90 days, so import newer ones with: \
                tokenlake price import FILE";
            let advice = if days > PRICE_DAYS_MAX { advice } else { "" };
            format!("{name} was taken {} ago{advice}", counted(days, "day"))
        });
        let tables = tables.collect::<Vec<_>>();
        if tables.is_empty() { "no table".to_owned() } else { tables.join("; ") }
    });
    CheckReport::of("prices", shown)
}

/// Makes the checks that write to the store.
pub async fn check_writing(check: &StoreCheck, now: Micros, mut each: impl FnMut(CheckReport)) {
    let text = |result: Result<(), ArchiveError>, text: &str| result.map(|()| text.to_owned());
    let clock = check.clock(now).await;
    each(CheckReport::of("clock", text(clock, "it agrees with the store's")));
    let put = check.conditional_put().await;
    each(CheckReport::of("conditional put", text(put, "a second put of a new object is refused")));
    let objects = check.objects().await;
    each(CheckReport::of("objects", text(objects, "one was written, read, listed and deleted")));
}

//! The savepoints of a transaction: names to which a client goes back after an error. There is nothing to
//! undo.

use super::command_words::{CommandWords, folded_name};
use super::error::PgError;

/// How many a transaction may have.
const KEPT_MAX: usize = 1_000;
/// PostgreSQL's bound of names.
const NAME_CHARS_MAX: usize = 63;

/// A statement about a savepoint, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SavepointCommand {
    Set(String),
    Release(String),
    /// `ROLLBACK TO`.
    Back(String),
}

impl SavepointCommand {
    /// `SAVEPOINT` with what follows.
    pub(super) fn set(rest: CommandWords<'_>) -> Result<Self, &'static str> {
        name(rest).map(Self::Set)
    }

    /// `RELEASE` with what follows.
    pub(super) fn release(mut rest: CommandWords<'_>) -> Result<Self, &'static str> {
        rest.takes("savepoint");
        name(rest).map(Self::Release)
    }

    /// What follows `ROLLBACK TO`.
    pub(super) fn back(mut rest: CommandWords<'_>) -> Result<Self, &'static str> {
        rest.takes("savepoint");
        name(rest).map(Self::Back)
    }
}

fn name(mut rest: CommandWords<'_>) -> Result<String, &'static str> {
    let name = rest.word().map(folded_name).ok_or("a savepoint needs a name")?;
    Ok(name.chars().take(NAME_CHARS_MAX).collect())
}

/// The savepoints of a transaction, of which a later one may have the name of an earlier one.
#[derive(Debug, Default)]
pub(super) struct Savepoints(Vec<String>);

impl Savepoints {
    /// Does what a statement says, and returns what the client is told.
    ///
    /// # Errors
    /// There is no such savepoint, or there are too many.
    pub(super) fn answer(&mut self, command: &SavepointCommand) -> Result<&'static str, PgError> {
        match command {
            SavepointCommand::Set(name) => {
                if self.0.len() >= KEPT_MAX {
                    let words = "the transaction has too many savepoints; RELEASE some";
                    return Err(PgError::new("53400", words));
                }
                self.0.push(name.clone());
                Ok("SAVEPOINT")
            }
            SavepointCommand::Release(name) => {
                let place = self.place(name)?;
                self.0.truncate(place);
                Ok("RELEASE")
            }
            SavepointCommand::Back(name) => {
                let place = self.place(name)?;
                self.0.truncate(place + 1);
                Ok("ROLLBACK")
            }
        }
    }

    /// The transaction has ended.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    fn place(&self, name: &str) -> Result<usize, PgError> {
        self.0.iter().rposition(|known| known == name).ok_or_else(|| {
            PgError::new("3B001", &format!("there is no savepoint {name:?}; set it first"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_after_a_savepoint_ends_with_it() {
        let mut all = Savepoints::default();
        let set = |name: &str| SavepointCommand::Set(name.to_owned());
        let back = |name: &str| SavepointCommand::Back(name.to_owned());
        let release = |name: &str| SavepointCommand::Release(name.to_owned());
        for name in ["a", "b", "a", "c"] {
            assert_eq!(all.answer(&set(name)), Ok("SAVEPOINT"));
        }
        assert_eq!(all.answer(&back("a")), Ok("ROLLBACK"));
        assert_eq!(all.answer(&back("c")).unwrap_err().state, "3B001");
        assert_eq!(all.answer(&release("a")), Ok("RELEASE"));
        assert_eq!(all.answer(&release("a")), Ok("RELEASE"), "the earlier one");
        assert_eq!(all.answer(&release("b")).unwrap_err().state, "3B001");
        let kept = (0..2_000).take_while(|_| all.answer(&set("x")).is_ok());
        assert_eq!(kept.count(), KEPT_MAX);
    }
}

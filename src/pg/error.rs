//! What a client is told when something fails: a SQLSTATE and words.

use pgwire::messages::response::ErrorResponse;

use crate::app::AppError;
use crate::error::Kind;
use crate::sql::state_of;
use crate::worker::WorkerError;

/// The words for a client about a store that is not reached, whose own error names endpoints.
const STORAGE_AWAY: &str = "storage is unavailable; try again in a moment";
/// The words about a defect; the log has the details.
const BROKE: &str = "internal error; please report it with the server's log";
/// Limits a message, so that text quoted from a query does not make the answer as long.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PgError {
    /// The SQLSTATE.
    pub state: &'static str,
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    pub end: AfterError,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterError {
    /// It goes on.
    GoesOn,
    /// It ends once the client is told.
    Fatal,
    /// There is nobody to tell.
    Gone,
}

impl PgError {
    pub(super) fn new(state: &'static str, message: &str) -> Self {
        Self { state, message: message.to_owned(), hint: None, end: AfterError::GoesOn }
    }

    pub(super) fn fatal(state: &'static str, message: &str) -> Self {
        Self { end: AfterError::Fatal, ..Self::new(state, message) }
    }

    pub(super) fn hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }

    /// The client is gone.
    pub(super) fn gone() -> Self {
        Self { end: AfterError::Gone, ..Self::new("08006", "the connection has ended") }
    }

    pub(super) fn cancelled() -> Self {
        Self::new("57014", "the query was cancelled, as its client asked")
    }

    /// A message that breaks the protocol, after which it is unclear where the next one begins.
    pub(super) fn damaged(what: &str) -> Self {
        Self::fatal("08P01", &format!("{what}; connect with a client of PostgreSQL"))
    }

    pub(super) fn too_long(bytes_max: usize) -> Self {
        let message = format!("a message is longer than {bytes_max} bytes; send a shorter query");
        Self::fatal("54000", &message)
    }

    pub(super) fn defect(what: &str) -> Self {
        tracing::error!(what, "a message cannot be made");
        Self::fatal("XX000", BROKE)
    }

    pub(super) fn stopping() -> Self {
        Self::fatal("57P01", "the server is stopping; connect again")
    }

    /// The message for the client.
    pub(super) fn response(&self) -> ErrorResponse {
        let severity = if self.end == AfterError::GoesOn { "ERROR" } else { "FATAL" };
        let end = self.message.floor_char_boundary(MESSAGE_BYTES_MAX);
        let message = self.message.get(..end).unwrap_or_default().replace('\0', " ");
        let mut fields = vec![
            (b'S', severity.to_owned()),
            (b'V', severity.to_owned()),
            (b'C', self.state.to_owned()),
            (b'M', message),
        ];
        fields.extend(self.hint.iter().map(|hint| (b'H', hint.clone())));
        ErrorResponse::new(fields)
    }
}

impl From<AppError> for PgError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Worker(error) => error.into(),
            AppError::Access(error) => match error.kind() {
                Kind::Unauthenticated => Self::fatal("28P01", "the access key or JWT is not valid")
                    .hint("give an access key (td_live_…) or a JWT as the password"),
                Kind::Forbidden => Self::fatal("28000", &error.to_string()),
                _ => Self::fatal("57P03", &told(error.kind(), &error)),
            },
            error => Self::new(state_of_kind(error.kind()), &told(error.kind(), &error)),
        }
    }
}

impl From<WorkerError> for PgError {
    fn from(error: WorkerError) -> Self {
        match &error {
            WorkerError::Asked(words) => Self::new(state_of(words), words),
            WorkerError::Exceeded(words) if words.contains("--sql-timeout") => {
                Self::new("57014", words)
            }
            WorkerError::Exceeded(words) => Self::new("53200", words),
            WorkerError::Busy => Self::new("53300", &error.to_string()),
            error => Self::new(state_of_kind(error.kind()), &told(error.kind(), error)),
        }
    }
}

fn state_of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "42000",
        Kind::Unauthenticated => "28P01",
        Kind::Forbidden => "28000",
        Kind::NotFound => "42704",
        Kind::Conflict => "40001",
        Kind::Unavailable => "58030",
        Kind::Corrupt => "XX001",
        Kind::Internal => "XX000",
    }
}

/// The words for a client: none of a store or of a defect, which the log has.
fn told(kind: Kind, error: &dyn std::error::Error) -> String {
    match kind {
        Kind::Unavailable => {
            tracing::warn!(%error, "a query found storage unavailable");
            STORAGE_AWAY.to_owned()
        }
        Kind::Internal => {
            tracing::error!(%error, "a query failed by a defect");
            BROKE.to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_has_the_state_that_clients_know() {
        let exceeded = |words: &str| PgError::from(WorkerError::Exceeded(words.into())).state;
        assert_eq!(exceeded("longer than 1s (--sql-timeout)"), "57014");
        assert_eq!(exceeded("more than 512 MiB of memory (--sql-memory)"), "53200");
        assert_eq!(PgError::from(WorkerError::Busy).state, "53300");
        let away = PgError::from(WorkerError::Unavailable("https://bucket".into()));
        assert_eq!((away.state, away.message.contains("bucket")), ("58030", false));
    }

    #[test]
    fn a_message_is_bounded_and_has_no_end_within() {
        let fields = PgError::new("42601", &format!("a\0{}", "é".repeat(9_000))).response().fields;
        let message = &fields.iter().find(|(kind, _)| *kind == b'M').unwrap().1;
        assert!(message.starts_with("a é") && message.len() <= MESSAGE_BYTES_MAX);
    }
}

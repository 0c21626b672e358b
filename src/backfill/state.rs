//! The states of a job, and how it ends.

use super::BackfillError;

/// What a job does.
#[derive(Debug, Default)]
pub(super) enum JobState {
    /// Inputs are read; what is worth a commit is committed.
    #[default]
    Reading,
    /// Nothing more is read: all rows that wait are committed. With an error, that ended the
    /// reading; without one, all was read.
    Draining(Option<BackfillError>),
    /// The job was told to stop: no further commit begins. With an error, reading had failed
    /// before.
    Stopping(Option<BackfillError>),
}

/// The result of a job.
#[derive(Debug)]
pub(super) enum JobEnd {
    /// All was read and committed.
    Whole,
    /// It was told to stop; with an error, something failed too.
    Stopped(Option<BackfillError>),
    /// It could not go on.
    Failed(BackfillError),
}

impl JobState {
    pub(super) fn is_reading(&self) -> bool {
        matches!(self, Self::Reading)
    }

    pub(super) fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping(_))
    }

    /// True if all was read, so that what waits is the rest.
    pub(super) fn has_read_all(&self) -> bool {
        matches!(self, Self::Draining(None))
    }

    pub(super) fn stop(&mut self) {
        *self = Self::Stopping(match std::mem::take(self) {
            Self::Reading => None,
            Self::Draining(failed) | Self::Stopping(failed) => failed,
        });
    }

    /// How the job ends whose last step went like this. The first error is the one that counts.
    pub(super) fn end(self, last: Result<(), BackfillError>) -> JobEnd {
        match (self, last) {
            (Self::Stopping(failed), last) => JobEnd::Stopped(failed.or(last.err())),
            (Self::Draining(Some(failed)), _) | (_, Err(failed)) => JobEnd::Failed(failed),
            (_, Ok(())) => JobEnd::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(what: &'static str) -> BackfillError {
        BackfillError::Internal(what)
    }

    /// Whether a job was stopped, and what its error is about.
    fn told(state: JobState, last: Result<(), BackfillError>) -> (bool, Option<String>) {
        let (stopped, error) = match state.end(last) {
            JobEnd::Whole => (false, None),
            JobEnd::Stopped(error) => (true, error),
            JobEnd::Failed(error) => (false, Some(error)),
        };
        (stopped, error.map(|error| error.to_string()))
    }

    #[test]
    fn the_first_error_is_how_a_job_ends() {
        let first = Some(error("first").to_string());
        let drained = || JobState::Draining(Some(error("first")));
        assert_eq!(told(JobState::Draining(None), Ok(())), (false, None));
        assert_eq!(told(JobState::Reading, Err(error("first"))), (false, first.clone()));
        assert_eq!(told(JobState::Draining(None), Err(error("first"))), (false, first.clone()));
        assert_eq!(told(drained(), Ok(())), (false, first.clone()));
        assert_eq!(told(drained(), Err(error("second"))), (false, first));
    }

    #[test]
    fn a_job_that_was_stopped_has_not_read_all() {
        let first = Some(error("first").to_string());
        for (before, last, expected) in [
            (JobState::Reading, Ok(()), None),
            (JobState::Draining(None), Ok(()), None),
            (JobState::Draining(None), Err(error("first")), first.clone()),
            (JobState::Draining(Some(error("first"))), Err(error("second")), first),
        ] {
            let mut state = before;
            state.stop();
            assert!(state.is_stopping() && !state.is_reading() && !state.has_read_all());
            assert_eq!(told(state, last), (true, expected));
        }
    }
}

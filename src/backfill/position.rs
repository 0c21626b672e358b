//! A job's position by its commits, from which another run goes on.

use super::BackfillError;
use crate::archive::{Archive, JobMark};

/// The position of a job.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The job's name in the table; none for a dry run, and for inputs that cannot be read again.
    job: Option<String>,
    /// Rows before this one are in, from an earlier run.
    pub(super) skipped: u64,
    /// The position that the table has.
    marked: i64,
    /// The row at which the first input ended early. In another run more rows may come there, so
    /// the numbers of later rows are not certain.
    sure: Option<u64>,
}

impl Position {
    /// The position that an earlier run of a job reached.
    pub(super) async fn find(
        archive: &Archive,
        job: Option<String>,
    ) -> Result<Self, BackfillError> {
        let marked = match &job {
            Some(job) => archive.job_position(job).await?.unwrap_or_default(),
            None => 0,
        };
        let skipped = u64::try_from(marked).unwrap_or_default();
        Ok(Self { job, skipped, marked, sure: None })
    }

    /// Records that an input ended before this row, possibly too early.
    pub(super) fn unsure_from(&mut self, row: u64) {
        self.sure.get_or_insert(row);
    }

    /// The mark for a commit after which all rows before `row` are in; none for the last commit of
    /// a job that read everything.
    pub(super) fn mark(&self, row: u64, last: bool) -> Option<JobMark> {
        let job = self.job.clone().filter(|_| !last || self.sure.is_some())?;
        let row = row.min(self.sure.unwrap_or(row));
        Some(JobMark { job, position: i64::try_from(row).ok()? })
    }

    /// Records the mark of a commit.
    pub(super) fn marked(&mut self, mark: &JobMark) {
        self.marked = mark.position;
    }

    /// The mark that a finished job needs, if the table still has an older position. A later run
    /// then looks for all events again.
    pub(super) fn done(&mut self) -> Option<JobMark> {
        // Another run may be able to read what this one could not.
        let told = self.marked == 0 || self.sure.is_some();
        self.job.take().filter(|_| !told).map(|job| JobMark { job, position: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(marked: i64) -> Position {
        Position { job: Some("j".to_owned()), marked, ..Position::default() }
    }

    fn at(mark: Option<JobMark>) -> Option<i64> {
        mark.map(|mark| mark.position)
    }

    #[test]
    fn a_job_that_read_all_ends_without_a_mark() {
        let mut position = position(0);
        assert_eq!(at(position.mark(7, false)), Some(7));
        assert_eq!(at(position.mark(9, true)), None);
        assert_eq!(at(position.done()), None);
        let mut marked = self::position(7);
        assert_eq!(at(marked.done()), Some(0));
    }

    #[test]
    fn no_mark_goes_past_an_input_that_ended_early() {
        let mut position = position(3);
        position.unsure_from(5);
        position.unsure_from(8);
        for (row, last, expected) in [(4, false, 4), (7, false, 5), (9, true, 5)] {
            assert_eq!(at(position.mark(row, last)), Some(expected));
        }
        assert_eq!(at(position.done()), None);
        assert_eq!(at(Position::default().mark(1, false)), None);
    }
}

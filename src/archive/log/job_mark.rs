//! How far a job is, committed together with what it brought in.

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobMark {
    /// The job: what it reads and how.
    pub job: String,
    /// A number that the job gives a meaning.
    pub position: i64,
}

impl JobMark {
    /// The application of the `txn` action that holds the checksum of a job's mark. A position that
    /// a damaged checkpoint of the log makes larger would pass events over.
    pub(in crate::archive) fn check_app(job: &str) -> String {
        format!("{job}.check")
    }

    /// The checksum.
    pub(in crate::archive) fn check(&self) -> i64 {
        crc32fast::hash(format!("{} {}", self.job, self.position).as_bytes()).into()
    }
}

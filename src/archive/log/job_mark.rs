//! How far a job has got, committed together with the events that it added.

/// How far a job has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobMark {
    /// The name of the job: what it reads and how.
    pub job: String,
    /// A number whose meaning the job defines.
    pub position: i64,
}

impl JobMark {
    /// The application of the `txn` action that holds the checksum of a job's mark. A damaged
    /// checkpoint of the log could otherwise make the position larger, and events would be skipped.
    pub(in crate::archive) fn check_app(job: &str) -> String {
        format!("{job}.check")
    }

    /// The checksum.
    pub(in crate::archive) fn check(&self) -> i64 {
        crc32fast::hash(format!("{} {}", self.job, self.position).as_bytes()).into()
    }
}

//! How the program works.

use std::time::Duration;

use crate::access::JwtSettings;
use crate::archive::{FollowSettings, WriterSettings};
use crate::maintain::compact;
use crate::worker::WorkerSettings;

/// How the program works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The archive's writer.
    pub writer: WriterSettings,
    /// How the log is followed.
    pub follow: FollowSettings,
    /// How old a scrape's view may be. 0 shows everything acknowledged before the scrape.
    pub staleness_max: Duration,
    /// How old a scrape's last whole answer may be that is given again while storage is away. 0
    /// gives none.
    pub stale_on_error_max: Duration,
    /// Memory for what scrapes are answered from.
    pub cache_bytes_max: usize,
    /// How much may have to be added up, in files of a usual commit, before a checkpoint of totals
    /// is made; `None` for never.
    pub checkpoint_work_max: Option<u64>,
    /// How the table is compacted in the background, and how often; `None` for never.
    pub compact: Option<(compact::Settings, Duration)>,
    /// How many series an organisation may have, besides one for each provider; `None` for any.
    pub series_max: Option<usize>,
    /// A request body, also after decompression.
    pub body_bytes_max: usize,
    /// All answers that are on their way, of which one organisation may have half.
    pub answer_bytes_max: usize,
    /// How many requests of one kind an organisation may have under way.
    pub requests_per_org_max: usize,
    /// How queries are run; `None` where other processes cannot read the archive.
    pub worker: Option<WorkerSettings>,
    /// Which JWTs are taken beside access keys; none by default.
    pub jwt: JwtSettings,
}

/// For a command that writes to an archive or looks after it, and does no more: nothing goes on in
/// the background, and no query is taken. What bounds requests is as the command line has it.
impl Default for Settings {
    fn default() -> Self {
        Self {
            writer: WriterSettings::default(),
            follow: FollowSettings::default(),
            staleness_max: Duration::ZERO,
            stale_on_error_max: Duration::ZERO,
            cache_bytes_max: 32 << 20,
            checkpoint_work_max: None,
            compact: None,
            series_max: None,
            body_bytes_max: 32 << 20,
            answer_bytes_max: 192 << 20,
            requests_per_org_max: 256,
            worker: None,
            jwt: JwtSettings::default(),
        }
    }
}

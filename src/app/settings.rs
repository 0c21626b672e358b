//! How the program works.

use std::time::Duration;

use crate::access::JwtSettings;
use crate::archive::{FollowSettings, WriterSettings};
use crate::budget::AllowedTargets;
use crate::maintain::compact;
use crate::price_book::PriceTables;
use crate::rollup::VALUES_MAX;
use crate::worker::WorkerSettings;

/// How the program works.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// The archive's writer.
    pub writer: WriterSettings,
    /// How the program follows the log.
    pub follow: FollowSettings,
    /// How old a scrape's view may be. 0 shows everything acknowledged before the scrape.
    pub staleness_max: Duration,
    /// The maximum age of an earlier answer that a scrape gets while storage is unreachable. 0
    /// disables such answers.
    pub stale_on_error_max: Duration,
    /// Memory for the sums and bodies that answer scrapes.
    pub cache_bytes_max: usize,
    /// How much work, in files of a typical commit, may be left to add up before a totals snapshot
    /// is made; `None` for never.
    pub totals_work_max: Option<u64>,
    /// True of a job, which leaves totals snapshots to servers where many rows would have to be read.
    pub is_job: bool,
    /// The settings and the interval of background compaction; `None` for never.
    pub compact: Option<(compact::CompactSettings, Duration)>,
    /// The most series of an organisation, plus one for each provider; `None` for no limit.
    pub series_max: Option<usize>,
    /// The most values of a dimension of an organisation, if there is a limit for series.
    pub dimension_values_max: usize,
    /// Which tables calls without a cost are priced by.
    pub prices: PriceTables,
    /// The largest request body, also after decompression.
    pub body_bytes_max: usize,
    /// Memory for all answers being sent, half of which one organisation may use.
    pub answer_bytes_max: usize,
    /// How many requests of one kind an organisation may have under way.
    pub requests_per_org_max: usize,
    /// How queries are run; `None` if other processes cannot read the archive.
    pub worker: Option<WorkerSettings>,
    /// Where spend alerts may be sent. If to nowhere, budgets are looked at only when somebody asks.
    pub webhooks: AllowedTargets,
    /// Which JWTs are accepted in addition to access keys; none by default.
    pub jwt: JwtSettings,
}

/// For a command that writes to an archive or looks after it, and does no more: nothing goes on in
/// the background, and no query is taken. What bounds requests is as the command line has it.
impl Default for AppSettings {
    fn default() -> Self {
        Self {
            writer: WriterSettings::default(),
            follow: FollowSettings::default(),
            staleness_max: Duration::ZERO,
            stale_on_error_max: Duration::ZERO,
            cache_bytes_max: 32 << 20,
            totals_work_max: None,
            is_job: false,
            compact: None,
            series_max: None,
            dimension_values_max: VALUES_MAX,
            prices: PriceTables::None,
            body_bytes_max: 32 << 20,
            answer_bytes_max: 192 << 20,
            requests_per_org_max: 256,
            worker: None,
            webhooks: AllowedTargets::default(),
            jwt: JwtSettings::default(),
        }
    }
}

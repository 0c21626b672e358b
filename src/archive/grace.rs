//! How long an object may wait for the commit that names it, and how long it is kept if none does.

use std::time::Duration;

/// The shortest grace that is safe while others write.
pub const GRACE_MIN: Duration = Duration::from_secs(3_600);
/// The longest grace: checkpoints of the log remember for this long which files were removed when.
pub const GRACE_MAX: Duration = Duration::from_secs(2 * 24 * 3_600);
/// A writer does not commit a file that it put longer ago than this. The same holds for an expiry
/// and its ledger.
pub const UNCOMMITTED_MAX: Duration = Duration::from_secs(3_600 / 4);

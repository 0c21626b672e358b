//! How long an object may wait for the commit that names it, and how long it then stays if none
//! does.

use std::time::Duration;

/// The shortest grace that is safe beside writers.
pub const GRACE_MIN: Duration = Duration::from_secs(3_600);
/// The longest: for so long checkpoints of the log know which files were removed when.
pub const GRACE_MAX: Duration = Duration::from_secs(2 * 24 * 3_600);
/// A writer does not commit a file, nor an expiry a ledger, that it put longer ago.
pub const UNCOMMITTED_MAX: Duration = Duration::from_secs(3_600 / 4);

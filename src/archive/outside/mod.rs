//! Data outside the archive that a backfill reads: objects in buckets, and foreign Delta tables.

pub(super) mod live_files;
pub(super) mod objects;

//! What is no part of an archive: the objects and the tables of others, which a backfill reads.

pub(super) mod live_files;
pub(super) mod objects;

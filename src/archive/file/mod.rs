//! Data files: how they are written from events, described in the log, and read again.

pub(super) mod by_org;
pub(super) mod data_file;
pub(super) mod date_rows;
pub(super) mod file_layout;
pub(super) mod file_read;
pub(super) mod file_write;
pub(super) mod first_sight;
pub(super) mod foreign;
pub(super) mod gather_rows;
pub(super) mod ids;
pub(super) mod lossless;
pub(super) mod merge_input;
pub(super) mod new_cells;
pub(super) mod orgs_among;
pub(super) mod partial_maker;
pub(super) mod row_counts;
pub(super) mod row_merge;
pub(super) mod stats;
pub(super) mod stored_rows;

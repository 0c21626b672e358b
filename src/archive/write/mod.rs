//! New events: a batch becomes one file for each date, known ids identify duplicates, and one
//! commit at a time adds the files to the table.

mod date_ids;
pub(super) mod floor;
pub(super) mod foreign_check;
pub(super) mod group;
pub(super) mod known_ids;
pub(super) mod writer;

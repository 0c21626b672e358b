//! New events: a batch becomes files of dates, known ids tell duplicates, and one commit at a time
//! makes them part of the table.

pub(super) mod floor;
pub(super) mod group;
pub(super) mod known_ids;
pub(super) mod writer;

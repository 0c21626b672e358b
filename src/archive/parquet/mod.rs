//! Reading and writing of Parquet.
//!
//! Bytes are verified by checksums. Memory is bounded by what the footer and the page headers say.
//! Partials and totals snapshots are Parquet files of cells.

pub(super) mod cells;
pub(super) mod checked_read;
pub(super) mod checksums;
pub(super) mod columns;
pub(super) mod footer;
pub(super) mod object_note;
pub(super) mod pages;
pub(super) mod row_weights;
pub(super) mod thrift;
pub(super) mod weighed_read;

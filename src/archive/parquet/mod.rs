//! The bytes of Parquet files, in whatever file they are: checked by checksums, bounded in memory by
//! what a footer and its pages say, and the files of cells that partials and totals are.

pub(super) mod cells;
pub(super) mod checked_read;
pub(super) mod checksums;
pub(super) mod columns;
pub(super) mod footer;
pub(super) mod pages;
pub(super) mod row_weights;
pub(super) mod thrift;
pub(super) mod weighed_read;

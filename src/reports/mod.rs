//! Reports of providers: the pages of their usage and cost APIs → rows of the archive's reports.
//!
//! A *page* is what the API answers: buckets of time, each with results, one for each *group*. A result is
//! a row: what the provider says of one bucket and group. Numbers are read as decimal text, as they are
//! written; no float holds one.

mod anthropic;
mod error;
mod format;
mod object;
mod openai;
mod pages;
mod result;

pub use self::error::ReportFileError;
pub use self::format::ReportFormat;
pub use self::pages::{ReadReport, read};

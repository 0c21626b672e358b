//! Usage as the text that Prometheus scrapes. Pure: bytes in, bytes out.
//!
//! ```text
//! Accept    ─▶ Format  ─┐
//! collect[] ─▶ Collect ─┼─▶ Template, kept per version of the archive ─▶ body, per scrape
//! UsageView ────────────┘
//! ```

mod coding;
mod collect;
mod decimal;
mod escape;
mod families;
mod format;
mod negotiate;
mod pieces;
mod template;
mod text;

pub use coding::Coding;
pub use collect::{Collect, UnknownCollector};
pub use format::MetricsFormat;
pub use pieces::{Growing, Pieces, WeakPieces};
pub use template::{SERIES_BYTES_MAX, Template};

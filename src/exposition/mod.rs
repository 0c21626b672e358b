//! Usage as what Prometheus scrapes: text or protobuf. Pure: bytes in, bytes out.
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
mod gapped;
mod negotiate;
mod pieces;
mod protobuf;
mod samples;
mod template;
mod text;
mod wire;

pub use coding::Coding;
pub use collect::{Collect, UnknownCollector};
pub use format::MetricsFormat;
pub use pieces::{Growing, Pieces, WeakPieces};
pub use template::{SERIES_BYTES_MAX, Template};

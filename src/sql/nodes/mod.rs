//! Operators' queries, spread over several processes of this program by an engine that exists
//! (`datafusion-distributed`).
//!
//! The process that is asked is the coordinator. It plans a query as it always does, and rewrites it to
//! partials where they tell the answer. Then the engine divides the plan into stages, which run on nodes.
//! A node reads the archive itself. It is told each file as the log describes it, so that it verifies
//! checksums as the coordinator would.
//!
//! An answer is whole or an error: a node that dies, that falls silent, or whose answer is cut short fails
//! the query, by name.

mod codec;
mod dial;
mod engine;
mod far_error;
mod functions;
mod heads;
mod heard;
mod leaf;
mod leaf_note;
mod lines;
mod query_end;
mod query_threads;
mod share_top;
mod shares;
mod spread;
mod whole_answer;

pub use self::dial::{NodeTrust, NodeUrl};
pub use self::engine::{NODE_CACHE_SHARE, NodeEngine};
pub use self::heads::{NodeSecret, NodeSecretError};
pub use self::spread::{Nodes, Spread};

pub(super) use self::codec::NodeCodec;
pub(super) use self::far_error::FarError;
pub(super) use self::functions::KnownFunctions;
pub(super) use self::query_end::EndsQuery;

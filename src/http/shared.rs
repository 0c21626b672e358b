//! What every handler has.

use std::sync::Arc;

use super::answers::Answers;
use super::last_good::LastGood;
use super::shares::{Decoders, Memory, Turns};
use crate::app::App;

/// What every handler has.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) app: Arc<App>,
    pub(super) scrapes: Turns,
    pub(super) posts: Turns,
    pub(super) queries: Turns,
    pub(super) bodies: Memory,
    /// For what compressed bodies grow to.
    pub(super) decoding: Memory,
    pub(super) decoders: Decoders,
    pub(super) answers: Answers,
    pub(super) last_good: LastGood,
}

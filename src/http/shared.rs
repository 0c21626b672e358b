//! The state that all handlers share.

use std::sync::Arc;

use super::answers::Answers;
use super::last_good::LastGood;
use super::listener::Scheme;
use super::shares::{Decoders, Memory, Turns};
use crate::app::App;

/// The state that all handlers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) app: Arc<App>,
    /// How the server is reached.
    pub(super) scheme: Scheme,
    pub(super) scrapes: Turns,
    pub(super) posts: Turns,
    pub(super) queries: Turns,
    pub(super) usages: Turns,
    pub(super) bodies: Memory,
    /// For decompressed and decoded bodies.
    pub(super) decoding: Memory,
    pub(super) decoders: Decoders,
    pub(super) answers: Answers,
    pub(super) last_good: LastGood,
}

//! What sends messages. The program sends them over HTTP; a simulation has receivers of its own.

use std::fmt::Debug;

use async_trait::async_trait;

use super::attempt::TryOutcome;
use super::message::Message;
use super::stored::Budget;

/// Sends messages to the webhook of a budget, one try at a time.
#[async_trait]
pub trait Webhooks: Debug + Send + Sync {
    /// Tries once. It ends within bounds.
    async fn send(&self, budget: &Budget, message: &Message) -> TryOutcome;
}

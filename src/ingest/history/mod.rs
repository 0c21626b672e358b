//! Histories that other programs keep: each becomes events, an object a row.
//!
//! Some tell of a call in several rows, so that a history is read as a whole, row by row. A row that
//! is no JSON is passed on as it is, so that its reader says what is wrong with it.

mod bedrock;
mod claude_code;
mod codex;
mod fork;
mod rows;

use self::claude_code::Replies;
use self::codex::Rollout;
use self::rows::{event, json};
use super::json_object::Object;
use super::litellm;

pub use self::rows::Rows;

/// Whose history it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFormat {
    /// What LiteLLM's S3 logger stores.
    LiteLlm,
    /// Claude Code's transcripts.
    ClaudeCode,
    /// Codex's rollouts.
    Codex,
    /// Bedrock's invocation logs.
    Bedrock,
}

/// A history that is being read.
#[derive(Debug)]
pub struct History {
    format: HistoryFormat,
    replies: Replies,
    rollout: Rollout,
}

impl History {
    /// The history of one file.
    pub fn new(format: HistoryFormat) -> Self {
        Self { format, replies: Replies::default(), rollout: Rollout::default() }
    }

    /// Reads a row, and adds the events that are whole by now.
    pub fn row(&mut self, line: u64, row: &str, events: &mut Rows) {
        if self.format == HistoryFormat::LiteLlm {
            match litellm::fields(row) {
                Ok(Some(fields)) => events.push((line, json(fields))),
                Ok(None) => {}
                Err(_) => events.push((line, row.into())),
            }
            return;
        }
        match Object::of(row) {
            Err(_) => events.push((line, row.into())),
            Ok(row) => match self.format {
                HistoryFormat::ClaudeCode => self.replies.row(line, &row, events),
                HistoryFormat::Codex => self.rollout.row(line, &row, events),
                HistoryFormat::Bedrock | HistoryFormat::LiteLlm => {
                    events.extend(bedrock::call(&row).map(|call| (line, event(call))));
                }
            },
        }
    }

    /// Adds the events that only the end of the file makes whole.
    pub fn end(&mut self, events: &mut Rows) {
        self.replies.end(events);
        self.rollout.end(events);
    }
}

#[cfg(test)]
mod tests;

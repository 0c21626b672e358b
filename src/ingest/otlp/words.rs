//! Whose words a record uses.

/// Who tells of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Producer {
    /// An instrumentation, by the conventions.
    Sdk,
    /// `claude_code.api_request`
    ClaudeCode,
    /// `codex.sse_event` of a completed response.
    Codex,
    /// `gemini_cli.api_response`
    GeminiCli,
}

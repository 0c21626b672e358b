//! The names of attributes that mean something: which field of a call each of them is, and which of
//! several names of a field is believed.
//!
//! Sources: the semantic conventions of OpenTelemetry for generative AI (1.27 to 1.40), OpenLLMetry,
//! OpenInference, Vercel's AI SDK, Langfuse, LangSmith, OpenLIT, pydantic-ai, Anthropic's SDK, and what
//! Claude Code, Codex and Gemini CLI send.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use self::Field::*;

/// What an attribute says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// `gen_ai.operation.name`
    Operation,
    /// `openinference.span.kind`
    OpenInferenceKind,
    /// `langfuse.observation.type`
    LangfuseType,
    /// `llm.request.type`
    RequestType,
    /// `langsmith.span.kind`
    LangSmithKind,
    /// Vercel's name of what a span is about.
    VercelOperation,
    /// `event.name`
    EventName,
    /// `event.kind`
    EventKind,
    /// `error.type`
    Error,
    /// `langfuse.observation.level`
    LangfuseLevel,
    /// Who ran the model.
    Provider,
    /// The same as Vercel has it, with the kind of interface after it.
    VercelProvider,
    /// The model that answered, or was asked.
    Model,
    /// The provider's id of its answer.
    ResponseId,
    /// Claude Code's id of a request.
    RequestId,
    /// `session.id`
    Session,
    /// `event.sequence`
    EventSequence,
    /// `event.timestamp`
    EventTime,
    /// Tokens in.
    Input,
    /// Tokens out.
    Output,
    /// Tokens in that came from a cache.
    Cached,
    /// Tokens in that were written to a cache.
    Written,
    /// Those of them that are kept for an hour.
    WrittenHour,
    /// Tokens of thoughts.
    Reasoning,
    /// Tokens of sound, in.
    InputAudio,
    /// Tokens of sound, out.
    OutputAudio,
    /// Token counts as JSON.
    UsageDetails,
    /// Token counts as JSON that are believed where no attribute of their own tells them.
    UsageMetadata,
    /// What there was in the tokens in, as JSON or in Python's words.
    InputDetails,
    /// What there was in the tokens out.
    OutputDetails,
    /// Token counts of the agents' own logs.
    AgentInput,
    /// See `AgentInput`.
    AgentOutput,
    /// See `AgentInput`.
    AgentCached,
    /// See `AgentInput`.
    AgentWritten,
    /// See `AgentInput`.
    AgentReasoning,
    /// What the call cost, in some currency.
    Amount,
    /// The currency of `Amount`.
    Currency,
    /// What the call cost, in US dollars.
    Cost,
    /// Costs as JSON.
    CostDetails,
    /// The tier that served a call.
    Tier,
    /// Claude Code's `speed`.
    Speed,
}

impl Field {
    /// Whether its value is a number.
    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Input
                | Output
                | Cached
                | Written
                | WrittenHour
                | Reasoning
                | InputAudio
                | OutputAudio
                | AgentInput
                | AgentOutput
                | AgentCached
                | AgentWritten
                | AgentReasoning
                | Amount
                | Cost
        )
    }
}

/// Each name with its field. Of several names of one field the first one that has a value is
/// believed: the newest stands first, and what was answered before what was asked for.
const NAMES: [(Field, &[&str]); 41] = [
    (Operation, &["gen_ai.operation.name"]),
    (OpenInferenceKind, &["openinference.span.kind"]),
    (LangfuseType, &["langfuse.observation.type"]),
    (RequestType, &["llm.request.type"]),
    (LangSmithKind, &["langsmith.span.kind"]),
    (VercelOperation, &["ai.operationId"]),
    (EventName, &["event.name"]),
    (EventKind, &["event.kind"]),
    (Error, &["error.type"]),
    (LangfuseLevel, &["langfuse.observation.level"]),
    (Provider, &["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"]),
    (VercelProvider, &["ai.model.provider"]),
    (
        Model,
        &[
            "gen_ai.response.model",
            "llm.response.model_name",
            "ai.response.model",
            "gen_ai.request.model",
            "llm.model_name",
            "llm.request.model_name",
            "embedding.model_name",
            "ai.model.id",
            "langfuse.observation.model.name",
            "model",
        ],
    ),
    (ResponseId, &["gen_ai.response.id", "ai.response.id"]),
    (RequestId, &["request_id"]),
    (Session, &["session.id"]),
    (EventSequence, &["event.sequence"]),
    (EventTime, &["event.timestamp"]),
    (
        Input,
        &[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
            "llm.usage.prompt_tokens",
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
            "ai.usage.tokens",
        ],
    ),
    (
        Output,
        &[
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
            "llm.usage.completion_tokens",
            "ai.usage.outputTokens",
            "ai.usage.completionTokens",
        ],
    ),
    (
        Cached,
        &[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
            "gen_ai.usage.details.cached_tokens",
            "gen_ai.usage.details.cached_content_tokens",
            "gen_ai.usage.prompt_tokens_details.cached_tokens",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
            "llm.usage.cache_read_input_tokens",
            "ai.usage.cachedInputTokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
        ],
    ),
    (
        Written,
        &[
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
            "llm.token_count.prompt_details.cache_write",
            "llm.usage.cache_creation_input_tokens",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
        ],
    ),
    (
        WrittenHour,
        &[
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
            "gen_ai.usage.details.ephemeral_1h_input_tokens",
            "cache_creation_1h_tokens",
        ],
    ),
    (
        Reasoning,
        &[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.usage.completion_tokens_details.reasoning_tokens",
            "llm.usage.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
            "ai.usage.reasoningTokens",
            "ai.usage.outputTokenDetails.reasoningTokens",
        ],
    ),
    (
        InputAudio,
        &[
            "gen_ai.usage.audio.input_tokens",
            "gen_ai.usage.details.input_audio_tokens",
            "llm.token_count.prompt_details.audio",
        ],
    ),
    (
        OutputAudio,
        &[
            "gen_ai.usage.audio.output_tokens",
            "gen_ai.usage.details.output_audio_tokens",
            "llm.token_count.completion_details.audio",
        ],
    ),
    (UsageDetails, &["langfuse.observation.usage_details"]),
    (UsageMetadata, &["langsmith.metadata.usage_metadata"]),
    (InputDetails, &["gen_ai.usage.input_token_details"]),
    (OutputDetails, &["gen_ai.usage.output_token_details"]),
    (AgentInput, &["input_tokens", "input_token_count"]),
    (AgentOutput, &["output_tokens", "output_token_count"]),
    (AgentCached, &["cache_read_tokens", "cached_token_count", "cached_content_token_count"]),
    (AgentWritten, &["cache_creation_tokens", "cache_write_token_count"]),
    (AgentReasoning, &["reasoning_token_count", "thoughts_token_count"]),
    (Amount, &["gen_ai.usage.cost.amount"]),
    (Currency, &["gen_ai.usage.cost.currency"]),
    (
        Cost,
        &[
            "gen_ai.usage.cost",
            "operation.cost",
            "llm.cost.total",
            "gen_ai.cost.total_cost",
            "cost_usd",
        ],
    ),
    (CostDetails, &["langfuse.observation.cost_details"]),
    (
        Tier,
        &[
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
            "anthropic.response.service_tier",
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
        ],
    ),
    (Speed, &["speed"]),
];

/// A field, and how much its name is believed: 0 most.
pub(super) type Ranked = (Field, u8);

static FIELDS: LazyLock<HashMap<&'static [u8], Ranked, FixedState>> = LazyLock::new(|| {
    let ranked = |(field, names): &(Field, &'static [&'static str])| {
        let field = *field;
        (0_u8..).zip(*names).map(move |(rank, name)| (name.as_bytes(), (field, rank)))
    };
    NAMES.iter().flat_map(ranked).collect()
});

/// The field that an attribute with this name is.
pub(super) fn field(name: &[u8]) -> Option<Ranked> {
    FIELDS.get(name).copied()
}

/// All fields.
#[cfg(test)]
pub(super) const ALL: [Field; NAMES.len()] = {
    let mut all = [Operation; NAMES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = NAMES[at].0;
        at += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_one_field() {
        let names: usize = NAMES.iter().map(|(_, names)| names.len()).sum();
        assert_eq!(FIELDS.len(), names);
        assert_eq!(field(b"gen_ai.usage.prompt_tokens"), Some((Input, 1)));
        assert_eq!(field(b"gen_ai.input.messages"), None);
        for (at, (field, _)) in NAMES.iter().enumerate() {
            assert_eq!(*field as usize, at);
        }
    }
}

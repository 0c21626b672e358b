//! The models that synthetic events name, with prices of realistic size.

/// The number of models to choose from.
pub(super) const MODELS_MAX: usize = MODELS.len();

/// A model of a provider. Prices are for one LLM token, in 10⁻¹² dollars: a dollar for a million
/// tokens is 1,000,000.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) provider: &'static str,
    pub(super) name: &'static str,
    /// One token of input that is neither read from a cache nor written to one.
    pub(super) input: u64,
    /// One token of input read from a cache.
    pub(super) cached_input: u64,
    /// One token of input written to a cache; `None` if that is not counted.
    pub(super) cache_write: Option<u64>,
    /// One token of output.
    pub(super) output: u64,
    /// Whether it reports reasoning tokens.
    pub(super) reasons: bool,
}

/// All models, in a mixed order, so that the first few are of several providers.
pub(super) const MODELS: [Model; 15] = [
    model("openai", "gpt-4o", 2_500_000, 1_250_000, 10_000_000),
    writes_cache("anthropic", "claude-sonnet-4-20250514", 3_000_000, 15_000_000),
    model("google", "gemini-2.5-flash", 300_000, 75_000, 2_500_000).reasoning(),
    model("openai", "gpt-4o-mini", 150_000, 75_000, 600_000),
    model("mistral", "mistral-large-latest", 2_000_000, 2_000_000, 6_000_000),
    model("deepseek", "deepseek-chat", 270_000, 70_000, 1_100_000),
    writes_cache("anthropic", "claude-3-5-haiku-20241022", 800_000, 4_000_000),
    model("openai", "o4-mini", 1_100_000, 275_000, 4_400_000).reasoning(),
    model("google", "gemini-2.5-pro", 1_250_000, 310_000, 10_000_000).reasoning(),
    model("deepseek", "deepseek-reasoner", 550_000, 140_000, 2_190_000).reasoning(),
    model("openai", "gpt-4.1", 2_000_000, 500_000, 8_000_000),
    model("mistral", "codestral-latest", 300_000, 300_000, 900_000),
    model("openai", "text-embedding-3-small", 20_000, 20_000, 0),
    writes_cache("anthropic", "claude-opus-4-20250514", 15_000_000, 75_000_000),
    model("google", "gemini-2.0-flash-lite", 75_000, 75_000, 300_000),
];

const fn model(
    provider: &'static str,
    name: &'static str,
    input: u64,
    cached_input: u64,
    output: u64,
) -> Model {
    Model { provider, name, input, cached_input, cache_write: None, output, reasons: false }
}

/// A model whose cache costs a quarter more to write and a tenth to read.
const fn writes_cache(
    provider: &'static str,
    name: &'static str,
    input: u64,
    output: u64,
) -> Model {
    let cache_write = Some(input + input / 4);
    Model { cache_write, ..model(provider, name, input, input / 10, output) }
}

impl Model {
    const fn reasoning(self) -> Self {
        Self { reasons: true, ..self }
    }
}

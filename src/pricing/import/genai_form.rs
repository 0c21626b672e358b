//! genai-prices' JSON of version 2, as far as it tells prices, and what its fields price.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::pricing::kind::TokenKind;
use crate::pricing::ordered::{NumberText, Ordered};
use crate::pricing::unit::BilledUnit;

/// A provider; other fields say how its answers are read.
#[derive(Deserialize)]
pub(super) struct ProviderIn {
    pub(super) id: String,
    #[serde(default)]
    pub(super) fallback_model_providers: Option<Vec<String>>,
    #[serde(default)]
    pub(super) models: Vec<ModelIn>,
}

/// A model: its names, and its prices, alone or under conditions of time.
#[derive(Deserialize)]
pub(super) struct ModelIn {
    pub(super) id: String,
    #[serde(rename = "match")]
    pub(super) matched: Value,
    pub(super) prices: Box<RawValue>,
    #[serde(default)]
    pub(super) price_variants: Option<Vec<VariantIn>>,
}

/// Prices of a context.
#[derive(Deserialize)]
pub(super) struct VariantIn {
    pub(super) when: Ordered<String>,
    pub(super) prices: PriceFields,
    #[serde(default)]
    pub(super) constraint: Option<ConstraintIn>,
}

/// Prices under a condition of time.
#[derive(Deserialize)]
pub(super) struct ConditionalIn {
    pub(super) prices: PriceFields,
    #[serde(default)]
    pub(super) constraint: Option<ConstraintIn>,
}

/// One of the two: a start, or times of the day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConstraintIn {
    pub(super) start_date: Option<String>,
    pub(super) start_time: Option<String>,
    pub(super) end_time: Option<String>,
}

/// Prices by the names of what they are for.
pub(super) type PriceFields = Ordered<Box<RawValue>>;

/// A rate that changes with the total input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tiered {
    pub(super) base: NumberText,
    pub(super) tiers: Vec<TierIn>,
}

/// The rate of calls with more input than `start`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TierIn {
    pub(super) start: i64,
    pub(super) price: NumberText,
}

/// The kind of tokens that a field prices.
pub(super) fn kind(field: &str) -> Option<TokenKind> {
    Some(match field {
        "input_mtok" => TokenKind::Input,
        "output_mtok" => TokenKind::Output,
        "cache_read_mtok" => TokenKind::CachedInput,
        "cache_write_mtok" => TokenKind::CacheWrite,
        "cache_write_1h_mtok" => TokenKind::CacheWrite1h,
        "input_audio_mtok" => TokenKind::InputAudio,
        "cache_audio_read_mtok" => TokenKind::CachedAudio,
        "output_audio_mtok" => TokenKind::OutputAudio,
        "input_image_mtok" => TokenKind::InputImage,
        "cache_image_read_mtok" => TokenKind::CachedImage,
        "output_image_mtok" => TokenKind::OutputImage,
        "input_video_mtok" => TokenKind::InputVideo,
        "output_video_mtok" => TokenKind::OutputVideo,
        "output_reasoning_mtok" => TokenKind::Reasoning,
        _ => return None,
    })
}

/// The unit that a field prices, and for how many.
pub(super) fn unit(field: &str) -> Option<(BilledUnit, u32)> {
    Some(match field {
        "requests_kcount" => (BilledUnit::Requests, 1_000),
        // What is heard is a part of all audio, and has the same price wherever both have one.
        "audio_hours" | "input_audio_hours" => (BilledUnit::AudioSeconds, 3_600),
        "input_mchars" => (BilledUnit::Characters, 1_000_000),
        "input_text_messages_kcount" => (BilledUnit::Messages, 1_000),
        "input_document_kpages" => (BilledUnit::Pages, 1_000),
        "web_searches_kcount" => (BilledUnit::WebSearches, 1_000),
        "social_searches_kcount" => (BilledUnit::SocialSearches, 1_000),
        "storage_searches_kcount" => (BilledUnit::StorageSearches, 1_000),
        "rerank_searches_kcount" => (BilledUnit::RerankSearches, 1_000),
        "code_executions_kcount" => (BilledUnit::CodeExecutions, 1_000),
        _ => return None,
    })
}

//! The attributes that the price of a call depends on besides its columns.
//!
//! They have room before all others: without one of them a call would get another price.

/// Whether a price depends on the attribute of this name.
pub fn is_price_context(name: &str) -> bool {
    let unit = name.strip_prefix("billed_");
    matches!(name, "service_tier" | "speed" | "processing" | "region")
        || name.strip_suffix("_tokens").is_some_and(is_part)
        || is_unit(unit.unwrap_or(name))
        || unit.is_some_and(is_usual_word)
}

/// Kinds of tokens that have no column.
fn is_part(kind: &str) -> bool {
    matches!(
        kind,
        "cache_write_1h"
            | "input_audio"
            | "input_image"
            | "input_video"
            | "cached_audio"
            | "cached_image"
            | "output_audio"
            | "output_image"
            | "output_video"
    )
}

/// What is billed and is no token.
fn is_unit(unit: &str) -> bool {
    matches!(
        unit,
        "audio_seconds"
            | "web_searches"
            | "social_searches"
            | "storage_searches"
            | "rerank_searches"
            | "code_executions"
    )
}

/// Units that mean much else by themselves.
fn is_usual_word(unit: &str) -> bool {
    matches!(unit, "characters" | "messages" | "pages" | "images")
}

//! `tokenlake price quote`.

use clap::Args as ClapArgs;
use serde_json::json;

use super::show::RuleArgs;
use crate::cli::key::ListFormat;
use crate::cli::print::print_result;
use crate::event::money::format_decimal;
use crate::event::token_count;
use crate::price_book::InForce;
use crate::pricing::{BilledUnit, Counts, ModelCall, PriceContext, Quantity, TokenKind};

/// A call.
#[derive(Debug, ClapArgs)]
pub struct QuoteArgs {
    /// Of which model, and when.
    #[command(flatten)]
    pub rule: RuleArgs,

    /// Its tokens.
    #[command(flatten)]
    pub tokens: TokenArgs,

    /// The tier that it was served with: flex, priority, …
    #[arg(long, env = "TOKENLAKE_SERVICE_TIER", value_name = "TIER")]
    pub service_tier: Option<String>,

    /// The speed that it was served with: fast, …
    #[arg(long, env = "TOKENLAKE_SPEED", value_name = "SPEED")]
    pub speed: Option<String>,

    /// How it was processed: batch.
    #[arg(long, env = "TOKENLAKE_PROCESSING", value_name = "HOW")]
    pub processing: Option<String>,

    /// The region that served it, if prices depend on it.
    #[arg(long, env = "TOKENLAKE_REGION", value_name = "NAME")]
    pub region: Option<String>,

    /// How much of something that is billed and is no token, as web_searches=3. May be given several
    /// times.
    #[arg(long, env = "TOKENLAKE_BILLED", value_name = "UNIT=COUNT", value_parser = parse_billed)]
    pub billed: Vec<(BilledUnit, Quantity)>,

    /// The format of the quote.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
    pub format: ListFormat,
}

/// How many tokens of each kind a call has.
#[derive(Debug, ClapArgs)]
pub struct TokenArgs {
    /// Tokens of the input, those of the cache included.
    #[arg(long, env = "TOKENLAKE_INPUT_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub input_tokens: i64,

    /// Tokens of the output, those of reasoning included.
    #[arg(long, env = "TOKENLAKE_OUTPUT_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub output_tokens: i64,

    /// Of the input, those that were read from a cache.
    #[arg(long, env = "TOKENLAKE_CACHED_INPUT_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub cached_input_tokens: i64,

    /// Of the input, those that were written to a cache.
    #[arg(long, env = "TOKENLAKE_CACHE_WRITE_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub cache_write_tokens: i64,

    /// Of those that were written to a cache, those for an hour.
    #[arg(long = "cache-write-1h-tokens", env = "TOKENLAKE_CACHE_WRITE_1H_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub cache_write_1h_tokens: i64,

    /// Of the output, those of reasoning.
    #[arg(long, env = "TOKENLAKE_REASONING_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub reasoning_tokens: i64,

    /// Of the input, those of audio.
    #[arg(long, env = "TOKENLAKE_INPUT_AUDIO_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub input_audio_tokens: i64,

    /// Of those that were read from a cache, those of audio.
    #[arg(long, env = "TOKENLAKE_CACHED_AUDIO_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub cached_audio_tokens: i64,

    /// Of the output, those of audio.
    #[arg(long, env = "TOKENLAKE_OUTPUT_AUDIO_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub output_audio_tokens: i64,

    /// Of the input, those of images.
    #[arg(long, env = "TOKENLAKE_INPUT_IMAGE_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub input_image_tokens: i64,

    /// Of those that were read from a cache, those of images.
    #[arg(long, env = "TOKENLAKE_CACHED_IMAGE_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub cached_image_tokens: i64,

    /// Of the output, those of images.
    #[arg(long, env = "TOKENLAKE_OUTPUT_IMAGE_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub output_image_tokens: i64,

    /// Of the input, those of video.
    #[arg(long, env = "TOKENLAKE_INPUT_VIDEO_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub input_video_tokens: i64,

    /// Of the output, those of video.
    #[arg(long, env = "TOKENLAKE_OUTPUT_VIDEO_TOKENS", value_name = "N", value_parser = parse_tokens, default_value = "0")]
    pub output_video_tokens: i64,
}

impl TokenArgs {
    fn counts(&self) -> Counts {
        Counts::default()
            .with(TokenKind::Input, self.input_tokens)
            .with(TokenKind::Output, self.output_tokens)
            .with(TokenKind::CachedInput, self.cached_input_tokens)
            .with(TokenKind::CacheWrite, self.cache_write_tokens)
            .with(TokenKind::CacheWrite1h, self.cache_write_1h_tokens)
            .with(TokenKind::Reasoning, self.reasoning_tokens)
            .with(TokenKind::InputAudio, self.input_audio_tokens)
            .with(TokenKind::CachedAudio, self.cached_audio_tokens)
            .with(TokenKind::OutputAudio, self.output_audio_tokens)
            .with(TokenKind::InputImage, self.input_image_tokens)
            .with(TokenKind::CachedImage, self.cached_image_tokens)
            .with(TokenKind::OutputImage, self.output_image_tokens)
            .with(TokenKind::InputVideo, self.input_video_tokens)
            .with(TokenKind::OutputVideo, self.output_video_tokens)
    }
}

/// Prints what a call costs, or why it has no price; fails if its counts contradict each other.
pub(super) fn run(in_force: &InForce, asked: &QuoteArgs) -> anyhow::Result<()> {
    let of = &asked.rule;
    let call = ModelCall {
        org: of.org(),
        provider: of.provider.as_deref(),
        model: Some(&of.model),
        ts: of.at(),
        counts: asked.tokens.counts(),
        quantities: &asked.billed,
        context: PriceContext {
            service_tier: asked.service_tier.as_deref(),
            speed: asked.speed.as_deref(),
            processing: asked.processing.as_deref(),
            region: asked.region.as_deref(),
        },
    };
    let price = match in_force.prices().price(&call) {
        Err(why) if why.is_impossible() => return Err(why.into()),
        price => price,
    };
    let cost = price.map(|price| format_decimal(price.cost).to_string());
    let (cost, reason) = (cost.as_deref().ok(), price.err().map(|why| why.to_string()));
    let (table, rule) = price.ok().map(|price| (price.table, price.rule)).unzip();
    if asked.format == ListFormat::Json {
        let quote = json!({ "cost_usd": cost, "table": table, "rule": rule, "reason": reason });
        print_result(&quote.to_string());
        return Ok(());
    }
    let lines =
        [("cost_usd", cost), ("table", table), ("rule", rule), ("reason", reason.as_deref())];
    for (name, value) in lines {
        if let Some(value) = value {
            print_result(&format!("{name:<8}  {value}"));
        }
    }
    Ok(())
}

fn parse_tokens(text: &str) -> Result<i64, String> {
    token_count(text).ok_or_else(|| "not a number of tokens from 0 to 10^12".to_owned())
}

fn parse_billed(text: &str) -> Result<(BilledUnit, Quantity), String> {
    let known = || {
        let units: Vec<_> = BilledUnit::ALL.into_iter().map(BilledUnit::name).collect();
        format!("write one of {} and =COUNT", units.join(", "))
    };
    let (unit, quantity) = text.split_once('=').ok_or_else(known)?;
    let unit = BilledUnit::named(unit).ok_or_else(known)?;
    Ok((unit, Quantity::parse(quantity).ok_or_else(known)?))
}

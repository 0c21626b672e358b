//! Reads LiteLLM's table: an object of models, whose fields say what one token costs.

use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;

use super::draft::{Draft, dollars};
use super::error::ImportError;
use super::notes::Notes;
use crate::pricing::kind::TokenKind;
use crate::pricing::ordered::{NumberText, Ordered, number};
use crate::pricing::provider::Provider;
use crate::pricing::text::{RuleText, TableText, VariantText};
use crate::pricing::unit::BilledUnit;

type ModelFields = Ordered<Box<RawValue>>;

/// Suffixes of fields, and the context that they are for.
const CONTEXTS: [(&str, &str, &str); 3] = [
    ("_batches", "processing", "batch"),
    ("_flex", SERVICE_TIER, "flex"),
    ("_priority", SERVICE_TIER, "priority"),
];
/// The context that tells how soon a call is answered.
const SERVICE_TIER: &str = "service_tier";

/// ModelFields that change what the fields beside them mean: without them, a price would be wrong.
const DECISIVE: [&str; 2] = ["tiered_pricing", "off_peak_pricing"];

/// Providers whose tiers begin with the number in a field's name, not above it: as LiteLLM has it.
const TIERS_FROM: [&str; 1] = ["xai"];

/// What a field prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Priced {
    Tokens(TokenKind),
    Unit(BilledUnit),
}

/// A field, taken apart.
#[derive(Clone, Copy, Debug)]
struct FieldParts {
    priced: Priced,
    /// Above which input.
    over: Option<i64>,
    /// In which context.
    context: Option<(&'static str, &'static str)>,
}

/// Whether a value of the outer object is a model.
pub(super) fn is_model(raw: &RawValue) -> bool {
    let fields: Option<ModelFields> = serde_json::from_str(raw.get()).ok();
    fields.is_some_and(|fields| {
        fields.get("litellm_provider").is_some() || fields.get("input_cost_per_token").is_some()
    })
}

/// Reads the file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(models: &ModelFields) -> Result<(TableText, Notes), ImportError> {
    let (mut notes, mut rules) = (Notes::default(), Vec::new());
    let mut seen = HashSet::new();
    for (name, raw) in models.0.iter().filter(|(name, _)| name != "sample_spec") {
        let wrong = |error: serde_json::Error| ImportError::Form(format!("{name}: {error}"));
        let fields: ModelFields = serde_json::from_str(raw.get()).map_err(wrong)?;
        let provider = fields.get("litellm_provider").and_then(|raw| number(raw));
        let Some(provider) = provider.map(|provider| provider.to_lowercase()) else {
            notes.add("has no provider", name);
            continue;
        };
        let tiers_from = TIERS_FROM.contains(&&*provider);
        let mut reader = LitellmReader { name, tiers_from, notes: &mut notes };
        let Some(rule) = reader.rule(&provider, &fields)? else { continue };
        let known = Provider::of(&provider).map_or((&*provider, ""), |one| (one.family, one.door));
        let named = (known.0.to_owned(), known.1, rule.model.clone());
        if seen.insert(named) {
            rules.push(rule);
        } else {
            notes.add("another model of the provider has this name", name);
        }
    }
    Ok((TableText::made(rules, Ordered::default()), notes))
}

/// Reads one model.
struct LitellmReader<'r> {
    name: &'r str,
    /// Whether its tiers begin with the number in a field's name.
    tiers_from: bool,
    notes: &'r mut Notes,
}

impl LitellmReader<'_> {
    /// The rule of a model; `None` if none can tell its price.
    fn rule(
        &mut self,
        provider: &str,
        fields: &ModelFields,
    ) -> Result<Option<RuleText>, ImportError> {
        if let Some(field) = DECISIVE.iter().find(|field| fields.get(field).is_some()) {
            self.note(format!("{field} is no price of a rule, so that the model has none"));
            return Ok(None);
        }
        let mode = fields.get("mode").and_then(|raw| number(raw)).unwrap_or_default();
        let mut standard = Draft::default();
        let mut variants: BTreeMap<(&str, &str), Draft> = BTreeMap::new();
        for (field, raw) in fields.0.iter().filter(|(field, _)| is_price(field)) {
            let found = parts(field, &mode);
            let (Some(found), Some(text)) = (found, number(raw)) else {
                if !is_nothing(raw.get()) {
                    self.note(format!("{field} is no price of a rule"));
                }
                continue;
            };
            let draft = match found.context {
                None => &mut standard,
                Some(context) => variants.entry(context).or_default(),
            };
            self.add(draft, (field, &text), found)?;
        }
        for kind in standard.settle(&Draft::default()) {
            self.note(format!("{} has a rate in a tier and none below", kind.name()));
        }
        if standard.is_empty() {
            self.note("has no rates");
            return Ok(None);
        }
        let variants = variants
            .into_iter()
            .filter_map(|(context, draft)| self.variant(context, draft, &standard));
        let variants = variants.collect();
        Ok(Some(self.named(provider, &standard, variants)))
    }

    fn note(&mut self, reason: impl Into<String>) {
        self.notes.add(reason, self.name);
    }

    fn add(
        &mut self,
        draft: &mut Draft,
        (field, text): (&str, &str),
        found: FieldParts,
    ) -> Result<(), ImportError> {
        match (found.priced, found.over) {
            (Priced::Tokens(kind), over) => {
                let rate = self.number(field, text, 6)?;
                let steps = draft.steps(kind);
                match over {
                    // The older name of a rate does not take the place of the newer one.
                    None if field.ends_with("_cache_hit") && steps.base.is_some() => {}
                    None => steps.base = Some(rate),
                    Some(over) => {
                        steps.over.insert(over - i64::from(self.tiers_from), rate);
                    }
                }
            }
            // So many places have prices of characters that a million of them are priced.
            (Priced::Unit(BilledUnit::Characters), None) => {
                draft.sell(BilledUnit::Characters, self.number(field, text, 6)?, 1_000_000);
            }
            (Priced::Unit(unit), None) => draft.sell(unit, self.number(field, text, 0)?, 1),
            (Priced::Unit(_), Some(_)) => self.note(format!("{field} is no price of a rule")),
        }
        Ok(())
    }

    fn number(&mut self, field: &str, text: &str, shift: u8) -> Result<NumberText, ImportError> {
        let wrong = |error| {
            let (model, field) = (self.name.to_owned(), field.to_owned());
            ImportError::Price { model, field, reason: format!("{text} {error}") }
        };
        let (number, exact) = dollars(text, shift).map_err(wrong)?;
        if !exact {
            self.note(format!("{field} is rounded to 12 places"));
        }
        Ok(number)
    }

    fn variant(
        &mut self,
        (key, value): (&str, &str),
        mut draft: Draft,
        standard: &Draft,
    ) -> Option<VariantText> {
        for kind in draft.settle(standard) {
            self.note(format!("{} has a rate for {value} and none without", kind.name()));
        }
        if key == SERVICE_TIER {
            // As LiteLLM has it: more input than a tier allows has that tier's standard rate.
            draft.take_tiers(standard);
        }
        let fields = draft.fields();
        (!draft.is_empty()).then(|| VariantText {
            when: Ordered(vec![(key.to_owned(), value.to_owned())]),
            rates: fields.rates,
            tiers: fields.tiers,
            units: fields.units,
            ..VariantText::default()
        })
    }

    fn named(&self, provider: &str, draft: &Draft, variants: Vec<VariantText>) -> RuleText {
        let name = self.name.to_lowercase();
        let family = |name: &str| Provider::of(name).map(|provider| provider.family.to_owned());
        let own = name.split_once('/').filter(|(first, _)| family(first) == family(provider));
        let model = own.map_or(name.as_str(), |(_, model)| model).to_owned();
        // Whoever tuned the model has put a name behind.
        let tuned = model.starts_with("ft:").then(|| format!("{model}:"));
        let fields = draft.fields();
        RuleText {
            id: self.name.to_owned(),
            provider: Some(provider.to_owned()),
            model: Some(model),
            prefixes: tuned.into_iter().collect(),
            rates: fields.rates,
            tiers: fields.tiers,
            units: fields.units,
            variants,
            ..RuleText::default()
        }
    }
}

fn is_price(field: &str) -> bool {
    let words = ["cost", "pricing", "multiplier", "provider_specific_entry"];
    words.iter().any(|word| field.contains(word))
}

/// Whether a price is 0, or there is none.
fn is_nothing(json: &str) -> bool {
    json == "null" || !json.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

/// The parts of a field's name.
fn parts(field: &str, mode: &str) -> Option<FieldParts> {
    let mut context = None;
    let mut rest = field;
    for (suffix, key, value) in CONTEXTS {
        if let Some(before) = field.strip_suffix(suffix) {
            (rest, context) = (before, Some((key, value)));
        }
    }
    let (rest, over) = match rest
        .strip_suffix("k_tokens")
        .and_then(|rest| rest.rsplit_once("_above_"))
    {
        Some((rest, thousands)) => (rest, Some(thousands.parse::<i64>().ok()?.checked_mul(1_000)?)),
        None => (rest, None),
    };
    Some(FieldParts { priced: priced(rest, mode)?, over, context })
}

fn priced(field: &str, mode: &str) -> Option<Priced> {
    let kind = match field {
        "input_cost_per_token" => TokenKind::Input,
        "output_cost_per_token" => TokenKind::Output,
        "cache_read_input_token_cost" | "input_cost_per_token_cache_hit" => TokenKind::CachedInput,
        "cache_creation_input_token_cost" => TokenKind::CacheWrite,
        "cache_creation_input_token_cost_above_1hr" => TokenKind::CacheWrite1h,
        "input_cost_per_audio_token" => TokenKind::InputAudio,
        "cache_read_input_audio_token_cost" => TokenKind::CachedAudio,
        "output_cost_per_audio_token" => TokenKind::OutputAudio,
        "input_cost_per_image_token" => TokenKind::InputImage,
        "cache_read_input_image_token_cost" => TokenKind::CachedImage,
        "output_cost_per_image_token" => TokenKind::OutputImage,
        "input_cost_per_video_token" => TokenKind::InputVideo,
        "output_cost_per_video_token" => TokenKind::OutputVideo,
        "output_cost_per_reasoning_token" => TokenKind::Reasoning,
        _ => return unit(field, mode).map(Priced::Unit),
    };
    Some(Priced::Tokens(kind))
}

/// The unit that a field prices; what a second or an image is depends on what the model does.
fn unit(field: &str, mode: &str) -> Option<BilledUnit> {
    match (field, mode) {
        ("input_cost_per_character", _) => Some(BilledUnit::Characters),
        ("input_cost_per_request", _) => Some(BilledUnit::Requests),
        ("input_cost_per_text_message", _) => Some(BilledUnit::Messages),
        ("input_cost_per_query", "rerank") => Some(BilledUnit::RerankSearches),
        ("ocr_cost_per_page", _) => Some(BilledUnit::Pages),
        ("input_cost_per_second", "audio_transcription") => Some(BilledUnit::AudioSeconds),
        ("output_cost_per_image", "image_generation") => Some(BilledUnit::Images),
        _ => None,
    }
}

//! Reads genai-prices' JSON of version 2: providers with their models, of which each has a condition on
//! names, prices under conditions of time, and variants by context.

use serde_json::value::RawValue;

use super::draft::{Draft, Steps, dollars};
use super::error::ImportError;
use super::genai_form::{
    ConditionalIn, ConstraintIn, ModelIn, PriceFields, ProviderIn, Tiered, VariantIn, kind, unit,
};
use super::names::{Claimed, add_clause};
use super::notes::Notes;
use super::spans::{Condition, PriceSpan, Special, Standard, standard, variants};
use crate::pricing::call::{ContextKey, PriceContext};
use crate::pricing::kind::TokenKind;
use crate::pricing::ordered::{NumberText, Ordered, number};
use crate::pricing::period::{instant, instant_text};
use crate::pricing::text::{HoursText, RuleText, TableText, VariantText};

/// Reads the file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(json: &[u8]) -> Result<(TableText, Notes), ImportError> {
    let wrong = |error: serde_json::Error| ImportError::Form(error.to_string());
    let providers: Vec<ProviderIn> = serde_json::from_slice(json).map_err(wrong)?;
    let (mut notes, mut rules, mut resold) = (Notes::default(), Vec::new(), Ordered::default());
    for provider in providers {
        let mut claimed = Claimed::default();
        for model in &provider.models {
            let name = format!("{}/{}", provider.id, model.id);
            let mut reader = GenaiReader { model: &name, notes: &mut notes };
            let made = reader.model(&provider.id, model, &mut claimed)?;
            rules.extend(made);
        }
        let others = provider.fallback_model_providers.filter(|others| !others.is_empty());
        resold.0.extend(others.map(|others| (provider.id, others)));
    }
    Ok((TableText::made(rules, resold), notes))
}

/// Reads one model.
struct GenaiReader<'r> {
    model: &'r str,
    notes: &'r mut Notes,
}

impl GenaiReader<'_> {
    fn model(
        &mut self,
        provider: &str,
        model: &ModelIn,
        claimed: &mut Claimed,
    ) -> Result<Vec<RuleText>, ImportError> {
        let mut named = RuleText { provider: Some(provider.to_owned()), ..RuleText::default() };
        for reason in add_clause(&model.matched, &model.id, &mut named) {
            self.note(reason);
        }
        if !claimed.keep(&mut named) {
            self.note("an earlier model has some of its names");
        }
        let names = [&named.aliases, &named.prefixes, &named.suffixes, &named.patterns];
        if named.model.is_none() && names.iter().all(|names| names.is_empty()) {
            self.note("no name is left that a rule could have");
            return Ok(Vec::new());
        }
        let prices = self.prices(&model.prices)?;
        let specials = self.specials(model.price_variants.as_deref().unwrap_or_default())?;
        let spans = standard(&prices).into_iter();
        let rules = spans.map(|Standard { span, mut draft, hours }| {
            if draft.is_empty() {
                self.note("has no rates, which is read as free of charge");
                for kind in [TokenKind::Input, TokenKind::Output] {
                    draft.steps(kind).base = Some(NumberText("0".to_owned()));
                }
            }
            let variants = self.variants(&draft, hours, &specials, span);
            self.rule(&named, span, &draft, variants)
        });
        Ok(rules.collect())
    }

    fn note(&mut self, reason: impl Into<String>) {
        self.notes.add(reason, self.model);
    }

    fn rule(
        &mut self,
        named: &RuleText,
        span: PriceSpan,
        draft: &Draft,
        variants: Vec<VariantText>,
    ) -> RuleText {
        let mut draft = draft.clone();
        for kind in draft.settle(&Draft::default()) {
            self.note(format!("{} has a rate in a tier and none below", kind.name()));
        }
        let (from, until) = (span.from.map(instant_text), span.until.map(instant_text));
        let id = match &from {
            Some(from) => format!("{}@{from}", self.model),
            None => self.model.to_owned(),
        };
        let fields = draft.fields();
        RuleText {
            id,
            from,
            until,
            rates: fields.rates,
            tiers: fields.tiers,
            units: fields.units,
            variants,
            ..named.clone()
        }
    }

    fn variants(
        &mut self,
        draft: &Draft,
        hours: Vec<(HoursText, Draft)>,
        specials: &[Special],
        span: PriceSpan,
    ) -> Vec<VariantText> {
        if hours.is_empty() {
            return variants(specials, draft, span);
        }
        if !specials.is_empty() {
            self.note("variants by context are not combined with those by time of day");
        }
        let made = hours.into_iter().map(|(hours, mut own)| {
            // A price of some hours takes the place of the whole price there, not of some of its rates.
            for unit in own.stand_alone(draft) {
                self.notes
                    .add(format!("{} has a price at some hours alone", unit.name()), self.model);
            }
            own.settle(draft);
            let fields = own.fields();
            VariantText {
                hours: Some(hours),
                rates: fields.rates,
                tiers: fields.tiers,
                units: fields.units,
                ..VariantText::default()
            }
        });
        made.collect()
    }

    fn prices(&mut self, raw: &RawValue) -> Result<Vec<(Condition, Draft)>, ImportError> {
        let model = self.model;
        let wrong = |error: serde_json::Error| price_error(model, "prices", &error.to_string());
        if raw.get().starts_with('{') {
            let prices: PriceFields = serde_json::from_str(raw.get()).map_err(wrong)?;
            return Ok(vec![(Condition::Always, self.draft(&prices)?)]);
        }
        let conditional: Vec<ConditionalIn> = serde_json::from_str(raw.get()).map_err(wrong)?;
        let read = conditional.iter().map(|one| {
            let condition = self.condition(one.constraint.as_ref())?;
            Ok((condition, self.draft(&one.prices)?))
        });
        read.collect()
    }

    fn specials(&mut self, variants: &[VariantIn]) -> Result<Vec<Special>, ImportError> {
        let mut specials = Vec::new();
        for variant in variants {
            let mut when = Vec::new();
            let mut known = true;
            for (key, value) in &variant.when.0 {
                match ContextKey::named(key).filter(|key| *key != ContextKey::Region) {
                    None => {
                        self.note(format!("the context {key}={value} is none that calls tell"));
                        known = false;
                    }
                    Some(key) if is_special(key, value) => {
                        when.push((key.name().to_owned(), value.to_lowercase()));
                    }
                    Some(_) => {}
                }
            }
            let draft = self.draft(&variant.prices)?;
            if when.is_empty() || !known {
                if known && !draft.is_empty() {
                    self.note("a variant of the standard price is the standard price");
                }
                continue;
            }
            when.sort();
            let condition = self.condition(variant.constraint.as_ref())?;
            if matches!(condition, Condition::Hours(_)) {
                self.note("variants by context are not combined with those by time of day");
                continue;
            }
            specials.push(Special { when, condition, draft });
        }
        Ok(specials)
    }

    fn condition(&self, constraint: Option<&ConstraintIn>) -> Result<Condition, ImportError> {
        let Some(constraint) = constraint else { return Ok(Condition::Always) };
        let ConstraintIn { start_date, start_time, end_time, .. } = constraint;
        let read = match (start_date, start_time, end_time) {
            (Some(date), None, None) => instant(date).map(Condition::From),
            (None, Some(from), Some(until)) => {
                let utc = |text: &str| {
                    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"));
                    text.map(|text| {
                        text.strip_suffix(":00")
                            .filter(|text| text.len() == 5)
                            .unwrap_or(text)
                            .to_owned()
                    })
                };
                let hours = utc(from).zip(utc(until));
                hours.map(|(from, until)| Condition::Hours(HoursText { from, until }))
            }
            _ => None,
        };
        let wrong = || price_error(self.model, "constraint", "is neither a date nor times in UTC");
        read.ok_or_else(wrong)
    }

    fn draft(&mut self, prices: &PriceFields) -> Result<Draft, ImportError> {
        let mut draft = Draft::default();
        for (field, raw) in prices.0.iter().filter(|(_, raw)| raw.get() != "null") {
            if let Some(kind) = kind(field) {
                self.steps(field, raw, draft.steps(kind))?;
            } else if let (Some((unit, per)), Some(text)) = (unit(field), number(raw)) {
                draft.sell(unit, self.number(field, &text)?, per);
            } else {
                self.note(format!("{field} is no price of a rule"));
            }
        }
        Ok(draft)
    }

    fn steps(&mut self, field: &str, raw: &RawValue, steps: &mut Steps) -> Result<(), ImportError> {
        if let Some(text) = number(raw) {
            steps.base = Some(self.number(field, &text)?);
            return Ok(());
        }
        let wrong = |error: serde_json::Error| price_error(self.model, field, &error.to_string());
        let tiered: Tiered = serde_json::from_str(raw.get()).map_err(wrong)?;
        steps.base = Some(self.number(field, &tiered.base.0)?);
        for tier in tiered.tiers {
            let price = self.number(field, &tier.price.0)?;
            steps.over.insert(tier.start, price);
        }
        Ok(())
    }

    fn number(&mut self, field: &str, text: &str) -> Result<NumberText, ImportError> {
        let wrong = |error| price_error(self.model, field, &format!("{text} {error}"));
        let (number, exact) = dollars(text, 0).map_err(wrong)?;
        if !exact {
            self.note(format!("{field} is rounded to 12 places"));
        }
        Ok(number)
    }
}

fn is_special(key: ContextKey, value: &str) -> bool {
    let value = Some(value);
    let context =
        PriceContext { service_tier: value, speed: value, processing: value, region: value };
    // A tier of this name is told as processing.
    key == ContextKey::ServiceTier && value == Some("batch") || context.special(key).is_some()
}

fn price_error(model: &str, field: &str, reason: &str) -> ImportError {
    ImportError::Price { model: model.into(), field: field.into(), reason: reason.into() }
}

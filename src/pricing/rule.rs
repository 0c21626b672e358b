//! A rule of a table: for which calls it is, and which of its rates apply to one.

use super::call::{ContextKey, PriceContext};
use super::kind::TokenKind;
use super::no_price::NoPrice;
use super::pattern::Pattern;
use super::period::{Dates, Times};
use super::sheet::{Rate, Sheet};
use crate::clock::Micros;

/// A rule, checked. Its names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(super) id: Box<str>,
    pub(super) org: Option<Box<str>>,
    pub(super) provider: Option<Box<str>>,
    pub(super) names: Names,
    pub(super) dates: Dates,
    pub(super) sheet: Sheet,
    pub(super) variants: Vec<Variant>,
}

/// The names of the models that a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) model: Option<Box<str>>,
    pub(super) aliases: Vec<Box<str>>,
    pub(super) prefixes: Vec<Box<str>>,
    pub(super) suffixes: Vec<Box<str>>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) except: Vec<Pattern>,
}

/// The rates of a context, or of some times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// The values of the context, by key; empty for the standard price.
    pub(super) when: Vec<(ContextKey, Box<str>)>,
    /// When it is in force.
    pub(super) times: Times,
    /// Its own rates.
    pub(super) own: Sheet,
    /// The rule's rates with its own.
    pub(super) whole: Sheet,
}

impl Rule {
    /// Its name in its table.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The provider that it is for, as its table names it; none for any.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// The model's name; none if it is for beginnings, ends or patterns of names alone.
    pub fn model(&self) -> Option<&str> {
        self.names.model.as_deref()
    }

    /// The organisation that it is for; none for any.
    pub fn org(&self) -> Option<&str> {
        self.org.as_deref()
    }

    /// Whether it is in force at an instant.
    pub fn holds(&self, ts: Micros) -> bool {
        self.dates.hold(ts)
    }

    /// The standard rate of a kind below all tiers: its own, or that of the kind it is part of.
    pub fn standard_rate(&self, kind: TokenKind) -> Option<Rate> {
        let kinds = [kind].into_iter().chain(kind.wholes().iter().copied());
        kinds.into_iter().find_map(|kind| self.sheet.schedule(kind)).map(|schedule| schedule.base)
    }

    /// The rates of a call.
    ///
    /// # Errors
    /// A value of the context that no variant is for: the standard price would be a guess.
    pub(super) fn sheet(&self, ts: Micros, context: &PriceContext<'_>) -> Result<&Sheet, NoPrice> {
        if self.variants.is_empty() && context.is_empty() {
            return Ok(&self.sheet);
        }
        let by_region = self.is_by_region();
        let applies =
            |variant: &&Variant| variant.times.hold(ts) && variant.is_for(context, by_region);
        if let Some(variant) = self.variants.iter().find(applies) {
            return Ok(&variant.whole);
        }
        let asked = |key: &ContextKey| *key != ContextKey::Region || by_region;
        let mut unknown = ContextKey::ALL.into_iter().filter(asked);
        match unknown.find(|key| context.special(*key).is_some()) {
            Some(key) => Err(NoPrice::Context(key)),
            None => Ok(&self.sheet),
        }
    }

    /// The standard rates, for who sells the model of another and has contexts of its own.
    ///
    /// # Errors
    /// A context that is not the standard one.
    pub(super) fn standard(
        &self,
        ts: Micros,
        context: &PriceContext<'_>,
    ) -> Result<&Sheet, NoPrice> {
        let mut keys = ContextKey::ALL.into_iter().filter(|key| *key != ContextKey::Region);
        match keys.find(|key| context.special(*key).is_some()) {
            Some(key) => Err(NoPrice::Context(key)),
            None => self.sheet(ts, &PriceContext::default()),
        }
    }

    fn is_by_region(&self) -> bool {
        let mut keys = self.variants.iter().flat_map(|variant| &variant.when);
        keys.any(|(key, _)| *key == ContextKey::Region)
    }
}

impl Variant {
    /// Whether the context is exactly this one.
    fn is_for(&self, context: &PriceContext<'_>, by_region: bool) -> bool {
        ContextKey::ALL.into_iter().filter(|key| *key != ContextKey::Region || by_region).all(
            |key| {
                let wanted = self.when.iter().find(|(found, _)| *found == key);
                match (wanted, context.special(key)) {
                    (None, None) => true,
                    (Some((_, wanted)), Some(value)) => value.eq_ignore_ascii_case(wanted),
                    _ => false,
                }
            },
        )
    }
}

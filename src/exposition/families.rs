//! The metric families, in the order of the contract.

use super::collect::{Collect, FamilyGroup};
use crate::rollup::{PartView, SeriesTotals};

/// One metric family.
pub(super) struct Family {
    /// The name in OpenMetrics; that of a counter has no `_total`.
    pub(super) name: &'static str,
    /// One line.
    pub(super) help: &'static str,
    /// The unit, if the name ends with it (OpenMetrics requires that).
    pub(super) unit: Option<&'static str>,
    pub(super) group: FamilyGroup,
    /// Another group that must be asked for, too.
    pub(super) also: Option<FamilyGroup>,
    pub(super) value: SampleSource,
}

/// Where the samples of a family come from.
pub(super) enum SampleSource {
    /// A counter with a sample for each series.
    Count(fn(&SeriesTotals) -> i128),
    /// A counter with a sample for each series, in units of 10^-12 dollars.
    Money(fn(&SeriesTotals) -> i128),
    /// A gauge of the organisation that changes with time: filled in at each scrape.
    RollingCost,
    /// A gauge of the organisation.
    ArchiveVersion,
    /// A gauge of the organisation, without a sample if it has no events.
    LastEvent,
    /// A gauge with a sample for each table of prices.
    PriceTables,
    /// A counter with a sample for each value of each dimension.
    PartCount(fn(&PartView) -> i128),
    /// The same in units of 10^-12 dollars.
    PartMoney(fn(&PartView) -> i128),
    /// A gauge for each value of each dimension, filled in at each scrape.
    PartRollingCost,
}

impl Family {
    pub(super) fn is_counter(&self) -> bool {
        use SampleSource::{Count, Money, PartCount, PartMoney};
        matches!(self.value, Count(_) | Money(_) | PartCount(_) | PartMoney(_))
    }

    pub(super) fn is_asked_for(&self, collect: Collect) -> bool {
        collect.includes(self.group) && self.also.is_none_or(|also| collect.includes(also))
    }

    const fn new(
        name: &'static str,
        group: FamilyGroup,
        value: SampleSource,
        help: &'static str,
    ) -> Self {
        Self { name, help, unit: None, group, also: None, value }
    }

    /// The same, only with another group.
    const fn with(self, also: FamilyGroup) -> Self {
        Self { also: Some(also), ..self }
    }

    /// The same family with a unit, with which its name ends.
    const fn of(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }
}

/// All families, in the order in which they are shown.
pub(super) static FAMILIES: [Family; 20] = [
    Family::new(
        "llm_requests",
        FamilyGroup::Core,
        SampleSource::Count(|totals| totals.requests.into()),
        "LLM API calls ever recorded for this organisation, by provider and model; \
         late events are added when they arrive.",
    ),
    Family::new(
        "llm_tokens",
        FamilyGroup::Core,
        SampleSource::Count(|totals| totals.input_tokens + totals.output_tokens),
        "Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens \
         are part of them; late events are added when they arrive.",
    )
    .of("tokens"),
    Family::new(
        "llm_cost_usd",
        FamilyGroup::Core,
        SampleSource::Money(SeriesTotals::spent),
        "Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; \
         late events are added when they arrive.",
    )
    .of("usd"),
    Family::new(
        "llm_cost_usd_rolling_24h",
        FamilyGroup::Core,
        SampleSource::RollingCost,
        "Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all \
         providers and models, also unknown ones; late events count by the time of the call.",
    ),
    Family::new(
        "llm_input_tokens",
        FamilyGroup::Tokens,
        SampleSource::Count(|totals| totals.input_tokens),
        "Input tokens ever recorded, those read from a prompt cache included; \
         late events are added when they arrive.",
    )
    .of("tokens"),
    Family::new(
        "llm_output_tokens",
        FamilyGroup::Tokens,
        SampleSource::Count(|totals| totals.output_tokens),
        "Output tokens ever recorded, those spent on reasoning included; \
         late events are added when they arrive.",
    )
    .of("tokens"),
    Family::new(
        "llm_cached_input_tokens",
        FamilyGroup::Tokens,
        SampleSource::Count(|totals| totals.cached_input_tokens),
        "Input tokens that the provider read from its prompt cache; \
         a part of llm_input_tokens_total, not an addition to it; \
         late events are added when they arrive.",
    )
    .of("tokens"),
    Family::new(
        "llm_cache_write_tokens",
        FamilyGroup::Tokens,
        SampleSource::Count(|totals| totals.cache_write_tokens),
        "Input tokens that the provider wrote to its prompt cache; \
         a part of llm_input_tokens_total, not an addition to it; \
         late events are added when they arrive.",
    )
    .of("tokens"),
    Family::new(
        "llm_reasoning_tokens",
        FamilyGroup::Tokens,
        SampleSource::Count(|totals| totals.reasoning_tokens),
        "Output tokens spent on reasoning; \
         a part of llm_output_tokens_total, not an addition to it; \
         late events are added when they arrive.",
    )
    .of("tokens"),
    Family::new(
        "llm_requests_unpriced",
        FamilyGroup::Pricing,
        SampleSource::Count(|totals| totals.unpriced.into()),
        "LLM API calls recorded without a price: counted in llm_requests_total, \
         missing from llm_cost_usd_total; late events are added when they arrive.",
    ),
    Family::new(
        "llm_requests_priced_later",
        FamilyGroup::Pricing,
        SampleSource::Count(|totals| totals.priced_later().into()),
        "LLM API calls of llm_requests_unpriced_total that a correction has given a price since.",
    ),
    Family::new(
        "llm_cost_usd_credits",
        FamilyGroup::Pricing,
        SampleSource::Money(SeriesTotals::credits),
        "Corrections downward of the cost in US dollars, as amounts above 0: what \
         llm_cost_usd_total is too high by; late events are added when they arrive.",
    ),
    Family::new(
        "llm_price_table_timestamp_seconds",
        FamilyGroup::Pricing,
        SampleSource::PriceTables,
        "When the prices of each table that prices this organisation's calls were taken, in seconds \
         since 1970; no sample without tables.",
    )
    .of("seconds"),
    Family::new(
        "llm_archive_version",
        FamilyGroup::Freshness,
        SampleSource::ArchiveVersion,
        "Version of the archive's table that this scrape shows; all events up to it are included; \
         it stands still while --max-staleness or --max-stale-on-error lets scrapes show what was \
         known before.",
    ),
    Family::new(
        "llm_last_event_timestamp_seconds",
        FamilyGroup::Freshness,
        SampleSource::LastEvent,
        "Time of this organisation's latest event, by the event's own clock, in seconds since \
         1970; late events do not set it back; no sample while there is no event.",
    )
    .of("seconds"),
    Family::new(
        "llm_dimension_requests",
        FamilyGroup::Dimensions,
        SampleSource::PartCount(|part| part.requests.into()),
        "LLM API calls ever recorded for this organisation, by dimension and value; calls without \
         the dimension's attribute are in none; late events are added when they arrive.",
    ),
    Family::new(
        "llm_dimension_tokens",
        FamilyGroup::Dimensions,
        SampleSource::PartCount(|part| part.tokens),
        "Input plus output tokens of all LLM API calls ever recorded, by dimension and value; \
         late events are added when they arrive.",
    )
    .of("tokens"),
    Family::new(
        "llm_dimension_cost_usd",
        FamilyGroup::Dimensions,
        SampleSource::PartMoney(|part| part.spent),
        "Cost in US dollars of all LLM API calls ever recorded, with corrections upward, by \
         dimension and value; late events are added when they arrive.",
    )
    .of("usd"),
    Family::new(
        "llm_dimension_cost_usd_rolling_24h",
        FamilyGroup::Dimensions,
        SampleSource::PartRollingCost,
        "Cost in US dollars of the LLM API calls of the 24 hours before this scrape, less credits, \
         by dimension and value; late events count by the time of the call.",
    ),
    Family::new(
        "llm_dimension_cost_usd_credits",
        FamilyGroup::Dimensions,
        SampleSource::PartMoney(|part| part.credits),
        "Corrections downward of the cost in US dollars, as amounts above 0, by dimension and \
         value; late events are added when they arrive.",
    )
    .with(FamilyGroup::Pricing),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_keep_the_rules_of_openmetrics() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for family in &FAMILIES {
            assert!(!family.name.ends_with("_total"), "{}", family.name);
            // A gauge must not have the name of a counter's sample.
            assert!(!names.contains(format!("{}_total", family.name).as_str()));
            if let Some(unit) = family.unit {
                assert!(family.name.ends_with(&format!("_{unit}")), "{}", family.name);
            }
        }
    }

    #[test]
    fn help_is_one_sentence_on_one_line() {
        for family in &FAMILIES {
            assert!(!family.help.contains('\n') && !family.help.contains("  "), "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
    }
}

//! Turns the text of rules into rules, and back.

use super::call::{ContextKey, PriceContext};
use super::kind::TokenKind;
use super::no_price::InvalidRate;
use super::ordered::{NumberText, Ordered};
use super::pattern::Pattern;
use super::period::{Dates, Hours, Times, Weekdays, instant, instant_text};
use super::rule::{Names, Rule, Variant};
use super::sheet::{Rate, Schedule, Sheet, UnitRate};
use super::text::{HoursText, RuleText, TierText, UnitText, VariantText};
use super::unit::BilledUnit;
use crate::event::money::format_decimal;

/// Bytes of a rule's name: with its table's it fits the column that names it.
const ID_BYTES_MAX: usize = 160;
/// Bytes of any other name.
const NAME_BYTES_MAX: usize = 256;
/// Tokens of the highest tier.
const TIER_MAX: i64 = 1_000_000_000_000;

/// The rule of a text.
///
/// # Errors
/// What is wrong with it, for people.
pub(super) fn rule(text: &RuleText) -> Result<Rule, String> {
    let id = name("id", &text.id)?;
    if id.len() > ID_BYTES_MAX {
        return Err(format!("id: is longer than {ID_BYTES_MAX} bytes"));
    }
    let optional = |field: &str, text: &Option<String>| {
        text.as_deref().map(|text| name(field, text)).transpose()
    };
    let provider = optional("provider", &text.provider)?;
    let sheet = sheet(&text.rates, &text.tiers, &text.units)?;
    if sheet.is_empty() {
        return Err("rates: has neither rates nor units".to_owned());
    }
    let variants = text.variants.iter().enumerate().map(|(at, variant)| {
        self::variant(variant, &sheet).map_err(|error| format!("variant {}: {error}", at + 1))
    });
    Ok(Rule {
        id,
        org: optional("org", &text.org)?,
        provider: provider.map(|provider| provider.to_lowercase().into()),
        names: names(text)?,
        dates: dates(text.from.as_deref(), text.until.as_deref())?,
        variants: variants.collect::<Result<_, _>>()?,
        sheet,
    })
}

fn names(text: &RuleText) -> Result<Names, String> {
    let lower = |field: &str, text: &str| Ok(name(field, text)?.to_lowercase().into_boxed_str());
    let all = |field: &str, texts: &[String]| -> Result<Vec<Box<str>>, String> {
        texts.iter().map(|text| lower(field, text)).collect()
    };
    let patterns = |field: &str, texts: &[String]| -> Result<Vec<Pattern>, String> {
        Ok(all(field, texts)?.iter().map(|text| Pattern::new(text)).collect())
    };
    let names = Names {
        model: text.model.as_deref().map(|text| lower("model", text)).transpose()?,
        aliases: all("aliases", &text.aliases)?,
        prefixes: all("prefixes", &text.prefixes)?,
        suffixes: all("suffixes", &text.suffixes)?,
        patterns: patterns("patterns", &text.patterns)?,
        except: patterns("except", &text.except)?,
    };
    let lists = [&names.aliases, &names.prefixes, &names.suffixes];
    let none = names.model.is_none() && names.patterns.is_empty();
    if none && lists.iter().all(|list| list.is_empty()) {
        return Err(
            "names no model: neither model, aliases, prefixes, suffixes nor patterns".into()
        );
    }
    Ok(names)
}

/// A name that is not blank, without blanks around it.
fn name(field: &str, text: &str) -> Result<Box<str>, String> {
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.trim() == text;
    if !fits || text.chars().any(char::is_control) {
        return Err(format!("{field}: is no name of 1 to {NAME_BYTES_MAX} bytes"));
    }
    Ok(text.into())
}

fn dates(from: Option<&str>, until: Option<&str>) -> Result<Dates, String> {
    let read = |field: &str, text: Option<&str>| {
        let read = |text| instant(text).ok_or_else(|| format!("{field}: {text:?} is no date"));
        text.map(read).transpose()
    };
    let dates = Dates { from: read("from", from)?, until: read("until", until)? };
    if dates.are_empty() {
        return Err("until: is not after from".to_owned());
    }
    Ok(dates)
}

fn variant(text: &VariantText, rule: &Sheet) -> Result<Variant, String> {
    let mut when = Vec::with_capacity(text.when.0.len());
    for (key, value) in &text.when.0 {
        let key = ContextKey::named(key).ok_or_else(|| format!("when: {key:?} is no context"))?;
        let value = name(key.name(), value)?.to_lowercase().into_boxed_str();
        if !is_special(key, &value) {
            return Err(format!("{}: {value:?} is the standard price", key.name()));
        }
        when.push((key, value));
    }
    when.sort_unstable();
    let hours = text.hours.as_ref().map(|hours| {
        let read = Hours::parse(&hours.from, &hours.until);
        read.ok_or_else(|| format!("hours: {:?} to {:?} are none", hours.from, hours.until))
    });
    let days = (!text.weekdays.is_empty()).then(|| {
        let days = text.weekdays.iter().map(String::as_str);
        Weekdays::parse(days).ok_or("weekdays: are mon, tue, wed, thu, fri, sat and sun")
    });
    let dates = dates(text.from.as_deref(), text.until.as_deref())?;
    let times = Times { dates, hours: hours.transpose()?, weekdays: days.transpose()? };
    if when.is_empty() && times == Times::default() {
        return Err("says neither when nor at which times it applies".to_owned());
    }
    let own = sheet(&text.rates, &text.tiers, &text.units)?;
    Ok(Variant { when, times, whole: rule.overlaid(&own), own })
}

/// Whether the value of a key chooses a variant.
fn is_special(key: ContextKey, value: &str) -> bool {
    let mut context = PriceContext::default();
    *match key {
        ContextKey::ServiceTier => &mut context.service_tier,
        ContextKey::Speed => &mut context.speed,
        ContextKey::Processing => &mut context.processing,
        ContextKey::Region => &mut context.region,
    } = Some(value);
    context.special(key).is_some()
}

fn sheet(
    rates: &Ordered<NumberText>,
    tiers: &[TierText],
    units: &Ordered<UnitText>,
) -> Result<Sheet, String> {
    let mut tokens = Vec::with_capacity(rates.0.len());
    for (kind, rate) in by_kind(rates) {
        let (kind, base) = (kind?, rate?);
        tokens.push((kind, Schedule { base, tiers: Vec::new() }));
    }
    for tier in tiers {
        let first = first(tier)?;
        for (kind, rate) in by_kind(&tier.rates) {
            let (kind, rate) = (kind?, rate?);
            let schedule = tokens.iter_mut().find(|(found, _)| *found == kind);
            let no_base = || format!("tiers: {} has a rate in a tier and none below", kind.name());
            let (_, schedule) = schedule.ok_or_else(no_base)?;
            if schedule.tiers.iter().any(|(other, _)| *other == first) {
                return Err(format!("tiers: two are from {first} tokens on"));
            }
            schedule.tiers.push((first, rate));
            schedule.tiers.sort_unstable();
        }
    }
    let units = units.0.iter().map(|(unit, price)| {
        let known = BilledUnit::named(unit).ok_or_else(|| format!("units: {unit:?} is none"))?;
        let usd = rate(unit, &price.usd)?;
        let no_price = || format!("{unit}: per is 1, 60, 1000, 3600, 1000000 or 1000000000");
        Ok((known, UnitRate::new(usd, price.per).ok_or_else(no_price)?))
    });
    Ok(Sheet::new(tokens, units.collect::<Result<_, String>>()?))
}

type Read<T> = Result<T, String>;

fn by_kind(rates: &Ordered<NumberText>) -> impl Iterator<Item = (Read<TokenKind>, Read<Rate>)> {
    rates.0.iter().map(|(kind, number)| {
        let known =
            TokenKind::named(kind).ok_or_else(|| format!("rates: {kind:?} is no kind of tokens"));
        (known, rate(kind, number))
    })
}

fn rate(field: &str, number: &NumberText) -> Result<Rate, String> {
    let wrong = |error: InvalidRate| format!("{field}: {} {error}", number.0);
    Rate::parse(&number.0).map_err(wrong)
}

/// The smallest input that is in a tier.
fn first(tier: &TierText) -> Result<i64, String> {
    let first = match (tier.over, tier.from) {
        (Some(over), None) => over.saturating_add(1),
        (None, Some(from)) => from,
        _ => return Err("tiers: each has either over or from".to_owned()),
    };
    let fits = (1..=TIER_MAX).contains(&first);
    fits.then_some(first).ok_or_else(|| format!("tiers: {first} tokens are no start of a tier"))
}

/// A rule as it is in the JSON of its table, on one line.
pub fn rule_json(rule: &Rule) -> String {
    // Text of such structs cannot fail to be written.
    serde_json::to_string(&rule_text(rule)).unwrap_or_default()
}

/// The text of a rule.
fn rule_text(rule: &Rule) -> RuleText {
    let texts = |list: &[Box<str>]| list.iter().map(|text| text.to_string()).collect();
    let patterns = |list: &[Pattern]| list.iter().map(|one| one.text().to_owned()).collect();
    let (rates, tiers, units) = sheet_text(&rule.sheet);
    RuleText {
        id: rule.id.to_string(),
        org: rule.org.as_deref().map(str::to_owned),
        provider: rule.provider.as_deref().map(str::to_owned),
        model: rule.names.model.as_deref().map(str::to_owned),
        aliases: texts(&rule.names.aliases),
        prefixes: texts(&rule.names.prefixes),
        suffixes: texts(&rule.names.suffixes),
        patterns: patterns(&rule.names.patterns),
        except: patterns(&rule.names.except),
        from: rule.dates.from.map(instant_text),
        until: rule.dates.until.map(instant_text),
        rates,
        tiers,
        units,
        variants: rule.variants.iter().map(variant_text).collect(),
    }
}

fn variant_text(variant: &Variant) -> VariantText {
    let (rates, tiers, units) = sheet_text(&variant.own);
    let when = variant.when.iter().map(|(key, value)| (key.name().to_owned(), value.to_string()));
    let Times { dates, hours, weekdays } = variant.times;
    VariantText {
        when: Ordered(when.collect()),
        from: dates.from.map(instant_text),
        until: dates.until.map(instant_text),
        hours: hours.map(Hours::texts).map(|(from, until)| HoursText { from, until }),
        weekdays: weekdays.into_iter().flat_map(Weekdays::names).map(str::to_owned).collect(),
        rates,
        tiers,
        units,
    }
}

type SheetText = (Ordered<NumberText>, Vec<TierText>, Ordered<UnitText>);

fn sheet_text(sheet: &Sheet) -> SheetText {
    let number = |rate: Rate| NumberText(format_decimal(rate.units()).to_string());
    let schedules =
        TokenKind::ALL.into_iter().filter_map(|kind| Some((kind, sheet.schedule(kind)?)));
    let schedules: Vec<_> = schedules.collect();
    let rates = schedules.iter().map(|(kind, one)| (kind.name().to_owned(), number(one.base)));
    let firsts = schedules.iter().flat_map(|(_, one)| one.tiers.iter().map(|(first, _)| *first));
    let firsts: std::collections::BTreeSet<_> = firsts.collect();
    let tiers = firsts.into_iter().map(|first| {
        let rates = schedules.iter().filter_map(|(kind, one)| {
            let (_, rate) = one.tiers.iter().find(|(found, _)| *found == first)?;
            Some((kind.name().to_owned(), number(*rate)))
        });
        // Thresholds are round numbers, on the one side or the other.
        let over = (first % 10 == 1).then_some(first - 1);
        let from = over.is_none().then_some(first);
        TierText { over, from, rates: Ordered(rates.collect()) }
    });
    let units = sheet.units().iter().map(|(unit, price)| {
        let text = UnitText { usd: number(price.usd), per: price.per };
        (unit.name().to_owned(), text)
    });
    (Ordered(rates.collect()), tiers.collect(), Ordered(units.collect()))
}

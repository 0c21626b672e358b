//! A table of rules: read from its JSON, checked as a whole, and written again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::checked;
use super::index::Index;
use super::period::{Dates, instant, instant_text};
use super::provider::Provider;
use super::rule::Rule;
use super::text::{FORMAT, TableText, VERSION};
use crate::clock::Micros;

/// Rules in one table.
const RULES_MAX: usize = 100_000;
/// Bytes of a table's name.
const NAME_BYTES_MAX: usize = 64;

/// A table of rules.
#[derive(Debug)]
pub struct Table {
    name: Box<str>,
    /// The organisation that all of its rules are for.
    org: Option<Box<str>>,
    taken: Option<Micros>,
    sources: Vec<String>,
    /// Providers that sell the models of others, with those others.
    resold: Vec<(String, Vec<String>)>,
    rules: Vec<Rule>,
    /// What costs by each rule tell as their source.
    cost_sources: Vec<Box<str>>,
    index: Index,
}

/// Why a text is no table.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TableError {
    /// No JSON, or a field that is missing or unknown.
    #[error("it is no table of prices: {0}")]
    Json(String),
    /// A version that is not known.
    #[error(
        "it is a table of version {0}, and this program knows version {VERSION}; use a newer one"
    )]
    Version(u32),
    /// A name that is none.
    #[error("table: {0:?} is no name: 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ . -")]
    Name(String),
    /// The date is none.
    #[error("taken: {0:?} is no date")]
    Taken(String),
    /// A rule that is wrong.
    #[error("rule {rule:?}: {reason}")]
    Rule {
        /// Its name.
        rule: String,
        /// What is wrong, beginning with the field.
        reason: String,
    },
    /// Rules of which none is before the other.
    #[error("rules {one:?} and {other:?} are both for {name:?} on one day")]
    Overlap {
        /// The one.
        one: String,
        /// The other.
        other: String,
        /// The name that both are for.
        name: String,
    },
    /// No rule at all.
    #[error("it has no rule")]
    Empty,
    /// Too many.
    #[error("it has more than {RULES_MAX} rules")]
    TooMany,
}

impl Table {
    /// Reads a table of our JSON. One that does not tell its name has the name `name`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(json: &[u8], name: &str) -> Result<Self, TableError> {
        let text: TableText =
            serde_json::from_slice(json).map_err(|error| TableError::Json(error.to_string()))?;
        Self::of(text, name)
    }

    pub(super) fn of(text: TableText, name: &str) -> Result<Self, TableError> {
        if text.format != FORMAT {
            return Err(TableError::Json(format!("its format is {:?}", text.format)));
        }
        if text.version != VERSION {
            return Err(TableError::Version(text.version));
        }
        if text.rules.len() > RULES_MAX {
            return Err(TableError::TooMany);
        }
        let taken = text.taken.map(|taken| instant(&taken).ok_or(TableError::Taken(taken)));
        let rules = text.rules.iter().map(|rule| {
            let wrong = |reason| TableError::Rule { rule: rule.id.clone(), reason };
            checked::rule(rule).map_err(wrong)
        });
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            return Err(TableError::Empty);
        }
        each_is_one(&rules)?;
        let name = text.table.as_deref().unwrap_or(name);
        let name = table_name(name)?;
        Ok(Self {
            name: name.into(),
            org: None,
            cost_sources: cost_sources(name, &rules),
            taken: taken.transpose()?,
            sources: text.sources,
            resold: text.resold.0,
            index: Index::of(&rules),
            rules,
        })
    }

    /// Its name, which the costs that it made tell.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The organisation that it is for; none for all.
    pub fn org(&self) -> Option<&str> {
        self.org.as_deref()
    }

    /// This table for one organisation.
    ///
    /// # Errors
    /// A rule that is for another one.
    pub fn of_org(mut self, org: &str) -> Result<Self, TableError> {
        let others = |rule: &&Rule| rule.org().is_some_and(|other| other != org);
        if let Some(rule) = self.rules.iter().find(others) {
            let reason = format!("org: is not {org}, for which the table is");
            return Err(TableError::Rule { rule: rule.id().to_owned(), reason });
        }
        self.org = Some(org.into());
        Ok(self)
    }

    /// The `cost_source` of costs by the rule at this place.
    pub(super) fn source(&self, rule: u32) -> &str {
        let source = usize::try_from(rule).ok().and_then(|at| self.cost_sources.get(at));
        source.map_or("", |source| source)
    }

    /// When its prices were taken.
    pub fn taken(&self) -> Option<Micros> {
        self.taken
    }

    /// Its rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The families of providers whose models a family sells, too, in order.
    pub(super) fn resold(&self, family: &str) -> &[String] {
        let own = self.resold.iter().find(|(provider, _)| provider == family);
        own.map_or(&[], |(_, others)| others)
    }

    /// This table with another name, and when and from where its prices were taken.
    ///
    /// # Errors
    /// If that is no name.
    pub fn described(
        self,
        name: &str,
        taken: Option<Micros>,
        sources: Vec<String>,
    ) -> Result<Self, TableError> {
        let cost_sources = cost_sources(table_name(name)?, &self.rules);
        Ok(Self { name: name.into(), cost_sources, taken, sources, ..self })
    }

    /// From where its prices are.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The JSON that [`Table::parse`] reads, a line a rule.
    pub fn to_json(&self) -> String {
        let head = TableText {
            format: FORMAT.to_owned(),
            version: VERSION,
            table: Some(self.name.to_string()),
            taken: self.taken.map(instant_text),
            sources: self.sources.clone(),
            resold: super::ordered::Ordered(self.resold.clone()),
            rules: Vec::new(),
        };
        // Text of such structs cannot fail to be written.
        let head = serde_json::to_string_pretty(&head).unwrap_or_default();
        let mut json = head.trim_end_matches("[]\n}").to_owned();
        json.push('[');
        let mut before = "\n";
        for rule in &self.rules {
            let _ = write!(json, "{before}    {}", checked::rule_json(rule));
            before = ",\n";
        }
        json.push_str("\n  ]\n}\n");
        json
    }
}

/// What the `cost_source` of each cost that a table tells begins with.
const OF_A_TABLE: &str = "price:";

/// Whether a `cost_source` says that a table told the cost.
pub fn is_of_table(source: &str) -> bool {
    source.starts_with(OF_A_TABLE)
}

fn cost_sources(table: &str, rules: &[Rule]) -> Vec<Box<str>> {
    rules.iter().map(|rule| format!("{OF_A_TABLE}{table}#{}", rule.id()).into()).collect()
}

fn table_name(name: &str) -> Result<&str, TableError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed);
    fits.then_some(name).ok_or_else(|| TableError::Name(name.to_owned()))
}

/// Checks that names of rules are distinct, and that for each name of a model at each time one rule comes
/// first.
fn each_is_one(rules: &[Rule]) -> Result<(), TableError> {
    let mut ids = std::collections::HashSet::new();
    if let Some(twice) = rules.iter().find(|rule| !ids.insert(&*rule.id)) {
        let reason = "id: another rule has it".to_owned();
        return Err(TableError::Rule { rule: twice.id.to_string(), reason });
    }
    let mut of_a_name: BTreeMap<_, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        let provider = rule.provider().map(|name| {
            Provider::of(name).map_or((name, ""), |provider| (provider.family, provider.door))
        });
        for (how, name) in rule.names.each() {
            of_a_name.entry((rule.org(), provider, how, name)).or_default().push(rule);
        }
    }
    for ((.., name), mut rules) in of_a_name {
        rules.dedup_by_key(|rule| &*rule.id);
        rules.sort_by_key(|rule| rule.dates.from);
        let pairs = rules.iter().zip(rules.iter().skip(1));
        let meet = |(one, other): &(&&Rule, &&Rule)| Dates::meet(one.dates, other.dates);
        if let Some((one, other)) = pairs.into_iter().find(meet) {
            let (one, other) = (one.id.to_string(), other.id.to_string());
            return Err(TableError::Overlap { one, other, name: name.to_owned() });
        }
    }
    Ok(())
}

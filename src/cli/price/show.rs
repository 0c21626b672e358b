//! `tokenlake price list`, `show` and `export`.

use clap::Args as ClapArgs;
use serde_json::json;
use serde_json::value::RawValue;

use crate::cli::key::{ListFormat, time};
use crate::cli::open;
use crate::cli::parse::{parse_at, parse_org};
use crate::cli::print::print_result;
use crate::clock::Micros;
use crate::event::OrgId;
use crate::price_book::InForce;
use crate::pricing::rule_json;
use crate::printable::printable;

/// Calls of one model.
#[derive(Debug, ClapArgs)]
pub struct RuleArgs {
    /// The provider, as events name it.
    #[arg(long, env = "TOKENLAKE_PROVIDER", value_name = "NAME")]
    pub provider: Option<String>,

    /// The model, as events name it.
    #[arg(long, env = "TOKENLAKE_MODEL", value_name = "NAME")]
    pub model: String,

    /// When: a time, as events have it, or a date. Default: now.
    #[arg(long, env = "TOKENLAKE_AT", value_name = "TIME", value_parser = parse_at)]
    pub at: Option<Micros>,

    /// The organisation, whose own prices come first. Default: nobody's own prices.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: Option<OrgId>,
}

impl RuleArgs {
    /// The organisation; no organisation has an empty name.
    pub(super) fn org(&self) -> &str {
        self.org.as_ref().map_or("", OrgId::as_str)
    }

    /// When the call is made.
    pub(super) fn at(&self) -> Micros {
        self.at.unwrap_or_else(|| open::clock().now())
    }
}

/// Prints the tables, those that decide first before others.
pub(super) fn list(in_force: &InForce, format: ListFormat) -> anyhow::Result<()> {
    let tables = in_force.prices().tables().iter().enumerate().map(|(at, table)| {
        let listed = in_force.listed(at);
        let taken = listed.map(|listed| listed.taken_us).or(table.taken()).map(time);
        let (version, imported) =
            listed.map(|listed| (listed.version, time(listed.imported_at_us))).unzip();
        (table, version, taken, imported)
    });
    if format == ListFormat::Json {
        let all = tables.map(|(table, version, taken, imported)| {
            json!({
                "table": table.name(), "org": table.org(), "version": version,
                "rules": table.rules().len(), "taken": taken, "imported_at": imported,
                "sources": table.sources(),
            })
        });
        print_result(&serde_json::to_string(&all.collect::<Vec<_>>())?);
        return Ok(());
    }
    print_result(&format!(
        "{:<32}  {:<24}  {:>7}  {:>6}  {:<20}  IMPORTED",
        "TABLE", "ORG", "VERSION", "RULES", "TAKEN"
    ));
    for (table, version, taken, imported) in tables {
        let version = version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        print_result(&format!(
            "{:<32}  {:<24}  {version:>7}  {:>6}  {:<20}  {}",
            table.name(),
            table.org().unwrap_or("-"),
            table.rules().len(),
            taken.as_deref().unwrap_or("-"),
            imported.as_deref().unwrap_or("built in"),
        ));
    }
    Ok(())
}

/// Prints the rule that decides.
pub(super) fn rule(in_force: &InForce, of: &RuleArgs, format: ListFormat) -> anyhow::Result<()> {
    let at = of.at();
    let rules = in_force.prices().rules(of.org(), of.provider.as_deref(), &of.model);
    let Some((table, rule)) = rules.into_iter().find(|(_, rule)| rule.holds(at)) else {
        let model = printable(&of.model).into_owned();
        anyhow::bail!("no rule is for {model} at {}; see: tokenlake price list", time(at));
    };
    match format {
        ListFormat::Table => {
            print_result(&format!("table {}", table.name()));
            print_result(&rule_json(rule));
        }
        ListFormat::Json => {
            let rule = RawValue::from_string(rule_json(rule))?;
            let shown = serde_json::to_string(&ShownRule { table: table.name(), rule: &rule })?;
            print_result(&shown);
        }
    }
    Ok(())
}

#[derive(serde::Serialize)]
struct ShownRule<'a> {
    table: &'a str,
    rule: &'a RawValue,
}

/// Prints the first table for an organisation, or for all.
pub(super) fn export(in_force: &InForce, org: Option<&OrgId>) -> anyhow::Result<()> {
    let org = org.map(OrgId::as_str);
    let mut tables = in_force.prices().tables().iter();
    let table = tables.find(|table| table.org() == org).ok_or_else(|| match org {
        Some(org) => anyhow::anyhow!("{org} has no table of its own; leave --org out"),
        None => {
            anyhow::anyhow!("no table is in force; import one with: tokenlake price import FILE")
        }
    })?;
    print_result(table.to_json().trim_end());
    Ok(())
}

//! The command `tokenlake price`.

mod import;
mod quote;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args as ClapArgs, Subcommand};

use self::quote::QuoteArgs;
use self::show::RuleArgs;
use super::key::ListFormat;
use super::open;
use super::parse::parse_org;
use super::price_choice::PriceChoice;
use crate::archive::{ArchiveLocation, Records};
use crate::event::OrgId;
use crate::price_book::{InForce, PriceTables};

/// What is done with prices.
#[derive(Debug, ClapArgs)]
pub struct PriceCommand {
    /// Which tables there are: those that were imported, with the built-in list prices under them;
    /// none; or imported ones alone.
    #[arg(
        long,
        global = true,
        env = "TOKENLAKE_PRICES",
        value_name = "TABLES",
        default_value = "builtin"
    )]
    pub prices: PriceChoice,

    /// What is done.
    #[command(subcommand)]
    pub action: PriceAction,
}

/// What is done with prices.
#[derive(Debug, Subcommand)]
pub enum PriceAction {
    /// Import a table into the archive, in place of the one before: our JSON (see docs/prices.md),
    /// genai-prices' JSON of version 2, or LiteLLM's. It is in force everywhere within 5 seconds, and
    /// changes nothing that is priced already.
    Import {
        /// The file; - is stdin.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The organisation that the table is for. Default: all.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: Option<OrgId>,
    },
    /// List the tables that are in force.
    List {
        /// The format of the list.
        #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Show the rule that prices a model.
    Show {
        /// Of which calls.
        #[command(flatten)]
        rule: RuleArgs,
        /// The format of the rule.
        #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Show what a call costs: the cost, the table and the rule; or why it has no price.
    Quote(Box<QuoteArgs>),
    /// Write the imported table as JSON, which import reads; the built-in one if none was imported.
    Export {
        /// The organisation whose own table is meant.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: Option<OrgId>,
    },
}

/// Imports, lists, shows, quotes or exports prices.
pub(super) async fn run(
    location: &ArchiveLocation,
    command: PriceCommand,
) -> anyhow::Result<ExitCode> {
    let in_force = async || in_force(location, command.prices.into()).await;
    match command.action {
        PriceAction::Import { file, org } => import::run(location, &file, org.as_ref()).await?,
        PriceAction::List { format } => show::list(&*in_force().await?, format)?,
        PriceAction::Show { rule, format } => show::rule(&*in_force().await?, &rule, format)?,
        PriceAction::Quote(call) => quote::run(&*in_force().await?, &call)?,
        PriceAction::Export { org } => show::export(&*in_force().await?, org.as_ref())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The tables that are in force in an archive. Where there is none, nothing was imported.
async fn in_force(location: &ArchiveLocation, tables: PriceTables) -> anyhow::Result<Arc<InForce>> {
    let is_absent = matches!(location, ArchiveLocation::Local(folder) if !folder.exists());
    if is_absent || tables == PriceTables::None {
        return Ok(tables.builtin()?.unwrap_or_default());
    }
    let records = Records::new(open::existing_store(location)?);
    match tables.book(records, open::clock())? {
        Some(book) => Ok(book.current().await?),
        None => Ok(Arc::default()),
    }
}

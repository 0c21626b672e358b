//! The command `tokenlake budget`.

mod list;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args as ClapArgs, Subcommand};

use self::list::print_list;
use super::key::ListFormat;
use super::open;
use super::parse::parse_org;
use super::print::{print_note, print_result};
use crate::archive::{ArchiveLocation, Records};
use crate::budget::{
    AllowedTarget, AllowedTargets, AskedBudget, Budget, BudgetError, BudgetName, BudgetPeriod,
    BudgetRecord, BudgetStore, Crossing, DecimalText, Definition, HttpWebhooks, Message, Spent,
    TryOutcome, WebhookKind, WebhookSecret, Webhooks as _,
};
use crate::event::OrgId;

/// Commands for budgets.
#[derive(Debug, Subcommand)]
pub enum BudgetCommand {
    /// Set a budget, and print the secret that signs its messages, alone, on stdout if it is a new
    /// one. It is shown only this once.
    Set(Box<SetArgs>),
    /// List budgets, and messages that could not be delivered; never secrets.
    List {
        /// The organisation. Default: all.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: Option<OrgId>,
        /// The format of the list.
        #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Remove a budget. What it has sent stays sent.
    Remove {
        /// The budget's name.
        name: BudgetName,
        /// The organisation.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: OrgId,
    },
    /// Print a further secret, alone, on stdout. For a day messages are signed with the one before as
    /// well.
    Rotate {
        /// The budget's name.
        name: BudgetName,
        /// The organisation.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: OrgId,
    },
    /// Send a test message, of the type budget.test, once; exit 1 unless it is taken.
    Test {
        /// The budget's name.
        name: BudgetName,
        /// The organisation.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: OrgId,
        /// What may be sent to.
        #[command(flatten)]
        allow: AllowArgs,
    },
}

/// What may be sent to.
#[derive(Debug, ClapArgs)]
pub struct AllowArgs {
    /// A host that may be sent to, as in serve; may be given several times. Default: none.
    #[arg(
        long,
        env = "TOKENLAKE_WEBHOOK_ALLOW",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    pub webhook_allow: Vec<AllowedTarget>,
}

/// A budget that is set.
#[derive(Debug, ClapArgs)]
pub struct SetArgs {
    /// The budget's name: 1 to 64 of A-Z a-z 0-9 _ . : - that begin with a letter or digit.
    pub name: BudgetName,
    /// The organisation.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: OrgId,
    /// How much may be spent in a period, in dollars.
    #[arg(long, env = "TOKENLAKE_AMOUNT", value_name = "USD")]
    pub amount: String,
    /// The period: rolling-24h, day, week (from Monday) or month.
    #[arg(long, env = "TOKENLAKE_PERIOD", value_name = "PERIOD")]
    pub period: BudgetPeriod,
    /// The zone whose clock decides where periods begin, by its IANA name. Default: UTC.
    #[arg(long, env = "TOKENLAKE_TIMEZONE", value_name = "ZONE")]
    pub timezone: Option<String>,
    /// The part of the organisation that counts, as team=core. Default: all of it.
    #[arg(long, env = "TOKENLAKE_DIMENSION", value_name = "NAME=VALUE")]
    pub dimension: Option<String>,
    /// The shares that are told when they are spent, in percent, separated by commas.
    #[arg(
        long,
        env = "TOKENLAKE_THRESHOLD",
        value_name = "PERCENT",
        value_delimiter = ',',
        required = true
    )]
    pub threshold: Vec<u32>,
    /// Whom to tell: an http or https URL whose host --webhook-allow names.
    #[arg(long, env = "TOKENLAKE_WEBHOOK", value_name = "URL")]
    pub webhook: String,
    /// What takes the messages: generic, slack, pagerduty or alertmanager.
    #[arg(long, env = "TOKENLAKE_KIND", value_name = "KIND", default_value_t)]
    pub kind: WebhookKind,
    /// PagerDuty's key, if it is not the user part of the URL.
    #[arg(long, env = "TOKENLAKE_ROUTING_KEY", value_name = "KEY")]
    pub routing_key: Option<String>,
    /// What may be sent to.
    #[command(flatten)]
    pub allow: AllowArgs,
}

/// Sets, lists, removes, rotates or tests.
pub(super) async fn run(
    location: &ArchiveLocation,
    command: BudgetCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        BudgetCommand::Set(args) => set(location, *args).await?,
        BudgetCommand::List { org, format } => {
            let store = store(location).await?;
            print_list(&store, org.as_ref(), format).await?;
        }
        BudgetCommand::Remove { name, org } => {
            store(location).await?.remove((&org, None), &name).await?;
            print_note(&format!("removed {name}; nothing more is sent for it"));
        }
        BudgetCommand::Rotate { name, org } => {
            print_result(rotated(location, &org, &name).await?.reveal());
        }
        BudgetCommand::Test { name, org, allow } => test(location, &org, &name, allow).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn store(location: &ArchiveLocation) -> anyhow::Result<BudgetStore> {
    Ok(BudgetStore::new(Records::new(open::existing_archive(location).await?)))
}

async fn set(location: &ArchiveLocation, args: SetArgs) -> anyhow::Result<()> {
    let allowed = AllowedTargets::new(args.allow.webhook_allow.clone());
    let (name, org, definition) = (args.name.clone(), args.org.clone(), args.definition()?);
    allowed.check(&definition.webhook).map_err(BudgetError::Target)?;
    let store = match &definition.dimension {
        None => open::store(location)?,
        Some(part) => {
            let archive = open::existing(location).await?;
            let snapshot = archive.newest().await?;
            let store = archive.store();
            archive.close().await;
            if snapshot.table().dimensions.named(&part.dimension).is_none() {
                return Err(BudgetError::Undeclared(part.dimension.to_string()).into());
            }
            store
        }
    };
    let records = Records::new(store);
    records.claim_org(&org).await?;
    let store = BudgetStore::new(records);
    let set = store.set((&org, None), &name, &definition, open::clock().now()).await?;
    match set.filter(|set| set.is_new).and_then(|set| set.record.budget) {
        Some(budget) => print_result(budget.secret.reveal()),
        None => print_note(&format!("{name} is set; its secret stays as it is")),
    }
    Ok(())
}

impl SetArgs {
    fn definition(self) -> Result<Definition, BudgetError> {
        Definition::read(&AskedBudget {
            amount: DecimalText(self.amount),
            period: self.period.name().to_owned(),
            timezone: self.timezone,
            dimension: self.dimension,
            thresholds: self.threshold,
            webhook: self.webhook,
            kind: Some(self.kind.name().to_owned()),
            routing_key: self.routing_key,
        })
    }
}

/// A further secret of a budget.
async fn rotated(
    location: &ArchiveLocation,
    org: &OrgId,
    name: &BudgetName,
) -> anyhow::Result<WebhookSecret> {
    let (now, unknown) = (open::clock().now(), || BudgetError::Unknown(name.to_string()));
    let rotated = |known: &BudgetRecord| known.rotated(now).ok_or_else(unknown).map(Some);
    let changed = store(location).await?.change(org.as_str(), name, rotated).await?;
    let budget = changed.and_then(|record| record.budget).ok_or_else(unknown)?;
    Ok(budget.secret)
}

async fn existing(
    location: &ArchiveLocation,
    org: &OrgId,
    name: &BudgetName,
) -> anyhow::Result<Budget> {
    let newest = store(location).await?.newest(org.as_str(), name).await?;
    Ok(newest.budget.ok_or_else(|| BudgetError::Unknown(name.to_string()))?)
}

async fn test(
    location: &ArchiveLocation,
    org: &OrgId,
    name: &BudgetName,
    allow: AllowArgs,
) -> anyhow::Result<()> {
    let budget = existing(location, org, name).await?;
    let clock = open::clock();
    let allowed = AllowedTargets::new(allow.webhook_allow);
    allowed.check(&budget.definition.webhook).map_err(BudgetError::Target)?;
    let now = clock.now();
    let definition = &budget.definition;
    let span = definition.period.span_of(definition.timezone, now);
    let spent = Spent { span, units: 0, version: 0 };
    let threshold = definition.thresholds.first().copied().unwrap_or_default();
    let sql = "SELECT 0 AS spent".to_owned();
    let example = Crossing::new((org.as_str(), name, &budget), (threshold, 0), &spent, sql, now);
    let message = Message::of_test(&example, definition);
    match HttpWebhooks::new(allowed, Arc::clone(&clock)).send(&budget, &message).await {
        TryOutcome::Taken => print_note("the webhook took the test"),
        TryOutcome::Gone => {
            return Err(BudgetError::Refused("HTTP status 410: it is gone".to_owned()).into());
        }
        TryOutcome::Failed { reason, .. } => return Err(BudgetError::Refused(reason).into()),
    }
    Ok(())
}

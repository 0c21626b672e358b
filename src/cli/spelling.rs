//! The check that a command asks about an organisation by the spelling of its name.

use super::args::Command;
use super::budget::BudgetCommand;
use super::export::ExportCommand;
use super::open;
use super::price::PriceAction;
use crate::archive::{ArchiveError, ArchiveLocation, Records};
use crate::error::Kind;
use crate::event::OrgId;

/// Checks the organisation that a command asks about. Under another spelling it would have no events,
/// no budgets and no prices of its own, and a month without them would pass for reconciled.
///
/// # Errors
/// The name is spelt otherwise; or Unavailable.
pub(super) async fn check(location: &ArchiveLocation, command: &Command) -> anyhow::Result<()> {
    let Some(org) = asked_about(command) else { return Ok(()) };
    // What else is wrong with an archive is told by the command.
    let Ok(store) = open::existing_store(location) else { return Ok(()) };
    match Records::new(store).spelling(&org.lowercase()).await {
        Ok(Some(existing)) if existing != org.as_str() => {
            Err(ArchiveError::OrgCase { asked: org.to_string(), existing }.into())
        }
        Err(error) if error.kind() == Kind::Unavailable => Err(error.into()),
        _ => Ok(()),
    }
}

/// The organisation of a command that claims no name.
fn asked_about(command: &Command) -> Option<&OrgId> {
    match command {
        Command::Usage(args) => Some(&args.org),
        Command::Sql(args) => args.org.as_ref(),
        Command::Reconcile(args) => args.org.as_ref(),
        Command::Export(ExportCommand::Focus(args)) => args.org.as_ref(),
        Command::Reprice(args) => args.org.as_ref(),
        Command::Budget(BudgetCommand::List { org, .. }) => org.as_ref(),
        Command::Budget(
            BudgetCommand::Remove { org, .. }
            | BudgetCommand::Rotate { org, .. }
            | BudgetCommand::Test { org, .. },
        ) => Some(org),
        Command::Price(command) => match &command.action {
            PriceAction::Show { rule, .. } => rule.org.as_ref(),
            PriceAction::Quote(call) => call.rule.org.as_ref(),
            PriceAction::Export { org } => org.as_ref(),
            PriceAction::Import { .. } | PriceAction::List { .. } => None,
        },
        _ => None,
    }
}

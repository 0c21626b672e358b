//! The command `tokenlake reconcile`.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;

use super::key::ListFormat;
use super::open;
use super::parse::{parse_month, parse_org};
use super::print::{print_note, written};
use super::sql::format::{OutputFormat, ResultWriter};
use crate::archive::{ArchiveLocation, Reports, Snapshot};
use crate::books::{
    Comparison, Month, ReconcileQuestion, Reconciled, Tolerance, comparison_rows, reconcile,
};
use crate::event::OrgId;
use crate::printable::counted;
use crate::sql::{Console, RowFormat};

/// What is compared.
#[derive(Debug, ClapArgs)]
pub struct ReconcileArgs {
    /// The month, in UTC: 2026-11.
    #[arg(long, env = "TOKENLAKE_MONTH", value_name = "MONTH", value_parser = parse_month)]
    pub month: Month,

    /// The organisation. Default: all together.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: Option<OrgId>,

    /// How much a figure may differ, as a percentage of the report's: 0.5%.
    #[arg(long, env = "TOKENLAKE_TOLERANCE", value_name = "PERCENT", default_value = "0%")]
    pub tolerance: Tolerance,

    /// The format of the rows.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
    pub format: ListFormat,
}

/// Prints what events say, what reports say, and the difference; exit status 1 if one is too large.
pub(super) async fn run(
    location: &ArchiveLocation,
    args: ReconcileArgs,
) -> anyhow::Result<ExitCode> {
    let archive = open::existing(location).await?;
    let (console, reports) = (Console::new(archive.store())?, Reports::new(archive.store()));
    let question = ReconcileQuestion { month: args.month, org: args.org };
    let compared = |snapshot: Arc<Snapshot>| {
        let (console, reports, question) = (&console, &reports, &question);
        async move { reconcile(console, &snapshot, reports, question).await }
    };
    let Reconciled { rows, providers, of_no_provider } =
        archive.at_newest(archive.newest().await?, compared).await?;
    print(&rows, args.format)?;
    if providers.is_empty() {
        print_note(&format!(
            "there is no report of {}; import one with: tokenlake report import",
            args.month
        ));
    }
    if of_no_provider > 0 {
        let calls = counted(of_no_provider, "call");
        print_note(&format!("left out, since no provider is told: {calls}"));
    }
    let far = rows.iter().filter(|row| row.exceeds(args.tolerance)).count();
    if far == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let differ = if far == 1 { "differs" } else { "differ" };
    let all = counted(rows.len(), "row");
    print_note(&format!("{far} of {all} {differ} by more than is tolerated"));
    Ok(ExitCode::FAILURE)
}

fn print(rows: &[Comparison], format: ListFormat) -> anyhow::Result<()> {
    let (format, is_table) = match format {
        ListFormat::Table => (OutputFormat::Table, true),
        ListFormat::Json => (OutputFormat::Rows(RowFormat::Json), false),
    };
    let rows = comparison_rows(rows, is_table)?;
    let mut writer = ResultWriter::new(format, rows.schema(), None);
    let mut out = BufWriter::new(io::stdout());
    let printed = (|| {
        writer.begin(&mut out)?;
        writer.rows(&mut out, &rows)?;
        writer.end(&mut out)?;
        out.flush()
    })();
    written(printed)
}

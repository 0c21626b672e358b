//! The command `tokenlake report`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValue;
use clap::{Subcommand, ValueEnum};

use super::parse::parse_org;
use super::print::{print_note, print_result};
use super::{input, open};
use crate::archive::{ArchiveLocation, ImportedRows, Reports};
use crate::event::OrgId;
use crate::printable::counted;
use crate::reports::{self, ReadReport, ReportFormat};

/// The largest file read: ask for fewer buckets in one.
const FILE_BYTES_MAX: u64 = 128 << 20;

/// What is done with reports.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Import pages of a provider's usage or cost API into the table provider_reports. A bucket and
    /// group that is there already is replaced; nothing is added to events. All files or none.
    Import {
        /// Which API the pages are from.
        #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT")]
        format: ReportFormat,
        /// The organisation whose usage is reported.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: OrgId,
        /// The files, each with a page or several; - is stdin.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

impl ValueEnum for ReportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::OpenaiUsage => "OpenAI, /v1/organization/usage/completions and its like",
            Self::OpenaiCosts => "OpenAI, /v1/organization/costs",
            Self::AnthropicUsage => "Anthropic, /v1/organizations/usage_report/messages",
            Self::AnthropicCosts => "Anthropic, /v1/organizations/cost_report",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

/// Imports reports.
pub(super) async fn run(
    location: &ArchiveLocation,
    command: ReportCommand,
) -> anyhow::Result<ExitCode> {
    let ReportCommand::Import { format, org, files } = command;
    let mut report = ReadReport::default();
    for file in &files {
        let shown = input::shown(file);
        let advice = "; ask for fewer buckets in a page";
        let bytes = input::read(file, FILE_BYTES_MAX, advice);
        let bytes = bytes.map_err(|error| anyhow::anyhow!("cannot read {shown}: {error}"))?;
        reports::read(&mut report, format, &bytes)
            .map_err(|error| anyhow::anyhow!("cannot import {shown}: {error}"))?;
    }
    let reports = Reports::new(open::existing_archive(location).await?);
    let now = open::clock().now();
    let imported = reports.import(&org, &format.report(), &report.dates, now).await;
    let imported = imported.map_err(|error| anyhow::anyhow!("cannot import: {error}"))?;
    if report.left_out > 0 {
        let results = counted(report.left_out, "result");
        print_note(&format!("left out, as no call of a model: {results}"));
    }
    if report.has_more {
        print_note("the last page says that there are more; import those, too");
    }
    let ImportedRows { new, replaced, unchanged } = imported;
    print_result(&format!(
        "imported {} of {org}: {} of {}; {new} new, {replaced} replaced, {unchanged} unchanged",
        format.name(),
        counted(new + replaced + unchanged, "row"),
        counted(report.dates_with_rows(), "day"),
    ));
    Ok(ExitCode::SUCCESS)
}

//! The command `tokenlake usage`.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use clap::Args as ClapArgs;

use super::open;
use super::parse::parse_org;
use super::print::written;
use super::sql::format::{OutputFormat, ResultWriter};
use crate::archive::{ArchiveError, ArchiveLocation, OfObject, Snapshot};
use crate::event::{OrgId, money};
use crate::rollup::Rollup;
use crate::sql::{Engine, SqlError};
use crate::telemetry::Telemetry;
use crate::usage::{
    AskedUsage, UsageError, UsageQuestion, UsageRows, UsageStep, WhoseUsage, Zone, check_instant,
};

/// Memory for sums of files and dates.
const CACHE_BYTES_MAX: usize = 64 << 20;
/// The most rows of a table on a terminal.
const TERMINAL_ROWS_MAX: u64 = 200;
/// Digits of a sum.
const DIGITS: u8 = 38;

/// A question about usage.
#[derive(Debug, ClapArgs)]
pub struct UsageArgs {
    /// The organisation.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: OrgId,

    /// The first instant: a date, which is its midnight in --timezone, or a time with an offset.
    /// Default: 30 days before --to.
    #[arg(long, env = "TOKENLAKE_FROM", value_name = "TIME", value_parser = parse_instant)]
    pub from: Option<String>,

    /// The first instant that is left out. Default: now.
    #[arg(long, env = "TOKENLAKE_TO", value_name = "TIME", value_parser = parse_instant)]
    pub to: Option<String>,

    /// What a row is of: total, hour, day, week or month.
    #[arg(long, env = "TOKENLAKE_STEP", value_name = "STEP", default_value_t)]
    pub step: UsageStep,

    /// The zone whose clock decides where steps begin, by its IANA name.
    #[arg(long, env = "TOKENLAKE_TIMEZONE", value_name = "ZONE", default_value_t)]
    pub timezone: Zone,

    /// What rows are told apart by, separated by commas: provider, model, and a dimension.
    #[arg(long, env = "TOKENLAKE_GROUP_BY", value_name = "GROUPS")]
    pub group_by: Option<String>,

    /// The format of the rows.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
    pub format: OutputFormat,
}

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Asked(#[from] UsageError),
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl OfObject for Failure {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Asked(_) => None,
            Self::Sql(error) => error.object(),
            Self::Archive(error) => error.object(),
        }
    }
}

/// Prints the usage of an organisation.
pub(super) async fn run(location: &ArchiveLocation, args: UsageArgs) -> anyhow::Result<ExitCode> {
    let question = UsageQuestion::read(args.asked(), open::clock().now())?;
    let archive = open::existing(location).await?;
    let engine = Arc::new(Engine::new(archive.store())?);
    let rollup = Arc::new(Rollup::new(engine, None, CACHE_BYTES_MAX, Telemetry::new()));
    let whose = WhoseUsage { org_id: args.org, part: None };
    let begin = |snapshot: Arc<Snapshot>| {
        let rows = UsageRows::new(rollup.clone(), snapshot, &whose, question.clone());
        async move {
            let mut rows = rows?;
            let first = rows.next().await?;
            Ok::<_, Failure>((rows, first))
        }
    };
    let (rows, first) = archive.at_newest(archive.newest().await?, begin).await?;
    match print(rows, first, args.format).await.map_err(anyhow::Error::downcast::<io::Error>) {
        Ok(()) => {}
        Err(Ok(error)) => written(Err(error))?,
        Err(Err(error)) => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}

async fn print(
    mut rows: UsageRows,
    first: Option<RecordBatch>,
    format: OutputFormat,
) -> anyhow::Result<()> {
    let (stdout, mut next) = (io::stdout(), first);
    let rows_max = stdout.is_terminal().then_some(TERMINAL_ROWS_MAX);
    let shown = |rows: RecordBatch| match format {
        OutputFormat::Table => with_numbers(&rows),
        OutputFormat::Rows(_) => Ok(rows),
    };
    let schema = shown(RecordBatch::new_empty(rows.schema().clone()))?.schema();
    let mut out = BufWriter::new(stdout);
    let mut writer = ResultWriter::new(format, schema, rows_max);
    writer.begin(&mut out)?;
    while let Some(batch) = next {
        writer.rows(&mut out, &shown(batch)?)?;
        next = rows.next().await?;
    }
    writer.end(&mut out)?;
    Ok(out.flush()?)
}

/// The rows with sums as numbers, which a table shows flush right.
fn with_numbers(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let fields = rows.schema_ref().fields().iter().zip(rows.columns());
    let columns = fields.map(|(field, column)| {
        let kind = match field.name().as_str() {
            "cost_usd" => DataType::Decimal128(DIGITS, money::PLACES),
            name if name.ends_with("_tokens") && !field.is_nullable() => {
                DataType::Decimal128(DIGITS, 0)
            }
            _ => column.data_type().clone(),
        };
        let field = Field::new(field.name(), kind.clone(), field.is_nullable());
        Ok::<_, ArrowError>((field, cast(column, &kind)?))
    });
    let (fields, columns): (Vec<_>, Vec<_>) =
        columns.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

impl UsageArgs {
    fn asked(&self) -> AskedUsage<'_> {
        AskedUsage {
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            step: Some(self.step.name()),
            timezone: Some(self.timezone.name()),
            group_by: self.group_by.as_deref(),
        }
    }
}

fn parse_instant(text: &str) -> Result<String, UsageError> {
    check_instant("--from or --to", text).map(|()| text.to_owned())
}

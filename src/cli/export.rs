//! The command `tokenlake export`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::PossibleValue;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::open;
use super::parse::{parse_month, parse_org};
use super::print::print_note;
use crate::archive::{ArchiveLocation, Records, Snapshot};
use crate::books::{BooksError, FocusFormat, FocusQuestion, Month, export_focus};
use crate::event::OrgId;
use crate::new_file::NewFile;
use crate::price_book::PriceTables;
use crate::printable::counted;
use crate::sql::Engine;

/// What is exported.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// The charges of a month in the form of FOCUS 1.2: a row for each day, organisation, provider,
    /// model and kind of tokens.
    Focus(FocusArgs),
}

/// Charges.
#[derive(Debug, ClapArgs)]
pub struct FocusArgs {
    /// The billing period, in UTC: 2026-11.
    #[arg(long, env = "TOKENLAKE_MONTH", value_name = "MONTH", value_parser = parse_month)]
    pub month: Month,

    /// The organisation. Default: all, each in rows of its own.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: Option<OrgId>,

    /// A dimension whose values have rows of their own, with the column Tags.
    #[arg(long, env = "TOKENLAKE_DIMENSION", value_name = "NAME")]
    pub dimension: Option<String>,

    /// The format of the file.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT")]
    pub format: FocusFormat,

    /// The file. An existing one is replaced once the new one is whole.
    #[arg(short = 'o', long, env = "TOKENLAKE_OUTPUT", value_name = "FILE")]
    pub output: PathBuf,
}

impl ValueEnum for FocusFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Csv, Self::Parquet]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Csv => PossibleValue::new("csv").help("Comma-separated, with a head"),
            Self::Parquet => PossibleValue::new("parquet").help("Parquet"),
        })
    }
}

/// Writes the file.
pub(super) async fn run(
    location: &ArchiveLocation,
    command: ExportCommand,
) -> anyhow::Result<ExitCode> {
    let ExportCommand::Focus(args) = command;
    let FocusArgs { month, org, dimension, format, output } = args;
    open::refuse_in_archive(location, &output, "--output")?;
    let archive = open::existing(location).await?;
    let engine = Engine::new(archive.store())?;
    let book = PriceTables::Builtin.book(Records::new(archive.store()), open::clock())?;
    let in_force = match book {
        Some(book) => book.current().await?,
        None => Arc::default(),
    };
    let question = FocusQuestion { month, org, dimension, format };
    let written = |snapshot: Arc<Snapshot>| {
        let (engine, question, output) = (&engine, &question, output.as_path());
        let prices = in_force.prices();
        async move {
            let file = NewFile::create(output)?;
            export_focus(engine, &snapshot, prices, question, file).await
        }
    };
    let written = archive.at_newest(archive.newest().await?, written).await;
    let (count, mut file) = written.map_err(|error| told(error, &output))?;
    file.keep().map_err(|error| told(error.into(), &output))?;
    let count = counted(count, "charge");
    print_note(&format!("wrote {count} of {month} to {}", output.display()));
    Ok(ExitCode::SUCCESS)
}

/// The error, with the file if that is what cannot be written.
fn told(error: BooksError, output: &Path) -> anyhow::Error {
    let reason = match error {
        BooksError::Write(error) => error.to_string(),
        BooksError::Parquet(error) => error.to_string(),
        error => return error.into(),
    };
    anyhow::anyhow!("cannot write {}: {reason}; choose another --output", output.display())
}

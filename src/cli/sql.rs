//! `tokenlake sql`: questions from the command line, a file, stdin, or people at a terminal.

mod editor;
mod format;
mod help;
mod session;
mod shell;
mod split;
mod table;

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;

use self::session::Session;
use super::args::{SqlArgs, SqlFormat};
use super::open;
use crate::archive::ArchiveLocation;

/// Rows of a table on a terminal.
const TERMINAL_ROWS_MAX: u64 = 200;

/// Answers what is asked; exit status 1 if a query fails.
pub(super) async fn run(location: &ArchiveLocation, args: SqlArgs) -> anyhow::Result<ExitCode> {
    let asked = !args.command.is_empty() || args.file.is_some() || !std::io::stdin().is_terminal();
    let text = if asked { Some(text(&args)?) } else { None };
    let archive = open::existing(location).await?;
    let format = args.format.or_else(|| by_ending(args.output.as_deref()?));
    let org = args.org.map(|org| org.as_str().to_owned());
    let mut session = Session::new(archive, org, format.unwrap_or(SqlFormat::Table))?;
    session.write_to(args.output.as_deref())?;
    match text {
        Some(text) => session.run_all(&text).await?,
        None => return shell::run(session).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The statements that are asked.
fn text(args: &SqlArgs) -> anyhow::Result<String> {
    if !args.command.is_empty() {
        return Ok(args.command.join(";\n"));
    }
    let mut text = String::new();
    match args.file.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => {
            text = std::fs::read_to_string(file).map_err(|error| {
                anyhow::anyhow!("cannot read {}: {error}; choose another --file", file.display())
            })?;
        }
        None => {
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                anyhow::anyhow!("cannot read stdin: {error}; send SQL as UTF-8 text")
            })?;
        }
    }
    Ok(text)
}

fn by_ending(file: &Path) -> Option<SqlFormat> {
    match file.extension()?.to_str()?.to_lowercase().as_str() {
        "csv" => Some(SqlFormat::Csv),
        "tsv" => Some(SqlFormat::Tsv),
        "json" => Some(SqlFormat::Json),
        "ndjson" | "jsonl" => Some(SqlFormat::Ndjson),
        _ => None,
    }
}

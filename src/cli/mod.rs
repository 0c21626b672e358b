//! The command line: parse, call, print. Results go to stdout, everything else to stderr.

mod args;
mod backfill;
mod budget;
mod compact;
mod completions;
mod demo;
mod dimension;
mod doctor;
mod expire;
mod export;
mod fail_stop;
mod generate;
mod healthcheck;
mod huge_pages;
mod input;
mod jwt;
mod key;
mod listen;
mod logging;
mod man;
pub mod memory;
mod open;
mod open_files;
mod parse;
mod pg_args;
mod price;
mod price_choice;
mod print;
mod reconcile;
#[cfg(test)]
mod reference_tests;
mod repair;
mod report;
mod reprice;
mod serve;
mod serve_args;
mod settings;
mod signals;
mod spelling;
mod sql;
mod sql_node;
mod sql_worker;
mod switches;
mod tls;
pub mod units;
mod usage;
mod verify;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use self::args::{Args, Command, EntryPoint};
use self::print::{check_written, print_error, print_note};
use self::switches::with_switches;
use crate::archive::ArchiveLocation;
use crate::processors;

/// How long blocking threads may take once everything else is done.
const SHUTDOWN_MAX: Duration = Duration::from_secs(2);
/// Threads of a backfill that read, write and wait, in addition to those that compute.
const BLOCKING_THREADS: usize = 4;

/// Parses the command line, runs the command and returns the exit status: 0 done, 1 failed, 2 wrong
/// usage, 130 or 143 ended by SIGINT or SIGTERM.
pub fn main() -> ExitCode {
    let refused = huge_pages::are_refused();
    huge_pages::avoid();
    let args = match parse() {
        Ok(args) => args,
        Err(error) => return wrong_usage(&error),
    };
    if !refused && !args.entry.is_short() {
        huge_pages::allow();
    }
    let done = match args.entry {
        EntryPoint::SqlWorker(limits) => Ok(sql_worker::run(&args.archive, limits)),
        EntryPoint::Command(command) => {
            logging::start(args.log_format).and_then(|()| start(&args.archive, command))
        }
    };
    match done.and_then(|code| check_written().map(|()| code)) {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Args, clap::Error> {
    let mut program = with_switches(Args::command());
    let matches = program.try_get_matches_from_mut(std::env::args_os())?;
    Args::from_arg_matches(&matches).map_err(|error| error.format(&mut program))
}

fn start(archive: &ArchiveLocation, command: Command) -> anyhow::Result<ExitCode> {
    signals::catch()?;
    let runtime = runtime(&command)?;
    let reads_stdin = matches!(command, Command::Backfill(_));
    let done = runtime.block_on(run(archive, command));
    if reads_stdin {
        // A thread may wait for input on stdin that never comes.
        runtime.shutdown_background();
    } else {
        // All important work is done.
        runtime.shutdown_timeout(SHUTDOWN_MAX);
    }
    done
}

fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Command::Backfill(_) = command {
        // Each thread that decodes or encodes keeps memory for later use.
        builder.max_blocking_threads(BLOCKING_THREADS + 2 * processors::count());
    }
    builder.enable_all().build()
}

async fn run(archive: &ArchiveLocation, command: Command) -> anyhow::Result<ExitCode> {
    spelling::check(archive, &command).await?;
    match command {
        Command::Serve(command) => serve::run(archive, *command).await,
        Command::Demo(command) => demo::run(archive, *command).await,
        Command::Key(command) => key::run(archive, command).await,
        Command::Dimension(command) => dimension::run(archive, command).await,
        Command::Budget(command) => budget::run(archive, command).await,
        Command::Price(command) => Box::pin(price::run(archive, command)).await,
        Command::Report(command) => Box::pin(report::run(archive, command)).await,
        Command::Reconcile(command) => Box::pin(reconcile::run(archive, command)).await,
        Command::Export(command) => Box::pin(export::run(archive, command)).await,
        Command::Backfill(command) => backfill::run(archive, command).await,
        Command::Reprice(command) => Box::pin(reprice::run(archive, *command)).await,
        Command::Compact(command) => compact::run(archive, command).await,
        Command::Expire(command) => expire::run(archive, command).await,
        Command::Repair(command) => repair::run(archive, command).await,
        Command::Verify(command) => verify::run(archive, command).await,
        Command::Healthcheck(command) => healthcheck::run(command),
        Command::Doctor(command) => doctor::run(archive, command).await,
        // Boxed because it is large.
        Command::Sql(command) => Box::pin(sql::run(archive, command)).await,
        Command::SqlNode(command) => Box::pin(sql_node::run(archive, command)).await,
        Command::Usage(command) => Box::pin(usage::run(archive, command)).await,
        Command::Completions(command) => completions::run(&command, &Args::command()),
        Command::Man(command) => man::run(&command, Args::command()),
        Command::Generate(command) => generate::run(archive, command).await,
    }
}

/// Prints help and version as clap does, and wrong usage in one line, like every error.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    let help = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || error.kind() == help {
        error.exit();
    }
    let mut message = String::new();
    for line in error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()) {
        let separator = match message.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        message = message + separator + line;
    }
    print_note(&message);
    ExitCode::from(2)
}

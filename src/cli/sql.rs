//! The command `tokenlake sql`: queries from the command line, a file, stdin, or a terminal.

mod editor;
pub(super) mod format;
mod help;
mod session;
mod shell;
mod table;

use std::fs::{File, Metadata};
use std::io::{Error, IsTerminal as _, Read};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;

use self::format::OutputFormat;
use self::session::Session;
use super::parse::parse_org;
use super::print::print_error;
use super::sql_node::{self, NodeTrustArgs};
use super::{fail_stop, open};
use crate::archive::ArchiveLocation;
use crate::event::OrgId;
use crate::new_file::{file_id, stream_about};
use crate::sql::{NodeUrl, Nodes, RowFormat};

/// The largest text of statements; no real one is as large.
const TEXT_BYTES_MAX: u64 = 16 << 20;

/// Queries, and the form of their results.
#[derive(Debug, ClapArgs)]
pub struct SqlArgs {
    /// Statements to run, separated by `;`. May be given more than once.
    #[arg(short = 'c', long, env = "TOKENLAKE_COMMAND", value_name = "QUERY")]
    pub command: Vec<String>,

    /// A file of statements, not a pipe; `-` is stdin, which is also read if it is not a terminal.
    #[arg(
        short = 'f',
        long,
        env = "TOKENLAKE_FILE",
        value_name = "FILE",
        conflicts_with = "command"
    )]
    pub file: Option<PathBuf>,

    /// The format of results. Default: by the ending of --output, otherwise table.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT")]
    pub format: Option<OutputFormat>,

    /// A file for results instead of stdout. An existing file is replaced once the results are
    /// complete.
    #[arg(short = 'o', long, env = "TOKENLAKE_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Show the rows of this organisation only.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: Option<OrgId>,

    /// Spread queries that need rows over these nodes, which run `tokenlake sql-node` on the same archive.
    #[arg(
        long,
        env = "TOKENLAKE_NODES",
        value_name = "URL,…",
        value_delimiter = ',',
        value_parser = NodeUrl::parse,
        requires = "node_token_file"
    )]
    pub nodes: Vec<NodeUrl>,

    /// A file with the secret of the nodes: their --token-file.
    #[arg(long, env = "TOKENLAKE_NODE_TOKEN_FILE", value_name = "FILE")]
    pub node_token_file: Option<PathBuf>,

    #[command(flatten)]
    pub trust: NodeTrustArgs,
}

/// Runs the given queries, or the shell; exit status 1 if a query fails.
pub(super) async fn run(location: &ArchiveLocation, args: SqlArgs) -> anyhow::Result<ExitCode> {
    let asked = !args.command.is_empty() || args.file.is_some() || !std::io::stdin().is_terminal();
    if let Some(output) = &args.output {
        refuse_input(&args, output)?;
    }
    let text = if asked { Some(text(&args)?) } else { None };
    let nodes = match nodes(&args)? {
        SomeNodes::Of(nodes) => nodes,
        SomeNodes::WrongUsage => return Ok(ExitCode::from(2)),
    };
    let archive = open::existing(location).await?;
    let format = args.format.or_else(|| by_ending(args.output.as_deref()?));
    let org = args.org.map(|org| org.as_str().to_owned());
    let mut session =
        Session::new(archive, location.clone(), org, format.unwrap_or(OutputFormat::Table))?;
    if let Some(nodes) = nodes {
        fail_stop::on_panic();
        session.spread_over(nodes).await?;
    }
    session.write_to(args.output.as_deref())?;
    match text {
        Some(text) => {
            session.run_all(&text).await?;
            session.keep()?;
        }
        None => return Box::pin(shell::run(session)).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The nodes of a command line.
enum SomeNodes {
    Of(Option<Nodes>),
    /// What is wrong has been said.
    WrongUsage,
}

fn nodes(args: &SqlArgs) -> anyhow::Result<SomeNodes> {
    let Some(file) = args.node_token_file.as_deref().filter(|_| !args.nodes.is_empty()) else {
        return Ok(SomeNodes::Of(None));
    };
    let Some(secret) = sql_node::secret(file, "--node-token-file")? else {
        return Ok(SomeNodes::WrongUsage);
    };
    let trust = args.trust.open()?;
    let refused = args.nodes.iter().find_map(|node| trust.check(node).err());
    if let Some(reason) = refused {
        print_error(&anyhow::Error::msg(reason));
        return Ok(SomeNodes::WrongUsage);
    }
    Ok(SomeNodes::Of(Some(Nodes::new(args.nodes.clone(), secret, trust)?)))
}

/// Checks that results do not overwrite the file of statements.
fn refuse_input(args: &SqlArgs, output: &Path) -> anyhow::Result<()> {
    let about = |path: &Path| path.metadata().ok().filter(Metadata::is_file);
    let stdin = || stream_about(std::io::stdin().as_fd()).filter(Metadata::is_file);
    let input = match args.file.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => about(file),
        None if args.command.is_empty() => stdin(),
        None => None,
    };
    let output_id = about(output).map(|about| file_id(&about));
    anyhow::ensure!(
        output_id.is_none() || input.map(|about| file_id(&about)) != output_id,
        "{} has the statements, and --output would write over it; choose another --output",
        output.display()
    );
    Ok(())
}

/// The statements to run.
fn text(args: &SqlArgs) -> anyhow::Result<String> {
    if !args.command.is_empty() {
        return Ok(args.command.join(";\n"));
    }
    match args.file.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let name = file.display();
            let read = open_regular(file).and_then(read_text);
            read.map_err(|error| {
                anyhow::anyhow!("cannot read {name}: {error}; choose another --file")
            })
        }
        None => read_text(std::io::stdin())
            .map_err(|error| anyhow::anyhow!("cannot read stdin: {error}; send SQL as UTF-8 text")),
    }
}

/// Opens a regular file; opening or reading any other might never end.
fn open_regular(file: &Path) -> std::io::Result<File> {
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is not a file; to read a pipe, use --file - and stdin"));
    }
    File::open(file)
}

fn read_text(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(Error::other("it is larger than 16 MiB"));
    }
    Ok(text)
}

fn by_ending(file: &Path) -> Option<OutputFormat> {
    let ending = file.extension()?.to_str()?.to_lowercase();
    RowFormat::of_ending(&ending).map(OutputFormat::Rows)
}

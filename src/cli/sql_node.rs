//! The command `tokenlake sql-node`, and the flags by which coordinators and nodes trust each other.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use tokio_util::sync::CancellationToken;

use super::listen::ListenAddr;
use super::print::{print_error, print_note};
use super::tls::TlsArgs;
use super::units::{ByteSize, parse_size};
use super::{fail_stop, open, signals};
use crate::archive::{Archive, ArchiveLocation};
use crate::http::{Listener, Scheme};
use crate::sql::{NodeEngine, NodeSecret, NodeTrust, QueryBounds};
use crate::{node, processors, small_file};

/// The address of a node by default.
const NODE_LISTEN: &str = "127.0.0.1:9799";
/// Memory for rows by default.
const MEMORY_BYTES: u64 = 1 << 30;

/// A node.
#[derive(Debug, ClapArgs)]
pub struct SqlNodeArgs {
    /// The address to listen on. Beyond this machine it needs --tls-cert, or --node-insecure.
    #[arg(long, env = "TOKENLAKE_LISTEN", value_name = "ADDR", default_value = NODE_LISTEN)]
    pub listen: ListenAddr,

    /// A file with the secret that coordinators and nodes share: 16 bytes or more.
    #[arg(long, env = "TOKENLAKE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: PathBuf,

    /// Memory for the rows that all queries hold; a query that needs more ends with an error.
    #[arg(long, env = "TOKENLAKE_MEMORY", value_name = "SIZE", default_value_t = ByteSize(MEMORY_BYTES), value_parser = parse_size)]
    pub memory: ByteSize,

    #[command(flatten)]
    pub trust: NodeTrustArgs,

    #[command(flatten)]
    pub tls: TlsArgs,
}

/// Whom a process trusts as a node.
#[derive(Debug, ClapArgs)]
pub struct NodeTrustArgs {
    /// CA certificates for nodes, as PEM. Default: those that the system trusts.
    #[arg(long, env = "TOKENLAKE_NODE_CA", value_name = "FILE")]
    pub node_ca: Option<PathBuf>,

    /// Let the token and rows go over a network in the clear.
    #[arg(long, env = "TOKENLAKE_NODE_INSECURE")]
    pub node_insecure: bool,
}

impl NodeTrustArgs {
    /// Reads the certificates.
    ///
    /// # Errors
    /// If the file is wrong.
    pub(super) fn open(&self) -> anyhow::Result<NodeTrust> {
        let ca = self.node_ca.as_deref();
        let text = ca.map(small_file::read).transpose()?;
        let trust = NodeTrust::new(text.as_deref(), self.node_insecure);
        trust.map_err(|error| match ca {
            Some(ca) => {
                anyhow::anyhow!("{} cannot be used: {error}; it is for --node-ca", ca.display())
            }
            None => anyhow::anyhow!("TLS cannot be used: {error}; set --node-ca"),
        })
    }
}

/// Reads a secret; `None` if it is none, which is said and is wrong usage.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn secret(file: &Path, flag: &str) -> anyhow::Result<Option<NodeSecret>> {
    let text = small_file::read(file)?;
    match NodeSecret::parse(&text) {
        Ok(secret) => Ok(Some(secret)),
        Err(error) => {
            let error = anyhow::anyhow!("{flag} {} holds no token: {error}", file.display());
            print_error(&error);
            Ok(None)
        }
    }
}

/// Opens the archive and runs shares of queries until a signal comes.
pub(super) async fn run(location: &ArchiveLocation, args: SqlNodeArgs) -> anyhow::Result<ExitCode> {
    fail_stop::on_panic();
    signals::end_well();
    let Some(secret) = secret(&args.token_file, "--token-file")? else {
        return Ok(ExitCode::from(2));
    };
    if args.tls.tls_client_ca.is_some() {
        print_error(&anyhow::anyhow!(
            "--tls-client-ca would keep all coordinators and nodes out, which show no certificate; leave \
             it out, since --token-file says who may ask"
        ));
        return Ok(ExitCode::from(2));
    }
    let listener = listen(&args).await?;
    let trust = args.trust.open()?;
    let store = open::existing_archive(location).await?;
    let exists = Archive::exists(store.clone(), open::clock()).await?;
    anyhow::ensure!(
        exists,
        "there is no table at {location} yet; send events first, with: tokenlake serve"
    );
    let bounds = QueryBounds {
        memory_bytes: usize::try_from(args.memory.0).unwrap_or(usize::MAX),
        partitions: processors::count(),
    };
    let engine = Arc::new(NodeEngine::new(store, secret, trust, bounds)?);
    let (url, stop) = (listener.url()?, CancellationToken::new());
    let server = tokio::spawn(node::serve(listener, engine, stop.clone()));
    let stopped = signals::told();
    print_note(&format!("listening on {url}"));
    stopped.await;
    tracing::info!("stopping: queries under way may end");
    stop.cancel();
    server.await?;
    Ok(ExitCode::SUCCESS)
}

async fn listen(args: &SqlNodeArgs) -> anyhow::Result<Listener> {
    let tcp = args.listen.bind().await.map_err(|error| {
        anyhow::anyhow!("cannot listen on {}: {error}; choose another --listen", args.listen)
    })?;
    let is_local = tcp.local_addr()?.ip().is_loopback();
    let listener = Listener::new(tcp, args.tls.open()?);
    anyhow::ensure!(
        is_local || listener.scheme() == Scheme::Https || args.trust.node_insecure,
        "--listen {} is reached from other machines, and the token and rows would be in the clear; \
         set --tls-cert and --tls-key, or take the risk with --node-insecure",
        args.listen
    );
    Ok(listener)
}

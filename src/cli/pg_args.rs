//! The flags of a server for PostgreSQL's protocol.

use std::net::SocketAddr;

use clap::Args as ClapArgs;
use tokio::net::TcpListener;

use super::listen::ListenAddr;
use super::parse::parse_count;
use crate::pg::PgSettings;
use crate::tls::Tls;

/// PostgreSQL's protocol.
#[derive(Debug, ClapArgs)]
pub struct PgArgs {
    /// Address for PostgreSQL's protocol, such as 127.0.0.1:5432, for psql and BI tools. The password
    /// is an access key or JWT with sql:read; TLS is that of --tls-cert. Default: it is not served.
    #[arg(long, env = "TOKENLAKE_PG_LISTEN", value_name = "ADDR")]
    pub pg_listen: Option<ListenAddr>,

    /// Let clients on other machines send their keys without TLS, if there is no --tls-cert.
    #[arg(long, env = "TOKENLAKE_PG_INSECURE")]
    pub pg_insecure: bool,

    /// How many connections of PostgreSQL's protocol there may be; one organisation may have three
    /// quarters of them. More are refused.
    #[arg(long, env = "TOKENLAKE_PG_MAX_CONNECTIONS", value_name = "N", default_value = "100", value_parser = parse_count)]
    pub pg_max_connections: usize,
}

impl PgArgs {
    /// Binds the address, if there is one.
    ///
    /// # Errors
    /// If it cannot be bound, or keys would be sent in the clear.
    pub(super) async fn bind(
        &self,
        tls: Option<Tls>,
    ) -> anyhow::Result<Option<(TcpListener, PgSettings)>> {
        let Some(address) = &self.pg_listen else { return Ok(None) };
        let bound = address.bind().await.map_err(|error| {
            anyhow::anyhow!("cannot listen on {address}: {error}; choose another --pg-listen")
        })?;
        let is_open = !is_loopback(bound.local_addr()?);
        anyhow::ensure!(
            tls.is_some() || self.pg_insecure || !is_open,
            "--pg-listen {address} is reached from other machines, and keys would be sent in the \
             clear; give --tls-cert, or --pg-insecure if the network is trusted"
        );
        let (insecure, connections_max) = (self.pg_insecure, self.pg_max_connections);
        Ok(Some((bound, PgSettings { tls, insecure, connections_max })))
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

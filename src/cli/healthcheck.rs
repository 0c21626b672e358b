//! The command `tokenlake healthcheck`.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::listen::{LISTEN, ListenAddr};

/// The time for each step, short because a container's health is checked every few seconds.
const WAIT: Duration = Duration::from_secs(2);
/// More bytes than the head of the expected answer has.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// The server to ask.
#[derive(Debug, Clone, ClapArgs)]
pub struct HealthcheckArgs {
    /// The server's address; it must not use TLS.
    #[arg(long, env = "TOKENLAKE_LISTEN", value_name = "ADDR", default_value = LISTEN)]
    pub listen: ListenAddr,

    /// The server's address for its own metrics, which never uses TLS. If given, it is asked
    /// instead.
    #[arg(long, env = "TOKENLAKE_ADMIN_LISTEN", value_name = "ADDR")]
    pub admin_listen: Option<ListenAddr>,
}

/// Asks a server on this machine for `/healthz`; prints nothing if it is healthy.
pub(super) fn run(args: HealthcheckArgs) -> anyhow::Result<ExitCode> {
    let address = args.admin_listen.unwrap_or(args.listen);
    let answer = ask_any(&address).with_context(|| {
        format!("no answer from {address}; start the server there, or set --listen to its address")
    })?;
    let status = answer.lines().next().unwrap_or_default();
    let alive = status.split(' ').nth(1) == Some("200");
    anyhow::ensure!(alive, "{address} does not say that it is alive: {status:?}; see its log");
    Ok(ExitCode::SUCCESS)
}

/// Asks at each address that the server may have taken, in the order in which the server tries
/// them.
fn ask_any(address: &ListenAddr) -> std::io::Result<String> {
    let mut answer = Err(std::io::ErrorKind::AddrNotAvailable.into());
    for address in address.resolve()? {
        answer = ask(reachable(address));
        if answer.is_ok() {
            break;
        }
    }
    answer
}

/// The local address of a server that listens on all addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    // Sent in one piece: a server that answers early must not reset the connection because of later
    // bytes.
    let question = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

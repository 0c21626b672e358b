//! Connections to a node of those who do not show its secret.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::questions::OF_ROWS;
use super::{Cluster, ask_alone, filled, rows};

/// More than a node takes.
const MANY: usize = 300;
/// The time that they have, and some for a busy machine.
const LEAVE_WITHIN: Duration = Duration::from_secs(40);
/// What begins HTTP/2, and settings that change nothing.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[test]
fn strangers_who_keep_connections_do_not_keep_coordinators_out() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 1);
    for said in [&b""[..], b"PRI * HT", b"GET /hea", HTTP_2] {
        let mut strangers: Vec<_> = (0..MANY)
            .map(|_| {
                let mut stranger = TcpStream::connect(cluster.nodes[0].address()).unwrap();
                // One that came early may be gone already.
                let _ = stranger.write_all(said);
                stranger
            })
            .collect();
        let done = cluster.ask(folder.path(), OF_ROWS[2]);
        assert_eq!(done.status, 0, "{said:?}: {done:?}");
        assert_eq!(rows(&done), rows(&ask_alone(folder.path(), OF_ROWS[2])));
        leaves(&mut strangers[MANY - 1]);
    }
}

/// Waits until the node closes a connection.
fn leaves(stranger: &mut TcpStream) {
    stranger.set_read_timeout(Some(LEAVE_WITHIN)).unwrap();
    let began = Instant::now();
    let mut some = [0; 256];
    while began.elapsed() < LEAVE_WITHIN {
        match stranger.read(&mut some) {
            Ok(0) => return,
            // A ping, which it does not answer.
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it may stay for {LEAVE_WITHIN:?}");
}

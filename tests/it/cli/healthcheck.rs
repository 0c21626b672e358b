//! Tests of `tokenlake healthcheck`, as a container without curl runs it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use tempfile::tempdir;

use crate::support::process::{Done, Server, program, run};

fn asked(variables: &[(&str, &str)]) -> Done {
    run(program().envs(variables.iter().copied()).arg("healthcheck"))
}

#[test]
fn it_asks_the_addresses_of_the_servers_own_settings() {
    let folder = tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["serve", "--admin-listen", "127.0.0.1:0"]);
    let stderr = server.stderr();
    let admin = stderr.lines().find_map(|line| line.strip_prefix("telemetry on http://")).unwrap();
    let admin = admin.strip_suffix("/metrics").unwrap();
    for well in [server.address(), admin] {
        let done = asked(&[("TOKENLAKE_LISTEN", well)]);
        assert_eq!((done.status, done.stdout, done.stderr), (0, String::new(), String::new()));
    }
    let everywhere = server.address().replace("127.0.0.1", "0.0.0.0");
    assert_eq!(asked(&[("TOKENLAKE_LISTEN", &everywhere)]).status, 0);
    let nobody = free_address();
    let both = [("TOKENLAKE_LISTEN", nobody.as_str()), ("TOKENLAKE_ADMIN_LISTEN", admin)];
    assert_eq!(asked(&both).status, 0);
}

#[test]
fn whoever_does_not_answer_with_200_is_not_alive() {
    let done = asked(&[("TOKENLAKE_LISTEN", &free_address())]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(done.stderr.starts_with("error: no answer from 127.0.0.1:"), "{done:?}");
    assert_eq!(done.stderr.lines().count(), 1);
    for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "\u{15}\u{3}\u{1}", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 1_024];
            let read = stream.read(&mut question).unwrap();
            assert!(question[..read].starts_with(b"GET /healthz HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let done = asked(&[("TOKENLAKE_LISTEN", &address)]);
        server.join().unwrap();
        assert_eq!(done.status, 1, "{answer:?} {done:?}");
        assert!(done.stderr.contains("does not say that it is alive"), "{done:?}");
    }
}

/// An address where nobody listens.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

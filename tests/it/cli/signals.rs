//! Tests that SIGINT and SIGTERM end every command at any time, and that a second signal ends at
//! once a command that is finishing its work.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::support::poll;
use crate::support::process::{Server, key, program, tokenlake};

/// "Within a second or two", on a busy machine.
const WITHIN: Duration = Duration::from_secs(5);
const START_MAX: Duration = Duration::from_secs(60);
const SIGNALS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

/// Whether a process has a handler for SIGTERM.
fn catches_signals(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() >> (Signal::TERM.as_raw() - 1) & 1 == 1
}

/// Waits for its end, and gives its exit status.
fn ended(child: &mut Child, what: &str) -> i32 {
    let began = Instant::now();
    let status = poll(START_MAX, what, || child.try_wait().unwrap());
    assert!(began.elapsed() < WITHIN, "{what} took {:?}", began.elapsed());
    status.code().unwrap_or_else(|| panic!("{what}: {status}"))
}

/// A store that takes connections and never answers.
struct Silent {
    listener: TcpListener,
}

impl Silent {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next question that is put to it, which stays open.
    fn asked(&self) -> TcpStream {
        let (mut stream, _) = self.listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream
    }

    /// The program on an archive in it.
    fn program(&self) -> Command {
        let mut command = program();
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address()))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "a")
            .env("AWS_SECRET_ACCESS_KEY", "a")
            .args(["--archive", "s3://bucket/archive"]);
        command
    }
}

#[test]
fn every_command_ends_while_its_store_does_not_answer() {
    let folder = tempdir().unwrap();
    let input = folder.path().join("a.ndjson");
    std::fs::write(&input, "{}\n").unwrap();
    let commands: [&[&str]; 13] = [
        &["serve", "--listen", "127.0.0.1:0"],
        &["demo", "--listen", "127.0.0.1:0"],
        &["key", "create", "--org", "acme"],
        &["key", "list"],
        &["key", "revoke", "0123456789abcdef"],
        &["backfill", "--org", "acme", input.to_str().unwrap()],
        &["backfill", "--org", "acme", "s3://bucket/inputs"],
        &["compact"],
        &["expire", "--older-than", "400d"],
        &["repair"],
        &["verify"],
        &["doctor"],
        &["sql", "-c", "SELECT 1"],
    ];
    for args in commands {
        for (signal, status) in SIGNALS {
            // One of its own: a question of the command before may still wait to be taken.
            let store = Silent::new();
            let mut child = start(store.program().args(args));
            let _open = store.asked();
            send(&child, signal);
            // What was asked to stop before it served has stopped.
            let serves = ["serve", "demo"].contains(&args[0]);
            let expected = if serves { 0 } else { status };
            assert_eq!(ended(&mut child, &format!("{args:?}")), expected, "{args:?}");
        }
    }
    let store = Silent::new();
    let mut child = start(program().args(["healthcheck", "--listen", &store.address()]));
    let _open = store.asked();
    send(&child, Signal::TERM);
    assert_eq!(ended(&mut child, "healthcheck"), 143);
}

#[test]
fn what_waits_for_a_pipe_ends() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    key(archive.path(), "acme");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let input = folder.path().join("a.ndjson");
    std::fs::write(&input, "{}\n").unwrap();
    let input = input.to_str().unwrap();
    let commands: [&[&str]; 5] = [
        &["sql"],
        &["sql", "--file", "-"],
        &["sql", "-c", "SELECT 1", "--output", pipe],
        &["backfill", "--org", "acme", "-"],
        &["backfill", "--org", "acme", "--rejects", pipe, input],
    ];
    for args in commands {
        for (signal, status) in SIGNALS {
            let mut child = start(program().arg("--archive").arg(archive.path()).args(args));
            poll(START_MAX, "it catches signals", || catches_signals(&child).then_some(()));
            // It waits for as long as it is let; when it began to does not show from outside.
            std::thread::sleep(Duration::from_secs(1));
            assert!(child.try_wait().unwrap().is_none(), "{args:?} did not wait");
            send(&child, signal);
            assert_eq!(ended(&mut child, &format!("{args:?}")), status, "{args:?}");
        }
    }
}

#[test]
fn a_second_signal_ends_a_server_that_waits_for_a_request() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    for (signal, status) in SIGNALS {
        let mut server = Server::start(folder.path());
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        server.terminate();
        poll(START_MAX, "it stops accepting", || {
            TcpStream::connect(server.address()).is_err().then_some(())
        });
        let began = Instant::now();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(status));
        assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_query_that_is_interrupted_leaves_the_older_results() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    key(archive.path(), "acme");
    drop(Server::start(archive.path()));
    let output = folder.path().join("out.csv");
    std::fs::write(&output, "older").unwrap();
    let endless = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b \
                   WHERE a.value % 7 = b.value % 11";
    for (signal, status) in SIGNALS {
        let mut child = start(
            program()
                .args(["sql", "-c", endless, "--output"])
                .arg(&output)
                .arg("--archive")
                .arg(archive.path()),
        );
        let partial = poll(START_MAX, "a file in the making", || {
            names(folder.path()).into_iter().find(|name| name != "out.csv")
        });
        assert!(partial.starts_with(".out.csv.") && partial.ends_with(".partial"), "{partial}");
        std::thread::sleep(Duration::from_millis(500));
        send(&child, signal);
        assert_eq!(ended(&mut child, "sql"), status);
        assert_eq!(names(folder.path()), ["out.csv"]);
        assert_eq!(std::fs::read_to_string(&output).unwrap(), "older");
    }
    // A query that fails leaves them, too; one that does not replaces them.
    let ask = |query: &str| {
        let args = ["sql", "-c", query, "--output", output.to_str().unwrap()];
        tokenlake(archive.path(), &args).status
    };
    assert_eq!(ask("SELECT 1 AS n; SELECT 1/0"), 1);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "older");
    assert_eq!(ask("SELECT 1 AS n"), 0);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "n\n1\n");
    assert_eq!(names(folder.path()), ["out.csv"]);
}

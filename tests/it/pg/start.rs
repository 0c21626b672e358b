//! Tests of the begin of a connection: versions, TLS, passwords, and who is refused.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::Lake;
use crate::support::authority::Authority;
use crate::support::pg::{PgClient, PgServer, message, start};
use crate::support::process::{installed, key, key_with, program, run};

#[test]
fn a_key_is_the_password_and_the_user_is_only_shown() {
    let lake = Lake::start(&[]);
    let mut client = PgClient::connect(&lake.door.address);
    let answer = client.login_as(&[("user", "ana"), ("database", "lake")], &lake.key);
    assert_eq!(answer.error, None);
    assert!(answer.kinds.starts_with("RRS") && answer.kinds.ends_with("KZ"), "{}", answer.kinds);
    let shown =
        client.query("SELECT current_user, current_database(), current_schema(), session_user");
    assert_eq!(shown.texts(), [["ana", "lake", "public", "ana"]]);
    let nameless = PgClient::connect(&lake.door.address).login_as(&[], &lake.key);
    assert_eq!(nameless.error, None);
}

#[test]
fn without_a_valid_key_or_its_scope_nobody_enters() {
    let lake = Lake::start(&[]);
    let state =
        |password: &str| PgClient::connect(&lake.door.address).login(password).state().to_owned();
    let writes = key_with(lake.archive.path(), "acme", &["--scope", "events:write"]);
    let operator = run(program().arg("--archive").arg(lake.archive.path()).args([
        "key",
        "create",
        "--operator",
    ]));
    for (password, expected) in [
        ("", "28P01"),
        ("td_live_nothing", "28P01"),
        (&lake.key[1..], "28P01"),
        ("eyJhbGciOiJub25lIn0.e30.", "28P01"),
        (&writes, "28000"),
        (operator.stdout.trim(), "28000"),
        (&lake.key, ""),
    ] {
        assert_eq!(state(password), expected, "{password}");
    }
}

#[test]
fn other_versions_are_told_what_there_is() {
    let lake = Lake::start(&[]);
    let mut newer = start(&[("user", "a"), ("_pq_.option", "1")]);
    newer[4..8].copy_from_slice(&196_610_i32.to_be_bytes());
    let mut client = PgClient::connect(&lake.door.address);
    client.send(&newer);
    client.send(&message(b'p', format!("{}\0", lake.key).as_bytes()));
    let (kind, told) = client.message().unwrap();
    assert_eq!((kind, &told[..4]), (b'v', &196_608_i32.to_be_bytes()[..]), "libpq wants it whole");
    let answer = client.answer();
    assert!(answer.kinds.starts_with('R') && answer.error.is_none(), "{answer:?}");
    for other in [131_072_i32, 262_144] {
        let mut first = start(&[("user", "a")]);
        first[4..8].copy_from_slice(&other.to_be_bytes());
        let mut client = PgClient::connect(&lake.door.address);
        client.send(&first);
        let answer = client.answer();
        assert_eq!((answer.state(), answer.status), ("0A000", 0), "{answer:?}");
    }
}

#[test]
fn encryption_that_there_is_not_is_declined() {
    let lake = Lake::start(&[]);
    let mut client = PgClient::connect(&lake.door.address);
    for code in [80_877_104_i32, 80_877_103] {
        client.send(&[8_i32.to_be_bytes(), code.to_be_bytes()].concat());
        let mut said = [0];
        client.stream().read_exact(&mut said).unwrap();
        assert_eq!(said, *b"N");
    }
    assert_eq!(client.login(&lake.key).error, None);
}

/// Starts the program to its end, or says that it serves.
fn refused(folder: &Path, args: &[&str]) -> String {
    let mut command = program();
    command.arg("--archive").arg(folder).args(["serve", "--listen", "127.0.0.1:0"]).args(args);
    let done = run(&mut command);
    assert_eq!(done.status, 1, "{done:?}");
    done.stderr
}

#[test]
fn keys_are_sent_in_the_clear_on_this_machine_alone() {
    let folder = tempdir().unwrap();
    let why = refused(folder.path(), &["--pg-listen", "0.0.0.0:0"]);
    assert!(why.contains("--tls-cert, or --pg-insecure"), "{why}");
    let archive = folder.path().join("a");
    let key = key(&archive, "acme");
    let server = PgServer::start(&archive, &["--pg-insecure"]);
    assert_eq!(server.ask(&key, "SELECT 1").value(), "1");
}

#[test]
fn tls_is_that_of_the_server() {
    let lake = tempdir().unwrap();
    let authority = Authority::new();
    let paths = authority.certify().write(lake.path());
    let ca = authority.write(lake.path());
    let [cert, key_path] = paths.each_ref().map(|path| path.to_str().unwrap());
    let archive = lake.path().join("archive");
    let key = key(&archive, "acme");
    let door = PgServer::start(&archive, &["--tls-cert", cert, "--tls-key", key_path]);
    // On this machine it may be left out.
    assert_eq!(door.ask(&key, "SELECT 1").value(), "1");
    if !installed("psql") {
        return;
    }
    let connect = |mode: &str, ca: &Path| {
        let uri = format!(
            "host=127.0.0.1 port={} user=a dbname=b sslmode={mode} sslrootcert={}",
            door.port(),
            ca.display()
        );
        let mut psql = Command::new("psql");
        psql.env("PGPASSWORD", &key).args(["-X", "-At", "-c", "SELECT 7", &uri]);
        psql.output().unwrap()
    };
    let whole = connect("verify-full", &ca);
    assert_eq!(String::from_utf8_lossy(&whole.stdout), "7\n", "{whole:?}");
    let stranger = lake.path().join("stranger");
    std::fs::create_dir(&stranger).unwrap();
    let other = connect("verify-full", &Authority::new().write(&stranger));
    assert!(!other.status.success());
}

#[test]
fn what_is_sent_before_a_handshake_is_no_part_of_the_session() {
    let lake = tempdir().unwrap();
    let authority = Authority::new();
    let paths = authority.certify().write(lake.path());
    let [cert, key_path] = paths.each_ref().map(|path| path.to_str().unwrap());
    let archive = lake.path().join("archive");
    let _ = key(&archive, "acme");
    let door = PgServer::start(&archive, &["--tls-cert", cert, "--tls-key", key_path]);
    let mut client = PgClient::connect(&door.address);
    let ask = [8_i32.to_be_bytes(), 80_877_103_i32.to_be_bytes()].concat();
    client.stream().write_all(&[ask, start(&[("user", "injected")])].concat()).unwrap();
    let mut said = Vec::new();
    // The start in the clear is no handshake, so that the connection ends, with an alert of TLS at most.
    let _ = client.stream().read_to_end(&mut said);
    assert_eq!(said[0], b'S');
    assert!(!said[1..].contains(&b'R') && said.len() < 20, "{said:?}");
}

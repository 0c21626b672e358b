//! Tests of sessions: statements about them, transactions, limits, cancelling, and many at once.

use std::thread;
use std::time::{Duration, Instant};

use super::Lake;
use crate::support::client;
use crate::support::pg::{PgClient, bind, describe, execute, parse, sync};
use crate::support::poll;
use crate::support::process::{key, tokenlake};

/// A query that takes long, and little memory.
const LONG: &str = "SELECT count(*) FROM unnest(range(0, 30000)) AS a(n), unnest(range(0, 30000)) AS b(n) WHERE (a.n * b.n) % 7 = 1";

#[test]
fn statements_about_a_session_are_answered() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for (text, tag) in [
        ("SET application_name = 'it'", "SET"),
        ("RESET application_name", "RESET"),
        ("PREPARE p AS SELECT count(*) FROM events WHERE model = $1", "PREPARE"),
        ("CLOSE ALL", "CLOSE CURSOR ALL"),
        ("UNLISTEN *", "UNLISTEN"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "SET"),
    ] {
        let answer = client.query(text);
        assert_eq!((answer.error, answer.tags), (None, vec![tag.to_owned()]), "{text}");
    }
    assert_eq!(client.query("EXECUTE p('gpt-4o')").value(), "2");
    assert_eq!(client.query("EXECUTE p('gpt' || '-4o')").state(), "42601");
    let bound = [parse("", "EXECUTE p('gpt-4o')", &[]), bind("", "", &[], 0, 0)].concat();
    client.send(&[bound, describe('P', ""), execute("", 0), sync()].concat());
    let answer = client.answer();
    assert_eq!((answer.kinds.as_str(), answer.value().as_str()), ("12TDCZ", "2"));
    assert_eq!(client.query("DEALLOCATE p").tags, ["DEALLOCATE"]);
    assert_eq!(client.query("EXECUTE p('gpt-4o')").state(), "26000");
    assert_eq!(client.query("DISCARD ALL").tags, ["DISCARD ALL"]);
    assert_eq!(client.query("SHOW server_version_num").value(), "150000");
    assert_eq!(client.query("SHOW nothing").state(), "42704");
    assert!(client.query("SHOW ALL").rows.len() > 20);
    let zone = client.query("SET TIME ZONE 'Europe/Berlin'");
    assert_eq!(zone.notices, ["TimeZone stays UTC here"]);
    assert_eq!(client.query("SHOW TimeZone").value(), "UTC");
    assert_eq!(client.query("SET client_encoding = 'LATIN1'").state(), "0A000");
    assert_eq!(client.query("").kinds, "IZ");
    let two = client.query("SELECT 1; SELECT 2");
    assert_eq!((two.tags.len(), two.kinds.as_str()), (2, "TDCTDCZ"));
}

#[test]
fn a_transaction_fails_with_its_first_error() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let status = |client: &mut PgClient, text: &str| char::from(client.query(text).status);
    assert_eq!(status(&mut client, "BEGIN"), 'T');
    assert_eq!(status(&mut client, "SELECT 1"), 'T');
    assert_eq!(status(&mut client, "SELECT nothing"), 'E');
    assert_eq!(client.query("SELECT 1").state(), "25P02");
    let ended = client.query("COMMIT");
    assert_eq!((ended.tags, ended.status), (vec!["ROLLBACK".to_owned()], b'I'));
    assert_eq!(client.query("SELECT 1").value(), "1");
    assert_eq!(client.query("SELECT 1; SELECT nothing; SELECT 2").rows.len(), 1);
}

#[test]
fn a_client_goes_back_to_savepoints_that_there_are() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    assert_eq!(client.query("SAVEPOINT a").state(), "25P01");
    client.query("BEGIN");
    assert_eq!(client.query("SAVEPOINT a; SAVEPOINT b").tags, ["SAVEPOINT", "SAVEPOINT"]);
    assert_eq!(client.query("SELECT nothing").status, b'E');
    assert_eq!(client.query("RELEASE a").state(), "25P02");
    assert_eq!(client.query("ROLLBACK TO c").state(), "3B001");
    let back = client.query("ROLLBACK TO SAVEPOINT a");
    assert_eq!((back.tags, back.status), (vec!["ROLLBACK".to_owned()], b'T'));
    assert_eq!(client.query("SELECT 1").value(), "1");
    assert_eq!(client.query("RELEASE b").state(), "3B001", "it came after a");
    client.query("ROLLBACK");
    assert_eq!(client.query("BEGIN; RELEASE a").state(), "3B001", "it ended with its transaction");
}

#[test]
fn a_query_is_cancelled_by_who_knows_its_secret() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let key = client.cancel_key;
    let address = lake.door.address.clone();
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        let mut other = PgClient::connect(&address);
        other.send(&[&16_i32.to_be_bytes()[..], &80_877_102_i32.to_be_bytes(), &key].concat());
        assert_eq!(other.message(), None, "a cancel request has no answer");
    });
    let began = Instant::now();
    assert_eq!(client.query(LONG).state(), "57014");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    canceller.join().unwrap();
    assert_eq!(client.query("SELECT 1").value(), "1", "the session goes on");
}

#[test]
fn a_query_that_takes_too_long_or_too_much_is_ended() {
    let lake = Lake::start(&["--sql-timeout", "3s", "--sql-memory", "64MiB"]);
    let mut client = lake.door.login(&lake.key);
    assert_eq!(client.query(LONG).state(), "57014");
    let large =
        "SELECT length(string_agg(repeat('x', 100000), '')) FROM unnest(range(0, 100000)) AS t(n)";
    assert_eq!(client.query(large).state(), "53200");
    assert_eq!(client.query("SELECT 1").value(), "1");
}

#[test]
fn ten_at_once_wait_their_turn() {
    let lake = Lake::start(&["--sql-concurrency", "2"]);
    let asks: Vec<_> = (0..10)
        .map(|_| {
            let (mut client, query) = (lake.door.login(&lake.key), "SELECT count(*) FROM events");
            thread::spawn(move || client.query(query).value())
        })
        .collect();
    for ask in asks {
        assert_eq!(ask.join().unwrap(), "4");
    }
}

#[test]
fn connections_are_bounded_and_those_that_say_nothing_keep_nobody_out() {
    let lake = Lake::start(&["--pg-max-connections", "4"]);
    let held: Vec<_> = (0..3).map(|_| lake.door.login(&lake.key)).collect();
    let mut more = PgClient::connect(&lake.door.address);
    assert_eq!(more.login(&lake.key).state(), "53300");
    let other = key(lake.archive.path(), "globex");
    assert_eq!(lake.door.ask(&other, "SELECT count(*) FROM events").value(), "0");
    drop(held);
    let silent: Vec<_> = (0..200).map(|_| PgClient::connect(&lake.door.address)).collect();
    let entered = poll(Duration::from_secs(10), "a place is free", || {
        let mut client = PgClient::connect(&lake.door.address);
        client.login(&lake.key).error.is_none().then_some(client)
    });
    drop((silent, entered));
}

#[test]
fn a_revoked_key_ends_its_session_at_the_next_query() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    assert_eq!(client.query("SELECT 1").value(), "1");
    let keys = tokenlake(lake.archive.path(), &["key", "list"]).stdout;
    let id =
        keys.lines().find(|line| line.contains("acme")).unwrap().split_whitespace().next().unwrap();
    assert_eq!(tokenlake(lake.archive.path(), &["key", "revoke", id]).status, 0);
    let refused = poll(Duration::from_secs(20), "the key is refused", || {
        let answer = client.query("SELECT 1");
        (answer.error.is_some()).then_some(answer)
    });
    assert_eq!((refused.state(), refused.status), ("28P01", 0), "{refused:?}");
}

#[test]
fn what_is_acknowledged_is_seen_by_the_next_query() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for number in 0..3 {
        let event = format!(r#"{{"event_id":"n{number}","ts":"2026-01-15T10:00:00Z"}}"#);
        let url = lake.door.server.url("/v1/events");
        assert_eq!(client::post(&url, &lake.key, "application/json", event).status, 200);
        assert_eq!(client.query("SELECT count(*) FROM events").value(), (5 + number).to_string());
    }
}

#[test]
fn a_portal_that_nobody_reads_ends_with_its_time() {
    let lake = Lake::start(&["--sql-timeout", "6s", "--sql-concurrency", "1"]);
    let mut client = lake.door.login(&lake.key);
    client.query("BEGIN");
    let rows = "SELECT n, repeat('x', 1000) FROM unnest(range(0, 1000000)) AS t(n)";
    client
        .send(&[parse("", rows, &[]), bind("c", "", &[], 0, 0), execute("c", 2), sync()].concat());
    let some = client.answer();
    assert_eq!((some.rows.len(), some.kinds.as_str()), (2, "12DDsZ"), "{some:?}");
    // It holds the only turn until its time is up.
    let other = lake.door.ask(&lake.key, "SELECT 1");
    assert_eq!(other.value(), "1");
    // What was made ahead still comes; then it is said why no more does.
    let last = poll(Duration::from_secs(20), "it ends", || {
        client.send(&[execute("c", 100), sync()].concat());
        let answer = client.answer();
        answer.error.is_some().then_some(answer)
    });
    assert_eq!(last.state(), "57014", "{last:?}");
}

#[test]
fn who_leaves_or_does_not_read_ends_its_query() {
    let lake = Lake::start(&["--sql-concurrency", "1", "--sql-timeout", "60s"]);
    let mut client = lake.door.login(&lake.key);
    client.send(&crate::support::pg::message(b'Q', format!("{LONG}\0").as_bytes()));
    thread::sleep(Duration::from_secs(1));
    drop(client);
    let began = Instant::now();
    assert_eq!(lake.door.ask(&lake.key, "SELECT 1").value(), "1");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_stops_says_so() {
    let mut lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    lake.door.server.terminate();
    let last = client.answer();
    assert_eq!(last.state(), "57P01");
    assert!(lake.door.server.wait().success());
}

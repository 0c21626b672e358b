//! Tests of clients that send damaged messages, too much, or too slowly.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use super::Lake;
use crate::support::pg::{PgClient, bind, describe, execute, message, parse, start, sync};
use crate::support::random::Random;
use crate::support::resident::resident_kib;

#[test]
fn damaged_messages_hurt_their_session_alone() {
    let lake = Lake::start(&[]);
    let whole = [
        parse("s", "SELECT $1::int", &[23]),
        bind("", "s", &[Some(b"1")], 0, 0),
        describe('P', ""),
        execute("", 0),
        sync(),
    ]
    .concat();
    let mut random = Random(7);
    for _ in 0..150 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let place = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[place] = random.below(256) as u8;
        }
        let mut client = lake.door.login(&lake.key);
        client.stream().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        client.send(&bytes);
        // It answers, ends the connection, or waits for the rest of a message.
        let mut said = [0; 512];
        let _ = client.stream().read(&mut said);
    }
    for first in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[255; 64], &[0, 0, 0, 8, 0, 3, 0, 0]] {
        let mut client = PgClient::connect(&lake.door.address);
        client.stream().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        client.send(first);
        let mut said = Vec::new();
        let _ = client.stream().read_to_end(&mut said);
        assert!(said.len() < 300, "{said:?}");
    }
    let mut client = lake.door.login(&lake.key);
    client.send(&[message(b'B', b"damaged"), execute("", 0), sync()].concat());
    let answer = client.answer();
    assert_eq!((answer.kinds.as_str(), answer.state()), ("EZ", "08P01"), "its session goes on");
    client.send(&message(b'Q', b"SELECT '\xff'\0"));
    assert_eq!(client.answer().kinds, "EZ");
    assert_eq!(client.query("SELECT 1").value(), "1");
    assert!(!lake.door.server.stderr().contains("panicked"), "{}", lake.door.server.stderr());
}

#[test]
fn messages_are_bounded_before_and_after_the_login() {
    let lake = Lake::start(&[]);
    let mut client = PgClient::connect(&lake.door.address);
    client.send(&start(&[("user", &"x".repeat(11_000))]));
    assert_eq!(client.message(), None);
    let mut client = PgClient::connect(&lake.door.address);
    let answer = client.login(&"x".repeat(30_000));
    assert_eq!(answer.state(), "54000", "{answer:?}");
    let mut client = lake.door.login(&lake.key);
    let answer = client.query(&format!("SELECT '{}'", "x".repeat(300_000)));
    assert_eq!((answer.state(), answer.status), ("54000", 0));
    let mut client = lake.door.login(&lake.key);
    let long = format!("SELECT length('{}')", "x".repeat(200_000));
    assert_eq!(client.query(&long).value(), "200000");
    let kept = (0..100).take_while(|number| {
        client.send(&[parse(&format!("s{number}"), &long, &[]), sync()].concat());
        client.answer().error.is_none()
    });
    assert_eq!(kept.count(), 5, "prepared statements are bounded");
    let announced =
        message(b'Q', b"")[..1].iter().copied().chain([0x7f, 255, 255, 255]).collect::<Vec<_>>();
    client.send(&announced);
    assert_eq!(client.answer().state(), "54000");
}

#[test]
fn idle_connections_cost_little() {
    let lake = Lake::start(&["--pg-max-connections", "400"]);
    let query = format!("SELECT length('{}')", "x".repeat(100_000));
    drop(lake.door.login(&lake.key).query(&query));
    let before = resident_kib(lake.door.server.pid());
    let idle: Vec<_> = (0..300)
        .map(|_| {
            let mut client = lake.door.login(&lake.key);
            client.send(&message(b'Q', b"SET a.b = '1'\0"));
            client.answer();
            client
        })
        .collect();
    let each = resident_kib(lake.door.server.pid()).saturating_sub(before) / 300;
    assert!(each < 64, "{each} KiB for an idle connection");
    drop(idle);
}

#[test]
fn a_client_that_does_not_read_holds_no_memory_of_the_server() {
    let lake = Lake::start(&["--sql-timeout", "20s"]);
    drop(lake.door.ask(&lake.key, "SELECT 1"));
    let before = resident_kib(lake.door.server.pid());
    let large = "SELECT repeat('x', 100000) FROM unnest(range(0, 100000)) AS t(n)";
    let mut client = lake.door.login(&lake.key);
    client.stream().write_all(&message(b'Q', format!("{large}\0").as_bytes())).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let more = resident_kib(lake.door.server.pid()).saturating_sub(before);
    assert!(more < 32 * 1024, "{more} KiB for an answer that is not read");
    assert_eq!(lake.door.ask(&lake.key, "SELECT 1").value(), "1");
}

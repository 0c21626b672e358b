//! Tests of cursors, by which clients read a result a few rows at a time.

use super::Lake;
use crate::support::pg::{bind, describe, execute, parse, sync};

/// Reads the names of events.
const CURSOR: &str = "CURSOR FOR SELECT event_id, input_tokens FROM events ORDER BY ts";

#[test]
fn a_cursor_is_read_forward_until_its_transaction_ends() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    assert_eq!(client.query(&format!("DECLARE c {CURSOR}")).state(), "25P01");
    client.query("BEGIN");
    assert_eq!(client.query(&format!("DECLARE c NO SCROLL {CURSOR}")).tags, ["DECLARE CURSOR"]);
    assert_eq!(client.query("SELECT count(*) FROM events").value(), "4", "others are asked beside");
    let first = client.query("FETCH FORWARD 3 FROM C");
    assert_eq!((first.tags, first.columns.len()), (vec!["FETCH 3".to_owned()], 2));
    assert_eq!(client.query("FETCH c").texts(), [["104", "40"]]);
    for left in ["FETCH 3 FROM c", "FETCH ALL FROM c", "FETCH 0 FROM c"] {
        let none = client.query(left);
        assert_eq!((none.kinds.as_str(), none.tags), ("TCZ", vec!["FETCH 0".to_owned()]), "{left}");
    }
    assert_eq!(client.query("CLOSE c").tags, ["CLOSE CURSOR"]);
    assert_eq!(client.query("FETCH c").state(), "34000");
    client.query("ROLLBACK");
    client.query(&format!("BEGIN; DECLARE c {CURSOR}"));
    let moved = client.query("MOVE FORWARD 2 FROM c");
    assert_eq!((moved.kinds.as_str(), moved.tags), ("CZ", vec!["MOVE 2".to_owned()]));
    assert_eq!(client.query("FETCH c").texts(), [["103", "30"]]);
    assert_eq!(client.query("MOVE ALL IN c").tags, ["MOVE 1"]);
    client.query("ROLLBACK");
    client.query(&format!("BEGIN; DECLARE c {CURSOR}; COMMIT"));
    assert_eq!(client.query("FETCH c").state(), "34000", "it ended with its transaction");
    client.query(&format!("DECLARE h {}", CURSOR.replace("FOR", "WITH HOLD FOR")));
    assert_eq!(client.query("FETCH ALL FROM h").rows.len(), 4);
    assert_eq!(client.query("BEGIN; COMMIT; FETCH h").tags, ["BEGIN", "COMMIT", "FETCH 0"]);
    assert_eq!(client.query("DISCARD ALL; FETCH h").state(), "34000");
    client.query("BEGIN");
    client.query("DECLARE c CURSOR FOR SELECT 1 / (input_tokens - 20) FROM events");
    assert_eq!(client.query("FETCH ALL FROM c").state(), "22012");
    assert_eq!(client.query("FETCH c").state(), "25P02");
}

#[test]
fn a_cursor_takes_values_and_formats_of_the_extended_protocol() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    client.query("BEGIN");
    let declare =
        "DECLARE c CURSOR FOR SELECT input_tokens FROM events WHERE model = $1 ORDER BY ts";
    let values = [Some(&b"gpt-4o"[..])];
    client.send(
        &[
            parse("", declare, &[]),
            bind("", "", &values, 0, 0),
            describe('P', ""),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(client.answer().kinds, "12nCZ");
    client.send(
        &[
            parse("", "FETCH FORWARD 1 FROM c", &[]),
            bind("", "", &[], 0, 1),
            describe('P', ""),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    let answer = client.answer();
    assert_eq!(answer.kinds, "12TDCZ", "{answer:?}");
    assert_eq!(answer.rows[0][0].as_deref(), Some(&10_i64.to_be_bytes()[..]));
    client.send(&[describe('P', "c"), execute("c", 0), sync()].concat());
    assert_eq!(client.answer().kinds, "TDCZ", "it is a portal of the protocol too");
}

//! Tests of compressed bodies, and of bodies that are too large.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Acme, counts};
use crate::support::client::Answer;
use crate::support::events::{counted, event, ndjson};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 1).unwrap()
}

fn post(acme: &Acme, coding: &str, body: Vec<u8>) -> Answer {
    let headers = [("content-type", "application/x-ndjson"), ("content-encoding", coding)];
    acme.post_with(&headers, body)
}

#[test]
fn gzip_and_zstd_are_read() {
    let acme = Acme::start();
    for (start, coding, pack) in [
        (0, "gzip", gzip as fn(&[u8]) -> Vec<u8>),
        (100, "GZIP", gzip),
        (200, "zstd", zstd),
        (300, "identity", <[u8]>::to_vec),
    ] {
        let body = ndjson(start..start + 100);
        let answer = post(&acme, coding, pack(body.as_bytes()));
        assert_eq!((answer.status, counts(&answer)), (200, (100, 0, 0)), "{coding}");
    }
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 400);
}

#[test]
fn a_body_that_is_cut_changed_or_not_compressed_at_all_is_400() {
    let acme = Acme::start();
    let body = ndjson(0..100);
    for (coding, packed) in [("gzip", gzip(body.as_bytes())), ("zstd", zstd(body.as_bytes()))] {
        for length in [0, 1, packed.len() / 2, packed.len() - 1] {
            let answer = post(&acme, coding, packed[..length].to_vec());
            assert_eq!(answer.status, 400, "{coding} cut to {length}: {}", answer.text());
        }
        let trailing = [packed.clone(), b"more".to_vec()].concat();
        assert_eq!(post(&acme, coding, trailing).status, 400, "{coding} with more behind it");
        assert_eq!(post(&acme, coding, body.clone().into_bytes()).status, 400, "{coding}");
    }
    let mut changed = gzip(body.as_bytes());
    let checksum = changed.len() - 6;
    changed[checksum] ^= 1;
    assert_eq!(post(&acme, "gzip", changed).status, 400);
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 0);
}

#[test]
fn a_decompression_bomb_is_413() {
    let acme = Acme::start();
    let zeros = vec![b' '; 64 << 20];
    for (coding, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        assert!(bomb.len() < 1 << 20);
        assert_eq!(post(&acme, coding, bomb.clone()).status, 413, "{coding}");
        // A bomb in a bomb.
        let twice = format!("{coding}, gzip");
        assert_eq!(post(&acme, &twice, gzip(&bomb)).status, 413, "{twice}");
    }
    assert_eq!(counts(&acme.post_json(event("a"))), (1, 0, 0));
}

#[test]
fn a_body_may_be_as_large_as_max_body_and_no_larger() {
    let acme = Acme::start_with(&["serve", "--max-body", "64KiB"]);
    let padded = |bytes: usize| {
        let event = event(&bytes.to_string());
        format!("{event}{}", " ".repeat(bytes - event.len()))
    };
    let limit = 64 << 10;
    assert_eq!(counts(&acme.post_json(padded(limit))), (1, 0, 0));
    assert_eq!(acme.post_json(padded(limit + 1)).status, 413);
    assert_eq!(post(&acme, "gzip", gzip(padded(limit + 1).as_bytes())).status, 413);
    let packed = post(&acme, "gzip", gzip(padded(limit - 1).as_bytes()));
    assert_eq!(counts(&packed), (1, 0, 0));
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 2);
}

//! The body of a scrape as series.

use std::collections::BTreeMap;

use super::client;
use super::exact;
use super::process::Server;

/// Each series, as it stands, with its value's text.
pub type Series = BTreeMap<String, String>;

/// Reads a body; a series that comes twice is a failure.
pub fn parse(body: &str) -> Series {
    let mut series = Series::new();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let before = series.insert(name.to_owned(), value.to_owned());
        assert!(before.is_none(), "twice: {name}");
    }
    series
}

/// Scrapes a server.
pub fn scrape(server: &Server, key: &str) -> Series {
    let answer = client::get(&server.url("/metrics"), key);
    assert_eq!(answer.status, 200, "{}", answer.text());
    parse(answer.text())
}

/// The families that a series of counters belongs to must not fall.
pub fn assert_no_counter_fell(before: &Series, after: &Series) {
    for (name, value) in before.iter().filter(|(name, _)| name.contains("_total{")) {
        let now = after.get(name).unwrap_or_else(|| panic!("{name} is gone"));
        assert!(exact::parse(now) >= exact::parse(value), "{name} fell from {value} to {now}");
    }
}

//! Numbers from environment variables, for longer runs.

/// The number that the variable `name` sets, if it is there.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

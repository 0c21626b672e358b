//! The settings of a session: `SET` and `SHOW`. None changes what a query sees or means.

use std::collections::BTreeMap;

use super::error::PgError;
use crate::sql::{SETTINGS, setting};

/// Those whose values clients are told at the start. libpq writes texts for SQL by
/// `standard_conforming_strings`: without it, it doubles each backslash.
pub(super) const REPORTED: [&str; 12] = [
    "server_version",
    "server_encoding",
    "client_encoding",
    "application_name",
    "default_transaction_read_only",
    "in_hot_standby",
    "is_superuser",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "integer_datetimes",
    "standard_conforming_strings",
];
/// Those that stay as they are: answers are written by them.
const FIXED: [&str; 11] = [
    "bytea_output",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "IntervalStyle",
    "search_path",
    "server_version",
    "server_version_num",
    "standard_conforming_strings",
    "TimeZone",
    "transaction_read_only",
];
/// Names of UTF-8.
const UTF_8: [&str; 3] = ["utf8", "utf-8", "unicode"];
/// How many settings a session keeps, and how long their texts may be.
const KEPT_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 256;

/// The settings of a session.
#[derive(Debug, Default)]
pub(super) struct SessionSettings(BTreeMap<String, String>);

impl SessionSettings {
    /// The value of a setting.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let own = self.0.get(&name.to_lowercase()).cloned();
        own.or_else(|| setting(name).map(str::to_owned))
    }

    /// Sets a setting. Returns what the client should know about it, if it stays as it is.
    ///
    /// # Errors
    /// An encoding in which answers cannot be written.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<Option<String>, PgError> {
        let value = value.trim();
        let name = name.to_lowercase();
        if name == "client_encoding" && !UTF_8.contains(&value.to_lowercase().as_str()) {
            let refused = format!("there is no conversion to {value:?}; use UTF8");
            return Err(PgError::new("0A000", &refused));
        }
        if let Some(fixed) = FIXED.iter().find(|fixed| fixed.eq_ignore_ascii_case(&name)) {
            let stays = setting(fixed).unwrap_or_default();
            let is_same = is_alike(stays, value);
            return Ok((!is_same).then(|| format!("{fixed} stays {stays} here")));
        }
        let fits = name.len() <= TEXT_BYTES_MAX && value.len() <= TEXT_BYTES_MAX;
        if fits && (self.0.len() < KEPT_MAX || self.0.contains_key(&name)) {
            self.0.insert(name, value.to_owned());
        }
        Ok(None)
    }

    /// Forgets what was set; with a name, of that setting alone.
    pub(super) fn reset(&mut self, name: Option<&str>) {
        match name {
            Some(name) => drop(self.0.remove(&name.to_lowercase())),
            None => self.0.clear(),
        }
    }

    /// All settings, with the values of this session.
    pub(super) fn all(&self) -> Vec<(String, String)> {
        let known = SETTINGS.iter().map(|(name, _)| *name);
        known.map(|name| (name.to_owned(), self.get(name).unwrap_or_default())).collect()
    }
}

/// Whether a value says the same as the one that stays.
fn is_alike(stays: &str, value: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['"', '\'', ' ', '-'], "");
    let (stays, value) = (plain(stays), plain(value));
    stays == value
        || stays.split(',').next() == Some(&*value)
        || value.starts_with(&stays)
        || value == "default"
        || ["etc/utc", "gmt", "on", "true"].contains(&&*value) && ["utc", "on"].contains(&&*stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_what_postgresql_15_tells_them() {
        // Beside `session_authorization`, which is the user's name.
        let mut told = REPORTED;
        told.sort_unstable_by_key(|name| name.to_lowercase());
        assert_eq!(
            told,
            [
                "application_name",
                "client_encoding",
                "DateStyle",
                "default_transaction_read_only",
                "in_hot_standby",
                "integer_datetimes",
                "IntervalStyle",
                "is_superuser",
                "server_encoding",
                "server_version",
                "standard_conforming_strings",
                "TimeZone",
            ]
        );
        assert!(told.into_iter().all(|name| setting(name).is_some()));
    }

    #[test]
    fn what_answers_are_written_by_stays() {
        let mut settings = SessionSettings::default();
        assert_eq!(settings.set("application_name", "psql"), Ok(None));
        assert_eq!(settings.get("Application_Name").as_deref(), Some("psql"));
        let stays = settings.set("TimeZone", "Europe/Berlin").unwrap();
        assert_eq!(stays.as_deref(), Some("TimeZone stays UTC here"));
        assert_eq!(settings.get("timezone").as_deref(), Some("UTC"));
        for (name, value) in [
            ("timezone", "UTC"),
            ("DateStyle", "ISO"),
            ("client_encoding", "utf-8"),
            ("search_path", "public, x"),
        ] {
            assert_eq!(settings.set(name, value), Ok(None), "{name}");
        }
        assert_eq!(settings.set("client_encoding", "LATIN1").unwrap_err().state, "0A000");
        settings.reset(None);
        assert_eq!(settings.get("application_name").as_deref(), Some(""));
        assert_eq!(settings.get("nothing"), None);
        for number in 0..1_000 {
            settings.set(&format!("x.{number}"), "1").unwrap();
        }
        assert_eq!(settings.0.len(), KEPT_MAX);
    }
}

//! The tables that a query may name. No other one is planned for it: a view over the cells of many files
//! takes milliseconds.

/// Words in queries that may ask for any table: those of catalogs, and `SHOW TABLES`.
const OF_CATALOGS: [&str; 4] = ["pg_", "information_schema", "regclass", "show"];

/// What a query may name, judged by its text: each table whose name is in it, however it is written.
pub(super) struct NamedTables {
    lower_case: String,
    /// It may ask a catalog.
    pub of_catalogs: bool,
}

impl NamedTables {
    pub(super) fn of(text: &str) -> Self {
        let lower_case = text.to_lowercase();
        let of_catalogs = OF_CATALOGS.iter().any(|word| lower_case.contains(word));
        Self { lower_case, of_catalogs }
    }

    /// All of them.
    pub(super) fn all() -> Self {
        Self { lower_case: String::new(), of_catalogs: true }
    }

    pub(super) fn has(&self, table: &str) -> bool {
        self.of_catalogs || self.lower_case.contains(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_what_is_in_its_text() {
        let of = |text| NamedTables::of(text);
        assert!(of("SELECT * FROM Events").has("events"));
        assert!(of("TABLE \"public\".\"events\"").has("events"));
        assert!(!of("SELECT 1").has("events"));
        assert!(!of("SELECT * FROM events").has("usage_hourly"));
        for all in [
            "SELECT * FROM pg_class",
            "table INFORMATION_SCHEMA.tables",
            "SELECT 7::regclass",
            "Show Tables",
        ] {
            assert!(of(all).has("events") && of(all).of_catalogs, "{all}");
        }
    }
}

//! The shell's help on its commands and tables.

use std::fmt::Write as _;

/// The commands, and what they do.
pub(super) const COMMANDS: [(&str, &str); 7] = [
    ("\\d", "the tables; \\d TABLE: its columns"),
    ("\\format", "FORMAT: set the format of results: table, csv, tsv, json, ndjson"),
    ("\\o", "FILE: write results to a file; without FILE, to the terminal again"),
    ("\\timing", "turn the time of each query on or off"),
    ("\\?", "this help"),
    ("\\h", "this help"),
    ("\\q", "leave; so does Ctrl-D"),
];

/// A column: its name, its type, and what it holds.
type ColumnHelp = (&'static str, &'static str, &'static str);

/// The tables, what they hold, and their columns.
pub(super) const TABLES: [(&str, &str, &[ColumnHelp]); 4] = [
    ("events", "one row for each event", &EVENTS),
    (
        "usage_hourly",
        "sums of api_call events by org_id, provider, model and hour; read from stored sums",
        &USAGE_HOURLY,
    ),
    ("usage_by_dimension", "the same by declared dimensions and their values", &USAGE_BY_DIMENSION),
    ("provider_reports", "what providers say: reports that were imported", &PROVIDER_REPORTS),
];

const EVENTS: [ColumnHelp; 17] = [
    ("event_id", "text", "identity, together with org_id"),
    ("org_id", "text", "organisation"),
    ("event_type", "text", "api_call counts in the metrics; cost_correction: see cost_usd"),
    ("ts", "timestamp", "time of the event; UTC, microseconds"),
    ("provider", "text", "as sent"),
    ("model", "text", "as sent"),
    ("input_tokens", "bigint", "including cached ones"),
    ("output_tokens", "bigint", "including reasoning ones"),
    ("cached_input_tokens", "bigint", "part of input_tokens; null: unknown"),
    ("cache_write_tokens", "bigint", "part of input_tokens; null: unknown"),
    ("reasoning_tokens", "bigint", "part of output_tokens; null: unknown"),
    ("cost_usd", "decimal(18,12)", "dollars; null: not priced; below 0: a credit"),
    ("source", "text", "the sender's name"),
    ("ingested_at", "timestamp", "when tokenlake accepted it"),
    ("attributes", "map(text, text)", "other fields: attributes['team']"),
    ("cost_source", "text", "reported; null: not priced, or from before the column"),
    ("event_date", "date", "UTC date of ts; a filter on it saves reading"),
];

const USAGE_HOURLY: [ColumnHelp; 12] = [
    ("org_id", "text", "organisation"),
    ("provider", "text", "lower case; null: unknown"),
    ("model", "text", "lower case; null: unknown"),
    ("hour", "timestamp", "start of the hour, UTC"),
    ("requests", "bigint", "events"),
    ("input_tokens", "decimal(38,0)", "sum"),
    ("output_tokens", "decimal(38,0)", "sum"),
    ("cost_usd", "decimal(38,12)", "dollars; null: none is priced"),
    ("cached_input_tokens", "decimal(38,0)", "sum, of input_tokens; null: none is known"),
    ("cache_write_tokens", "decimal(38,0)", "sum, of input_tokens; null: none is known"),
    ("reasoning_tokens", "decimal(38,0)", "sum, of output_tokens; null: none is known"),
    ("unpriced", "bigint", "events without a cost"),
];

const USAGE_BY_DIMENSION: [ColumnHelp; 14] = [
    ("org_id", "text", "organisation"),
    ("dimension", "text", "its name"),
    ("value", "text", "of the dimension's attribute, trimmed"),
    ("provider", "text", "lower case; null: unknown"),
    ("model", "text", "lower case; null: unknown"),
    ("hour", "timestamp", "start of the hour, UTC"),
    ("requests", "bigint", "calls"),
    ("input_tokens", "decimal(38,0)", "sum"),
    ("output_tokens", "decimal(38,0)", "sum"),
    ("cost_usd", "decimal(38,12)", "dollars, with corrections; null: none is priced"),
    ("cached_input_tokens", "decimal(38,0)", "sum"),
    ("cache_write_tokens", "decimal(38,0)", "sum"),
    ("reasoning_tokens", "decimal(38,0)", "sum"),
    ("unpriced", "bigint", "calls without a price"),
];

const PROVIDER_REPORTS: [ColumnHelp; 13] = [
    ("org_id", "text", "organisation"),
    ("provider", "text", "openai or anthropic"),
    ("report", "text", "usage or costs"),
    ("start", "timestamp", "when the bucket begins, UTC"),
    ("end", "timestamp", "when it has ended; write it as \"end\""),
    ("model", "text", "null: the report is not by model"),
    ("line_item", "text", "of the invoice; null: the report is not by line"),
    ("requests", "bigint", "calls; null: not told, as all that follow"),
    ("input_tokens", "bigint", "including those cached and written"),
    ("output_tokens", "bigint", "tokens"),
    ("cached_input_tokens", "bigint", "part of input_tokens"),
    ("cache_write_tokens", "bigint", "part of input_tokens"),
    ("cost_usd", "decimal(38,12)", "dollars; below 0: a credit"),
];

/// The text of `\?`.
pub(super) fn help() -> String {
    let mut text = String::from(
        "Write SQL, ended by ; (several lines are fine). Tab completes, Ctrl-C cancels a query.\n",
    );
    for (name, what) in COMMANDS {
        let _ = writeln!(text, "  {name:<8} {what}");
    }
    text.push_str(
        "Every query sees the newest version of the table. Try:\n  \
         SELECT model, sum(cost_usd) AS cost FROM usage_hourly GROUP BY model ORDER BY cost DESC;",
    );
    text
}

/// The text of `\d`: all tables, or the columns of one.
pub(super) fn describe(table: &str) -> Option<String> {
    let mut lines = Vec::new();
    if table.is_empty() {
        lines.extend(TABLES.iter().map(|(name, what, _)| format!("  {name:<18} {what}")));
        return Some(lines.join("\n"));
    }
    let (_, what, columns) = TABLES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(table))?;
    lines.push(format!("  {what}"));
    lines
        .extend(columns.iter().map(|(name, kind, what)| format!("  {name:<20} {kind:<16} {what}")));
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_described_as_they_are() {
        let [(_, _, events), (_, _, usage), (_, _, parts), _] = TABLES;
        let schema = crate::event::schema();
        let schema = schema.fields().iter().map(|field| field.name().as_str());
        let names: Vec<_> = events.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, schema.chain([crate::archive::PARTITION]).collect::<Vec<_>>());
        let query = include_str!("../../../queries/usage_hourly.sql");
        assert!(usage.iter().all(|(name, ..)| query.contains(name)), "{query}");
        let query = include_str!("../../../queries/usage_by_dimension.sql");
        assert!(parts.iter().all(|(name, ..)| query.contains(name)), "{query}");
        assert!(describe("EVENTS").is_some_and(|text| text.lines().count() == events.len() + 1));
        assert!(describe("").is_some() && describe("partials").is_none());
    }
}

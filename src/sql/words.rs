//! Rewrites DataFusion's errors as one plain line: without syntax trees, internal type names,
//! advice on settings that users cannot change, and pleas to report a bug.

use datafusion::error::DataFusionError;

/// The tables, for who asks for another.
const TABLES_TOLD: &str = "events, usage_hourly, usage_by_dimension and provider_reports";
/// The same for those for whom there are no reports.
const OWN_TABLES_TOLD: &str = "events, usage_hourly and usage_by_dimension";

/// DataFusion's names for kinds of errors.
const KINDS: [&str; 11] = [
    "Compute error: ",
    "Error during planning: ",
    "Schema error: ",
    "SQL error: ",
    "Arrow error: ",
    "Execution error: ",
    "External error: ",
    "This feature is not implemented: ",
    "Not yet implemented: ",
    "Cast error: ",
    "Invalid argument error: ",
];
/// The text from these on is about DataFusion itself.
const ASIDES: [&str; 9] = [
    "This issue was likely caused by",
    "This was likely caused by",
    "Help us resolve this",
    "backtrace:",
    "Candidate functions:",
    "Hint:",
    "You can set",
    "Consider setting",
    "in sqltorel",
];
/// Texts that only occur in messages about DataFusion's internals.
const INSIDES: [&str; 18] = [
    "Some(",
    "None",
    "::",
    "{",
    "Expr",
    "LogicalPlan",
    "ScalarValue",
    "Box(",
    "Ident",
    "sqltorel",
    "DFSchema",
    "PhysicalExpr",
    "Internal",
    "datafusion",
    "DataFusion",
    "RowConverter",
    "ast node",
    "optimizer",
];
/// DataFusion's names of types, and PostgreSQL's. Longer names come first.
const TYPES: [(&str, &str); 34] = [
    ("Timestamp(Nanosecond, Some(\"UTC\"))", "timestamp with time zone"),
    ("Timestamp(Microsecond, Some(\"UTC\"))", "timestamp with time zone"),
    ("Timestamp(Microsecond, None)", "timestamp"),
    ("Timestamp(Nanosecond, None)", "timestamp"),
    ("Timestamp(µs, \"UTC\")", "timestamp with time zone"),
    ("Timestamp(ns, \"UTC\")", "timestamp with time zone"),
    ("Timestamp(µs)", "timestamp"),
    ("Timestamp(ns)", "timestamp"),
    ("Interval(MonthDayNano)", "interval"),
    ("Interval(month_day_nano)", "interval"),
    ("Time64(Nanosecond)", "time"),
    ("Time64(ns)", "time"),
    ("LargeUtf8", "text"),
    ("Utf8View", "text"),
    ("Utf8", "text"),
    ("Decimal128", "numeric"),
    ("Decimal256", "numeric"),
    ("Decimal64", "numeric"),
    ("Decimal32", "numeric"),
    ("UInt64", "bigint"),
    ("UInt32", "integer"),
    ("UInt16", "smallint"),
    ("UInt8", "smallint"),
    ("Int64", "bigint"),
    ("Int32", "integer"),
    ("Int16", "smallint"),
    ("Int8", "smallint"),
    ("Float64", "double precision"),
    ("Float32", "real"),
    ("Float16", "real"),
    ("Boolean", "boolean"),
    ("Date32", "date"),
    ("Date64", "date"),
    ("Binary", "bytea"),
];
/// Prefixes of literals, which DataFusion shows by type and value.
const LITERALS: [&str; 8] =
    ["Utf8View(", "LargeUtf8(", "Utf8(", "UInt64(", "Int64(", "Int32(", "Float64(", "Boolean("];

/// The error in words for the user.
pub(super) fn in_plain_words(error: &DataFusionError) -> String {
    let words = error.strip_backtrace();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    // An error from a filter inside a file's reader arrives in debug format.
    if let Some((why, _)) =
        words.split_once("Refused(\"").and_then(|(_, why)| why.split_once("\")"))
    {
        return why.replace("\\\"", "\"");
    }
    let words = KINDS.iter().fold(words, |words, kind| words.replace(kind, ""));
    let reason = words.as_str();
    let parser =
        reason.strip_prefix("ParserError(\"").or_else(|| reason.strip_prefix("TokenizerError(\""));
    let reason = parser.and_then(|rest| rest.strip_suffix("\")")).unwrap_or(reason);
    if reason.starts_with("table '") && reason.ends_with("not found") {
        let reason = reason.replace("datafusion.public.", "");
        return format!("{reason}; the tables are {TABLES_TOLD}");
    }
    if let Some(known) = known(reason) {
        return known;
    }
    let reason = by_our_types(&without_asides(reason));
    let reason = reason.trim().trim_end_matches(['.', ':', ';']);
    let inside = INSIDES.iter().any(|word| reason.contains(word));
    if reason.is_empty() || inside || matches!(error, DataFusionError::Internal(_)) {
        return "the query cannot be answered: it uses something that is not supported here; rewrite it".to_owned();
    }
    format!("the query cannot be answered: {reason}; change it")
}

/// The words without the table of reports among those that there are.
pub(super) fn without_reports(words: &str) -> String {
    words.replace(TABLES_TOLD, OWN_TABLES_TOLD)
}

/// Errors with their own text.
fn known(reason: &str) -> Option<String> {
    if reason.contains("require unique expression names")
        || reason.contains("field name") && reason.contains("which would be ambiguous")
        || reason.contains("Schema contains duplicate")
        || reason.contains("Ambiguous reference to unqualified field")
            && reason.contains("duplicate")
    {
        return Some("two columns have the same name; name one of them with AS".to_owned());
    }
    let of_subquery = [
        "Physical plan does not support logical expression",
        "__rows_of_in",
        "Correlated scalar subquery must be",
    ];
    if of_subquery.iter().any(|words| reason.contains(words)) {
        let words = "a subquery is not supported at this place, or with this comparison of its rows with \
                     those around it; write it as a join";
        return Some(words.to_owned());
    }
    if reason.contains("information_schema") {
        return Some(format!(
            "SHOW is not supported here; the tables are {TABLES_TOLD}, and DESCRIBE shows their columns"
        ));
    }
    // Our own text, with additions by DataFusion.
    if let Some((_, why)) = reason.split_once("user-defined coercion failed with: ") {
        let why = why.split(" No function matches").next().unwrap_or(why);
        return Some(by_our_types(why.trim_end_matches('.')));
    }
    if let Some((why, _)) = reason.split_once(" Valid fields are") {
        // What follows names a setting that cannot be changed.
        let why = why.split(" Column names are case sensitive").next().unwrap_or(why);
        let why = why.trim_end_matches('.');
        return Some(format!("{why}; DESCRIBE shows the columns of a table"));
    }
    let (_, call) = reason.split_once("given name and argument types '")?;
    let (call, _) = call.split_once("'.")?;
    Some(format!("there is no function {}; cast its arguments", by_our_types(call)))
}

fn without_asides(reason: &str) -> String {
    let end = ASIDES.iter().filter_map(|aside| reason.find(aside)).min().unwrap_or(reason.len());
    let told = reason.get(..end).unwrap_or(reason);
    let told: Vec<_> = told
        .split(". ")
        .filter(|sentence| !sentence.to_lowercase().contains("datafusion"))
        .collect();
    told.join(". ")
}

/// Literals as written in SQL, and types by PostgreSQL's names.
fn by_our_types(words: &str) -> String {
    let mut words = words.to_owned();
    for literal in LITERALS {
        words = unwrapped(&words, literal);
    }
    for (theirs, ours) in TYPES {
        words = words.replace(theirs, ours);
    }
    words
}

/// `5` for `Int64(5)`, and `'a'` for `Utf8("a")`.
fn unwrapped(words: &str, literal: &str) -> String {
    let mut parts = words.split(literal);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let quoted = part.strip_prefix('"').and_then(|rest| rest.split_once("\")"));
        match (quoted, part.split_once(')')) {
            (Some((value, rest)), _) => plain.push_str(&format!("'{value}'{rest}")),
            (None, Some((value, rest))) => plain.push_str(&format!("{value}{rest}")),
            (None, None) => plain.push_str(part),
        }
    }
    plain
}

//! DataFusion's errors in one plain line: without its syntax trees, its names of types, its advice
//! on settings that nobody here can change, and its plea to report a bug.

use datafusion::error::DataFusionError;

/// DataFusion's names for the kind of error.
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
/// Behind these DataFusion speaks of itself.
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
/// What stands in words about its insides.
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
/// Its names of types, and PostgreSQL's. The longer come first.
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
/// Literals are shown by their type and value.
const LITERALS: [&str; 8] =
    ["Utf8View(", "LargeUtf8(", "Utf8(", "UInt64(", "Int64(", "Int32(", "Float64(", "Boolean("];

/// The error in words for whoever asked.
pub(super) fn in_plain_words(error: &DataFusionError) -> String {
    let words = error.strip_backtrace();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    // What a filter inside a file's reader refused comes in the words of a debugger.
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
        return format!("{reason}; the tables are events and usage_hourly");
    }
    if let Some(known) = known(reason) {
        return known;
    }
    let reason = by_our_types(&without_asides(reason));
    let reason = reason.trim().trim_end_matches(['.', ':', ';']);
    let inside = INSIDES.iter().any(|word| reason.contains(word));
    if reason.is_empty() || inside || matches!(error, DataFusionError::Internal(_)) {
        return "the query cannot be answered: it uses what SQL has not here; ask it in another way".to_owned();
    }
    format!("the query cannot be answered: {reason}; change it")
}

/// Errors that are told otherwise.
fn known(reason: &str) -> Option<String> {
    if reason.contains("require unique expression names")
        || reason.contains("Ambiguous reference to unqualified field")
            && reason.contains("duplicate")
    {
        return Some("two columns have the same name; name one of them with AS".to_owned());
    }
    if reason.contains("information_schema") {
        return Some("SHOW is not answered here; the tables are events and usage_hourly, and DESCRIBE shows their columns".to_owned());
    }
    // Words of our own, to which DataFusion has added.
    if let Some((_, why)) = reason.split_once("user-defined coercion failed with: ") {
        let why = why.split(" No function matches").next().unwrap_or(why);
        return Some(by_our_types(why.trim_end_matches('.')));
    }
    if let Some((why, _)) = reason.split_once(" Valid fields are") {
        let why = why.trim_end_matches('.');
        return Some(format!("{why}; DESCRIBE shows the columns of a table"));
    }
    let (_, call) = reason.split_once("given name and argument types '")?;
    let (call, _) = call.split_once("'.")?;
    Some(format!("there is no function {}; cast what it is given", by_our_types(call)))
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

/// Literals as they are written, and types by PostgreSQL's names.
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

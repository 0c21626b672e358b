//! The SQLSTATE of a query's error, by its words: the classes that clients of PostgreSQL tell apart.

/// What DataFusion's own words begin with.
const BEGIN: &str = "the query cannot be answered: ";
/// States by how the words begin, which no text of a query is part of; the first that fits counts.
const BEGINNINGS: [(&str, &str); 44] = [
    ("Expected:", "42601"),
    ("Unterminated", "42601"),
    ("Unexpected", "42601"),
    ("sql parser error", "42601"),
    ("there are several statements", "42601"),
    ("there is no statement", "42601"),
    ("EXPLAIN ANALYZE is refused", "0A000"),
    ("No field named", "42703"),
    ("column '", "42703"),
    ("Column '", "42703"),
    ("table '", "42P01"),
    ("relation \"", "42P01"),
    ("schema \"", "3F000"),
    ("type \"", "42704"),
    ("unrecognized configuration parameter", "42704"),
    ("Invalid function", "42883"),
    ("No function matches", "42883"),
    ("there is no parameter", "42P02"),
    ("there is no window ", "42704"),
    // Of functions and operators.
    ("there is no ", "42883"),
    ("two columns have the same name", "42701"),
    ("Ambiguous reference", "42702"),
    ("Column in SELECT must be in GROUP BY", "42803"),
    ("Column in HAVING must be in GROUP BY", "42803"),
    ("HAVING clause references", "42803"),
    ("Cannot cast", "22P02"),
    ("malformed array literal", "22P02"),
    ("the number of rows", "22023"),
    ("Expected close delimiter", "42601"),
    ("Expected LIMIT to be", "22P02"),
    ("Expected OFFSET to be", "22P02"),
    ("there is a text where a name should be", "42601"),
    ("the rows that are compared have unequal", "42601"),
    ("window ", "42P20"),
    ("Can't cast value", "22003"),
    ("factorial of a negative", "22003"),
    ("cannot take square root", "2201F"),
    ("negative count", "22011"),
    ("LIMIT must be", "2201W"),
    ("OFFSET must be", "2201X"),
    ("field position must", "22023"),
    ("NTILE requires", "22014"),
    ("Failed to decode value", "22023"),
    ("invalid Unicode scalar value", "22023"),
];
/// States by what the words say; the first that fits counts.
const PARTS: [(&str, &str); 28] = [
    ("because SQL only reads", "25006"),
    ("formats are given for", "08P01"),
    ("values are bound to", "08P01"),
    ("nests too deeply", "54001"),
    ("recursion", "54001"),
    ("too many operators", "54001"),
    ("divide by zero", "22012"),
    ("Divide by zero", "22012"),
    ("division by zero", "22012"),
    ("out of range", "22003"),
    ("verflow", "22003"),
    ("does not fit the format", "22007"),
    ("does not fit", "22003"),
    ("too large", "22003"),
    ("more digits than", "22003"),
    ("is not a timestamp", "22007"),
    ("is not a date", "22007"),
    ("is not a time", "22007"),
    ("is not understood", "22007"),
    ("date_trunc does not support", "22023"),
    ("the time zone", "22023"),
    ("annot parse", "22P02"),
    ("is no number", "22P02"),
    ("is not a number", "22P02"),
    ("is not a decimal number", "22P02"),
    ("regular expression", "2201B"),
    ("do not compare; cast one of them", "42883"),
    ("has no cast to", "42846"),
];
/// Of what cannot be answered for another reason.
const OTHER: &str = "0A000";

/// The SQLSTATE of an error in these words.
pub fn state_of(words: &str) -> &'static str {
    let words = words.strip_prefix(BEGIN).unwrap_or(words);
    let begin = BEGINNINGS.iter().find(|(begin, _)| words.starts_with(begin));
    let known = begin.or_else(|| PARTS.iter().find(|(part, _)| words.contains(part)));
    known.map_or(OTHER, |(_, state)| state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_query_do_not_change_the_state() {
        for (words, state) in [
            ("No field named overflow; DESCRIBE shows the columns of a table", "42703"),
            ("the query cannot be answered: No field named \"out of range\"; change it", "42703"),
            ("table 'divide by zero' not found; the tables are events", "42P01"),
            ("there is no parameter $2; bind a value to it", "42P02"),
            ("there is no boolean + integer; cast one of them", "42883"),
            ("divide by zero; use nullif(divisor, 0)", "22012"),
            (
                "the query cannot be answered: Can't cast value 3 to type integer; change it",
                "22003",
            ),
            ("the query cannot be answered: LIMIT must be >= 0, '-1' was provided", "2201W"),
            ("the query cannot be answered: Expected close delimiter '\"' before EOF.", "42601"),
            ("there is no window w; define it in WINDOW", "42704"),
            ("'x' does not fit the format 'YYYY'", "22007"),
            ("DELETE is refused, because SQL only reads here; use SELECT", "25006"),
            ("the query cannot be answered: Window frames are not supported; change it", "0A000"),
        ] {
            assert_eq!(state_of(words), state, "{words}");
        }
    }
}

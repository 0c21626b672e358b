//! Tests of the order in which aggregates take rows, with keys that decide nothing.

use super::{answer, small};

const ROWS: &str = "(values ('k', 1, 'x'), ('k', 2, 'y'), ('l', 3, 'x')) t(g, n, s)";

#[test]
fn a_sort_key_that_comes_again_decides_nothing() {
    let archive = small();
    for (question, expected) in [
        ("select g, first_value(n order by n desc, n) from {} group by g order by g", "k,2|l,3"),
        ("select g, last_value(s order by n, n desc, n) from {} group by g order by g", "k,y|l,x"),
        ("select first_value(n order by s, s, n) from {}", "1"),
        // Keys that are the same only once they are made simpler, or by another name.
        (
            "select g, first_value(n order by n desc, n + 0) from {} group by g order by g",
            "k,2|l,3",
        ),
        ("select distinct on (a) g as a, g, n from {} order by 1, g, n desc", "k,k,2|l,l,3"),
        ("select distinct on (s) s, n from {} order by s, s, n desc, n", "x,3|y,2"),
        ("select g, array_agg(s order by n, n desc) from {} group by g order by g", K_AND_L),
        ("select g, string_agg(s, '/' order by n, n) from {} group by g order by g", "k,x/y|l,x"),
        ("select string_agg(distinct s, '/' order by s, s) from {}", "x/y"),
        ("select array_agg(n order by n, n desc) from {}", "\"[1,2,3]\""),
    ] {
        assert_eq!(rows(&archive, question), expected, "{question}");
    }
}

const K_AND_L: &str = "k,\"[\"\"x\"\",\"\"y\"\"]\"|l,\"[\"\"x\"\"]\"";

#[test]
fn an_order_for_which_an_aggregate_does_not_ask_decides_nothing() {
    let archive = small();
    for (question, expected) in [
        ("select max(n order by n), min(s order by n desc, s) from {}", "3,x"),
        ("select g, max(n order by s, n) from {} group by g order by g", "k,2|l,3"),
        ("select count(*), sum(n order by n, n), avg(n order by s) from {}", "3,6,2"),
        ("select bool_or(n > 2 order by n), var_pop(n order by n, s) > 0.6 from {}", "true,true"),
        ("select percentile_disc(0.5) within group (order by n desc) from {}", "2"),
    ] {
        assert_eq!(rows(&archive, question), expected, "{question}");
    }
}

/// The rows of an answer, in one line.
fn rows(archive: &tempfile::TempDir, question: &str) -> String {
    let question = question.replace("{}", ROWS);
    let text = answer(archive.path(), &["-c", &question, "--format", "csv"]);
    text.lines().skip(1).collect::<Vec<_>>().join("|")
}

//! Tests with what BI tools ask, as their sources have it: `tests/corpus-pg`.

use super::Lake;
use crate::support::pg::PgClient;

/// The questions of a tool: a statement each, which ends with its line.
fn asked(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with("--") && !line.is_empty());
    let asked: Vec<_> = lines.collect();
    assert!(asked.iter().all(|line| line.ends_with(';')), "a statement has one line");
    asked
}

const TOOLS: [(&str, &str); 5] = [
    ("DBeaver", include_str!("../../corpus-pg/dbeaver.sql")),
    ("Grafana", include_str!("../../corpus-pg/grafana.sql")),
    ("Metabase", include_str!("../../corpus-pg/metabase.sql")),
    ("Superset", include_str!("../../corpus-pg/superset.sql")),
    ("others", include_str!("../../corpus-pg/tools.sql")),
];

#[test]
fn what_tools_ask_is_answered() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let mut wrong = Vec::new();
    for (tool, questions) in TOOLS {
        for question in asked(questions) {
            let answer = client.query(question);
            if answer.error.is_some() {
                wrong.push(format!("{tool}: {question}\n  {:?}", answer.error));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are not answered:\n{}", wrong.len(), wrong.join("\n"));
}

fn texts(client: &mut PgClient, tool: &str, part: &str) -> Vec<Vec<String>> {
    let (_, questions) = TOOLS.iter().find(|(name, _)| *name == tool).unwrap();
    let question = asked(questions).into_iter().find(|question| question.contains(part)).unwrap();
    client.query(question).texts()
}

#[test]
fn tools_learn_tables_and_columns() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    assert_eq!(texts(&mut client, "Grafana", "server_version_num"), [["1500"]]);
    let tables = ["events", "provider_reports", "usage_by_dimension", "usage_hourly"];
    let shown = texts(&mut client, "Grafana", "= 'public' ORDER BY 1");
    assert_eq!(shown.concat(), tables);
    let columns = texts(&mut client, "Grafana", "ELSE quote_ident(table_name) = 'events'");
    assert!(columns.contains(&vec!["cost_usd".into(), "numeric".into()]), "{columns:?}");
    assert!(columns.contains(&vec!["ts".into(), "timestamp with time zone".into()]), "{columns:?}");
    let synced = texts(&mut client, "Metabase", "estimated_row_count");
    assert_eq!(synced.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), tables);
    let fields = texts(&mut client, "Metabase", "database-is-auto-increment");
    assert!(fields.iter().any(|row| row[..2] == ["attributes", "jsonb"]), "{fields:?}");
    let named = texts(&mut client, "others", "'events'::regclass::oid");
    assert_eq!(named, [["16384", "events", "2200", "public", "23", "integer"]]);
    let allowed = texts(&mut client, "others", "has_table_privilege");
    assert_eq!(allowed, [["t", "f", "t"]]);
    let sums = texts(&mut client, "Grafana", "AS cost");
    assert_eq!(sums.len(), 3, "{sums:?}");
}

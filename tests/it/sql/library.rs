//! Tests of the queries of `queries/library`, each on a small archive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{answer, small};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/library")
}

/// What each answers, after its head.
const EXPECTED: [(&str, &str, &[&str]); 8] = [
    (
        "spend_by_day",
        "day,provider,model,requests,cost_usd",
        &[
            "2026-01-15,openai,gpt-4o,2,0.3",
            "2026-01-15,openai,\"mini, \"\"x\"\"\",1,",
            "2026-01-08,openai,gpt-4o,1,0.000000000001",
        ],
    ),
    (
        "top_orgs",
        "org_id,requests,tokens,cost_usd,share",
        &["acme,3,133,0.3,100", "globex,1,4,0.000000000001,0"],
    ),
    (
        "cost_per_1000_calls",
        "provider,model,calls,cost_usd,per_1000_calls",
        &["openai,gpt-4o,3,0.300000000001,100"],
    ),
    (
        "cache_hit_share",
        "provider,model,calls,input_tokens,cached_tokens,cached_percent",
        &["openai,gpt-4o,1,100,40,40"],
    ),
    (
        "unpriced_models",
        "provider,model,orgs,unpriced,calls,last_seen",
        &["openai,\"mini, \"\"x\"\"\",1,1,1,2026-01-15T20:00:00.000001Z"],
    ),
    (
        "busiest_hours",
        "hour,requests,orgs,tokens,cost_usd",
        &[
            "2026-01-15T10:00:00Z,2,1,132,0.3",
            "2026-01-08T09:00:00Z,1,1,4,0.000000000001",
            "2026-01-15T20:00:00Z,1,1,1,",
        ],
    ),
    (
        "usage_from_rows",
        "org_id,provider,model,hour,requests,input_tokens,output_tokens,cost_usd",
        &[
            "acme,openai,gpt-4o,2026-01-15T10:00:00Z,2,110,22,0.3",
            "acme,openai,\"mini, \"\"x\"\"\",2026-01-15T20:00:00Z,1,1,0,",
            "globex,openai,gpt-4o,2026-01-08T09:00:00Z,1,3,1,0.000000000001",
        ],
    ),
    (
        "week_over_week",
        "provider,model,requests,cost_usd,cost_before,change",
        &[
            "openai,gpt-4o,2,0.3,0.000000000001,0.299999999999",
            "openai,\"mini, \"\"x\"\"\",1,0,0,0",
        ],
    ),
];

#[test]
fn each_question_is_answered_exactly() {
    let archive = small();
    for (name, head, rows) in EXPECTED {
        let file = folder().join(format!("{name}.sql"));
        let args = ["-f", file.to_str().unwrap(), "--format", "csv"];
        let answer = answer(archive.path(), &args);
        let (first, rest) = answer.split_once('\n').unwrap();
        assert_eq!(first, head, "{name}");
        assert_eq!(rest.lines().collect::<Vec<_>>(), rows, "{name}");
    }
}

#[test]
fn each_question_is_here_and_says_what_it_gives() {
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let files: BTreeSet<_> = files.collect();
    let expected = EXPECTED.iter().map(|(name, ..)| folder().join(format!("{name}.sql")));
    assert_eq!(files, expected.collect::<BTreeSet<_>>());
    for (file, (_, head, _)) in files.iter().map(|file| {
        let stem = file.file_stem().unwrap();
        (file, EXPECTED.iter().find(|(name, ..)| *name == stem).unwrap())
    }) {
        let text = std::fs::read_to_string(file).unwrap();
        let header: String = text.lines().take_while(|line| line.starts_with("--")).collect();
        assert!(header.contains("-- Table:") && header.contains("-- Columns:"), "{file:?}");
        for column in head.split(',') {
            assert!(header.contains(column), "{file:?} does not describe {column}");
        }
    }
}

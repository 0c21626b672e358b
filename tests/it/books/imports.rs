//! Imports: each form into the table, once however often; wrong files leave nothing; damage is named.

use std::process::Stdio;

use serde_json::json;

use super::{DAY, HOUR, Priced, anthropic, cost, import, openai, rows, used};
use crate::pricing::priced::files;
use crate::support::process::{program, tokenlake};

const ROWS: &str =
    "SELECT * FROM provider_reports ORDER BY provider, report, start, model, line_item";

#[test]
fn each_form_becomes_rows_and_an_import_twice_is_one() {
    let acme = Priced::start(&[]);
    let usage = openai(&[
        (DAY, DAY + HOUR, json!([used(&json!("gpt-4o"), 2, 1_000, 50)])),
        (DAY + HOUR, DAY + 2 * HOUR, json!([])),
    ]);
    let costs = openai(&[(
        DAY,
        DAY + 86_400,
        json!([cost(&json!("gpt-4o, input"), "0.0123456789012345")]),
    )]);
    let anthropic_usage = anthropic(&json!([{
        "uncached_input_tokens": 1500, "cache_read_input_tokens": 200, "output_tokens": 500,
        "cache_creation": { "ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500 },
        "server_tool_use": { "web_search_requests": 10 }, "model": "claude-opus-4-1-20250805",
        "service_tier": "standard", "context_window": "0-200k", "api_key_id": null, "workspace_id": null,
    }]));
    let anthropic_costs = anthropic(&json!([{
        "amount": "123.78912", "currency": "USD", "description": "Claude Opus 4.1 Usage - Input Tokens",
        "model": "claude-opus-4-1-20250805", "cost_type": "tokens", "token_type": "uncached_input_tokens",
        "service_tier": "standard", "context_window": "0-200k", "workspace_id": null,
    }]));
    let pages = [
        ("openai-usage", usage),
        ("openai-costs", costs),
        ("anthropic-usage", anthropic_usage),
        ("anthropic-costs", anthropic_costs),
    ];
    for (format, page) in &pages {
        let done = import(&acme, format, page);
        let told =
            format!("imported {format} of acme: 1 row of 1 day; 1 new, 0 replaced, 0 unchanged\n");
        assert_eq!((done.stdout, done.stderr.as_str()), (told, ""), "{format}");
    }
    let found = rows(&acme, ROWS);
    let row = |provider: &str, report: &str, end: &str| {
        json!({
            "org_id": "acme", "provider": provider, "report": report, "start": "2026-11-03T00:00:00Z",
            "end": end, "model": "claude-opus-4-1-20250805", "line_item": null, "requests": null,
            "input_tokens": null, "output_tokens": null, "cached_input_tokens": null,
            "cache_write_tokens": null, "cost_usd": null,
        })
    };
    let day_end = "2026-11-04T00:00:00Z";
    let mut expected = [
        row("anthropic", "costs", day_end),
        row("anthropic", "usage", day_end),
        row("openai", "costs", day_end),
        row("openai", "usage", "2026-11-03T01:00:00Z"),
    ];
    expected[0]["line_item"] = json!("Claude Opus 4.1 Usage - Input Tokens");
    expected[0]["cost_usd"] = json!("1.2378912");
    for (name, tokens) in [
        ("input_tokens", 3200),
        ("output_tokens", 500),
        ("cached_input_tokens", 200),
        ("cache_write_tokens", 1500),
    ] {
        expected[1][name] = json!(tokens);
    }
    expected[2]["model"] = json!(null);
    expected[2]["line_item"] = json!("gpt-4o, input");
    expected[2]["cost_usd"] = json!("0.012345678901");
    expected[3]["model"] = json!("gpt-4o");
    for (name, figure) in
        [("requests", 2), ("input_tokens", 1000), ("output_tokens", 50), ("cached_input_tokens", 0)]
    {
        expected[3][name] = json!(figure);
    }
    assert_eq!(found, json!(expected));

    // The same again changes nothing in the archive, and other figures of a bucket take its place.
    let reports = acme.archive.path().join("reports");
    let objects = || {
        let folders = ["catalogues/org=acme", "parts/org=acme", "newest"];
        folders.map(|folder| files(&reports.join(folder)))
    };
    let before = objects();
    for (format, page) in &pages {
        assert!(import(&acme, format, page).stdout.ends_with("0 new, 0 replaced, 1 unchanged\n"));
    }
    assert_eq!(objects(), before);
    assert_eq!(rows(&acme, ROWS), found);
    let again = openai(&[(
        DAY,
        DAY + HOUR,
        json!([used(&json!("gpt-4o"), 3, 7, 7), used(&json!("o3"), 1, 1, 1)]),
    )]);
    let done = import(&acme, "openai-usage", &again);
    assert!(done.stdout.ends_with("1 new, 1 replaced, 0 unchanged\n"), "{done:?}");
    let sums = "SELECT count(*) AS n, sum(requests) AS requests FROM provider_reports WHERE report = 'usage' AND provider = 'openai'";
    assert_eq!(rows(&acme, sums), json!([{ "n": 2, "requests": 4 }]));
    // Reports are never added to events.
    assert_eq!(rows(&acme, "SELECT count(*) AS n FROM events"), json!([{ "n": 0 }]));
    let columns = rows(
        &acme,
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'provider_reports'",
    );
    assert_eq!(columns.as_array().unwrap().len(), 13, "{columns}");
}

#[test]
fn pages_come_in_many_files_in_one_and_on_stdin() {
    let acme = Priced::start(&[]);
    let page = |hour: i64| {
        let start = DAY + hour * HOUR;
        openai(&[(start, start + HOUR, json!([used(&json!("gpt-4o"), 1, 1, 1)]))])
    };
    let one = acme.file("one.json", &page(0).to_string());
    let two = acme.file("two.ndjson", &format!("{}\n{}\n", page(1), page(2)));
    let list = acme.file("list.json", &json!([page(3), page(4)]).to_string());
    let import = ["report", "import", "--format", "openai-usage", "--org", "acme"];
    let done = acme.run(&[&import[..], &[&one, &two, &list]].concat());
    assert!(done.stdout.contains(" 5 rows of 1 day; 5 new"), "{done:?}");
    let last = acme
        .file("last.json", &page(5).to_string().replace("\"has_more\":false", "\"has_more\":true"));
    let mut command = program();
    command.arg("--archive").arg(acme.archive.path()).args(import).arg("-");
    command.stdin(Stdio::from(std::fs::File::open(&last).unwrap()));
    let output = command.output().unwrap();
    let [said, noted] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(said.contains("1 new") && noted.contains("there are more"), "{output:?}");
    assert_eq!(rows(&acme, "SELECT count(*) AS n FROM provider_reports"), json!([{ "n": 6 }]));
}

#[test]
fn a_file_that_is_no_report_is_refused_and_leaves_nothing() {
    let acme = Priced::start(&[]);
    let fine = acme.file(
        "fine.json",
        &openai(&[(DAY, DAY + HOUR, json!([used(&json!("a"), 1, 1, 1)]))]).to_string(),
    );
    let with = |result| openai(&[(DAY, DAY + HOUR, json!([result]))]).to_string();
    for (name, text) in [
        ("empty", String::new()),
        ("no JSON", "usage".to_owned()),
        ("an error", r#"{"error":{"message":"no"}}"#.to_owned()),
        ("costs", with(cost(&json!(null), "1"))),
        ("below 0", with(used(&json!("a"), -1, 1, 1))),
        ("not whole", with(json!({ "num_model_requests": 1.5 }))),
        ("Anthropic's", anthropic(&json!([])).to_string()),
        ("a week", openai(&[(DAY, DAY + 7 * 86_400, json!([]))]).to_string()),
        ("cut", with(used(&json!("a"), 1, 1, 1))[..100].to_owned()),
    ] {
        let wrong = acme.file("wrong.json", &text);
        let import = ["report", "import", "--format", "openai-usage", "--org", "acme"];
        let done = acme.run(&[&import[..], &[&fine, &wrong]].concat());
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{name}: {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{name}: {done:?}");
        assert!(
            done.stderr.contains("cannot import ") && done.stderr.contains("wrong.json"),
            "{name}: {done:?}"
        );
    }
    let done = acme.run(&["report", "import", "--format", "openai-usage", "--org", "acme", "/no"]);
    assert!(done.status == 1 && done.stderr.contains("cannot read /no: "), "{done:?}");
    let done = acme.run(&["report", "import", "--format", "openai", "--org", "acme", &fine]);
    assert_eq!(done.status, 2, "{done:?}");
    // Another spelling of an organisation is refused, too.
    let done = acme.run(&["report", "import", "--format", "openai-usage", "--org", "ACME", &fine]);
    assert_eq!(done.status, 1, "{done:?}");
    // An archive that is misspelt is not made.
    let nowhere = acme.archive.path().join("nowhere");
    let args = ["report", "import", "--format", "openai-usage", "--org", "acme", fine.as_str()];
    let done = tokenlake(&nowhere, &args);
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.stderr.contains("there is no archive") && !nowhere.exists(), "{done:?}");
    let left = |folder: &str| {
        let folder = acme.archive.path().join("reports").join(folder);
        if folder.exists() { files(&folder).len() } else { 0 }
    };
    assert_eq!((left("catalogues"), left("newest")), (0, 0));
    assert_eq!(rows(&acme, "SELECT count(*) AS n FROM provider_reports"), json!([{ "n": 0 }]));
}

#[test]
fn a_report_that_is_damaged_or_gone_is_named() {
    let acme = Priced::start(&[]);
    let page = openai(&[(DAY, DAY + HOUR, json!([used(&json!("gpt-4o"), 1, 1, 1)]))]);
    import(&acme, "openai-usage", &page);
    let reports = acme.archive.path().join("reports");
    let paths = [
        files(&reports.join("catalogues/org=acme")).remove(0),
        files(&reports.join("parts/org=acme")).remove(0),
    ];
    for path in paths {
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for bytes in [Some(flipped), None] {
            match &bytes {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let name = path.strip_prefix(acme.archive.path()).unwrap().to_str().unwrap();
            let sql = ["sql", "-c", "SELECT count(*) FROM provider_reports"];
            let month = ["reconcile", "--month", "2026-11"];
            let again = acme.file("page.json", &page.to_string());
            let import = ["report", "import", "--format", "openai-usage", "--org", "acme", &again];
            for command in [&sql[..], &month, &import] {
                let done = acme.run(command);
                assert!(done.status == 1 && done.stderr.contains(name), "{name}: {done:?}");
            }
            let (status, told) = super::asked(&acme, &acme.key, sql[2]);
            assert!(status >= 500 && told.to_string().contains(name), "{status} {told}");
            // Queries of events do not read it.
            assert_eq!(super::asked(&acme, &acme.key, "SELECT count(*) AS n FROM events").0, 200);
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(
            rows(&acme, "SELECT requests FROM provider_reports"),
            json!([{ "requests": 1 }])
        );
    }
}

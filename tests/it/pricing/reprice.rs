//! `tokenlake reprice` on the archive of a server: each call gets the price of the tables once, and all that
//! shows costs shows the same.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::calls::{AT, known};
use super::priced::{Priced, files, plain};
use crate::support::client;
use crate::support::exact;
use crate::support::poll;
use crate::support::process::{Done, key, program, tokenlake};
use crate::support::random::Random;
use crate::support::scrape::{Series, assert_no_counter_fell, parse};

const MINI: &str = "openai/gpt-4o-mini";

fn shown(acme: &Priced) -> Series {
    let url = acme.server.url("/metrics?collect[]=core&collect[]=pricing&collect[]=dimensions");
    let answer = client::get(&url, &acme.key);
    assert_eq!(answer.status, 200, "{}", answer.text());
    parse(answer.text())
}

fn sum(series: &Series, family: &str) -> i128 {
    let start = format!("{family}{{");
    let of = series.iter().filter(|(name, _)| name.starts_with(&start));
    of.map(|(_, value)| exact::parse(value)).sum()
}

/// The cost of all that is in the archive: by counters, by the gauge, by SQL and by usage, which must agree;
/// and how many calls have no price.
fn net(acme: &Priced) -> (String, i64) {
    let series = shown(acme);
    let counters = sum(&series, "llm_cost_usd_total") - sum(&series, "llm_cost_usd_credits_total");
    let rows = acme.sql("select sum(cost_usd) as cost from events");
    let raw = rows[0]["cost"].as_str().map_or("0".to_owned(), plain);
    let hourly = acme.sql("select sum(cost_usd) as cost, sum(unpriced) as bare from usage_hourly");
    let summed = hourly[0]["cost"].as_str().map_or("0".to_owned(), plain);
    let url = acme.server.url("/v1/usage?from=2026-11-01&to=2026-12-01&step=total");
    let usage = client::get(&url, &acme.key).json();
    let [told, bare] = ["cost_usd", "unpriced_requests"].map(|name| usage["rows"][0][name].clone());
    assert_eq!(exact::format(counters), raw);
    assert_eq!((raw.as_str(), told.as_str()), (summed.as_str(), Some(raw.as_str())), "{usage}");
    let left = sum(&series, "llm_requests_unpriced_total")
        - sum(&series, "llm_requests_priced_later_total");
    let bare = bare.as_i64().unwrap();
    assert_eq!(exact::parse(&bare.to_string()), left, "{series:?}");
    (raw, bare)
}

fn ok(done: &Done) -> &Done {
    assert_eq!(done.status, 0, "{done:?}");
    done
}

/// The lines of the table that a run prints, each as its words.
fn lines(done: &Done) -> Vec<Vec<&str>> {
    let mut lines = ok(done).stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), ["ORG", "MODEL", "EVENTS", "DIFFERENCE"]);
    lines.collect()
}

fn json_of(done: &Done) -> Value {
    serde_json::from_str(&ok(done).stdout).unwrap()
}

fn import(acme: &Priced, name: &str, input: &str) {
    let rule = json!({ "id": "r", "provider": "openai", "model": "gpt-4o-mini", "rates": { "input": input, "output": "0" } });
    let table =
        json!({ "format": "tokenlake.prices", "version": 1, "table": name, "rules": [rule] });
    let file = acme.file(&format!("{name}.json"), &table.to_string());
    ok(&acme.run(&["price", "import", &file]));
}

fn mini(id: &str, tokens: i64) -> Value {
    json!({
        "event_id": id, "ts": AT, "provider": "openai", "model": "gpt-4o-mini",
        "input_tokens": tokens, "output_tokens": 0,
    })
}

#[test]
fn calls_without_a_price_get_it_once_and_everything_shows_it() {
    let acme = Priced::start(&["--prices", "none"]);
    let this_month = |call: &Value| call["ts"] == AT;
    let calls: Vec<_> = known().into_iter().filter(|(call, _)| this_month(call)).collect();
    let mut events = Vec::new();
    for (nth, (call, _)) in calls.iter().enumerate() {
        let mut event = call.clone();
        event["event_id"] = format!("c{nth}").into();
        events.push(event);
    }
    let mut reported = mini("reported", 5);
    reported["cost_usd"] = "0".into();
    let mut other = mini("other", 5);
    other["event_type"] = "embedding_job".into();
    events.extend([reported, other]);
    assert_eq!(acme.post(&events).status, 200);
    let (costs, without): (Vec<_>, Vec<_>) = calls.iter().partition(|(_, cost)| cost.is_some());
    let expected: i128 = costs.iter().map(|(_, cost)| exact::parse(cost.unwrap())).sum();
    let bare = i64::try_from(calls.len()).unwrap();
    assert_eq!(net(&acme), ("0".to_owned(), bare));
    let before = shown(&acme);

    let archive = || {
        let mut all = files(acme.archive.path());
        all.extend(files(&acme.archive.path().join("events")));
        all.extend(files(&acme.archive.path().join("events/_delta_log")));
        all
    };
    let objects = archive();
    let dry = acme.run(&["reprice", "--dry-run"]);
    assert_eq!(archive(), objects);
    assert_eq!(net(&acme).0, "0");
    let told = lines(&dry);
    let of_mini = told.iter().find(|line| line[1] == "gpt-4o-mini-2024-07-18").unwrap();
    assert_eq!(of_mini[..], ["acme", "gpt-4o-mini-2024-07-18", "1", "0.00000705"]);
    let differences: i128 = told.iter().map(|line| exact::parse(line[3])).sum();
    assert_eq!(differences, expected);
    let written = format!("{} corrections", costs.len());
    assert!(dry.stderr.contains(&format!("{written} would be written; nothing was")), "{dry:?}");
    let left = format!("left as before: {} calls for which these tables", without.len());
    assert!(dry.stderr.contains(&left), "{dry:?}");

    let done = acme.run(&["reprice"]);
    assert_eq!(lines(&done), told);
    assert!(done.stderr.contains(&format!("{written} were written")), "{done:?}");
    let after = shown(&acme);
    assert_no_counter_fell(&before, &after);
    let expected = (exact::format(expected), i64::try_from(without.len()).unwrap());
    assert_eq!(net(&acme), expected);
    for again in [&["reprice"][..], &["reprice", "--all"], &["reprice", "--prices", "none"]] {
        assert_eq!(lines(&acme.run(again)), Vec::<Vec<&str>>::new());
        assert_eq!(net(&acme), expected);
    }
    let rows = acme.sql("select event_id, cost_source, attributes['corrects'] as of, attributes['was_unpriced'] as was, ts, input_tokens from events where event_type = 'cost_correction' and attributes['corrects'] = 'c0'");
    assert_eq!((rows[0]["of"].as_str(), rows[0]["was"].as_str()), (Some("c0"), Some("true")));
    let called = acme.sql("select ts from events where event_id = 'c0'");
    assert_eq!((&rows[0]["ts"], &rows[0]["input_tokens"]), (&called[0]["ts"], &json!(0)));
    let source = rows[0]["cost_source"].as_str().unwrap();
    assert!(source.starts_with("price:builtin-") && source.ends_with(&format!("#{MINI}")));
    assert_eq!(acme.cost("reported").1.as_deref(), Some("reported"));
    ok(&acme.run(&["verify"]));
}

#[test]
fn all_calls_of_tables_get_the_price_of_the_table_that_is_in_force() {
    let acme = Priced::start(&["--prices", "archive"]);
    import(&acme, "one", "3");
    std::thread::sleep(Duration::from_secs(5));
    let mut reported = mini("r", 1_000_000);
    reported["cost_usd"] = "7".into();
    let late =
        json!({ "event_id": "x", "ts": AT, "provider": "us", "model": "else", "input_tokens": 1 });
    assert_eq!(acme.post(&[mini("a", 1_000_000), mini("b", 0), reported, late]).status, 200);
    assert_eq!(acme.cost("a").0.as_deref(), Some("3"));
    assert_eq!(net(&acme), ("10".to_owned(), 1));
    let mut before = shown(&acme);
    // To and fro: each table counts as the last one did not.
    for (name, input, difference, all) in [
        ("two", "5", "2", "12"),
        ("three", "1", "-4", "8"),
        ("one", "3", "2", "10"),
        ("none", "0", "-3", "7"),
        ("one", "3", "3", "10"),
    ] {
        import(&acme, name, input);
        let by_default = acme.run(&["reprice", "--prices", "archive"]);
        assert_eq!(lines(&by_default), Vec::<Vec<&str>>::new());
        for lines_expected in [vec![vec!["acme", "gpt-4o-mini", "1", difference]], vec![]] {
            let done = acme.run(&["reprice", "--all", "--prices", "archive"]);
            assert_eq!(lines(&done), lines_expected, "{name}");
            assert_eq!(net(&acme), (all.to_owned(), 1));
        }
        let now = shown(&acme);
        assert_no_counter_fell(&before, &now);
        before = now;
    }
    // By the built-in table, and back.
    for (prices, all) in [("builtin", "10"), ("none", "10"), ("archive", "10")] {
        ok(&acme.run(&["reprice", "--all", "--prices", prices]));
        assert_eq!(net(&acme).0, all, "{prices}");
    }
    assert_eq!(acme.cost("r"), (Some("7".to_owned()), Some("reported".to_owned())));
    ok(&acme.run(&["verify"]));
}

#[test]
fn only_what_is_asked_for_is_priced() {
    let acme = Priced::start(&["--prices", "none"]);
    let other = key(acme.archive.path(), "other");
    let event = |id: &str, ts: &str, provider: &str, model: &str| {
        json!({
            "event_id": id, "ts": ts, "provider": provider, "model": model,
            "input_tokens": 1_000_000, "output_tokens": 0,
        })
    };
    let events = [
        event("a", "2026-11-20T12:00:00Z", "OpenAI", "GPT-4o-mini"),
        event("b", "2026-11-21T00:00:00Z", "openai", "gpt-4o-mini"),
        event("c", "2026-11-21T23:59:59.999999Z", "azure", "gpt-4o-mini"),
        event("d", "2026-11-22T00:00:00Z", "openai", "o3"),
    ];
    assert_eq!(acme.post(&events).status, 200);
    assert_eq!(super::priced::post(&acme.server, &other, &events[..1]).status, 200);
    let told = |args: &[&str]| -> Vec<(String, String, u64)> {
        let asked = [&["reprice", "--dry-run", "--format", "json"], args].concat();
        let told = json_of(&acme.run(&asked));
        let changes = told["changes"].as_array().unwrap().iter().map(|one| {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            (text("org_id"), text("model"), one["events"].as_u64().unwrap())
        });
        changes.collect()
    };
    let line = |org: &str, model: &str, events| (org.to_owned(), model.to_owned(), events);
    let mini = |events| vec![line("acme", "gpt-4o-mini", events)];
    let of = ["--org", "acme"];
    for (args, expected) in [
        (&["--provider", "azure"][..], mini(1)),
        (&["--provider", "OPENAI", "--model", "gpt-4O-MINI"], mini(2)),
        (&["--from", "2026-11-21", "--to", "2026-11-22"], mini(2)),
        (&["--to", "2026-11-21"], mini(1)),
        (&["--from", "2026-11-22T00:00:00Z"], vec![line("acme", "o3", 1)]),
        (&["--from", "2026-11-22T02:00:00+02:00"], vec![line("acme", "o3", 1)]),
        (&["--from", "2026-11-22T00:00:00.000001Z"], vec![]),
        (&["--from", "2026-11-21", "--to", "2026-11-21"], vec![]),
        (&["--model", "o1"], vec![]),
    ] {
        assert_eq!(told(&[&of, args].concat()), expected, "{args:?}");
    }
    assert_eq!(told(&["--org", "nobody"]), vec![]);
    assert_eq!(told(&["--org", "other"]), vec![line("other", "gpt-4o-mini", 1)]);
    assert_eq!(told(&[]).len(), 3);
    let done = json_of(&acme.run(&["reprice", "--format", "json", "--model", "o3"]));
    assert_eq!((&done["written"], &done["left_without_price"]), (&json!(1), &json!(0)));
    assert_eq!(told(&of), mini(3));

    let run = |args: &[&str]| acme.run(&[&["reprice"], args].concat());
    for (args, status, said) in [
        (&["--from", "2026-11-02", "--to", "2026-11-01"][..], 1, "--from is after --to"),
        (&["--from", "soon"], 2, "--from"),
        (&["--org", "a b"], 2, "--org"),
        (&["--prices", "mine"], 2, "--prices"),
    ] {
        let done = run(args);
        assert_eq!((done.status, done.stdout.as_str()), (status, ""), "{args:?}: {done:?}");
        assert_eq!(done.stderr.trim_end().lines().count(), 1, "{done:?}");
        assert!(done.stderr.contains(said), "{done:?}");
    }
    for dry in [&["reprice", "--dry-run"][..], &["reprice"]] {
        let nowhere = acme.archive.path().join("nowhere");
        let done = tokenlake(&nowhere, dry);
        assert_eq!(done.status, 1, "{done:?}");
        assert!(done.stderr.contains("there is no archive") && !nowhere.exists(), "{done:?}");
    }
}

const ROWS: usize = 30_000;

fn start(acme: &Priced, args: &[&str]) -> Child {
    let mut command = program();
    command
        .arg("--archive")
        .arg(acme.archive.path())
        .args(["reprice", "--memory", "1MiB"])
        .args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How many entries the log has.
fn log(acme: &Priced) -> usize {
    files(&acme.archive.path().join("events/_delta_log")).len()
}

#[test]
fn a_run_that_is_killed_or_stopped_and_run_again_is_exact_beside_a_server() {
    let acme = Priced::start(&["--prices", "none"]);
    let row = |id: usize| {
        let mut row = mini(&format!("h{id}"), 1 + id as i64);
        row["ts"] = format!("2026-11-{:02}T12:00:00Z", 10 + id % 3).into();
        format!("{row}\n")
    };
    let input = acme.file("history.ndjson", &(0..ROWS).map(row).collect::<String>());
    ok(&acme.run(&["backfill", "--org", "acme", "--prices", "none", &input]));
    let tokens: i128 = (1..=ROWS as i128).sum();
    let mut random = Random(11);
    let mut before = shown(&acme);
    // By commits instead of by time, so that a fast machine is stopped in the middle too: before the first
    // commit of a run, and within or just after one. A run that has nothing left to do ends by itself.
    let work = |commits: usize, pause: u64| {
        let before = log(&acme);
        let mut child = start(&acme, &[]);
        poll(Duration::from_secs(60), "a commit or the end", || {
            (log(&acme) >= before + commits || child.try_wait().unwrap().is_some()).then_some(())
        });
        std::thread::sleep(Duration::from_millis(pause));
        child
    };
    for kill in 0..4 {
        let mut child = work(kill.min(1), random.below(if kill == 0 { 400 } else { 40 }));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(acme.post(&[mini(&format!("live{kill}"), 0)]).status, 200);
        let now = shown(&acme);
        assert_no_counter_fell(&before, &now);
        before = now;
    }
    let child = work(1, 0);
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    match output.status.code().expect("it ended by itself") {
        // Before and after its work a run ends at once: without words, or having said what it did.
        130 => assert!(
            said.is_empty()
                || said.contains("run the same command again")
                || said.contains("corrections were written"),
            "{said}"
        ),
        code => assert_eq!(code, 0, "{said}"),
    }
    let (one, two) = (start(&acme, &[]), start(&acme, &[]));
    for child in [one, two] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    // 0.15 dollars for a million tokens.
    assert_eq!(net(&acme), (exact::format(tokens * 150_000), 0));
    assert_no_counter_fell(&before, &shown(&acme));
    let rows = acme.sql("select count(*) as n, count(distinct attributes['corrects']) as events from events where event_type = 'cost_correction'");
    assert_eq!((&rows[0]["n"], &rows[0]["events"]), (&json!(ROWS + 4), &json!(ROWS + 4)));
    ok(&acme.run(&["compact"]));
    let last = acme.run(&["reprice", "--all"]);
    assert_eq!(lines(&last), Vec::<Vec<&str>>::new());
    ok(&acme.run(&["verify"]));
}

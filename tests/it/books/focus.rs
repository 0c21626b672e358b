//! The export of charges: exact shares, the columns of the specification, and what other programs read.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use super::{DAY, Priced, call, rows, send};
use crate::support::client;
use crate::support::exact;
use crate::support::process::{Done, key_with};
use crate::support::readers;

fn export(acme: &Priced, month: &str, format: &str, more: &[&str]) -> (Done, String) {
    let output = acme.archive.path().join(format!("charges.{format}"));
    let output = output.to_str().unwrap().to_owned();
    let args = ["export", "focus", "--month", month, "--format", format, "--output", &output];
    let done = acme.run(&[&args[..], more].concat());
    assert_eq!((done.status, done.stdout.as_str()), (0, ""), "{done:?}");
    (done, output)
}

/// The rows of a CSV file by column.
fn charges(path: &str) -> Vec<BTreeMap<String, String>> {
    let mut file = csv::Reader::from_path(path).unwrap();
    let names: Vec<_> = file.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = file.records().map(|row| {
        let row = row.unwrap();
        names.iter().cloned().zip(row.iter().map(str::to_owned)).collect()
    });
    rows.collect()
}

/// Sums of a column by day, provider and model.
fn sums(charges: &[BTreeMap<String, String>], column: &str) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for charge in charges {
        let key = format!(
            "{} {} {}",
            &charge["ChargePeriodStart"][..10],
            charge["ProviderName"],
            charge["SkuId"]
        );
        let value = if charge[column].is_empty() { "0" } else { &charge[column] };
        *sums.entry(key).or_default() += exact::parse(value);
    }
    sums
}

/// The same of `usage_hourly`.
fn used(acme: &Priced, column: &str) -> BTreeMap<String, i128> {
    let query = format!(
        "SELECT to_char(hour, 'YYYY-MM-DD') AS day, coalesce(provider, 'Unknown') AS provider, \
         coalesce(model, 'Unknown') AS model, coalesce(sum({column}), 0)::text AS n FROM usage_hourly \
         WHERE hour >= '2026-11-01' GROUP BY 1, 2, 3"
    );
    let rows = rows(acme, &query);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = rows.as_array().unwrap().iter().map(|row| {
        let key = format!("{} {} {}", text(row, "day"), text(row, "provider"), text(row, "model"));
        (key, exact::parse(&text(row, "n")))
    });
    rows.collect()
}

/// Calls of three days: priced by a rule, reported, without a price, without names or tokens.
fn calls() -> Vec<Value> {
    let mut calls = vec![
        call("mini", "gpt-4o-mini", 60, 13, 9, None),
        call("ours", "ours", 60, 10, 10, None),
        call("ours 2", "ours", 61, 10, 10, Some("0.000000000007")),
        call("images", "images", 62, 0, 0, Some("0.04")),
        call("nothing", "nothing", 62, 0, 0, None),
    ];
    calls[0]["cached_input_tokens"] = json!(4);
    for (number, cost) in
        (0..40_i64).zip(["0.1", "0.000000000001", "1.234567890123", "7"].into_iter().cycle())
    {
        let second = 86_400 * (number % 3) + number;
        let mut one =
            call(&number.to_string(), "gpt-4o", second, 10 + number * 7, number, Some(cost));
        one["cached_input_tokens"] = json!(number);
        one["cache_write_tokens"] = json!(number / 2);
        one["reasoning_tokens"] = json!(number / 3);
        one["attributes"] =
            json!({ "team": (["core", "ops"].get(usize::try_from(number % 3).unwrap())) });
        calls.push(one);
    }
    calls.push(json!({ "event_id": "unknown", "ts": DAY, "input_tokens": 3, "output_tokens": 3, "cost_usd": "0.5" }));
    calls
}

/// Corrects the cost of `mini` and of a call of October, whose books are closed.
fn correct(acme: &Priced) {
    let key = key_with(acme.archive.path(), "acme", &["--scope", "events:write,corrections:write"]);
    let correction = |id: &str, ts: i64, cost: &str| {
        json!({
            "event_id": id, "event_type": "cost_correction", "ts": ts, "provider": "openai",
            "model": "gpt-4o-mini", "cost_usd": cost, "attributes": { "corrects": "mini" },
        })
    };
    let october = DAY - 10 * 86_400;
    let events = [
        call("october", "gpt-4o-mini", -10 * 86_400, 5, 5, Some("1")),
        correction("now", DAY + 60, "0.000000000001"),
        correction("late", october, "-0.25"),
    ];
    let body = serde_json::to_vec(&events).unwrap();
    let answer = client::post(&acme.server.url("/v1/events"), &key, "application/json", body);
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(3)), "{}", answer.text());
}

#[test]
fn shares_add_up_to_what_usage_says_and_unpriced_calls_are_counted() {
    let acme = Priced::start(&[]);
    send(&acme, &calls());
    correct(&acme);
    let (_, path) = export(&acme, "2026-11", "csv", &["--org", "acme"]);
    let all = charges(&path);
    for column in ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"] {
        assert_eq!(sums(&all, column), used(&acme, "cost_usd"), "{column}");
    }
    let tokens: Vec<_> =
        all.iter().filter(|row| row["ConsumedUnit"] == "Tokens").cloned().collect();
    let mut consumed = used(&acme, "input_tokens + output_tokens");
    consumed.retain(|_, tokens| *tokens > 0);
    assert_eq!(sums(&tokens, "ConsumedQuantity"), consumed);
    assert_eq!(sums(&all, "x_UnpricedRequests"), used(&acme, "unpriced"));
    // Each kind of tokens of a model is in one row a day.
    let mut keys: Vec<_> = all
        .iter()
        .map(|row| {
            (
                row["ChargePeriodStart"].clone(),
                row["ProviderName"].clone(),
                row["SkuId"].clone(),
                row["SkuMeter"].clone(),
            )
        })
        .collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);

    let of = |model: &str, meter: &str| {
        all.iter().find(|row| row["SkuId"] == model && row["SkuMeter"] == meter).unwrap().clone()
    };
    let mini = of("gpt-4o-mini", "Cached Input Tokens");
    for (name, value) in [
        ("BilledCost", "0.0000003"),
        ("BillingCurrency", "USD"),
        ("BillingPeriodStart", "2026-11-01T00:00:00Z"),
        ("BillingPeriodEnd", "2026-12-01T00:00:00Z"),
        ("ChargePeriodStart", "2026-11-03T00:00:00Z"),
        ("ChargePeriodEnd", "2026-11-04T00:00:00Z"),
        ("ChargeCategory", "Usage"),
        ("ChargeClass", ""),
        ("ConsumedQuantity", "4"),
        ("ConsumedUnit", "Tokens"),
        ("PricingQuantity", "0.000004"),
        ("PricingUnit", "1000000 Tokens"),
        ("ListUnitPrice", "0.075"),
        ("ProviderName", "openai"),
        ("ServiceCategory", "AI and Machine Learning"),
        ("SubAccountId", "acme"),
        ("x_UnpricedRequests", "0"),
    ] {
        assert_eq!(mini[name], value, "{name}");
    }
    assert!(!mini.contains_key("Tags"));
    let unpriced = of("nothing", "Requests");
    assert_eq!((&*unpriced["BilledCost"], &*unpriced["x_UnpricedRequests"]), ("0", "1"));
    assert_eq!(of("images", "Requests")["BilledCost"], "0.04");
    assert_eq!(of("Unknown", "Input Tokens")["ProviderName"], "Unknown");
}

#[test]
fn corrections_of_closed_books_are_charges_of_their_own() {
    let acme = Priced::start(&[]);
    send(&acme, &calls()[..1]);
    correct(&acme);
    let (done, path) = export(&acme, "2026-10", "csv", &[]);
    assert!(done.stderr.contains("wrote 3 charges of 2026-10"), "{done:?}");
    let all = charges(&path);
    let late: Vec<_> = all.iter().filter(|row| row["ChargeClass"] == "Correction").collect();
    assert_eq!(
        (late.len(), &*late[0]["BilledCost"], &*late[0]["ConsumedQuantity"]),
        (1, "-0.25", "")
    );
    assert_eq!(late[0]["ChargePeriodStart"], "2026-10-24T00:00:00Z");
    let others = all.iter().filter(|row| row["ChargeClass"].is_empty());
    assert_eq!(others.map(|row| exact::parse(&row["BilledCost"])).sum::<i128>(), exact::parse("1"));
    // A month without events has a head and no rows.
    let (_, path) = export(&acme, "2026-01", "csv", &[]);
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 1);
}

/// More charges than are made into columns at once, of several organisations.
#[test]
fn all_charges_of_many_models_and_organisations_are_written() {
    let acme = Priced::start(&[]);
    let row = |org: &str, number: i64| {
        let cost = exact::format(i128::from(number) * 7 + 1);
        let mut row = call(&number.to_string(), &format!("m{number}"), number, 10, 5, Some(&cost));
        row["org_id"] = json!(org);
        row["cached_input_tokens"] = json!(4);
        format!("{row}\n")
    };
    let mut rows: String = (0..2_900).map(|number| row("acme", number)).collect();
    rows.extend((0..9).map(|number| row(&format!("org-{number}"), number)));
    let file = acme.file("many.ndjson", &rows);
    let done = acme.run(&["backfill", "--org", "*", &file]);
    assert_eq!(done.status, 0, "{done:?}");
    for format in ["csv", "parquet"] {
        let (done, _) = export(&acme, "2026-11", format, &[]);
        let told = format!("wrote {} charges of 2026-11", 3 * 2_909);
        assert!(done.stderr.contains(&told), "{done:?}");
    }
    let path = acme.archive.path().join("charges.csv");
    let all = charges(path.to_str().unwrap());
    assert_eq!((all.len(), sums(&all, "BilledCost")), (3 * 2_909, used(&acme, "cost_usd")));
    let mut orgs: Vec<_> = all.iter().map(|row| row["SubAccountId"].clone()).collect();
    orgs.dedup();
    assert_eq!(orgs.len(), 10, "{orgs:?}");
}

#[test]
fn a_dimension_splits_charges_and_names_them_in_tags() {
    let acme = Priced::start(&[]);
    send(&acme, &calls());
    let output = acme.archive.path().join("x.csv");
    let args = ["export", "focus", "--month", "2026-11", "--format", "csv", "--dimension", "team"];
    let refused = acme.run(&[&args[..], &["--output", output.to_str().unwrap()]].concat());
    assert_eq!((refused.status, output.exists()), (1, false), "{refused:?}");
    assert!(refused.stderr.contains("there is no dimension team"), "{refused:?}");
    assert_eq!(acme.run(&["dimension", "add", "team"]).status, 0);
    let (_, path) = export(&acme, "2026-11", "csv", &["--dimension", "team"]);
    let all = charges(&path);
    assert_eq!(sums(&all, "BilledCost"), used(&acme, "cost_usd"));
    let cost_of = |tags: &str| {
        let own = all.iter().filter(|row| row["Tags"] == tags);
        own.map(|row| exact::parse(&row["BilledCost"])).sum::<i128>()
    };
    let teams = rows(
        &acme,
        "SELECT value, sum(cost_usd)::text AS cost FROM usage_by_dimension GROUP BY 1 ORDER BY 1",
    );
    for team in teams.as_array().unwrap() {
        let (value, cost) = (team["value"].as_str().unwrap(), team["cost"].as_str().unwrap());
        assert_eq!(cost_of(&format!("{{\"team\":\"{value}\"}}")), exact::parse(cost), "{value}");
    }
    assert_eq!(teams.as_array().unwrap().len(), 2);
    assert!(cost_of("") > 0);
}

#[test]
fn other_programs_read_the_parquet_file_with_its_types() {
    let acme = Priced::start(&[]);
    send(&acme, &calls());
    let (_, path) = export(&acme, "2026-11", "parquet", &[]);
    let Some(python) = readers::python() else { return };
    let script = "import duckdb, json, sys\n\
        c = duckdb.connect()\n\
        t = c.execute(f\"DESCRIBE SELECT * FROM '{sys.argv[1]}'\").fetchall()\n\
        s = c.execute(f\"SELECT sum(BilledCost)::VARCHAR, count(*) FROM '{sys.argv[1]}'\").fetchone()\n\
        print(json.dumps([{r[0]: r[1] for r in t}, s]))";
    let output = Command::new(python).args(["-c", script, &path]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let total: i128 = used(&acme, "cost_usd").values().sum();
    assert_eq!(exact::parse(told[1][0].as_str().unwrap()), total);
    for (name, kind) in told[0].as_object().unwrap() {
        let expected = match name.as_str() {
            name if name.contains("Period") => "TIMESTAMP WITH TIME ZONE",
            name if name.contains("Cost") || name.contains("Quantity") => "DECIMAL(38,12)",
            "ListUnitPrice" => "DECIMAL(38,12)",
            "x_UnpricedRequests" => "BIGINT",
            _ => "VARCHAR",
        };
        assert_eq!(kind, expected, "{name}");
    }
    assert_eq!(told[0].as_object().unwrap().len(), 29);
}

#[test]
fn the_file_is_never_among_the_objects_of_the_archive() {
    let acme = Priced::start(&[]);
    send(&acme, &calls()[..1]);
    let inside = acme.archive.path().join("events/charges.csv");
    let args = ["export", "focus", "--month", "2026-11", "--format", "csv", "--output"];
    let done = acme.run(&[&args[..], &[inside.to_str().unwrap()]].concat());
    assert!(done.status == 1 && done.stderr.contains("--output") && !inside.exists(), "{done:?}");
}

//! Archives that older programs made: each folder of `tests/archives` is opened with the program of
//! today, which shows the same numbers from the first scrape on, and goes on with it. `make` beside
//! them made them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, DAY, SECOND, SystemClock};

use crate::support::archive::log_entries;
use crate::support::client;
use crate::support::process::{Server, passed_over, program, run, tokenlake};
use crate::support::readers;
use crate::support::scrape::parse;

/// Nothing is merged unless a test asks for it.
const SERVE: [&str; 3] = ["serve", "--compact-interval", "0s"];
const GROUPS: &str = "collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness";

/// A copy of a kept archive.
struct Kept {
    folder: PathBuf,
    copy: TempDir,
    /// Access keys by organisation.
    keys: BTreeMap<String, String>,
}

impl Kept {
    fn all() -> impl Iterator<Item = Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives");
        let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<_> = folders.filter(|path| path.is_dir()).collect();
        assert!(!folders.is_empty());
        folders.sort();
        folders.into_iter().map(|folder| {
            let copy = tempdir().unwrap();
            copy_folder(&folder.join("archive"), copy.path());
            let keys = serde_json::from_slice(&fs::read(folder.join("keys.json")).unwrap());
            Self { folder, copy, keys: keys.unwrap() }
        })
    }

    fn path(&self) -> &Path {
        self.copy.path()
    }

    fn serve(&self) -> Server {
        Server::start_with(self.path(), &SERVE)
    }

    /// What each organisation is shown.
    fn scrapes(&self, server: &Server) -> BTreeMap<&str, String> {
        let url = server.url(&format!("/metrics?{GROUPS}"));
        let scrapes = self.keys.iter().map(|(org, key)| {
            let answer = client::get(&url, key);
            assert_eq!(answer.status, 200, "{}", answer.text());
            (org.as_str(), answer.text().to_owned())
        });
        scrapes.collect()
    }

    /// The samples that may not change while nothing comes for an organisation.
    fn sums(&self, server: &Server) -> BTreeMap<String, BTreeMap<String, String>> {
        let sums = self.scrapes(server).into_iter().map(|(org, text)| {
            let mut sums = parse(&text);
            sums.retain(|name, _| !name.starts_with("llm_archive_version"));
            (org.to_owned(), sums)
        });
        sums.collect()
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let done = tokenlake(self.path(), args);
        assert_eq!(done.status, 0, "{:?}: {done:?}", self.folder);
        done.stdout
    }

    fn sql(&self, query: &str) -> Value {
        serde_json::from_str(&self.done(&["sql", "--format", "json", "-c", query])).unwrap()
    }

    /// How many entries of the log describe the table, and the columns that the last one has.
    fn descriptions(&self) -> (usize, Vec<String>) {
        let lines = log_entries(self.path()).into_iter().flat_map(|entry| {
            let text = fs::read_to_string(entry).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        let described = lines.filter_map(|line| {
            let action: Value = serde_json::from_str(&line).unwrap();
            let schema = action.pointer("/metaData/schemaString")?.as_str()?.to_owned();
            Some(serde_json::from_str::<Value>(&schema).unwrap())
        });
        let described: Vec<_> = described.collect();
        let columns = described.last().map(|schema| {
            let fields = schema["fields"].as_array().unwrap().iter();
            fields.map(|field| field["name"].as_str().unwrap().to_owned()).collect()
        });
        (described.len(), columns.unwrap_or_default())
    }
}

pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The text without what it says of its families, which is the program's and not the archive's, and
/// without families that `kept` does not have: later programs have more.
fn samples(text: &str, kept: &str) -> String {
    let types = kept.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: Vec<_> = types.filter_map(|family| family.split(' ').next()).collect();
    let is_kept = |line: &&str| {
        let name = line.trim_start_matches("# TYPE ").split(['{', ' ']).next();
        !line.starts_with("# HELP ") && name.is_some_and(|name| families.contains(&name))
    };
    text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}

fn call(id: &str, days: i64) -> Value {
    let ts = (SystemClock.now() - days * DAY) / SECOND - 1;
    json!({
        "event_id": id, "ts": ts, "provider": "openai", "model": "gpt-4o",
        "input_tokens": 3, "output_tokens": 4, "cost_usd": "0.5",
    })
}

#[track_caller]
fn post(server: &Server, key: &str, events: &[Value]) -> Value {
    post_to(&server.url("/v1/events"), key, events)
}

#[track_caller]
fn post_to(url: &str, key: &str, events: &[Value]) -> Value {
    let body = serde_json::to_vec(events).unwrap();
    let answer = client::post(url, key, "application/json", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn archives_of_older_programs_show_the_same_numbers_from_the_first_scrape_on() {
    for kept in Kept::all() {
        let before = log_entries(kept.path());
        let server = kept.serve();
        for (org, text) in kept.scrapes(&server) {
            let expected = fs::read_to_string(kept.folder.join(format!("metrics/{org}.txt")));
            let expected = expected.unwrap();
            let (shown, expected) = (samples(&text, &expected), samples(&expected, &expected));
            assert_eq!(shown, expected, "{:?} {org}", kept.folder);
        }
        drop(server);
        kept.done(&["verify"]);
        kept.done(&["sql", "-c", "SELECT count(cost_source) FROM events"]);
        assert_eq!(log_entries(kept.path()), before, "to open and to read commits nothing");
    }
}

#[test]
fn archives_of_older_programs_go_on() {
    for kept in Kept::all() {
        let counted = kept.sql("SELECT count(*) AS n, count(cost_usd) AS priced FROM events");
        let server = kept.serve();
        let before = kept.sums(&server);
        let (org, key) = kept.keys.first_key_value().unwrap();
        let again = kept.sql(&format!("SELECT * FROM events WHERE org_id = '{org}' LIMIT 1"));
        assert_eq!(post(&server, key, &[call("new", 0), call("new-2", 0)])["accepted"], 2);
        assert_eq!(post(&server, key, again.as_array().unwrap())["duplicates"], 1);
        let mut expected = before.clone();
        let (sums, label) = (expected.get_mut(org).unwrap(), org.to_lowercase());
        for (name, more) in [("llm_requests_total", 2), ("llm_tokens_total", 14)] {
            let sample = format!(r#"{name}{{provider="openai",model="gpt-4o",org_id="{label}"}}"#);
            let count = sums.get_mut(&sample).unwrap();
            *count = (count.parse::<u64>().unwrap() + more).to_string();
        }
        let now = kept.sums(&server);
        for name in ["llm_requests_total", "llm_tokens_total"] {
            let of = |sums: &BTreeMap<String, BTreeMap<String, String>>| {
                let mut sums = sums.clone();
                sums.values_mut()
                    .for_each(|sums| sums.retain(|sample, _| sample.starts_with(name)));
                sums
            };
            assert_eq!(of(&now), of(&expected), "{:?}", kept.folder);
        }
        assert_eq!(now[org][&format!(r#"llm_cost_usd_rolling_24h{{org_id="{label}"}}"#)], "1");
        let sources = kept.sql(
            "SELECT count(*) AS n, count(cost_usd) AS priced, count(cost_source) AS told, \
             count(*) FILTER (WHERE cost_source = 'reported') AS reported FROM events",
        );
        let of = |name: &str| sources[0][name].as_u64().unwrap();
        assert_eq!(of("n"), counted[0]["n"].as_u64().unwrap() + 2);
        assert_eq!(of("priced"), counted[0]["priced"].as_u64().unwrap() + 2);
        assert!(of("told") >= 2 && of("told") == of("reported"), "{sources}");
        let (_, columns) = kept.descriptions();
        assert_eq!(columns[columns.len() - 2..], ["cost_source", "event_date"]);
        kept.done(&["verify"]);
        readers::assert_read_alike(kept.path());
        // Files of all programs become one, and the rest expires.
        let files =
            || kept.sql("SELECT count(DISTINCT event_date) AS n FROM events")[0]["n"].clone();
        let dates = files();
        kept.done(&["compact"]);
        assert_eq!((kept.sums(&server), files()), (now.clone(), dates));
        kept.done(&["verify"]);
        readers::assert_read_alike(kept.path());
        assert_eq!(kept.sql("SELECT count(cost_source) AS n FROM events")[0]["n"], of("told"));
        kept.done(&["expire", "--older-than", "2d"]);
        assert_eq!(kept.sums(&server), now);
        drop(server);
        assert_eq!(kept.sums(&kept.serve()), now);
        kept.done(&["verify"]);
    }
}

#[test]
fn of_two_servers_that_meet_an_older_archive_one_brings_the_columns() {
    for kept in Kept::all() {
        let (before, _) = kept.descriptions();
        let servers = [kept.serve(), kept.serve()];
        let (org, key) = kept.keys.first_key_value().unwrap();
        std::thread::scope(|scope| {
            for (at, server) in servers.iter().enumerate() {
                let url = server.url("/v1/events");
                scope.spawn(move || {
                    for number in 0..10 {
                        post_to(&url, key, &[call(&format!("{at}-{number}"), 0)]);
                    }
                });
            }
        });
        let (after, columns) = kept.descriptions();
        assert!(after <= before + 1, "{:?}: {after} and {before}", kept.folder);
        assert!(columns.is_empty() || columns.contains(&"cost_source".to_owned()));
        let [one, other] =
            servers.each_ref().map(|server| kept.scrapes(server)[org.as_str()].clone());
        assert_eq!(one, other);
        kept.done(&["verify"]);
    }
}

/// An older program, where `TOKENLAKE_TEST_OLD_BIN` names one.
fn older() -> Option<Command> {
    let Some(path) = std::env::var_os("TOKENLAKE_TEST_OLD_BIN") else {
        passed_over("TOKENLAKE_TEST_OLD_BIN names no older program");
        return None;
    };
    let mut older = Command::new(path);
    older.envs(program().get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(older)
}

#[test]
fn an_older_program_goes_on_beside_this_one() {
    let Some(mut serve) = older() else { return };
    let Some(kept) = Kept::all().find(|kept| kept.folder.ends_with("1")) else { return };
    serve.arg("--archive").arg(kept.path()).args(SERVE).args(["--listen", "127.0.0.1:0"]);
    let (old, new) = (Server::start_command(serve), kept.serve());
    // Families that the older program does not have.
    let further = [
        "llm_cost_usd_credits_total",
        "llm_requests_priced_later_total",
        "llm_price_table_timestamp_seconds",
    ];
    let is_known = |name: &str| !further.iter().any(|further| name.starts_with(further));
    let alike = |what: &str| {
        let (old, mut new) = (kept.sums(&old), kept.sums(&new));
        new.values_mut().for_each(|sums| sums.retain(|name, _| is_known(name)));
        assert_eq!(old, new, "{what}");
        new
    };
    let before = alike("at first");
    let (_, key) = kept.keys.last_key_value().unwrap();
    for round in 0..6 {
        let server = if round % 2 == 0 { &new } else { &old };
        let other = if round % 2 == 0 { &old } else { &new };
        let events = [call(&format!("r{round}"), 0), call(&format!("y{round}"), round)];
        assert_eq!(post(server, key, &events)["accepted"], 2);
        assert_eq!(post(other, key, &events)["duplicates"], 2);
        assert_ne!(alike("after both sent"), before);
    }
    let sums = alike("before rewrites");
    kept.done(&["compact"]);
    assert_eq!(alike("after the newer one's rewrites"), sums);
    // What it cannot merge it leaves as it is.
    let mut compact = older().unwrap();
    run(compact.arg("--archive").arg(kept.path()).arg("compact"));
    assert_eq!(alike("after the older one's rewrites"), sums);
    assert!(kept.sql("SELECT count(cost_source) AS n FROM events")[0]["n"].as_u64().unwrap() >= 6);
    for mut program in [older().unwrap(), program()] {
        let done = run(program.arg("--archive").arg(kept.path()).arg("verify"));
        assert_eq!(done.status, 0, "{done:?}");
    }
    let mut expire = older().unwrap();
    let done = run(expire.arg("--archive").arg(kept.path()).args(["expire", "--older-than", "9d"]));
    assert_eq!(done.status, 0, "{done:?}");
    assert_eq!(alike("after the older one's expiry"), sums);
    kept.done(&["verify"]);
}

#[test]
fn older_archives_tell_their_usage_as_their_rows_do() {
    const ROWS: &str = "SELECT nullif(nullif(lower(btrim(provider)), ''), 'unknown') AS provider, \
        nullif(nullif(lower(btrim(model)), ''), 'unknown') AS model, count(*) AS requests, \
        coalesce(sum(CAST(cost_usd AS decimal(38, 12))), 0) AS cost_usd, \
        CAST(sum(input_tokens) AS text) AS input_tokens \
        FROM events WHERE event_type = 'api_call' AND event_id <> '' \
        GROUP BY 1, 2 ORDER BY 1, 2";
    for kept in Kept::all() {
        for org in kept.keys.keys() {
            let rows = |args: &[&str]| -> Vec<Value> {
                let told = kept.done(&[args, &["--org", org, "--format", "json"]].concat());
                serde_json::from_str(&told).unwrap()
            };
            let mut told = rows(&["usage", "--from", "2015-01-01", "--group-by", "provider,model"]);
            let columns = ["provider", "model", "requests", "cost_usd", "input_tokens"];
            for row in &mut told {
                let row = row.as_object_mut().unwrap();
                row.retain(|name, _| columns.contains(&name.as_str()));
            }
            assert_eq!(told, rows(&["sql", "-c", ROWS]), "{org} of {:?}", kept.folder);
        }
    }
}

#[test]
fn an_older_program_refuses_an_archive_with_corrections_in_one_line() {
    let Some(mut serve) = older() else { return };
    let Some(kept) = Kept::all().find(|kept| kept.folder.ends_with("1")) else { return };
    serve.arg("--archive").arg(kept.path()).args(SERVE).args(["--listen", "127.0.0.1:0"]);
    let (old, new) = (Server::start_command(serve), kept.serve());
    let (org, key) = kept.keys.first_key_value().unwrap();
    assert_eq!(client::get(&old.url("/metrics"), key).status, 200);
    let scopes = "events:write,corrections:write";
    let writer = kept.done(&["key", "create", "--org", org, "--scope", scopes]);
    let mut correction = call("c", 0);
    correction["event_type"] = json!("cost_correction");
    correction["cost_usd"] = json!("-0.25");
    correction["attributes"] = json!({"corrects": "new"});
    for tokens in ["input_tokens", "output_tokens"] {
        correction[tokens] = json!(0);
    }
    assert_eq!(post(&new, writer.trim_end(), &[correction])["accepted"], 1);
    let answer = client::get(&old.url("/metrics"), key);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("upgrade"), "{}", answer.text());
    let mut verify = older().unwrap();
    let done = run(verify.arg("--archive").arg(kept.path()).arg("verify"));
    assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{done:?}");
    assert!(done.stderr.contains("upgrade"), "{done:?}");
    assert_eq!(client::get(&new.url("/metrics"), key).status, 200);
}

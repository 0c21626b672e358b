//! Attempts to see beyond a bound key. Two archives hold the same events of a part of an organisation;
//! one of them also has those of other parts and of others, in the same files. A key that is bound to the
//! part gets from the one what a key of the whole organisation gets from the other.

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use super::declare;
use crate::http::sql::probes::{OWN, PROBES, REFUSED};
use crate::http::sql::{fill, said};
use crate::support::client::{self, Answer, bearer};
use crate::support::metric_families::{Sample, samples};
use crate::support::process::{Server, key, key_with};

/// What only rows beyond the part hold, and what is told of no key.
const FOREIGN: [&str; 14] = [
    "zeta-corp",
    "zsecret",
    "zprov",
    "zmodel",
    "777001",
    "777002",
    "43.21",
    "zsource",
    "zkey",
    "zval",
    "zteam",
    "parquet",
    "event_date=",
    "/tmp",
];

const GROUPS: [&str; 9] = [
    "",
    "?collect[]=core",
    "?collect[]=tokens",
    "?collect[]=pricing",
    "?collect[]=freshness",
    "?collect[]=dimensions",
    "?collect[]=dimensions&collect[]=pricing",
    "?collect[]=created&collect[]=dimensions&collect[]=core",
    "?collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness&collect[]=dimensions",
];
const TEXT: &str = "text/plain";
const OPEN: &str = "application/openmetrics-text;version=1.0.0";
const PROTOBUF: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// Paths and headers that name what the key is not bound to.
const TAMPERED: [(&str, &[(&str, &str)]); 20] = [
    ("/metrics?org=zeta-corp", &[]),
    ("/metrics?org_id=zeta-corp", &[]),
    ("/metrics?dimension=team%3Dzteam", &[]),
    ("/metrics?team=zteam&value=zteam", &[]),
    ("/metrics?collect[]=dimensions&dimension=app", &[]),
    ("/metrics?collect[]=dimensions&collect[]=zteam", &[]),
    ("/metrics?collect[]=team", &[]),
    ("/metrics?collect[]=app", &[]),
    ("/metrics?match[]=%7Bvalue%3D%22zteam%22%7D", &[]),
    ("/metrics/", &[("x-org-id", "zeta-corp")]),
    ("/metrics", &[("x-scope-orgid", "zeta-corp")]),
    ("/metrics", &[("x-dimension", "team=zteam"), ("dimension", "team=zteam")]),
    ("/metrics?collect[]=dimensions", &[("x-tokenlake-dimension", "team=zteam")]),
    ("/metrics?collect[]=dimensions", &[("cookie", "org=zeta-corp; team=zteam")]),
    ("/metrics", &[("forwarded", "for=zteam;host=zeta-corp"), ("x-forwarded-user", "zteam")]),
    ("/v1/usage?from=2026-01-01&to=2026-02-01&step=hour", &[]),
    ("/v1/usage?from=2026-01-01&to=2026-02-01&group_by=team", &[]),
    ("/v1/usage?from=2026-01-01&to=2026-02-01&group_by=app", &[]),
    ("/v1/usage?from=2026-01-01&to=2026-02-01&group_by=provider,model&org=zeta-corp", &[]),
    ("/v1/usage?from=2026-01-01&to=2026-02-01&dimension=team%3Dzteam&value=zteam&format=csv", &[]),
];

/// Questions about parts, which are answered with own rows or refused.
const OF_PARTS: [&str; 41] = [
    "SELECT * FROM usage_by_dimension ORDER BY hour, provider, model",
    "SELECT DISTINCT dimension, value FROM usage_by_dimension",
    "SELECT count(*), sum(requests), sum(cost_usd), max(value), min(value) FROM usage_by_dimension",
    "SELECT count(*) FROM usage_by_dimension WHERE value <> 'core'",
    "SELECT count(*) FROM usage_by_dimension WHERE value = 'zteam' OR dimension = 'app'",
    "SELECT count(*) FROM usage_by_dimension WHERE org_id <> 'acme' OR value > 'd' OR true",
    "SELECT value FROM usage_by_dimension WHERE value IN ('core', 'zteam') OR value IS NULL ORDER BY 1",
    "SELECT value FROM usage_by_dimension WHERE CAST(replace(value, 'core', '1') AS int) = 1 ORDER BY hour",
    "SELECT sum(1 / (input_tokens - 777001)) FROM usage_by_dimension",
    "SELECT count(*) FROM usage_by_dimension u JOIN events e ON u.model = e.model",
    "SELECT count(*) FROM usage_by_dimension u FULL JOIN usage_hourly h ON u.hour = h.hour AND u.value <> 'core'",
    "WITH usage_by_dimension AS (SELECT * FROM usage_hourly) SELECT count(*) FROM usage_by_dimension",
    "WITH team AS (SELECT value FROM usage_by_dimension) SELECT DISTINCT value FROM team",
    "SELECT value FROM usage_by_dimension EXCEPT SELECT 'core'",
    "SELECT value FROM usage_by_dimension INTERSECT SELECT 'zteam'",
    "SELECT value FROM usage_by_dimension UNION SELECT attributes['team'] FROM events ORDER BY 1",
    "SELECT attributes['team'] AS team, count(*) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT event_id FROM events WHERE attributes['team'] <> 'core'",
    "SELECT event_id FROM events WHERE attributes['team'] IS NULL",
    "SELECT event_id FROM events WHERE attributes['team'] = 'core' OR attributes['team'] = 'zteam' ORDER BY 1",
    "SELECT event_id FROM events WHERE NOT (attributes['team'] = 'core')",
    "SELECT event_id FROM events WHERE attributes['app'] IS NOT NULL ORDER BY 1",
    "SELECT attributes FROM events ORDER BY event_id",
    "SELECT map_keys(attributes) AS k FROM events ORDER BY event_id",
    "SELECT count(*) FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.attributes['team'] <> e.attributes['team'])",
    "SELECT (SELECT count(*) FROM events) - (SELECT sum(requests) FROM usage_hourly) AS hidden",
    "SELECT (SELECT count(*) FROM events) - (SELECT sum(requests) FROM usage_by_dimension) AS hidden",
    "SELECT sum(requests), sum(input_tokens), sum(cost_usd) FROM usage_hourly",
    "SELECT count(*), sum(input_tokens), sum(cost_usd), max(ts), min(ts) FROM events",
    "SELECT count(*) FROM events WHERE ts > '2026-01-15T10:05:00Z' AND ts < '2026-01-15T10:15:00Z'",
    "SELECT dimension_value(attributes, 'team') FROM events",
    "SELECT * FROM dimensions",
    "SELECT * FROM usage_by_team",
    "SELECT * FROM dimension_cells",
    "SELECT value FROM information_schema.usage_by_dimension",
    "EXPLAIN SELECT * FROM usage_by_dimension WHERE value = 'zteam'",
    "EXPLAIN VERBOSE SELECT dimension, sum(requests) FROM usage_by_dimension GROUP BY 1",
    "EXPLAIN SELECT count(*) FROM events WHERE attributes['team'] = 'core'",
    "EXPLAIN FORMAT TREE SELECT count(*) FROM events",
    "DESCRIBE usage_by_dimension",
    "SELECT nothing FROM usage_by_dimension",
];

/// The forms of answers that are asked for in turn.
const ACCEPTED: [&str; 4] =
    ["application/json", "text/csv", "application/json", "application/x-ndjson"];

/// Bodies of questions that bring more than a query.
const BODIES: [&str; 5] = [
    r#"{"query":"SELECT count(*) AS n FROM events","org":"zeta-corp","org_id":"zeta-corp"}"#,
    r#"{"query":"SELECT count(*) AS n FROM events","dimension":"team=zteam","bound":null}"#,
    r#"{"query":"SELECT count(*) AS n FROM events WHERE attributes['team'] = $1","params":["zteam"]}"#,
    r#"{"query":"SELECT count(*) AS n FROM events WHERE attributes['team'] = ?","args":["zteam"]}"#,
    r#"{"query":"SELECT 1 AS n","query":"SELECT count(*) AS n FROM events"}"#,
];

struct Side {
    _archive: TempDir,
    key: String,
    server: Server,
}

impl Side {
    /// An archive with these events; a key of `acme`, bound as `args` say.
    fn with(dimensions: &[&str], events: &[String], args: &[&str]) -> Self {
        let archive = tempdir().unwrap();
        for name in dimensions {
            declare(archive.path(), &[name]);
        }
        fill(archive.path(), &events.join("\n"));
        let key = key_with(archive.path(), "acme", args);
        let server = Server::start_with(archive.path(), &["serve", "--sql-timeout", "20s"]);
        Self { _archive: archive, key, server }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let auth = bearer(&self.key);
        let headers = [&[("authorization", auth.as_str())], headers].concat();
        client::send("GET", &self.server.url(path), &headers, "")
    }

    fn ask(&self, content_type: &str, accept: &str, query: &str) -> Answer {
        let auth = bearer(&self.key);
        let headers =
            [("authorization", auth.as_str()), ("content-type", content_type), ("accept", accept)];
        client::send("POST", &self.server.url("/v1/sql"), &headers, query)
    }
}

/// An event of January, or of some minutes ago.
fn event(id: &str, org: &str, when: Result<&str, i64>, more: &str) -> String {
    let ts = match when {
        Ok(time) => format!("\"2026-01-{time}Z\""),
        Err(minutes) => (SystemClock.now() / SECOND - 60 * minutes).to_string(),
    };
    format!("{{\"event_id\":\"{id}\",\"org_id\":\"{org}\",\"ts\":{ts},{more}}}")
}

/// The events of the part. Their ids are numbers, and none of their values breaks what is asked.
fn own() -> Vec<String> {
    let times =
        [Ok("15T10:00:00"), Ok("15T10:20:00"), Ok("15T11:00:00"), Ok("16T11:00:00"), Err(10)];
    let of = |(n, when): (usize, Result<&str, i64>)| {
        let names = [
            r#""provider":"openai","model":"gpt-4o""#,
            r#""provider":"anthropic","model":"claude""#,
        ];
        let more = format!(
            r#"{},"input_tokens":{n}0,"output_tokens":{n},"cost_usd":"0.{n}","source":"s{n}","attributes":{{"n":"{n}","team":"core","app":"web"}}"#,
            names[n / 3 % 2],
        );
        event(&format!("10{n}"), "acme", when, &more)
    };
    (1..).zip(times).map(of).collect()
}

/// Events of other parts, of none, and of the same part of another organisation, at the same times.
fn others() -> Vec<String> {
    let mut others = Vec::new();
    for (id, org, attributes) in [
        ("zsecret-1", "acme", r#"{"zkey":"zval","team":"zteam","app":"web"}"#),
        ("zsecret-2", "acme", r#"{"zkey":"zval"}"#),
        ("zsecret-3", "acme", r#"{"zkey":"zval","team":"Core"}"#),
        ("zsecret-4", "zeta-corp", r#"{"zkey":"zval","team":"core"}"#),
    ] {
        for (n, when) in
            [Ok("15T10:10:00"), Ok("15T11:10:00"), Ok("16T11:10:00"), Err(5)].iter().enumerate()
        {
            let more = format!(
                r#""provider":"zprov","model":"zmodel","input_tokens":777001,"output_tokens":777002,"cost_usd":"43.210987654321","source":"zsource","attributes":{attributes}"#,
            );
            others.push(event(&format!("{id}{n}"), org, *when, &more));
        }
    }
    others
}

fn sides() -> [Side; 2] {
    let own = own();
    let all = [own.clone(), others()].concat();
    [
        Side::with(&["app", "team"], &all, &["--dimension", "team=core"]),
        Side::with(&["team"], &own, &[]),
    ]
}

/// What differs between two archives with the same events: their versions, and when events came.
fn is_of_archive(line: &str) -> bool {
    line.starts_with("llm_archive_version") || line.contains("_created{")
}

fn shown(answer: &Answer) -> Vec<String> {
    let is_protobuf = answer.header("content-type").is_some_and(|kind| kind.contains("protobuf"));
    if is_protobuf {
        let samples = samples(&answer.body).into_iter();
        let lines = samples.map(|sample| format!("{:?}", Sample { created: None, ..sample }));
        return lines.filter(|line| !line.contains("llm_archive_version")).collect();
    }
    let lines = answer.text().lines().filter(|line| !is_of_archive(line));
    lines.map(|line| line.split("\"version\":").next().unwrap_or_default().to_owned()).collect()
}

/// Notes what an answer should not have shown.
fn check(what: &str, [seen, expected]: [(u16, Vec<String>); 2], wrong: &mut Vec<String>) {
    if seen != expected {
        wrong.push(format!("{what}: {seen:?} is not {expected:?}"));
    }
    let text = seen.1.join("\n");
    for mark in FOREIGN.iter().filter(|mark| !what.contains(**mark) && text.contains(**mark)) {
        wrong.push(format!("{what} shows {mark}: {text}"));
    }
}

#[test]
fn no_scrape_and_no_path_leaves_the_part() {
    let sides = sides();
    let (mut wrong, mut attempts) = (Vec::new(), 0);
    let mut attempt = |path: &str, headers: &[(&str, &str)]| {
        let answers = sides.each_ref().map(|side| side.get(path, headers));
        let [ok, _] = answers.each_ref().map(|answer| answer.status);
        let refused = path.contains("org=").then_some(403);
        assert!(matches!(ok, 200 | 400 | 404) || refused == Some(ok), "{path}: {ok}");
        let seen = answers.each_ref().map(|answer| (answer.status, shown(answer)));
        check(&format!("{path} {headers:?}"), seen, &mut wrong);
        attempts += 1;
    };
    for path in GROUPS.map(|query| format!("/metrics{query}")) {
        for accept in [TEXT, OPEN, PROTOBUF] {
            attempt(&path, &[("accept", accept)]);
        }
    }
    for (path, headers) in TAMPERED {
        attempt(path, headers);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(attempts >= 40);
    // There is something beyond, and the part is not empty.
    let all = key(sides[0]._archive.path(), "acme");
    let beyond = client::get(&sides[0].server.url("/metrics?collect[]=dimensions"), &all);
    assert!(beyond.text().contains("zteam") && beyond.text().contains("dimension=\"app\""));
    let gauge = r#"llm_cost_usd_rolling_24h{org_id="acme"} 0.5"#;
    assert!(sides[0].get("/metrics", &[]).text().lines().any(|line| line == gauge));
}

#[test]
fn no_question_leaves_the_part() {
    let sides = sides();
    let own = own();
    let own: Vec<_> = own.iter().map(String::as_str).collect();
    let mut wrong = Vec::new();
    let mut attempt = |content_type: &str, accept: &str, query: &str| {
        let answers = sides.each_ref().map(|side| side.ask(content_type, accept, query));
        let status = answers[0].status;
        if !matches!(status, 200 | 400 | 422) {
            wrong.push(format!("{query}: {status} {}", answers[0].text()));
        }
        // What is left out of errors: which tables there are. A part has no reports of providers.
        let told = |answer| {
            let lines = said(answer, &own).into_iter();
            lines.map(|line| line.split(" the tables are").next().unwrap().to_owned()).collect()
        };
        let seen: [(u16, Vec<String>); 2] =
            answers.each_ref().map(|answer| (answer.status, told(answer)));
        check(query, seen, &mut wrong);
        status
    };
    for (query, accept) in OF_PARTS.into_iter().zip(ACCEPTED.into_iter().cycle()) {
        attempt(TEXT, accept, query);
    }
    for body in BODIES {
        attempt("application/json", "application/json", body);
    }
    // The wall is that of organisations, which is tried with all of these.
    for query in OWN.iter().step_by(5).chain(PROBES.iter().step_by(3)) {
        attempt(TEXT, "application/json", query);
    }
    for query in REFUSED.iter().step_by(6) {
        let status = attempt(TEXT, "application/json", query);
        assert_eq!(status, 400, "{query}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Events that a bound key sends as of another part, and what an answer to them says.
fn sent_elsewhere() -> Vec<(&'static str, String)> {
    let of = |id: &str, more: &str| event(id, "acme", Err(1), more);
    let ce = |id: &str, more: &str| {
        let data = of(id, r#""provider":"p","model":"m","attributes":{"team":"zteam"}"#);
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"s","type":"t","team":"zteam","data":{data}{more}}}"#
        )
    };
    let json = "application/json";
    vec![
        (json, of("w1", r#""attributes":{"team":"zteam"}"#)),
        (json, of("w2", r#""team":"zteam""#)),
        (json, of("w3", r#""attributes":{"team":"zteam"},"team":"zteam""#)),
        (json, of("w4", r#""attributes":{"team":["zteam"]}"#)),
        (json, of("w5", r#""attributes":{"team":null}"#)),
        (json, of("w6", r#""attributes":{"team":" zteam ","Team":"zteam","team ":"zteam"}"#)),
        (json, of("w7", r#""attributes":"{\"team\":\"zteam\"}""#)),
        (json, of("w8", r#""attributes":{"team.value":"zteam","team":"zteam"}"#)),
        ("application/x-ndjson", of("w9", r#""attributes":{"team":"zteam"}"#)),
        ("application/cloudevents+json", ce("w10", "")),
        (
            "application/cloudevents-batch+json",
            format!("[{}]", ce("w11", r#","dimension":"zteam""#)),
        ),
    ]
}

#[test]
fn no_event_is_sent_to_another_part_or_organisation() {
    let [side, _] = sides();
    let all = key(side._archive.path(), "acme");
    let ask = |key: &str, query: &str| -> Value {
        let answer = client::post(&side.server.url("/v1/sql"), key, TEXT, query);
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()
    };
    let elsewhere =
        "SELECT count(*) AS n FROM events WHERE attributes['team'] IS DISTINCT FROM 'core'";
    let before = ask(&all, elsewhere);
    let send = |content_type: &str, body: &str| {
        client::post(&side.server.url("/v1/events"), &side.key, content_type, body)
    };
    let sent = sent_elsewhere();
    for (content_type, body) in &sent {
        let answer = send(content_type, body);
        assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(1)), "{body}");
        assert!(!answer.text().contains("zteam"), "{}", answer.text());
    }
    let written =
        "SELECT count(*) AS n FROM events WHERE event_id LIKE 'w%' AND attributes['team'] = 'core'";
    assert_eq!(ask(&side.key, written), json!([{ "n": sent.len() }]));
    assert_eq!(ask(&all, elsewhere), before);
    // To another organisation, as a correction, and what the server cannot read.
    let correction = r#""event_type":"cost_correction","cost_usd":"-1","provider":"p","model":"m","attributes":{"corrects":"zsecret-10","team":"zteam"}"#;
    for (body, status) in [
        (event("w20", "zeta-corp", Err(1), r#""model":"m""#), 422),
        (event("w21", "acme", Err(1), correction), 422),
        (r#"{"org_id":"zeta-corp"}"#.to_owned(), 422),
        ("[".to_owned(), 400),
    ] {
        let answer = send("application/json", &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        let marks = FOREIGN.iter().filter(|mark| !body.contains(**mark));
        for mark in marks {
            assert!(!answer.text().contains(mark), "{body} shows {mark}: {}", answer.text());
        }
    }
    assert_eq!(ask(&all, elsewhere), before);
}

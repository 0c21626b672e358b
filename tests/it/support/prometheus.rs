//! A real Prometheus, and its data.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::client;
use super::listening::Listening;

/// A running Prometheus. It is killed when dropped.
#[derive(Debug)]
pub struct Prometheus(Listening);

/// What it knows about a target.
#[derive(Debug, PartialEq, Eq)]
pub struct Health {
    pub up: bool,
    pub last_error: String,
}

impl Prometheus {
    /// Starts it with `config.yml` in `folder`, where it also keeps its data.
    pub fn start(folder: &Path) -> Self {
        Self::start_program("prometheus", folder, "config.yml")
    }

    /// Starts a program that is some Prometheus, with a configuration in `folder`.
    pub fn start_program(program: &str, folder: &Path, config: &str) -> Self {
        Self::start_with(program, folder, config, &[])
    }

    /// The same with more arguments.
    pub fn start_with(program: &str, folder: &Path, config: &str, args: &[&str]) -> Self {
        Self(Listening::start(
            Command::new(program)
                .arg(format!("--config.file={}", folder.join(config).display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg("--web.listen-address=127.0.0.1:0")
                .args(args),
        ))
    }

    /// What an expression gives now.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        self.found(&format!("query?query={}", encoded(expression)))
    }

    /// What an expression gives at an instant, in seconds.
    pub fn query_at(&self, expression: &str, seconds: &str) -> Vec<Value> {
        self.found(&format!("query?query={}&time={seconds}", encoded(expression)))
    }

    fn found(&self, query: &str) -> Vec<Value> {
        self.api(query)["result"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The rules that it has loaded, alerting or recording.
    pub fn rules(&self) -> Vec<Value> {
        let found = self.api("rules");
        let groups = found["groups"].as_array().into_iter().flatten();
        groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    }

    /// The data of an answer; null while it is not ready.
    fn api(&self, path: &str) -> Value {
        let answer =
            client::send("GET", &format!("http://{}/api/v1/{path}", self.0.address), &[], "");
        if answer.status == 200 { answer.json()["data"].take() } else { Value::Null }
    }

    /// Each job's health, once it was scraped.
    pub fn health(&self) -> BTreeMap<String, Health> {
        let targets = self.api("targets");
        let Some(targets) = targets["activeTargets"].as_array() else { return BTreeMap::new() };
        let known = targets.iter().filter(|target| target["health"] != "unknown");
        let health = known.map(|target| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let health =
                Health { up: target["health"] == "up", last_error: text(&target["lastError"]) };
            (text(&target["labels"]["job"]), health)
        });
        health.collect()
    }

    /// The value of `up` of a job.
    pub fn up(&self, job: &str) -> Option<String> {
        let found = self.api(&format!("query?query=up%7Bjob%3D%22{job}%22%7D"));
        Some(found["result"].get(0)?["value"][1].as_str()?.to_owned())
    }

    /// The newest values of a job's series whose names start with `llm_`, named as in a scrape.
    pub fn series(&self, job: &str) -> BTreeMap<String, f64> {
        let query = format!("query?query=%7B__name__%3D~%22llm_.%2A%22,job%3D%22{job}%22%7D");
        let found = self.api(&query);
        let Some(found) = found["result"].as_array() else { return BTreeMap::new() };
        let sample = |sample: &Value| {
            let value = sample["value"][1].as_str().unwrap().parse().unwrap();
            (name(&sample["metric"]), value)
        };
        found.iter().map(sample).collect()
    }
}

fn encoded(expression: &str) -> String {
    expression.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The name of a series as tokenlake writes it.
fn name(metric: &Value) -> String {
    let labels: Vec<_> = ["table", "provider", "model", "dimension", "value", "org_id"]
        .iter()
        .filter_map(|label| Some((label, metric.get(label)?.as_str()?)))
        .map(|(label, value)| {
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{label}=\"{value}\"")
        })
        .collect();
    format!("{}{{{}}}", metric["__name__"].as_str().unwrap(), labels.join(","))
}

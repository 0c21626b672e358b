//! Tests of the Helm chart: it is rendered by Helm's own library, and what comes of it is held to
//! what the kustomization is held to.

use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::files::{KUBERNETES, assert_known_settings};
use super::memory::{bytes, flags, holds};
use super::{content, path, text};
use crate::support::process::{Done, installed, run, tokenlake};
use crate::support::tools::installed_tool;

const CHART: &str = "deploy/helm/tokenlake";

/// What the chart becomes with values, in a folder; none without Helm's library.
fn render(values: &Value, folder: &Path) -> Option<Done> {
    let mut command = Command::new(installed_tool("packagers-1/bin/python3")?);
    command.arg(path("tests/chart.py")).arg(path(CHART)).arg(values.to_string()).arg(folder);
    Some(run(&mut command))
}

/// An object of the chart, as text.
fn object(folder: &Path, name: &str) -> String {
    read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The least that has to be said.
fn least() -> Value {
    json!({ "archive": "s3://my-bucket/tokenlake" })
}

/// All that may be turned on.
fn most() -> Value {
    json!({
        "archive": "s3://my-bucket/tokenlake",
        "image": { "repository": "registry.example.com/tokenlake", "tag": "0.2.0" },
        "imagePullSecrets": [{ "name": "pull" }],
        "store": { "existingSecret": "tokenlake-s3", "settings": { "AWS_REGION": "eu-central-1" } },
        "settings": { "TOKENLAKE_DEDUPE_MEMORY": "256MiB" },
        "server": {
            "settings": { "TOKENLAKE_MAX_BODY": "16MiB" },
            "nodeSelector": { "disk": "fast" },
            "tolerations": [{ "key": "spot", "operator": "Exists" }],
            "affinity": { "podAntiAffinity": {} },
            "podAnnotations": { "a": "b" },
        },
        "tls": { "existingSecret": "tls", "clientCaSecret": "clients" },
        "budgets": { "webhookAllow": ["hooks.slack.com", "alerts.example.com:8443"] },
        "service": { "type": "LoadBalancer", "annotations": { "a": "b" } },
        "serviceAccount": { "annotations": { "a": "b" }, "labels": { "c": "d" } },
        "expire": { "enabled": true },
        "serviceMonitor": {
            "enabled": true,
            "labels": { "release": "prometheus" },
            "tlsConfig": {
                "ca": { "secret": { "name": "tls", "key": "ca.crt" } },
                "cert": { "secret": { "name": "scraper", "key": "tls.crt" } },
                "keySecret": { "name": "scraper", "key": "tls.key" },
            },
            "organisations": [{ "org": "acme", "secret": "tokenlake-scrape-acme" }],
        },
    })
}

#[test]
fn the_chart_renders_to_valid_objects() {
    if !(installed("kubernetes-validate") && installed("check-jsonschema")) {
        return;
    }
    for (values, monitored) in [(least(), false), (most(), true)] {
        let folder = tempdir().unwrap();
        let Some(done) = render(&values, folder.path()) else { return };
        assert_eq!(done.status, 0, "{done:?}");
        let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let (monitors, mut objects): (Vec<_>, Vec<_>) =
            entries.partition(|file| file.ends_with("servicemonitor.yaml"));
        objects.retain(|file| !file.ends_with("NOTES.txt"));
        assert!(objects.len() >= 7, "{objects:?}");
        for version in KUBERNETES {
            let strict = ["--strict", "--quiet", "-k", version];
            content(Command::new("kubernetes-validate").args(strict).args(&objects));
        }
        assert_eq!(monitors.len(), usize::from(monitored));
        if monitored {
            let schema = path("tests/it/deploy/operator.schema.json");
            let mut check = Command::new("check-jsonschema");
            content(check.arg("--schemafile").arg(schema).args(monitors));
        }
    }
}

#[test]
fn the_chart_passes_settings_that_the_server_takes_and_limits_that_hold_them() {
    for values in [least(), most()] {
        let folder = tempdir().unwrap();
        let Some(done) = render(&values, folder.path()) else { return };
        assert_eq!(done.status, 0, "{done:?}");
        let [common, server, jobs] = ["configmap.yaml", "deployment.yaml", "jobs.yaml"]
            .map(|name| object(folder.path(), name));
        assert_known_settings(&[common.as_str(), &server].concat(), "serve");
        let common = flags(&common);
        let settings = [common.clone(), flags(&server)].concat();
        assert!(settings.iter().any(|flag| flag == "--compact-interval=0s"), "{settings:?}");
        // Jobs pass over the variables of servers, and take no such flags.
        let is_of_all =
            |flag: &&String| flag.starts_with("--archive=") || flag.starts_with("--log-");
        let of_all: Vec<_> = common.iter().filter(is_of_all).cloned().collect();
        assert_eq!(of_all.len(), 2, "{common:?}");
        holds(bytes(&server, "limits:\n              memory: "), &["serve"], &settings);
        for job in jobs.split("\n---\n") {
            let (_, args) = job.split_once("args: ").unwrap();
            let args: Vec<String> = serde_json::from_str(args.lines().next().unwrap()).unwrap();
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            holds(bytes(job, "limits:\n                  memory: "), &args, &of_all);
        }
    }
}

#[test]
fn the_charts_jobs_run_as_they_are_written() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let Some(done) = render(&most(), folder.path()) else { return };
    assert_eq!(done.status, 0, "{done:?}");
    let sample = path("data/sample.ndjson");
    let filled = ["backfill", "--org", "acme", sample.to_str().unwrap()];
    assert_eq!(tokenlake(archive.path(), &filled).status, 0);
    let jobs = object(folder.path(), "jobs.yaml");
    let written = jobs.lines().filter_map(|line| line.trim().strip_prefix("args: "));
    let written: Vec<Vec<String>> =
        written.map(|args| serde_json::from_str(args).unwrap()).collect();
    assert_eq!(written.len(), 2);
    for args in written {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let done = tokenlake(archive.path(), &args);
        assert_eq!(done.status, 0, "{args:?} {done:?}");
    }
}

#[test]
fn the_chart_wires_what_is_turned_on() {
    let folder = tempdir().unwrap();
    let Some(done) = render(&most(), folder.path()) else { return };
    assert_eq!(done.status, 0, "{done:?}");
    let server = object(folder.path(), "deployment.yaml");
    for words in [
        "image: registry.example.com/tokenlake:0.2.0\n",
        "- secretRef: {name: tokenlake-s3}\n",
        "value: \"hooks.slack.com,alerts.example.com:8443\"}\n",
        "value: /etc/tokenlake/tls/tls.crt}\n",
        "- {name: tls, mountPath: /etc/tokenlake/tls, readOnly: true}\n",
        "secret: {secretName: tls, defaultMode: 0440}\n",
        "- {name: client-ca, mountPath: /etc/tokenlake/client-ca, readOnly: true}\n",
    ] {
        assert!(server.contains(words), "no {words} in {server}");
    }
    // A probe has no certificate to show.
    assert!(!server.contains("port: http}") && !server.contains("port: http,"), "{server}");
    let tls_alone = json!({ "archive": "s3://b/t", "tls": { "existingSecret": "tls" } });
    render(&tls_alone, folder.path()).unwrap();
    let server = object(folder.path(), "deployment.yaml");
    assert!(server.contains("httpGet: {path: /readyz, port: http, scheme: HTTPS}\n"), "{server}");
}

#[test]
fn the_chart_refuses_what_it_does_not_know() {
    let folder = tempdir().unwrap();
    for (values, words) in [
        (json!({}), "archive: where the archive is"),
        (json!({ "archive": "./data" }), "archive"),
        (json!({ "archive": "s3://b/t", "sever": { "replicas": 3 } }), "sever"),
        (json!({ "archive": "s3://b/t", "settings": { "MAX_SERIES": "5" } }), "MAX_SERIES"),
        (
            json!({ "archive": "s3://b/t", "budgets": { "webhookAllow": ["https://x"] } }),
            "webhookAllow",
        ),
        (json!({ "archive": "s3://b/t", "tls": { "clientCaSecret": "x" } }), "tls.existingSecret"),
    ] {
        let Some(done) = render(&values, folder.path()) else { return };
        assert_eq!(done.status, 1, "{values} {done:?}");
        assert!(done.stderr.contains(words), "{values} {done:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_chart_is_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = text("deploy/helm/tokenlake/Chart.yaml");
    for line in [format!("version: {version}"), format!("appVersion: \"{version}\"")] {
        assert!(chart.lines().any(|one| one == line), "{chart}");
    }
}

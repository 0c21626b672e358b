//! Tests of the rules and configurations, with the tools of the programs that read them.

use std::collections::BTreeSet;
use std::process::Command;

use tempfile::tempdir;

use super::{content, files, path, prometheus_folder, text};
use crate::support::process::installed;

#[test]
fn promtool_and_amtool_find_nothing_to_say() {
    if !(installed("promtool") && installed("amtool")) {
        return;
    }
    let folder = tempdir().unwrap();
    prometheus_folder(folder.path(), "td_live_of_nobody", &[]);
    content(
        Command::new("promtool").args(["check", "config", "prometheus.yml"]).current_dir(&folder),
    );
    let lint = ["check", "rules", "--lint=all", "--lint-fatal"];
    content(Command::new("promtool").args(lint).args(files("deploy/prometheus/rules", ".yml")));
    let alertmanager = path("deploy/alertmanager/alertmanager.yml");
    content(Command::new("amtool").arg("check-config").arg(alertmanager));
}

#[test]
fn each_alert_fires_where_it_should_and_not_elsewhere() {
    if !installed("promtool") {
        return;
    }
    let tests = files("deploy/prometheus/tests", ".yml");
    content(Command::new("promtool").args(["test", "rules"]).args(&tests));
    let (mut fire, mut rest) = (BTreeSet::new(), BTreeSet::new());
    for test in tests {
        let test = std::fs::read_to_string(test).unwrap();
        for case in test.split("alertname: ").skip(1) {
            let (name, after) = case.split_once('\n').unwrap();
            let silent = after.trim_start().starts_with("exp_alerts: []");
            if silent { &mut rest } else { &mut fire }.insert(name.to_owned());
        }
    }
    let rules = text("deploy/prometheus/rules/alerts.yml");
    let alerts: BTreeSet<_> =
        rules.lines().filter_map(|line| Some(line.split_once("- alert: ")?.1.to_owned())).collect();
    assert!(alerts.len() > 5);
    assert_eq!((&fire, &rest), (&alerts, &alerts), "an alert without a case of each kind");
}

#[test]
fn the_operator_is_given_the_same_rules() {
    let resource = text("deploy/kubernetes/monitoring/prometheusrule.yaml");
    let (_, groups) = resource.split_once("  groups:\n").unwrap();
    let mut expected = Vec::new();
    for name in ["budgets", "usage", "alerts"] {
        let rules = text(&format!("deploy/prometheus/rules/{name}.yml"));
        let (_, groups) = rules.split_once("groups:\n").unwrap();
        let lines = groups.trim_end().lines();
        let indented = lines.map(|line| format!("  {line}").trim_end().to_owned());
        expected.push(indented.collect::<Vec<_>>().join("\n"));
    }
    assert_eq!(groups.trim_end(), expected.join("\n\n"));
}
